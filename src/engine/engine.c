/* SPDX-License-Identifier: Apache-2.0 */
/* The door: opens the store, finds a command's row, gives it a transaction, and turns what comes
 * out into a reply. A write that loses a race outside a session's transaction is run again. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/system.h"
#include "bson/writer.h"
#include "engine/commands/generic.h"
#include "engine/commands/idle.h"
#include "engine/commands/snapshot.h"
#include "engine/op.h"
#include "engine/reaper.h"
#include "engine/records/records.h"
#include "engine/ttl.h"

enum { MAX_TRIES = 100, REPLY_TAIL = 1024, DEFAULT_IDLE_MS = 10 * 1000 };

/* In a forked child. */
static void forget_parent(ds__fork_member *self, bool quiet) {
    ds_engine *engine = (ds_engine *)self;
    (void)quiet;
    ds__sessions_forget(engine->sessions);
    ds__cursors_forget(engine->cursors);
    ds__idle_forget(engine->idle);
    ds__snapshots_forget(engine->snapshots);
    ds__ops_forget(engine->ops);
    ds__reaper_forget(engine->reaper);
    engine->ttl_checked_ms = 0;
}

static void free_engine(ds_engine *engine) {
    ds__fork_leave(&engine->fork);
    if (engine->cursors) {
        ds__cursors_free(engine->cursors);
    }
    if (engine->sessions) {
        ds__sessions_free(engine->sessions);
    }
    ds__snapshots_free(engine->snapshots);
    ds__idle_free(engine->idle);
    ds__ops_free(engine->ops);
    ds__reaper_free(engine->reaper);
    ds__store_close(engine->store);
    ds__free(engine);
}

static ds_engine *open_engine(const char *path, const ds__engine_options *options, ds_error *err) {
    ds_engine *engine = ds__alloc(sizeof *engine);
    if (!engine) {
        ds__error_oom(err);
        return NULL;
    }
    ds__store_options store = {0};
    if (options) {
        store.full_durability = options->full_durability;
        store.read_only = options->read_only;
        store.no_create = options->no_create;
        store.busy_timeout_ms = options->busy_timeout_ms;
        store.scan_threads = options->scan_threads;
        store.share_after = options->share_after;
    }
    engine->snapshot_ms = DS_SNAPSHOT_MS;
    engine->idle_transaction_ms = DEFAULT_IDLE_MS;
    if (options && options->idle_transaction_ms > 0) {
        engine->idle_transaction_ms = options->idle_transaction_ms;
    }
    int32_t idle_mb = DS_CURSOR_MEMORY_MB;
    if (options && options->cursor_memory_mb) {
        idle_mb = options->cursor_memory_mb;
    }
    engine->started_ms = ds__clock_now_ms();
    engine->snapshots = ds__snapshots_new(); /* before the store: a fork asks it first */
    engine->store = ds__records_open(path, &store, err);
    if (!engine->store) {
        free_engine(engine);
        return NULL;
    }
    engine->sessions = ds__sessions_new(engine);
    engine->cursors = ds__cursors_new();
    engine->idle = ds__idle_new((size_t)idle_mb << 20);
    engine->ops = ds__ops_new();
    engine->reaper = ds__reaper_new();
    if (!engine->reaper || !engine->sessions || !engine->cursors || !engine->idle ||
        !engine->snapshots || !engine->ops) {
        ds__error_oom(err);
        free_engine(engine);
        return NULL;
    }
    engine->fork.child = forget_parent;
    ds__fork_join(&engine->fork);
    ds__ttl_tick(engine, NULL);
    return engine;
}

ds_engine *ds__engine_open(const char *path, const ds__engine_options *options, ds_error *err) {
    uint32_t begun = ds__fork_enter();
    ds_engine *engine = open_engine(path, options, err);
    ds__fork_exit(begun);
    return engine;
}

void ds__engine_close(ds_engine *engine) {
    if (engine) {
        ds__reaper_stop(engine->reaper);
        uint32_t begun = ds__fork_enter();
        free_engine(engine);
        ds__fork_exit(begun);
    }
}

void ds__engine_interrupt(ds_engine *engine) {
    uint32_t begun = ds__fork_enter();
    ds__ops_kill_local(engine->ops, DS_INTERRUPTED_AT_SHUTDOWN);
    ds__fork_exit(begun);
}

void ds__engine_trim(ds_engine *engine) {
    uint32_t begun = ds__fork_enter();
    ds__store_trim(engine->store);
    ds__fork_exit(begun);
    ds__release_memory(); /* the C library keeps what threads that are gone have freed */
}

ds_notice ds__engine_warning(ds_engine *engine, size_t *next, char *out, size_t size) {
    return ds__store_warning(engine->store, next, out, size);
}

static bool read_db(ds__op *op, const char *db, ds_error *err) {
    ds_value v;
    ds__doc_get(op->command, "$db", 3, &v);
    size_t size = v.type == DS_STRING ? v.size : strlen(db);
    op->db = v.type == DS_STRING ? ds__text(v) : db;
    if (v.type != DS_MISSING && v.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '$db' is the wrong type '%s', expected type 'string'",
                             ds__type_name(v.type));
    }
    return ds__catalog_check_db_name(op->db, size, err);
}

/* Everything a command needs but its transaction. */
static bool prepare(ds__op *op, const char *db, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, op->command);
    if (!ds__iter_next(&it)) {
        op->db = "";
        return ds__error_set(err, DS_COMMAND_NOT_FOUND, "no such command: ''");
    }
    op->target = it.value;
    op->env.arena = &op->arena;
    op->env.now_ms = ds__clock_now_ms();
    op->env.cluster_time = (uint64_t)(op->env.now_ms / 1000) << 32 | 1;
    op->env.slot_count = DS_VAR_FIRST_USER;
    op->env.interrupt = ds__op_check;
    op->env.interrupt_ctx = op;
    ds__env_bound(&op->env, &op->meter, &op->kept, op->command.size);
    op->arena.meter = &op->meter;
    op->row = ds__command_find(it.key, it.key_size);
    if (!read_db(op, db, err)) {
        return false;
    }
    if (!op->row) {
        return ds__error_set(err, DS_COMMAND_NOT_FOUND, "no such command: '%.*s'",
                             (int)(it.key_size < DS_MAX_QUOTED ? it.key_size : DS_MAX_QUOTED),
                             it.key);
    }
    if ((op->row->flags & DS_CMD_ADMIN) && strcmp(op->db, "admin") != 0) {
        return ds__error_set(err, DS_UNAUTHORIZED, "%s may only be run against the admin database.",
                             op->row->name);
    }
    return ds__generic_read(op, err);
}

bool ds__op_settle(ds_buf *reply, ds_error *err) {
    return ds_buf_reserve(reply, REPLY_TAIL) != NULL || ds_buf_ok(reply, err);
}

/* Runs the handler in a transaction of the door's own, again when it lost a race. */
static bool run_in_transaction(ds__op *op, ds_buf *reply, size_t start, ds_error *err) {
    ds__txn_kind kind = op->row->flags & DS_CMD_WRITE ? DS_TXN_WRITE : DS_TXN_READ;
    const ds__wait wait = ds__op_wait(op);
    if (op->row->lone && op->row->lone(op, reply)) {
        return true;
    }
    for (int tries = 1;; tries++) {
        if (!ds__txn_begin(op->engine->store, kind, &wait, &op->txn, err)) {
            return false;
        }
        ds__txn_bound(op->txn, &op->meter);
        bool ok = op->row->run(op, reply, err) && ds__op_settle(reply, err);
        if (ok) {
            ok = ds__txn_commit(op->txn, op->sync, err);
        } else {
            ds_value details = ds__txn_error_details(op->txn);
            if (op->details.size == 0 && details.type == DS_DOCUMENT) {
                ds_buf_add(&op->details, details.as.bytes, details.size);
            }
            ds__txn_abort(op->txn);
        }
        op->txn = NULL;
        if (ok || err->code != DS_WRITE_CONFLICT || tries == MAX_TRIES || !ds__op_check(op, err)) {
            return ok;
        }
        reply->size = start;
        ds_buf_reset(&op->details);
    }
}

static bool run_command(ds__op *op, ds_buf *reply, size_t start, ds_error *err) {
    if (op->txn) { /* a session's */
        bool allowed = (op->row->flags & DS_CMD_IN_TXN) ||
                       (op->with_savepoints && (op->row->flags & (DS_CMD_READ | DS_CMD_WRITE)));
        if (!allowed) {
            return ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                                 "Cannot run '%s' in a multi-document transaction.", op->row->name);
        }
        if ((op->row->flags & DS_CMD_WRITE) && !ds__txn_upgrade(op->txn, err)) {
            return false;
        }
        ds__txn_bound(op->txn, &op->meter);
        bool ok = op->row->run(op, reply, err);
        if (op->txn) {
            ds__txn_bound(op->txn, NULL);
        }
        ds_value details = ok || !op->txn ? ds__missing() : ds__txn_error_details(op->txn);
        if (op->details.size == 0 && details.type == DS_DOCUMENT) {
            ds_buf_add(&op->details, details.as.bytes, details.size);
        }
        return ok;
    }
    if (op->row->flags & (DS_CMD_READ | DS_CMD_WRITE)) {
        return run_in_transaction(op, reply, start, err);
    }
    return op->row->run(op, reply, err);
}

/* In a held snapshot, when the command asks for one. */
static bool run_reading(ds__op *op, ds_buf *reply, size_t start, ds_error *err) {
    if (!op->snapshot || op->multi_statement) {
        return run_command(op, reply, start, err);
    }
    if (strcmp(op->row->name, "getMore") == 0) { /* its cursor has one, or none */
        op->snapshot = false;
        return run_command(op, reply, start, err);
    }
    if (!ds__snapshot_enter(op, err)) {
        return false;
    }
    bool ok = run_command(op, reply, start, err);
    ds__snapshot_leave(op);
    return ok;
}

/* {errorLabels, ok: 0, errmsg, code, codeName, …details}. */
static void write_refusal(const ds__op *op, ds_buf *reply, const ds_error *err) {
    char name[32];
    if (op->multi_statement &&
        (err->code == DS_WRITE_CONFLICT || err->code == DS_LOCK_TIMEOUT ||
         err->code == DS_SNAPSHOT_UNAVAILABLE || err->code == DS_NO_SUCH_TRANSACTION)) {
        size_t labels = ds__write_doc(reply, "errorLabels", 11, DS_ARRAY);
        ds__write_index(reply, 0, ds__cstring("TransientTransactionError"));
        ds__doc_end(reply, labels);
    }
    ds__write_double(reply, "ok", 0);
    ds__write_str(reply, "errmsg", err->message);
    ds__write_int32(reply, "code", err->code);
    ds__write_str(reply, "codeName", ds__code_name(err->code, name));
    if (op->details.size > 4) {
        ds__write_elements(reply, ds__document(op->details.data));
    }
}

/* What a member of a replica set adds to each reply: the time of the cluster, unsigned. */
static void write_cluster_time(const ds__op *op, ds_buf *reply) {
    static const uint8_t no_hash[20] = {0};
    ds_value now = {.type = DS_TIMESTAMP, .as.u64 = op->env.cluster_time};
    size_t time = ds__write_doc(reply, "$clusterTime", 12, DS_DOCUMENT);
    ds__write_value(reply, "clusterTime", 11, now);
    size_t signature = ds__write_doc(reply, "signature", 9, DS_DOCUMENT);
    ds__write_value(reply, "hash", 4,
                    (ds_value){.type = DS_BINARY, .size = 20, .as.bytes = no_hash});
    ds__write_int64(reply, "keyId", 0);
    ds__doc_end(reply, signature);
    ds__doc_end(reply, time);
    ds__write_value(reply, "operationTime", 13, now);
}

static bool run(ds_engine *engine, const ds__engine_peer *peer, const char *db, ds_value command,
                ds_buf *reply, ds_error *err) {
    ds__op op = {.engine = engine, .peer = peer, .command = command, .target = ds__missing()};
    ds_error why = {0};
    size_t before = reply->size;
    if (!ds_buf_reserve(reply, REPLY_TAIL)) {
        return ds_buf_ok(reply, err);
    }
    size_t root = ds__doc_begin(reply);
    size_t start = reply->size;
    ds__sessions_reap(engine, ds__clock_now_ms()); /* before: what it ends may be in the way */
    bool ok = prepare(&op, db ? db : "", &why);
    if (ok) {
        ds__run run;
        ds__ops_enter(&op, &run);
        ok = ds__session_enter(&op, &why);
        if (ok) {
            ok = run_reading(&op, reply, start, &why);
            ds__session_leave(&op, ok);
        }
        ds__ops_leave(&op);
    }
    if (ok && reply->failed) {
        ok = ds_buf_ok(reply, &why);
    }
    if (!ok) {
        ds__env_explain(&op.env, op.row ? op.row->name : "the command", &why);
    }
    if (ok) {
        ds__write_concern_report(&op, reply);
        if (!op.ok_written) {
            ds__write_double(reply, "ok", 1);
        }
    } else {
        ds_buf_reset(reply);
        reply->size = start;
        write_refusal(&op, reply, &why);
    }
    if (ds__op_is_remote(&op)) {
        write_cluster_time(&op, reply);
    }
    ds__doc_end(reply, root);
    ds_buf_clear(&op.details);
    ds_arena_clear(&op.arena);
    ds__ttl_tick(engine, &op);
    if (!ds_buf_ok(reply, err)) {
        reply->size = before;
        return false;
    }
    return true;
}

bool ds__engine_run(ds_engine *engine, const ds__engine_peer *peer, const char *db,
                    ds_value command, ds_buf *reply, ds_error *err) {
    uint32_t begun = ds__fork_enter();
    bool ok = run(engine, peer, db, command, reply, err);
    ds__fork_exit(begun);
    return ok;
}
