/* SPDX-License-Identifier: Apache-2.0 */
/* The specifications of $addFields / $set and $unset. */
#include "lang/projection/internal.h"

static bool add_value(ds__project_compiler *c, const char *path, ds_value value, ds_error *err) {
    ds__project_field *f;
    ds__expr *expr = NULL;
    if (!ds__expr_compile(c->env, c->scope, value, &expr, err) ||
        !ds__project_add(c, path, strlen(path), DS_RULE_COMPUTE, false, &f, err)) {
        return false;
    }
    f->expr = expr;
    return true;
}

static bool parse_value(ds__project_compiler *c, const char *path, ds_value value, ds_error *err) {
    char text[DS_MAX_QUOTED + 8];
    ds__iter it;
    if (value.type != DS_DOCUMENT) {
        return add_value(c, path, value, err);
    }
    if (ds__doc_empty(value)) {
        return ds__error_set(err, 40180,
                             "an empty object is not a valid value. Found empty object at path "
                             "%.*s",
                             DS_MAX_QUOTED, path);
    }
    ds__iter_init(&it, value);
    ds__iter_next(&it);
    if (it.key[0] == '$') {
        if (it.at != it.end) {
            return ds__error_set(err, 40181,
                                 "an expression specification must contain exactly one field, the "
                                 "name of the expression. Found %zu fields in %s",
                                 ds__doc_count(value), ds__value_quote(value, text, sizeof text));
        }
        return add_value(c, path, value, err);
    }
    if (++c->depth > DS_MAX_EXPR_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "$addFields is nested too deeply");
    }
    ds__iter_init(&it, value);
    while (ds__iter_next(&it)) {
        if (it.key[0] == '$') {
            return ds__error_set(err, 40181, "cannot have a '$' field among others in %s",
                                 ds__value_quote(value, text, sizeof text));
        }
        if (strchr(it.key, '.') != NULL) {
            return ds__error_set(err, 40183, "cannot use dotted field name '%.*s' in a sub object",
                                 DS_MAX_QUOTED, it.key);
        }
        const char *below = ds__project_join(c, path, it.key);
        if (below == NULL) {
            return ds__error_oom(err);
        }
        if (!ds__project_check_path(below, strlen(below), err) ||
            !parse_value(c, below, it.value, err)) {
            return false;
        }
    }
    c->depth--;
    return true;
}

bool ds__project_parse_add_fields(ds__project_compiler *c, ds_value spec, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (!ds__project_check_path(it.key, it.key_size, err) ||
            !parse_value(c, it.key, it.value, err)) {
            return false;
        }
    }
    return true;
}

static bool unset_path(ds__project_compiler *c, ds_value path, ds_error *err) {
    ds__project_field *f;
    return (ds__project_check_path(ds__text(path), path.size, err) &&
            ds__project_add(c, ds__text(path), path.size, DS_RULE_EXCLUDE, false, &f, err)) ||
           ds__error_prefix(err, "Invalid $unset :: caused by :: ");
}

bool ds__project_parse_unset(ds__project_compiler *c, ds_value spec, ds_error *err) {
    if (spec.type == DS_STRING) {
        return unset_path(c, spec, err);
    }
    if (spec.type != DS_ARRAY) {
        return ds__error_set(err, 31002, "$unset specification must be a string or an array");
    }
    if (ds__doc_empty(spec)) {
        return ds__error_set(err, 31119,
                             "$unset specification must be a string or an array with at least one "
                             "field");
    }
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_STRING) {
            return ds__error_set(err, 31120,
                                 "$unset specification must be a string or an array containing "
                                 "only string values");
        }
    }
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (!unset_path(c, it.value, err)) {
            return false;
        }
    }
    return true;
}
