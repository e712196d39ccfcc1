/* SPDX-License-Identifier: Apache-2.0 */
/* An index as a way to answer a query: what the filter's predicates make of its parts, and what
 * that is worth. The inside of choose.c. */
#ifndef DS_ENGINE_PLAN_CANDIDATE_H
#define DS_ENGINE_PLAN_CANDIDATE_H

#include "engine/plan/plan.h"

enum {
    DS_PLAN_MAX_RIVALS = 16,
    DS_PLAN_MAX_BRANCHES = 200, /* scans merged for a sort */
    DS_PLAN_MAX_PREDICATES = 64,
    DS_PLAN_MAX_POINTS = 1000,
    DS_PLAN_MAX_INTERVALS = 5000
};

/* What an order that spares a sort is worth, and a union of scans. */
#define DS_PLAN_SORT_POINTS 3.5
#define DS_PLAN_OR_POINTS 3.6

/* A leaf of the filter that speaks of one path of the documents. */
typedef struct ds__predicate {
    const char *path;
    uint32_t size;
    const ds__filter *leaf;
    const ds__filter *owner; /* the object $elemMatch it stands in, or NULL */
} ds__predicate;

struct ds__rival;

typedef struct ds__chooser {
    ds__txn *txn;
    ds__env *env;
    ds_arena *arena;
    const ds__query *query;
    ds__predicate predicates[DS_PLAN_MAX_PREDICATES];
    size_t count;
    struct ds__rival *rivals; /* the best first */
    size_t rival_count;
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
    double score;
} ds__candidate;

/* One of several plans, made when it is looked at. */
typedef struct ds__rival {
    ds__plan_kind kind;  /* INDEX, OR or MERGE */
    ds__candidate k;     /* INDEX; MERGE of one index */
    const ds__filter *f; /* OR; MERGE of several: the $or */
    double points;
    ds__plan *plan; /* NULL: not made yet */
} ds__rival;

/* What names a rival among those of queries of the same shape. */
typedef struct ds__rival_name {
    int64_t index;
    int32_t kind;
    bool backward;
} ds__rival_name;
ds__rival_name ds__rival_name_of(const ds__rival *rival);

/* The plan that won the last race of queries of this shape, with a ceiling; else the best by
 * points, to be raced. */
bool ds__plan_recall(ds__chooser *c, ds__plan **out);

/* A plan of the query with nothing decided. */
ds__plan *ds__plan_blank(ds_arena *arena, const ds__query *query, ds__plan_kind kind,
                         ds_error *err);
ds__plan *ds__plan_new(ds__chooser *c, ds__plan_kind kind);
bool ds__plan_index(ds__chooser *c, const ds__candidate *k, ds__plan **out);
/* Finds the parts of the plan's index that are all its query's projection asks for, if they are. */
void ds__plan_cover(ds__plan *plan);
/* One scan for each of the values that lead to parts in the order wanted (ds__plan_explodes). */
bool ds__plan_explode(ds__chooser *c, const ds__candidate *k, ds__plan **out);
/* The plan query->hint asks for. */
bool ds__plan_hinted(ds__chooser *c, ds__plan **out);

/* Makes the plan of a rival; *out is NULL when it turns out to be none. */
bool ds__plan_of(ds__chooser *c, ds__rival *rival, ds__plan **out);

/* Takes the predicates of a filter into the chooser. */
void ds__plan_collect(ds__chooser *c, const ds__filter *f);
/* Bounds of all parts; *usable says whether every match is in the index. */
bool ds__plan_consider(ds__chooser *c, const ds__index *index, bool hinted, ds__candidate *k,
                       bool *usable);
/* How far bounds reach, whether the order fits, and what the candidate is worth. */
void ds__plan_score(ds__candidate *k, const ds__query *q);
/* Whether scans of single values, one for each the leading parts may have, are in the order wanted
 * each by itself: *count of them, of the first *parts parts. */
bool ds__plan_explodes(const ds__candidate *k, const ds__query *q, size_t *parts, size_t *count);
/* Such a scan, the n-th. */
bool ds__plan_exploded(ds_arena *arena, const ds__candidate *k, const ds__query *q, size_t parts,
                       size_t n, ds__candidate *out, size_t *merge_at, ds_error *err);
/* Appends the bytes of a span's end for a part; `lower` as the index orders them. */
void ds__plan_add_cut(ds_buf *buf, const ds__index_part *part, const ds__span *span, bool lower);
/* The spans of keys the used parts make, in the order of the scan. */
bool ds__plan_intervals(ds_arena *arena, const ds__candidate *k, ds__plan *plan, ds_error *err);

#endif
