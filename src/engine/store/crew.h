/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that read the leaves of a table ahead and test their rows. Who asks gets the rows in
 * their order; what a thread could not read, or holds too much, is read by who asks. They live from
 * open to close, within one operation. */
#ifndef DS_ENGINE_STORE_CREW_H
#define DS_ENGINE_STORE_CREW_H

#include "engine/store/leaves.h"

typedef struct ds__crew ds__crew;

/* From where `leaves` stands, between two of them. Charges the transaction's meter. NULL: no
 * processor is idle, no thread could be had, or half of the memory that the operation may use would
 * be used. */
ds__crew *ds__crew_open(ds__txn *txn, ds__leaves *leaves, ds__row_test test, const void *ctx);
/* Fills in `passed`. Lifetime of the document: until the next call. */
ds_next ds__crew_next(ds__crew *crew, ds__scan_row *row, ds_error *err);
/* Waits for its threads. NULL is allowed. */
void ds__crew_close(ds__crew *crew);

#endif
