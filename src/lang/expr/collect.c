/* SPDX-License-Identifier: Apache-2.0 */
/* $firstN, $lastN, $minN, $maxN over an array. */
#include "lang/expr/internal.h"

enum { ARG_N, ARG_INPUT };

static bool parse_n(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        char quoted[160];
        return ds__error_set(err, 5787801, "specification must be an object; found %s: %s",
                             expr->op->name, ds__value_quote(arg, quoted, sizeof quoted));
    }
    if (!ds__expr_reserve_args(p, expr, 2, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        bool is_n = strcmp(it.key, "n") == 0;
        if (!is_n && strcmp(it.key, "input") != 0) {
            return ds__error_set(err, 5787901, "Unknown argument for 'n' operator: %s", it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[is_n ? ARG_N : ARG_INPUT], err)) {
            return false;
        }
    }
    if (expr->args[ARG_N] == NULL) {
        return ds__error_set(err, 5787906, "Missing value for 'n'");
    }
    if (expr->args[ARG_INPUT] == NULL) {
        return ds__error_set(err, 5787907, "Missing value for 'input'");
    }
    return true;
}

/* Evaluates both arguments: the elements in `list`, how many are wanted in `n`. */
static bool run_n(const ds__expr *expr, ds__eval *eval, ds__expr_list *list, size_t *n,
                  ds_error *err) {
    ds_value count;
    ds_value input;
    int64_t whole;
    char quoted[160];
    if (!ds__expr_run(expr->args[ARG_N], eval, &count, err)) {
        return false;
    }
    if (!ds__is_number(count)) {
        return ds__error_set(err, 5787902, "Value for 'n' must be of integral type, but found %s",
                             ds__value_quote(count, quoted, sizeof quoted));
    }
    if (!ds__value_exact_int64(count, &whole)) {
        return ds__error_set(err, 5787903, "Value for 'n' must be of integral type, but found %s",
                             ds__value_quote(count, quoted, sizeof quoted));
    }
    if (whole <= 0) {
        return ds__error_set(err, 5787908, "'n' must be greater than 0, found %lld",
                             (long long)whole);
    }
    if (!ds__expr_run(expr->args[ARG_INPUT], eval, &input, err)) {
        return false;
    }
    if (input.type != DS_ARRAY) {
        return ds__error_set(err, 5788200, "Input must be an array");
    }
    *list = (ds__expr_list){0};
    if (!ds__expr_list_fill(eval->scratch, list, input, err)) {
        return false;
    }
    *n = (uint64_t)whole < list->count ? (size_t)whole : list->count;
    return true;
}

static bool eval_first_n(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__expr_list list;
    size_t n = 0;
    return run_n(expr, eval, &list, &n, err) &&
           ds__expr_make_array(eval->scratch, list.items, n, out, err);
}

static bool eval_last_n(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__expr_list list;
    size_t n = 0;
    return run_n(expr, eval, &list, &n, err) &&
           ds__expr_make_array(eval->scratch, list.items + (list.count - n), n, out, err);
}

static bool extremes(const ds__expr *expr, ds__eval *eval, int sign, ds_value *out, ds_error *err) {
    ds__expr_list list;
    size_t n = 0;
    if (!run_n(expr, eval, &list, &n, err)) {
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++) {
        if (!ds__is_nullish(list.items[i])) {
            list.items[count++] = list.items[i];
        }
    }
    if (!ds__expr_sort(eval, list.items, count, sign, err)) {
        return false;
    }
    n = n < count ? n : count;
    /* of equal values the first are taken, but $maxN shows them last to first */
    for (size_t i = 0; sign < 0 && i < n / 2; i++) {
        ds_value other = list.items[n - 1 - i];
        list.items[n - 1 - i] = list.items[i];
        list.items[i] = other;
    }
    if (sign < 0 && !ds__expr_sort(eval, list.items, n, sign, err)) {
        return false;
    }
    return ds__expr_make_array(eval->scratch, list.items, n, out, err);
}

static bool eval_min_n(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return extremes(expr, eval, 1, out, err);
}

static bool eval_max_n(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return extremes(expr, eval, -1, out, err);
}

const ds__expr_op ds__expr_ops_collect[] = {
    {.name = "$firstN", .parse = parse_n, .eval = eval_first_n, .no_fold = true},
    {.name = "$lastN", .parse = parse_n, .eval = eval_last_n, .no_fold = true},
    {.name = "$minN", .parse = parse_n, .eval = eval_min_n, .no_fold = true},
    {.name = "$maxN", .parse = parse_n, .eval = eval_max_n, .no_fold = true},
    {.name = NULL},
};
