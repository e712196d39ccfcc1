/* SPDX-License-Identifier: Apache-2.0 */
/* $type, $isNumber, $isArray. */
#include "lang/expr/internal.h"

static bool eval_type(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    *out = ds__cstring(ds__type_name(v.type));
    return true;
}

static bool eval_is_number(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    *out = ds__bool(ds__is_number(v));
    return true;
}

static bool eval_is_array(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    *out = ds__bool(v.type == DS_ARRAY);
    return true;
}

const ds__expr_op ds__expr_ops_type[] = {
    {.name = "$type", .eval = eval_type, .min_args = 1, .max_args = 1},
    {.name = "$isNumber", .eval = eval_is_number, .min_args = 1, .max_args = 1},
    {.name = "$isArray", .eval = eval_is_array, .min_args = 1, .max_args = 1},
    {.name = NULL},
};
