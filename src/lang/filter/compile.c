/* SPDX-License-Identifier: Apache-2.0 */
/* Filter documents into trees of predicates. */
#include "lang/filter/internal.h"

ds__filter *ds__filter_new(ds__filter_parser *p, ds__filter_op op, const ds__path *path,
                           ds_error *err) {
    ds__filter *f = ds_arena_zalloc(p->env->arena, sizeof *f);
    if (f == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    f->op = op;
    f->collator = p->env->collator;
    if (path != NULL) {
        f->path = *path;
    }
    return f;
}

bool ds__filter_list_add(ds__filter_parser *p, ds__filter_list *list, ds__filter *item,
                         ds_error *err) {
    if (list->count == list->cap) {
        void *grown =
            ds_arena_grow(p->env->arena, list->items, list->count, &list->cap, sizeof *list->items);
        if (grown == NULL) {
            return ds__error_oom(err);
        }
        list->items = grown;
    }
    list->items[list->count++] = item;
    return true;
}

bool ds__filter_make(ds__filter_parser *p, ds__filter_op op, const ds__filter_list *list,
                     ds__filter **out, ds_error *err) {
    ds__filter *f = ds__filter_new(p, op, NULL, err);
    if (f == NULL) {
        return false;
    }
    f->children = list->items;
    f->child_count = list->count;
    *out = f;
    return true;
}

bool ds__filter_negate(ds__filter_parser *p, ds__filter *child, ds__filter **out, ds_error *err) {
    ds__filter_list list = {0};
    return ds__filter_list_add(p, &list, child, err) &&
           ds__filter_make(p, DS_FILTER_NOT, &list, out, err);
}

static bool is_dbref(ds_value doc, bool incomplete) {
    bool ref = false, id = false, db = false;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        ref = ref || strcmp(it.key, "$ref") == 0;
        id = id || strcmp(it.key, "$id") == 0;
        db = db || strcmp(it.key, "$db") == 0;
    }
    return incomplete ? ref || id || db : ref && id;
}

bool ds__filter_is_operators(ds_value v, bool incomplete_dbref) {
    if (v.type != DS_DOCUMENT || ds__doc_empty(v)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, v);
    return ds__iter_next(&it) && it.key[0] == '$' && !is_dbref(v, incomplete_dbref);
}

bool ds__filter_parse_operators(ds__filter_parser *p, const ds__path *path, ds_value doc,
                                ds__filter_list *list, ds_error *err) {
    if (++p->depth > DS_FILTER_MAX_DEPTH) {
        return ds__error_set(err, DS_BAD_VALUE, "exceeded maximum query tree depth of %d",
                             DS_FILTER_MAX_DEPTH);
    }
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        const ds__filter_field_op *op = ds__filter_find_field_op(it.key, it.key_size);
        if (op == NULL) {
            return ds__error_set(err, DS_BAD_VALUE, "unknown operator: %.*s", DS_MAX_QUOTED,
                                 it.key);
        }
        ds__filter_arg arg = {path, it.key, it.value, doc};
        ds__filter *f = NULL;
        if (!op->parse(p, op, &arg, &f, err) ||
            (f != NULL && !ds__filter_list_add(p, list, f, err))) {
            return false;
        }
    }
    p->depth--;
    return true;
}

/* {path: value} as it stands in a filter: operators, a regex or an equality. */
static bool parse_field(ds__filter_parser *p, const ds__path *path, ds_value value,
                        ds__filter_list *list, ds_error *err) {
    if (ds__filter_is_operators(value, false)) {
        return ds__filter_parse_operators(p, path, value, list, err);
    }
    ds__filter *f = NULL;
    bool made = value.type == DS_REGEX
                    ? ds__filter_make_regex(p, path, value, &f, err)
                    : ds__filter_make_compare(p, DS_FILTER_EQ, path, value, &f, err);
    return made && ds__filter_list_add(p, list, f, err);
}

static bool parse_top(ds__filter_parser *p, const ds__iter *it, ds__filter_list *list,
                      ds_error *err) {
    const ds__filter_top_op *op = ds__filter_find_top_op(it->key, it->key_size);
    if (op == NULL) {
        return ds__error_set(
            err, DS_BAD_VALUE, "unknown top level operator: %.*s. %s", DS_MAX_QUOTED, it->key,
            strcmp(it->key, "$not") == 0
                ? "If you are trying to negate an entire expression, use $nor."
                : "If you have a field name that starts with a '$' symbol, consider using "
                  "$getField or $setField.");
    }
    ds__filter *f = NULL;
    return op->parse(p, op, it->value, &f, err) &&
           (f == NULL || ds__filter_list_add(p, list, f, err));
}

bool ds__filter_parse_document(ds__filter_parser *p, ds_value doc, ds__filter **out,
                               ds_error *err) {
    if (++p->depth > DS_FILTER_MAX_DEPTH) {
        return ds__error_set(err, DS_BAD_VALUE, "exceeded maximum query tree depth of %d",
                             DS_FILTER_MAX_DEPTH);
    }
    ds__filter_list list = {0};
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        bool dbref =
            strcmp(it.key, "$ref") == 0 || strcmp(it.key, "$id") == 0 || strcmp(it.key, "$db") == 0;
        if (it.key[0] == '$' && !dbref) {
            if (!parse_top(p, &it, &list, err)) {
                return false;
            }
            continue;
        }
        ds__path path;
        if (!ds__path_parse(p->env->arena, it.key, it.key_size, &path)) {
            return ds__error_oom(err);
        }
        if (path.count > DS_MAX_DEPTH) {
            return ds__error_set(err, 5729100, "FieldPath is too long");
        }
        if (!parse_field(p, &path, it.value, &list, err)) {
            return false;
        }
    }
    p->depth--;
    return ds__filter_make(p, DS_FILTER_AND, &list, out, err);
}

/* The order in which mongod keeps the children of AND and OR; it shows in explain, and it decides
 * which match tells the position. */
static int op_order(const ds__filter *f) {
    switch (f->op) {
    case DS_FILTER_AND:
        return 0;
    case DS_FILTER_OR:
        return 1;
    case DS_FILTER_ELEM_MATCH_OBJECT:
        return 2;
    case DS_FILTER_ELEM_MATCH_VALUE:
        return 3;
    case DS_FILTER_SIZE:
        return 4;
    case DS_FILTER_EQ:
        return 5;
    case DS_FILTER_LTE:
        return 6;
    case DS_FILTER_LT:
        return 7;
    case DS_FILTER_GT:
        return 8;
    case DS_FILTER_GTE:
        return 9;
    case DS_FILTER_REGEX:
        return 10;
    case DS_FILTER_MOD:
        return 11;
    case DS_FILTER_EXISTS:
        return 12;
    case DS_FILTER_IN:
        return 13;
    case DS_FILTER_BITS:
        return 14 + (int)((const ds__filter_bits *)f->detail)->test;
    case DS_FILTER_NOT:
        return 18;
    case DS_FILTER_NOR:
        return 19;
    case DS_FILTER_TYPE:
        return 20;
    case DS_FILTER_EXPR:
        return 21;
    case DS_FILTER_FALSE:
        return 22;
    case DS_FILTER_TRUE:
        return 23;
    case DS_FILTER_ALL:
    case DS_FILTER_JSON_SCHEMA:
    case DS_FILTER_OTHER:
        return 24;
    }
    return 24;
}

static const ds__path *order_path(const ds__filter *f) {
    while (f->op == DS_FILTER_NOT) {
        f = f->children[0];
    }
    return &f->path;
}

static int compare_order(const ds__filter *a, const ds__filter *b) {
    int x = op_order(a), y = op_order(b);
    if (x != y) {
        return x < y ? -1 : 1;
    }
    const ds__path *ap = order_path(a), *bp = order_path(b);
    return strcmp(ap->text ? ap->text : "", bp->text ? bp->text : "");
}

/* Merge sort with n/2 places of spare room: stable, and quick for filters of any length. */
static void sort_nodes(ds__filter **v, size_t n, ds__filter **spare) {
    if (n < 2) {
        return;
    }
    size_t half = n / 2;
    sort_nodes(v, half, spare);
    sort_nodes(v + half, n - half, spare);
    if (compare_order(v[half - 1], v[half]) <= 0) {
        return;
    }
    memcpy(spare, v, half * sizeof *v);
    size_t i = 0, j = half, k = 0;
    while (i < half && j < n) {
        v[k++] = compare_order(spare[i], v[j]) <= 0 ? spare[i++] : v[j++];
    }
    while (i < half) {
        v[k++] = spare[i++];
    }
}

static bool is_sorted(const ds__filter *f) {
    for (size_t i = 1; i < f->child_count; i++) {
        if (compare_order(f->children[i - 1], f->children[i]) > 0) {
            return false;
        }
    }
    return true;
}

/* Without memory the order stays: it means the same. */
static void sort_children(ds__filter_parser *p, ds__filter *f) {
    if (is_sorted(f)) {
        return;
    }
    size_t n = f->child_count;
    ds__filter **written = ds_arena_copy(p->env->arena, f->children, n * sizeof *written);
    ds__filter **spare = ds_arena_alloc(p->env->arena, (n / 2 + 1) * sizeof *spare);
    if (written != NULL && spare != NULL) {
        f->written = written;
        sort_nodes(f->children, n, spare);
    }
}

/* AND in AND and OR in OR become one. Without memory the tree stays: it means the same. */
static void flatten(ds__filter_parser *p, ds__filter *f) {
    ds__filter_list list = {0};
    bool nested = false;
    for (size_t i = 0; i < f->child_count; i++) {
        nested = nested || f->children[i]->op == f->op;
    }
    if (!nested) {
        return;
    }
    ds_error ignored;
    for (size_t i = 0; i < f->child_count; i++) {
        ds__filter *c = f->children[i];
        bool same = c->op == f->op;
        for (size_t j = 0; j < (same ? c->child_count : 1); j++) {
            if (!ds__filter_list_add(p, &list, same ? c->children[j] : c, &ignored)) {
                return;
            }
        }
    }
    f->children = list.items;
    f->child_count = list.count;
}

/* $in of one value is an equality. */
static ds__filter *in_of_one(ds__filter_parser *p, ds__filter *f) {
    ds__filter *eq = NULL;
    ds_error ignored;
    if (f->value_count != 1 || f->regex_count != 0 ||
        !ds__filter_make_compare(p, DS_FILTER_EQ, &f->path, f->values[0], &eq, &ignored)) {
        return f;
    }
    return eq;
}

ds__filter *ds__filter_optimize(ds__filter_parser *p, ds__filter *f) {
    for (size_t i = 0; i < f->child_count; i++) {
        f->children[i] = ds__filter_optimize(p, f->children[i]);
    }
    switch (f->op) {
    case DS_FILTER_AND:
    case DS_FILTER_OR:
        flatten(p, f);
        sort_children(p, f);
        if (f->child_count == 1) {
            return f->children[0];
        }
        return f->op == DS_FILTER_OR ? ds__filter_or_to_in(p, f) : f;
    case DS_FILTER_NOR:
        sort_children(p, f);
        if (f->child_count == 1) {
            f->op = DS_FILTER_NOT;
        }
        return f;
    case DS_FILTER_ELEM_MATCH_VALUE:
        sort_children(p, f);
        return f;
    case DS_FILTER_IN:
        return in_of_one(p, f);
    default:
        return f;
    }
}

bool ds__filter_compile(ds__env *env, ds_value spec, const ds__filter_options *options,
                        ds__filter **out, ds_error *err) {
    *out = NULL;
    if (spec.type == DS_MISSING) {
        static const uint8_t empty[5] = {5};
        spec = ds__document(empty);
    }
    if (spec.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "Expected a filter document, found %s",
                             ds__type_name(spec.type));
    }
    ds__filter_parser p = {.env = env, .scope = env->let};
    if (options != NULL) {
        p.scope = options->scope ? options->scope : env->let;
        p.no_expr = options->no_expr;
    }
    ds_value kept;
    ds__filter *f = NULL;
    if (!ds__value_copy(env->arena, spec, &kept)) {
        return ds__error_oom(err);
    }
    if (!ds__filter_parse_document(&p, kept, &f, err)) {
        return false;
    }
    *out = ds__filter_optimize(&p, f);
    return true;
}
