/* SPDX-License-Identifier: Apache-2.0 */
/* From a query to documents: which scan, which bounds, in what order; then running it. A plan only
 * narrows what is looked at; the filter always decides. */
#ifndef DS_ENGINE_PLAN_PLAN_H
#define DS_ENGINE_PLAN_PLAN_H

#include "engine/catalog/catalog.h"
#include "engine/plan/bounds.h"
#include "engine/store/scan.h"
#include "lang/filter/filter.h"
#include "lang/pipeline/pipeline.h"
#include "lang/pipeline/sort.h"

/* What is wanted. Everything borrowed must outlive the plan and its execution. */
typedef struct ds__query {
    const ds__coll *coll;         /* NULL: no such collection, an empty result */
    const ds__filter *filter;     /* NULL: all */
    const ds__sort_pattern *sort; /* NULL: any order */
    ds_value hint;                /* name, key pattern, {$natural: ±1} or DS_MISSING */
    ds_value min;                 /* index bounds given by the client, or DS_MISSING */
    ds_value max;
    ds_value id; /* the filter is just {_id: id}; DS_MISSING: it is not */
    int64_t skip;
    int64_t limit; /* 0: none */
    bool allow_disk;
} ds__query;

typedef enum ds__plan_kind {
    DS_PLAN_EMPTY,
    DS_PLAN_ID,
    DS_PLAN_TABLE,
    DS_PLAN_INDEX,
    DS_PLAN_OR /* union of branches, each an index scan */
} ds__plan_kind;

typedef struct ds__plan ds__plan;
struct ds__plan {
    /* borrowed from the catalog */
    const ds__coll *coll;
    const ds__index *index;
    /* in the arena */
    const ds__filter *filter;     /* the whole; NULL: nothing to ask */
    const ds__filter *residual;   /* what the bounds do not decide already; NULL: nothing */
    const ds__sort_pattern *sort; /* to be sorted after the scan; NULL: in order already */
    ds__interval *intervals;      /* in the order of the scan */
    size_t interval_count;
    ds__bounds *parts;   /* INDEX: per part, for explain */
    ds__plan **branches; /* OR */
    size_t branch_count;
    ds_value id; /* ID */
    /* plain */
    ds__plan_kind kind;
    bool backward;
    bool exact;     /* INDEX: entries and matching documents are one to one */
    bool keys_only; /* explain of a count: the documents are not fetched */
    int64_t skip;
    int64_t limit;
    bool allow_disk;
};

/* Chooses a plan; lives in env->arena, for the transaction's catalog. Errors: BadValue (hint). */
bool ds__plan_choose(ds__txn *txn, ds__env *env, const ds__query *query, ds__plan **out,
                     ds_error *err);

/* Whether every document that matches `filter` matches the index's partial filter. */
bool ds__plan_implies(const ds__filter *filter, const ds__filter *partial);

/* A document found. Lifetime: until the next call on the execution, or a write. */
typedef struct ds__row {
    ds_value doc;
    int64_t rid; /* 0 after a sort */
} ds__row;

/* A plan running: pausable between calls. */
typedef struct ds__exec ds__exec;

typedef struct ds__exec_stats {
    uint64_t keys_examined;
    uint64_t docs_examined;
    uint64_t returned;
    uint64_t sorted; /* documents that went into a sort */
} ds__exec_stats;

/* Begins in `txn`. `eval` (borrowed) belongs to the same env the filter was compiled with. */
bool ds__exec_open(ds__txn *txn, const ds__plan *plan, ds__eval *eval, ds__exec **out,
                   ds_error *err);
/* `match` may be NULL; else it receives where array elements matched (not after a sort). */
ds_next ds__exec_next(ds__exec *exec, ds__row *row, ds__match_info *match, ds_error *err);
/* Lets go of the transaction, and goes on in another. */
void ds__exec_pause(ds__exec *exec);
bool ds__exec_resume(ds__exec *exec, ds__txn *txn, ds_error *err);
/* Whether it is known already that nothing more comes. */
bool ds__exec_at_end(const ds__exec *exec);
void ds__exec_stats_get(const ds__exec *exec, ds__exec_stats *out);
void ds__exec_close(ds__exec *exec);

/* The first document in the order of plan->sort, with its rid and match: for findAndModify. */
ds_next ds__exec_first(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *rid,
                       ds__match_info *match, ds_error *err);

/* How many documents the plan finds, within its skip and limit. */
bool ds__exec_count(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *out,
                    ds_error *err);

/* {…} of queryPlanner.winningPlan: the stages that need no others are inside. `projection` is the
 * stage to put on top ("PROJECTION_SIMPLE"), or NULL; `transform` its specification. `stats` (may
 * be NULL) turns it into executionStages. */
void ds__plan_print(const ds__plan *plan, const char *projection, ds_value transform,
                    ds_value sort_spec, const ds__exec_stats *stats, ds_buf *out);

#endif
