/* SPDX-License-Identifier: Apache-2.0 */
/* What the Python extension uses of the inside beside docstore.h, and all of it: it is linked with
 * the library's parts and built from the same tree, so none of this is kept for others. Stores are
 * reached through docstore.h alone. */
#ifndef DS_EXTENSION_H
#define DS_EXTENSION_H

/* Buffers, errors, the clock, limits of BSON, memory; forks, as calls without the GIL see them. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/system.h"

/* BSON as values and bytes: read, compared, written, checked, as decimals and as JSON. */
#include "bson/compare.h"
#include "bson/decimal.h"
#include "bson/json.h"
#include "bson/validate.h"
#include "bson/value.h"
#include "bson/writer.h"

/* A server in this process, for PyMongo. */
#include "wire/wire.h"

#endif
