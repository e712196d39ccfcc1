/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles updates: tells replacement, operators and pipeline apart, reads operators and array
 * filters, and puts every operator into the path tree. */
#include "base/limits.h"
#include "lang/update/internal.h"

static const ds__update_op *const families[] = {ds__update_ops_set, ds__update_ops_arith,
                                                ds__update_ops_array_add,
                                                ds__update_ops_array_remove};

static const ds__update_op *find_op(const char *name) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        for (const ds__update_op *op = families[i]; op->name; op++) {
            if (strcmp(op->name, name) == 0) {
                return op;
            }
        }
    }
    return NULL;
}

/* Whether a path may be updated: no empty parts, at most one `$`, and that not first. */
static bool check_path(const ds__path *path, ds_error *err) {
    uint32_t dollars = 0;
    if (path->size == 0) {
        return ds__error_set(err, DS_EMPTY_FIELD_NAME, "An empty update path is not valid.");
    }
    if (path->count > DS_MAX_COMMAND_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "Document exceeds maximum nesting depth of %d",
                             DS_MAX_DEPTH);
    }
    for (uint32_t i = 0; i < path->count; i++) {
        if (path->parts[i].size == 0) {
            return ds__error_set(
                err, DS_EMPTY_FIELD_NAME,
                "The update path '%s' contains an empty field name, which is not allowed.",
                path->text);
        }
        dollars += ds__update_part_kind(&path->parts[i]) == DS_PART_POSITIONAL;
    }
    if (dollars == 0) {
        return true;
    }
    if (dollars > 1) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Too many positional (i.e. '$') elements found in path '%s'",
                             path->text);
    }
    if (ds__update_part_kind(&path->parts[0]) == DS_PART_POSITIONAL) {
        return ds__error_set(
            err, DS_BAD_VALUE,
            "Cannot have positional (i.e. '$') element in the first position in path '%s'",
            path->text);
    }
    return true;
}

static bool parse_path(ds__update_parser *p, const char *text, size_t size, const ds__path **out,
                       ds_error *err) {
    ds__path *path = ds_arena_zalloc(p->env->arena, sizeof *path);
    if (!path || !ds__path_parse(p->env->arena, text, size, path)) {
        return ds__error_oom(err);
    }
    *out = path;
    return true;
}

/* Remembers which part of the document changes: the path up to the first array position. */
static bool note_path(ds__update_parser *p, const ds__path *path, ds_error *err) {
    ds__update *u = p->update;
    if (u->path_count == u->path_cap) {
        ds__path *grown =
            ds_arena_grow(p->env->arena, u->paths, u->path_count, &u->path_cap, sizeof *grown);
        if (!grown) {
            return ds__error_oom(err);
        }
        u->paths = grown;
    }
    size_t size = 0;
    for (uint32_t i = 0; i < path->count; i++) {
        const ds__path_part *part = &path->parts[i];
        if (i && (ds__update_part_kind(part) != DS_PART_NAME ||
                  ds__update_index_of(part->name, part->size) >= 0)) {
            break;
        }
        size += part->size + (i ? 1 : 0);
    }
    return ds__path_parse(p->env->arena, path->text, size, &u->paths[u->path_count++]) ||
           ds__error_oom(err);
}

static bool add_leaf(ds__update_parser *p, const ds__update_op *op, const ds__path *path,
                     ds_value arg, void *detail, ds_error *err) {
    ds__update_node *leaf = ds__update_node_new(p->env->arena, DS_NODE_LEAF, "", 0);
    if (!leaf) {
        return ds__error_oom(err);
    }
    leaf->op = op;
    leaf->path = path;
    leaf->arg = arg;
    leaf->detail = detail;
    return (!op->parse || op->parse(p, leaf, err)) && ds__update_tree_add(p, leaf, err) &&
           note_path(p, path, err);
}

static bool parse_rename(ds__update_parser *p, const ds__update_op *op, const ds__iter *it,
                         ds_error *err) {
    const ds__path *from = NULL, *to = NULL;
    char quoted[DS_MAX_QUOTED + 8];
    if (it->value.type != DS_STRING) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The 'to' field for $rename must be a string: %s: %s", it->key,
                             ds__value_quote(it->value, quoted, sizeof quoted));
    }
    size_t to_size = strnlen(ds__text(it->value), it->value.size);
    return parse_path(p, it->key, it->key_size, &from, err) && check_path(from, err) &&
           add_leaf(p, &ds__update_op_rename_source, from, it->value, NULL, err) &&
           parse_path(p, ds__text(it->value), to_size, &to, err) && check_path(to, err) &&
           add_leaf(p, op, to, it->value, (void *)from, err);
}

static bool parse_operator(ds__update_parser *p, const ds__iter *op_it, ds_error *err) {
    const ds__update_op *op = find_op(op_it->key);
    ds__iter it;
    if (!op) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Unknown modifier: %s. Expected a valid update modifier or "
                             "pipeline-style update specified as an array",
                             op_it->key);
    }
    if (op_it->value.type != DS_DOCUMENT) {
        char quoted[DS_MAX_QUOTED + 8];
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Modifiers operate on fields but we found type %s instead. For "
                             "example: {$mod: {<field>: ...}} not {%s: %s}",
                             ds__type_name(op_it->value.type), op->name,
                             ds__value_quote(op_it->value, quoted, sizeof quoted));
    }
    bool rename = strcmp(op->name, "$rename") == 0;
    ds__iter_init(&it, op_it->value);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        const ds__path *path = NULL;
        if (!ds__env_step(p->env, 16, err)) {
            return false;
        }
        bool ok = rename ? parse_rename(p, op, &it, err)
                         : parse_path(p, it.key, it.key_size, &path, err) &&
                               check_path(path, err) && add_leaf(p, op, path, it.value, NULL, err);
        if (!ok) {
            return false;
        }
    }
    return true;
}

static bool parse_array_filter(ds__update_parser *p, ds_value spec, ds_error *err) {
    ds__update *u = p->update;
    ds__filter *filter = NULL;
    const char *identifier = NULL;
    if (spec.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'update.updates.arrayFilters.%zu' is the wrong type '%s', "
                             "expected type 'object'",
                             u->array_filter_count, ds__type_name(spec.type));
    }
    if (!ds__filter_compile_array_filter(p->env, spec, &filter, &identifier, err)) {
        return ds__error_prefix(err, "Error parsing array filter :: caused by :: ");
    }
    if (!identifier || !*identifier) {
        return ds__error_set(
            err, DS_FAILED_TO_PARSE,
            "Cannot use an expression without a top-level field name in arrayFilters");
    }
    for (size_t i = 0; i < u->array_filter_count; i++) {
        if (strcmp(u->array_filters[i].identifier, identifier) == 0) {
            return ds__error_set(
                err, DS_FAILED_TO_PARSE,
                "Found multiple array filters with the same top-level field name %s", identifier);
        }
    }
    u->array_filters[u->array_filter_count++] =
        (ds__update_array_filter){.identifier = identifier, .filter = filter};
    return true;
}

static bool parse_array_filters(ds__update_parser *p, ds_value list, ds_error *err) {
    ds__iter it;
    if (list.type == DS_MISSING) {
        return true;
    }
    if (list.type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'update.updates.arrayFilters' is the wrong type '%s', "
                             "expected type 'array'",
                             ds__type_name(list.type));
    }
    p->update->array_filters = ds_arena_zalloc(p->env->arena, (ds__doc_count(list) + 1) *
                                                                  sizeof *p->update->array_filters);
    if (!p->update->array_filters) {
        return ds__error_oom(err);
    }
    ds__iter_init(&it, list);
    while (ds__iter_next(&it)) {
        if (!parse_array_filter(p, it.value, err)) {
            return false;
        }
    }
    return true;
}

static bool check_filters_used(const ds__update_parser *p, ds_error *err) {
    for (size_t i = 0; i < p->update->array_filter_count; i++) {
        const ds__update_array_filter *f = &p->update->array_filters[i];
        if (!f->used) {
            char quoted[DS_MAX_QUOTED + 8];
            return ds__error_set(
                err, DS_FAILED_TO_PARSE,
                "The array filter for identifier '%s' was not used in the update %s", f->identifier,
                ds__value_quote(p->spec, quoted, sizeof quoted));
        }
    }
    return true;
}

static bool compile_operators(ds__env *env, const ds__update_spec *spec, ds__update *update,
                              ds_error *err) {
    ds__update_parser p = {.env = env, .update = update, .spec = spec->update};
    ds__iter it;
    update->kind = DS_UPDATE_OPERATORS;
    update->root = ds__update_node_new(env->arena, DS_NODE_OBJECT, "", 0);
    if (!update->root) {
        return ds__error_oom(err);
    }
    if (!parse_array_filters(&p, spec->array_filters, err)) {
        return false;
    }
    ds__iter_init(&it, spec->update);
    while (ds__iter_next(&it)) {
        if (!parse_operator(&p, &it, err)) {
            return false;
        }
    }
    return check_filters_used(&p, err);
}

static bool filter_has_expr(const ds__filter *f) {
    if (f->op == DS_FILTER_EXPR) {
        return true;
    }
    for (size_t i = 0; i < f->child_count; i++) {
        if (filter_has_expr(f->children[i])) {
            return true;
        }
    }
    return false;
}

static bool begins_with_dollar(ds_value doc) {
    ds__iter it;
    ds__iter_init(&it, doc);
    return ds__iter_next(&it) && it.key[0] == '$';
}

bool ds__update_compile(ds__env *env, const ds__update_spec *spec, ds__update **out,
                        ds_error *err) {
    ds__update *update = ds_arena_zalloc(env->arena, sizeof *update);
    *out = NULL;
    if (!update) {
        return ds__error_oom(err);
    }
    update->env = env;
    if (spec->update.type != DS_DOCUMENT && spec->update.type != DS_ARRAY) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Update argument must be either an object or an array");
    }
    if (spec->upsert && spec->filter && filter_has_expr(spec->filter)) {
        return ds__error_set(err, DS_QUERY_FEATURE_NOT_ALLOWED,
                             "$expr is not allowed in the query predicate for an upsert");
    }
    if (spec->update.type == DS_ARRAY) {
        if (!ds__update_compile_pipeline(env, spec, update, err)) {
            return false;
        }
        *out = update;
        return true;
    }
    if (spec->constants.type != DS_MISSING) {
        return ds__error_set(err, 51198,
                             "Constant values may only be specified for pipeline updates");
    }
    if (begins_with_dollar(spec->update)) {
        if (!compile_operators(env, spec, update, err)) {
            return false;
        }
    } else if (spec->multi) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "multi update is not supported for replacement-style update");
    } else {
        update->kind = DS_UPDATE_REPLACE;
        update->replacement = spec->update;
    }
    *out = update;
    return true;
}

void ds__update_paths(const ds__update *update, void (*add)(void *ctx, const ds__path *path),
                      void *ctx) {
    if (update->kind != DS_UPDATE_OPERATORS) {
        add(ctx, NULL);
        return;
    }
    for (size_t i = 0; i < update->path_count; i++) {
        add(ctx, &update->paths[i]);
    }
}
