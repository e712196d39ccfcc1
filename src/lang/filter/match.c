/* SPDX-License-Identifier: Apache-2.0 */
/* Matching: paths through documents and arrays to the values a predicate tests. An array at the end
 * of a path offers its elements and itself; an array on the way offers the documents in it, and the
 * element a numeric part names. */
#include "bson/scan.h"
#include "lang/filter/internal.h"

static inline bool test_order(const ds__filter *f, ds_value v) {
    if (f->number_exact) {
        int c = ds__filter_fast_compare(f, v);
        if (c != -2) {
            switch (f->op) {
            case DS_FILTER_EQ:
                return c == 0;
            case DS_FILTER_LT:
                return c < 0;
            case DS_FILTER_LTE:
                return c <= 0;
            case DS_FILTER_GT:
                return c > 0;
            default:
                return c >= 0;
            }
        }
    }
    return ds__filter_test_compare(f, v);
}

static bool test_children(const ds__filter *f, ds_value v, ds__match *m, ds__match_info *info) {
    bool any = f->op != DS_FILTER_AND;
    for (size_t i = 0; i < f->child_count && !m->failed; i++) {
        if (ds__filter_test(f->children[i], v, m, info) == any) {
            return any;
        }
    }
    return !any;
}

bool ds__filter_test(const ds__filter *f, ds_value v, ds__match *m, ds__match_info *info) {
    switch (f->op) {
    case DS_FILTER_EQ:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        return test_order(f, v);
    case DS_FILTER_IN:
        return ds__filter_test_in(f, v, m);
    case DS_FILTER_EXISTS:
        return v.type != DS_MISSING;
    case DS_FILTER_TYPE:
        return ds__filter_test_type(f, v);
    case DS_FILTER_SIZE:
        return v.type == DS_ARRAY && ds__doc_count(v) == (size_t)f->operand.as.i32;
    case DS_FILTER_MOD:
        return ds__filter_test_mod(f, v);
    case DS_FILTER_REGEX:
        return ds__filter_test_regex(f->operand, f->detail, v, m);
    case DS_FILTER_ELEM_MATCH_OBJECT:
    case DS_FILTER_ELEM_MATCH_VALUE:
        return ds__filter_test_elem_match(f, v, m, info);
    case DS_FILTER_BITS:
        return ds__filter_test_bits(f, v);
    case DS_FILTER_AND:
    case DS_FILTER_OR:
        return test_children(f, v, m, info);
    case DS_FILTER_NOR:
    case DS_FILTER_NOT:
        return !test_children(f, v, m, NULL);
    case DS_FILTER_TRUE:
        return true;
    case DS_FILTER_OTHER:
        return ds__filter_test_sample(f);
    case DS_FILTER_FALSE:
    case DS_FILTER_ALL:
    case DS_FILTER_EXPR:
    case DS_FILTER_JSON_SCHEMA:
        return false;
    }
    return false;
}

/* Whether the predicate is offered the elements of an array at the path's end. */
static inline bool traverses_leaf(const ds__filter *f) {
    return f->op != DS_FILTER_SIZE && f->op != DS_FILTER_ELEM_MATCH_OBJECT &&
           f->op != DS_FILTER_ELEM_MATCH_VALUE;
}

static inline bool at_position(ds__match_info *info, size_t i) {
    if (info != NULL) {
        info->has_position = true;
        info->position = i;
    }
    return true;
}

static bool walk_doc(const ds__filter *f, ds_value doc, uint32_t part, ds__match *m,
                     ds__match_info *info);

/* An array where the path ends. */
static bool walk_leaf_array(const ds__filter *f, ds_value array, ds__match *m,
                            ds__match_info *info) {
    if (traverses_leaf(f)) {
        ds__iter it;
        ds__iter_init(&it, array);
        for (size_t i = 0; ds__iter_next(&it) && ds__match_element(m, i); i++) {
            if (ds__filter_test(f, it.value, m, info)) {
                return at_position(info, i);
            }
        }
    }
    return ds__filter_test(f, array, m, info);
}

/* An array with parts of the path still to go. */
static bool walk_array(const ds__filter *f, ds_value array, uint32_t part, ds__match *m,
                       ds__match_info *info) {
    /* an empty last part ("a.") is no part for an array */
    if (part == f->path.count || (part + 1 == f->path.count && f->path.parts[part].size == 0)) {
        return walk_leaf_array(f, array, m, info);
    }
    int32_t wanted = f->path.parts[part].index;
    ds__iter it;
    ds__iter_init(&it, array);
    for (int32_t i = 0; ds__iter_next(&it) && ds__match_step(m, 1); i++) {
        bool hit = it.value.type == DS_DOCUMENT && walk_doc(f, it.value, part, m, info);
        if (!hit && i == wanted) {
            if (part + 1 == f->path.count) {
                hit = ds__filter_test(f, it.value, m, info);
            } else if (it.value.type == DS_DOCUMENT) {
                hit = walk_doc(f, it.value, part + 1, m, info);
            } else if (it.value.type == DS_ARRAY) {
                hit = walk_array(f, it.value, part + 1, m, info);
            }
        }
        if (hit) {
            return at_position(info, (size_t)i);
        }
    }
    return false;
}

static bool walk_doc(const ds__filter *f, ds_value doc, uint32_t part, ds__match *m,
                     ds__match_info *info) {
    for (;;) {
        const ds__path_part *name = &f->path.parts[part];
        ds_value v = ds__scan_find(doc, name->name, name->size);
        part++;
        if (v.type == DS_ARRAY) {
            return walk_array(f, v, part, m, info);
        }
        if (part == f->path.count) {
            return ds__filter_test(f, v, m, info);
        }
        if (v.type != DS_DOCUMENT) {
            return ds__filter_test(f, ds__missing(), m, info);
        }
        doc = v;
    }
}

/* A value as if a field held it: the path's first part is the value itself. */
static bool walk_value(const ds__filter *f, ds_value v, ds__match *m) {
    if (f->path.count == 0) {
        return ds__filter_test(f, v, m, NULL);
    }
    if (v.type == DS_ARRAY) {
        return walk_array(f, v, 1, m, NULL);
    }
    if (f->path.count == 1) {
        return ds__filter_test(f, v, m, NULL);
    }
    if (v.type == DS_DOCUMENT) {
        return walk_doc(f, v, 1, m, NULL);
    }
    return ds__filter_test(f, ds__missing(), m, NULL);
}

static bool value_children(const ds__filter *f, ds_value v, ds__match *m) {
    bool any = f->op != DS_FILTER_AND;
    for (size_t i = 0; i < f->child_count && !m->failed; i++) {
        if (ds__filter_value_node(f->children[i], v, m) == any) {
            return any;
        }
    }
    return !any;
}

bool ds__filter_value_node(const ds__filter *f, ds_value v, ds__match *m) {
    switch (f->op) {
    case DS_FILTER_AND:
    case DS_FILTER_OR:
        return value_children(f, v, m);
    case DS_FILTER_NOR:
    case DS_FILTER_NOT:
        return !value_children(f, v, m);
    case DS_FILTER_TRUE:
        return true;
    case DS_FILTER_FALSE:
    case DS_FILTER_EXPR:
        return false;
    case DS_FILTER_JSON_SCHEMA:
        return ds__schema_match(f->detail, v, m);
    case DS_FILTER_OTHER:
        return ds__filter_test_sample(f);
    default:
        return walk_value(f, v, m);
    }
}

static bool node_children(const ds__filter *f, ds_value doc, ds__match *m, ds__match_info *info) {
    bool any = f->op != DS_FILTER_AND;
    ds__filter *const *children = m->written && f->written ? f->written : f->children;
    for (size_t i = 0; i < f->child_count && !m->failed; i++) {
        if (ds__filter_node(children[i], doc, m, info) == any) {
            return any;
        }
    }
    return !any;
}

bool ds__filter_node(const ds__filter *f, ds_value doc, ds__match *m, ds__match_info *info) {
    switch (f->op) {
    case DS_FILTER_AND:
        return node_children(f, doc, m, info);
    case DS_FILTER_OR:
        return node_children(f, doc, m, NULL); /* a choice tells no position */
    case DS_FILTER_NOR:
    case DS_FILTER_NOT:
        return !node_children(f, doc, m, NULL);
    case DS_FILTER_TRUE:
        return true;
    case DS_FILTER_FALSE:
        return false;
    case DS_FILTER_EXPR:
        return ds__filter_test_expr(f, doc, m);
    case DS_FILTER_JSON_SCHEMA:
        return ds__schema_match(f->detail, doc, m);
    case DS_FILTER_OTHER:
        return ds__filter_test_sample(f);
    default:
        return walk_doc(f, doc, 0, m, info);
    }
}

static bool match(const ds__filter *filter, ds_value doc, ds__match *m, bool *matched,
                  ds__match_info *info) {
    if (info != NULL) {
        *info = (ds__match_info){0};
    }
    *matched = ds__filter_node(filter, doc, m, info) && !m->failed;
    return !m->failed;
}

bool ds__filter_match(const ds__filter *filter, ds_value doc, ds__eval *eval, bool *matched,
                      ds__match_info *info, ds_error *err) {
    ds__match m = {.eval = eval, .meter = eval ? eval->env->meter : NULL, .err = err};
    return match(filter, doc, &m, matched, info);
}

bool ds__filter_position(const ds__filter *filter, ds_value doc, ds__eval *eval, bool *matched,
                         ds__match_info *info, ds_error *err) {
    ds__match m = {
        .eval = eval, .meter = eval ? eval->env->meter : NULL, .err = err, .written = true};
    return match(filter, doc, &m, matched, info);
}

bool ds__filter_is_pure(const ds__filter *filter) {
    switch (filter->op) {
    case DS_FILTER_REGEX: /* keeps what it found */
    case DS_FILTER_EXPR:
    case DS_FILTER_JSON_SCHEMA:
    case DS_FILTER_OTHER:
        return false;
    case DS_FILTER_IN:
    case DS_FILTER_ALL:
        if (filter->regex_count > 0) {
            return false;
        }
        break;
    default:
        break;
    }
    for (size_t i = 0; i < filter->child_count; i++) {
        if (!ds__filter_is_pure(filter->children[i])) {
            return false;
        }
    }
    return filter->collator == NULL;
}
