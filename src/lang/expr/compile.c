/* SPDX-License-Identifier: Apache-2.0 */
/* From a specification to a tree of nodes; then a second pass folds what is constant, so that every
 * syntax error comes before any error of evaluation. */
#include "lang/expr/internal.h"

#include "base/limits.h"
#include "base/named.h"

/* A zeroed node in the arena; NULL when memory is out. */
static ds__expr *new_node(ds__expr_parser *p) {
    return ds_arena_zalloc(p->env->arena, sizeof(ds__expr));
}

ds__expr *ds__expr_new_constant(ds__expr_parser *p, ds_value v) {
    ds__expr *expr = new_node(p);
    if (expr != NULL) {
        expr->constant = v;
        expr->is_constant = true;
    }
    return expr;
}

bool ds__expr_reserve_args(ds__expr_parser *p, ds__expr *expr, uint32_t count, ds_error *err) {
    expr->args = ds_arena_zalloc(p->env->arena, (count + 1) * sizeof *expr->args);
    expr->arg_count = count;
    return expr->args != NULL || ds__error_oom(err);
}

/* Names. */

static bool is_letter(unsigned char c, bool upper) {
    return (c >= 'a' && c <= 'z') || c >= 0x80 || (upper && c >= 'A' && c <= 'Z');
}

bool ds__expr_check_variable_name(const char *name, size_t size, bool writing, ds_error *err) {
    if (size == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "empty variable names are not allowed");
    }
    if (writing && size == 7 && memcmp(name, "CURRENT", 7) == 0) {
        return true;
    }
    if (!is_letter((unsigned char)name[0], !writing)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "'%.*s' starts with an invalid character for a user variable name",
                             (int)size, name);
    }
    for (size_t i = 1; i < size; i++) {
        unsigned char c = (unsigned char)name[i];
        if (!is_letter(c, true) && !(c >= '0' && c <= '9') && c != '_') {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "'%.*s' contains an invalid character for a variable name: '%c'",
                                 (int)size, name, c);
        }
    }
    return true;
}

/* Whether `name` may be a field of an object: 15998, 16410, 16411, 16412. */
static bool check_field_name(const char *name, size_t size, ds_error *err) {
    if (size == 0) {
        return ds__error_set(err, 15998, "FieldPath field names may not be empty strings.");
    }
    if (name[0] == '$') {
        return ds__error_set(err, 16410,
                             "FieldPath field names may not start with '$'. Consider using "
                             "$getField or $setField.");
    }
    if (memchr(name, '\0', size) != NULL) {
        return ds__error_set(err, 16411, "FieldPath field names may not contain '\\0'.");
    }
    if (memchr(name, '.', size) != NULL) {
        return ds__error_set(err, 16412,
                             "FieldPath field names may not contain '.'. Consider using $getField "
                             "or $setField.");
    }
    return true;
}

bool ds__expr_bind(ds__expr_parser *p, const char *name, size_t size, uint32_t *slot,
                   ds_error *err) {
    ds__var_scope *scope = ds_arena_zalloc(p->env->arena, sizeof *scope);
    char *copy = ds_arena_strndup(p->env->arena, name, size);
    if (scope == NULL || copy == NULL) {
        return ds__error_oom(err);
    }
    if (p->env->slot_count < DS_VAR_FIRST_USER) {
        p->env->slot_count = DS_VAR_FIRST_USER;
    }
    scope->parent = p->scope;
    scope->name = copy;
    scope->name_size = (uint32_t)size;
    scope->slot = ds__env_new_slot(p->env);
    p->scope = scope;
    *slot = scope->slot;
    return true;
}

static bool find_variable(const ds__expr_parser *p, const char *name, size_t size, uint32_t *slot) {
    for (const ds__var_scope *s = p->scope; s != NULL; s = s->parent) {
        if (s->name_size == size && memcmp(s->name, name, size) == 0) {
            *slot = s->slot;
            return true;
        }
    }
    return false;
}

/* Paths. */

static bool eval_path(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return ds__expr_path_value(eval->slots[expr->slot], expr->path.parts, expr->path.count,
                               eval->scratch, out, err);
}

static bool parse_path_parts(ds__expr_parser *p, ds__expr *expr, const char *text, size_t size,
                             ds_error *err) {
    if (size == 0 || text[size - 1] == '.') {
        return ds__error_set(err, 40353, "FieldPath must not end with a '.'.");
    }
    if (!ds__path_parse(p->env->arena, text, size, &expr->path)) {
        return ds__error_oom(err);
    }
    if (expr->path.count > DS_MAX_COMMAND_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "FieldPath is too long");
    }
    for (uint32_t i = 0; i < expr->path.count; i++) {
        if (!check_field_name(expr->path.parts[i].name, expr->path.parts[i].size, err)) {
            return false;
        }
    }
    return true;
}

static bool system_variable(ds__expr *expr, const char *name, size_t size, ds_error *err) {
    typedef struct variable {
        const char *name;
        int slot;
    } variable;
    static const variable known[] = {
        {"ROOT", DS_VAR_ROOT}, {"CURRENT", DS_VAR_ROOT},
        {"NOW", DS_VAR_NOW},   {"CLUSTER_TIME", DS_VAR_CLUSTER_TIME},
        {"REMOVE", -1},
    };
    const variable *found =
        ds__find_named(known, sizeof known / sizeof *known, sizeof *known, name, size);
    if (found) {
        expr->is_constant = found->slot < 0;
        expr->slot = found->slot < 0 ? 0 : (uint32_t)found->slot;
        return true;
    }
    if (size == 11 && memcmp(name, "SEARCH_META", 11) == 0) {
        return ds__error_set(err, 6347903,
                             "Can't access $$SEARCH_META without a $search stage earlier in the "
                             "pipeline");
    }
    return ds__error_set(err, 17276, "Use of undefined variable: %.*s", (int)size, name);
}

static bool parse_path(ds__expr_parser *p, ds__expr *expr, ds_value spec, ds_error *err) {
    const char *text = ds__text(spec);
    expr->eval = eval_path;
    if (spec.size < 2) {
        return ds__error_set(err, 16872, "'$' by itself is not a valid FieldPath");
    }
    if (text[1] != '$') {
        expr->slot = DS_VAR_ROOT;
        (void)find_variable(p, "CURRENT", 7, &expr->slot);
        return parse_path_parts(p, expr, text + 1, spec.size - 1, err);
    }
    const char *name = text + 2;
    size_t rest = spec.size - 2;
    const char *dot = memchr(name, '.', rest);
    size_t size = dot != NULL ? (size_t)(dot - name) : rest;
    if (!ds__expr_check_variable_name(name, size, false, err)) {
        return false;
    }
    if (!find_variable(p, name, size, &expr->slot) && !system_variable(expr, name, size, err)) {
        return false;
    }
    return dot == NULL || parse_path_parts(p, expr, dot + 1, rest - size - 1, err);
}

/* Objects and arrays of expressions. */

static bool eval_object(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    const ds__path_part *names = expr->detail;
    ds__expr_field *fields = ds_arena_alloc(eval->scratch, (expr->arg_count + 1) * sizeof *fields);
    if (fields == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        fields[i].name = names[i].name;
        fields[i].name_size = names[i].size;
        if (!ds__expr_run(expr->args[i], eval, &fields[i].value, err)) {
            return false;
        }
    }
    return ds__expr_make_document(eval->scratch, fields, expr->arg_count, out, err);
}

static bool parse_object(ds__expr_parser *p, ds__expr *expr, ds_value spec, ds_error *err) {
    size_t count = ds__doc_count(spec);
    ds__path_part *names = ds_arena_zalloc(p->env->arena, (count + 1) * sizeof *names);
    if (names == NULL || !ds__expr_reserve_args(p, expr, (uint32_t)count, err)) {
        return ds__error_oom(err);
    }
    expr->eval = eval_object;
    expr->detail = names;
    ds__iter it;
    ds__iter_init(&it, spec);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (!check_field_name(it.key, it.key_size, err)) {
            return false;
        }
        for (size_t k = 0; k < i; k++) {
            if (names[k].size == it.key_size && memcmp(names[k].name, it.key, it.key_size) == 0) {
                return ds__error_set(
                    err, 16406, "duplicate field name specified in object literal: %s", it.key);
            }
        }
        names[i].name = ds_arena_strndup(p->env->arena, it.key, it.key_size);
        names[i].size = (uint32_t)it.key_size;
        if (names[i].name == NULL) {
            return ds__error_oom(err);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    return true;
}

static bool eval_array(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value *items = ds_arena_alloc(eval->scratch, (expr->arg_count + 1) * sizeof *items);
    if (items == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!ds__expr_run(expr->args[i], eval, &items[i], err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, items, expr->arg_count, out, err);
}

static bool parse_items(ds__expr_parser *p, ds__expr *expr, ds_value array, ds_error *err) {
    if (!ds__expr_reserve_args(p, expr, (uint32_t)ds__doc_count(array), err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, array);
    for (uint32_t i = 0; ds__iter_next(&it); i++) {
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    return true;
}

/* Operators. */

bool ds__expr_parse_args(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type == DS_ARRAY) {
        if (!parse_items(p, expr, arg, err)) {
            return false;
        }
    } else if (!ds__expr_reserve_args(p, expr, 1, err) ||
               !ds__expr_parse(p, arg, &expr->args[0], err)) {
        return false;
    }
    const ds__expr_op *op = expr->op;
    int count = (int)expr->arg_count;
    if (op->min_args == op->max_args && count != op->min_args) {
        return ds__error_set(err, 16020,
                             "Expression %s takes exactly %d arguments. %d were passed in.",
                             op->name, op->min_args, count);
    }
    if (op->max_args >= 0 && (count < op->min_args || count > op->max_args)) {
        return ds__error_set(err, 28667,
                             "Expression %s takes at least %d arguments, and at most %d, but %d "
                             "were passed in.",
                             op->name, op->min_args, op->max_args, count);
    }
    return true;
}

bool ds__expr_parse_named(ds__expr_parser *p, ds__expr *expr, ds_value arg,
                          const char *const *names, int32_t unknown_code, ds_error *err) {
    uint32_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    if (!ds__expr_reserve_args(p, expr, count, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        uint32_t i = 0;
        while (i < count && strcmp(names[i], it.key) != 0) {
            i++;
        }
        if (i == count) {
            return ds__error_set(err, unknown_code, "Unrecognized argument to %s: %s",
                                 expr->op->name, it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    return true;
}

static bool parse_operator(ds__expr_parser *p, ds__expr *expr, ds_value spec, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, spec);
    ds__iter_next(&it);
    const char *name = it.key;
    size_t size = it.key_size;
    ds_value arg = it.value;
    if (ds__iter_next(&it)) {
        char quoted[DS_MAX_QUOTED + 8];
        return ds__error_set(err, 15983,
                             "an object representing an expression must have exactly one field: %s",
                             ds__value_quote(spec, quoted, sizeof quoted));
    }
    expr->op = ds__expr_find_op(name, size);
    if (expr->op == NULL) {
        return ds__error_set(err, DS_INVALID_PIPELINE_OPERATOR, "Unrecognized expression '%s'",
                             name);
    }
    expr->eval = expr->op->eval;
    const ds__var_scope *scope = p->scope;
    bool ok = (expr->op->parse != NULL ? expr->op->parse : ds__expr_parse_args)(p, expr, arg, err);
    p->scope = scope;
    return ok;
}

bool ds__expr_parse(ds__expr_parser *p, ds_value spec, ds__expr **out, ds_error *err) {
    *out = NULL;
    if (p->depth >= DS_MAX_EXPR_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "expressions nest at most %d deep",
                             DS_MAX_EXPR_DEPTH);
    }
    ds__expr *expr = new_node(p);
    if (expr == NULL) {
        return ds__error_oom(err);
    }
    p->depth++;
    bool ok = true;
    if (spec.type == DS_STRING && spec.size > 0 && spec.as.bytes[0] == '$') {
        ok = parse_path(p, expr, spec, err);
    } else if (spec.type == DS_DOCUMENT) {
        /* the first field's name begins after the length and the type byte */
        bool is_operator = !ds__doc_empty(spec) && spec.as.bytes[5] == '$';
        ok = is_operator ? parse_operator(p, expr, spec, err) : parse_object(p, expr, spec, err);
    } else if (spec.type == DS_ARRAY) {
        expr->eval = eval_array;
        ok = parse_items(p, expr, spec, err);
    } else {
        expr->is_constant = true;
        ok = ds__value_copy(p->env->arena, spec, &expr->constant) || ds__error_oom(err);
    }
    p->depth--;
    if (ok) {
        *out = expr;
    }
    return ok;
}

/* Folding. */

static bool evaluate_constant(ds__env *env, ds__expr *expr, ds_error *err) {
    ds__eval eval = {.env = env, .scratch = env->arena};
    ds_value v;
    if (!expr->eval(expr, &eval, &v, err)) {
        return false;
    }
    if (!ds__value_copy(env->arena, v, &expr->constant)) {
        return ds__error_oom(err);
    }
    expr->is_constant = true;
    return true;
}

/* Moves constant arguments behind (or before) the others, as one. */
static bool gather_constants(ds__env *env, ds__expr *expr, ds_error *err) {
    ds__expr **constants = ds_arena_alloc(env->arena, expr->arg_count * sizeof *constants);
    ds__expr *sum = ds_arena_alloc(env->arena, sizeof *sum);
    if (constants == NULL || sum == NULL) {
        return ds__error_oom(err);
    }
    uint32_t others = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->args[i]->is_constant) {
            constants[count++] = expr->args[i];
        } else {
            expr->args[others++] = expr->args[i];
        }
    }
    if (count == 0) {
        return true;
    }
    if (count > 1) {
        *sum = *expr;
        sum->args = constants;
        sum->arg_count = count;
        if (!evaluate_constant(env, sum, err)) {
            return false;
        }
        constants[0] = sum;
    }
    size_t at = others;
    if (expr->op->decides_early) {
        memmove(expr->args + 1, expr->args, others * sizeof *expr->args);
        at = 0;
    }
    expr->args[at] = constants[0];
    expr->arg_count = others + 1;
    return true;
}

static bool fold(ds__env *env, ds__expr *expr, ds_error *err) {
    if (expr->is_constant || expr->eval == eval_path) {
        return true;
    }
    bool constant = expr->op == NULL || !expr->op->no_fold;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->args[i] == NULL) {
            continue;
        }
        if (!fold(env, expr->args[i], err)) {
            return false;
        }
        constant = constant && expr->args[i]->is_constant;
    }
    if (constant) {
        return evaluate_constant(env, expr, err) ||
               ds__env_explain(env, expr->op ? expr->op->name : "an expression", err);
    }
    return expr->op == NULL || !expr->op->is_commutative || gather_constants(env, expr, err);
}

/* Public functions. */

bool ds__expr_compile(ds__env *env, const ds__var_scope *scope, ds_value spec, ds__expr **out,
                      ds_error *err) {
    ds__expr_parser p = {.env = env, .scope = scope != NULL ? scope : env->let};
    if (!ds__expr_parse(&p, spec, out, err)) {
        return false;
    }
    if (!fold(env, *out, err)) {
        *out = NULL;
        return false;
    }
    return true;
}

bool ds__expr_failed(const ds__expr *e, const ds__eval *eval, ds_error *err) {
    return ds__env_explain(eval->env, e->op ? e->op->name : "an expression", err);
}

bool ds__expr_eval(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return ds__expr_run(expr, eval, out, err);
}

const ds_value *ds__expr_constant(const ds__expr *expr) {
    return expr->is_constant ? &expr->constant : NULL;
}

const ds__path *ds__expr_field_path(const ds__expr *expr) {
    bool plain = !expr->is_constant && expr->eval == eval_path && expr->slot == DS_VAR_ROOT &&
                 expr->path.count > 0;
    return plain ? &expr->path : NULL;
}

void ds__expr_dependencies(const ds__expr *expr, void (*add)(void *ctx, const ds__path *path),
                           void *ctx) {
    if (expr->is_constant) {
        return;
    }
    if (expr->eval == eval_path && expr->slot == DS_VAR_ROOT) {
        add(ctx, expr->path.count > 0 ? &expr->path : NULL);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->args[i] != NULL) {
            ds__expr_dependencies(expr->args[i], add, ctx);
        }
    }
}
