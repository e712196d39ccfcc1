/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of index, a row each: what names them in a key pattern, what a spec of them may say,
 * how a document becomes keys, which spans of keys a predicate means, and what the order of keys
 * tells. An index has a kind, and so has each of its parts: {a: "hashed", b: 1} is a hashed index
 * with an ordered part. A new kind is a new row in kind.c. */
#ifndef DS_ENGINE_INDEX_KIND_H
#define DS_ENGINE_INDEX_KIND_H

#include "base/arena.h"
#include "base/buf.h"
#include "bson/value.h"

struct ds__index;
struct ds__index_keys;
struct ds__bounds;
struct ds__filter;

typedef struct ds__index_kind {
    /* The string of a key pattern's part; "" for the kind of those that have a number. */
    const char *name;
    /* What a field's name has to hold instead (wildcard); or NULL. */
    const char *mark;
    /* Whether an index with a part of this kind may be: `key` is checked in itself. */
    bool (*check)(ds_value key, bool unique, ds_error *err);
    /* The keys of a document into `out`, in any order, duplicates allowed (ds__index_extract
     * sorts). NULL: there are no such indexes yet; they are refused by their name. */
    bool (*extract)(const struct ds__index *index, ds_value doc, ds_meter *meter,
                    struct ds__index_keys *out, ds_error *err);
    /* The value a part's key has for a value of a document or of a predicate; NULL: the same. */
    bool (*value)(ds_value v, ds_value *out, ds_error *err);
    /* What a predicate says of a part, in values before they go through `value`; wider is allowed,
     * narrower not. As ds__bounds_of. */
    bool (*bounds)(ds_arena *arena, const struct ds__filter *leaf, bool multikey,
                   struct ds__bounds *out, ds_error *err);
    bool ordered;   /* keys are values in their order: they serve ranges, sorts and covered reads */
    bool no_arrays; /* `value` refuses arrays, wherever on the path */
    bool collates;  /* strings in keys follow the index's collation */
} ds__index_kind;

/* The kind of indexes of which all parts have numbers. */
extern const ds__index_kind *const ds__index_ordered;

/* The kind of a part; NULL when its value is a string that names none. */
const ds__index_kind *ds__index_kind_of(const char *field, size_t size, ds_value v);

/* Whether a part of a key pattern may be of this kind. Errors: NotImplemented. */
bool ds__index_kind_check(const ds__index_kind *kind, ds_error *err);

/* The key of a part for a value of a predicate, appended; `descending` as ds__key_add. */
void ds__index_kind_add(const ds__index_kind *kind, ds_value v, bool descending, ds_buf *out);

#endif
