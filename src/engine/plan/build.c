/* SPDX-License-Identifier: Apache-2.0 */
/* From a plan to the tree that runs it: what may be left out, and what goes below what. */
#include "engine/plan/node.h"

static const ds__filter *asked(const ds__plan *plan) {
    return plan->query->positions ? plan->filter : plan->residual;
}

/* Whether the entries alone are the answer, and how they are read then. */
static bool keys_answer(const ds__plan *plan, ds__scan_use *use) {
    bool range = plan->interval_count == 1;
    for (size_t i = 0; i < plan->index->part_count; i++) {
        range = range && (i < plan->used ? plan->parts[i].count == 1 : plan->parts[i].full);
    }
    *use = range ? DS_SCAN_COUNT : DS_SCAN_KEYS;
    return plan->query->count && asked(plan) == NULL;
}

static ds__node *skip_rows(ds__course *course, const ds__plan *plan, ds__node *node,
                           ds_error *err) {
    return plan->skip > 0 && !plan->query->count ? ds__node_skip(course, plan->skip, node, err)
                                                 : node;
}

/* An index scan and its documents; *skipped: those to skip are left out below the fetch. */
static ds__node *build_index(ds__course *course, const ds__plan *plan, bool *skipped,
                             ds_error *err) {
    ds__scan_use use;
    if (keys_answer(plan, &use)) {
        return ds__node_index(course, plan, use, err);
    }
    *skipped = asked(plan) == NULL && plan->sort == NULL;
    bool below = *skipped && plan->skip > 0;
    use = plan->distinct > 0 ? DS_SCAN_DISTINCT : below ? DS_SCAN_KEYS : DS_SCAN_FETCH;
    if (*skipped && plan->distinct == 0 && (plan->covers > 0 || plan->covers_id > 0)) {
        ds__node *scan = ds__node_index(course, plan, DS_SCAN_KEYS, err);
        return ds__node_cover(course, plan, scan, skip_rows(course, plan, scan, err), err);
    }
    ds__node *node = ds__node_index(course, plan, use, err);
    if (below) {
        node = skip_rows(course, plan, node, err);
    }
    return ds__node_fetch(course, plan->coll, asked(plan), node, err);
}

static bool build_branches(ds__course *course, const ds__plan *plan, ds__node *node, bool fetch,
                           ds_error *err) {
    for (size_t i = 0; i < plan->branch_count; i++) {
        const ds__plan *branch = plan->branches[i];
        ds__node *input = ds__node_index(course, branch, fetch ? DS_SCAN_FETCH : DS_SCAN_KEYS, err);
        if (fetch) {
            input = ds__node_fetch(course, plan->coll, branch->residual, input, err);
        }
        if (input == NULL) {
            ds__node_close(node);
            return false;
        }
        ds__node_put(node, i, input);
    }
    return true;
}

static ds__node *build_union(ds__course *course, const ds__plan *plan, bool *skipped,
                             ds_error *err) {
    bool merge = plan->kind == DS_PLAN_MERGE;
    /* entries' values are found in their documents */
    bool by_key = plan->by_key && !ds__query_index_keys(plan->query);
    bool docs = merge && !by_key;
    ds__node *node = merge ? ds__node_merge(course, plan, by_key, err)
                           : ds__node_or(course, plan->branch_count, err);
    if (node == NULL || !build_branches(course, plan, node, docs, err)) {
        return NULL;
    }
    if (docs || (plan->query->count && asked(plan) == NULL)) {
        return node;
    }
    *skipped = asked(plan) == NULL && plan->sort == NULL;
    if (*skipped) {
        node = skip_rows(course, plan, node, err);
    }
    return ds__node_fetch(course, plan->coll, asked(plan), node, err);
}

static ds__node *build_source(ds__course *course, const ds__plan *plan, bool *skipped,
                              ds_error *err) {
    switch (plan->kind) {
    case DS_PLAN_EMPTY:
        return ds__node_eof(course, err);
    case DS_PLAN_ID:
        return ds__node_id(course, plan, err);
    case DS_PLAN_TABLE:
        return ds__node_table(course, plan, err);
    case DS_PLAN_INDEX:
        return build_index(course, plan, skipped, err);
    case DS_PLAN_OR:
    case DS_PLAN_MERGE:
        break;
    }
    return build_union(course, plan, skipped, err);
}

ds__node *ds__node_build(ds__course *course, const ds__plan *plan, ds_error *err) {
    bool skipped = false;
    const ds__query *q = plan->query;
    ds__node *node = build_source(course, plan, &skipped, err);
    if (node == NULL) {
        return NULL;
    }
    if (q->count) {
        return ds__node_count(course, plan->skip, plan->limit, node, err);
    }
    if (q->first) {
        return plan->sort != NULL ? ds__node_first(course, plan, node, err)
                                  : ds__node_limit(course, 1, node, err);
    }
    if (plan->sort != NULL) {
        node = ds__node_sort(course, plan, node, err);
    }
    if (node != NULL && !skipped) {
        node = skip_rows(course, plan, node, err);
    }
    if (node != NULL && plan->limit > 0 && plan->sort == NULL && plan->kind != DS_PLAN_ID) {
        node = ds__node_limit(course, plan->limit, node, err);
    }
    return node;
}
