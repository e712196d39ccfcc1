/* SPDX-License-Identifier: Apache-2.0 */
/* From bounds of parts to spans of whole keys: points multiply, a range comes last. */
#include <stdlib.h>

#include "bson/key.h"
#include "engine/index/index.h"
#include "engine/plan/candidate.h"

void ds__plan_add_cut(ds_buf *buf, const ds__index_part *part, const ds__span *span, bool lower) {
    const ds__cut *cut = lower != part->descending ? &span->lo : &span->hi;
    bool after = cut->after != part->descending;
    ds__index_kind_add(part->kind, cut->value, part->descending, buf);
    if (after) {
        ds__key_add_max(buf, false);
    }
}

typedef struct builder {
    ds_arena *arena;
    const ds__candidate *k;
    ds__interval *items;
    size_t count;
    ds_error *err;
} builder;

static bool add_interval(builder *b, const ds_buf *prefix, const ds__index_part *part,
                         const ds__span *span) {
    ds_buf buf = {0};
    ds_buf_fail_as(&buf, prefix);
    ds_buf_add(&buf, prefix->data, prefix->size);
    ds__plan_add_cut(&buf, part, span, true);
    size_t middle = buf.size;
    ds_buf_add(&buf, prefix->data, prefix->size);
    ds__plan_add_cut(&buf, part, span, false);
    uint8_t *bytes = buf.failed ? NULL : ds_arena_copy(b->arena, buf.data, buf.size);
    if (bytes != NULL) {
        b->items[b->count++] = (ds__interval){.lo = bytes,
                                              .hi = bytes + middle,
                                              .lo_size = middle,
                                              .hi_size = buf.size - middle,
                                              .lo_inclusive = true};
    }
    ds_buf_clear(&buf);
    return bytes != NULL || ds__error_oom(b->err);
}

static bool build_part(builder *b, size_t i, ds_buf *prefix) {
    const ds__index_part *part = &b->k->index->parts[i];
    const ds__bounds *bounds = &b->k->parts[i];
    bool last = i + 1 == b->k->used;
    for (size_t s = 0; s < bounds->count; s++) {
        const ds__span *span = &bounds->spans[part->descending ? bounds->count - 1 - s : s];
        if (last) {
            if (!add_interval(b, prefix, part, span)) {
                return false;
            }
            continue;
        }
        size_t size = prefix->size;
        ds__index_kind_add(part->kind, span->lo.value, part->descending, prefix);
        if (!build_part(b, i + 1, prefix)) {
            return false;
        }
        prefix->size = size;
    }
    return true;
}

static int compare_intervals(const void *x, const void *y) {
    const ds__interval *a = x;
    const ds__interval *b = y;
    size_t n = a->lo_size < b->lo_size ? a->lo_size : b->lo_size;
    int order = memcmp(a->lo, b->lo, n);
    return order != 0 ? order : a->lo_size < b->lo_size ? -1 : a->lo_size > b->lo_size;
}

bool ds__plan_intervals(ds_arena *arena, const ds__candidate *k, ds__plan *plan, ds_error *err) {
    if (k->used == 0) {
        plan->intervals = ds_arena_zalloc(arena, sizeof *plan->intervals);
        plan->interval_count = 1;
        return plan->intervals != NULL || ds__error_oom(err);
    }
    size_t n = 1;
    for (size_t i = 0; i < k->used; i++) {
        n *= k->parts[i].count;
    }
    builder b = {.arena = arena, .k = k, .err = err};
    b.items = ds_arena_alloc(arena, (n + 1) * sizeof *b.items);
    if (b.items == NULL) {
        return ds__error_oom(err);
    }
    ds_buf prefix = {0};
    bool ok = build_part(&b, 0, &prefix);
    ds_buf_clear(&prefix);
    if (!ok) {
        return false;
    }
    if (!k->index->kind->ordered && b.count > 1) {
        qsort(b.items, b.count, sizeof *b.items, compare_intervals);
    }
    if (plan->backward) {
        for (size_t i = 0; i < b.count / 2; i++) {
            ds__interval t = b.items[i];
            b.items[i] = b.items[b.count - 1 - i];
            b.items[b.count - 1 - i] = t;
        }
    }
    plan->intervals = b.items;
    plan->interval_count = b.count;
    return true;
}
