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
