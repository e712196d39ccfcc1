/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of single values: $pull's condition and the array filters of updates. A value is treated
 * as if a field held it, so an array in an array offers its elements too. */
#include "lang/filter/internal.h"

/* The condition is a whole document filter for document values. */
static bool compile_document(ds__filter_parser *p, ds_value spec, ds__filter **out, ds_error *err) {
    ds__filter *f = NULL;
    ds__filter_list list = {0};
    if (!ds__filter_parse_document(p, spec, &f, err) ||
        !ds__filter_list_add(p, &list, ds__filter_optimize(p, f), err) ||
        !ds__filter_make(p, DS_FILTER_ELEM_MATCH_OBJECT, &list, out, err)) {
        return false;
    }
    (*out)->flag = true;
    return true;
}

static bool leads_with_field_op(ds_value v) {
    ds__iter it;
    ds__iter_init(&it, v);
    return ds__iter_next(&it) && ds__filter_find_field_op(it.key, it.key_size) != NULL;
}

bool ds__filter_compile_value(ds__env *env, ds_value spec, ds__filter **out, ds_error *err) {
    ds__filter_parser p = {.env = env, .scope = env->let, .no_expr = true};
    ds__filter_list list = {0};
    ds__filter *f = NULL;
    ds__path path = {0};
    ds_value kept;
    *out = NULL;
    if (!ds__value_copy(env->arena, spec, &kept)) {
        return ds__error_oom(err);
    }
    if (kept.type == DS_DOCUMENT && !leads_with_field_op(kept)) {
        return compile_document(&p, kept, out, err);
    }
    if (kept.type != DS_DOCUMENT && kept.type != DS_REGEX) {
        /* plain equality, null included, without a look into arrays */
        *out = ds__filter_new(&p, DS_FILTER_EQ, NULL, err);
        if (*out != NULL) {
            (*out)->operand = kept;
            (*out)->flag = true;
        }
        return *out != NULL;
    }
    if (!ds__path_parse(env->arena, "", 0, &path)) {
        return ds__error_oom(err);
    }
    if (kept.type == DS_REGEX) {
        return ds__filter_make_regex(&p, &path, kept, out, err);
    }
    if (!ds__filter_parse_operators(&p, &path, kept, &list, err) ||
        !ds__filter_make(&p, DS_FILTER_AND, &list, &f, err)) {
        return false;
    }
    *out = ds__filter_optimize(&p, f);
    return true;
}

bool ds__filter_match_value(const ds__filter *filter, ds_value value, ds__eval *eval, bool *matched,
                            ds_error *err) {
    ds__match m = {.eval = eval, .meter = eval ? eval->env->meter : NULL, .err = err};
    if (filter->op == DS_FILTER_EQ && filter->flag) {
        *matched = ds__value_equal(filter->operand, value, filter->collator);
    } else if (filter->op == DS_FILTER_ELEM_MATCH_OBJECT && filter->flag) {
        *matched =
            value.type == DS_DOCUMENT && ds__filter_node(filter->children[0], value, &m, NULL);
    } else {
        *matched = ds__filter_value_node(filter, value, &m);
    }
    *matched = *matched && !m.failed;
    return !m.failed;
}

/* The first part of every path, which must be the same. */
static bool find_identifier(const ds__filter *f, const char **name, ds_error *err) {
    if (f->path.count > 0) {
        const char *found = f->path.parts[0].name;
        if (*name != NULL && strcmp(*name, found) != 0) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Expected a single top-level field name, found '%.*s' and '%.*s'",
                                 DS_MAX_QUOTED, *name, DS_MAX_QUOTED, found);
        }
        *name = found;
        return true;
    }
    for (size_t i = 0; i < f->child_count; i++) {
        if (!find_identifier(f->children[i], name, err)) {
            return false;
        }
    }
    return true;
}

static bool is_identifier(const char *s) {
    if (*s < 'a' || *s > 'z') {
        return false;
    }
    while ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9')) {
        s++;
    }
    return *s == 0;
}

bool ds__filter_compile_array_filter(ds__env *env, ds_value spec, ds__filter **out,
                                     const char **identifier, ds_error *err) {
    ds__filter_options options = {.no_expr = true};
    ds__filter *f = NULL;
    *out = NULL;
    *identifier = NULL;
    if (!ds__filter_compile(env, spec, &options, &f, err) || !find_identifier(f, identifier, err)) {
        return false;
    }
    if (*identifier == NULL) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot use an expression without a top-level field name in "
                             "arrayFilters");
    }
    if (!is_identifier(*identifier)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The top-level field name must be an alphanumeric string beginning "
                             "with a lowercase letter, found '%.*s'",
                             DS_MAX_QUOTED, *identifier);
    }
    *out = f;
    return true;
}
