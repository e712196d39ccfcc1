/* SPDX-License-Identifier: Apache-2.0 */
/* From entries to documents, and the filter that asks what the entries do not say. */
#include "engine/plan/node.h"

typedef struct fetch_node {
    ds__node base;
    const ds__coll *coll;
} fetch_node;

bool ds__node_fetch_doc(ds__node *node, const ds__coll *coll, ds__row *row, ds_error *err) {
    if (node->scan == NULL && !ds__scan_points(node->course->txn, coll->id, &node->scan, err)) {
        return false;
    }
    if (!ds__scan_get(node->scan, row->rid, &row->doc, err)) {
        return false;
    }
    return row->doc.type != DS_MISSING ||
           ds__error_set(err, DS_DATA_CORRUPTION_DETECTED,
                         "an index of %s has an entry of a document that is not there", coll->ns);
}

static ds__step fetch_next(ds__node *node, ds__row *row, ds_error *err) {
    fetch_node *self = (fetch_node *)node;
    for (;;) {
        bool matched;
        ds__step step = ds__node_next(node->inputs[0], row, err);
        if (step != DS_STEP_ROW) {
            return step;
        }
        if ((row->doc.type == DS_MISSING && !ds__node_fetch_doc(node, self->coll, row, err)) ||
            !ds__node_match(node, row->doc, &matched, err)) {
            return DS_STEP_ERROR;
        }
        if (matched) {
            return DS_STEP_ROW;
        }
    }
}

static void fetch_explain(const ds__node *node, ds__printer *printer) {
    ds__print_count(printer, "docsExamined", node->docs);
    ds__print_count(printer, "alreadyHasObj", 0);
}

static const ds__node_kind fetch_kind = {.stage = "FETCH",
                                         .next = fetch_next,
                                         .explain = fetch_explain,
                                         .at_end = ds__node_input_at_end};

ds__node *ds__node_fetch(ds__course *course, const ds__coll *coll, const ds__filter *filter,
                         ds__node *input, ds_error *err) {
    fetch_node *self = (fetch_node *)ds__node_over(sizeof *self, &fetch_kind, course, input, err);
    if (self == NULL) {
        return NULL;
    }
    self->coll = coll;
    self->base.filter = filter;
    return &self->base;
}
