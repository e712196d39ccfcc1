/* SPDX-License-Identifier: Apache-2.0 */
/* A plan's tree with the rows it has found ahead of being asked. The inside of exec.c and race.c.
 */
#ifndef DS_ENGINE_PLAN_RUNNER_H
#define DS_ENGINE_PLAN_RUNNER_H

#include "engine/plan/candidate.h"
#include "engine/plan/node.h"

/* Stays where it is: its nodes point at the course. */
typedef struct ds__runner {
    /* owned */
    ds__node *root;
    ds_buf rows; /* found and not given: ds__saved_row and the document, one after the other */
    /* borrowed */
    const ds__plan *plan;
    /* plain */
    ds__course course;
    size_t given; /* bytes of rows that were given */
    uint64_t works;
    uint64_t found;
    double score;
    bool ended;
    bool failed; /* it took too much memory */
} ds__runner;

/* Before the bytes of a document in ds__runner.rows. */
typedef struct ds__saved_row {
    int64_t rid;
    ds__match_info match;
    size_t size;           /* of the document, 0: none */
    size_t index_key_size; /* of ds__row.index_key, behind it; 0: none */
} ds__saved_row;

struct ds__exec {
    /* owned */
    ds__runner one;      /* a plan without rivals */
    ds__runner *runners; /* those of a race; only the winner's tree stays, or all for explain */
    size_t runner_count;
    ds_buf report; /* an array: what allPlansExecution says of each runner */
    /* borrowed */
    ds__runner *now;
    /* plain */
    uint64_t returned;
};

enum { DS_RACE_ROWS = 101, DS_RACE_BYTES = 1 << 20 };

bool ds__runner_open(ds__runner *r, ds__txn *txn, const ds__plan *plan, ds__eval *eval,
                     ds_error *err);
void ds__runner_close(ds__runner *r);
/* Looks for rows, keeping them, until there are enough for a decision or `works` are used up. */
bool ds__runner_go(ds__runner *r, int64_t works, ds_error *err);
/* Whether it has shown what it can: it is at its end, or has found enough. */
bool ds__runner_decided(const ds__runner *r);

/* As ds__exec_print. */
void ds__runner_print(const ds__runner *r, const ds__explain *explain, bool counts, ds_buf *out);

/* Runs the chooser's rivals against each other; x->now becomes the winner. */
bool ds__exec_race(ds__exec *x, ds__txn *txn, ds__chooser *c, ds__eval *eval, ds_error *err);

#endif
