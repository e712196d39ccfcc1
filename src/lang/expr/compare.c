/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons by the canonical order. */
#include "lang/expr/internal.h"

static bool compare(const ds__expr *expr, ds__eval *eval, int *order, ds_error *err) {
    ds_value a;
    ds_value b;
    if (!ds__expr_run(expr->args[0], eval, &a, err) ||
        !ds__expr_run(expr->args[1], eval, &b, err)) {
        return false;
    }
    *order = ds__value_compare(a, b, eval->env->collator);
    return true;
}

static bool eval_cmp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__int32(order);
    return true;
}

static bool eval_eq(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order == 0);
    return true;
}

static bool eval_ne(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order != 0);
    return true;
}

static bool eval_gt(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order > 0);
    return true;
}

static bool eval_gte(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order >= 0);
    return true;
}

static bool eval_lt(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order < 0);
    return true;
}

static bool eval_lte(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    int order;
    if (!compare(expr, eval, &order, err)) {
        return false;
    }
    *out = ds__bool(order <= 0);
    return true;
}

const ds__expr_op ds__expr_ops_compare[] = {
    {.name = "$cmp", .eval = eval_cmp, .min_args = 2, .max_args = 2},
    {.name = "$eq", .eval = eval_eq, .min_args = 2, .max_args = 2},
    {.name = "$ne", .eval = eval_ne, .min_args = 2, .max_args = 2},
    {.name = "$gt", .eval = eval_gt, .min_args = 2, .max_args = 2},
    {.name = "$gte", .eval = eval_gte, .min_args = 2, .max_args = 2},
    {.name = "$lt", .eval = eval_lt, .min_args = 2, .max_args = 2},
    {.name = "$lte", .eval = eval_lte, .min_args = 2, .max_args = 2},
    {.name = NULL},
};
