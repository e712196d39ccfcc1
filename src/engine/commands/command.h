/* SPDX-License-Identifier: Apache-2.0 */
/* One running command: what every handler receives, the table of all handlers, and the engine-wide
 * state (sessions, cursors) that commands share. */
#ifndef DS_ENGINE_COMMANDS_COMMAND_H
#define DS_ENGINE_COMMANDS_COMMAND_H

#include "base/buf.h"
#include "bson/value.h"
#include "bson/writer.h"
#include "engine/engine.h"
#include "lang/env.h"

typedef struct ds__txn ds__txn;                 /* engine/store/store.h */
typedef struct ds__session ds__session;         /* commands/session.h */
typedef struct ds__commands ds__commands;       /* the state all commands of an engine share */
typedef struct ds__workspace ds__workspace;     /* a command's memory; an open cursor keeps it */
typedef struct ds__command_spec ds__command_spec;

/* Made by the dispatcher, one per call of ds__engine_run. */
typedef struct ds__command {
    /* borrowed */
    ds_engine *engine;
    ds__commands *commands;
    const ds__engine_peer *peer;   /* NULL: in-process */
    const ds__command_spec *spec;
    const char *db;                /* NUL-terminated */
    ds_value body;                 /* the command document */
    ds_value target;               /* its first field's value ("c" of {find: "c"}) */
    ds_buf *reply;                 /* the root document is open: handlers add their fields; "ok" and
                                    * the rest come from the dispatcher. On failure it is rewound */
    ds__workspace *work;
    ds_arena *arena;               /* of work: lives until the reply is written, or with a cursor */
    ds_arena *scratch;             /* of work: reset freely between documents */
    ds__env *env;                  /* of work */
    ds__session *session;          /* NULL: no lsid */
    ds__txn *txn;                  /* the store transaction to work in: the session's one, or this
                                    * command's own, which the dispatcher commits on success and
                                    * aborts on failure (DS_CMD_READ, DS_CMD_WRITE). NULL for others */
    /* plain */
    size_t db_size;
    int64_t txn_number;            /* -1: none */
    int64_t deadline_us;           /* 0: none; of ds__clock_mono_us */
    bool in_transaction;           /* txn is a multi-statement transaction's */
    bool durable;                  /* writeConcern j: true */
    bool direct;                   /* run by another command ($out, $merge), not by a client */
    bool keep_work;                /* an open cursor took the workspace over */
    ds_value write_concern_error;  /* a document to report beside success, or DS_MISSING */
    ds_value error_info;           /* errInfo / extra fields (a document) of an error, or DS_MISSING */
} ds__command;

typedef bool (*ds__command_fn)(ds__command *cmd, ds_error *err);

enum {
    DS_CMD_READ = 1,        /* runs in a read transaction */
    DS_CMD_WRITE = 2,       /* runs in a write transaction */
    DS_CMD_OWN_TXN = 4,     /* begins transactions itself */
    DS_CMD_ADMIN = 8,       /* only on the database admin */
    DS_CMD_IN_TXN = 16,     /* allowed in a multi-statement transaction */
    DS_CMD_RETRYABLE = 32,  /* accepts txnNumber outside of one */
    DS_CMD_ANY_TARGET = 64, /* the first field's value is not a collection's name */
    DS_CMD_NO_SESSION = 128 /* lsid is accepted but no session made */
};

struct ds__command_spec {
    const char *name;      /* as replies and errors print it */
    ds__command_fn run;
    uint32_t flags;
    const char *help;
};

/* Sorted by name; `*count` rows. */
const ds__command_spec *ds__command_table(size_t *count);
/* NULL: no such command. Aliases (isMaster, findandmodify, …) give their command. */
const ds__command_spec *ds__command_find(const char *name, size_t size);

/* The shared state: made by ds__engine_open, freed by ds__engine_close. */
ds__commands *ds__commands_new(ds_engine *engine, ds_error *err);
void ds__commands_free(ds__commands *commands);
/* What ds__engine_run does once the engine is known to be open. */
bool ds__commands_run(ds__commands *commands, const ds__engine_peer *peer, const char *db,
                      ds_value command, ds_buf *reply, ds_error *err);
/* Runs another command inside this one's transaction ($out, $merge): reply is a whole document. */
bool ds__command_run_inner(ds__command *outer, const char *db, ds_value command, ds_buf *reply,
                           ds_error *err);
/* After a fork, or when a peer goes: forgets its cursors and transactions. */
void ds__commands_reset(ds__commands *commands);
void ds__commands_end_peer(ds__commands *commands, int64_t connection_id);

/* Interruption: maxTimeMS. Fits ds__interrupt_fn with the command as ctx. */
bool ds__command_check(void *cmd, ds_error *err);

/* Handlers, one file per family. */
#define DS_COMMAND_HANDLER(name) bool ds__cmd_##name(ds__command *cmd, ds_error *err)
/* sessions and transactions */
DS_COMMAND_HANDLER(abort_transaction);
DS_COMMAND_HANDLER(commit_transaction);
DS_COMMAND_HANDLER(end_sessions);
DS_COMMAND_HANDLER(kill_all_sessions);
DS_COMMAND_HANDLER(kill_sessions);
DS_COMMAND_HANDLER(refresh_sessions);
DS_COMMAND_HANDLER(start_session);
/* documents */
DS_COMMAND_HANDLER(aggregate);
DS_COMMAND_HANDLER(count);
DS_COMMAND_HANDLER(delete);
DS_COMMAND_HANDLER(distinct);
DS_COMMAND_HANDLER(explain);
DS_COMMAND_HANDLER(find);
DS_COMMAND_HANDLER(find_and_modify);
DS_COMMAND_HANDLER(get_more);
DS_COMMAND_HANDLER(insert);
DS_COMMAND_HANDLER(kill_cursors);
DS_COMMAND_HANDLER(update);
/* the server */
DS_COMMAND_HANDLER(build_info);
DS_COMMAND_HANDLER(connection_status);
DS_COMMAND_HANDLER(features);
DS_COMMAND_HANDLER(get_cmd_line_opts);
DS_COMMAND_HANDLER(get_log);
DS_COMMAND_HANDLER(get_parameter);
DS_COMMAND_HANDLER(hello);
DS_COMMAND_HANDLER(host_info);
DS_COMMAND_HANDLER(is_master);
DS_COMMAND_HANDLER(list_commands);
DS_COMMAND_HANDLER(ping);
DS_COMMAND_HANDLER(repl_set_get_status);
DS_COMMAND_HANDLER(roles_info);
DS_COMMAND_HANDLER(server_status);
DS_COMMAND_HANDLER(top);
DS_COMMAND_HANDLER(users_info);
DS_COMMAND_HANDLER(whats_my_uri);
/* collections and indexes */
DS_COMMAND_HANDLER(coll_mod);
DS_COMMAND_HANDLER(coll_stats);
DS_COMMAND_HANDLER(compact);
DS_COMMAND_HANDLER(create);
DS_COMMAND_HANDLER(create_indexes);
DS_COMMAND_HANDLER(db_stats);
DS_COMMAND_HANDLER(drop);
DS_COMMAND_HANDLER(drop_database);
DS_COMMAND_HANDLER(drop_indexes);
DS_COMMAND_HANDLER(list_collections);
DS_COMMAND_HANDLER(list_databases);
DS_COMMAND_HANDLER(list_indexes);
DS_COMMAND_HANDLER(rename_collection);
DS_COMMAND_HANDLER(validate);

#endif
