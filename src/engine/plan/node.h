/* SPDX-License-Identifier: Apache-2.0 */
/* Plans as trees that run: each node gives rows to the one above it. A tree stops between two rows
 * (save, restore) and, when its works are used up, in the midst of looking for one. */
#ifndef DS_ENGINE_PLAN_NODE_H
#define DS_ENGINE_PLAN_NODE_H

#include <stddef.h>

#include "bson/writer.h"
#include "engine/plan/plan.h"
#include "engine/plan/ridset.h"

typedef enum ds__step {
    DS_STEP_ROW,
    DS_STEP_END,
    DS_STEP_ERROR,
    DS_STEP_WAIT /* the works are used up: ask again with more */
} ds__step;

enum { DS_NODE_ROOM = 112 }; /* a find by id needs no more */

/* What the nodes of one tree share. Zero-initialise; it stays where it is while the tree stands. */
typedef struct ds__course {
    /* owned */
    _Alignas(max_align_t) uint8_t room[DS_NODE_ROOM]; /* for the first nodes */
    size_t room_used;
    /* borrowed */
    ds__txn *txn; /* NULL while paused */
    ds__eval *eval;
    /* plain */
    ds__match_info match; /* where the last filter matched */
    int64_t works;        /* entries and documents that may still be looked at */
    uint32_t resumed;     /* how often, each time in another snapshot, perhaps */
} ds__course;

enum { DS_DOC_STEPS = 8 }; /* of the meter, to look at a document */

/* Without end. */
#define DS_ALL_WORKS (INT64_MAX / 2)

typedef struct ds__node ds__node;
typedef struct ds__printer ds__printer;

typedef struct ds__node_kind {
    const char *stage;
    ds__step (*next)(ds__node *node, ds__row *row, ds_error *err);
    /* Frees what the node has beside its scan. NULL: nothing. */
    void (*close)(ds__node *node);
    /* Its own fields of explain. */
    void (*explain)(const ds__node *node, ds__printer *printer);
    /* Whether no more comes, when that is known before next says so. NULL: it is not. */
    bool (*at_end)(const ds__node *node);
} ds__node_kind;

struct ds__node {
    const ds__node_kind *kind;
    /* owned */
    ds__node **inputs;
    ds__scan *scan; /* what the node reads; NULL: nothing, or not yet */
    /* borrowed */
    ds__course *course;
    const ds__filter *filter; /* of documents; NULL: all pass */
    /* plain */
    size_t input_count;
    uint64_t returned; /* rows given */
    uint64_t passed;   /* rows looked at, and not given */
    uint64_t keys;     /* entries of an index looked at */
    uint64_t docs;     /* documents looked at */
    bool ended;
};

static inline ds__step ds__node_next(ds__node *node, ds__row *row, ds_error *err) {
    ds__step step = node->kind->next(node, row, err);
    node->returned += step == DS_STEP_ROW;
    node->ended = node->ended || step == DS_STEP_END;
    return step;
}

/* `size` bytes, zeroed, that begin with a ds__node over `inputs` other nodes. */
ds__node *ds__node_new(size_t size, const ds__node_kind *kind, ds__course *course, size_t inputs,
                       ds_error *err);
/* The same over one input, which it takes over, also when it fails; NULL as input: it failed. */
ds__node *ds__node_over(size_t size, const ds__node_kind *kind, ds__course *course, ds__node *input,
                        ds_error *err);
/* With all below it. NULL is allowed. */
void ds__node_close(ds__node *node);
/* Lets go of the transaction: rows given are gone. */
void ds__node_save(ds__node *node);
/* Goes on in course->txn. */
bool ds__node_restore(ds__node *node, ds_error *err);
bool ds__node_at_end(const ds__node *node);
/* A kind's at_end, where no more comes than from its one input. */
bool ds__node_input_at_end(const ds__node *node);
/* Keys and documents looked at by the whole tree. */
void ds__node_examined(const ds__node *node, uint64_t *keys, uint64_t *docs);
/* As often as the node was asked for a row, were it to answer "not yet" for each one passed. */
uint64_t ds__node_waits(const ds__node *node);

/* Whether rows are to tell by which entry they were found. */
static inline bool ds__query_index_keys(const ds__query *query) {
    return (query->meta & DS_META_BIT(DS_META_INDEX_KEY)) != 0;
}
/* Keeps the values of the entry a row was found by: appends them as a document, or nothing. */
bool ds__row_keep_index_key(const ds__row *row, ds_buf *out, ds_error *err);

/* Whether a document passes the node's filter. */
bool ds__node_match(ds__node *node, ds_value doc, bool *matched, ds_error *err);

/* Leaves. */
ds__node *ds__node_eof(ds__course *course, ds_error *err);
ds__node *ds__node_id(ds__course *course, const ds__plan *plan, ds_error *err);
ds__node *ds__node_table(ds__course *course, const ds__plan *plan, ds_error *err);

/* How an index is read. */
typedef enum ds__scan_use {
    DS_SCAN_KEYS,     /* rows are entries */
    DS_SCAN_FETCH,    /* each with its document, for the fetch above */
    DS_SCAN_COUNT,    /* rows are counted */
    DS_SCAN_DISTINCT, /* one row for each value of the first parts, up to plan->distinct of them */
} ds__scan_use;
ds__node *ds__node_index(ds__course *course, const ds__plan *plan, ds__scan_use use, ds_error *err);

/* From the next row on it brings documents; `node` is a scan of an index. */
void ds__node_index_fetch(ds__node *node);

/* The document of a row that is an entry; the node's scan is opened by the first. */
bool ds__node_fetch_doc(ds__node *node, const ds__coll *coll, ds__row *row, ds_error *err);

/* These take their inputs over, also when they fail. */
/* Documents made of entries; those entries do not tell are fetched. `scan` lies below `input`, or
 * is it. */
ds__node *ds__node_cover(ds__course *course, const ds__plan *plan, ds__node *scan, ds__node *input,
                         ds_error *err);
ds__node *ds__node_fetch(ds__course *course, const ds__coll *coll, const ds__filter *filter,
                         ds__node *input, ds_error *err);
ds__node *ds__node_skip(ds__course *course, int64_t skip, ds__node *input, ds_error *err);
ds__node *ds__node_limit(ds__course *course, int64_t limit, ds__node *input, ds_error *err);
ds__node *ds__node_sort(ds__course *course, const ds__plan *plan, ds__node *input, ds_error *err);
/* The first row in the order of plan->sort, without its document. */
ds__node *ds__node_first(ds__course *course, const ds__plan *plan, ds__node *input, ds_error *err);

/* Counts its rows, past `skip` and up to `limit` (0: all), and gives none. */
ds__node *ds__node_count(ds__course *course, int64_t skip, int64_t limit, ds__node *input,
                         ds_error *err);
int64_t ds__node_counted(const ds__node *node);

/* Unions; their inputs are put in with ds__node_put. */
ds__node *ds__node_or(ds__course *course, size_t inputs, ds_error *err);
/* Inputs are in the order of plan->merged. `by_key`: their rows are entries of one index, in order
 * from byte `plan->branches[i]->merge_at` of the key on; else documents. */
ds__node *ds__node_merge(ds__course *course, const ds__plan *plan, bool by_key, ds_error *err);
void ds__node_put(ds__node *node, size_t at, ds__node *input);

/* The tree of a plan. */
ds__node *ds__node_build(ds__course *course, const ds__plan *plan, ds_error *err);

/* Explain: what a node's kind prints with. */
struct ds__printer {
    ds_buf *out;
    ds_value sort_spec;
    const char *projection; /* the stage put below the limit; NULL: none, or printed */
    ds_value transform;
    bool counts; /* executionStages */
};
/* An index scan's pattern, flags and bounds; `range`: bounds as one span of keys. */
void ds__print_index(ds__printer *printer, const ds__plan *leaf, bool range);
void ds__print_count(ds__printer *printer, const char *name, uint64_t n);

#endif
