/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting values in scratch memory and $sortArray. Merge sort, so that equal elements keep their
 * order. */
#include "lang/expr/internal.h"

/* One field of a sort pattern. */
typedef struct sort_field {
    ds__path path;
    int sign;
} sort_field;

typedef struct sort_pattern {
    sort_field *fields;
    size_t count; /* 0: whole elements, in the order of `sign` */
    int sign;
} sort_pattern;

/* One sort running. */
typedef struct sorting {
    const sort_pattern *pattern;
    const ds__env *env;
    ds_error *err;
} sorting;

/* The key of an element: null when there is no such field; arrays on the way are not entered. */
static ds_value key_of(ds_value v, const ds__path *path) {
    for (uint32_t i = 0; i < path->count; i++) {
        if (v.type != DS_DOCUMENT) {
            return ds__null();
        }
        ds__doc_get(v, path->parts[i].name, path->parts[i].size, &v);
    }
    return v.type == DS_MISSING ? ds__null() : v;
}

static int compare(const sorting *sort, ds_value a, ds_value b) {
    const sort_pattern *pattern = sort->pattern;
    const ds__collator *collator = sort->env->collator;
    if (pattern->count == 0) {
        return pattern->sign * ds__value_compare(a, b, collator);
    }
    for (size_t i = 0; i < pattern->count; i++) {
        const sort_field *f = &pattern->fields[i];
        int order = ds__value_compare(key_of(a, &f->path), key_of(b, &f->path), collator);
        if (order != 0) {
            return f->sign * order;
        }
    }
    return 0;
}

static bool merge_sort(const sorting *sort, ds_value *items, ds_value *spare, size_t count) {
    if (count < 2) {
        return true;
    }
    size_t half = count / 2;
    if (!merge_sort(sort, items, spare, half) ||
        !merge_sort(sort, items + half, spare, count - half)) {
        return false;
    }
    memcpy(spare, items, half * sizeof *items);
    size_t a = 0;
    size_t b = half;
    size_t to = 0;
    int64_t steps = 1;
    while (a < half) {
        bool take_b = b < count && compare(sort, items[b], spare[a]) < 0;
        items[to++] = take_b ? items[b++] : spare[a++];
        if (++steps == DS_METER_STEPS) {
            if (!ds__env_step(sort->env, steps, sort->err)) {
                return false;
            }
            steps = 0;
        }
    }
    return ds__env_step(sort->env, steps, sort->err);
}

static bool sort_values(ds__eval *eval, const sort_pattern *pattern, ds_value *items, size_t count,
                        ds_error *err) {
    sorting sort = {.pattern = pattern, .env = eval->env, .err = err};
    ds_value *spare = ds_arena_alloc(eval->scratch, (count / 2 + 1) * sizeof *spare);
    if (spare == NULL) {
        return ds__error_oom(err);
    }
    return merge_sort(&sort, items, spare, count);
}

bool ds__expr_sort(ds__eval *eval, ds_value *items, size_t count, int sign, ds_error *err) {
    sort_pattern pattern = {.sign = sign};
    return sort_values(eval, &pattern, items, count, err);
}

static bool eval_sort_array(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, 2942504,
                             "The input argument to $sortArray must be an array, but was of type: "
                             "%s",
                             ds__type_name(v.type));
    }
    ds__expr_list list = {0};
    return ds__expr_list_fill(eval->scratch, &list, v, err) &&
           sort_values(eval, expr->detail, list.items, list.count, err) &&
           ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool is_direction(ds_value v, int *sign) {
    int64_t whole;
    if (!ds__is_number(v) || !ds__value_exact_int64(v, &whole) || (whole != 1 && whole != -1)) {
        return false;
    }
    *sign = (int)whole;
    return true;
}

static bool parse_sort_field(ds__expr_parser *p, const ds__iter *it, sort_field *out,
                             ds_error *err) {
    if (!is_direction(it->value, &out->sign)) {
        return ds__error_set(err, 2942505,
                             "BadValue: The sort element value must be either 1 or -1");
    }
    if (it->key_size == 0) {
        return ds__error_set(err, 2942505, "BadValue: The sort field cannot be empty");
    }
    if (!ds__path_parse(p->env->arena, it->key, it->key_size, &out->path)) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < out->path.count; i++) {
        if (out->path.parts[i].size == 0) {
            return ds__error_set(err, 2942505,
                                 "BadValue: The sort field is a dotted field but has an empty "
                                 "part: %s",
                                 it->key);
        }
    }
    return true;
}

static bool parse_sort_by(ds__expr_parser *p, ds_value spec, sort_pattern *out, ds_error *err) {
    if (ds__is_number(spec)) {
        return is_direction(spec, &out->sign) ||
               ds__error_set(err, 2942506, "The $sort element value must be either 1 or -1");
    }
    if (spec.type != DS_DOCUMENT) {
        return ds__error_set(err, 2942507,
                             "The $sort is invalid: use 1/-1 to sort the whole element, or "
                             "{field:1/-1} to sort embedded fields");
    }
    if (ds__doc_empty(spec)) {
        return ds__error_set(err, 2942505,
                             "BadValue: The sort pattern is empty when it should be a set of "
                             "fields.");
    }
    out->count = ds__doc_count(spec);
    out->fields = ds_arena_zalloc(p->env->arena, out->count * sizeof *out->fields);
    if (out->fields == NULL) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, spec);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (!parse_sort_field(p, &it, &out->fields[i], err)) {
            return false;
        }
    }
    return true;
}

static bool parse_sort_array(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 2942500,
                             "$sortArray requires an object as an argument, found: %s",
                             ds__type_name(arg.type));
    }
    sort_pattern *pattern = ds_arena_zalloc(p->env->arena, sizeof *pattern);
    if (pattern == NULL || !ds__expr_reserve_args(p, expr, 1, err)) {
        return ds__error_oom(err);
    }
    expr->detail = pattern;
    ds_value sort_by = ds__missing();
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "input") == 0) {
            if (!ds__expr_parse(p, it.value, &expr->args[0], err)) {
                return false;
            }
        } else if (strcmp(it.key, "sortBy") == 0) {
            sort_by = it.value;
        } else {
            return ds__error_set(err, 2942501, "$sortArray found an unknown argument: %s", it.key);
        }
    }
    if (expr->args[0] == NULL) {
        return ds__error_set(err, 2942502, "$sortArray requires 'input' to be specified");
    }
    if (sort_by.type == DS_MISSING) {
        return ds__error_set(err, 2942503, "$sortArray requires 'sortBy' to be specified");
    }
    return parse_sort_by(p, sort_by, pattern, err);
}

const ds__expr_op ds__expr_ops_sort[] = {
    {.name = "$sortArray", .parse = parse_sort_array, .eval = eval_sort_array, .no_fold = true},
    {.name = NULL},
};
