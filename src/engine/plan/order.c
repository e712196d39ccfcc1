/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting, skipping and limiting what comes from below. */
#include "base/limits.h"
#include "engine/plan/node.h"

typedef struct count_node {
    ds__node base;
    int64_t amount; /* as asked for */
    int64_t left;
} count_node;

static ds__step skip_next(ds__node *node, ds__row *row, ds_error *err) {
    count_node *self = (count_node *)node;
    for (;;) {
        ds__step step = ds__node_next(node->inputs[0], row, err);
        if (step != DS_STEP_ROW || self->left == 0) {
            return step;
        }
        self->left--;
        node->passed++;
    }
}

static void skip_explain(const ds__node *node, ds__printer *printer) {
    const count_node *self = (const count_node *)node;
    ds__write_int32(printer->out, "skipAmount",
                    (int32_t)(printer->counts ? self->left : self->amount));
}

static const ds__node_kind skip_kind = {
    .stage = "SKIP", .next = skip_next, .explain = skip_explain, .at_end = ds__node_input_at_end};

static ds__step limit_next(ds__node *node, ds__row *row, ds_error *err) {
    count_node *self = (count_node *)node;
    if (self->left == 0) {
        return DS_STEP_END;
    }
    ds__step step = ds__node_next(node->inputs[0], row, err);
    self->left -= step == DS_STEP_ROW;
    return step;
}

static bool limit_at_end(const ds__node *node) {
    return ((const count_node *)node)->left == 0 || ds__node_input_at_end(node);
}

static void limit_explain(const ds__node *node, ds__printer *printer) {
    ds__write_int32(printer->out, "limitAmount", (int32_t)((const count_node *)node)->amount);
}

static const ds__node_kind limit_kind = {
    .stage = "LIMIT", .next = limit_next, .explain = limit_explain, .at_end = limit_at_end};

static ds__node *count_node_new(ds__course *course, const ds__node_kind *kind, int64_t amount,
                                ds__node *input, ds_error *err) {
    count_node *self = (count_node *)ds__node_over(sizeof *self, kind, course, input, err);
    if (self != NULL) {
        self->amount = self->left = amount;
    }
    return (ds__node *)self;
}

ds__node *ds__node_skip(ds__course *course, int64_t skip, ds__node *input, ds_error *err) {
    return count_node_new(course, &skip_kind, skip, input, err);
}

ds__node *ds__node_limit(ds__course *course, int64_t limit, ds__node *input, ds_error *err) {
    return count_node_new(course, &limit_kind, limit, input, err);
}

typedef struct sort_node {
    ds__node base;
    const ds__plan *plan;
    ds__sorter *sorter; /* owned */
    uint64_t taken;
    bool sorted;
} sort_node;

/* How many rows the sort need keep; 0: all. */
static uint64_t sort_keeps(const ds__plan *plan) {
    return plan->limit > 0 ? (uint64_t)plan->limit + (uint64_t)plan->skip : 0;
}

static bool add_with_meta(sort_node *self, const ds__row *row, ds_error *err) {
    ds__meta meta;
    ds_buf key = {.meter = self->base.course->eval->env->meter};
    ds__meta_clear(&meta);
    meta.values[DS_META_RECORD_ID] = ds__int64(row->rid);
    bool ok = !ds__query_index_keys(self->plan->query) || ds__row_keep_index_key(row, &key, err);
    if (key.size > 0) {
        meta.values[DS_META_INDEX_KEY] = ds__document(key.data);
    }
    ok = ok && ds__sorter_add_with(self->sorter, row->doc, &meta, err);
    ds_buf_clear(&key);
    return ok;
}

static void row_of_sorter(const sort_node *self, ds__row *row) {
    ds__meta meta;
    row->rid = 0;
    row->index = NULL;
    row->index_key = NULL;
    if (self->plan->query->meta != 0) {
        ds__sorter_meta(self->sorter, &meta);
        row->rid = meta.values[DS_META_RECORD_ID].as.i64;
        if (meta.values[DS_META_INDEX_KEY].type == DS_DOCUMENT) {
            row->index_key = meta.values[DS_META_INDEX_KEY].as.bytes;
        }
    }
}

static ds__step sort_fill(sort_node *self, ds__row *row, ds_error *err) {
    ds__node *node = &self->base;
    const ds__plan *plan = self->plan;
    if (self->sorter == NULL) {
        self->sorter = ds__sorter_new(plan->sort, node->course->eval->env, sort_keeps(plan),
                                      DS_MAX_GROUP_BYTES, plan->allow_disk, err);
        if (self->sorter == NULL) {
            return DS_STEP_ERROR;
        }
    }
    ds__step step;
    while ((step = ds__node_next(node->inputs[0], row, err)) == DS_STEP_ROW) {
        self->taken++;
        node->passed++;
        if (!(plan->query->meta != 0 ? add_with_meta(self, row, err)
                                     : ds__sorter_add(self->sorter, row->doc, err))) {
            return DS_STEP_ERROR;
        }
    }
    if (step == DS_STEP_END) {
        self->sorted = true;
        node->passed++;
        return ds__sorter_finish(self->sorter, err) ? DS_STEP_END : DS_STEP_ERROR;
    }
    return step;
}

static ds__step sort_next(ds__node *node, ds__row *row, ds_error *err) {
    sort_node *self = (sort_node *)node;
    if (!self->sorted) {
        ds__step step = sort_fill(self, row, err);
        if (step != DS_STEP_END) {
            return step;
        }
    }
    ds_next n = ds__sorter_next(self->sorter, &row->doc, err);
    if (n == DS_NEXT_ROW) {
        row_of_sorter(self, row);
    }
    return n == DS_NEXT_ROW ? DS_STEP_ROW : n == DS_NEXT_END ? DS_STEP_END : DS_STEP_ERROR;
}

static bool sort_at_end(const ds__node *node) {
    const sort_node *self = (const sort_node *)node;
    uint64_t keep = sort_keeps(self->plan);
    uint64_t have = keep > 0 && self->taken > keep ? keep : self->taken;
    return self->sorted && node->returned >= have;
}

static void sort_close(ds__node *node) {
    ds__sorter_free(((sort_node *)node)->sorter);
}

static void sort_explain(const ds__node *node, ds__printer *printer) {
    const ds__plan *plan = ((const sort_node *)node)->plan;
    ds__write_value(printer->out, "sortPattern", 11, printer->sort_spec);
    ds__write_int32(printer->out, "memLimit", DS_MAX_GROUP_BYTES);
    if (plan->limit > 0) {
        ds__write_int32(printer->out, "limitAmount", (int32_t)sort_keeps(plan));
    }
    ds__write_str(printer->out, "type", "simple");
}

static const ds__node_kind sort_kind = {.stage = "SORT",
                                        .next = sort_next,
                                        .close = sort_close,
                                        .explain = sort_explain,
                                        .at_end = sort_at_end};

ds__node *ds__node_sort(ds__course *course, const ds__plan *plan, ds__node *input, ds_error *err) {
    sort_node *self = (sort_node *)ds__node_over(sizeof *self, &sort_kind, course, input, err);
    if (self != NULL) {
        self->plan = plan;
    }
    return (ds__node *)self;
}

typedef struct first_node {
    ds__node base;
    const ds__plan *plan;
    ds_buf best; /* owned: sort keys */
    ds_buf key;
    ds__match_info match;
    int64_t rid;
    bool any;
    bool done;
} first_node;

static bool first_take(first_node *self, const ds__row *row, ds_error *err) {
    const ds__course *course = self->base.course;
    ds_buf_reset(&self->key);
    if (!ds__sort_key(self->plan->sort, row->doc, course->eval->env->collator, &self->key, err) ||
        !ds_buf_ok(&self->key, err)) {
        return false;
    }
    size_t size = self->key.size < self->best.size ? self->key.size : self->best.size;
    int order = self->any && size ? memcmp(self->key.data, self->best.data, size) : 0;
    if (!self->any || order < 0 || (order == 0 && self->key.size < self->best.size)) {
        ds_buf swap = self->best;
        self->best = self->key;
        self->key = swap;
        self->rid = row->rid;
        self->match = course->match;
        self->any = true;
    }
    return true;
}

static ds__step first_next(ds__node *node, ds__row *row, ds_error *err) {
    first_node *self = (first_node *)node;
    ds__step step;
    if (self->done) {
        return DS_STEP_END;
    }
    while ((step = ds__node_next(node->inputs[0], row, err)) == DS_STEP_ROW) {
        node->passed++;
        if (!first_take(self, row, err)) {
            return DS_STEP_ERROR;
        }
    }
    if (step != DS_STEP_END) {
        return step;
    }
    self->done = true;
    *row = (ds__row){.doc = ds__missing(), .rid = self->rid};
    node->course->match = self->match;
    return self->any ? DS_STEP_ROW : DS_STEP_END;
}

static void first_close(ds__node *node) {
    ds_buf_clear(&((first_node *)node)->best);
    ds_buf_clear(&((first_node *)node)->key);
}

static const ds__node_kind first_kind = {.stage = "SORT", .next = first_next, .close = first_close};

ds__node *ds__node_first(ds__course *course, const ds__plan *plan, ds__node *input, ds_error *err) {
    first_node *self = (first_node *)ds__node_over(sizeof *self, &first_kind, course, input, err);
    if (self != NULL) {
        self->plan = plan;
    }
    return (ds__node *)self;
}
