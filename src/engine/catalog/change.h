/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the catalog, each in a write transaction: for records/, whose ddl.h all others use.
 * After a call the transaction's catalog is the changed one; collections found before stay readable
 * but are out of date. */
#ifndef DS_ENGINE_CATALOG_CHANGE_H
#define DS_ENGINE_CATALOG_CHANGE_H

#include "engine/catalog/catalog.h"

/* Makes a collection (with its _id index) or, when `options` has viewOn, a view. `options` is
 * checked by the create command; DS_MISSING for none. Errors: NamespaceExists, InvalidNamespace. */
bool ds__catalog_create(ds__txn *txn, const char *db, const char *name, ds_value options,
                        const ds__coll **out, ds_error *err);

/* Removes a collection or view with its data. */
bool ds__catalog_drop(ds__txn *txn, const ds__coll *coll, ds_error *err);

/* Gives a collection another name, in another database perhaps; the target must not exist. */
bool ds__catalog_rename(ds__txn *txn, const ds__coll *coll, const char *db, const char *name,
                        ds_error *err);

/* Replaces the options. */
bool ds__catalog_set_options(ds__txn *txn, const ds__coll *coll, ds_value options, ds_error *err);

/* Adds an index by its normalised spec (index/spec.h), the last of `*out`, without keys yet. */
bool ds__catalog_add_index(ds__txn *txn, const ds__coll *coll, ds_value spec, const ds__coll **out,
                           ds_error *err);
bool ds__catalog_drop_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                            ds_error *err);
/* Replaces an index's spec (hidden, expireAfterSeconds). */
bool ds__catalog_set_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                           ds_value spec, ds_error *err);
/* Adds the bits of what the keys of documents had: arrays, types. */
bool ds__catalog_set_seen(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                          const ds__index_keys *keys, ds_error *err);

#endif
