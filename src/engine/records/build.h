/* SPDX-License-Identifier: Apache-2.0 */
/* Filling an index from the documents that are there, and the errors of unique indexes. */
#ifndef DS_ENGINE_RECORDS_BUILD_H
#define DS_ENGINE_RECORDS_BUILD_H

#include "engine/catalog/catalog.h"

/* Fills an empty index. Errors: DuplicateKey with details, CannotIndexParallelArrays, …; what was
 * written stays: the caller rolls back. */
bool ds__index_build(ds__txn *txn, const ds__coll *coll, const ds__index *index, ds_error *err);

/* DuplicateKey in mongod's words for the key of `doc`, keyPattern and keyValue as details. */
bool ds__index_duplicate(ds__txn *txn, const ds__coll *coll, const ds__index *index, ds_value doc,
                         const uint8_t *key, size_t key_size, ds_error *err);

/* Whether the index holds keys of a document: partial indexes leave some out. */
bool ds__index_covers(ds__txn *txn, const ds__index *index, ds_value doc, bool *covers,
                      ds_error *err);

/* Makes sure the catalog knows at which components documents have arrays. */
bool ds__index_note_seen(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                         const ds__index_keys *keys, ds_error *err);

#endif
