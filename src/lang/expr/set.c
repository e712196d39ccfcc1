/* SPDX-License-Identifier: Apache-2.0 */
/* Sets: arrays by the canonical order, without repetitions. */
#include "lang/expr/internal.h"

enum { SEARCH_STEPS = 8 }; /* of the meter, for one look-up */

/* Sorts, and of equal elements keeps the first. */
static bool settle(ds__eval *eval, ds__expr_list *set, ds_error *err) {
    if (!ds__expr_sort(eval, set->items, set->count, 1, err)) {
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (kept == 0 ||
            !ds__value_equal(set->items[kept - 1], set->items[i], eval->env->collator)) {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
    return true;
}

/* The distinct elements in order. */
static bool make_set(ds__eval *eval, ds_value array, ds__expr_list *set, ds_error *err) {
    return ds__expr_list_fill(eval->scratch, set, array, err) && settle(eval, set, err);
}

static bool contains(const ds__expr_list *set, ds_value v, const ds__collator *collator) {
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = ds__value_compare(set->items[middle], v, collator);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static bool eval_set_union(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__expr_list all = {0};
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
            return ds__error_set(err, 17043,
                                 "All operands of $setUnion must be arrays. One argument is of "
                                 "type: %s",
                                 ds__type_name(v.type));
        }
        if (!ds__expr_list_fill(eval->scratch, &all, v, err)) {
            return false;
        }
    }
    return settle(eval, &all, err) &&
           ds__expr_make_array(eval->scratch, all.items, all.count, out, err);
}

/* Keeps what both have; of equal elements those of the smaller set. */
static bool intersect(ds__eval *eval, ds__expr_list *set, ds__expr_list *other, ds_error *err) {
    if (set->count > other->count) {
        ds__expr_list swap = *set;
        *set = *other;
        *other = swap;
    }
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (!ds__env_step(eval->env, SEARCH_STEPS, err)) {
            return false;
        }
        if (contains(other, set->items[i], eval->env->collator)) {
            set->items[kept++] = set->items[i];
        }
    }
    set->count = kept;
    return true;
}

static bool eval_set_intersection(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                  ds_error *err) {
    ds__expr_list set = {0};
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
            return ds__error_set(err, 17047,
                                 "All operands of $setIntersection must be arrays. One argument "
                                 "is of type: %s",
                                 ds__type_name(v.type));
        }
        ds__expr_list other = {0};
        if (!make_set(eval, v, i == 0 ? &set : &other, err)) {
            return false;
        }
        if (i > 0 && !intersect(eval, &set, &other, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, set.items, set.count, out, err);
}

static bool run_pair(const ds__expr *expr, ds__eval *eval, int32_t first, int32_t second,
                     ds_value *a, ds_value *b, ds_error *err) {
    if (a->type != DS_ARRAY) {
        return ds__error_set(err, first,
                             "both operands of %s must be arrays. First argument is of type: %s",
                             expr->op->name, ds__type_name(a->type));
    }
    if (b->type != DS_ARRAY) {
        return ds__error_set(err, second,
                             "both operands of %s must be arrays. Second argument is of type: %s",
                             expr->op->name, ds__type_name(b->type));
    }
    return true;
}

static bool eval_set_difference(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                ds_error *err) {
    ds_value a;
    ds_value b;
    if (!ds__expr_run(expr->args[0], eval, &a, err) ||
        !ds__expr_run(expr->args[1], eval, &b, err)) {
        return false;
    }
    if (ds__is_nullish(a) || ds__is_nullish(b)) {
        *out = ds__null();
        return true;
    }
    ds__expr_list exclude = {0};
    ds__expr_list kept = {0};
    if (!run_pair(expr, eval, 17048, 17049, &a, &b, err) || !make_set(eval, b, &exclude, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, a);
    while (ds__iter_next(&it)) {
        bool seen = contains(&exclude, it.value, eval->env->collator);
        for (size_t i = 0; i < kept.count && !seen; i++) {
            seen = ds__value_equal(kept.items[i], it.value, eval->env->collator);
        }
        if (!ds__env_step(eval->env, SEARCH_STEPS + (int64_t)kept.count, err) ||
            (!seen && !ds__expr_list_add(eval->scratch, &kept, it.value, err))) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, kept.items, kept.count, out, err);
}

static bool is_subset(ds__eval *eval, const ds__expr_list *a, const ds__expr_list *b, bool *out,
                      ds_error *err) {
    *out = true;
    for (size_t i = 0; i < a->count && *out; i++) {
        if (!ds__env_step(eval->env, SEARCH_STEPS, err)) {
            return false;
        }
        *out = contains(b, a->items[i], eval->env->collator);
    }
    return true;
}

static bool eval_set_is_subset(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value a;
    ds_value b;
    ds__expr_list left = {0};
    ds__expr_list right = {0};
    /* mongod has codes of its own for a constant second operand */
    bool prepared = expr->args[1]->is_constant && !expr->args[0]->is_constant;
    if (!ds__expr_run(expr->args[0], eval, &a, err) ||
        !ds__expr_run(expr->args[1], eval, &b, err) ||
        (prepared && b.type != DS_ARRAY && !run_pair(expr, eval, 17311, 17311, &b, &b, err)) ||
        !run_pair(expr, eval, prepared ? 17310 : 17046, prepared ? 17311 : 17042, &a, &b, err) ||
        !make_set(eval, a, &left, err) || !make_set(eval, b, &right, err)) {
        return false;
    }
    bool subset;
    if (!is_subset(eval, &left, &right, &subset, err)) {
        return false;
    }
    *out = ds__bool(subset);
    return true;
}

static bool parse_set_equals(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (!ds__expr_parse_args(p, expr, arg, err)) {
        return false;
    }
    if (expr->arg_count < 2) {
        return ds__error_set(err, 17045, "$setEquals needs at least two arguments had: %u",
                             expr->arg_count);
    }
    return true;
}

static bool eval_set_equals(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__expr_list first = {0};
    bool equal = true;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->args[i]->is_constant && expr->args[i]->constant.type != DS_ARRAY) {
            return ds__error_set(err, 5887502,
                                 "All operands of $setEquals must be arrays. %u-th argument is of "
                                 "type: %s",
                                 i + 1, ds__type_name(expr->args[i]->constant.type));
        }
    }
    for (uint32_t i = 0; i < expr->arg_count && equal; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (v.type != DS_ARRAY) {
            return ds__error_set(err, 17044,
                                 "All operands of $setEquals must be arrays. %u-th argument is of "
                                 "type: %s",
                                 i + 1, ds__type_name(v.type));
        }
        ds__expr_list set = {0};
        if (!make_set(eval, v, i == 0 ? &first : &set, err)) {
            return false;
        }
        equal = i == 0 || first.count == set.count;
        if (i > 0 && equal && !is_subset(eval, &first, &set, &equal, err)) {
            return false;
        }
    }
    *out = ds__bool(equal);
    return true;
}

static bool elements_true(const ds__expr *expr, ds__eval *eval, int32_t code, bool any,
                          ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, code, "%s's argument must be an array, but is %s", expr->op->name,
                             ds__type_name(v.type));
    }
    *out = ds__bool(!any);
    ds__iter it;
    ds__iter_init(&it, v);
    if (!ds__env_step_bytes(eval->env, v.size, err)) {
        return false;
    }
    while (ds__iter_next(&it)) {
        if (ds__value_truthy(it.value) == any) {
            *out = ds__bool(any);
            break;
        }
    }
    return true;
}

static bool eval_all_elements_true(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                   ds_error *err) {
    return elements_true(expr, eval, 17040, false, out, err);
}

static bool eval_any_element_true(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                  ds_error *err) {
    return elements_true(expr, eval, 17041, true, out, err);
}

const ds__expr_op ds__expr_ops_set[] = {
    {.name = "$setUnion", .eval = eval_set_union, .max_args = -1, .is_commutative = true},
    {.name = "$setIntersection",
     .eval = eval_set_intersection,
     .max_args = -1,
     .is_commutative = true},
    {.name = "$setDifference", .eval = eval_set_difference, .min_args = 2, .max_args = 2},
    {.name = "$setIsSubset", .eval = eval_set_is_subset, .min_args = 2, .max_args = 2},
    {.name = "$setEquals", .parse = parse_set_equals, .eval = eval_set_equals, .max_args = -1},
    {.name = "$allElementsTrue", .eval = eval_all_elements_true, .min_args = 1, .max_args = 1},
    {.name = "$anyElementTrue", .eval = eval_any_element_true, .min_args = 1, .max_args = 1},
    {.name = NULL},
};
