/* SPDX-License-Identifier: Apache-2.0 */
/* An index as a way to answer a query: what the filter's predicates make of its parts, and what
 * that is worth. The inside of choose.c. */
#ifndef DS_ENGINE_PLAN_CANDIDATE_H
#define DS_ENGINE_PLAN_CANDIDATE_H

#include "engine/plan/plan.h"

enum { DS_PLAN_MAX_PREDICATES = 64, DS_PLAN_MAX_POINTS = 1000, DS_PLAN_MAX_INTERVALS = 5000 };

/* A leaf of the filter that speaks of one path of the documents. */
typedef struct ds__predicate {
    const char *path;
    uint32_t size;
    const ds__filter *leaf;
    const ds__filter *owner; /* the object $elemMatch it stands in, or NULL */
} ds__predicate;

typedef struct ds__chooser {
    ds__txn *txn;
    ds__env *env;
    ds_arena *arena;
    const ds__query *query;
    ds__predicate predicates[DS_PLAN_MAX_PREDICATES];
    size_t count;
    bool lossy; /* the filter says more than the predicates */
    ds_error *err;
} ds__chooser;

typedef struct ds__candidate {
    const ds__index *index;
    ds__bounds *parts;
    const ds__filter **owners;
    uint64_t *covered; /* per part: the predicates its bounds decide alone */
    size_t used;       /* leading parts whose bounds make intervals */
    bool bounded;      /* the first part is narrower than everything */
    bool sorted;
    bool backward;
    bool exact;
    double score;
} ds__candidate;

/* Takes the predicates of a filter into the chooser. */
void ds__plan_collect(ds__chooser *c, const ds__filter *f);
/* Bounds of all parts; *usable says whether every match is in the index. */
bool ds__plan_consider(ds__chooser *c, const ds__index *index, bool hinted, ds__candidate *k,
                       bool *usable);
/* How far bounds reach, whether the order fits, and what the candidate is worth. */
void ds__plan_score(ds__candidate *k, const ds__query *q);
/* The spans of keys the used parts make, in the order of the scan. */
bool ds__plan_intervals(ds_arena *arena, const ds__candidate *k, ds__plan *plan, ds_error *err);

#endif
