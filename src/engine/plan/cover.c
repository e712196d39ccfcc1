/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from the entries of an index alone. Documents of which entries do not tell a type that
 * others have, too, are fetched (ds__index_part_value). Fields come in the order of the document,
 * which entries do not tell either: so there is one field at most, and _id, which is always the
 * first. */
#include "bson/key.h"
#include "bson/number.h"
#include "engine/plan/candidate.h"
#include "engine/plan/node.h"

enum { TRIES = 16 }; /* rows in a row that had to be fetched: then the scan fetches all */

static size_t part_named(const ds__index *index, const char *name, size_t size) {
    for (size_t i = 0; i < index->part_count; i++) {
        const ds__index_part *part = &index->parts[i];
        if (part->path.size == size && memcmp(part->path.text, name, size) == 0) {
            return part->kind->ordered ? i + 1 : 0;
        }
    }
    return 0;
}

void ds__plan_cover(ds__plan *plan) {
    ds_value spec = plan->query->projection_spec;
    ds__iter it;
    bool id = true;
    bool fields = false;
    plan->covers = plan->covers_id = 0;
    if (spec.type != DS_DOCUMENT || ds__doc_empty(spec) || plan->index->multikey ||
        ds__query_index_keys(plan->query)) {
        return;
    }
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        bool plain = ds__is_number(it.value) || it.value.type == DS_BOOL;
        bool wanted = plain && ds__value_truthy(it.value);
        if (plain && strcmp(it.key, "_id") == 0) {
            id = wanted;
        } else if (wanted && !fields && memchr(it.key, '.', it.key_size) == NULL) {
            plan->covers = part_named(plan->index, it.key, it.key_size);
            fields = true;
        } else {
            plan->covers = 0;
            return;
        }
    }
    plan->covers_id = id ? part_named(plan->index, "_id", 3) : 0;
    if ((id && plan->covers_id == 0) || (fields ? plan->covers == 0 : !id)) {
        plan->covers = plan->covers_id = 0;
    }
}

typedef struct cover_node {
    ds__node base;
    ds__node *below; /* the scan of the index */
    const ds__plan *plan;
    const ds__index *index; /* as the snapshot has it; NULL: it is not known, or has arrays */
    ds_buf doc;
    ds_buf text;
    size_t fetched;   /* in a row */
    uint32_t resumed; /* when the index was found */
} cover_node;

/* Since a cursor began others may have written values of types, or arrays, that the index did not
 * have: what its entries tell is said by the catalog of the snapshot that is read now. */
static void find_index(cover_node *self) {
    const ds__course *course = self->base.course;
    const ds__index *was = self->plan->index;
    const ds__coll *now = ds__catalog_find_id(ds__txn_catalog(course->txn), self->plan->coll->id);
    self->resumed = course->resumed;
    self->index = NULL;
    for (size_t i = 0; now && i < now->index_count; i++) {
        const ds__index *index = &now->indexes[i];
        if (index->id == was->id && !index->multikey) {
            self->index = index;
        }
    }
}

static bool add_part(cover_node *self, size_t part, const ds__row *row) {
    const ds__index *index = self->index;
    size_t at = 0;
    size_t n = 0;
    for (size_t i = 0; i <= part; i++) {
        at += n;
        n = ds__key_size(row->key + at, row->key_size - at, index->parts[i].descending);
        if (n == 0) {
            return false;
        }
    }
    ds_value v;
    const ds__path *path = &index->parts[part].path;
    if (!ds__index_part_value(&index->parts[part], row->key + at, n, &self->text, &v)) {
        return false;
    }
    ds__write_value(&self->doc, path->text, path->size, v);
    return true;
}

/* A document of the entry; false: the entry does not tell. */
static bool make_doc(cover_node *self, ds__row *row) {
    const ds__plan *plan = self->plan;
    if (self->resumed != self->base.course->resumed) {
        find_index(self);
    }
    if (!self->index) {
        return false;
    }
    ds_buf_reset(&self->doc);
    size_t root = ds__doc_begin(&self->doc);
    if ((plan->covers_id > 0 && !add_part(self, plan->covers_id - 1, row)) ||
        (plan->covers > 0 && !add_part(self, plan->covers - 1, row))) {
        return false;
    }
    ds__doc_end(&self->doc, root);
    if (self->doc.failed) {
        return false;
    }
    row->doc = ds__document(self->doc.data);
    return true;
}

static ds__step cover_next(ds__node *node, ds__row *row, ds_error *err) {
    cover_node *self = (cover_node *)node;
    ds__step step = ds__node_next(node->inputs[0], row, err);
    if (step != DS_STEP_ROW) {
        return step;
    }
    if (row->doc.type == DS_MISSING) {
        if (make_doc(self, row)) {
            self->fetched = 0;
            return step;
        }
        if (++self->fetched == TRIES) {
            ds__node_index_fetch(self->below);
        }
        if (!ds__node_fetch_doc(node, self->plan->coll, row, err)) {
            return DS_STEP_ERROR;
        }
    }
    node->docs++;
    return ds__env_step(node->course->eval->env, DS_DOC_STEPS, err) ? step : DS_STEP_ERROR;
}

static void cover_close(ds__node *node) {
    cover_node *self = (cover_node *)node;
    ds_buf_clear(&self->doc);
    ds_buf_clear(&self->text);
}

static void cover_explain(const ds__node *node, ds__printer *printer) {
    printer->projection = NULL; /* this is it */
    ds__write_value(printer->out, "transformBy", 11,
                    ((const cover_node *)node)->plan->query->projection_spec);
}

static const ds__node_kind cover_kind = {.stage = "PROJECTION_COVERED",
                                         .next = cover_next,
                                         .close = cover_close,
                                         .explain = cover_explain,
                                         .at_end = ds__node_input_at_end};

ds__node *ds__node_cover(ds__course *course, const ds__plan *plan, ds__node *scan, ds__node *input,
                         ds_error *err) {
    cover_node *self = (cover_node *)ds__node_over(sizeof *self, &cover_kind, course, input, err);
    if (self == NULL) {
        return NULL;
    }
    self->plan = plan;
    self->index = plan->index;
    self->below = scan;
    self->doc.meter = self->text.meter = course->eval->env->meter;
    return &self->base;
}
