/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter says about one path, as spans of values in canonical order. Spans may be wider
 * than the filter, never narrower. */
#ifndef DS_ENGINE_INDEX_BOUNDS_H
#define DS_ENGINE_INDEX_BOUNDS_H

#include "base/arena.h"
#include "bson/compare.h"
#include "lang/filter/filter.h"

/* A place between values: just before or just after all values equal to `value`. */
typedef struct ds__cut {
    ds_value value;
    const uint8_t *key; /* of value, ascending */
    uint32_t size;
    bool after;
} ds__cut;

typedef struct ds__span {
    ds__cut lo;
    ds__cut hi;
} ds__span;

/* Disjoint spans in ascending order. */
typedef struct ds__bounds {
    ds__span *spans;
    size_t count;
    bool full;            /* says nothing: all values */
    bool tight;           /* every value inside satisfies the predicate by itself */
    bool matches_missing; /* a document without the field may match */
} ds__bounds;

/* All bounds live in the arena. */
bool ds__bounds_full(ds_arena *arena, ds__bounds *out, ds_error *err);
/* From `lo` (NULL: the least value) to `hi` (NULL: the greatest). */
bool ds__bounds_span(ds_arena *arena, const ds_value *lo, bool lo_after, const ds_value *hi,
                     bool hi_after, ds__bounds *out, ds_error *err);
bool ds__bounds_union(ds_arena *arena, const ds__bounds *a, const ds__bounds *b, ds__bounds *out,
                      ds_error *err);
bool ds__bounds_intersect(ds_arena *arena, const ds__bounds *a, const ds__bounds *b,
                          ds__bounds *out, ds_error *err);
/* Whether every span is a single value. */
bool ds__bounds_points(const ds__bounds *b);
/* Whether they are one value. */
bool ds__bounds_single(const ds__bounds *b);

/* What one leaf (or NOT, or value $elemMatch) of a filter says of its own path. `multikey`: some
 * document has an array somewhere on that path. False only when memory is out. */
bool ds__bounds_of(ds_arena *arena, const ds__filter *leaf, bool multikey, ds__bounds *out,
                   ds_error *err);

#endif
