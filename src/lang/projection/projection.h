/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields a result has: find's projection and the rules $project, $addFields and $unset share,
 * on one path tree. */
#ifndef DS_LANG_PROJECTION_PROJECTION_H
#define DS_LANG_PROJECTION_PROJECTION_H

#include "base/buf.h"
#include "lang/env.h"
#include "lang/filter/filter.h"

typedef struct ds__projection ds__projection;

typedef enum ds__projection_kind {
    DS_PROJECT_FIND,       /* find(): $slice, $elemMatch, positional $, $meta allowed */
    DS_PROJECT_STAGE,      /* $project */
    DS_PROJECT_ADD_FIELDS, /* $addFields, $set */
    DS_PROJECT_UNSET       /* $unset: spec is an array of paths or a string */
} ds__projection_kind;

/* Compiles; lives in env->arena. `filter` (find only, may be NULL) is the query whose match tells
 * where the positional operator points. Errors: MongoDB's (31249 path collision, 31253/31254 mixed
 * inclusion and exclusion, …). */
bool ds__projection_compile(ds__env *env, const ds__var_scope *scope, ds__projection_kind kind,
                            ds_value spec, const ds__filter *filter, ds__projection **out,
                            ds_error *err);

/* Writes the projected document (a root document) to `out`. */
bool ds__projection_apply(const ds__projection *projection, ds_value doc, ds__eval *eval,
                          ds_buf *out, ds_error *err);

/* True when only an inclusion of fields without expressions: paths may come from an index. */
bool ds__projection_is_simple(const ds__projection *projection);

#endif
