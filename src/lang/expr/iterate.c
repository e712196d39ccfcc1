/* SPDX-License-Identifier: Apache-2.0 */
/* $map, $filter, $reduce, $zip. The element of the moment is a variable in a slot. */
#include "lang/expr/internal.h"

#include "base/limits.h"
#include "bson/validate.h"

/* Arguments in common; the others follow. */
enum {
    ARG_INPUT,
    ARG_IN,
    ARG_THIRD /* $filter's limit, $reduce's initialValue */
};

/* Steps of $reduce between looks at how deep its value has become. */
enum { DEPTH_CHECK_EVERY = 16 };

enum { ELEMENT_STEPS = 4 }; /* of the meter, for an expression on one element */

/* The input of $map and the like. `*done` when it is nullish and the result null. */
static bool run_input(const ds__expr *expr, ds__eval *eval, int32_t code, ds_value *array,
                      ds_value *out, bool *done, ds_error *err) {
    *done = false;
    if (!ds__expr_run(expr->args[ARG_INPUT], eval, array, err)) {
        return false;
    }
    if (ds__is_nullish(*array)) {
        *out = ds__null();
        *done = true;
        return true;
    }
    if (array->type != DS_ARRAY) {
        return ds__error_set(err, code, "input to %s must be an array not %s", expr->op->name,
                             ds__type_name(array->type));
    }
    return true;
}

static bool eval_map(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value array;
    bool done;
    if (!run_input(expr, eval, 16883, &array, out, &done, err) || done) {
        return done;
    }
    ds__expr_list list = {0};
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        ds_value v;
        eval->slots[expr->slot] = it.value;
        if (!ds__env_step(eval->env, ELEMENT_STEPS, err) ||
            !ds__expr_run(expr->args[ARG_IN], eval, &v, err) ||
            !ds__expr_list_add(eval->scratch, &list, v, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool read_limit(const ds__expr *expr, ds__eval *eval, size_t *limit, ds_error *err) {
    *limit = SIZE_MAX;
    ds_value v;
    if (!ds__expr_run_arg(expr, ARG_THIRD, eval, &v, err)) {
        return false;
    }
    if (expr->args[ARG_THIRD] == NULL || ds__is_nullish(v)) {
        return true;
    }
    int64_t whole;
    if (!ds__is_number(v) || !ds__value_exact_int64(v, &whole) || whole < INT32_MIN ||
        whole > INT32_MAX) {
        char quoted[128];
        return ds__error_set(err, 327391,
                             "$filter: limit must be represented as a 32-bit integral value: %s",
                             ds__value_quote(v, quoted, sizeof quoted));
    }
    if (whole <= 0) {
        return ds__error_set(err, 327392, "$filter: limit must be greater than 0: %lld",
                             (long long)whole);
    }
    *limit = (size_t)whole;
    return true;
}

static bool eval_filter(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value array;
    bool done;
    size_t limit;
    if (!run_input(expr, eval, 28651, &array, out, &done, err) || done) {
        return done;
    }
    if (ds__doc_empty(array)) {
        *out = array;
        return true;
    }
    if (!read_limit(expr, eval, &limit, err)) {
        return false;
    }
    ds__expr_list list = {0};
    ds__iter it;
    ds__iter_init(&it, array);
    while (list.count < limit && ds__iter_next(&it)) {
        ds_value v;
        eval->slots[expr->slot] = it.value;
        if (!ds__env_step(eval->env, ELEMENT_STEPS, err) ||
            !ds__expr_run(expr->args[ARG_IN], eval, &v, err)) {
            return false;
        }
        if (ds__value_truthy(v) && !ds__expr_list_add(eval->scratch, &list, it.value, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

/* $map's and $filter's argument: codes follow one another in both. */
typedef struct iterate_shape {
    const char *body;  /* "in" or "cond" */
    const char *third; /* "limit" or NULL */
    int32_t not_object;
    int32_t unknown;
    int32_t no_input;
    int32_t no_body;
} iterate_shape;

static bool parse_iterate(ds__expr_parser *p, ds__expr *expr, ds_value arg,
                          const iterate_shape *shape, ds_error *err) {
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, shape->not_object, "%s only supports an object as its argument",
                             self);
    }
    if (!ds__expr_reserve_args(p, expr, 3, err)) {
        return false;
    }
    ds_value input = ds__missing();
    ds_value body = ds__missing();
    ds_value third = ds__missing();
    ds_value as = ds__cstring("this");
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "input") == 0) {
            input = it.value;
        } else if (strcmp(it.key, "as") == 0) {
            as = it.value.type == DS_STRING ? it.value : ds__string("", 0);
        } else if (strcmp(it.key, shape->body) == 0) {
            body = it.value;
        } else if (shape->third != NULL && strcmp(it.key, shape->third) == 0) {
            third = it.value;
        } else {
            return ds__error_set(err, shape->unknown, "Unrecognized parameter to %s: %s", self,
                                 it.key);
        }
    }
    if (input.type == DS_MISSING) {
        return ds__error_set(err, shape->no_input, "Missing 'input' parameter to %s", self);
    }
    if (body.type == DS_MISSING) {
        return ds__error_set(err, shape->no_body, "Missing '%s' parameter to %s", shape->body,
                             self);
    }
    if (!ds__expr_parse(p, input, &expr->args[ARG_INPUT], err)) {
        return false;
    }
    if (third.type != DS_MISSING && !ds__expr_parse(p, third, &expr->args[ARG_THIRD], err)) {
        return false;
    }
    return ds__expr_check_variable_name(ds__text(as), as.size, true, err) &&
           ds__expr_bind(p, ds__text(as), as.size, &expr->slot, err) &&
           ds__expr_parse(p, body, &expr->args[ARG_IN], err);
}

static bool parse_map(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const iterate_shape shape = {"in", NULL, 16878, 16879, 16880, 16882};
    return parse_iterate(p, expr, arg, &shape, err);
}

static bool parse_filter(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const iterate_shape shape = {"cond", "limit", 28646, 28647, 28648, 28650};
    return parse_iterate(p, expr, arg, &shape, err);
}

/* What grows by a level in each step must end before those who walk it run out of stack. */
static bool check_depth(ds_value v, ds_error *err) {
    if (ds__value_depth_within(v, DS_MAX_COMPUTED_DEPTH)) {
        return true;
    }
    return ds__error_set(
        err, DS_OVERFLOW,
        "cannot convert document to BSON because it exceeds the limit of %d levels "
        "of nesting",
        DS_MAX_COMPUTED_DEPTH);
}

/* Values of earlier steps are of no use: their memory is given back when it is much more than the
 * present one takes. */
static bool give_back(ds_arena *scratch, ds_arena_mark mark, ds_value *v, ds_error *err) {
    enum { ENOUGH = 1024 * 1024 };
    size_t used = scratch->used - mark.used;
    if (used < ENOUGH || used / 4 < v->size) {
        return true;
    }
    ds_arena kept = {.meter = scratch->meter};
    ds_value copy;
    bool ok = ds__value_copy(&kept, *v, &copy);
    if (ok) {
        ds_arena_restore(scratch, mark);
        ok = ds__value_copy(scratch, copy, v);
    }
    ds_arena_clear(&kept);
    return ok ? true : ds__error_oom(err);
}

/* $reduce keeps $$this in expr->slot and $$value in the slot after it. */
static bool eval_reduce(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value array;
    if (!ds__expr_run(expr->args[ARG_INPUT], eval, &array, err)) {
        return false;
    }
    if (ds__is_nullish(array)) {
        *out = ds__null();
        return true;
    }
    if (array.type != DS_ARRAY) {
        char quoted[160];
        return ds__error_set(err, 40080, "$reduce requires that 'input' be an array, found: %s",
                             ds__value_quote(array, quoted, sizeof quoted));
    }
    if (!ds__expr_run(expr->args[ARG_THIRD], eval, out, err)) {
        return false;
    }
    ds_arena_mark mark = ds_arena_save(eval->scratch);
    ds__iter it;
    ds__iter_init(&it, array);
    for (size_t steps = 1; ds__iter_next(&it); steps++) {
        eval->slots[expr->slot] = it.value;
        eval->slots[expr->slot + 1] = *out;
        if (!ds__env_step(eval->env, ELEMENT_STEPS, err) ||
            !ds__expr_run(expr->args[ARG_IN], eval, out, err) ||
            (steps % DEPTH_CHECK_EVERY == 0 && !check_depth(*out, err)) ||
            !give_back(eval->scratch, mark, out, err)) {
            return false;
        }
    }
    return check_depth(*out, err);
}

static bool parse_reduce(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"input", "in", "initialValue"};
    static const int32_t codes[] = {40077, 40079, 40078};
    static const int order[] = {ARG_INPUT, ARG_THIRD, ARG_IN};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40075, "$reduce requires an object as an argument, found: %s",
                             ds__type_name(arg.type));
    }
    if (!ds__expr_reserve_args(p, expr, 3, err)) {
        return false;
    }
    ds_value specs[3] = {{0}};
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        int i = 0;
        while (i < 3 && strcmp(it.key, names[i]) != 0) {
            i++;
        }
        if (i == 3) {
            return ds__error_set(err, 40076, "$reduce found an unknown argument: %s", it.key);
        }
        specs[i] = it.value;
    }
    for (int k = 0; k < 3; k++) {
        int i = order[k];
        if (specs[i].type == DS_MISSING) {
            return ds__error_set(err, codes[i], "$reduce requires '%s' to be specified", names[i]);
        }
    }
    uint32_t value_slot;
    return ds__expr_parse(p, specs[ARG_INPUT], &expr->args[ARG_INPUT], err) &&
           ds__expr_parse(p, specs[ARG_THIRD], &expr->args[ARG_THIRD], err) &&
           ds__expr_bind(p, "this", 4, &expr->slot, err) &&
           ds__expr_bind(p, "value", 5, &value_slot, err) &&
           ds__expr_parse(p, specs[ARG_IN], &expr->args[ARG_IN], err);
}

/* $zip keeps its inputs, then their defaults (if any) as arguments. */
typedef struct zip_detail {
    uint32_t inputs;
    bool has_defaults;
    bool longest;
} zip_detail;

static bool zip_inputs(const ds__expr *expr, ds__eval *eval, ds__expr_list *lists, bool *is_null,
                       ds_error *err) {
    const zip_detail *zip = expr->detail;
    *is_null = false;
    for (uint32_t i = 0; i < zip->inputs; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__is_nullish(v)) {
            *is_null = true;
            return true;
        }
        if (v.type != DS_ARRAY) {
            char quoted[160];
            return ds__error_set(err, 34468, "$zip found a non-array expression in input: %s",
                                 ds__value_quote(v, quoted, sizeof quoted));
        }
        if (!ds__expr_list_fill(eval->scratch, &lists[i], v, err)) {
            return false;
        }
    }
    return true;
}

static bool eval_zip(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    const zip_detail *zip = expr->detail;
    size_t n = zip->inputs;
    ds__expr_list *lists = ds_arena_zalloc(eval->scratch, n * sizeof *lists);
    ds_value *defaults = ds_arena_zalloc(eval->scratch, n * sizeof *defaults);
    ds_value *row = ds_arena_zalloc(eval->scratch, n * sizeof *row);
    bool is_null;
    if (lists == NULL || defaults == NULL || row == NULL) {
        return ds__error_oom(err);
    }
    if (!zip_inputs(expr, eval, lists, &is_null, err)) {
        return false;
    }
    if (is_null) {
        *out = ds__null();
        return true;
    }
    size_t length = lists[0].count;
    for (size_t i = 0; i < n; i++) {
        bool wins = zip->longest ? lists[i].count > length : lists[i].count < length;
        length = wins ? lists[i].count : length;
        if (zip->has_defaults && !ds__expr_run(expr->args[n + i], eval, &defaults[i], err)) {
            return false;
        }
    }
    ds__expr_list rows = {0};
    for (size_t r = 0; r < length; r++) {
        for (size_t i = 0; i < n; i++) {
            row[i] = r < lists[i].count ? lists[i].items[r] : defaults[i];
        }
        ds_value v;
        if (!ds__expr_make_array(eval->scratch, row, n, &v, err) ||
            !ds__expr_list_add(eval->scratch, &rows, v, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, rows.items, rows.count, out, err);
}

static bool read_zip(ds_value arg, ds_value *inputs, ds_value *defaults, zip_detail *zip,
                     ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        const char *type = ds__type_name(it.value.type);
        if (strcmp(it.key, "inputs") == 0) {
            if (it.value.type != DS_ARRAY) {
                return ds__error_set(err, 34461, "inputs must be an array of expressions, found %s",
                                     type);
            }
            *inputs = it.value;
        } else if (strcmp(it.key, "defaults") == 0) {
            if (it.value.type != DS_ARRAY) {
                return ds__error_set(err, 34462,
                                     "defaults must be an array of expressions, found %s", type);
            }
            *defaults = it.value;
            zip->has_defaults = !ds__doc_empty(it.value);
        } else if (strcmp(it.key, "useLongestLength") == 0) {
            if (it.value.type != DS_BOOL) {
                return ds__error_set(err, 34463, "useLongestLength must be a bool, found %s", type);
            }
            zip->longest = it.value.as.b;
        } else {
            return ds__error_set(err, 34464, "$zip found an unknown argument: %s", it.key);
        }
    }
    return true;
}

static bool parse_zip(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 34460, "$zip only supports an object as an argument, found %s",
                             ds__type_name(arg.type));
    }
    zip_detail *zip = ds_arena_zalloc(p->env->arena, sizeof *zip);
    if (zip == NULL) {
        return ds__error_oom(err);
    }
    expr->detail = zip;
    ds_value inputs = ds__missing();
    ds_value defaults = ds__missing();
    if (!read_zip(arg, &inputs, &defaults, zip, err)) {
        return false;
    }
    zip->inputs = inputs.type == DS_ARRAY ? (uint32_t)ds__doc_count(inputs) : 0;
    if (zip->inputs == 0) {
        return ds__error_set(err, 34465, "$zip requires at least one input array");
    }
    if (zip->has_defaults && !zip->longest) {
        return ds__error_set(err, 34466, "cannot specify defaults unless useLongestLength is true");
    }
    if (zip->has_defaults && ds__doc_count(defaults) != zip->inputs) {
        return ds__error_set(err, 34467, "defaults and inputs must have the same length");
    }
    if (!ds__expr_reserve_args(p, expr, zip->inputs * (zip->has_defaults ? 2 : 1), err)) {
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value spec =
            i < zip->inputs ? ds__array_at(inputs, i) : ds__array_at(defaults, i - zip->inputs);
        if (!ds__expr_parse(p, spec, &expr->args[i], err)) {
            return false;
        }
    }
    return true;
}

const ds__expr_op ds__expr_ops_iterate[] = {
    {.name = "$map", .parse = parse_map, .eval = eval_map, .no_fold = true},
    {.name = "$filter", .parse = parse_filter, .eval = eval_filter, .no_fold = true},
    {.name = "$reduce", .parse = parse_reduce, .eval = eval_reduce, .no_fold = true},
    {.name = "$zip", .parse = parse_zip, .eval = eval_zip, .no_fold = true},
    {.name = NULL},
};
