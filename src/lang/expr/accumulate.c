/* SPDX-License-Identifier: Apache-2.0 */
/* $sum, $avg, $min, $max, $stdDevPop, $stdDevSamp as expressions: over the arguments, or over the
 * elements when a lone argument is an array. */
#include "lang/expr/internal.h"

#include <math.h>

#include "lang/expr/sum.h"

/* The values to go over, in scratch memory. */
static bool operands(const ds__expr *expr, ds__eval *eval, ds__expr_list *list, ds_error *err) {
    *list = (ds__expr_list){0};
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (expr->arg_count == 1 && v.type == DS_ARRAY) {
            return ds__expr_list_fill(eval->scratch, list, v, err);
        }
        if (!ds__expr_list_add(eval->scratch, list, v, err)) {
            return false;
        }
    }
    return true;
}

static bool sum_operands(const ds__expr *expr, ds__eval *eval, ds__sum *sum, ds_error *err) {
    ds__expr_list list;
    if (!operands(expr, eval, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        ds__sum_add(sum, list.items[i]);
    }
    return true;
}

static bool eval_sum(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__sum sum = {0};
    if (!sum_operands(expr, eval, &sum, err)) {
        return false;
    }
    *out = ds__sum_value(&sum);
    return true;
}

static bool eval_avg(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__sum sum = {0};
    if (!sum_operands(expr, eval, &sum, err)) {
        return false;
    }
    *out = ds__sum_average(&sum);
    return true;
}

static bool extreme(const ds__expr *expr, ds__eval *eval, int sign, ds_value *out, ds_error *err) {
    ds__expr_list list;
    if (!operands(expr, eval, &list, err)) {
        return false;
    }
    *out = ds__null();
    for (size_t i = 0; i < list.count; i++) {
        ds_value v = list.items[i];
        if (!ds__env_step(eval->env, 1, err)) {
            return false;
        }
        if (!ds__is_nullish(v) &&
            (out->type == DS_NULL || sign * ds__value_compare(v, *out, eval->env->collator) > 0)) {
            *out = v;
        }
    }
    return true;
}

static bool eval_min(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return extreme(expr, eval, -1, out, err);
}

static bool eval_max(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return extreme(expr, eval, 1, out, err);
}

/* Welford's running mean and squares; `missing_one` is 1 for samples, 0 for populations. */
static bool deviation(const ds__expr *expr, ds__eval *eval, int missing_one, ds_value *out,
                      ds_error *err) {
    ds__expr_list list;
    if (!operands(expr, eval, &list, err)) {
        return false;
    }
    int64_t count = 0;
    double mean = 0;
    double squares = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (ds__is_number(list.items[i])) {
            double x = ds__number_to_double(list.items[i]);
            count++;
            double delta = x - mean;
            mean += delta / (double)count;
            squares += delta * (x - mean);
        }
    }
    if (count <= missing_one) {
        *out = ds__null();
    } else {
        *out = ds__double(sqrt(squares / (double)(count - missing_one)));
    }
    return true;
}

static bool eval_std_dev_pop(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return deviation(expr, eval, 0, out, err);
}

static bool eval_std_dev_samp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return deviation(expr, eval, 1, out, err);
}

const ds__expr_op ds__expr_ops_accumulate[] = {
    {.name = "$sum", .eval = eval_sum, .max_args = -1},
    {.name = "$avg", .eval = eval_avg, .max_args = -1},
    {.name = "$min", .eval = eval_min, .max_args = -1},
    {.name = "$max", .eval = eval_max, .max_args = -1},
    {.name = "$stdDevPop", .eval = eval_std_dev_pop, .max_args = -1},
    {.name = "$stdDevSamp", .eval = eval_std_dev_samp, .max_args = -1},
    {.name = NULL},
};
