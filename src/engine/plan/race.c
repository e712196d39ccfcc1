/* SPDX-License-Identifier: Apache-2.0 */
/* The race: every rival looks at as much as the others, until one is at its end or has found a
 * batch. Who found the most for the work wins; points decide between equals. */
#include "base/mem.h"
#include "engine/plan/cache.h"
#include "engine/plan/candidate.h"
#include "engine/plan/runner.h"
#include "engine/records/records.h"

enum {
    LAP = 16,          /* works each rival gets in turn */
    FEWEST_LAPS = 625, /* 10,000 works */
    SHARE = 10 * LAP   /* … or a tenth of the collection */
};

static bool open_runners(ds__exec *x, ds__txn *txn, ds__chooser *c, ds__eval *eval, ds_error *err) {
    x->runners = ds__alloc(c->rival_count * sizeof *x->runners);
    if (x->runners == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < c->rival_count; i++) {
        ds__plan *plan;
        if (!ds__plan_of(c, &c->rivals[i], &plan) ||
            !ds__runner_open(&x->runners[i], txn, plan, eval, err)) {
            return false;
        }
        x->runner_count++;
    }
    return true;
}

/* One lap of everybody; a rival that takes too much memory is out. *over: somebody has shown what
 * he can, or nobody is left. */
static bool lap(ds__exec *x, ds__eval *eval, bool *over, ds_error *err) {
    size_t left = 0;
    for (size_t i = 0; i < x->runner_count; i++) {
        left += !x->runners[i].failed;
    }
    for (size_t i = 0; i < x->runner_count; i++) {
        ds__runner *r = &x->runners[i];
        if (r->failed) {
            continue;
        }
        if (!ds__runner_go(r, LAP, err)) {
            r->failed = true;
            ds__runner_close(r);
            left--;
            if (left == 0 || !ds__env_forgive(eval->env, err)) {
                return false;
            }
            continue;
        }
        *over = *over || ds__runner_decided(r);
    }
    *over = *over || left < 2;
    return true;
}

static double score(const ds__runner *r) {
    double works = r->works > 0 ? (double)r->works : 1;
    double extra = 1 / (10 * works) < 1e-4 ? 1 / (10 * works) : 1e-4;
    double found = (double)r->found / works;
    return 1 + (found < 1 ? found : 1) + (r->plan->sort == NULL ? extra : 0) + extra +
           (r->ended ? 1 : 0);
}

static size_t best(ds__exec *x) {
    size_t best = 0;
    for (size_t i = 0; i < x->runner_count; i++) {
        ds__runner *r = &x->runners[i];
        r->score = r->failed ? 0 : score(r);
        best = r->score > x->runners[best].score ? i : best;
    }
    return best;
}

static void report(ds__exec *x, size_t winner) {
    const ds__explain words = {.sort_spec = x->runners[0].plan->query->sort_spec,
                               .transform = ds__missing()};
    ds_buf *out = &x->report;
    size_t root = ds__doc_begin(out);
    for (size_t i = 0, n = 0; i <= x->runner_count; i++) {
        if (i == winner + 1) { /* the winner comes first */
            continue;
        }
        const ds__runner *r = &x->runners[i == 0 ? winner : i - 1];
        if (r->failed) {
            continue;
        }
        uint64_t keys = 0;
        uint64_t docs = 0;
        ds__node_examined(r->root, &keys, &docs);
        size_t one = ds__write_index_doc(out, n++, DS_DOCUMENT);
        ds__write_int32(out, "nReturned", (int32_t)r->found);
        ds__write_int32(out, "executionTimeMillisEstimate", 0);
        ds__write_int32(out, "totalKeysExamined", (int32_t)keys);
        ds__write_int32(out, "totalDocsExamined", (int32_t)docs);
        ds__write_double(out, "score", r->score);
        size_t stages = ds__write_doc(out, "executionStages", 15, DS_DOCUMENT);
        ds__runner_print(r, &words, true, out);
        ds__doc_end(out, stages);
        ds__doc_end(out, one);
    }
    ds__doc_end(out, root);
}

bool ds__exec_race(ds__exec *x, ds__txn *txn, ds__chooser *c, ds__eval *eval, ds_error *err) {
    int64_t documents;
    int64_t bytes;
    bool over = false;
    c->txn = txn;
    c->err = err;
    if (!ds__record_counts(txn, c->query->coll, &documents, &bytes, err) ||
        !open_runners(x, txn, c, eval, err)) {
        return false;
    }
    int64_t laps = documents / SHARE > FEWEST_LAPS ? documents / SHARE : FEWEST_LAPS;
    while (!over && laps-- > 0) {
        if (!lap(x, eval, &over, err)) {
            return false;
        }
    }
    size_t winner = best(x);
    x->now = &x->runners[winner];
    report(x, winner);
    for (size_t i = 0; i < x->runner_count; i++) {
        ds__runner *r = &x->runners[i];
        if (i != winner && r->root != NULL) {
            ds_buf_clear(&r->rows);
            if (c->query->explain) {
                ds__node_save(r->root);
            } else {
                ds__runner_close(r);
            }
        }
    }
    if (!c->query->explain) {
        ds__plan_remember(txn, c, winner, x);
    }
    return true;
}
