/* SPDX-License-Identifier: Apache-2.0 */
/* The equalities an upsert copies into the new document, in the order of their paths. */
#include "lang/filter/internal.h"

/* Appends pointers of the EQ nodes that must hold. */
static void collect(const ds__filter *f, ds_buf *found) {
    if (f->op == DS_FILTER_EQ) {
        ds_buf_add(found, &f, sizeof f);
        return;
    }
    if (f->op == DS_FILTER_AND || (f->op == DS_FILTER_OR && f->child_count == 1)) {
        for (size_t i = 0; i < f->child_count; i++) {
            collect(f->children[i], found);
        }
    }
}

static void sort_by_path(const ds__filter **nodes, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const ds__filter *x = nodes[i];
        size_t j = i;
        for (; j > 0 && strcmp(nodes[j - 1]->path.text, x->path.text) > 0; j--) {
            nodes[j] = nodes[j - 1];
        }
        nodes[j] = x;
    }
}

static bool check_conflicts(const ds__filter *const *nodes, size_t n, ds_error *err) {
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            const ds__path *a = &nodes[i]->path, *b = &nodes[j]->path;
            if (a->size == b->size && memcmp(a->text, b->text, a->size) == 0) {
                return ds__error_set(err, DS_NOT_SINGLE_VALUE_FIELD,
                                     "cannot infer query fields to set, path '%.*s' is matched "
                                     "twice",
                                     DS_MAX_QUOTED, a->text);
            }
            if (ds__path_is_prefix(a, b) || ds__path_is_prefix(b, a)) {
                return ds__error_set(err, DS_NOT_SINGLE_VALUE_FIELD,
                                     "cannot infer query fields to set, both paths '%.*s' and "
                                     "'%.*s' are matched",
                                     DS_MAX_QUOTED, a->text, DS_MAX_QUOTED, b->text);
            }
        }
    }
    return true;
}

bool ds__filter_equalities(const ds__filter *filter,
                           bool (*add)(void *ctx, const ds__path *path, ds_value v, ds_error *err),
                           void *ctx, ds_error *err) {
    bool ok = false;
    ds_buf found = {0};
    collect(filter, &found);
    if (!ds_buf_ok(&found, err)) {
        goto done;
    }
    const ds__filter **nodes = (const ds__filter **)(void *)found.data;
    size_t n = found.size / sizeof *nodes;
    sort_by_path(nodes, n);
    if (!check_conflicts(nodes, n, err)) {
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        if (!add(ctx, &nodes[i]->path, nodes[i]->operand, err)) {
            goto done;
        }
    }
    ok = true;
done:
    ds_buf_clear(&found);
    return ok;
}
