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

/* For several threads (crew.h). The numbers of the leaves that follow, up to `most`. From then on
 * rows come from leaves that are entered. `first`: all leaves before them are read; none: there are
 * no more. Else what follows a page that cannot be read is left for later, so that its error comes
 * after the rows before it. */
bool ds__leaves_ahead(ds__leaves *leaves, bool first, uint32_t *numbers, size_t most, size_t *count,
                      ds_error *err);
/* Whether it stands between two leaves, and not on the only one: where ds__leaves_ahead may begin.
 */
bool ds__leaves_between(const ds__leaves *leaves);
bool ds__leaf_enter(ds__leaves *leaves, uint32_t number, ds_error *err);
/* As ds__leaves_next, to the end of the leaf. */
ds_next ds__leaf_next(ds__leaves *leaves, int64_t *rid, ds_value *doc, ds_error *err);
/* Another reader of the same pages, for a thread of its own; they must outlive it. It fails
 * silently, at longer rows too, and may then enter another leaf. NULL: memory is out. */
enum { DS_MEMBER_ROW = 512 * 1024 };
ds__leaves *ds__leaves_member(const ds__leaves *leaves);
bool ds__leaves_failed(const ds__leaves *leaves);

#endif
