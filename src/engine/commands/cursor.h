/* SPDX-License-Identifier: Apache-2.0 */
/* Open cursors: a query or a pipeline paused between batches, with the memory it works in. */
#ifndef DS_ENGINE_COMMANDS_CURSOR_H
#define DS_ENGINE_COMMANDS_CURSOR_H

#include "engine/commands/idle.h"
#include "engine/commands/reply.h"
#include "engine/commands/session.h"
#include "engine/plan/plan.h"
#include "lang/projection/projection.h"

typedef struct ds__cursor ds__cursor;

/* One query being answered. A command makes it, fills its first batch and either frees it or leaves
 * it in the registry. Threads: one at a time. */
struct ds__cursor {
    /* owned */
    ds_arena arena;        /* the command's copy, compiled trees, the plan */
    ds_arena scratch;      /* of eval */
    ds_arena scan_scratch; /* of scan_eval */
    ds_buf stash;          /* a document that did not fit into the last batch */
    ds_meter meter;        /* of env: with `kept` it counts what the cursor holds */
    ds_meter kept;
    ds__exec *exec;         /* find; NULL: a pipeline */
    ds__pipeline *pipeline; /* its source owns the scan */
    ds__catalog *catalog;   /* what the plan borrows from, once the cursor outlives its command */
    ds__catalog *today;     /* during a getMore: what there is now, also when it reads a snapshot */
    /* in the arena */
    const char *ns;
    ds_value command;
    ds__projection *projection;
    struct ds__host *host; /* of pipelines */
    ds_value head_filter;  /* of pipelines: what the plan took over, for explain */
    ds_value head_sort;
    ds__exec *head_exec; /* the source's, which owns it; NULL: there is none */
    /* plain */
    ds__env env;
    ds__eval eval;
    ds__eval scan_eval; /* for filters: its scratch is reset for each document */
    ds__op *op;         /* the command running now; NULL in the registry */
    int64_t id;
    ds__meta meta; /* beside the document delivered last, as far as the query asks */
    int64_t made_ms;
    int64_t returned; /* documents */
    int64_t batches;
    int64_t last_used_ms;
    ds__idle_item idle; /* listed while no command works with it */
    int64_t txn_number; /* of the transaction it belongs to; -1: none */
    int64_t peer;
    uint64_t at_cluster_time; /* of the snapshot it reads; 0: what is committed */
    uint8_t session[DS_SESSION_ID_SIZE];
    bool has_session;
    bool has_stash;
    bool no_timeout;
    bool single_batch;
    bool show_record_id;
    bool return_key; /* documents are what the index key beside them says */
    bool exhausted;
    bool busy;
    bool killed; /* atomic */
};

/* A cursor with its memory, env (now, interruption) and the command copied into its arena. NULL
 * when memory is out. */
ds__cursor *ds__cursor_new(ds__op *op, ds_error *err);
void ds__cursor_free(ds__cursor *cursor);

/* Adds documents up to `batch_size` (-1: as many as fit) and 16 MB; sets exhausted at the end. */
bool ds__cursor_fill(ds__cursor *cursor, ds__batch *batch, int64_t batch_size, ds_error *err);

/* Puts a cursor into the registry, paused; it belongs to the registry then. Gives its id. */
bool ds__cursors_keep(ds__op *op, ds__cursor *cursor, int64_t *id, ds_error *err);
/* Takes the cursor for a getMore: CursorNotFound, CursorInUse. It stays registered and busy. */
bool ds__cursors_take(ds__op *op, int64_t id, ds__cursor **out, ds_error *err);
/* Gives it back; when exhausted or failed it is freed. */
void ds__cursors_give(ds__op *op, ds__cursor *cursor);
/* Goes on with an execution of the cursor's in a getMore. Errors: those of ds__exec_check. */
bool ds__cursor_resume(ds__cursor *cursor, ds__exec *exec, ds_error *err);
/* True when there was such a cursor. */
bool ds__cursors_kill(ds_engine *engine, int64_t id);
/* Closes those of a session, or of all sessions when `id` is NULL. */
void ds__cursors_end_session(ds_engine *engine, const uint8_t *id);
void ds__cursors_end_transaction(ds_engine *engine, const uint8_t id[DS_SESSION_ID_SIZE],
                                 int64_t txn_number);
/* Calls `each` for every cursor no command works with, under the registry's lock. */
void ds__cursors_each_idle(ds__cursors *cursors, void (*each)(const ds__cursor *cursor, void *ctx),
                           void *ctx);
size_t ds__cursors_count(ds__cursors *cursors);

/* The transaction of a command: the session's or the door's, or a new one of `kind` for commands
 * that begin their own; *own says so. */
bool ds__op_begin(ds__op *op, ds__txn_kind kind, bool *own, ds_error *err);
/* Commits or aborts a transaction begun so. */
bool ds__op_end(ds__op *op, bool own, bool ok, ds_error *err);

#endif
