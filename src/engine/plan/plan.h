/* SPDX-License-Identifier: Apache-2.0 */
/* From a query to documents: which scan, which bounds, in what order; then running it. A plan only
 * narrows what is looked at; the filter always decides. */
#ifndef DS_ENGINE_PLAN_PLAN_H
#define DS_ENGINE_PLAN_PLAN_H

#include "engine/catalog/catalog.h"
#include "engine/index/bounds.h"
#include "engine/store/scan.h"
#include "lang/filter/filter.h"
#include "lang/pipeline/pipeline.h"
#include "lang/pipeline/sort.h"

/* What is wanted. Everything borrowed must outlive the plan and its execution. */
typedef struct ds__query {
    const ds__coll *coll;             /* NULL: no such collection, an empty result */
    const ds__filter *filter;         /* NULL: all */
    const ds__sort_pattern *sort;     /* NULL: any order */
    const ds__sort_pattern *sort_key; /* what rows' sort keys are made by; NULL: they are empty */
    const ds__path *distinct; /* only which values this path has is asked; NULL: the documents */
    ds_value hint;            /* name, key pattern, {$natural: ±1} or DS_MISSING */
    ds_value min;             /* index bounds given by the client, or DS_MISSING */
    ds_value max;
    ds_value id;          /* the filter is just {_id: id}; DS_MISSING: it is not */
    ds_value filter_spec; /* as the client wrote them, for $planCacheStats, or DS_MISSING */
    ds_value sort_spec;
    ds_value projection_spec;
    int64_t skip;
    int64_t limit; /* 0: none */
    bool allow_disk;
    bool positions; /* where array elements matched is asked for: not after a sort */
    bool count;     /* only how many */
    bool first;     /* only the first one's rid and position */
    uint32_t meta;  /* bits of ds__meta_kind: what rows keep, through a sort too (ds__row_meta) */
    bool explain;   /* the plan is wanted: nothing is remembered of earlier queries, or for later */
} ds__query;

/* A query without words of the client's. */
static inline ds__query ds__query_of(const ds__coll *coll, const ds__filter *filter) {
    ds__query q = {.coll = coll, .filter = filter};
    q.hint = q.min = q.max = q.id = ds__missing();
    q.filter_spec = q.sort_spec = q.projection_spec = ds__missing();
    return q;
}

typedef enum ds__plan_kind {
    DS_PLAN_EMPTY,
    DS_PLAN_ID,
    DS_PLAN_TABLE,
    DS_PLAN_INDEX,
    DS_PLAN_OR,   /* union of branches, each an index scan */
    DS_PLAN_MERGE /* the same, of branches each in the order wanted */
} ds__plan_kind;

struct ds__chooser;

/* One way to answer a query, and how it was come by. */
typedef struct ds__plan ds__plan;
struct ds__plan {
    /* borrowed from the catalog */
    const ds__coll *coll;
    const ds__index *index;
    /* in the arena */
    const ds__query *query;
    const ds__filter *filter;       /* the whole; NULL: nothing to ask */
    const ds__filter *residual;     /* what the bounds do not decide already; NULL: nothing */
    const ds__sort_pattern *sort;   /* to be sorted after the scan; NULL: in order already */
    const ds__sort_pattern *merged; /* MERGE: the order of the branches */
    ds__interval *intervals;        /* in the order of the scan */
    size_t interval_count;
    ds__bounds *parts;   /* INDEX: per part; those from `used` on are asked of each key */
    size_t used;         /* leading parts the intervals are made of */
    ds__plan **branches; /* OR, MERGE */
    size_t branch_count;
    struct ds__chooser *chooser; /* when there are others: they can be had of it */
    ds_value id;                 /* ID */
    /* plain */
    ds__plan_kind kind;
    size_t merge_at;  /* a branch of MERGE: bytes of a key that are equal in all of its entries */
    size_t covers;    /* INDEX: 1 + the part that is all the projection asks, beside _id; 0: none */
    size_t covers_id; /* … and 1 + that of _id */
    size_t distinct;  /* INDEX: leading parts of which one entry each is wanted; 0: all entries */
    int64_t skip;
    int64_t limit;
    uint64_t ceiling; /* works after which the others are tried again; 0: none */
    bool raced;       /* to be chosen among the chooser's rivals by a race */
    bool backward;
    bool by_key; /* MERGE: all branches scan one index */
    bool allow_disk;
};

/* Chooses a plan; lives in env->arena, for the transaction's catalog. Errors: BadValue (hint),
 * 51174, 51175, NoQueryExecutionPlans (min and max). */
bool ds__plan_choose(ds__txn *txn, ds__env *env, const ds__query *query, ds__plan **out,
                     ds_error *err);

/* Whether every document that matches `filter` matches the index's partial filter. */
bool ds__plan_implies(const ds__filter *filter, const ds__filter *partial);

/* A document found. Lifetime: until the next call on the execution, or a write. */
typedef struct ds__row {
    ds_value doc;       /* DS_MISSING: not fetched */
    int64_t rid;        /* 0 after a sort */
    const uint8_t *key; /* rows of an index scan */
    size_t key_size;
    /* What was found by an entry, when the query asks what is beside rows: its index, beside `key`;
     * or the entry's values, an own document, where the row was kept in between. NULL: neither. */
    const ds__index *index;
    const uint8_t *index_key;
} ds__row;

/* The row's metadata, as far as the query asks for it; it lives in `arena` and the row. */
bool ds__row_meta(const ds__query *query, const ds__row *row, const ds__collator *collator,
                  ds_arena *arena, ds__meta *out, ds_error *err);

/* A plan running: pausable between calls. */
typedef struct ds__exec ds__exec;

typedef struct ds__exec_stats {
    uint64_t keys_examined;
    uint64_t docs_examined;
    uint64_t returned;
} ds__exec_stats;

/* Begins in `txn`; a plan that has rivals is run against them first. `eval` (borrowed) belongs to
 * the same env the filter was compiled with. */
bool ds__exec_open(ds__txn *txn, const ds__plan *plan, ds__eval *eval, ds__exec **out,
                   ds_error *err);
/* `match` may be NULL; else it receives where array elements matched, when the query asks for
 * positions. */
ds_next ds__exec_next(ds__exec *exec, ds__row *row, ds__match_info *match, ds_error *err);
/* Lets go of the transaction, and goes on in another. */
void ds__exec_pause(ds__exec *exec);
bool ds__exec_resume(ds__exec *exec, ds__txn *txn, ds_error *err);
/* Whether `today` still has the collection under its name, and the indexes that are read. `held`:
 * the execution reads a snapshot that is older. Errors: QueryPlanKilled; SnapshotUnavailable when
 * another collection has the name of one that was read in a held snapshot. */
bool ds__exec_check(const ds__exec *exec, const ds__catalog *today, bool held, ds_error *err);
/* Whether it is known already that nothing more comes. */
bool ds__exec_at_end(const ds__exec *exec);
/* The plan that runs. */
const ds__plan *ds__exec_plan(const ds__exec *exec);
void ds__exec_stats_get(const ds__exec *exec, ds__exec_stats *out);
void ds__exec_close(ds__exec *exec);

/* How many documents a query with `count` finds, within its skip and limit. */
bool ds__exec_count(ds__txn *txn, const ds__plan *plan, ds__eval *eval, int64_t *out,
                    ds_error *err);

/* What explain asks of an execution. `projection` is the stage to print over the documents
 * ("PROJECTION_SIMPLE"), or NULL; `transform` its specification. */
typedef struct ds__explain {
    const char *projection;
    ds_value transform;
    ds_value sort_spec;
} ds__explain;
/* {…} of queryPlanner.winningPlan; `counts` turns it into executionStages. */
void ds__exec_print(const ds__exec *exec, const ds__explain *explain, bool counts, ds_buf *out);
/* The elements of rejectedPlans, or of allPlansExecution. */
bool ds__exec_print_rivals(const ds__exec *exec, const ds__explain *explain, bool executed,
                           ds_buf *out, ds_error *err);

#endif
