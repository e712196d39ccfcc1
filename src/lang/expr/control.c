/* SPDX-License-Identifier: Apache-2.0 */
/* $cond, $ifNull, $switch. */
#include "lang/expr/internal.h"

static bool eval_cond(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    return ds__expr_run(expr->args[ds__value_truthy(v) ? 1 : 2], eval, out, err);
}

static bool parse_cond(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"if", "then", "else"};
    if (arg.type != DS_DOCUMENT) {
        return ds__expr_parse_args(p, expr, arg, err);
    }
    if (!ds__expr_reserve_args(p, expr, 3, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        int i = 0;
        while (i < 3 && strcmp(it.key, names[i]) != 0) {
            i++;
        }
        if (i == 3) {
            return ds__error_set(err, 17083, "Unrecognized parameter to $cond: %s", it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, 17080 + i, "Missing '%s' parameter to $cond", names[i]);
        }
    }
    return true;
}

static bool eval_if_null(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!ds__expr_run(expr->args[i], eval, out, err)) {
            return false;
        }
        if (!ds__is_nullish(*out)) {
            break;
        }
    }
    return true;
}

static bool parse_if_null(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (!ds__expr_parse_args(p, expr, arg, err)) {
        return false;
    }
    if (expr->arg_count < 2) {
        return ds__error_set(err, 1257300, "$ifNull needs at least two arguments, had: %u",
                             expr->arg_count);
    }
    return true;
}

/* $switch keeps case, then, case, then, …, default (may be absent) as its arguments. */
static bool eval_switch(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    uint32_t last = expr->arg_count - 1;
    bool all_constant = true;
    for (uint32_t i = 0; i < last; i += 2) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__value_truthy(v)) {
            return ds__expr_run(expr->args[i + 1], eval, out, err);
        }
        all_constant = all_constant && expr->args[i]->is_constant;
    }
    if (expr->args[last] == NULL && all_constant) {
        return ds__error_set(err, 40069,
                             "Cannot execute a switch statement where all the cases evaluate to "
                             "false without a default");
    }
    if (expr->args[last] == NULL) {
        return ds__error_set(err, 40066,
                             "$switch could not find a matching branch for an input, and no "
                             "default was specified.");
    }
    return ds__expr_run(expr->args[last], eval, out, err);
}

static bool parse_branch(ds__expr_parser *p, ds_value branch, ds__expr **args, ds_error *err) {
    if (branch.type != DS_DOCUMENT) {
        return ds__error_set(err, 40062, "$switch expected each branch to be an object, found: %s",
                             ds__type_name(branch.type));
    }
    ds__iter it;
    ds__iter_init(&it, branch);
    while (ds__iter_next(&it)) {
        bool is_case = strcmp(it.key, "case") == 0;
        if (!is_case && strcmp(it.key, "then") != 0) {
            return ds__error_set(err, 40063, "$switch found an unknown argument to a branch: %s",
                                 it.key);
        }
        if (!ds__expr_parse(p, it.value, &args[is_case ? 0 : 1], err)) {
            return false;
        }
    }
    if (args[0] == NULL) {
        return ds__error_set(err, 40064, "$switch requires each branch have a 'case' expression");
    }
    if (args[1] == NULL) {
        return ds__error_set(err, 40065, "$switch requires each branch have a 'then' expression.");
    }
    return true;
}

static bool parse_switch(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40060, "$switch requires an object as an argument, found: %s",
                             ds__type_name(arg.type));
    }
    ds_value branches = ds__doc_field(arg, "branches");
    uint32_t count = branches.type == DS_ARRAY ? (uint32_t)ds__doc_count(branches) : 0;
    if (!ds__expr_reserve_args(p, expr, 2 * count + 1, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "branches") == 0) {
            if (it.value.type != DS_ARRAY) {
                return ds__error_set(err, 40061,
                                     "$switch expected an array for 'branches', found: %s",
                                     ds__type_name(it.value.type));
            }
            ds__iter branch;
            ds__iter_init(&branch, it.value);
            for (uint32_t i = 0; i < count && ds__iter_next(&branch); i++) {
                if (!parse_branch(p, branch.value, expr->args + (size_t)2 * i, err)) {
                    return false;
                }
            }
        } else if (strcmp(it.key, "default") == 0) {
            if (!ds__expr_parse(p, it.value, &expr->args[2 * count], err)) {
                return false;
            }
        } else {
            return ds__error_set(err, 40067, "$switch found an unknown argument: %s", it.key);
        }
    }
    if (count == 0) {
        return ds__error_set(err, 40068, "$switch requires at least one branch");
    }
    return true;
}

const ds__expr_op ds__expr_ops_control[] = {
    {.name = "$cond", .parse = parse_cond, .eval = eval_cond, .min_args = 3, .max_args = 3},
    {.name = "$ifNull", .parse = parse_if_null, .eval = eval_if_null, .max_args = -1},
    {.name = "$switch", .parse = parse_switch, .eval = eval_switch},
    {.name = NULL},
};
