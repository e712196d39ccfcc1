/* SPDX-License-Identifier: Apache-2.0 */
/* $let and $literal. A variable is a slot of the evaluation; inner scopes get slots of their own,
 * so nothing is ever restored. */
#include "lang/expr/internal.h"

static bool eval_let(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    const uint32_t *slots = expr->detail;
    uint32_t count = expr->arg_count - 1;
    for (uint32_t i = 0; i < count; i++) {
        if (!ds__expr_run(expr->args[i], eval, &eval->slots[slots[i]], err)) {
            return false;
        }
    }
    return ds__expr_run(expr->args[count], eval, out, err);
}

static bool find_let_parts(ds_value arg, ds_value *vars, ds_value *in, ds_error *err) {
    *vars = *in = ds__missing();
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "vars") == 0) {
            *vars = it.value;
        } else if (strcmp(it.key, "in") == 0) {
            *in = it.value;
        } else {
            return ds__error_set(err, 16875, "Unrecognized parameter to $let: %s", it.key);
        }
    }
    if (vars->type == DS_MISSING) {
        return ds__error_set(err, 16876, "Missing 'vars' parameter to $let");
    }
    if (in->type == DS_MISSING) {
        return ds__error_set(err, 16877, "Missing 'in' parameter to $let");
    }
    if (vars->type != DS_DOCUMENT) {
        return ds__error_set(err, 10065, "invalid parameter: expected an object (vars)");
    }
    return true;
}

static bool parse_let(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 16874, "$let only supports an object as its argument");
    }
    ds_value vars;
    ds_value in;
    if (!find_let_parts(arg, &vars, &in, err)) {
        return false;
    }
    uint32_t count = (uint32_t)ds__doc_count(vars);
    uint32_t *slots = ds_arena_zalloc(p->env->arena, (count + 1) * sizeof *slots);
    if (slots == NULL || !ds__expr_reserve_args(p, expr, count + 1, err)) {
        return ds__error_oom(err);
    }
    expr->detail = slots;
    const ds__var_scope *outer = p->scope;
    const ds__var_scope *inner = p->scope;
    ds__iter it;
    ds__iter_init(&it, vars);
    for (uint32_t i = 0; ds__iter_next(&it); i++) {
        if (!ds__expr_check_variable_name(it.key, it.key_size, true, err)) {
            return false;
        }
        p->scope = outer;
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
        p->scope = inner;
        if (!ds__expr_bind(p, it.key, it.key_size, &slots[i], err)) {
            return false;
        }
        inner = p->scope;
    }
    return ds__expr_parse(p, in, &expr->args[count], err);
}

static bool parse_literal(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    expr->is_constant = true;
    return ds__value_copy(p->env->arena, arg, &expr->constant) || ds__error_oom(err);
}

const ds__expr_op ds__expr_ops_variable[] = {
    {.name = "$let", .parse = parse_let, .eval = eval_let, .no_fold = true},
    {.name = "$literal", .parse = parse_literal},
    {.name = "$const", .parse = parse_literal},
    {.name = NULL},
};
