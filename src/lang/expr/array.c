/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays: elements, parts, joining, searching. */
#include "lang/expr/internal.h"

bool ds__expr_exact_int32(ds_value v, int32_t *out) {
    int64_t whole;
    if (!ds__value_exact_int64(v, &whole) || whole < INT32_MIN || whole > INT32_MAX) {
        return false;
    }
    *out = (int32_t)whole;
    return true;
}

static ds_value element_at(ds_value array, int64_t i) {
    if (i < 0) {
        i += (int64_t)ds__doc_count(array);
    }
    return i < 0 ? ds__missing() : ds__array_at(array, (size_t)i);
}

static bool eval_array_elem_at(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value array;
    ds_value at;
    if (!ds__expr_run(expr->args[0], eval, &array, err) ||
        !ds__expr_run(expr->args[1], eval, &at, err)) {
        return false;
    }
    if (ds__is_nullish(array) || ds__is_nullish(at)) {
        *out = ds__null();
        return true;
    }
    if (array.type != DS_ARRAY) {
        return ds__error_set(err, 28689,
                             "$arrayElemAt's first argument must be an array, but is %s",
                             ds__type_name(array.type));
    }
    if (!ds__is_number(at)) {
        return ds__error_set(err, 28690,
                             "$arrayElemAt's second argument must be a numeric value, but is %s",
                             ds__type_name(at.type));
    }
    int32_t i;
    if (!ds__expr_exact_int32(at, &i)) {
        return ds__error_set(err, 28691,
                             "$arrayElemAt's second argument must be representable as a 32-bit "
                             "integer: %g",
                             ds__number_to_double(at));
    }
    *out = element_at(array, i);
    return true;
}

static bool end_of_array(const ds__expr *expr, ds__eval *eval, int at, ds_value *out,
                         ds_error *err) {
    ds_value array;
    if (!ds__expr_run(expr->args[0], eval, &array, err)) {
        return false;
    }
    if (ds__is_nullish(array)) {
        *out = ds__null();
        return true;
    }
    if (array.type != DS_ARRAY) {
        return ds__error_set(err, 28689, "%s's argument must be an array, but is %s",
                             expr->op->name, ds__type_name(array.type));
    }
    *out = element_at(array, at);
    return true;
}

static bool eval_first(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return end_of_array(expr, eval, 0, out, err);
}

static bool eval_last(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return end_of_array(expr, eval, -1, out, err);
}

static bool eval_concat_arrays(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__expr_list list = {0};
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__is_nullish(v)) {
            *out = ds__null();
            return true;
        }
        if (v.type != DS_ARRAY) {
            return ds__error_set(err, 28664, "$concatArrays only supports arrays, not %s",
                                 ds__type_name(v.type));
        }
        if (!ds__expr_list_fill(eval->scratch, &list, v, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

bool ds__expr_search_bound(const ds__expr *expr, ds__eval *eval, uint32_t i, const char *which,
                           int64_t absent, int64_t *out, ds_error *err) {
    *out = absent;
    if (i >= expr->arg_count) {
        return true;
    }
    ds_value v;
    int32_t whole;
    if (!ds__expr_run(expr->args[i], eval, &v, err)) {
        return false;
    }
    if (!ds__is_number(v) || !ds__expr_exact_int32(v, &whole)) {
        char quoted[128];
        return ds__error_set(err, 40096,
                             "%srequires an integral %s index, found a value of type: %s, with "
                             "value: %s",
                             expr->op->name, which, ds__type_name(v.type),
                             ds__value_quote(v, quoted, sizeof quoted));
    }
    if (whole < 0) {
        return ds__error_set(err, 40097, "%s requires a nonnegative %s index, found: %d",
                             expr->op->name, which, whole);
    }
    *out = whole;
    return true;
}

static bool eval_index_of_array(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                ds_error *err) {
    ds_value array;
    ds_value wanted;
    int64_t begin;
    int64_t end;
    if (!ds__expr_run(expr->args[0], eval, &array, err)) {
        return false;
    }
    if (ds__is_nullish(array)) {
        *out = ds__null();
        return true;
    }
    if (array.type != DS_ARRAY) {
        bool prepared = expr->args[0]->is_constant;
        for (uint32_t i = 0; i < expr->arg_count && prepared; i++) {
            prepared = expr->args[i]->is_constant;
        }
        prepared = expr->args[0]->is_constant && !prepared; /* a code of its own for those */
        return ds__error_set(err, prepared ? 50809 : 40090,
                             "$indexOfArray requires an array as a first argument, found: %s",
                             ds__type_name(array.type));
    }
    if (!ds__expr_run(expr->args[1], eval, &wanted, err) ||
        !ds__expr_search_bound(expr, eval, 2, "starting", 0, &begin, err) ||
        !ds__expr_search_bound(expr, eval, 3, "ending", INT64_MAX, &end, err)) {
        return false;
    }
    *out = ds__int32(-1);
    ds__iter it;
    ds__iter_init(&it, array);
    for (int64_t i = 0; i < end && ds__iter_next(&it); i++) {
        if (!ds__env_step(eval->env, 1, err)) {
            return false;
        }
        if (i >= begin && ds__value_equal(it.value, wanted, eval->env->collator)) {
            *out = ds__int32((int32_t)i);
            break;
        }
    }
    return true;
}

/* $range's complaints differ only in the argument's name. */
static bool range_bound(ds_value v, const char *which, int32_t code, int32_t *out, ds_error *err) {
    if (!ds__is_number(v)) {
        return ds__error_set(err, code,
                             "$range requires a numeric %s value, found value of type: %s", which,
                             ds__type_name(v.type));
    }
    if (!ds__expr_exact_int32(v, out)) {
        char quoted[128];
        return ds__error_set(err, code + 1,
                             "$range requires a %s value that can be represented as a 32-bit "
                             "integer, found value: %s",
                             which, ds__value_quote(v, quoted, sizeof quoted));
    }
    return true;
}

static bool eval_range(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    static const char *const names[] = {"starting", "ending", "step"};
    int32_t bounds[3] = {0, 0, 1};
    ds_value v[3];
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!ds__expr_run(expr->args[i], eval, &v[i], err)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!range_bound(v[i], names[i], 34443 + 2 * (int32_t)i, &bounds[i], err)) {
            return false;
        }
    }
    if (bounds[2] == 0) {
        return ds__error_set(err, 34449, "$range requires a non-zero step value");
    }
    ds__expr_list list = {0};
    int64_t at = bounds[0];
    while (bounds[2] > 0 ? at < bounds[1] : at > bounds[1]) {
        if (!ds__expr_list_add(eval->scratch, &list, ds__int32((int32_t)at), err)) {
            return false;
        }
        at += bounds[2];
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool eval_reverse_array(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, 34435,
                             "The argument to $reverseArray must be an array, but was of type: %s",
                             ds__type_name(v.type));
    }
    ds__expr_list list = {0};
    if (!ds__expr_list_fill(eval->scratch, &list, v, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count / 2; i++) {
        ds_value other = list.items[list.count - 1 - i];
        list.items[list.count - 1 - i] = list.items[i];
        list.items[i] = other;
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool eval_size(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, 17124,
                             "The argument to $size must be an array, but was of type: %s",
                             ds__type_name(v.type));
    }
    *out = ds__int32((int32_t)ds__doc_count(v));
    return true;
}

static bool slice_number(ds_value v, bool third, int32_t *out, ds_error *err) {
    const char *which = third ? "Third" : "Second";
    int32_t code = third ? 28727 : 28725;
    if (!ds__is_number(v)) {
        return ds__error_set(err, code,
                             third ? "%s argument to $slice must be numeric, but is of type: %s"
                                   : "%s argument to $slice must be a numeric value, but is of "
                                     "type: %s",
                             which, ds__type_name(v.type));
    }
    if (!ds__expr_exact_int32(v, out)) {
        return ds__error_set(err, code + 1,
                             "%s argument to $slice can't be represented as a 32-bit integer: %g",
                             which, ds__number_to_double(v));
    }
    return true;
}

static bool eval_slice(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value array;
    ds_value second;
    ds_value third;
    if (!ds__expr_run(expr->args[0], eval, &array, err) ||
        !ds__expr_run(expr->args[1], eval, &second, err)) {
        return false;
    }
    *out = ds__null();
    if (ds__is_nullish(array) || ds__is_nullish(second)) {
        return true;
    }
    if (array.type != DS_ARRAY) {
        return ds__error_set(err, 28724,
                             "First argument to $slice must be an array, but is of type: %s",
                             ds__type_name(array.type));
    }
    int32_t from;
    int32_t limit;
    if (!slice_number(second, false, &from, err)) {
        return false;
    }
    int64_t count = (int64_t)ds__doc_count(array);
    int64_t begin;
    int64_t end;
    if (expr->arg_count == 2) {
        begin = from >= 0 ? 0 : count + from;
        end = from >= 0 ? from : count;
    } else {
        if (!ds__expr_run(expr->args[2], eval, &third, err)) {
            return false;
        }
        if (ds__is_nullish(third)) {
            return true;
        }
        if (!slice_number(third, true, &limit, err)) {
            return false;
        }
        if (limit <= 0) {
            return ds__error_set(err, 28729, "Third argument to $slice must be positive: %d",
                                 limit);
        }
        begin = from >= 0 ? from : count + from;
        begin = begin < 0 ? 0 : begin;
        end = begin + limit;
    }
    begin = begin < 0 ? 0 : begin;
    end = end > count ? count : end;
    ds__expr_list list = {0};
    ds__iter it;
    ds__iter_init(&it, array);
    for (int64_t i = 0; i < end && ds__iter_next(&it); i++) {
        if (i >= begin && !ds__expr_list_add(eval->scratch, &list, it.value, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool eval_in(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    ds_value array;
    if (!ds__expr_run(expr->args[0], eval, &v, err) ||
        !ds__expr_run(expr->args[1], eval, &array, err)) {
        return false;
    }
    if (array.type != DS_ARRAY) {
        return ds__error_set(err, 40081, "$in requires an array as a second argument, found: %s",
                             ds__type_name(array.type));
    }
    *out = ds__bool(false);
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        if (!ds__env_step(eval->env, 1, err)) {
            return false;
        }
        if (ds__value_equal(v, it.value, eval->env->collator)) {
            *out = ds__bool(true);
            break;
        }
    }
    return true;
}

const ds__expr_op ds__expr_ops_array[] = {
    {.name = "$arrayElemAt", .eval = eval_array_elem_at, .min_args = 2, .max_args = 2},
    {.name = "$first", .eval = eval_first, .min_args = 1, .max_args = 1},
    {.name = "$last", .eval = eval_last, .min_args = 1, .max_args = 1},
    {.name = "$concatArrays", .eval = eval_concat_arrays, .max_args = -1},
    {.name = "$indexOfArray", .eval = eval_index_of_array, .min_args = 2, .max_args = 4},
    {.name = "$range", .eval = eval_range, .min_args = 2, .max_args = 3},
    {.name = "$reverseArray", .eval = eval_reverse_array, .min_args = 1, .max_args = 1},
    {.name = "$size", .eval = eval_size, .min_args = 1, .max_args = 1},
    {.name = "$slice", .eval = eval_slice, .min_args = 2, .max_args = 3},
    {.name = "$in", .eval = eval_in, .min_args = 2, .max_args = 2},
    {.name = NULL},
};
