/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the records: their part of a transaction. */
#ifndef DS_ENGINE_RECORDS_INTERNAL_H
#define DS_ENGINE_RECORDS_INTERNAL_H

#include "base/arena.h"
#include "engine/index/index.h"
#include "engine/records/observe.h"

enum { DS_RECORDS_ROOM = 1 };

typedef struct ds__compiled_filter ds__compiled_filter;

/* How the numbers of a collection change with the transaction. */
typedef struct ds__count_delta {
    int64_t coll;
    int64_t documents;
    int64_t bytes;
} ds__count_delta;

typedef struct ds__records_txn {
    /* owned */
    ds__compiled_filter *filters; /* in the arena */
    ds_arena filter_arena;
    ds_meter filter_meter;   /* of filter_arena, which outlives operations */
    ds__count_delta *deltas; /* not yet in the table of counts */
    ds__index_keys keys[2];  /* scratch */
    /* plain */
    size_t delta_count;
    size_t delta_cap;
} ds__records_txn;

static inline ds__records_txn *ds__records_of(const ds__txn *txn) {
    return ds__txn_room(txn, DS_RECORDS_ROOM);
}

/* counts.c: documents and bytes change in memory and are written once, at the commit. */
extern const ds__observer ds__counts_observer;
bool ds__counts_mark(ds__txn *txn, void **mark, ds_error *err);
void ds__counts_back(ds__txn *txn, const void *mark);
bool ds__counts_write(ds__txn *txn, ds_error *err);

/* capped.c: the oldest documents go when a capped collection is over its limits. */
extern const ds__observer ds__capped_observer;

/* keys.c: changes all indexes from the keys of `before` to those of `after`; either may be missing.
 * When it fails all are as before, or the transaction is broken. Errors: DuplicateKey with details,
 * CannotIndexParallelArrays, … */
bool ds__keys_change(ds__txn *txn, const ds__change *write, ds_error *err);

/* validation.c: whether the collection takes the document. Errors: DocumentValidationFailure with
 * details. */
bool ds__validate(ds__txn *txn, const ds__change *write, ds_error *err);
/* explain_validation.c: the fields of errInfo.details for the first condition that fails. */
void ds__validation_details(ds__txn *txn, ds_value validator, ds_value doc, ds_buf *out);
/* schema_details.c: the same for a $jsonSchema. */
void ds__schema_details(ds__txn *txn, ds_value schema, ds_value doc, ds_buf *out);

/* filters.c */
void ds__txn_filters_clear(ds__txn *txn);
/* Compiles and matches a filter that is not the catalog's. `*matched` stays as it is when it cannot
 * be compiled. */
void ds__txn_filter_once(ds__txn *txn, ds_value spec, ds_value doc, bool *matched);

#endif
