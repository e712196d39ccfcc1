/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions by id. A session belongs to one command at a time: a second one waits. A transaction
 * lives in its session between commands. */
#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "engine/commands/session_internal.h"

enum {
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

void ds__session_drop(ds__sessions *sessions, ds__session *s) {
    ds__idle_remove(sessions->engine->idle, &s->idle);
    ds_map_remove(&sessions->by_id, s->id, DS_SESSION_ID_SIZE);
    session_free(s);
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
        ds__session_claim(sessions, s);
        s->taken_us = ds__clock_mono_us();
        s->trimmed = false;
        s->last_used_ms = now;
    }
    pthread_mutex_unlock(&sessions->lock);
    *out = s;
    return s != NULL;
}

void ds__session_claim(ds__sessions *sessions, ds__session *s) {
    ds__idle_remove(sessions->engine->idle, &s->idle);
    s->busy = true;
}

void ds__session_release(ds__sessions *sessions, ds__session *s) {
    ds_engine *engine = sessions->engine;
    ds__idle_kind kind;
    while ((s->killed || s->ended) && s->state == TXN_OPEN) {
        s->killed = false;
        pthread_mutex_unlock(&sessions->lock); /* what it wrote may take long to undo */
        ds__session_end_transaction(engine, s, NULL);
        pthread_mutex_lock(&sessions->lock);
    }
    s->busy = s->killed = false;
    if (s->ended) {
        ds__session_drop(sessions, s);
    } else {
        size_t bytes = held(s, &kind);
        ds__idle_add(engine->idle, &s->idle, kind, bytes, s->last_used_ms);
    }
    pthread_cond_broadcast(&sessions->freed);
}

void ds__session_check_in(ds__op *op, ds__session *s) {
    ds__sessions *sessions = op->engine->sessions;
    int64_t now = ds__clock_now_ms();
    pthread_mutex_lock(&sessions->lock);
    s->active_us += ds__clock_mono_us() - s->taken_us;
    s->last_used_ms = now;
    ds__session_release(sessions, s);
    pthread_mutex_unlock(&sessions->lock);
    ds__idle_shrink(op->engine, now);
}

void ds__session_count_anew(ds__sessions *sessions, ds__session *s) {
    ds__idle_kind kind;
    size_t bytes = held(s, &kind);
    ds__idle_change(sessions->engine->idle, &s->idle, kind, bytes);
}
