/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a plan. Between batches nothing is held but positions, and what was found ahead. */
#include "base/mem.h"
#include "engine/plan/cache.h"
#include "engine/plan/candidate.h"
#include "engine/plan/runner.h"

bool ds__runner_open(ds__runner *r, ds__txn *txn, const ds__plan *plan, ds__eval *eval,
                     ds_error *err) {
    r->plan = plan;
    r->course.txn = txn;
    r->course.eval = eval;
    r->course.works = DS_ALL_WORKS;
    r->rows.meter = eval->env->meter;
    r->root = ds__node_build(&r->course, plan, err);
    return r->root != NULL;
}

void ds__runner_close(ds__runner *r) {
    ds__node_close(r->root);
    ds_buf_clear(&r->rows);
    r->root = NULL;
}

static bool save_row(ds__runner *r, const ds__row *row, ds_error *err) {
    size_t size = row->doc.type == DS_DOCUMENT ? row->doc.size : 0;
    ds__saved_row head = {.rid = row->rid, .match = r->course.match, .size = size};
    const size_t at = r->rows.size;
    ds_buf_add(&r->rows, &head, sizeof head);
    ds_buf_add(&r->rows, row->doc.as.bytes, size);
    if (ds__query_index_keys(r->plan->query)) {
        if (!ds__row_keep_index_key(row, &r->rows, err)) {
            return false;
        }
        head.index_key_size = r->rows.size - at - sizeof head - size;
        memcpy(r->rows.data + at, &head, sizeof head);
    }
    return ds_buf_ok(&r->rows, err);
}

bool ds__runner_decided(const ds__runner *r) {
    return r->ended || r->found >= DS_RACE_ROWS || r->rows.size >= DS_RACE_BYTES;
}

bool ds__runner_go(ds__runner *r, int64_t works, ds_error *err) {
    r->course.works = works;
    ds__step step = DS_STEP_ROW;
    while (step == DS_STEP_ROW && !ds__runner_decided(r)) {
        ds__row row = {.doc = ds__missing()};
        step = ds__node_next(r->root, &row, err);
        if (step == DS_STEP_ERROR || (step == DS_STEP_ROW && !save_row(r, &row, err))) {
            return false;
        }
        r->ended = step == DS_STEP_END;
        r->found = r->plan->query->count ? r->root->inputs[0]->returned : r->root->returned;
    }
    /* a tree that waits has asked for one more than it had */
    r->works += (uint64_t)(works - (r->course.works < 0 ? 0 : r->course.works));
    r->course.works = DS_ALL_WORKS;
    return true;
}

/* Whether the plan that won the last race is still worth its while; its rows are kept. */
static bool try_again(ds__exec *x, ds__txn *txn, const ds__plan *plan, ds__eval *eval, bool *good,
                      ds_error *err) {
    ds__runner *r = x->now;
    *good = false;
    if (!ds__runner_go(r, (int64_t)plan->ceiling, err)) {
        if (!ds__env_forgive(eval->env, err)) {
            return false;
        }
    } else if (ds__runner_decided(r)) {
        *good = true;
        return true;
    }
    ds__runner_close(r);
    *r = (ds__runner){0};
    ds__plan_forget(plan->query);
    return true;
}

bool ds__exec_open(ds__txn *txn, const ds__plan *plan, ds__eval *eval, ds__exec **out,
                   ds_error *err) {
    ds__exec *x = ds__alloc(sizeof *x);
    bool good = true;
    *out = NULL;
    if (x == NULL) {
        return ds__error_oom(err);
    }
    x->now = &x->one;
    bool ok = true;
    if (!plan->raced) {
        ok = ds__runner_open(x->now, txn, plan, eval, err) &&
             (plan->ceiling == 0 || try_again(x, txn, plan, eval, &good, err));
    }
    if (ok && (plan->raced || !good)) {
        ok = ds__exec_race(x, txn, plan->chooser, eval, err);
    }
    if (!ok) {
        ds__exec_close(x);
        return false;
    }
    *out = x;
    return true;
}

ds_next ds__exec_next(ds__exec *x, ds__row *row, ds__match_info *match, ds_error *err) {
    ds__runner *r = x->now;
    if (r->given < r->rows.size) {
        ds__saved_row head;
        memcpy(&head, r->rows.data + r->given, sizeof head);
        *row = (ds__row){.rid = head.rid, .doc = ds__missing()};
        r->given += sizeof head;
        if (head.size > 0) {
            row->doc = ds__document(r->rows.data + r->given);
        }
        r->given += head.size;
        if (head.index_key_size > 0) {
            row->index_key = r->rows.data + r->given;
        }
        r->given += head.index_key_size;
        if (match != NULL) {
            *match = head.match;
        }
        x->returned++;
        return DS_NEXT_ROW;
    }
    row->index = NULL;
    row->index_key = NULL;
    ds_assert(r->ended || r->course.txn != NULL); /* it is not paused */
    ds__step step = r->ended ? DS_STEP_END : ds__node_next(r->root, row, err);
    if (match != NULL) {
        *match = r->course.match;
    }
    x->returned += step == DS_STEP_ROW;
    return step == DS_STEP_ROW ? DS_NEXT_ROW : step == DS_STEP_END ? DS_NEXT_END : DS_NEXT_ERROR;
}

bool ds__exec_at_end(const ds__exec *x) {
    return x->now->given == x->now->rows.size && (x->now->ended || ds__node_at_end(x->now->root));
}

const ds__plan *ds__exec_plan(const ds__exec *x) {
    return x->now->plan;
}

void ds__exec_pause(ds__exec *x) {
    ds__node_save(x->now->root);
    x->now->course.txn = NULL;
}

bool ds__exec_resume(ds__exec *x, ds__txn *txn, ds_error *err) {
    x->now->course.txn = txn;
    x->now->course.resumed++;
    return ds__node_restore(x->now->root, err);
}

static bool check_indexes(const ds__plan *plan, const ds__coll *now, ds_error *err) {
    bool found = plan->index == NULL;
    for (size_t i = 0; !found && i < now->index_count; i++) {
        found = now->indexes[i].id == plan->index->id && !now->indexes[i].hidden;
    }
    if (!found) {
        return ds__error_set(err, DS_QUERY_PLAN_KILLED, "query plan killed :: index '%s' dropped",
                             plan->index->name);
    }
    for (size_t i = 0; i < plan->branch_count; i++) {
        if (!check_indexes(plan->branches[i], now, err)) {
            return false;
        }
    }
    return true;
}

bool ds__exec_check(const ds__exec *x, const ds__catalog *today, bool held, ds_error *err) {
    const ds__plan *plan = x->now->plan;
    const ds__coll *was = plan->coll;
    if (was == NULL) {
        return true;
    }
    const ds__coll *now = ds__catalog_find_id(today, was->id);
    bool same = now != NULL && memcmp(now->uuid, was->uuid, sizeof was->uuid) == 0;
    if (same && strcmp(now->ns, was->ns) == 0) {
        return check_indexes(plan, now, err);
    }
    if (held && ds__catalog_find(today, was->db, strlen(was->db), was->name, strlen(was->name))) {
        return ds__error_set(err, DS_SNAPSHOT_UNAVAILABLE,
                             "Unable to read from a snapshot: another collection is called %s now",
                             was->ns);
    }
    return !same ? ds__error_set(err, DS_QUERY_PLAN_KILLED, "collection dropped: %s", was->ns)
                 : ds__error_set(err, DS_QUERY_PLAN_KILLED, "collection renamed from '%s' to '%s'",
                                 was->ns, now->ns);
}

void ds__exec_stats_get(const ds__exec *x, ds__exec_stats *out) {
    *out = (ds__exec_stats){.returned = x->returned};
    ds__node_examined(x->now->root, &out->keys_examined, &out->docs_examined);
}

void ds__exec_close(ds__exec *x) {
    if (x == NULL) {
        return;
    }
    ds__runner_close(&x->one);
    for (size_t i = 0; i < x->runner_count; i++) {
        ds__runner_close(&x->runners[i]);
    }
    ds__free(x->runners);
    ds_buf_clear(&x->report);
    ds__free(x);
}

bool ds__exec_count(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *out,
                    ds_error *err) {
    ds__exec *x;
    ds__row row;
    *out = 0;
    if (!ds__exec_open(txn, plan, eval, &x, err)) {
        return false;
    }
    ds_next n = ds__exec_next(x, &row, NULL, err);
    *out = ds__node_counted(x->now->root);
    ds__exec_close(x);
    return n == DS_NEXT_END;
}
