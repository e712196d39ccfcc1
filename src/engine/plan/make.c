/* SPDX-License-Identifier: Apache-2.0 */
/* From candidates to plans: what is left for the filter to ask, unions of scans, and scans merged
 * for an order. */
#include "engine/plan/candidate.h"

ds__plan *ds__plan_blank(ds_arena *arena, const ds__query *q, ds__plan_kind kind, ds_error *err) {
    ds__plan *plan = ds_arena_zalloc(arena, sizeof *plan);
    if (plan == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    plan->kind = kind;
    plan->coll = q->coll;
    plan->query = q;
    plan->filter = q->filter;
    plan->residual = q->filter;
    plan->sort = q->sort;
    plan->id = ds__missing();
    plan->skip = q->skip;
    plan->limit = q->limit;
    plan->allow_disk = q->allow_disk;
    return plan;
}

ds__plan *ds__plan_new(ds__chooser *c, ds__plan_kind kind) {
    return ds__plan_blank(c->arena, c->query, kind, c->err);
}

static bool is_covered(const ds__chooser *c, uint64_t covered, const ds__filter *f) {
    for (size_t j = 0; j < c->count; j++) {
        if (c->predicates[j].leaf == f && c->predicates[j].owner == NULL) {
            return covered >> j & 1;
        }
    }
    return false;
}

/* What the bounds leave for the filter to decide; NULL in *out: nothing. */
static bool residual(ds__chooser *c, const ds__candidate *k, const ds__filter **out) {
    const ds__filter *f = c->query->filter;
    uint64_t covered = 0;
    *out = f;
    for (size_t i = 0; i < k->index->part_count; i++) {
        covered |= k->covered[i];
    }
    if (f == NULL || covered == 0) {
        return true;
    }
    if (f->op != DS_FILTER_AND) {
        *out = is_covered(c, covered, f) ? NULL : f;
        return true;
    }
    ds__filter *rest = ds_arena_copy(c->arena, f, sizeof *f);
    if (rest == NULL) {
        return ds__error_oom(c->err);
    }
    rest->children = ds_arena_alloc(c->arena, f->child_count * sizeof(ds__filter *));
    if (rest->children == NULL) {
        return ds__error_oom(c->err);
    }
    rest->child_count = 0;
    for (size_t i = 0; i < f->child_count; i++) {
        if (!is_covered(c, covered, f->children[i])) {
            rest->children[rest->child_count++] = f->children[i];
        }
    }
    *out = rest->child_count == 0 ? NULL : rest->child_count == 1 ? rest->children[0] : rest;
    return true;
}

bool ds__plan_index(ds__chooser *c, const ds__candidate *k, ds__plan **out) {
    ds__plan *plan = ds__plan_new(c, DS_PLAN_INDEX);
    if (plan == NULL) {
        return false;
    }
    plan->index = k->index;
    plan->parts = k->parts;
    plan->used = k->used;
    plan->backward = k->sorted && k->backward;
    if (k->sorted) {
        plan->sort = NULL;
    }
    *out = plan;
    ds__plan_cover(plan);
    return residual(c, k, &plan->residual) && ds__plan_intervals(c->arena, k, plan, c->err);
}

/* The index worth most for a branch of an $or; NULL: none narrows it. */
static bool best_index(ds__chooser *c, bool sorted, ds__candidate *best, bool *found) {
    const ds__coll *coll = c->query->coll;
    *found = false;
    for (size_t i = 0; i < coll->index_count; i++) {
        ds__candidate k;
        bool usable;
        if (!ds__plan_consider(c, &coll->indexes[i], false, &k, &usable)) {
            return false;
        }
        if (usable && k.bounded && (k.sorted || !sorted) && (!*found || k.score > best->score)) {
            *best = k;
            *found = true;
        }
    }
    return true;
}

/* A union of index scans, one per branch of an $or, in the order wanted if it is a merge; *out
 * stays NULL when a branch has none. */
static bool or_plan(ds__chooser *c, const ds__filter *f, bool merge, ds__plan **out) {
    *out = NULL;
    const ds__query *outer = c->query;
    ds__plan *plan = ds__plan_new(c, merge ? DS_PLAN_MERGE : DS_PLAN_OR);
    if (plan == NULL) {
        return false;
    }
    plan->branches = ds_arena_zalloc(c->arena, f->child_count * sizeof *plan->branches);
    ds__chooser *inner = ds_arena_zalloc(c->arena, sizeof *inner);
    ds__query *queries = ds_arena_zalloc(c->arena, f->child_count * sizeof *queries);
    if (plan->branches == NULL || inner == NULL || queries == NULL) {
        return ds__error_oom(c->err);
    }
    bool exact = f == outer->filter;
    for (size_t i = 0; i < f->child_count; i++) {
        ds__query *q = &queries[i];
        *q = ds__query_of(outer->coll, f->children[i]);
        q->sort = merge ? outer->sort : NULL;
        *inner = (ds__chooser){
            .txn = c->txn, .env = c->env, .arena = c->arena, .query = q, .err = c->err};
        ds__plan_collect(inner, q->filter);
        ds__candidate best;
        bool found;
        if (!best_index(inner, merge, &best, &found)) {
            return false;
        }
        if (!found) {
            return true;
        }
        if (!ds__plan_index(inner, &best, &plan->branches[i])) {
            return false;
        }
        exact = exact && plan->branches[i]->residual == NULL;
        if (f != outer->filter) {
            plan->branches[i]->residual = outer->filter;
        }
    }
    plan->branch_count = f->child_count;
    plan->residual = exact ? NULL : outer->filter;
    if (merge) {
        plan->merged = outer->sort;
        plan->sort = NULL;
        plan->residual = NULL; /* each branch asks its own */
    }
    *out = plan;
    return true;
}

bool ds__plan_explode(ds__chooser *c, const ds__candidate *k, ds__plan **out) {
    size_t parts, count;
    ds__plan *plan = ds__plan_new(c, DS_PLAN_MERGE);
    if (plan == NULL || !ds__plan_explodes(k, c->query, &parts, &count)) {
        return false;
    }
    plan->branches = ds_arena_zalloc(c->arena, count * sizeof *plan->branches);
    if (plan->branches == NULL) {
        return ds__error_oom(c->err);
    }
    for (size_t i = 0; i < count; i++) {
        ds__candidate one;
        size_t merge_at;
        if (!ds__plan_exploded(c->arena, k, c->query, parts, i, &one, &merge_at, c->err) ||
            !ds__plan_index(c, &one, &plan->branches[i])) {
            return false;
        }
        plan->branches[i]->merge_at = merge_at;
    }
    plan->branch_count = count;
    plan->by_key = true;
    plan->backward = plan->branches[0]->backward;
    plan->residual = plan->branches[0]->residual;
    plan->merged = plan->sort;
    plan->sort = NULL;
    *out = plan;
    return true;
}

bool ds__plan_of(ds__chooser *c, ds__rival *rival, ds__plan **out) {
    if (rival->plan == NULL) {
        bool ok = rival->kind == DS_PLAN_INDEX ? ds__plan_index(c, &rival->k, &rival->plan)
                  : rival->f != NULL
                      ? or_plan(c, rival->f, rival->kind == DS_PLAN_MERGE, &rival->plan)
                      : ds__plan_explode(c, &rival->k, &rival->plan);
        if (!ok) {
            return false;
        }
        if (rival->plan != NULL) {
            rival->plan->chooser = c;
        }
    }
    *out = rival->plan;
    return true;
}
