/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a table, upwards, from the leaves of its tree: what a statement of SQLite would give,
 * for less. The format is documented in SQLite's "Database File Format", sections 1.6 and 2. */
#ifndef DS_ENGINE_STORE_LEAVES_H
#define DS_ENGINE_STORE_LEAVES_H

#include "engine/store/internal.h"
#include "engine/store/pages.h"

typedef struct ds__leaves ds__leaves;

/* From the row `from` on. `*out` is NULL without an error when only SQLite can read the
 * transaction's snapshot: it writes, or has no log. */
bool ds__leaves_open(ds__txn *txn, int64_t rows, int64_t from, ds__leaves **out, ds_error *err);
/* After a document that is not as it was written (DataCorruptionDetected) the next one follows,
 * after other failures nothing. Lifetime of *doc: until the next call. */
ds_next ds__leaves_next(ds__leaves *leaves, int64_t *rid, ds_value *doc, ds_error *err);
void ds__leaves_close(ds__leaves *leaves);

#endif
