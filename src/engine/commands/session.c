/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions by id. A session belongs to one command at a time: a second one waits. A transaction
 * lives in its session between commands. */
#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "engine/commands/cursor.h"
#include "engine/commands/session_internal.h"
#include "engine/commands/snapshot.h"

enum {
    SESSION_TIMEOUT_MS = 30 * 60 * 1000,
    REAP_EVERY_MS = 10 * 1000,
    MOST_AT_ONCE = 64,
    ASK_EVERY_MS = 25,
    ENTRY_BYTES = 192 /* of the registry and the allocator, for each session */
};

ds__sessions *ds__sessions_new(ds_engine *engine) {
    ds__sessions *s = ds__alloc(sizeof *s);
    if (s != NULL) {
        s->engine = engine;
        ds__cond_init(&s->lock, &s->freed);
    }
    return s;
}

void ds__sessions_forget(ds__sessions *sessions) {
    sessions->by_id = (ds_map){0};
    ds__cond_init(&sessions->lock, &sessions->freed);
}

static void session_free(ds__session *s) {
    ds__txn_abort(s->txn);
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

/* How much is held for a session that nobody uses, and as what it counts. */
static size_t held(const ds__session *s, ds__idle_kind *kind) {
    size_t bytes = sizeof *s + ENTRY_BYTES + s->savepoints.cap * sizeof *s->savepoints.items;
    if (s->txn == NULL) {
        *kind = DS_IDLE_RECORD;
        return bytes;
    }
    *kind = s->trimmed ? DS_IDLE_TRANSACTION : DS_IDLE_SESSION;
    return bytes + ds__txn_bytes(s->txn);
}

/* Counts a session that nobody uses for what it holds now. Under the lock. */
static void count_anew(ds_engine *engine, ds__session *s) {
    ds__idle_kind kind;
    size_t bytes = held(s, &kind);
    ds__idle_change(engine->idle, &s->idle, kind, bytes);
}

/* Takes a session that nobody uses out of the registry. Under the lock. */
static void drop(ds__sessions *sessions, ds__session *s) {
    ds__idle_remove(sessions->engine->idle, &s->idle);
    ds_map_remove(&sessions->by_id, s->id, DS_SESSION_ID_SIZE);
    session_free(s);
}

/* For a session that nobody uses. Under the lock. */
static void end_idle_transaction(ds_engine *engine, ds__session *s, const char *why) {
    ds__session_end_transaction(engine, s, why);
    count_anew(engine, s);
}

static const char gave_way[] =
    ": it had written, then did nothing for too long while others waited to write";

/* Under the lock, of a session that nobody uses. */
static void end_old(ds_engine *engine, ds__session *s, int64_t now, int log_pressure) {
    if (s->state != TXN_OPEN) {
        return;
    }
    const int64_t unused = now - s->last_used_ms;
    /* one with savepoints is SQL's, perhaps a migration: at work it may take its time */
    const bool at_work = s->with_savepoints && unused < engine->idle_transaction_ms;
    if (now - s->began_ms > DS_TRANSACTION_MS && !at_work) {
        end_idle_transaction(engine, s, ": it was open for more than 60 seconds");
    } else if (log_pressure > 0 && unused >= engine->idle_transaction_ms / log_pressure) {
        end_idle_transaction(
            engine, s, ": it did nothing for too long while its snapshot kept the log from ending");
    } else if (unused >= engine->idle_transaction_ms && ds__txn_is_awaited(s->txn)) {
        end_idle_transaction(engine, s, gave_way);
    }
}

bool ds__sessions_end_old(ds_engine *engine, int64_t now, int log_pressure) {
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
            end_old(engine, s, now, log_pressure);
        }
        open = open || s->busy || s->state == TXN_OPEN; /* the state is its user's while busy */
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
        end_old(engine, s, now, 0);
        if (n < MOST_AT_ONCE && now - s->last_used_ms > SESSION_TIMEOUT_MS) {
            idle[n++] = s;
        }
    }
    for (size_t i = 0; i < n; i++) {
        drop(sessions, idle[i]);
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
            end_idle_transaction(engine, s, gave_way);
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* Waits a little for the session's other command; called and left with the lock, but for errors:
 * those are left without. */
static bool wait_for_turn(ds__op *op, ds__sessions *sessions, const ds__session *s, ds_error *err) {
    int64_t until = ds__clock_mono_us() / 1000 + ASK_EVERY_MS;
    bool ok = true;
    for (const ds__run *outer = op->run->outer; outer; outer = outer->outer) {
        ok = ok && outer->op->session != s;
    }
    if (!ok) {
        ds__error_set(err, DS_LOCK_TIMEOUT,
                      "a signal's handler cannot use the session of the operation it interrupted");
    } else if (!ds__cond_wait(&sessions->freed, &sessions->lock, until)) {
        pthread_mutex_unlock(&sessions->lock); /* who is asked may use sessions */
        ok = ds__op_check(op, err);
        pthread_mutex_lock(&sessions->lock);
    }
    if (!ok) {
        pthread_mutex_unlock(&sessions->lock);
    }
    return ok;
}

/* A new session in the registry. Under the lock. */
static ds__session *add_session(ds__sessions *sessions, const uint8_t *id, int64_t now,
                                ds_error *err) {
    if (ds__idle_is_full(sessions->engine->idle, now)) {
        ds__error_set(err, DS_TOO_MANY_LOGICAL_SESSIONS,
                      "Unable to add session into the cache, too many active sessions: they hold "
                      "more than cursorMemoryMB allows, and none of them is a minute old");
        return NULL;
    }
    ds__session *s = ds__alloc(sizeof *s);
    if (s != NULL) {
        memcpy(s->id, id, DS_SESSION_ID_SIZE);
        s->txn_number = -1;
        s->peer = -1;
        s->made_ms = now;
        if (!ds_map_set(&sessions->by_id, id, DS_SESSION_ID_SIZE, s, NULL)) {
            ds__free(s);
            s = NULL;
        }
    }
    if (s == NULL) {
        ds__error_oom(err);
    }
    return s;
}

bool ds__session_check_out(ds__op *op, const uint8_t *id, ds__session **out, ds_error *err) {
    ds__sessions *sessions = op->engine->sessions;
    *out = NULL;
    pthread_mutex_lock(&sessions->lock);
    int64_t now = ds__clock_now_ms();
    ds__session *s;
    while ((s = ds_map_get(&sessions->by_id, id, DS_SESSION_ID_SIZE)) != NULL && s->busy) {
        if (!wait_for_turn(op, sessions, s, err)) {
            return false;
        }
    }
    if (s == NULL) {
        s = add_session(sessions, id, now, err);
    }
    if (s != NULL) {
        ds__idle_remove(op->engine->idle, &s->idle);
        s->busy = true;
        s->taken_us = ds__clock_mono_us();
        s->trimmed = false;
        s->last_used_ms = now;
    }
    pthread_mutex_unlock(&sessions->lock);
    *out = s;
    return s != NULL;
}

void ds__session_check_in(ds__op *op, ds__session *s) {
    ds__sessions *sessions = op->engine->sessions;
    int64_t now = ds__clock_now_ms();
    ds__idle_kind kind;
    pthread_mutex_lock(&sessions->lock);
    s->busy = false;
    s->active_us += ds__clock_mono_us() - s->taken_us;
    s->last_used_ms = now;
    if (s->killed && s->state == TXN_OPEN) {
        ds__session_end_transaction(op->engine, s, NULL);
    }
    s->killed = false;
    if (s->ended) {
        drop(sessions, s);
    } else {
        size_t bytes = held(s, &kind);
        ds__idle_add(op->engine->idle, &s->idle, kind, bytes, now);
    }
    pthread_cond_broadcast(&sessions->freed);
    pthread_mutex_unlock(&sessions->lock);
    ds__idle_shrink(op->engine, now);
}

/* Gives back what the session can do without. */
static void trim(ds__session *s) {
    if (s->txn != NULL) {
        s->trimmed = true;
        ds__txn_trim(s->txn);
    }
}

void ds__sessions_drop_oldest(ds_engine *engine, ds__idle_kind kind, int64_t now_ms) {
    ds__sessions *sessions = engine->sessions;
    pthread_mutex_lock(&sessions->lock);
    ds__idle_item *item = ds__idle_oldest(engine->idle, kind, now_ms);
    if (item) {
        ds__session *s = (ds__session *)((char *)item - offsetof(ds__session, idle));
        if (kind == DS_IDLE_RECORD) {
            drop(sessions, s);
        } else if (kind == DS_IDLE_TRANSACTION) {
            end_idle_transaction(engine, s,
                                 ": it did nothing while others needed the memory it held");
        } else {
            trim(s);
            count_anew(engine, s);
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* A session that is killed keeps its number. Under the lock. */
static void end_one(ds__sessions *sessions, ds__session *s, bool kill) {
    if (s->busy) {
        *(kill ? &s->killed : &s->ended) = true;
    } else if (!kill) {
        drop(sessions, s);
    } else if (s->state == TXN_OPEN) {
        end_idle_transaction(sessions->engine, s, NULL);
    }
}

void ds__sessions_end(ds_engine *engine, ds_value list, bool kill) {
    ds__sessions *sessions = engine->sessions;
    uint8_t id[DS_SESSION_ID_SIZE];
    ds__iter it;
    pthread_mutex_lock(&sessions->lock);
    for (ds__iter_init(&it, list); ds__iter_next(&it);) {
        if (!ds__session_read_id(it.value, id)) {
            continue;
        }
        ds__cursors_end_session(engine, id);
        ds__snapshots_end_session(engine, id);
        ds__session *s = ds_map_get(&sessions->by_id, id, DS_SESSION_ID_SIZE);
        if (s != NULL) {
            end_one(sessions, s, kill);
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

void ds__sessions_kill_all(ds_engine *engine) {
    ds__sessions *sessions = engine->sessions;
    size_t at = 0;
    void *value;
    pthread_mutex_lock(&sessions->lock);
    ds__cursors_end_session(engine, NULL);
    ds__snapshots_end_session(engine, NULL);
    while (ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
        end_one(sessions, value, true);
    }
    pthread_mutex_unlock(&sessions->lock);
}
