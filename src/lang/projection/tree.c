/* SPDX-License-Identifier: Apache-2.0 */
/* Building the path tree, compiling by kind, and what a plan asks of a projection. */
#include "lang/projection/internal.h"

bool ds__project_check_path(const char *path, size_t size, ds_error *err) {
    if (size == 0) {
        return ds__error_set(err, 40352, "FieldPath cannot be constructed with empty string");
    }
    if (path[size - 1] == '.') {
        return ds__error_set(err, 40353, "FieldPath must not end with a '.'.");
    }
    bool start = true;
    for (size_t i = 0; i < size; i++) {
        if (start && path[i] == '.') {
            return ds__error_set(err, 15998, "FieldPath field names may not be empty strings.");
        }
        if (start && path[i] == '$') {
            return ds__error_set(err, 16410,
                                 "FieldPath field names may not start with '$'. Consider using "
                                 "$getField or $setField.");
        }
        if (path[i] == 0) {
            return ds__error_set(err, 16411, "FieldPath field names may not contain '\\0'.");
        }
        start = path[i] == '.';
    }
    return true;
}

const char *ds__project_join(ds__project_compiler *c, const char *parent, const char *name) {
    size_t a = strlen(parent), b = strlen(name);
    char *out = ds_arena_alloc(c->env->arena, a + b + 2);
    if (out == NULL) {
        return NULL;
    }
    memcpy(out, parent, a);
    if (a > 0) {
        out[a++] = '.';
    }
    memcpy(out + a, name, b + 1);
    return out;
}

static bool collision(const ds__project_compiler *c, const char *path, const char *rest,
                      ds_error *err) {
    if (c->projection->kind == DS_PROJECT_ADD_FIELDS) {
        return ds__error_set(err, DS_ADD_FIELDS_CONFLICT,
                             "specification contains two conflicting paths, one of them '%.*s'",
                             DS_MAX_QUOTED, path);
    }
    if (rest != NULL) {
        return ds__error_set(err, DS_PATH_COLLISION_BELOW,
                             "Path collision at %.*s remaining portion %.*s", DS_MAX_QUOTED, path,
                             DS_MAX_QUOTED, rest);
    }
    return ds__error_set(err, DS_PATH_COLLISION, "Path collision at %.*s", DS_MAX_QUOTED, path);
}

static ds__project_field *new_field(ds__project_compiler *c, ds__project_node *node,
                                    const char *name, size_t size) {
    ds_arena *arena = c->env->arena;
    if (node->count == node->cap) {
        void *grown =
            ds_arena_grow(arena, node->fields, node->count, &node->cap, sizeof *node->fields);
        if (grown == NULL) {
            return NULL;
        }
        node->fields = grown;
    }
    char *copy = ds_arena_strndup(arena, name, size);
    if (copy == NULL) {
        return NULL;
    }
    ds__project_field *f = &node->fields[node->count++];
    *f = (ds__project_field){.name = copy, .size = (uint32_t)size};
    return f;
}

bool ds__project_add(ds__project_compiler *c, const char *path, size_t size, ds__project_rule rule,
                     bool positional, ds__project_field **out, ds_error *err) {
    ds__project_node *node = &c->projection->root;
    const char *at = path, *end = path + size;
    bool computed = rule == DS_RULE_COMPUTE || rule == DS_RULE_ELEM_MATCH;
    for (int depth = 0;; depth++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        size_t part = dot ? (size_t)(dot - at) : (size_t)(end - at);
        ds__project_field *f = ds__project_find(node, at, part);
        if (depth > DS_MAX_DEPTH) {
            return ds__error_set(err, DS_OVERFLOW, "FieldPath is too long");
        }
        if (f != NULL && (dot == NULL || f->rule != DS_RULE_NODE)) {
            return collision(c, path, dot ? dot + 1 : NULL, err);
        }
        if (f == NULL && (f = new_field(c, node, at, part)) == NULL) {
            return ds__error_oom(err);
        }
        node->computed = node->computed || computed;
        f->positional = f->positional || positional;
        if (dot == NULL) {
            f->rule = rule;
            *out = f;
            return true;
        }
        if (f->node == NULL && (f->node = ds_arena_zalloc(c->env->arena, sizeof *node)) == NULL) {
            return ds__error_oom(err);
        }
        node = f->node;
        at = dot + 1;
    }
}

/* "_id" comes along with inclusions unless it is refused or has a rule of its own. */
static bool finish(ds__project_compiler *c, ds_error *err) {
    ds__projection *p = c->projection;
    if (p->mode == DS_MODE_UNKNOWN) {
        bool include = c->id_included || (c->has_elem_match && !c->has_slice) ||
                       (c->has_meta && p->kind == DS_PROJECT_STAGE);
        p->mode = include ? DS_MODE_INCLUDE : DS_MODE_EXCLUDE;
    }
    if (p->mode == DS_MODE_EXCLUDE || ds__project_find(&p->root, "_id", 3) != NULL) {
        return true;
    }
    ds__project_field *f;
    return ds__project_add(c, "_id", 3, DS_RULE_INCLUDE, false, &f, err);
}

static bool compile_kind(ds__project_compiler *c, ds_value spec, ds_error *err) {
    switch (c->projection->kind) {
    case DS_PROJECT_FIND:
        if (spec.type == DS_MISSING) {
            c->projection->mode = DS_MODE_EXCLUDE;
            return true;
        }
        if (spec.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH, "projection must be an object");
        }
        return ds__project_parse_spec(c, spec, err) && finish(c, err);
    case DS_PROJECT_STAGE:
        if (spec.type != DS_DOCUMENT) {
            return ds__error_set(err, 15969, "$project specification must be an object");
        }
        if (ds__doc_empty(spec)) {
            return ds__error_set(err, 51272,
                                 "Invalid $project :: caused by :: projection specification must "
                                 "have at least one field");
        }
        return (ds__project_parse_spec(c, spec, err) && finish(c, err)) ||
               ds__error_prefix(err, "Invalid $project :: caused by :: ");
    case DS_PROJECT_ADD_FIELDS:
        c->projection->mode = DS_MODE_EXCLUDE;
        if (spec.type != DS_DOCUMENT) {
            return ds__error_set(err, 40272,
                                 "$addFields specification stage must be an object, got %s",
                                 ds__type_name(spec.type));
        }
        return ds__project_parse_add_fields(c, spec, err) ||
               ds__error_prefix(err, "Invalid $addFields :: caused by :: ");
    case DS_PROJECT_UNSET:
        c->projection->mode = DS_MODE_EXCLUDE;
        return ds__project_parse_unset(c, spec, err);
    }
    return false;
}

bool ds__projection_compile(ds__env *env, const ds__var_scope *scope, ds__projection_kind kind,
                            ds_value spec, const ds__filter *filter, ds__projection **out,
                            ds_error *err) {
    *out = NULL;
    ds_value kept;
    ds__projection *p = ds_arena_zalloc(env->arena, sizeof *p);
    if (p == NULL || !ds__value_copy(env->arena, spec, &kept)) {
        return ds__error_oom(err);
    }
    p->kind = kind;
    p->filter = filter;
    ds__project_compiler c = {.env = env, .scope = scope ? scope : env->let, .projection = p};
    if (!compile_kind(&c, kept, err)) {
        return false;
    }
    *out = p;
    return true;
}

static bool only_inclusions(const ds__project_node *node) {
    for (size_t i = 0; i < node->count; i++) {
        const ds__project_field *f = &node->fields[i];
        if (f->rule != DS_RULE_INCLUDE && (f->rule != DS_RULE_NODE || !only_inclusions(f->node))) {
            return false;
        }
    }
    return true;
}

bool ds__projection_is_simple(const ds__projection *projection) {
    return projection->mode == DS_MODE_INCLUDE && !projection->positional &&
           only_inclusions(&projection->root);
}
