/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines in the engine: the host of stages that read or write collections, and views, which turn
 * other reads into pipelines. */
#ifndef DS_ENGINE_COMMANDS_PIPELINE_H
#define DS_ENGINE_COMMANDS_PIPELINE_H

#include "engine/commands/query.h"

/* The host of one cursor's pipeline. */
typedef struct ds__host {
    ds__pipeline_host base; /* first: the stages see only this */
    ds__cursor *cursor;
} ds__host;

/* Makes the host of a cursor's pipeline and puts it into its env. */
bool ds__host_init(ds__cursor *cursor, const char *db, const char *coll, ds_error *err);
/* A query's documents as a source; its execution too, the source's, when `exec` is not NULL. */
bool ds__source_open(ds__cursor *cursor, ds__env *env, const ds__query *query, ds__exec **exec,
                     ds__source **out, ds_error *err);

/* What an aggregation asks beside its stages. */
typedef struct ds__aggregate_request {
    const char *coll; /* "" for {aggregate: 1} */
    size_t coll_size;
    ds_value command; /* as the client wrote it */
    ds_value uuid;    /* the collection's, when the client says it */
    ds_value pipeline;
    ds_value hint;
    ds_value let;
    int64_t batch_size; /* -1: the default */
    bool allow_disk;
    bool bypass_validation;
    bool explain;
} ds__aggregate_request;

/* Arguments of aggregate; `explain`: the explain command wraps it. */
bool ds__aggregate_parse(ds__op *op, ds_value command, bool explain, ds__aggregate_request *out,
                         bool *wants_explain, ds_error *err);
/* {aggregate, explain: true}, or explain around it: the reply's fields. */
bool ds__explain_aggregate(ds__op *op, ds__cursor *cursor, const ds__aggregate_request *request,
                           const char *verbosity, ds_buf *reply, ds_error *err);

/* Compiles and starts the pipeline in the cursor: views resolved, head planned. op->txn must be
 * there. `ns_coll` is the collection replies name. */
bool ds__aggregate_start(ds__op *op, ds__cursor *cursor, const ds__aggregate_request *request,
                         ds_error *err);
/* Runs a started pipeline's first batch into the reply. *kept: the registry has the cursor. */
bool ds__aggregate_reply(ds__op *op, ds__cursor *cursor, const ds__aggregate_request *request,
                         ds_buf *reply, bool *kept, ds_error *err);

/* A view's own stages down to a collection: [stages…] followed by `tail` (an array or DS_MISSING),
 * as an array in the arena, and the collection they begin with (NULL: none). Errors:
 * ViewDepthLimitExceeded. */
bool ds__view_resolve(ds__op *op, ds_arena *arena, const ds__coll *view, ds_value tail,
                      const char **base, ds_value *stages, ds_error *err);

/* The stages that find, count ({count: n}, or no document) and distinct ({distinct: […]}) become on
 * a view, as an array in the arena. Errors: those of options that views do not have. */
bool ds__view_find(ds_arena *arena, const ds__find_request *request, ds_value *stages,
                   ds_error *err);
bool ds__view_count(ds_arena *arena, ds_value filter, int64_t skip, int64_t limit, ds_value *stages,
                    ds_error *err);
bool ds__view_distinct(ds_arena *arena, ds_value filter, const char *key, ds_value *stages,
                       ds_error *err);

/* A command that became an aggregation: its first batch is the reply's. */
bool ds__aggregate_instead(ds__op *op, const ds__aggregate_request *request, ds_buf *reply,
                           ds_error *err);
/* … or its first document's `field` is handed to `take`: DS_MISSING when there is none. */
bool ds__aggregate_value(ds__op *op, const ds__coll *view, ds_value stages, const char *field,
                         void (*take)(void *ctx, ds_value v), void *ctx, ds_error *err);

#endif
