/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry of documents by TTL indexes. There is no thread for it: commands look, every few seconds,
 * after their reply is made. So a store nobody uses expires nothing until somebody does. */
#ifndef DS_ENGINE_TTL_H
#define DS_ENGINE_TTL_H

#include "engine/op.h"

/* Deletes expired documents when the last look is long enough ago; a bounded number at a time.
 * Failures (another writer, no space) are left to the next time. */
void ds__ttl_tick(ds_engine *engine);

#endif
