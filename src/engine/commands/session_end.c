/* SPDX-License-Identifier: Apache-2.0 */
/* What ends sessions and their transactions beside their own commands: age, others that wait,
 * memory that is short, endSessions and killSessions. Undoing what a transaction wrote may take
 * long: the session is in use meanwhile, and the registry is not locked. */
#include "base/clock.h"
#include "engine/commands/cursor.h"
#include "engine/commands/session_internal.h"
#include "engine/commands/snapshot.h"

enum {
    SESSION_TIMEOUT_MS = 30 * 60 * 1000,
    REAP_EVERY_MS = 10 * 1000,
    MOST_AT_ONCE = 64 /* sessions dropped in one turn */
};

static const char gave_way[] =
    ": it had written, then did nothing for too long while others waited to write";

/* Of a session that nobody uses. Called and left with the lock. */
static void end_idle_transaction(ds__sessions *sessions, ds__session *s, const char *why) {
    ds__session_claim(sessions, s);
    pthread_mutex_unlock(&sessions->lock);
    ds__session_end_transaction(sessions->engine, s, why);
    pthread_mutex_lock(&sessions->lock);
    ds__session_release(sessions, s);
}

/* By what open transactions are judged. */
typedef struct judge {
    int64_t now;
    int log_pressure;
    bool writers_wait; /* in this process */
} judge;

/* Why the transaction of a session that nobody uses is to end; NULL: it is not. Under the lock. */
static const char *verdict(const ds_engine *engine, const ds__session *s, judge j) {
    const int64_t unused = j.now - s->last_used_ms;
    if (s->busy || s->state != TXN_OPEN) {
        return NULL;
    }
    if (j.writers_wait) {
        return ds__txn_is_write(s->txn) && unused >= engine->idle_transaction_ms ? gave_way : NULL;
    }
    /* one with savepoints is SQL's, perhaps a migration: at work it may take its time */
    const bool at_work = s->with_savepoints && unused < engine->idle_transaction_ms;
    if (j.now - s->began_ms > DS_TRANSACTION_MS && !at_work) {
        return ": it was open for more than 60 seconds";
    }
    if (j.log_pressure > 0 && unused >= engine->idle_transaction_ms / j.log_pressure) {
        return ": it did nothing for too long while its snapshot kept the log from ending";
    }
    return unused >= engine->idle_transaction_ms && ds__txn_is_awaited(s->txn) ? gave_way : NULL;
}

/* Ends those that are to end, one at a time: the registry may change with each. */
static void end_judged(ds__sessions *sessions, judge j) {
    void *value;
    bool again;
    do {
        size_t at = 0;
        again = false;
        while (!again && ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
            const char *why = verdict(sessions->engine, value, j);
            if (why != NULL) {
                end_idle_transaction(sessions, value, why);
                again = true;
            }
        }
    } while (again);
}

bool ds__sessions_end_old(ds_engine *engine, int64_t now, int log_pressure) {
    ds__sessions *sessions = engine->sessions;
    size_t at = 0;
    void *value;
    bool open = false;
    pthread_mutex_lock(&sessions->lock);
    end_judged(sessions, (judge){.now = now, .log_pressure = log_pressure});
    while (!open && ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
        const ds__session *s = value;
        open = s->busy || s->state == TXN_OPEN; /* the state is its user's while busy */
    }
    pthread_mutex_unlock(&sessions->lock);
    return open;
}

void ds__sessions_reap(ds_engine *engine, int64_t now) {
    ds__sessions *sessions = engine->sessions;
    size_t at = 0;
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
    end_judged(sessions, (judge){.now = now});
    while (n < MOST_AT_ONCE && ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
        ds__session *s = value;
        if (!s->busy && s->txn == NULL && now - s->last_used_ms > SESSION_TIMEOUT_MS) {
            idle[n++] = s;
        }
    }
    for (size_t i = 0; i < n; i++) {
        ds__session_drop(sessions, idle[i]);
    }
    pthread_mutex_unlock(&sessions->lock);
}

void ds__sessions_give_way(ds_engine *engine) {
    ds__sessions *sessions = engine->sessions;
    pthread_mutex_lock(&sessions->lock);
    end_judged(sessions, (judge){.now = ds__clock_now_ms(), .writers_wait = true});
    pthread_mutex_unlock(&sessions->lock);
}

void ds__sessions_drop_oldest(ds_engine *engine, ds__idle_kind kind, int64_t now_ms) {
    ds__sessions *sessions = engine->sessions;
    pthread_mutex_lock(&sessions->lock);
    ds__idle_item *item = ds__idle_oldest(engine->idle, kind, now_ms);
    if (item) {
        ds__session *s = (ds__session *)((char *)item - offsetof(ds__session, idle));
        if (kind == DS_IDLE_RECORD) {
            ds__session_drop(sessions, s);
        } else if (kind == DS_IDLE_TRANSACTION) {
            end_idle_transaction(sessions, s,
                                 ": it did nothing while others needed the memory it held");
        } else {
            s->trimmed = true;
            ds__txn_trim(s->txn);
            ds__session_count_anew(sessions, s);
        }
    }
    pthread_mutex_unlock(&sessions->lock);
}

/* A session that is killed keeps its number. Called and left with the lock. */
static void end_one(ds__sessions *sessions, ds__session *s, bool kill) {
    if (s->busy) {
        *(kill ? &s->killed : &s->ended) = true;
    } else if (s->state == TXN_OPEN) {
        s->ended = !kill;
        end_idle_transaction(sessions, s, NULL);
    } else if (!kill) {
        ds__session_drop(sessions, s);
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

/* Those in use end theirs themselves. What begins meanwhile goes on. */
void ds__sessions_kill_all(ds_engine *engine) {
    ds__sessions *sessions = engine->sessions;
    const int64_t now = ds__clock_now_ms();
    size_t at = 0;
    void *value;
    bool again;
    pthread_mutex_lock(&sessions->lock);
    ds__cursors_end_session(engine, NULL);
    ds__snapshots_end_session(engine, NULL);
    while (ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
        ds__session *s = value;
        s->killed = s->busy || s->killed;
    }
    do {
        at = 0;
        again = false;
        while (!again && ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
            ds__session *s = value;
            if (!s->busy && s->state == TXN_OPEN && s->began_ms <= now) {
                end_idle_transaction(sessions, s, NULL);
                again = true;
            }
        }
    } while (again);
    pthread_mutex_unlock(&sessions->lock);
}
