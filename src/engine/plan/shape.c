/* SPDX-License-Identifier: Apache-2.0 */
/* What queries have in common that differ in their values only. */
#include "engine/plan/shape.h"

static void add_filter(const ds__filter *f, ds_buf *out) {
    ds_buf_add_byte(out, (uint8_t)(f->op + 1));
    if (f->path.text != NULL) {
        ds_buf_add(out, f->path.text, f->path.size);
    }
    ds_buf_add_byte(out, 0);
    if (f->op == DS_FILTER_IN) {
        ds_buf_add_byte(out, f->regex_count > 0);
    }
    if (f->op == DS_FILTER_EXISTS) {
        ds_buf_add_byte(out, f->flag);
    }
    for (size_t i = 0; i < f->child_count; i++) {
        add_filter(f->children[i], out);
    }
    ds_buf_add_byte(out, 0);
}

bool ds__plan_shape(const ds__query *q, ds_buf *out, ds_error *err) {
    if (q->filter != NULL) {
        add_filter(q->filter, out);
    }
    ds_buf_add_byte(out, 0);
    for (size_t i = 0; q->sort != NULL && i < q->sort->count; i++) {
        const ds__sort_part *part = &q->sort->parts[i];
        ds_buf_add_byte(out, part->descending ? 2 : 1);
        ds_buf_add(out, part->path.text, part->path.size + 1);
    }
    ds_buf_add_byte(out, 0);
    return ds_buf_ok(out, err);
}
