/* SPDX-License-Identifier: Apache-2.0 */
/* Counting what comes from below, within a skip and a limit. */
#include "engine/plan/node.h"

typedef struct count_node {
    ds__node base;
    int64_t skip;
    int64_t limit; /* 0: none */
    int64_t skipped;
    int64_t counted;
} count_node;

static ds__step count_next(ds__node *node, ds__row *row, ds_error *err) {
    count_node *self = (count_node *)node;
    while (self->limit == 0 || self->counted < self->limit) {
        ds__step step = ds__node_next(node->inputs[0], row, err);
        if (step != DS_STEP_ROW) {
            return step;
        }
        node->passed++;
        if (self->skipped < self->skip) {
            self->skipped++;
        } else {
            self->counted++;
        }
    }
    return DS_STEP_END;
}

static void count_explain(const ds__node *node, ds__printer *printer) {
    const count_node *self = (const count_node *)node;
    ds__print_count(printer, "nCounted", (uint64_t)self->counted);
    ds__print_count(printer, "nSkipped", (uint64_t)self->skipped);
}

static const ds__node_kind count_kind = {
    .stage = "COUNT", .next = count_next, .explain = count_explain};

ds__node *ds__node_count(ds__course *course, int64_t skip, int64_t limit, ds__node *input,
                         ds_error *err) {
    count_node *self = (count_node *)ds__node_over(sizeof *self, &count_kind, course, input, err);
    if (self == NULL) {
        return NULL;
    }
    self->skip = skip;
    self->limit = limit;
    return &self->base;
}

int64_t ds__node_counted(const ds__node *node) {
    return ((const count_node *)node)->counted;
}
