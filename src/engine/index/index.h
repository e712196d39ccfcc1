/* SPDX-License-Identifier: Apache-2.0 */
/* From a document to the keys an index holds for it: multikey, compound, sparse, partial, hashed.
 */
#ifndef DS_ENGINE_INDEX_INDEX_H
#define DS_ENGINE_INDEX_INDEX_H

#include "base/buf.h"
#include "bson/writer.h"
#include "engine/catalog/catalog.h"

typedef struct ds__index_key {
    size_t at; /* in ds__index_keys.bytes */
    size_t size;
} ds__index_key;

/* The keys of one document, sorted by bytes, without duplicates. Zero-initialise; reuse; clear. */
typedef struct ds__index_keys {
    /* owned */
    ds_buf bytes;
    ds__index_key *keys;
    /* plain */
    size_t count;
    size_t cap;
    uint64_t multikey[32]; /* per part: components at which this document has arrays */
    bool any_multikey;
} ds__index_keys;

/* The keys of `doc`; none when a sparse index skips it. The partial filter is not looked at (see
 * ds__txn_filter_match). `meter` (may be NULL) is asked for time. Errors: CannotIndexParallelArrays
 * (171), memory. */
bool ds__index_extract(const ds__index *index, ds_value doc, ds_meter *meter, ds__index_keys *out,
                       ds_error *err);
void ds__index_keys_clear(ds__index_keys *keys);
static inline const uint8_t *ds__index_key_bytes(const ds__index_keys *keys, size_t i) {
    return keys->bytes.data + keys->keys[i].at;
}

/* The value a hashed part has for `v`, as MongoDB's $toHashedIndexKey. */
int64_t ds__index_hash(ds_value v);

/* The first of the index's key values in a document as messages print them: for
 * "dup key: { a: 1 }", a document {a: 1} of values found by the key `key`. */
bool ds__index_key_values(const ds__index *index, ds_value doc, const uint8_t *key, size_t key_size,
                          ds_buf *out, ds_error *err);

#endif
