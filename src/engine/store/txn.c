/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions and savepoints. Writers of one process queue on the store before they ask SQLite for
 * the write lock, which other processes may hold. The rooms above are told of each step. */
#include "engine/store/internal.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

/* How long an upgrade waits for another writer: what follows is a conflict most times. */
enum { UPGRADE_WAIT_MS = 5 };

/* How long a writer waits before it asks whether it is still to wait. */
enum { TURN_MS = 25 };

/* A connection keeps no more memory than this from a document it wrote. */
enum { KEEP_BYTES = 1024 * 1024 };

/* What a connection takes beside its cache of pages, about: buffers, the schema, statements. */
enum { CONN_BYTES = 300 * 1024 };

bool ds__txn_fail(ds__txn *txn, int rc, ds_error *err) {
    if (sqlite3_get_autocommit(txn->conn->db)) {
        txn->broken = true;
    }
    if ((rc & 0xff) == SQLITE_FULL && !txn->write) {
        rc = SQLITE_CORRUPT; /* a page number beyond all limits; readers do not fill disks */
    }
    return ds__conn_error(txn->conn, rc, err);
}

bool ds__txn_break(ds__txn *txn) {
    txn->broken = true;
    return false;
}

/* One turn of waiting for the writer: at most to `until_ms`. */
static bool try_writer(ds__store *store, int64_t until_ms) {
    pthread_mutex_lock(&store->lock);
    while (store->writing && ds__cond_wait(&store->idle_writer, &store->lock, until_ms)) {
    }
    bool taken = !store->writing;
    store->writing = true;
    pthread_mutex_unlock(&store->lock);
    return taken;
}

/* fork() does not wait for who holds no connection. */
static bool wait_turn(const ds__conn *conn, int64_t until_ms) {
    if (conn->db) {
        return try_writer(conn->store, until_ms);
    }
    uint32_t begun = ds__fork_wait_begin();
    bool taken = try_writer(conn->store, until_ms);
    ds__fork_wait_end(begun);
    return taken;
}

/* Waits until no other transaction of this process writes. Between turns it asks whether it is
 * still to wait; when not, conn->stopped says why. */
static bool take_writer(ds__conn *conn, int64_t until_ms) {
    const ds__wait *wait = &conn->wait;
    for (;;) {
        int64_t turn = ds__clock_mono_us() / 1000 + TURN_MS;
        if (wait_turn(conn, turn < until_ms ? turn : until_ms)) {
            if (wait->writer) {
                wait->writer(wait->ctx, true);
            }
            return true;
        }
        if (turn >= until_ms || (wait->blocked && !wait->blocked(wait->ctx, &conn->stopped)) ||
            (wait->interrupt && !wait->interrupt(wait->ctx, &conn->stopped))) {
            return false;
        }
    }
}

static void give_writer(ds__conn *conn) {
    ds__store *store = conn->store;
    if (conn->wait.writer) {
        conn->wait.writer(conn->wait.ctx, false);
    }
    pthread_mutex_lock(&store->lock);
    store->writing = false;
    pthread_cond_signal(&store->idle_writer);
    pthread_mutex_unlock(&store->lock);
}

/* Runs a statement without parameters or rows. */
static int run_plain(ds__conn *conn, ds__stmt_kind kind, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(conn, kind, 0, false, 0, err);
    if (!stmt) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_step(stmt->raw);
    ds__conn_give(conn, stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_end(sqlite3_stmt *raw) {
    int rc = sqlite3_step(raw);
    sqlite3_reset(raw);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

bool ds__txn_can_write(const ds__txn *txn, ds_error *err) {
    return !txn->broken || ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                                         "the transaction was undone by an earlier failure of the "
                                         "storage");
}

bool ds__txn_step_done(ds__txn *txn, ds__stmt *stmt, ds_error *err) {
    bool ok = ds__txn_can_write(txn, err);
    if (ok) {
        int rc = sqlite3_step(stmt->raw);
        ok = rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
    }
    ds__conn_give(txn->conn, stmt);
    return ok;
}

/* The room's hooks, when it has the one of that name. */
#define HOOKS(txn, i) ((txn)->store->rooms[i])

void *ds__txn_room(const ds__txn *txn, size_t room) {
    return txn->rooms[room];
}

void ds__txn_free(ds__txn *txn) {
    if (txn) {
        for (size_t i = txn->store->room_count; i-- > 0;) {
            if (txn->rooms[i] && HOOKS(txn, i)->free) {
                HOOKS(txn, i)->free(txn->rooms[i]);
            }
            ds__free(txn->rooms[i]);
        }
        ds_buf_clear(&txn->details);
        ds_buf_clear(&txn->stored);
        ds__free(txn->savepoints);
        ds__free(txn->tails);
        ds__free(txn);
    }
}

static ds__txn *make_txn(ds__conn *conn) {
    ds__txn *txn = ds__alloc(sizeof *txn);
    if (!txn) {
        return NULL;
    }
    txn->conn = conn;
    txn->store = conn->store;
    for (size_t i = 0; i < txn->store->room_count; i++) {
        size_t size = HOOKS(txn, i)->size;
        if (size > 0 && !(txn->rooms[i] = ds__alloc(size))) {
            ds__txn_free(txn);
            return NULL;
        }
    }
    return txn;
}

static ds__txn *new_txn(ds__conn *conn) {
    if (!conn->txn) {
        conn->txn = make_txn(conn);
    }
    ds__txn *txn = conn->txn;
    if (txn) {
        txn->write = txn->broken = false;
        txn->savepoint_count = 0;
        ds_buf_reset(&txn->details);
    }
    return txn;
}

static void drop_savepoint(ds__txn *txn) {
    const ds__savepoint *saved = &txn->savepoints[--txn->savepoint_count];
    for (size_t i = 0; i < txn->store->room_count; i++) {
        if (saved->marks[i]) {
            HOOKS(txn, i)->forget(saved->marks[i]);
        }
    }
}

/* Ends it: the connection goes back to the pool. A parent's is left as it is. */
static void finish(ds__txn *txn, bool committed) {
    if (ds__conn_is_foreign(txn->conn)) {
        return;
    }
    ds__store *store = txn->store;
    ds__conn *conn = txn->conn;
    bool damaged = !sqlite3_get_autocommit(conn->db);
    while (txn->savepoint_count > 0) {
        drop_savepoint(txn);
    }
    for (size_t i = store->room_count; i-- > 0;) {
        if (HOOKS(txn, i)->end) {
            HOOKS(txn, i)->end(txn, committed);
        }
    }
    ds__tails_end(txn, committed);
    if (txn->write) {
        ds__queue_release(conn);
        give_writer(conn);
    }
    conn->wait = (ds__wait){0};
    txn->meter = NULL;
    if (txn->stored.cap > KEEP_BYTES) {
        ds_buf_clear(&txn->stored);
    }
    ds__store_give_conn(store, conn, damaged);
}

void ds__txn_bound(ds__txn *txn, ds_meter *meter) {
    txn->meter = meter;
}

ds_meter *ds__txn_meter(const ds__txn *txn) {
    return txn->meter;
}

ds_buf *ds__txn_details(ds__txn *txn) {
    return &txn->details;
}

/* A wait that the command's own time limit ended is told as that. */
static bool begin_error(ds__conn *conn, bool limited, int rc, ds_error *err) {
    if (!conn->stopped.code && limited && (rc & 0xff) == SQLITE_BUSY) {
        return ds__error_set(err, DS_MAX_TIME_MS_EXPIRED, "operation exceeded time limit");
    }
    return ds__conn_error(conn, rc, err);
}

void ds__txn_watch(ds__txn *txn, const ds__wait *wait) {
    txn->conn->wait = wait ? *wait : (ds__wait){0};
    txn->conn->stopped.code = 0;
}

void ds__txn_progress(ds__txn *txn, const char *what, int64_t done, int64_t total) {
    const ds__wait *wait = &txn->conn->wait;
    if (wait->progress) {
        wait->progress(wait->ctx, what, done, total);
    }
}

static int begin_write(ds__conn *conn, int64_t now_us, ds_error *err) {
    ds__queue_enter(conn, now_us);
    int rc = run_plain(conn, DS_STMT_BEGIN_WRITE, err);
    if (rc == SQLITE_OK) {
        ds__queue_taken(conn);
    } else {
        ds__queue_leave(conn);
    }
    return rc;
}

/* Begins on a connection as `turn` says. `*again` when it gave way to a fork: try once more. */
static ds__txn *begin_once(const ds__conn *turn, ds__txn_kind kind, bool limited, int64_t now_us,
                           bool *again, ds_error *err) {
    ds__store *store = turn->store;
    *again = false;
    ds__conn *conn = ds__store_take_conn(store, err);
    if (!conn) {
        return NULL;
    }
    ds__txn *txn = new_txn(conn);
    if (!txn) {
        ds__store_give_conn(store, conn, false);
        ds__error_oom(err);
        return NULL;
    }
    ds__txn_watch(txn, &turn->wait);
    conn->deadline_ms = turn->deadline_ms;
    conn->yields = true;
    conn->yielded = false;
    conn->to_write = kind == DS_TXN_WRITE;
    int rc = SQLITE_INTERRUPT;
    if (kind == DS_TXN_WRITE) {
        rc = begin_write(conn, now_us, err);
    } else if (ds__log_wait(conn)) {
        rc = run_plain(conn, DS_STMT_BEGIN_READ, err);
    }
    conn->yields = conn->to_write = false;
    if (rc == SQLITE_OK) {
        return txn;
    }
    *again = (rc & 0xff) == SQLITE_BUSY && conn->yielded;
    if (!*again) {
        begin_error(conn, limited, rc, err);
    }
    txn->tails_kept = false;
    finish(txn, false);
    return NULL;
}

bool ds__txn_begin(ds__store *store, ds__txn_kind kind, const ds__wait *wait, ds__txn **out,
                   ds_error *err) {
    int64_t deadline_ms = wait ? wait->deadline_ms : 0;
    *out = NULL;
    if (kind == DS_TXN_WRITE && store->options.read_only) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "the store '%s' is read-only",
                             ds__store_path(store));
    }
    /* A writer waits for its turn without a connection: not one that can be used. */
    ds__conn turn = {.store = store, .wait = wait ? *wait : (ds__wait){0}};
    const int64_t now_us = ds__clock_mono_us();
    turn.deadline_ms = now_us / 1000 + store->options.busy_timeout_ms;
    bool limited = deadline_ms && deadline_ms < turn.deadline_ms;
    if (limited) {
        turn.deadline_ms = deadline_ms;
    }
    if (kind == DS_TXN_WRITE && !take_writer(&turn, turn.deadline_ms)) {
        return begin_error(&turn, limited, SQLITE_BUSY, err);
    }
    bool again;
    ds__txn *txn;
    while (!(txn = begin_once(&turn, kind, limited, now_us, &again, err)) && again) {
        ds__fork_wait_end(ds__fork_wait_begin()); /* lets the fork happen */
    }
    if (!txn) {
        if (kind == DS_TXN_WRITE) {
            give_writer(&turn);
        }
        return false;
    }
    txn->write = kind == DS_TXN_WRITE;
    for (size_t i = 0; i < store->room_count; i++) {
        if (HOOKS(txn, i)->begin && !HOOKS(txn, i)->begin(txn, err)) {
            txn->tails_kept = false;
            ds__txn_abort(txn);
            return false;
        }
    }
    ds__tails_begin(txn);
    *out = txn;
    return true;
}

bool ds__txn_upgrade(ds__txn *txn, ds_error *err) {
    if (txn->write) {
        return true;
    }
    ds__store *store = txn->store;
    if (store->options.read_only) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "the store '%s' is read-only",
                             ds__store_path(store));
    }
    int64_t until = ds__clock_mono_us() / 1000 + UPGRADE_WAIT_MS;
    if (!take_writer(txn->conn, until)) {
        ds__shared_tell_waiting(txn->conn->db, until); /* it will be tried again */
        txn->conn->stopped.code = 0;
        return ds__conn_error(txn->conn, SQLITE_BUSY_SNAPSHOT, err);
    }
    /* Any write makes the transaction a writing one; this changes nothing. */
    int rc;
    do {
        rc = sqlite3_exec(txn->conn->db, "UPDATE ds_meta SET v=v WHERE k=''", NULL, NULL, NULL);
    } while ((rc & 0xff) == SQLITE_BUSY && rc != SQLITE_BUSY_SNAPSHOT &&
             ds__clock_mono_us() / 1000 < until);
    if (rc == SQLITE_BUSY) {
        ds__shared_tell_waiting(txn->conn->db, until);
    }
    if (rc != SQLITE_OK) {
        give_writer(txn->conn);
        return ds__txn_fail(txn, (rc & 0xff) == SQLITE_BUSY ? SQLITE_BUSY_SNAPSHOT : rc, err);
    }
    txn->write = true;
    return true;
}

static bool last_writes(ds__txn *txn, ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < txn->store->room_count; i++) {
        ok = !HOOKS(txn, i)->commit || HOOKS(txn, i)->commit(txn, err);
    }
    return ok && ds__tails_write(txn, err);
}

/* Forces the write-ahead log to the disk. */
static bool sync_log(ds__conn *conn, ds_error *err) {
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
    if (rc == SQLITE_OK && file && file->pMethods) {
        rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    }
    return rc == SQLITE_OK || ds__conn_error(conn, rc, err);
}

bool ds__txn_commit(ds__txn *txn, bool sync, ds_error *err) {
    ds__conn *conn = txn->conn;
    bool ok = true;
    conn->wait.interrupt = NULL; /* what is being committed is not interrupted */
    ds__scan_detach_all(txn);
    if (!ds__txn_can_write(txn, err)) {
        ok = false;
    } else if (txn->write) {
        ok = last_writes(txn, err);
    }
    if (ok) {
        int rc = run_end(conn->commit);
        /* one that only read has nothing to lose */
        ok = rc == SQLITE_OK || !txn->write || ds__txn_fail(txn, rc, err);
    }
    if (!sqlite3_get_autocommit(conn->db)) {
        run_end(conn->rollback);
    }
    const bool committed = ok;
    if (ok && sync && txn->write && !txn->store->in_memory &&
        !txn->store->options.full_durability) {
        ok = sync_log(conn, err);
    }
    finish(txn, committed);
    return ok;
}

void ds__txn_abort(ds__txn *txn) {
    if (!txn || ds__conn_is_foreign(txn->conn)) {
        return; /* undoing it here would undo what the parent has in the log and its index */
    }
    txn->conn->wait.interrupt = NULL;
    ds__scan_detach_all(txn);
    if (!sqlite3_get_autocommit(txn->conn->db)) {
        run_end(txn->conn->rollback);
    }
    finish(txn, false);
}

ds__txn *ds__lone_open(ds__store *store, const ds__wait *wait) {
    ds_error ignored;
    ds__conn *conn = ds__store_take_conn(store, &ignored);
    if (conn && !conn->txn) {
        ds__store_give_conn(store, conn, false);
        conn = NULL;
    }
    if (!conn) {
        return NULL;
    }
    conn->wait = *wait;
    conn->stopped.code = 0;
    conn->deadline_ms = 0; /* who has to wait does so in a transaction */
    conn->txn->write = conn->txn->broken = false;
    return conn->txn;
}

void ds__lone_close(ds__txn *txn) {
    ds__rows_detach(txn);
    txn->conn->wait = (ds__wait){0};
    ds__store_give_conn(txn->store, txn->conn, false);
}

bool ds__txn_is_write(const ds__txn *txn) {
    return txn->write;
}

bool ds__txn_is_awaited(const ds__txn *txn) {
    if (!txn->write || ds__conn_is_foreign(txn->conn)) {
        return false;
    }
    return ds__shared_is_awaited(txn->conn->db, ds__clock_mono_us() / 1000);
}

bool ds__txn_claim(ds__txn *txn, int64_t every_ms) {
    return ds__shared_claim(txn->conn->db, ds__clock_mono_us() / 1000, every_ms);
}

bool ds__txn_is_broken(const ds__txn *txn) {
    return txn->broken;
}

ds__store *ds__txn_store(const ds__txn *txn) {
    return txn->store;
}

size_t ds__txn_bytes(const ds__txn *txn) {
    int now = 0;
    int most;
    if (!ds__conn_is_foreign(txn->conn)) {
        sqlite3_db_status(txn->conn->db, SQLITE_DBSTATUS_CACHE_USED, &now, &most, 0);
    }
    return CONN_BYTES + (size_t)now;
}

void ds__txn_trim(ds__txn *txn) {
    if (!ds__conn_is_foreign(txn->conn)) {
        sqlite3_db_release_memory(txn->conn->db);
    }
}

ds_value ds__txn_error_details(const ds__txn *txn) {
    return txn->details.size > 4 && !txn->details.failed ? ds__document(txn->details.data)
                                                         : ds__missing();
}

static bool savepoint_sql(ds__txn *txn, const char *verb, int savepoint, ds_error *err) {
    char sql[48];
    if (!ds__txn_can_write(txn, err)) {
        return false; /* SQLite would begin another one */
    }
    snprintf(sql, sizeof sql, "%s s%d", verb, savepoint);
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__txn_fail(txn, rc, err);
}

bool ds__txn_release(ds__txn *txn, int savepoint, ds_error *err) {
    ds_assert(savepoint >= 1 && (size_t)savepoint <= txn->savepoint_count);
    if (!savepoint_sql(txn, "RELEASE", savepoint, err)) {
        return false;
    }
    while (txn->savepoint_count >= (size_t)savepoint) {
        drop_savepoint(txn);
    }
    return true;
}

bool ds__txn_savepoint(ds__txn *txn, int *out, ds_error *err) {
    *out = 0;
    ds_assert(txn->write);
    if (txn->savepoint_count == txn->savepoint_cap) {
        size_t cap = txn->savepoint_cap ? txn->savepoint_cap * 2 : 4;
        ds__savepoint *grown = ds__realloc(txn->savepoints, cap * sizeof *grown);
        if (!grown) {
            return ds__error_oom(err);
        }
        txn->savepoints = grown;
        txn->savepoint_cap = cap;
    }
    int number = (int)txn->savepoint_count + 1;
    if (!savepoint_sql(txn, "SAVEPOINT", number, err)) {
        return false;
    }
    ds__savepoint *saved = &txn->savepoints[txn->savepoint_count++];
    *saved = (ds__savepoint){0};
    for (size_t i = 0; i < txn->store->room_count; i++) {
        if (HOOKS(txn, i)->mark && !HOOKS(txn, i)->mark(txn, &saved->marks[i], err)) {
            ds_error why = {0};
            return ds__txn_release(txn, number, &why) ? false : ds__txn_break(txn);
        }
    }
    *out = number;
    return true;
}

bool ds__txn_rollback(ds__txn *txn, int savepoint, ds_error *err) {
    ds__scan_detach_all(txn);
    if (!savepoint_sql(txn, "ROLLBACK TO", savepoint, err)) {
        return false;
    }
    ds_assert(savepoint >= 1 && (size_t)savepoint <= txn->savepoint_count);
    const ds__savepoint *saved = &txn->savepoints[savepoint - 1];
    ds__tails_doubt(txn, 0);
    for (size_t i = 0; i < txn->store->room_count; i++) {
        if (HOOKS(txn, i)->back && !HOOKS(txn, i)->back(txn, saved->marks[i], err)) {
            return ds__txn_break(txn);
        }
    }
    return ds__txn_release(txn, savepoint, err);
}
