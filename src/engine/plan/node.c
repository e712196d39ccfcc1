/* SPDX-License-Identifier: Apache-2.0 */
/* What all nodes have in common, and the leaves that read no index. */
#include "engine/plan/node.h"

#include "base/mem.h"
#include "engine/records/records.h"

enum { ALIGN = _Alignof(max_align_t) };

ds__node *ds__node_new(size_t size, const ds__node_kind *kind, ds__course *course, size_t inputs,
                       ds_error *err) {
    size_t all = (size + inputs * sizeof(ds__node *) + ALIGN - 1) / ALIGN * ALIGN;
    ds__node *node;
    if (all <= sizeof course->room - course->room_used) {
        node = (ds__node *)(course->room + course->room_used);
        course->room_used += all;
        memset(node, 0, all);
    } else if ((node = ds__alloc(all)) == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    node->kind = kind;
    node->course = course;
    node->inputs = (ds__node **)((char *)node + size);
    node->input_count = inputs;
    return node;
}

ds__node *ds__node_over(size_t size, const ds__node_kind *kind, ds__course *course, ds__node *input,
                        ds_error *err) {
    ds__node *node = input ? ds__node_new(size, kind, course, 1, err) : NULL;
    if (node == NULL) {
        ds__node_close(input);
        return NULL;
    }
    ds__node_put(node, 0, input);
    return node;
}

static bool in_room(const ds__node *node) {
    uintptr_t at = (uintptr_t)node;
    uintptr_t room = (uintptr_t)node->course->room;
    return at >= room && at < room + sizeof node->course->room;
}

void ds__node_close(ds__node *node) {
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < node->input_count; i++) {
        ds__node_close(node->inputs[i]);
    }
    ds__scan_close(node->scan);
    if (node->kind->close != NULL) {
        node->kind->close(node);
    }
    if (!in_room(node)) {
        ds__free(node);
    }
}

void ds__node_save(ds__node *node) {
    for (size_t i = 0; i < node->input_count; i++) {
        ds__node_save(node->inputs[i]);
    }
    if (node->scan != NULL) {
        ds__scan_pause(node->scan);
    }
}

bool ds__node_restore(ds__node *node, ds_error *err) {
    for (size_t i = 0; i < node->input_count; i++) {
        if (!ds__node_restore(node->inputs[i], err)) {
            return false;
        }
    }
    return node->scan == NULL || ds__scan_resume(node->scan, node->course->txn, err);
}

bool ds__node_at_end(const ds__node *node) {
    return node->ended || (node->kind->at_end != NULL && node->kind->at_end(node));
}

bool ds__node_input_at_end(const ds__node *node) {
    return ds__node_at_end(node->inputs[0]);
}

void ds__node_put(ds__node *node, size_t at, ds__node *input) {
    node->inputs[at] = input;
}

void ds__node_examined(const ds__node *node, uint64_t *keys, uint64_t *docs) {
    *keys += node->keys;
    *docs += node->docs;
    for (size_t i = 0; i < node->input_count; i++) {
        ds__node_examined(node->inputs[i], keys, docs);
    }
}

uint64_t ds__node_waits(const ds__node *node) {
    uint64_t n = node->passed;
    for (size_t i = 0; i < node->input_count; i++) {
        n += ds__node_waits(node->inputs[i]);
    }
    return n;
}

bool ds__node_match(ds__node *node, ds_value doc, bool *matched, ds_error *err) {
    ds__course *course = node->course;
    const ds__filter *filter = node->filter;
    *matched = true;
    node->docs++;
    if (!ds__env_step(course->eval->env, DS_DOC_STEPS, err)) {
        return false;
    }
    if (course->eval->scratch->used > 0) {
        ds_arena_reset(course->eval->scratch);
    }
    course->match = (ds__match_info){0};
    if (filter != NULL &&
        !ds__filter_match(filter, doc, course->eval, matched, &course->match, err)) {
        return false;
    }
    node->passed += !*matched;
    return true;
}

static ds__step eof_next(ds__node *node, ds__row *row, ds_error *err) {
    (void)node;
    (void)row;
    (void)err;
    return DS_STEP_END;
}

static const ds__node_kind eof_kind = {.stage = "EOF", .next = eof_next};

ds__node *ds__node_eof(ds__course *course, ds_error *err) {
    return ds__node_new(sizeof(ds__node), &eof_kind, course, 0, err);
}

typedef struct id_node {
    ds__node base;
    const ds__plan *plan;
    bool done;
} id_node;

static ds__step id_next(ds__node *node, ds__row *row, ds_error *err) {
    id_node *self = (id_node *)node;
    const ds__plan *plan = self->plan;
    if (self->done) {
        return DS_STEP_END;
    }
    self->done = true;
    node->course->match = (ds__match_info){0};
    if (!ds__record_get_by_id(node->course->txn, plan->coll, plan->id, &row->rid, &row->doc, err)) {
        return DS_STEP_ERROR;
    }
    if (row->doc.type == DS_MISSING) {
        return DS_STEP_END;
    }
    node->keys = node->docs = 1;
    return DS_STEP_ROW;
}

static bool id_at_end(const ds__node *node) {
    return ((const id_node *)node)->done;
}

static void id_explain(const ds__node *node, ds__printer *printer) {
    ds__print_count(printer, "keysExamined", node->keys);
    ds__print_count(printer, "docsExamined", node->docs);
}

static const ds__node_kind id_kind = {
    .stage = "IDHACK", .next = id_next, .explain = id_explain, .at_end = id_at_end};

ds__node *ds__node_id(ds__course *course, const ds__plan *plan, ds_error *err) {
    ds__node *node = ds__node_new(sizeof(id_node), &id_kind, course, 0, err);
    if (node != NULL) {
        ((id_node *)node)->plan = plan;
    }
    return node;
}

typedef struct table_node {
    ds__node base;
    const ds__plan *plan;
} table_node;

/* Called by many threads. */
static bool test_row(const void *ctx, ds_value doc) {
    bool matched = false;
    ds_error err = {0};
    return !ds__filter_match(ctx, doc, NULL, &matched, NULL, &err) || matched;
}

enum { LOOK_EVERY = 1024, FEW = 4 }; /* documents; of so many at most one is wanted */

/* A long scan that wants few of its documents is shared with other threads, unless it is stopped
 * after so many works. */
static void share(const ds__node *node) {
    if (node->filter != NULL && node->course->works > DS_ALL_WORKS / 2 &&
        node->returned < node->docs / FEW && ds__scan_can_share(node->scan) &&
        ds__filter_is_pure(node->filter)) {
        ds__scan_share(node->scan, test_row, node->filter);
    }
}

/* Documents that other threads have looked at. */
static bool count_passed(ds__node *node, uint64_t passed, ds_error *err) {
    node->docs += passed;
    node->passed += passed;
    node->course->works -= (int64_t)passed;
    return passed == 0 ||
           ds__env_step(node->course->eval->env, (int64_t)passed * DS_DOC_STEPS, err);
}

static ds__step table_next(ds__node *node, ds__row *row, ds_error *err) {
    ds__scan_row found;
    for (;;) {
        bool matched;
        if (node->course->works-- <= 0) {
            return DS_STEP_WAIT;
        }
        if (node->docs % LOOK_EVERY == LOOK_EVERY - 1) {
            share(node);
        }
        ds_next n = ds__scan_next(node->scan, &found, err);
        if (!count_passed(node, found.passed, err)) {
            return DS_STEP_ERROR;
        }
        if (n != DS_NEXT_ROW) {
            return n == DS_NEXT_END ? DS_STEP_END : DS_STEP_ERROR;
        }
        if (!ds__node_match(node, found.doc, &matched, err)) {
            return DS_STEP_ERROR;
        }
        if (matched) {
            row->doc = found.doc;
            row->rid = found.rid;
            return DS_STEP_ROW;
        }
    }
}

static void table_explain(const ds__node *node, ds__printer *printer) {
    const ds__plan *plan = ((const table_node *)node)->plan;
    ds__write_str(printer->out, "direction", plan->backward ? "backward" : "forward");
    ds__print_count(printer, "docsExamined", node->docs);
}

static const ds__node_kind table_kind = {
    .stage = "COLLSCAN", .next = table_next, .explain = table_explain};

ds__node *ds__node_table(ds__course *course, const ds__plan *plan, ds_error *err) {
    table_node *self = (table_node *)ds__node_new(sizeof *self, &table_kind, course, 0, err);
    if (self == NULL) {
        return NULL;
    }
    self->plan = plan;
    self->base.filter = plan->filter;
    if (!ds__scan_rows(course->txn, plan->coll->id, plan->backward, &self->base.scan, err)) {
        ds__node_close(&self->base);
        return NULL;
    }
    return &self->base;
}
