/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a plan: scan, residual filter, sort, skip, limit. Between batches nothing is held but
 * positions and what a sort has collected. */
#include "base/limits.h"
#include "base/mem.h"
#include "engine/plan/plan.h"
#include "engine/plan/ridset.h"

enum { DOC_STEPS = 8 }; /* of the meter, to look at a document */

struct ds__exec {
    /* owned */
    ds__scan *scan;
    ds__sorter *sorter;
    ds__ridset seen;
    /* borrowed */
    const ds__plan *plan;
    const ds__plan *leaf; /* the scan running: the plan, or a branch of an OR */
    ds__eval *eval;
    ds__txn *txn; /* NULL while paused */
    /* plain */
    size_t branch;
    int64_t to_skip;
    int64_t left; /* -1: no limit */
    ds__exec_stats stats;
    uint64_t emitted; /* documents the sorter gave */
    bool sorted;      /* the sorter is filled */
    bool dedup;
    bool done;
};

static uint64_t mix(int64_t rid) {
    uint64_t h = (uint64_t)rid * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
}

static bool grow(ds__ridset *set, ds_error *err) {
    size_t cap = set->cap ? set->cap * 2 : 256;
    int64_t *slots = ds__alloc(cap * sizeof *slots);
    if (slots == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < set->cap; i++) {
        if (set->slots[i] != 0) {
            size_t at = mix(set->slots[i]) & (cap - 1);
            while (slots[at] != 0) {
                at = (at + 1) & (cap - 1);
            }
            slots[at] = set->slots[i];
        }
    }
    ds__free(set->slots);
    set->slots = slots;
    set->cap = cap;
    return true;
}

bool ds__ridset_add(ds__ridset *set, int64_t rid, bool *added, ds_error *err) {
    if (set->count * 2 >= set->cap && !grow(set, err)) {
        return false;
    }
    size_t at = mix(rid) & (set->cap - 1);
    while (set->slots[at] != 0) {
        if (set->slots[at] == rid) {
            *added = false;
            return true;
        }
        at = (at + 1) & (set->cap - 1);
    }
    set->slots[at] = rid;
    set->count++;
    *added = true;
    return true;
}

void ds__ridset_clear(ds__ridset *set) {
    ds__free(set->slots);
    *set = (ds__ridset){0};
}

/* Opens the scan of the plan, or of the next branch. */
static bool open_leaf(ds__exec *x, ds_error *err) {
    const ds__plan *plan = x->plan;
    switch (plan->kind) {
    case DS_PLAN_EMPTY:
        x->done = true;
        return true;
    case DS_PLAN_ID:
        x->leaf = plan;
        return true;
    case DS_PLAN_TABLE:
        x->leaf = plan;
        return ds__scan_table(x->txn, plan->coll, plan->backward, &x->scan, err);
    case DS_PLAN_INDEX:
        x->leaf = plan;
        break;
    case DS_PLAN_OR:
        x->leaf = plan->branches[x->branch];
        break;
    }
    if (x->leaf->interval_count == 0) {
        return true;
    }
    return ds__scan_index(x->txn, plan->coll, x->leaf->index, x->leaf->intervals,
                          x->leaf->interval_count, x->leaf->backward, true, &x->scan, err);
}

bool ds__exec_open(ds__txn *txn, const ds__plan *plan, ds__eval *eval, ds__exec **out,
                   ds_error *err) {
    ds__exec *x = ds__alloc(sizeof *x);
    *out = NULL;
    if (x == NULL) {
        return ds__error_oom(err);
    }
    x->plan = plan;
    x->eval = eval;
    x->txn = txn;
    x->to_skip = plan->skip;
    x->left = plan->limit > 0 ? plan->limit : -1;
    x->dedup = plan->kind == DS_PLAN_OR || (plan->kind == DS_PLAN_INDEX && plan->index->multikey);
    if (!open_leaf(x, err)) {
        ds__exec_close(x);
        return false;
    }
    *out = x;
    return true;
}

static void close_scan(ds__exec *x) {
    if (x->scan != NULL) {
        x->stats.keys_examined += x->leaf->kind == DS_PLAN_INDEX ? ds__scan_examined(x->scan) : 0;
        ds__scan_close(x->scan);
        x->scan = NULL;
    }
}

static ds_next by_id(ds__exec *x, ds__row *row, ds_error *err) {
    if (x->done) {
        return DS_NEXT_END;
    }
    x->done = true;
    x->stats.keys_examined = 1;
    if (!ds__record_get_by_id(x->txn, x->plan->coll, x->plan->id, &row->rid, &row->doc, err)) {
        return DS_NEXT_ERROR;
    }
    if (row->doc.type == DS_MISSING) {
        x->stats.keys_examined = 0;
        return DS_NEXT_END;
    }
    x->stats.docs_examined = 1;
    return DS_NEXT_ROW;
}

/* The next document that matches, in the order of the scan. */
static ds_next scan_next(ds__exec *x, ds__row *row, ds__match_info *match, ds_error *err) {
    if (x->plan->kind == DS_PLAN_ID) {
        return by_id(x, row, err);
    }
    while (!x->done) {
        ds__scan_row found;
        ds_next n = x->scan ? ds__scan_next(x->scan, &found, err) : DS_NEXT_END;
        if (n == DS_NEXT_ERROR) {
            return n;
        }
        if (n == DS_NEXT_END) {
            close_scan(x);
            x->branch++;
            if (x->plan->kind != DS_PLAN_OR || x->branch >= x->plan->branch_count) {
                x->done = true;
                break;
            }
            if (!open_leaf(x, err)) {
                return DS_NEXT_ERROR;
            }
            continue;
        }
        if (x->dedup) {
            bool added;
            if (!ds__ridset_add(&x->seen, found.rid, &added, err)) {
                return DS_NEXT_ERROR;
            }
            if (!added) {
                continue;
            }
        }
        x->stats.docs_examined++;
        if (!ds__env_step(x->eval->env, DOC_STEPS + found.doc.size / DS_METER_STEP_BYTES, err)) {
            return DS_NEXT_ERROR;
        }
        bool matched = true;
        /* Positions of matches are told by the whole filter only. */
        const ds__filter *filter = match != NULL ? x->plan->filter : x->plan->residual;
        if (x->eval->scratch->used > 0) {
            ds_arena_reset(x->eval->scratch);
        }
        if (filter != NULL && !ds__filter_match(filter, found.doc, x->eval, &matched, match, err)) {
            return DS_NEXT_ERROR;
        }
        if (matched) {
            row->doc = found.doc;
            row->rid = found.rid;
            return DS_NEXT_ROW;
        }
    }
    return DS_NEXT_END;
}

static ds_next matching(ds__exec *x, ds__row *row, ds__match_info *match, ds_error *err) {
    if (match != NULL) {
        *match = (ds__match_info){0};
    }
    return scan_next(x, row, match, err);
}

static bool fill_sorter(ds__exec *x, ds_error *err) {
    const ds__plan *plan = x->plan;
    uint64_t keep = plan->limit > 0 ? (uint64_t)plan->limit + (uint64_t)plan->skip : 0;
    ds__row row;
    ds_next n;
    x->sorter =
        ds__sorter_new(plan->sort, x->eval->env, keep, DS_MAX_GROUP_BYTES, plan->allow_disk, err);
    if (x->sorter == NULL) {
        return false;
    }
    while ((n = matching(x, &row, NULL, err)) == DS_NEXT_ROW) {
        x->stats.sorted++;
        if (!ds__sorter_add(x->sorter, row.doc, err)) {
            return false;
        }
    }
    x->sorted = true;
    return n == DS_NEXT_END && ds__sorter_finish(x->sorter, err);
}

static ds_next ordered(ds__exec *x, ds__row *row, ds__match_info *match, ds_error *err) {
    if (x->plan->sort == NULL) {
        return matching(x, row, match, err);
    }
    if (!x->sorted && !fill_sorter(x, err)) {
        return DS_NEXT_ERROR;
    }
    row->rid = 0;
    x->emitted++;
    return ds__sorter_next(x->sorter, &row->doc, err);
}

bool ds__exec_at_end(const ds__exec *x) {
    const ds__plan *plan = x->plan;
    uint64_t keep = plan->limit > 0 ? (uint64_t)plan->limit + (uint64_t)plan->skip : UINT64_MAX;
    uint64_t have = x->stats.sorted < keep ? x->stats.sorted : keep;
    return x->left == 0 || (x->sorted && x->emitted >= have) || (plan->sort == NULL && x->done);
}

ds_next ds__exec_next(ds__exec *x, ds__row *row, ds__match_info *match, ds_error *err) {
    if (x->left == 0) {
        return DS_NEXT_END;
    }
    while (x->to_skip > 0) {
        ds_next n = ordered(x, row, match, err);
        if (n != DS_NEXT_ROW) {
            return n;
        }
        x->to_skip--;
    }
    ds_next n = ordered(x, row, match, err);
    if (n == DS_NEXT_ROW) {
        x->stats.returned++;
        if (x->left > 0) {
            x->left--;
        }
    }
    return n;
}

void ds__exec_pause(ds__exec *x) {
    if (x->scan != NULL) {
        ds__scan_pause(x->scan);
    }
    x->txn = NULL;
}

bool ds__exec_resume(ds__exec *x, ds__txn *txn, ds_error *err) {
    x->txn = txn;
    return x->scan == NULL || ds__scan_resume(x->scan, txn, err);
}

void ds__exec_stats_get(const ds__exec *x, ds__exec_stats *out) {
    *out = x->stats;
    if (x->scan != NULL && x->leaf->kind == DS_PLAN_INDEX) {
        out->keys_examined += ds__scan_examined(x->scan);
    }
}

void ds__exec_close(ds__exec *x) {
    if (x == NULL) {
        return;
    }
    close_scan(x);
    ds__sorter_free(x->sorter);
    ds__ridset_clear(&x->seen);
    ds__free(x);
}

ds_next ds__exec_first(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *rid,
                       ds__match_info *match, ds_error *err) {
    ds__plan unsorted = *plan;
    ds__exec *x = NULL;
    ds_buf best = {0};
    ds_buf key = {0};
    ds__row row;
    ds__match_info found = {0};
    ds_next n;
    bool any = false;
    unsorted.sort = NULL;
    unsorted.limit = plan->sort ? 0 : 1;
    unsorted.skip = 0;
    if (!ds__exec_open(txn, &unsorted, eval, &x, err)) {
        return DS_NEXT_ERROR;
    }
    while ((n = ds__exec_next(x, &row, &found, err)) == DS_NEXT_ROW) {
        ds_buf_reset(&key);
        if (plan->sort != NULL &&
            (!ds__sort_key(plan->sort, row.doc, eval->env->collator, &key, err) ||
             !ds_buf_ok(&key, err))) {
            n = DS_NEXT_ERROR;
            break;
        }
        size_t size = key.size < best.size ? key.size : best.size;
        int order = any && size ? memcmp(key.data, best.data, size) : 0;
        if (!any || order < 0 || (order == 0 && key.size < best.size)) {
            ds_buf swap = best;
            best = key;
            key = swap;
            *rid = row.rid;
            *match = found;
            any = true;
        }
    }
    ds__exec_close(x);
    ds_buf_clear(&best);
    ds_buf_clear(&key);
    return n == DS_NEXT_ERROR ? n : any ? DS_NEXT_ROW : DS_NEXT_END;
}

/* Entries of an index that stand for one matching document each. */
static bool count_entries(ds__txn *txn, const ds__plan *plan, int64_t *out, ds_error *err) {
    int64_t n = 0;
    if (!ds__scan_count(txn, plan->index, plan->intervals, plan->interval_count, &n, err)) {
        return false;
    }
    n = n > plan->skip ? n - plan->skip : 0;
    *out = plan->limit > 0 && n > plan->limit ? plan->limit : n;
    return true;
}

bool ds__exec_count(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *out,
                    ds_error *err) {
    *out = 0;
    if (plan->kind == DS_PLAN_INDEX && plan->exact) {
        return count_entries(txn, plan, out, err);
    }
    ds__plan unsorted = *plan;
    unsorted.sort = NULL;
    ds__exec *x;
    ds__row row;
    ds_next n;
    if (!ds__exec_open(txn, &unsorted, eval, &x, err)) {
        return false;
    }
    while ((n = ds__exec_next(x, &row, NULL, err)) == DS_NEXT_ROW) {
        ++*out;
    }
    ds__exec_close(x);
    return n == DS_NEXT_END;
}
