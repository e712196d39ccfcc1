/* SPDX-License-Identifier: Apache-2.0 */
/* Updates: replacement, operators ({$set: …}) or a pipeline, compiled once, applied per document.
 */
#ifndef DS_LANG_UPDATE_UPDATE_H
#define DS_LANG_UPDATE_UPDATE_H

#include "base/buf.h"
#include "lang/env.h"
#include "lang/filter/filter.h"

typedef struct ds__update ds__update;

typedef enum ds__update_kind {
    DS_UPDATE_REPLACE,
    DS_UPDATE_OPERATORS,
    DS_UPDATE_PIPELINE
} ds__update_kind;

typedef struct ds__update_spec {
    ds_value update;        /* `u`: document or array */
    ds_value array_filters; /* array or DS_MISSING */
    ds_value constants;     /* `c`: let for pipelines, or DS_MISSING */
    bool multi;             /* a replacement with multi is refused */
    bool upsert;
    const ds__filter *filter; /* the query, for positional `$` */
} ds__update_spec;

/* Compiles; lives in env->arena and borrows the values and the filter of `spec`. Errors:
 * FailedToParse, BadValue, ConflictingUpdateOperators, those of filters and pipelines, … */
bool ds__update_compile(ds__env *env, const ds__update_spec *spec, ds__update **out, ds_error *err);

/* Applies to `doc`, writing the new document to `out`, which must be empty (and is empty again when
 * !*modified: `doc` stays). `match` tells where `$` points. `_id` may not change, other than in its
 * numeric type by a replacement. Scratch grows until the caller resets eval->scratch. Errors:
 * MongoDB's write errors. */
bool ds__update_apply(const ds__update *update, ds_value doc, const ds__match_info *match,
                      ds__eval *eval, ds_buf *out, bool *modified, ds_error *err);

/* The document an upsert inserts: equalities of the filter, then the update with $setOnInsert; an
 * ObjectId `_id` is made first in the document when none results. */
bool ds__update_upsert(const ds__update *update, const ds__filter *filter, ds__eval *eval,
                       ds_buf *out, ds_error *err);

/* Calls `add` for each path the update may change, `add(ctx, NULL)` when any: indexes on other
 * paths (neither that path, nor a parent or child of it) need no upkeep. A path ends before the
 * first array position in it: "a" stands for "a.0.b" and "a.$[].b". */
void ds__update_paths(const ds__update *update, void (*add)(void *ctx, const ds__path *path),
                      void *ctx);

#endif
