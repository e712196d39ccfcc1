/* SPDX-License-Identifier: Apache-2.0 */
/* One command on its way through the engine, the table of commands, and the engine's own state. */
#ifndef DS_ENGINE_OP_H
#define DS_ENGINE_OP_H

#include "base/fork.h"
#include "engine/catalog/catalog.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/store/store.h"
#include "lang/env.h"

/* Kept between commands by commands/session.c and commands/cursor.c. */
typedef struct ds__sessions ds__sessions;
typedef struct ds__cursors ds__cursors;
typedef struct ds__session ds__session;
typedef struct ds__snapshots ds__snapshots;
typedef struct ds__idle ds__idle;
typedef struct ds__reaper ds__reaper;

/* Locks, in the order in which they are taken: sessions, then cursors or snapshots, then those of
 * the list of idle things or of the store. The list of operations and the reaper have locks in
 * which no other is taken. Nobody outside of the engine is asked while one is held. */
struct ds_engine {
    ds__fork_member fork; /* first: engine.c finds the engine by it */
    /* owned */
    ds__store *store;
    ds__sessions *sessions;
    ds__cursors *cursors;
    ds__idle *idle; /* what both hold that nobody uses; see commands/idle.h */
    ds__snapshots *snapshots;
    ds__ops *ops;
    ds__reaper *reaper;
    /* plain */
    int64_t started_ms;
    int64_t ttl_checked_ms;      /* atomic, of ds__clock_mono_us / 1000: when TTL indexes were last
                                  looked for; 0: look */
    int64_t idle_transaction_ms; /* how long one that wrote may do nothing while others wait */
    int64_t snapshot_ms;         /* how long a snapshot is held */
    bool test_commands;          /* configureFailPoint and the like are allowed */
};

/* A running command: filled by the door (engine.c), used by one thread. */
typedef struct ds__op {
    /* borrowed */
    ds_engine *engine;
    const ds__engine_peer *peer; /* may be NULL */
    const struct ds__command *row;
    const char *db; /* NUL-terminated; the caller's or the command's */
    ds_value command;
    ds_value target;        /* the value of the command's first field */
    ds_value write_concern; /* DS_MISSING when none was given */
    ds__session *session;   /* the session whose transaction `txn` is; NULL outside */
    ds__run *run;           /* the operation in the registry; shared by what it runs inside */
    ds__txn *txn;           /* the session's or the door's; NULL when the row wants none */
    /* owned */
    ds_arena arena; /* until the command ends */
    ds__env env;    /* on that arena; now, interruption and meters are set */
    ds_meter meter; /* env's: what the command works on */
    ds_meter kept;  /* env's: what its stages keep */
    ds_buf details; /* fields for an error's reply beside code and errmsg (a document,
                     * or empty): when unset the door asks ds__txn_error_details */
    /* plain */
    int64_t deadline_ms;      /* of ds__clock_mono_us / 1000, from maxTimeMS; 0: none */
    uint64_t at_cluster_time; /* the snapshot's; 0 in a command that is to make one */
    int32_t unmet_concern;    /* the code of a write concern one member cannot meet; 0: none */
    bool lone;                /* the command has no field of a session's */
    bool snapshot;            /* readConcern {level: "snapshot"}, outside of transactions */
    bool sync;                /* writeConcern.j: the commit must be on the disk */
    bool multi_statement;     /* inside a transaction of several commands */
    bool with_savepoints;     /* … that was begun with savepoints: true */
    bool ok_written;          /* the handler wrote the field ok itself */
} ds__op;

/* Whether the command came over a connection, not from inside this process. */
static inline bool ds__op_is_remote(const ds__op *op) {
    return op->peer && op->peer->me;
}

/* Runs a command: appends its fields to `reply`, a begun document; the door adds `ok: 1`. On false
 * what was appended is thrown away and the reply is the error's (ok: 0); the door's transaction is
 * rolled back, a session's transaction aborted. A command whose writes stand although it reports
 * errors (writeErrors) returns true. */
typedef bool (*ds__command_fn)(ds__op *op, ds_buf *reply, ds_error *err);

enum {
    DS_CMD_READ = 1,     /* wants a transaction that reads */
    DS_CMD_WRITE = 2,    /* wants one that writes; run again on WriteConflict outside sessions */
    DS_CMD_OWN_TXN = 4,  /* begins and ends transactions itself (outside of sessions') */
    DS_CMD_IN_TXN = 8,   /* allowed in a transaction of several commands */
    DS_CMD_ADMIN = 16,   /* only on the database admin */
    DS_CMD_UPGRADE = 32, /* reads first: a session's transaction becomes a writing one only when
                          * the command calls ds__txn_upgrade */
    DS_CMD_READ_CONCERN = 64,   /* any level of read concern but snapshot; others take local */
    DS_CMD_SNAPSHOT = 128,      /* that too */
    DS_CMD_WRITE_CONCERN = 256, /* takes one */
    DS_CMD_API_V1 = 512,        /* belongs to the API's version 1: passes apiStrict */
    DS_CMD_NO_SESSION = 1024    /* takes no transaction numbers at all */
};

/* Answers without a transaction, where that is possible; false, with nothing written: it is not. */
typedef bool (*ds__lone_fn)(ds__op *op, ds_buf *reply);

typedef struct ds__command {
    const char *name;
    ds__command_fn run;
    uint32_t flags;
    ds__lone_fn lone; /* NULL: never */
    /* What the arguments say of themselves, asked before the command is begun in a transaction;
     * NULL: nothing. */
    bool (*parse)(ds__op *op, ds_error *err);
    /* The same when explain is asked; NULL: it cannot be explained so. */
    bool (*check)(ds_value command, ds_error *err);
} ds__command;

/* Makes sure that the end of a reply (ok, the cluster's time) will find memory: asked before every
 * commit, after which nothing may fail. False, too, when the reply has failed already. */
bool ds__op_settle(ds_buf *reply, ds_error *err);

/* The row of a command, aliases included; NULL when there is none. commands/table.c. */
const ds__command *ds__command_find(const char *name, size_t size);
/* All rows, for listCommands. */
const ds__command *ds__command_table(size_t *count);

/* The seam to sessions (commands/session.c). `enter` reads lsid, txnNumber, startTransaction,
 * autocommit and, within a transaction of several commands, sets op->session, op->txn and
 * multi_statement. `leave` gives the session back; when the command failed the transaction is
 * aborted. Errors: NoSuchTransaction, TransactionTooOld, … */
bool ds__session_enter(ds__op *op, ds_error *err);
void ds__session_leave(ds__op *op, bool ok);

/* Every few seconds ends the sessions nobody used for long, and aborts transactions open for too
 * long: they keep a snapshot, or all writers waiting. `now` is ds__clock_now_ms. */
void ds__sessions_reap(ds_engine *engine, int64_t now);

/* Aborts a transaction that wrote and has done nothing for idle_transaction_ms: somebody waits. */
void ds__sessions_give_way(ds_engine *engine);

/* Aborts transactions that are too old or, when the log is too long or somebody in another process
 * waits to write, have done nothing for idle_transaction_ms: the sooner, the longer the log
 * (ds__store_log_pressure). Whether others are open. Threads: any. */
bool ds__sessions_end_old(ds_engine *engine, int64_t now, int log_pressure);

ds__sessions *ds__sessions_new(ds_engine *engine);
void ds__sessions_free(ds__sessions *sessions);
/* In a forked child: drops what is the parent's, without touching it, and makes the locks anew. */
void ds__sessions_forget(ds__sessions *sessions);
ds__cursors *ds__cursors_new(void);
void ds__cursors_free(ds__cursors *cursors);
void ds__cursors_forget(ds__cursors *cursors); /* as ds__sessions_forget */

#endif
