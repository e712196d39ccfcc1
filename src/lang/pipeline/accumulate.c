/* SPDX-License-Identifier: Apache-2.0 */
/* Finds, compiles and feeds accumulators. */
#include "lang/pipeline/accumulate.h"

#include "base/mem.h"
#include "base/named.h"

static const ds__accumulator_def *const families[] = {
    ds__accumulators_number,
    ds__accumulators_pick,
    ds__accumulators_rank,
    ds__accumulators_collect,
};

const ds__accumulator_def *ds__accumulator_find(const char *name, size_t size) {
    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        const ds__accumulator_def *def =
            ds__find_named(families[f], SIZE_MAX, sizeof *def, name, size);
        if (def) {
            return def;
        }
    }
    return NULL;
}

bool ds__accumulator_bind(ds__env *env, const ds__var_scope *scope, const ds__accumulator_def *def,
                          ds_value arg, ds__accumulator *out, ds_error *err) {
    out->def = def;
    out->env = env;
    out->spec = arg;
    if (def->parse) {
        return def->parse(env, scope, out, arg, err);
    }
    if (arg.type == DS_ARRAY) {
        return ds__error_set(err, 40237, "The %s accumulator is a unary operator", def->name);
    }
    if (!ds__expr_compile(env, scope, arg, &out->expr, err)) {
        return false;
    }
    out->path = ds__expr_field_path(out->expr);
    out->constant = ds__expr_constant(out->expr);
    return true;
}

bool ds__accumulator_compile(ds__env *env, const ds__var_scope *scope, const char *field,
                             size_t field_size, ds_value spec, ds__accumulator *out,
                             ds_error *err) {
    *out = (ds__accumulator){.env = env};
    out->field = ds_arena_strndup(env->arena, field, field_size);
    out->field_size = field_size;
    if (!out->field) {
        return ds__error_oom(err);
    }
    if (memchr(field, '.', field_size)) {
        return ds__error_set(err, 40235, "The field name '%s' cannot contain '.'", out->field);
    }
    if (field[0] == '$') {
        return ds__error_set(err, 40236, "The field name '%s' cannot be an operator name",
                             out->field);
    }
    if (spec.type != DS_DOCUMENT || ds__doc_empty(spec)) {
        return ds__error_set(err, 40234, "The field '%s' must be an accumulator object",
                             out->field);
    }
    ds__iter it;
    ds__iter_init(&it, spec);
    ds__iter_next(&it);
    if (it.at < it.end) {
        return ds__error_set(err, 40238, "The field '%s' must specify one accumulator", out->field);
    }
    const ds__accumulator_def *def = ds__accumulator_find(it.key, it.key_size);
    if (!def && (strcmp(it.key, "$accumulator") == 0)) {
        return ds__error_set(err, DS_QUERY_FEATURE_NOT_ALLOWED,
                             "$accumulator needs JavaScript, which this engine does not run");
    }
    if (!def) {
        return ds__error_set(err, 15952, "unknown group operator '%s'", it.key);
    }
    return ds__accumulator_bind(env, scope, def, it.value, out, err);
}

bool ds__accumulator_feed(const ds__accumulator *acc, void *state, ds__eval *eval, size_t *bytes,
                          ds_error *err) {
    ds_value v = ds__missing();
    if (acc->constant) {
        v = *acc->constant;
    } else if (acc->expr) {
        bool simple = false;
        if (acc->path) {
            v = ds__simple_path(eval->slots[DS_VAR_ROOT], acc->path, &simple);
        }
        if (!simple && !ds__expr_eval(acc->expr, eval, &v, err)) {
            return false;
        }
    }
    return acc->def->add(acc, state, v, eval, bytes, err);
}

void ds__accumulator_dependencies(const ds__accumulator *acc, ds__add_path_fn add, void *ctx) {
    if (acc->expr) {
        ds__expr_dependencies(acc->expr, add, ctx);
    }
    for (size_t i = 0; i < acc->sort.count; i++) {
        add(ctx, &acc->sort.parts[i].path);
    }
}

bool ds__held_set(ds__held *held, ds_value v, size_t *bytes, ds_error *err) {
    static const uint32_t borrowing = 1u << DS_STRING | 1u << DS_DOCUMENT | 1u << DS_ARRAY |
                                      1u << DS_BINARY | 1u << DS_CODE_TYPE | 1u << DS_SYMBOL |
                                      1u << DS_REGEX | 1u << DS_DB_POINTER | 1u << DS_CODE_W_SCOPE;
    bool borrows = v.type < 32 && (borrowing >> v.type & 1) != 0;
    if (borrows) {
        if (held->cap < v.size + (size_t)1) {
            size_t cap = v.size + v.size / 4 + 16;
            if (held->meter && !ds_meter_charge(held->meter, cap - held->cap)) {
                return ds__error_oom(err);
            }
            uint8_t *memory = ds__realloc(held->memory, cap);
            if (!memory) {
                ds_meter_give(held->meter, cap - held->cap);
                return ds__error_oom(err);
            }
            *bytes += cap - held->cap;
            held->memory = memory;
            held->cap = cap;
        }
        memmove(held->memory, v.as.bytes, v.size);
        held->memory[v.size] = 0;
        v.as.bytes = held->memory;
    }
    held->value = v;
    return true;
}

void ds__held_clear(ds__held *held) {
    ds_meter_give(held->meter, held->cap);
    ds__free(held->memory);
    *held = (ds__held){.meter = held->meter};
}
