/* SPDX-License-Identifier: Apache-2.0 */
/* $all $size $elemMatch. $all is an AND of equalities; $elemMatch has two faces: conditions on
 * documents in an array, and conditions on the elements themselves. */
#include "lang/filter/internal.h"

/* {$elemMatch: …} and nothing that makes it a document to equal. */
static bool is_elem_match(ds_value v) {
    ds__iter it;
    if (v.type != DS_DOCUMENT) {
        return false;
    }
    ds__iter_init(&it, v);
    return ds__iter_next(&it) && strcmp(it.key, "$elemMatch") == 0;
}

static bool add_all_item(ds__filter_parser *p, const ds__path *path, ds_value v, bool elem_match,
                         ds__filter_list *list, ds_error *err) {
    ds__filter *f = NULL;
    if (elem_match) {
        if (!is_elem_match(v)) {
            return ds__error_set(err, DS_BAD_VALUE, "$all/$elemMatch has to be consistent");
        }
        return ds__filter_parse_operators(p, path, v, list, err);
    }
    if (ds__filter_is_operators(v, false)) {
        return ds__error_set(err, DS_BAD_VALUE, "no $ expressions in $all");
    }
    bool made = v.type == DS_REGEX ? ds__filter_make_regex(p, path, v, &f, err)
                                   : ds__filter_make_compare(p, DS_FILTER_EQ, path, v, &f, err);
    return made && ds__filter_list_add(p, list, f, err);
}

DS_FILTER_FIELD(ds__filter_parse_all) {
    if (arg->value.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "$all needs an array");
    }
    if (ds__doc_empty(arg->value)) {
        *out = ds__filter_new(p, DS_FILTER_FALSE, NULL, err);
        return *out != NULL;
    }
    ds__filter_list list = {0};
    bool elem_match = is_elem_match(ds__array_at(arg->value, 0));
    ds__iter it;
    ds__iter_init(&it, arg->value);
    while (ds__iter_next(&it)) {
        if (!add_all_item(p, arg->path, it.value, elem_match, &list, err)) {
            return false;
        }
    }
    return ds__filter_make(p, DS_FILTER_AND, &list, out, err);
}

DS_FILTER_FIELD(ds__filter_parse_size) {
    char text[DS_MAX_QUOTED + 8];
    int64_t size = 0;
    const char *why = NULL;
    if (!ds__is_number(arg->value)) {
        why = "Expected a number in: ";
    } else if (!ds__value_exact_int64(arg->value, &size)) {
        why = "Expected an integer: ";
    } else if (size < 0) {
        why = "Expected a non-negative number in: ";
    } else if (size > INT32_MAX) {
        why = "Cannot represent as an int: ";
    }
    if (why != NULL) {
        return ds__error_set(err, DS_BAD_VALUE, "Failed to parse $size. %s$size: %s", why,
                             ds__value_quote(arg->value, text, sizeof text));
    }
    *out = ds__filter_new(p, DS_FILTER_SIZE, arg->path, err);
    if (*out == NULL) {
        return false;
    }
    (*out)->operand = ds__int32((int32_t)size);
    return true;
}

/* Conditions on elements: an operator document that is not led by an operator of documents. */
static bool tests_values(ds_value v) {
    ds__iter it;
    if (!ds__filter_is_operators(v, true)) {
        return false;
    }
    ds__iter_init(&it, v);
    return ds__iter_next(&it) && ds__filter_find_top_op(it.key, it.key_size) == NULL;
}

DS_FILTER_FIELD(ds__filter_parse_elem_match) {
    static const ds__path none = {.text = ""};
    if (arg->value.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE, "$elemMatch needs an Object");
    }
    bool values = tests_values(arg->value);
    ds__filter_list list = {0};
    ds__filter *child = NULL;
    bool was_nested = p->nested;
    p->nested = true;
    bool ok = values ? ds__filter_parse_operators(p, &none, arg->value, &list, err)
                     : ds__filter_parse_document(p, arg->value, &child, err) &&
                           ds__filter_list_add(p, &list, child, err);
    p->nested = was_nested;
    if (!ok ||
        !ds__filter_make(p, values ? DS_FILTER_ELEM_MATCH_VALUE : DS_FILTER_ELEM_MATCH_OBJECT,
                         &list, out, err)) {
        return false;
    }
    (*out)->path = *arg->path;
    (*out)->operand = arg->value;
    return true;
}

bool ds__filter_test_elem_match(const ds__filter *f, ds_value v, ds__match *m,
                                ds__match_info *info) {
    if (v.type != DS_ARRAY) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, v);
    for (size_t i = 0; ds__iter_next(&it) && ds__match_step(m, 1); i++) {
        bool all = true;
        if (f->op == DS_FILTER_ELEM_MATCH_OBJECT) {
            all = (it.value.type == DS_DOCUMENT || it.value.type == DS_ARRAY) &&
                  ds__filter_node(f->children[0], it.value, m, NULL);
        } else {
            for (size_t j = 0; j < f->child_count && all; j++) {
                all = ds__filter_test(f->children[j], it.value, m, NULL);
            }
        }
        if (all && !m->failed) {
            if (info != NULL) {
                info->has_position = true;
                info->position = i;
            }
            return true;
        }
    }
    return false;
}
