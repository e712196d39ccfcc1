/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation expressions: compiled once into a tree (constants folded), evaluated per document. */
#ifndef DS_LANG_EXPR_EXPR_H
#define DS_LANG_EXPR_EXPR_H

#include "bson/path.h"
#include "lang/env.h"

typedef struct ds__expr ds__expr;

/* Compiles `spec`: a literal, "$field.path", "$$variable.path", {$operator: …}, an object or an
 * array of expressions. `scope` (may be NULL: env->let is used) names the variables in reach. The
 * tree lives in env->arena. Errors: MongoDB's codes (InvalidPipelineOperator 168, 16020, …). */
bool ds__expr_compile(ds__env *env, const ds__var_scope *scope, ds_value spec, ds__expr **out,
                      ds_error *err);

/* Evaluates on the document in eval->slots[DS_VAR_ROOT]. The result borrows from the document, the
 * tree or eval->scratch. A field that is not there gives DS_MISSING. */
bool ds__expr_eval(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err);

/* The value when the expression is constant, else NULL. */
const ds_value *ds__expr_constant(const ds__expr *expr);

/* The field path when the expression is just "$a.b" of the root document, else NULL. */
const ds__path *ds__expr_field_path(const ds__expr *expr);

/* Calls `add` for each path of the root document the expression reads; `add(ctx, NULL)` when it
 * may read all of it. For plans. */
void ds__expr_dependencies(const ds__expr *expr, void (*add)(void *ctx, const ds__path *path),
                           void *ctx);

/* The value at `path` as expressions see it: an array on the way gives the array of what is found
 * in its elements (documents only); numeric parts are field names, never positions. */
bool ds__expr_path_value(ds_value from, const ds__path_part *parts, uint32_t count,
                         ds_arena *scratch, ds_value *out, ds_error *err);

#endif
