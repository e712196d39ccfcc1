/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses among scans by what their bounds promise: equality first, then ranges, then an order that
 * spares a sort. */
#include "bson/key.h"
#include "engine/plan/candidate.h"

static ds__plan *new_plan(ds__chooser *c, ds__plan_kind kind) {
    const ds__query *q = c->query;
    ds__plan *plan = ds_arena_zalloc(c->arena, sizeof *plan);
    if (plan == NULL) {
        ds__error_oom(c->err);
        return NULL;
    }
    plan->kind = kind;
    plan->coll = q->coll;
    plan->filter = q->filter;
    plan->residual = q->filter;
    plan->sort = q->sort;
    plan->id = ds__missing();
    plan->skip = q->skip;
    plan->limit = q->limit;
    plan->allow_disk = q->allow_disk;
    return plan;
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
    for (size_t i = 0; i < k->used; i++) {
        covered |= k->index->parts[i].hashed ? 0 : k->covered[i];
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

static bool index_plan(ds__chooser *c, const ds__candidate *k, ds__plan **out) {
    ds__plan *plan = new_plan(c, DS_PLAN_INDEX);
    if (plan == NULL) {
        return false;
    }
    plan->index = k->index;
    plan->parts = k->parts;
    plan->backward = k->sorted && k->backward;
    plan->exact = k->exact && k->bounded;
    if (k->sorted) {
        plan->sort = NULL;
    }
    *out = plan;
    return residual(c, k, &plan->residual) && ds__plan_intervals(c->arena, k, plan, c->err);
}

/* The best index for the predicates collected; *found says whether one is worth it. */
static bool best_index(ds__chooser *c, ds__candidate *best, bool *found) {
    const ds__coll *coll = c->query->coll;
    *found = false;
    for (size_t i = 0; i < coll->index_count; i++) {
        ds__candidate k;
        bool usable;
        if (!ds__plan_consider(c, &coll->indexes[i], false, &k, &usable)) {
            return false;
        }
        if (!usable || (!k.bounded && !k.sorted)) {
            continue;
        }
        if (!*found || k.score > best->score) {
            *best = k;
            *found = true;
        }
    }
    return true;
}

static const ds__filter *find_or(const ds__filter *f) {
    if (f == NULL || f->op == DS_FILTER_OR) {
        return f;
    }
    if (f->op == DS_FILTER_AND) {
        for (size_t i = 0; i < f->child_count; i++) {
            if (f->children[i]->op == DS_FILTER_OR) {
                return f->children[i];
            }
        }
    }
    return NULL;
}

/* A union of index scans, one per branch of an $or; *out stays NULL when a branch has none. */
static bool or_plan(ds__chooser *c, const ds__filter *f, ds__plan **out) {
    *out = NULL;
    ds__plan *plan = new_plan(c, DS_PLAN_OR);
    if (plan == NULL) {
        return false;
    }
    plan->branches = ds_arena_zalloc(c->arena, f->child_count * sizeof *plan->branches);
    ds__chooser *inner = ds_arena_zalloc(c->arena, sizeof *inner);
    if (plan->branches == NULL || inner == NULL) {
        return ds__error_oom(c->err);
    }
    for (size_t i = 0; i < f->child_count; i++) {
        ds__query q = {.coll = c->query->coll, .filter = f->children[i]};
        q.hint = q.min = q.max = q.id = ds__missing();
        *inner = (ds__chooser){
            .txn = c->txn, .env = c->env, .arena = c->arena, .query = &q, .err = c->err};
        ds__plan_collect(inner, q.filter);
        ds__candidate best;
        bool found;
        if (!best_index(inner, &best, &found)) {
            return false;
        }
        if (!found || !best.bounded) {
            return true;
        }
        if (!index_plan(inner, &best, &plan->branches[i])) {
            return false;
        }
    }
    plan->branch_count = f->child_count;
    *out = plan;
    return true;
}

static bool bad_hint(ds_error *err) {
    return ds__error_set(err, DS_BAD_VALUE,
                         "error processing query: planner returned error :: caused by :: hint "
                         "provided does not correspond to an existing index");
}

static bool natural(ds_value hint, bool *backward) {
    ds_value v;
    if (hint.type != DS_DOCUMENT || !ds__doc_get(hint, "$natural", 8, &v)) {
        return false;
    }
    int64_t n = 1;
    ds__value_exact_int64(v, &n);
    *backward = n < 0;
    return true;
}

static const ds__index *find_hint(const ds__coll *coll, ds_value hint) {
    if (hint.type == DS_STRING) {
        return ds__coll_find_index(coll, ds__text(hint), hint.size);
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (ds__value_equal(coll->indexes[i].key_pattern, hint, NULL)) {
            return &coll->indexes[i];
        }
    }
    return NULL;
}

/* min and max: one span of whole keys, max excluded. */
static bool min_max_plan(ds__chooser *c, const ds__candidate *k, ds__plan *plan) {
    ds__interval *iv = ds_arena_zalloc(c->arena, sizeof *iv);
    if (iv == NULL) {
        return ds__error_oom(c->err);
    }
    for (int upper = 0; upper < 2; upper++) {
        ds_value spec = upper ? c->query->max : c->query->min;
        if (spec.type != DS_DOCUMENT) {
            continue;
        }
        ds_buf buf = {0};
        ds__iter it;
        ds__iter_init(&it, spec);
        for (size_t i = 0; i < k->index->part_count; i++) {
            const ds__index_part *part = &k->index->parts[i];
            if (!ds__iter_next(&it) || strcmp(it.key, part->path.text) != 0) {
                ds_buf_clear(&buf);
                return ds__error_set(c->err, 51174,
                                     "The index chosen is not compatible with min/max");
            }
            ds__key_add(&buf, it.value, part->descending, NULL);
        }
        uint8_t *bytes = buf.failed ? NULL : ds_arena_copy(c->arena, buf.data, buf.size);
        size_t size = buf.size;
        ds_buf_clear(&buf);
        if (bytes == NULL) {
            return ds__error_oom(c->err);
        }
        if (upper) {
            iv->hi = bytes;
            iv->hi_size = size;
        } else {
            iv->lo = bytes;
            iv->lo_size = size;
            iv->lo_inclusive = true;
        }
    }
    plan->intervals = iv;
    plan->interval_count = 1;
    plan->residual = c->query->filter;
    plan->exact = false;
    return true;
}

static bool hinted_plan(ds__chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    bool backward;
    if (natural(q->hint, &backward)) {
        *out = new_plan(c, DS_PLAN_TABLE);
        if (*out != NULL) {
            (*out)->backward = backward;
        }
        return *out != NULL;
    }
    const ds__index *index = find_hint(q->coll, q->hint);
    if (index == NULL || index->hidden) {
        return bad_hint(c->err);
    }
    ds__candidate k;
    bool usable;
    if (!ds__plan_consider(c, index, true, &k, &usable)) {
        return false;
    }
    if (q->min.type == DS_DOCUMENT || q->max.type == DS_DOCUMENT) {
        for (size_t i = 0; i < index->part_count; i++) {
            if (!ds__bounds_full(c->arena, &k.parts[i], c->err)) {
                return false;
            }
        }
        ds__plan_score(&k, q);
        return index_plan(c, &k, out) && min_max_plan(c, &k, *out);
    }
    return index_plan(c, &k, out);
}

static bool choose(ds__chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    if (q->filter != NULL) {
        ds__plan_collect(c, q->filter);
    }
    if (q->hint.type == DS_STRING || (q->hint.type == DS_DOCUMENT && !ds__doc_empty(q->hint))) {
        return hinted_plan(c, out);
    }
    ds__candidate best = {0};
    bool found;
    if (!best_index(c, &best, &found)) {
        return false;
    }
    if (!found || !best.bounded) {
        const ds__filter *any = find_or(q->filter);
        ds__plan *plan = NULL;
        if (any != NULL && !or_plan(c, any, &plan)) {
            return false;
        }
        if (plan != NULL) {
            *out = plan;
            return true;
        }
    }
    if (found) {
        return index_plan(c, &best, out);
    }
    *out = new_plan(c, DS_PLAN_TABLE);
    return *out != NULL;
}

bool ds__plan_choose(ds__txn *txn, ds__env *env, const ds__query *query, ds__plan **out,
                     ds_error *err) {
    ds__chooser *c = ds_arena_alloc(env->arena, sizeof *c);
    *out = NULL;
    if (c == NULL) {
        return ds__error_oom(err);
    }
    c->txn = txn;
    c->env = env;
    c->arena = env->arena;
    c->query = query;
    c->count = 0;
    c->lossy = false;
    c->err = err;
    if (query->coll == NULL) {
        *out = new_plan(c, DS_PLAN_EMPTY);
        return *out != NULL;
    }
    if (query->id.type != DS_MISSING && query->hint.type == DS_MISSING) {
        *out = new_plan(c, DS_PLAN_ID);
        if (*out != NULL) {
            (*out)->id = query->id;
            (*out)->filter = (*out)->residual = NULL;
            if (query->skip == 0) {
                (*out)->sort = NULL;
            }
        }
        return *out != NULL;
    }
    return choose(c, out);
}
