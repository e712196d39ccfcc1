/* SPDX-License-Identifier: Apache-2.0 */
/* The `let` of commands: variables bound while compiling, evaluated once before running. */
#ifndef DS_ENGINE_COMMANDS_LET_H
#define DS_ENGINE_COMMANDS_LET_H

#include "lang/env.h"
#include "lang/expr/expr.h"

typedef struct ds__let {
    ds__expr **exprs;
    uint32_t *slots;
    size_t count;
} ds__let;

/* Gives each field of `spec` (a document or DS_MISSING) a slot and puts its name into env->let. */
bool ds__let_bind(ds__env *env, ds_value spec, ds__let *out, ds_error *err);
/* Evaluates them into eval's slots, after ds__eval_init. */
bool ds__let_eval(const ds__let *let, ds__eval *eval, ds_error *err);

#endif
