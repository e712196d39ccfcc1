/* SPDX-License-Identifier: Apache-2.0 */
/* Sort patterns and sorting, shared by find, $sort, windows and $push with $sort. */
#ifndef DS_LANG_PIPELINE_SORT_H
#define DS_LANG_PIPELINE_SORT_H

#include "base/buf.h"
#include "bson/path.h"
#include "lang/env.h"

typedef struct ds__sort_part {
    ds__path path;
    bool descending;
    bool by_meta; /* not by the path, but by what is beside the document */
    ds__meta_kind meta;
} ds__sort_part;

typedef struct ds__sort_pattern {
    ds__sort_part *parts;
    size_t count;
    const ds__meta *beside; /* the document whose key is made; NULL: nothing is */
} ds__sort_pattern;

/* Compiles {a: 1, "b.c": -1}; lives in env->arena. Errors: 15973.. 15975, BadValue. */
bool ds__sort_compile(ds__env *env, ds_value spec, ds__sort_pattern *out, ds_error *err);
/* The same where {x: {$meta: …}} may stand, too. Errors: those, 40218, 31138, 31218, 31219. */
bool ds__sort_compile_meta(ds__env *env, ds_value spec, ds__sort_pattern *out, ds_error *err);

/* Appends the document's sort key: memcmp order of keys is the sort order. Arrays count by their
 * least (or, descending, greatest) element. */
bool ds__sort_key(const ds__sort_pattern *pattern, ds_value doc, const ds__collator *collator,
                  ds_buf *key, ds_error *err);

/* What a document is sorted by, as an array of a value for each part: of an array the element that
 * counts; null where there is nothing. `*out` lives in `arena`. */
bool ds__sort_values(const ds__sort_pattern *pattern, ds_value doc, const ds__collator *collator,
                     ds_arena *arena, ds_value *out, ds_error *err);

/* A sorter: add documents, then read them in order. Keeps at most `limit` (0: all). Beyond
 * `max_bytes` it spills to an unlinked temporary file when allowed, else fails with
 * QueryExceededMemoryLimitNoDiskUseAllowed (292). */
typedef struct ds__sorter ds__sorter;
ds__sorter *ds__sorter_new(const ds__sort_pattern *pattern, const ds__env *env, uint64_t limit,
                           size_t max_bytes, bool allow_disk, ds_error *err);
bool ds__sorter_add(ds__sorter *sorter, ds_value doc, ds_error *err);
/* From the first document on each takes what is beside it along, packed (lang/meta.h); add_with
 * then takes the place of add. */
bool ds__sorter_add_with(ds__sorter *sorter, ds_value doc, const ds__meta *meta, ds_error *err);
/* What is beside the document that was given last. Lifetime: that document's. */
void ds__sorter_meta(const ds__sorter *sorter, ds__meta *out);
bool ds__sorter_finish(ds__sorter *sorter, ds_error *err);
/* Lifetime of *doc: until the next call. */
ds_next ds__sorter_next(ds__sorter *sorter, ds_value *doc, ds_error *err);
void ds__sorter_free(ds__sorter *sorter);

#endif
