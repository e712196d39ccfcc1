/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of what exists, as commands make them: through ds__ddl_run, which carries one out in the
 * catalog, makes the keys of a new index, and tells the observers. */
#ifndef DS_ENGINE_RECORDS_DDL_H
#define DS_ENGINE_RECORDS_DDL_H

#include "engine/records/observe.h"

/* Carries out a change. `*out` (NULL is allowed) is the collection afterwards; NULL when it was
 * dropped. After it the transaction's catalog is the changed one; collections found before stay
 * readable but are out of date. Errors: of the functions below. */
bool ds__ddl_run(ds__txn *txn, const ds__ddl *ddl, const ds__coll **out, ds_error *err);

/* Makes a collection (with its _id index) or, when `options` has viewOn, a view. `options` is
 * checked by the create command; DS_MISSING for none. Errors: NamespaceExists, InvalidNamespace. */
static inline bool ds__ddl_create(ds__txn *txn, const char *db, const char *name, ds_value options,
                                  const ds__coll **out, ds_error *err) {
    return ds__ddl_run(
        txn, &(ds__ddl){.kind = DS_DDL_CREATE, .db = db, .name = name, .spec = options}, out, err);
}

/* The collection, made if it does not exist: what a first insert does. Errors:
 * CommandNotSupportedOnView for views, InvalidNamespace. */
bool ds__ddl_find_or_create(ds__txn *txn, const char *db, const char *name, const ds__coll **out,
                            ds_error *err);

/* Removes a collection or view with its data. */
static inline bool ds__ddl_drop(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    return ds__ddl_run(txn, &(ds__ddl){.kind = DS_DDL_DROP, .coll = coll}, NULL, err);
}

/* Gives a collection another name, in another database perhaps; the target must not exist. */
static inline bool ds__ddl_rename(ds__txn *txn, const ds__coll *coll, const char *db,
                                  const char *name, ds_error *err) {
    return ds__ddl_run(txn, &(ds__ddl){.kind = DS_DDL_RENAME, .coll = coll, .db = db, .name = name},
                       NULL, err);
}

/* Replaces the options. */
static inline bool ds__ddl_set_options(ds__txn *txn, const ds__coll *coll, ds_value options,
                                       ds_error *err) {
    return ds__ddl_run(txn, &(ds__ddl){.kind = DS_DDL_SET_OPTIONS, .coll = coll, .spec = options},
                       NULL, err);
}

/* Adds an index by its normalised spec (index/spec.h) and fills it from the documents. Errors:
 * DuplicateKey (with details), CannotIndexParallelArrays, …; the caller aborts or rolls back. */
static inline bool ds__ddl_add_index(ds__txn *txn, const ds__coll *coll, ds_value spec,
                                     const ds__coll **out, ds_error *err) {
    return ds__ddl_run(txn, &(ds__ddl){.kind = DS_DDL_ADD_INDEX, .coll = coll, .spec = spec}, out,
                       err);
}

static inline bool ds__ddl_drop_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                                      ds_error *err) {
    return ds__ddl_run(txn, &(ds__ddl){.kind = DS_DDL_DROP_INDEX, .coll = coll, .index = index},
                       NULL, err);
}

/* Replaces an index's spec (hidden, expireAfterSeconds). */
static inline bool ds__ddl_set_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                                     ds_value spec, ds_error *err) {
    return ds__ddl_run(
        txn, &(ds__ddl){.kind = DS_DDL_SET_INDEX, .coll = coll, .index = index, .spec = spec}, NULL,
        err);
}

#endif
