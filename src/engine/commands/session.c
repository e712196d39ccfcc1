/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions by id. A session belongs to one command at a time: a second one waits. A transaction
 * lives in its session between commands. */
#include "engine/commands/session.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "engine/commands/cursor.h"
#include "engine/commands/savepoint.h"
#include "engine/commands/session_fields.h"
#include "engine/commands/snapshot.h"
#include "engine/reaper.h"

enum {
    SESSION_TIMEOUT_MS = 30 * 60 * 1000,
    TRANSACTION_TIMEOUT_MS = 60 * 1000,
    REAP_EVERY_MS = 10 * 1000,
    MOST_AT_ONCE = 64,
    TURN_WAIT_MS = 1000,
    ASK_EVERY_MS = 25
};

typedef enum txn_state { TXN_NONE, TXN_OPEN, TXN_COMMITTED, TXN_ABORTED } txn_state;

struct ds__session {
    /* owned */
    ds__txn *txn;
    ds_buf remembered;         /* elements of the reply of the last retryable write */
    ds__savepoints savepoints; /* of the open transaction */
    /* borrowed */
    const char *why; /* the end of a message: what aborted the transaction, unasked; or NULL */
    /* plain */
    uint8_t id[DS_SESSION_ID_SIZE];
    int64_t txn_number; /* the highest seen; -1: none */
    int64_t last_used_ms;
    int64_t began_ms;
    int64_t peer; /* connection that opened the transaction; -1: none to watch */
    int64_t remembered_number;
    txn_state state;
    bool busy;
    bool doomed;
    bool with_savepoints; /* the transaction was begun with savepoints: true */
    bool ended;           /* free it when no longer busy */
};

struct ds__sessions {
    /* owned */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    ds_map by_id;
    /* borrowed */
    ds_engine *engine;
    /* plain */
    int64_t reaped_ms; /* atomic */
};

static void init_locks(ds__sessions *s) {
    pthread_condattr_t attr;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->freed, &attr);
    pthread_condattr_destroy(&attr);
}

ds__sessions *ds__sessions_new(ds_engine *engine) {
    ds__sessions *s = ds__alloc(sizeof *s);
    if (s != NULL) {
        s->engine = engine;
        init_locks(s);
    }
    return s;
}

void ds__sessions_forget(ds__sessions *sessions) {
    sessions->by_id = (ds_map){0};
    init_locks(sessions);
}

static void session_free(ds__session *s) {
    ds__txn_abort(s->txn);
    ds_buf_clear(&s->remembered);
    ds__savepoints_clear(&s->savepoints);
    ds__free(s);
}

void ds__sessions_free(ds__sessions *sessions) {
    const void *key;
    size_t at = 0;
    size_t size;
    void *value;
    if (sessions == NULL) {
        return;
    }
    while (ds_map_each(&sessions->by_id, &at, &key, &size, &value)) {
        session_free(value);
    }
    ds_map_clear(&sessions->by_id);
    pthread_mutex_destroy(&sessions->lock);
    pthread_cond_destroy(&sessions->freed);
    ds__free(sessions);
}

bool ds__session_read_id(ds_value lsid, uint8_t id[DS_SESSION_ID_SIZE]) {
    ds_value v;
    if (lsid.type != DS_DOCUMENT || !ds__doc_get(lsid, "id", 2, &v) || v.type != DS_BINARY ||
        v.subtype != 4 || v.size != DS_SESSION_ID_SIZE) {
        return false;
    }
    memcpy(id, v.as.bytes, DS_SESSION_ID_SIZE);
    return true;
}

bool ds__session_id(const ds__op *op, uint8_t id[DS_SESSION_ID_SIZE]) {
    if (op->session != NULL) {
        memcpy(id, op->session->id, DS_SESSION_ID_SIZE);
        return true;
    }
    ds_value lsid;
    return ds__doc_get(op->command, "lsid", 4, &lsid) && ds__session_read_id(lsid, id);
}

/* Aborts a session's transaction. By who uses the session, or under the lock when nobody does. */
static void end_transaction(ds_engine *engine, ds__session *s) {
    ds__cursors_end_transaction(engine->cursors, s->id, s->txn_number);
    ds__txn_abort(s->txn);
    s->txn = NULL;
    s->state = TXN_ABORTED;
}

/* Under the lock, of a session that nobody uses. */
static void end_old(ds_engine *engine, ds__session *s, int64_t now, bool log_is_long) {
    if (s->state != TXN_OPEN) {
        return;
    }
    if (now - s->began_ms > TRANSACTION_TIMEOUT_MS) {
        end_transaction(engine, s);
        s->why = ": it was open for more than 60 seconds";
    } else if (log_is_long && now - s->last_used_ms >= engine->idle_transaction_ms) {
        end_transaction(engine, s);
        s->why = ": it did nothing for too long while its snapshot kept the log from ending";
    }
}

bool ds__sessions_end_old(ds_engine *engine, int64_t now, bool log_is_long) {
    ds__sessions *sessions = engine->sessions;
    const void *key;
    size_t at = 0;
    size_t size;
    void *value;
    bool open = false;
    pthread_mutex_lock(&sessions->lock);
    while (ds_map_each(&sessions->by_id, &at, &key, &size, &value)) {
        ds__session *s = value;
        if (!s->busy) {
            end_old(engine, s, now, log_is_long);
        }
        open = open || s->state == TXN_OPEN;
    }
    pthread_mutex_unlock(&sessions->lock);
    return open;
}

void ds__sessions_reap(ds_engine *engine, int64_t now) {
    ds__sessions *sessions = engine->sessions;
    const void *key;
    size_t at = 0;
    size_t size;
    void *value;
    ds__session *idle[MOST_AT_ONCE];
    size_t n = 0;
    int64_t last = __atomic_load_n(&sessions->reaped_ms, __ATOMIC_RELAXED);
    if (now - last < REAP_EVERY_MS ||
        !__atomic_compare_exchange_n(&sessions->reaped_ms, &last, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
        return;
    }
    ds__snapshots_reap(engine, now);
    pthread_mutex_lock(&sessions->lock);
    while (ds_map_each(&sessions->by_id, &at, &key, &size, &value)) {
        ds__session *s = value;
        if (s->busy) {
            continue;
        }
        end_old(engine, s, now, false);
        if (n < MOST_AT_ONCE && now - s->last_used_ms > SESSION_TIMEOUT_MS) {
            idle[n++] = s;
        }
    }
    for (size_t i = 0; i < n; i++) {
        ds_map_remove(&sessions->by_id, idle[i]->id, DS_SESSION_ID_SIZE);
        session_free(idle[i]);
    }
    pthread_mutex_unlock(&sessions->lock);
}

void ds__sessions_give_way(ds_engine *engine) {
    ds__sessions *sessions = engine->sessions;
    int64_t now = ds__clock_now_ms();
    const void *key;
    size_t at = 0;
    size_t size;
    void *value;
    pthread_mutex_lock(&sessions->lock);
    while (ds_map_each(&sessions->by_id, &at, &key, &size, &value)) {
        ds__session *s = value;
        if (!s->busy && s->state == TXN_OPEN && ds__txn_is_write(s->txn) &&
            now - s->last_used_ms >= engine->idle_transaction_ms) {
            end_transaction(engine, s);
            s->why = ": it had written, then did nothing for too long while others waited to "
                     "write";
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* Waits a little for the session's other command; called and left with the lock, but for errors:
 * those are left without. */
static bool wait_for_turn(ds__op *op, ds__sessions *sessions, const ds__session *s, ds_error *err) {
    int64_t until = ds__clock_mono_us() / 1000 + ASK_EVERY_MS;
    struct timespec at = {until / 1000, until % 1000 * 1000000};
    bool ok = true;
    for (const ds__run *outer = op->run->outer; outer; outer = outer->outer) {
        ok = ok && outer->op->session != s;
    }
    if (!ok) {
        ds__error_set(err, DS_LOCK_TIMEOUT,
                      "a signal's handler cannot use the session of the operation it interrupted");
    } else if (pthread_cond_timedwait(&sessions->freed, &sessions->lock, &at) == ETIMEDOUT) {
        pthread_mutex_unlock(&sessions->lock); /* who is asked may use sessions */
        ok = ds__op_check(op, err);
        pthread_mutex_lock(&sessions->lock);
    }
    if (!ok) {
        pthread_mutex_unlock(&sessions->lock);
    }
    return ok;
}

/* The session, made if new, taken by this command. */
static bool check_out(ds__op *op, const uint8_t *id, ds__session **out, ds_error *err) {
    ds__sessions *sessions = op->engine->sessions;
    int64_t now = ds__clock_now_ms();
    bool ok = true;
    pthread_mutex_lock(&sessions->lock);
    ds__session *s;
    while ((s = ds_map_get(&sessions->by_id, id, DS_SESSION_ID_SIZE)) != NULL && s->busy) {
        if (!wait_for_turn(op, sessions, s, err)) {
            *out = NULL;
            return false;
        }
    }
    if (s == NULL) {
        s = ds__alloc(sizeof *s);
        if (s != NULL) {
            memcpy(s->id, id, DS_SESSION_ID_SIZE);
            s->txn_number = -1;
            s->remembered_number = -1;
            s->peer = -1;
            if (!ds_map_set(&sessions->by_id, id, DS_SESSION_ID_SIZE, s, NULL)) {
                ds__free(s);
                s = NULL;
            }
        }
    }
    if (s == NULL) {
        ok = ds__error_oom(err);
    } else {
        s->busy = true;
        s->last_used_ms = now;
    }
    pthread_mutex_unlock(&sessions->lock);
    *out = s;
    return ok;
}

static void check_in(ds__op *op, ds__session *s) {
    ds__sessions *sessions = op->engine->sessions;
    pthread_mutex_lock(&sessions->lock);
    s->busy = false;
    s->last_used_ms = ds__clock_now_ms();
    if (s->ended) {
        ds_map_remove(&sessions->by_id, s->id, DS_SESSION_ID_SIZE);
        session_free(s);
    }
    pthread_cond_broadcast(&sessions->freed);
    pthread_mutex_unlock(&sessions->lock);
}

static void abort_open(ds__op *op, ds__session *s) {
    if (s->state == TXN_OPEN) {
        end_transaction(op->engine, s);
    }
}

static bool is_write(const char *name) {
    return strcmp(name, "insert") == 0 || strcmp(name, "update") == 0 ||
           strcmp(name, "delete") == 0 || strcmp(name, "findAndModify") == 0 ||
           strcmp(name, "aggregate") == 0;
}

/* Commands that are sure to write. */
static bool writes(const ds__op *op) {
    return (op->row->flags & DS_CMD_WRITE) ||
           (is_write(op->row->name) && strcmp(op->row->name, "aggregate") != 0);
}

/* A transaction that writes from the first has no snapshot to lose: it waits for its turn. Not for
 * long: who it waits for may be the same thread, in another session. */
static bool begin_writing(ds__op *op, ds__txn **txn, ds_error *err) {
    int64_t until = ds__clock_mono_us() / 1000 + TURN_WAIT_MS;
    bool shorter = op->deadline_ms != 0 && op->deadline_ms < until;
    ds__wait wait = ds__op_wait(op);
    wait.deadline_ms = shorter ? op->deadline_ms : until;
    if (ds__txn_begin(op->engine->store, DS_TXN_WRITE, &wait, txn, err)) {
        return true;
    }
    if (!shorter && (err->code == DS_MAX_TIME_MS_EXPIRED || err->code == DS_LOCK_TIMEOUT)) {
        *err = (ds_error){0};
        ds__error_set(err, DS_WRITE_CONFLICT,
                      "WriteConflict error: this operation conflicted with another operation. "
                      "Please retry your operation or multi-document transaction.");
    }
    return false;
}

static bool begin(ds__op *op, ds__session *s, int64_t number, ds_error *err) {
    if (number < s->txn_number) {
        return ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                             "Cannot start transaction with { txnNumber: %lld } on session because "
                             "a newer transaction with txnNumber { txnNumber: %lld } has already "
                             "started",
                             (long long)number, (long long)s->txn_number);
    }
    if (number == s->txn_number && s->state != TXN_NONE) {
        return ds__error_set(err, 117,
                             "Cannot start a transaction at given transaction number %lld: a "
                             "transaction with the same number is in progress or ended",
                             (long long)number);
    }
    abort_open(op, s);
    s->txn_number = number;
    s->doomed = false;
    s->why = NULL;
    s->state = TXN_ABORTED;
    const ds__wait wait = ds__op_wait(op);
    bool begun = writes(op) ? begin_writing(op, &s->txn, err)
                            : ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &s->txn, err);
    if (!begun) {
        return false;
    }
    s->with_savepoints = op->with_savepoints;
    s->savepoints.count = 0;
    s->state = TXN_OPEN;
    ds__reaper_need(op->engine);
    s->began_ms = s->last_used_ms;
    s->peer = op->peer && op->peer->remember ? op->peer->connection_id : -1;
    return true;
}

/* The transaction the command names must be the session's open one. */
static bool proceed(ds__session *s, int64_t number, bool ending, ds_error *err) {
    if (number < s->txn_number) {
        return ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                             "Cannot continue transaction with { txnNumber: %lld }: a newer "
                             "transaction with { txnNumber: %lld } has started",
                             (long long)number, (long long)s->txn_number);
    }
    if (number > s->txn_number || s->state == TXN_NONE) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Given transaction number %lld does not match any in-progress "
                             "transactions. The active transaction number is %lld",
                             (long long)number, (long long)s->txn_number);
    }
    if (s->state == TXN_COMMITTED && !ending) {
        return ds__error_set(err, DS_TRANSACTION_COMMITTED, "Transaction %lld has been committed.",
                             (long long)number);
    }
    if (s->state == TXN_ABORTED) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Transaction with { txnNumber: %lld } has been aborted%s.",
                             (long long)number, s->why ? s->why : "");
    }
    return true;
}

static bool read_number(ds__session_fields f, int64_t *number, ds_error *err) {
    *number = f.number.as.i64;
    return *number >= 0 ||
           ds__error_set(err, DS_INVALID_OPTIONS, "Transaction number cannot be negative");
}

static bool enter_transaction(ds__op *op, ds__session_fields f, int64_t number, ds_error *err) {
    const char *name = op->row->name;
    bool ending = strcmp(name, "commitTransaction") == 0 || strcmp(name, "abortTransaction") == 0;
    ds__session *s = op->session;
    op->with_savepoints =
        f.start.type != DS_MISSING ? ds__value_truthy(f.savepoints) : s->with_savepoints;
    bool extended = op->with_savepoints && (op->row->flags & (DS_CMD_READ | DS_CMD_WRITE));
    if (!(op->row->flags & DS_CMD_IN_TXN) && !extended) {
        return ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                             strcmp(name, "count") == 0
                                 ? "Cannot run '%s' in a multi-document transaction. Please see "
                                   "http://dochub.mongodb.org/core/transaction-count for a "
                                   "recommended alternative."
                                 : "Cannot run '%s' in a multi-document transaction.",
                             name);
    }
    ds_value concern;
    if (!ending && ds__doc_get(op->command, "writeConcern", 12, &concern)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "writeConcern is not allowed within a multi-statement transaction");
    }
    if (f.start.type == DS_MISSING && ds__doc_get(op->command, "readConcern", 11, &concern)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Only the first command in a transaction may specify a readConcern");
    }
    op->multi_statement = true;
    bool ok =
        f.start.type != DS_MISSING ? begin(op, s, number, err) : proceed(s, number, ending, err);
    if (ok && s->txn != NULL) {
        const ds__wait wait = ds__op_wait(op);
        op->txn = s->txn;
        ds__txn_watch(op->txn, &wait);
        if (s->with_savepoints && writes(op) && strcmp(name, "savepoint") != 0 &&
            !ds__statement_begin(op, &s->savepoints, err)) {
            ds__txn_watch(s->txn, NULL);
            abort_open(op, s);
            return false;
        }
    }
    return ok;
}

bool ds__session_enter(ds__op *op, ds_error *err) {
    ds__session_fields f;
    uint8_t id[DS_SESSION_ID_SIZE];
    int64_t number = -1;
    op->session = NULL;
    op->multi_statement = false;
    if (!ds__session_fields_read(op, &f, err)) {
        return false;
    }
    if (f.number.type == DS_MISSING) {
        return true; /* nothing is kept for commands that only carry a session's id */
    }
    ds__session_read_id(f.lsid, id);
    if (!read_number(f, &number, err)) {
        return false;
    }
    if (f.autocommit.type == DS_MISSING && !is_write(op->row->name)) {
        bool ending = strcmp(op->row->name, "commitTransaction") == 0 ||
                      strcmp(op->row->name, "abortTransaction") == 0;
        return ds__error_set(err, ending ? DS_INVALID_OPTIONS : 50768,
                             "txnNumber may only be provided for multi-document transactions and "
                             "retryable write commands. autocommit:false was not provided, and %s "
                             "is not a retryable write command.",
                             op->row->name);
    }
    ds__session *s = NULL;
    if (!check_out(op, id, &s, err)) {
        return false;
    }
    op->session = s;
    bool ok = true;
    if (f.autocommit.type != DS_MISSING) {
        ok = enter_transaction(op, f, number, err);
    } else if (number < s->txn_number) {
        ok = ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                           "Retryable write with txnNumber %lld is prohibited on session because a "
                           "newer retryable write with txnNumber %lld has already started on this "
                           "session.",
                           (long long)number, (long long)s->txn_number);
    } else if (number > s->txn_number) {
        abort_open(op, s);
        s->txn_number = number;
        s->state = TXN_NONE;
    }
    if (!ok) {
        op->session = NULL;
        op->txn = NULL;
        check_in(op, s);
    }
    return ok;
}

void ds__session_leave(ds__op *op, bool ok) {
    ds__session *s = op->session;
    if (s == NULL) {
        return;
    }
    if (op->multi_statement && op->txn != NULL && s->txn == op->txn) {
        bool good = ok && !s->doomed;
        if (s->with_savepoints ? !ds__statement_end(op, &s->savepoints, good) : !good) {
            abort_open(op, s);
        }
        s->doomed = false;
    }
    if (s->txn != NULL) {
        ds__txn_watch(s->txn, NULL);
    }
    op->session = NULL;
    op->txn = op->multi_statement ? NULL : op->txn;
    check_in(op, s);
}

ds__savepoints *ds__session_savepoints(ds__op *op) {
    return op->session != NULL && op->multi_statement && op->session->with_savepoints
               ? &op->session->savepoints
               : NULL;
}

void ds__session_doom(ds__op *op) {
    if (op->session != NULL && op->multi_statement) {
        op->session->doomed = true;
    }
}

bool ds__session_recall(ds__op *op, ds_buf *reply, bool *done, ds_error *err) {
    ds__session *s = op->session;
    (void)err;
    *done = false;
    if (s != NULL && !op->multi_statement && s->remembered_number == s->txn_number &&
        s->remembered.size > 0) {
        ds_buf_add(reply, s->remembered.data, s->remembered.size);
        *done = true;
    }
    return true;
}

void ds__session_remember(ds__op *op, const ds_buf *reply, size_t from, size_t to) {
    ds__session *s = op->session;
    if (s == NULL || op->multi_statement || reply->failed) {
        return;
    }
    ds_buf_reset(&s->remembered);
    ds_buf_add(&s->remembered, reply->data + from, to - from);
    s->remembered_number = s->remembered.failed ? -1 : s->txn_number;
}

bool ds__session_commit(ds__op *op, ds_error *err) {
    ds__session *s = op->session;
    if (s == NULL || !op->multi_statement) {
        return ds__error_set(err, 125, "commitTransaction must be run within a transaction");
    }
    if (s->state == TXN_COMMITTED) {
        return true;
    }
    ds__cursors_end_transaction(op->engine->cursors, s->id, s->txn_number);
    ds__txn *txn = s->txn;
    s->txn = NULL;
    op->txn = NULL;
    s->state = TXN_ABORTED;
    if (!ds__txn_commit(txn, op->sync, err)) {
        return false;
    }
    s->state = TXN_COMMITTED;
    return true;
}

bool ds__session_abort(ds__op *op, ds_error *err) {
    ds__session *s = op->session;
    if (s == NULL || !op->multi_statement) {
        return ds__error_set(err, 125, "abortTransaction must be run within a transaction");
    }
    if (s->state == TXN_COMMITTED) {
        return ds__error_set(err, DS_TRANSACTION_COMMITTED, "Transaction %lld has been committed.",
                             (long long)s->txn_number);
    }
    abort_open(op, s);
    op->txn = NULL;
    return true;
}

static void end_one(ds__sessions *sessions, ds__session *s) {
    ds__cursors_end_session(sessions->engine->cursors, s->id);
    ds__snapshots_end_session(sessions->engine, s->id);
    if (s->busy) {
        s->ended = true;
        return;
    }
    ds_map_remove(&sessions->by_id, s->id, DS_SESSION_ID_SIZE);
    session_free(s);
}

bool ds__sessions_end(ds_engine *engine, ds_value list, bool all, ds_error *err) {
    ds__sessions *sessions = engine->sessions;
    const void *key;
    size_t size;
    void *value;
    (void)err;
    if (all) {
        ds__snapshots_end_session(engine, NULL);
    }
    pthread_mutex_lock(&sessions->lock);
    if (all) {
        bool any = true;
        while (any) {
            size_t at = 0;
            any = false;
            while (ds_map_each(&sessions->by_id, &at, &key, &size, &value)) {
                if (!((ds__session *)value)->ended) {
                    end_one(sessions, value);
                    any = true;
                    break;
                }
            }
        }
    } else {
        ds__iter it;
        ds__iter_init(&it, list);
        while (ds__iter_next(&it)) {
            uint8_t id[DS_SESSION_ID_SIZE];
            if (!ds__session_read_id(it.value, id)) {
                continue;
            }
            ds__session *s = ds_map_get(&sessions->by_id, id, DS_SESSION_ID_SIZE);
            if (s != NULL) {
                end_one(sessions, s);
            } else {
                ds__cursors_end_session(engine->cursors, id);
                ds__snapshots_end_session(engine, id);
            }
        }
    }
    pthread_mutex_unlock(&sessions->lock);
    return true;
}
