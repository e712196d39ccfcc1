/* SPDX-License-Identifier: Apache-2.0 */
/* $and, $or, $not. */
#include "lang/expr/internal.h"

static bool any_is(const ds__expr *expr, ds__eval *eval, bool wanted, bool *found, ds_error *err) {
    *found = false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__value_truthy(v) == wanted) {
            *found = true;
            break;
        }
    }
    return true;
}

static bool eval_and(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    bool any_false;
    if (!any_is(expr, eval, false, &any_false, err)) {
        return false;
    }
    *out = ds__bool(!any_false);
    return true;
}

static bool eval_or(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    bool any_true;
    if (!any_is(expr, eval, true, &any_true, err)) {
        return false;
    }
    *out = ds__bool(any_true);
    return true;
}

static bool eval_not(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    *out = ds__bool(!ds__value_truthy(v));
    return true;
}

const ds__expr_op ds__expr_ops_bool[] = {
    {.name = "$and",
     .eval = eval_and,
     .max_args = -1,
     .is_commutative = true,
     .decides_early = true},
    {.name = "$or", .eval = eval_or, .max_args = -1, .is_commutative = true, .decides_early = true},
    {.name = "$not", .eval = eval_not, .min_args = 1, .max_args = 1},
    {.name = NULL},
};
