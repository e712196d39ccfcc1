/* SPDX-License-Identifier: Apache-2.0 */
/* Unions: of any order, and of branches that are in order each by itself. */
#include "engine/plan/node.h"

#include "base/mem.h"

typedef struct or_node {
    ds__node base;
    ds__ridset seen; /* owned */
    size_t at;
    uint64_t dups;
} or_node;

static ds__step or_next(ds__node *node, ds__row *row, ds_error *err) {
    or_node *self = (or_node *)node;
    while (self->at < node->input_count) {
        bool added;
        ds__step step = ds__node_next(node->inputs[self->at], row, err);
        if (step == DS_STEP_END) {
            self->at++;
            continue;
        }
        if (step != DS_STEP_ROW) {
            return step;
        }
        if (!ds__ridset_add(&self->seen, row->rid, &added, err)) {
            return DS_STEP_ERROR;
        }
        if (added) {
            return DS_STEP_ROW;
        }
        self->dups++;
        node->passed++;
    }
    return DS_STEP_END;
}

static void or_close(ds__node *node) {
    ds__ridset_clear(&((or_node *)node)->seen);
}

static void or_explain(const ds__node *node, ds__printer *printer) {
    const or_node *self = (const or_node *)node;
    ds__print_count(printer, "dupsTested", self->seen.count + self->dups);
    ds__print_count(printer, "dupsDropped", self->dups);
}

static const ds__node_kind or_kind = {
    .stage = "OR", .next = or_next, .close = or_close, .explain = or_explain};

ds__node *ds__node_or(ds__course *course, size_t inputs, ds_error *err) {
    or_node *self = (or_node *)ds__node_new(sizeof *self, &or_kind, course, inputs, err);
    if (self == NULL) {
        return NULL;
    }
    self->seen.meter = course->eval->env->meter;
    return &self->base;
}

/* The row a branch gives next, kept beyond the branch's own bytes. */
typedef struct head {
    ds_buf key; /* owned: in order of bytes, or against it */
    ds_buf doc;
    ds_buf index_key; /* the entry's values, when they are asked for */
    int64_t rid;
} head;

typedef struct merge_node {
    ds__node base;
    const ds__plan *plan;
    ds__ridset seen; /* owned */
    head *heads;
    size_t *heap; /* branches that have a head, the least first */
    size_t heap_count;
    size_t fill; /* branches before it had their first row */
    size_t last; /* the branch whose row was given: it needs another; input_count: none */
    uint64_t dups;
    bool by_key;
    bool dedup;
} merge_node;

static bool before(const merge_node *self, size_t a, size_t b) {
    const ds_buf *x = &self->heads[a].key;
    const ds_buf *y = &self->heads[b].key;
    size_t n = x->size < y->size ? x->size : y->size;
    int order = n ? memcmp(x->data, y->data, n) : 0;
    order = order != 0 ? order : x->size < y->size ? -1 : x->size > y->size;
    return self->by_key && self->plan->backward ? order > 0 : order < 0;
}

static void heap_put(merge_node *self, size_t branch) {
    size_t at = self->heap_count++;
    while (at > 0 && before(self, branch, self->heap[(at - 1) / 2])) {
        self->heap[at] = self->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->heap[at] = branch;
}

static size_t heap_take(merge_node *self) {
    size_t least = self->heap[0];
    size_t branch = self->heap[--self->heap_count];
    size_t at = 0;
    for (size_t child = 1; child < self->heap_count; child = 2 * at + 1) {
        if (child + 1 < self->heap_count &&
            before(self, self->heap[child + 1], self->heap[child])) {
            child++;
        }
        if (!before(self, self->heap[child], branch)) {
            break;
        }
        self->heap[at] = self->heap[child];
        at = child;
    }
    self->heap[at] = branch;
    return least;
}

static bool keep_head(merge_node *self, size_t branch, const ds__row *row, ds_error *err) {
    head *h = &self->heads[branch];
    h->rid = row->rid;
    ds_buf_reset(&h->key);
    ds_buf_reset(&h->doc);
    if (self->by_key) {
        size_t from = self->plan->branches[branch]->merge_at;
        ds_buf_add(&h->key, row->key + from, row->key_size - from);
    } else {
        const ds__env *env = self->base.course->eval->env;
        if (!ds__sort_key(self->plan->merged, row->doc, env->collator, &h->key, err)) {
            return false;
        }
        ds_buf_add(&h->doc, row->doc.as.bytes, row->doc.size);
    }
    ds_buf_reset(&h->index_key);
    return ds_buf_ok(&h->key, err) && ds_buf_ok(&h->doc, err) &&
           (!ds__query_index_keys(self->plan->query) ||
            ds__row_keep_index_key(row, &h->index_key, err));
}

/* The next row of a branch becomes its head. */
static ds__step refill(merge_node *self, size_t branch, ds_error *err) {
    ds__row row = {.doc = ds__missing()};
    ds__step step = ds__node_next(self->base.inputs[branch], &row, err);
    if (step == DS_STEP_ROW) {
        if (!keep_head(self, branch, &row, err)) {
            return DS_STEP_ERROR;
        }
        heap_put(self, branch);
        self->base.passed++;
    }
    return step;
}

static ds__step merge_next(ds__node *node, ds__row *row, ds_error *err) {
    merge_node *self = (merge_node *)node;
    for (;;) {
        while (self->fill < node->input_count) {
            ds__step step = refill(self, self->fill, err);
            if (step == DS_STEP_ERROR || step == DS_STEP_WAIT) {
                return step;
            }
            self->fill++;
        }
        if (self->last < node->input_count) {
            ds__step step = refill(self, self->last, err);
            if (step == DS_STEP_ERROR || step == DS_STEP_WAIT) {
                return step;
            }
            self->last = node->input_count;
        }
        if (self->heap_count == 0) {
            return DS_STEP_END;
        }
        self->last = heap_take(self);
        const head *h = &self->heads[self->last];
        bool added = true;
        if (self->dedup && !ds__ridset_add(&self->seen, h->rid, &added, err)) {
            return DS_STEP_ERROR;
        }
        if (added) {
            *row = (ds__row){.rid = h->rid};
            row->doc = h->doc.size > 0 ? ds__document(h->doc.data) : ds__missing();
            row->index_key = h->index_key.size > 0 ? h->index_key.data : NULL;
            return DS_STEP_ROW;
        }
        self->dups++;
        node->passed++;
    }
}

static void merge_close(ds__node *node) {
    merge_node *self = (merge_node *)node;
    for (size_t i = 0; self->heads != NULL && i < node->input_count; i++) {
        ds_buf_clear(&self->heads[i].key);
        ds_buf_clear(&self->heads[i].doc);
        ds_buf_clear(&self->heads[i].index_key);
    }
    ds__free(self->heads);
    ds__free(self->heap);
    ds__ridset_clear(&self->seen);
}

static void merge_explain(const ds__node *node, ds__printer *printer) {
    const merge_node *self = (const merge_node *)node;
    ds__write_value(printer->out, "sortPattern", 11, printer->sort_spec);
    ds__print_count(printer, "dupsTested", self->seen.count + self->dups);
    ds__print_count(printer, "dupsDropped", self->dups);
}

static const ds__node_kind merge_kind = {
    .stage = "SORT_MERGE", .next = merge_next, .close = merge_close, .explain = merge_explain};

ds__node *ds__node_merge(ds__course *course, const ds__plan *plan, bool by_key, ds_error *err) {
    size_t n = plan->branch_count;
    merge_node *self = (merge_node *)ds__node_new(sizeof *self, &merge_kind, course, n, err);
    if (self == NULL) {
        return NULL;
    }
    self->plan = plan;
    self->by_key = by_key;
    self->last = n;
    self->dedup = !by_key || plan->branches[0]->index->multikey;
    self->seen.meter = course->eval->env->meter;
    self->heads = ds__alloc(n * sizeof *self->heads);
    self->heap = ds__alloc(n * sizeof *self->heap);
    if (self->heads == NULL || self->heap == NULL) {
        ds__error_oom(err);
        ds__node_close(&self->base);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        self->heads[i].key.meter = self->heads[i].doc.meter = self->heads[i].index_key.meter =
            course->eval->env->meter;
    }
    return &self->base;
}
