/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a collection: insert, replace, delete with the upkeep of all its indexes, validator
 * and capped limits. Each call is atomic: when it fails the transaction is as it was before. */
#ifndef DS_ENGINE_RECORDS_RECORDS_H
#define DS_ENGINE_RECORDS_RECORDS_H

#include "engine/catalog/catalog.h"
#include "engine/store/store.h"

/* Opens a store with a catalog and records: as ds__store_open. */
ds__store *ds__records_open(const char *path, const ds__store_options *options, ds_error *err);

typedef struct ds__record_options {
    bool bypass_validation; /* bypassDocumentValidation */
} ds__record_options;

/* Brings a document from a client into the shape it is stored in: an `_id` (an ObjectId when it has
 * none) and as first field, Timestamp(0, 0) at top level replaced by the present. `*fixed` is `doc`
 * itself when nothing was to do, else a view of `out`. Errors: InvalidIdField (array, regex,
 * undefined), DollarPrefixedFieldName inside _id, BSONObjectTooLarge. */
bool ds__record_fix(ds_value doc, ds_buf *out, ds_value *fixed, ds_error *err);

/* Inserts a document that has its _id first. `rid` may be NULL. `options` may be NULL. Errors:
 * DuplicateKey, DocumentValidationFailure, CannotIndexParallelArrays, BSONObjectTooLarge, … with
 * ds__txn_error_details. */
bool ds__record_insert(ds__txn *txn, const ds__coll *coll, ds_value doc,
                       const ds__record_options *options, int64_t *rid, ds_error *err);

/* Replaces document `rid`, which now reads `old`, by `doc`; only index keys that differ are
 * touched. The _id must be equal. Errors: as ds__record_insert. */
bool ds__record_replace(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old, ds_value doc,
                        const ds__record_options *options, ds_error *err);

/* Deletes document `rid`, which reads `old`: the caller's bytes, not a row's, which ends with it.
 */
bool ds__record_delete(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old,
                       ds_error *err);

/* Deletes the oldest documents while a capped collection is over its limits. */
bool ds__record_evict(ds__txn *txn, const ds__coll *coll, ds_error *err);

/* Document `rid`; DS_MISSING when there is none. Lifetime: until the next ds__record_get on the
 * same collection in this transaction, or a write to it. */
bool ds__record_get(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value *doc, ds_error *err);

/* Document with this _id by the _id index: the shortest way for {_id: value}. `rid` may be NULL.
 * DS_MISSING when there is none. Lifetime as ds__record_get. */
bool ds__record_get_by_id(ds__txn *txn, const ds__coll *coll, ds_value id, int64_t *rid,
                          ds_value *doc, ds_error *err);

/* Removes all documents of a collection. */
bool ds__record_truncate(ds__txn *txn, const ds__coll *coll, ds_error *err);

/* Documents and bytes of documents in a collection, this transaction's changes included. Constant
 * time. */
bool ds__record_counts(ds__txn *txn, const ds__coll *coll, int64_t *documents, int64_t *bytes,
                       ds_error *err);

/* Which document is wanted by somebody who has no transaction. */
typedef struct ds__lone_key {
    const char *db;
    const char *coll; /* `size` bytes */
    size_t size;
    ds_value id;
} ds__lone_key;

typedef struct ds__lone {
    ds__txn *txn; /* to be given to ds__lone_close */
    const ds__coll *coll;
    ds_value doc; /* DS_MISSING: the collection has none with that _id */
} ds__lone;

/* Looks a document up in one statement. False, with nothing to close: it is not known; to be asked
 * in a transaction, which also tells what is wrong. Lifetime of what `out` points to: until
 * ds__lone_close. */
bool ds__lone_get(ds__store *store, const ds__lone_key *key, const ds__wait *wait, ds__lone *out);

#endif
