/* SPDX-License-Identifier: Apache-2.0 */
/* What an index is, and from a document to the keys it holds for it: multikey, compound, sparse.
 * Knows neither collections nor where keys are kept. */
#ifndef DS_ENGINE_INDEX_INDEX_H
#define DS_ENGINE_INDEX_INDEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "bson/path.h"
#include "bson/writer.h"
#include "engine/index/kind.h"

typedef struct ds__index_part {
    ds__path path;
    const ds__index_kind *kind;
    bool descending;
    /* Bit i: some document has an array at component i of the path (0 the first). A bit is never
     * taken back. Components past 63 share bit 63. */
    uint64_t multikey;
    /* Bits of ds__seen: what some document has had. A bit is never taken back. */
    uint64_t seen;
} ds__index_part;

/* What a key of an ordered part does not tell, and whether documents have had it: keys of numbers
 * do not say their type, nor does null's key whether there was a field. Of a number there is one
 * type at most where one bit alone fits its value. */
typedef enum ds__seen {
    DS_SEEN_INT32 = 1,
    DS_SEEN_SMALL_INT64 = 2,  /* that would fit an int32 */
    DS_SEEN_LARGE_INT64 = 4,  /* that would not */
    DS_SEEN_SMALL_DOUBLE = 8, /* whole, as the int32s */
    DS_SEEN_LARGE_DOUBLE = 16,
    DS_SEEN_NULL = 32,
    DS_SEEN_MISSING = 64,
    DS_SEEN_SYMBOL = 128,
    DS_SEEN_UNTOLD =
        256, /* decimals, whose digits keys do not tell either; -0.0; odd NaNs; undefined */
    DS_SEEN_ALL = 511 /* indexes of older formats: nothing is known */
} ds__seen;

/* The bits of a value. */
uint64_t ds__seen_of(ds_value v);
/* The value a key of the part was made of, where that can be told: DS_MISSING where there was no
 * field. *out may be a view of `scratch`. */
bool ds__index_part_value(const ds__index_part *part, const uint8_t *key, size_t size,
                          ds_buf *scratch, ds_value *out);

/* Lifetime: its collection's. */
typedef struct ds__index {
    int64_t id; /* of its table of keys */
    const char *name;
    ds_value spec; /* as listIndexes prints it */
    ds_value key_pattern;
    const ds__index_kind *kind; /* of the first part that is not ordered, if one is */
    ds__index_part *parts;
    size_t part_count;
    bool is_id;
    bool unique;
    bool sparse;
    bool hidden;
    bool multikey;        /* any bit of any part */
    ds_value partial;     /* partialFilterExpression or DS_MISSING */
    int64_t expire_after; /* seconds; -1: none */
    /* The collation.version of the spec: of what made the keys of strings. "" when there is no
     * collation but the simple one: keys are then of bytes. */
    const char *collation_version;
} ds__index;

/* Fills an index from its spec, which must live in the arena. Errors: MustUpgrade for a kind or a
 * collation whose keys this program cannot make; damage. */
bool ds__index_read_spec(ds_arena *arena, ds__index *index, ds_value spec, ds_error *err);

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
    uint64_t seen[32];     /* per part: bits of ds__seen */
} ds__index_keys;

/* The keys of `doc`; none when a sparse index skips it. The partial filter is not looked at.
 * `meter` (may be NULL) is asked for time. Errors: CannotIndexParallelArrays (171), memory. */
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
