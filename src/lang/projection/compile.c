/* SPDX-License-Identifier: Apache-2.0 */
/* The specification of find() projections and $project: what decides between inclusion and
 * exclusion, and the forms only find() has ($slice, $elemMatch, positional `$`). */
#include <math.h>

#include "lang/expr/internal.h"
#include "lang/projection/internal.h"

static bool parse_field(ds__project_compiler *c, const char *parent, const char *name,
                        ds_value value, ds_error *err);

static bool is_find(const ds__project_compiler *c) {
    return c->projection->kind == DS_PROJECT_FIND;
}

/* Settles the mode on the first field that tells it. */
static bool set_mode(ds__project_compiler *c, ds__project_mode mode, const char *path,
                     ds_error *err) {
    if (c->projection->mode == DS_MODE_UNKNOWN) {
        c->projection->mode = mode;
    }
    if (c->projection->mode == mode) {
        return true;
    }
    return mode == DS_MODE_INCLUDE
               ? ds__error_set(err, 31253,
                               "Cannot do inclusion on field %.*s in exclusion projection",
                               DS_MAX_QUOTED, path)
               : ds__error_set(err, 31254,
                               "Cannot do exclusion on field %.*s in inclusion projection",
                               DS_MAX_QUOTED, path);
}

/* A trailing ".$"; a `$` elsewhere in the path is refused. */
static bool check_positional(ds__project_compiler *c, const char *path, bool *positional,
                             ds_error *err) {
    size_t size = strlen(path);
    *positional = size > 2 && memcmp(path + size - 2, ".$", 2) == 0;
    const char *middle = strstr(path, ".$.");
    if (middle != NULL) {
        return ds__error_set(err, 31394,
                             "As of 4.4, it's illegal to specify positional operator in the middle "
                             "of a path. Positional projection may only be used at the end, for "
                             "example: a.b.$");
    }
    if (*positional && !is_find(c)) {
        return ds__error_set(err, 31324,
                             "Cannot use positional projection in aggregation projection");
    }
    return true;
}

static bool parse_positional(ds__project_compiler *c, const char *path, ds_value value,
                             ds_error *err) {
    ds__project_field *f;
    if (value.type == DS_DOCUMENT) {
        return ds__error_set(err, 31271,
                             "positional projection cannot be used with an expression or sub "
                             "object");
    }
    if (!ds__is_number(value) && value.type != DS_BOOL) {
        return ds__error_set(err, 31308, "positional projection cannot be used with a literal");
    }
    if (!ds__value_truthy(value)) {
        return ds__error_set(err, 31395, "positional projection cannot be used with exclusion");
    }
    if (c->projection->positional) {
        return ds__error_set(err, 31276,
                             "Cannot specify more than one positional projection per query.");
    }
    if (c->has_elem_match) {
        return ds__error_set(err, 31256, "Cannot specify positional operator and $elemMatch.");
    }
    if (!set_mode(c, DS_MODE_INCLUDE, path, err) ||
        !ds__project_check_path(path, strlen(path) - 2, err)) {
        return false;
    }
    c->projection->positional = true;
    return ds__project_add(c, path, strlen(path) - 2, DS_RULE_INCLUDE, true, &f, err);
}

static bool parse_flag(ds__project_compiler *c, const char *path, bool include, ds_error *err) {
    ds__project_field *f;
    if (strcmp(path, "_id") == 0) {
        /* fits either mode; an exclusion of it is added at the end */
        if (include) {
            c->id_included = true;
            return ds__project_add(c, path, 3, DS_RULE_INCLUDE, false, &f, err);
        }
        c->id_excluded = true;
        return ds__project_add(c, path, 3, DS_RULE_EXCLUDE, false, &f, err);
    }
    /* a collision is reported before a clash of modes */
    return ds__project_check_path(path, strlen(path), err) &&
           ds__project_add(c, path, strlen(path), include ? DS_RULE_INCLUDE : DS_RULE_EXCLUDE,
                           false, &f, err) &&
           set_mode(c, include ? DS_MODE_INCLUDE : DS_MODE_EXCLUDE, path, err);
}

static int64_t slice_number(ds_value v) {
    int64_t n = ds__number_to_int64(v);
    return n > INT32_MAX ? INT32_MAX : n < -INT32_MAX ? -INT32_MAX : n;
}

/* find()'s own $slice: a number, or [skip, limit]. False when the argument has another form. */
static bool read_slice(ds_value arg, int64_t *skip, int64_t *limit) {
    if (ds__is_number(arg)) {
        int64_t n = slice_number(arg);
        *skip = n < 0 ? n : 0;
        *limit = n < 0 ? -n : n;
        return true;
    }
    if (arg.type != DS_ARRAY || ds__doc_count(arg) != 2) {
        return false;
    }
    ds_value a = ds__array_at(arg, 0), b = ds__array_at(arg, 1);
    if (!ds__is_number(a) || !ds__is_number(b) || slice_number(b) <= 0) {
        return false;
    }
    *skip = slice_number(a);
    *limit = slice_number(b);
    return true;
}

/* `*done` stays false when the argument must be read as an expression. */
static bool parse_slice(ds__project_compiler *c, const char *path, ds_value arg, bool *done,
                        ds_error *err) {
    int64_t skip, limit;
    ds_error collision;
    ds__project_field *f;
    *done = false;
    if (!read_slice(arg, &skip, &limit)) {
        return true;
    }
    if (!ds__project_check_path(path, strlen(path), err)) {
        return false;
    }
    if (!ds__project_add(c, path, strlen(path), DS_RULE_SLICE, false, &f, &collision)) {
        return true;
    }
    f->skip = skip;
    f->limit = limit;
    c->has_slice = c->projection->special = *done = true;
    return true;
}

static bool parse_elem_match(ds__project_compiler *c, const char *path, ds_value spec, ds_value arg,
                             ds_error *err) {
    ds__project_field *f;
    ds__filter *match = NULL;
    ds__filter_options options = {.scope = c->scope, .no_expr = true};
    bool ok = false;
    ds_buf buf = {0};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 31274, "elemMatch: Invalid argument, object required, but got %s",
                             ds__type_name(arg.type));
    }
    if (c->projection->positional) {
        return ds__error_set(err, 31255, "Cannot specify positional operator and $elemMatch.");
    }
    if (strchr(path, '.') != NULL) {
        return ds__error_set(err, 31275, "Cannot use $elemMatch projection on a nested field.");
    }
    size_t root = ds__doc_begin(&buf);
    ds__write_value(&buf, path, strlen(path), spec);
    ds__doc_end(&buf, root);
    if (!ds__project_check_path(path, strlen(path), err) || !ds_buf_ok(&buf, err) ||
        !ds__filter_compile(c->env, ds__document(buf.data), &options, &match, err)) {
        goto done;
    }
    if (!ds__project_add(c, path, strlen(path), DS_RULE_ELEM_MATCH, false, &f, err)) {
        goto done;
    }
    f->match = match;
    c->has_elem_match = c->projection->special = true;
    ok = true;
done:
    ds_buf_clear(&buf);
    return ok;
}

/* Metadata fits either mode, and settles none. */
static bool add_expression(ds__project_compiler *c, const char *path, ds_value value, bool meta,
                           ds_error *err) {
    ds__project_field *f;
    ds__expr *expr = NULL;
    c->has_meta = c->has_meta || meta;
    if ((!meta && !set_mode(c, DS_MODE_INCLUDE, path, err)) ||
        !ds__project_check_path(path, strlen(path), err) ||
        !ds__expr_compile(c->env, c->scope, value, &expr, err) ||
        !ds__project_add(c, path, strlen(path), DS_RULE_COMPUTE, false, &f, err)) {
        return false;
    }
    f->expr = expr;
    return true;
}

static bool parse_literal(ds__project_compiler *c, const char *path, ds_value value,
                          ds_error *err) {
    if (c->projection->mode == DS_MODE_EXCLUDE) {
        char text[DS_MAX_QUOTED + 8];
        ds__project_field *f;
        if (!ds__project_add(c, path, strlen(path), DS_RULE_COMPUTE, false, &f, err)) {
            return false; /* a collision is reported first */
        }
        return ds__error_set(err, 31310,
                             "Cannot use an expression %.*s: %s in an exclusion projection",
                             DS_MAX_QUOTED, path, ds__value_quote(value, text, sizeof text));
    }
    return add_expression(c, path, value, false, err);
}

/* {$operator: argument}. */
static bool parse_operator(ds__project_compiler *c, const char *path, ds_value spec,
                           const ds__iter *op, ds_error *err) {
    if (is_find(c) && strcmp(op->key, "$slice") == 0) {
        bool done = false;
        if (!parse_slice(c, path, op->value, &done, err) || done) {
            return done;
        }
    } else if (is_find(c) && strcmp(op->key, "$elemMatch") == 0) {
        return parse_elem_match(c, path, spec, op->value, err);
    } else if (strcmp(op->key, "$meta") == 0) {
        return add_expression(c, path, spec, true, err);
    } else if (strcmp(op->key, "$elemMatch") == 0) {
        return ds__error_set(err, DS_INVALID_PIPELINE_OPERATOR,
                             "Cannot use $elemMatch in this context");
    } else if (ds__expr_find_op(op->key, op->key_size) == NULL) {
        return ds__error_set(err, 31325, "Unknown expression %.*s", DS_MAX_QUOTED, op->key);
    }
    if (c->projection->mode == DS_MODE_EXCLUDE) {
        return ds__error_set(err, 31252,
                             "Cannot use expression other than $meta in exclusion projection");
    }
    return add_expression(c, path, spec, false, err);
}

static bool parse_object(ds__project_compiler *c, const char *path, ds_value value, ds_error *err) {
    ds__iter it;
    if (ds__doc_empty(value)) {
        return ds__error_set(err, 51270,
                             "An empty sub-projection is not a valid value. Found empty object at "
                             "path %.*s",
                             DS_MAX_QUOTED, path);
    }
    ds__iter_init(&it, value);
    ds__iter_next(&it);
    if (it.key[0] == '$' && it.at == it.end) {
        return parse_operator(c, path, value, &it, err);
    }
    if (++c->depth > DS_MAX_EXPR_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "projection is nested too deeply");
    }
    ds__iter_init(&it, value);
    while (ds__iter_next(&it)) {
        if (!parse_field(c, path, it.key, it.value, err)) {
            return false;
        }
    }
    c->depth--;
    return true;
}

static bool parse_field(ds__project_compiler *c, const char *parent, const char *name,
                        ds_value value, ds_error *err) {
    bool positional = false;
    const char *path = ds__project_join(c, parent, name);
    if (path == NULL) {
        return ds__error_oom(err);
    }
    if (parent[0] == 0 && !check_positional(c, path, &positional, err)) {
        return false;
    }
    if (positional) {
        return parse_positional(c, path, value, err);
    }
    if (!ds__project_check_path(path, strlen(path), err)) {
        return false;
    }
    if (value.type == DS_DOCUMENT) {
        return parse_object(c, path, value, err);
    }
    if (ds__is_number(value) || value.type == DS_BOOL) {
        return parse_flag(c, path, ds__value_truthy(value), err);
    }
    return parse_literal(c, path, value, err);
}

bool ds__project_parse_spec(ds__project_compiler *c, ds_value spec, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (!parse_field(c, "", it.key, it.value, err)) {
            return false;
        }
    }
    return true;
}
