/* SPDX-License-Identifier: Apache-2.0 */
/* Binds and evaluates the variables of a command's `let`. They are constants: no document is in
 * reach of their expressions. */
#include "engine/commands/let.h"

#include "bson/writer.h"

static bool valid_name(const char *name, size_t size, ds_error *err) {
    bool lower = size > 0 && ((name[0] >= 'a' && name[0] <= 'z') || (uint8_t)name[0] >= 0x80);
    if (size == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "empty variable names are not allowed");
    }
    if (!lower) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "'%s' starts with an invalid character for a user variable name",
                             name);
    }
    for (size_t i = 1; i < size; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || (uint8_t)c >= 0x80)) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "'%s' contains an invalid character for a variable name: '%c'",
                                 name, c);
        }
    }
    return true;
}

bool ds__let_bind(ds__env *env, ds_value spec, ds__let *out, ds_error *err) {
    *out = (ds__let){0};
    if (spec.type != DS_DOCUMENT || ds__doc_empty(spec)) {
        return true;
    }
    size_t n = ds__doc_count(spec);
    out->exprs = ds_arena_alloc(env->arena, n * sizeof *out->exprs);
    out->slots = ds_arena_alloc(env->arena, n * sizeof *out->slots);
    if (out->exprs == NULL || out->slots == NULL) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        ds__var_scope *scope = ds_arena_alloc(env->arena, sizeof *scope);
        if (scope == NULL) {
            return ds__error_oom(err);
        }
        if (!valid_name(it.key, it.key_size, err) ||
            !ds__expr_compile(env, env->let, it.value, &out->exprs[out->count], err)) {
            return false;
        }
        *scope = (ds__var_scope){env->let, it.key, (uint32_t)it.key_size, ds__env_new_slot(env)};
        env->let = scope;
        out->slots[out->count++] = scope->slot;
    }
    return true;
}

bool ds__let_eval(const ds__let *let, ds__eval *eval, ds_error *err) {
    static const uint8_t empty[5] = {5};
    for (size_t i = 0; i < let->count; i++) {
        ds_value v;
        eval->slots[DS_VAR_ROOT] = ds__document(empty);
        if (!ds__expr_eval(let->exprs[i], eval, &v, err)) {
            return false;
        }
        if (!ds__value_copy(eval->env->arena, v, &eval->slots[let->slots[i]])) {
            return ds__error_oom(err);
        }
    }
    return true;
}
