/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the plans there are. One that cannot be beaten is taken at once; else they race, in the
 * order of what their bounds promise: equality first, then ranges, then an order that spares a
 * sort. */
#include "engine/plan/candidate.h"

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

ds__rival_name ds__rival_name_of(const ds__rival *rival) {
    ds__rival_name name;
    memset(&name, 0, sizeof name); /* it is kept and compared as bytes */
    name.kind = rival->kind;
    name.index = rival->f != NULL ? 0 : rival->k.index->id;
    name.backward = rival->f == NULL && rival->k.sorted && rival->k.backward;
    return name;
}

/* Takes in a rival, the best first; the worst goes when there are too many. */
static bool add_rival(ds__chooser *c, const ds__rival *rival) {
    if (c->rivals == NULL) {
        c->rivals = ds_arena_alloc(c->arena, (DS_PLAN_MAX_RIVALS + 1) * sizeof *c->rivals);
        if (c->rivals == NULL) {
            return ds__error_oom(c->err);
        }
    }
    size_t at = c->rival_count;
    while (at > 0 && c->rivals[at - 1].points < rival->points) {
        c->rivals[at] = c->rivals[at - 1];
        at--;
    }
    c->rivals[at] = *rival;
    if (c->rival_count < DS_PLAN_MAX_RIVALS) {
        c->rival_count++;
    }
    return true;
}

/* A rival for an index, and one that merges scans of it in the order wanted. */
static bool add_index(ds__chooser *c, const ds__candidate *k) {
    size_t parts, count;
    ds__rival rival = {.kind = DS_PLAN_INDEX, .k = *k, .points = k->score};
    if (!add_rival(c, &rival)) {
        return false;
    }
    if (!ds__plan_explodes(k, c->query, &parts, &count)) {
        return true;
    }
    rival.kind = DS_PLAN_MERGE;
    rival.points += DS_PLAN_SORT_POINTS;
    return add_rival(c, &rival);
}

/* An $or is worth more than an order alone, and less than bounds. */
static bool add_or(ds__chooser *c) {
    const ds__filter *any = find_or(c->query->filter);
    ds__rival rival = {.f = any, .points = DS_PLAN_OR_POINTS};
    if (any == NULL) {
        return true;
    }
    for (int merge = 0; merge < 2; merge++) {
        rival.kind = merge ? DS_PLAN_MERGE : DS_PLAN_OR;
        rival.plan = NULL;
        if (merge && (c->query->sort == NULL || c->query->positions ||
                      any->child_count > DS_PLAN_MAX_BRANCHES)) {
            break;
        }
        rival.points += merge ? DS_PLAN_SORT_POINTS : 0;
        ds__plan *plan;
        if (!ds__plan_of(c, &rival, &plan)) {
            return false;
        }
        if (plan != NULL && !add_rival(c, &rival)) {
            return false;
        }
    }
    return true;
}

/* Whether nothing can be better: at most one document, or none. */
static bool is_decided(const ds__candidate *k) {
    bool points = true;
    for (size_t i = 0; i < k->index->part_count; i++) {
        if (!k->parts[i].full && k->parts[i].count == 0) {
            return true;
        }
        points = points && k->parts[i].count == 1 && ds__bounds_points(&k->parts[i]);
    }
    return points && k->index->unique && k->used == k->index->part_count;
}

/* The values of a path, from an index that has it after parts that are single values. *out stays
 * NULL when there is none. */
static bool distinct_plan(ds__chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    *out = NULL;
    for (uint32_t i = 0; i < q->distinct->count; i++) {
        if (q->distinct->parts[i].index >= 0) {
            return true; /* a position means other values to an index */
        }
    }
    for (size_t i = 0; i < q->coll->index_count && *out == NULL; i++) {
        const ds__index *index = &q->coll->indexes[i];
        ds__candidate k;
        bool usable;
        size_t at = 0;
        if (!index->kind->ordered || index->hidden || (index->multikey && q->filter != NULL)) {
            continue;
        }
        if (!ds__plan_consider(c, index, false, &k, &usable)) {
            return false;
        }
        while (at < index->part_count && ds__bounds_single(&k.parts[at])) {
            at++;
        }
        for (size_t p = 0; p <= at && p < index->part_count; p++) {
            if (index->parts[p].path.size == q->distinct->size &&
                memcmp(index->parts[p].path.text, q->distinct->text, q->distinct->size) == 0) {
                /* who lacks the field has no value to give */
                usable = usable || (q->filter == NULL && index->partial.type == DS_MISSING);
                ds__plan *plan;
                if (!ds__plan_index(c, &k, &plan)) {
                    return false;
                }
                plan->distinct = p + 1;
                *out = usable && plan->residual == NULL ? plan : NULL;
                break;
            }
        }
    }
    return true;
}

static bool add_rivals(ds__chooser *c, bool *decided) {
    const ds__coll *coll = c->query->coll;
    *decided = false;
    for (size_t i = 0; i < coll->index_count; i++) {
        ds__candidate k;
        bool usable;
        if (!ds__plan_consider(c, &coll->indexes[i], false, &k, &usable)) {
            return false;
        }
        if (!usable || (!k.bounded && !k.sorted)) {
            continue;
        }
        if (is_decided(&k)) {
            *decided = true;
            c->rivals = NULL;
            c->rival_count = 0;
            return add_index(c, &k);
        }
        if (!add_index(c, &k)) {
            return false;
        }
    }
    return add_or(c);
}

static bool choose(ds__chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    bool decided;
    if (q->filter != NULL) {
        ds__plan_collect(c, q->filter);
    }
    if (q->hint.type == DS_STRING || (q->hint.type == DS_DOCUMENT && !ds__doc_empty(q->hint))) {
        return ds__plan_hinted(c, out);
    }
    if (q->distinct != NULL && (!distinct_plan(c, out) || *out != NULL)) {
        return *out != NULL;
    }
    if (!add_rivals(c, &decided)) {
        return false;
    }
    if (c->rival_count == 0) {
        *out = ds__plan_new(c, DS_PLAN_TABLE);
        return *out != NULL;
    }
    if (c->rival_count == 1 || decided) {
        return ds__plan_of(c, &c->rivals[0], out);
    }
    return ds__plan_recall(c, out);
}

static bool shortest(ds_arena *arena, const ds__query *q, ds__plan **out, ds_error *err) {
    *out = ds__plan_blank(arena, q, q->coll == NULL ? DS_PLAN_EMPTY : DS_PLAN_ID, err);
    if (*out == NULL) {
        return false;
    }
    if (q->coll == NULL || q->skip == 0) {
        (*out)->sort = NULL; /* of one, or none; one that is skipped is sorted all the same */
    }
    if (q->coll != NULL) {
        (*out)->id = q->id;
        (*out)->filter = (*out)->residual = NULL;
    }
    return true;
}

bool ds__plan_choose(ds__txn *txn, ds__env *env, const ds__query *query, ds__plan **out,
                     ds_error *err) {
    ds__query *q = ds_arena_copy(env->arena, query, sizeof *query);
    *out = NULL;
    if (q == NULL) {
        return ds__error_oom(err);
    }
    if (q->coll == NULL || (q->id.type != DS_MISSING && q->hint.type == DS_MISSING)) {
        return shortest(env->arena, q, out, err);
    }
    ds__chooser *c = ds_arena_alloc(env->arena, sizeof *c);
    if (c == NULL) {
        return ds__error_oom(err);
    }
    c->txn = txn;
    c->env = env;
    c->arena = env->arena;
    c->query = q;
    c->count = c->rival_count = 0;
    c->rivals = NULL;
    c->err = err;
    return choose(c, out);
}
