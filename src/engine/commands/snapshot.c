/* SPDX-License-Identifier: Apache-2.0 */
/* Held snapshots by their time. One command at a time reads in a snapshot: a second one waits. */
#include "engine/commands/snapshot.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/fork.h"
#include "base/mem.h"
#include "engine/commands/session.h"
#include "engine/reaper.h"

enum { TURN_MS = 25 };

/* What an idle snapshot keeps in memory of the pages it has read. */
enum { KEEP_BYTES = 4 * 1024 * 1024 };

typedef struct snapshot {
    /* owned */
    ds__txn *txn; /* NULL: the place is free */
    /* plain */
    uint64_t time;
    int64_t began_ms; /* of ds__clock_now_ms */
    uint8_t session[DS_SESSION_ID_SIZE];
    bool has_session;
    bool busy;
    bool ended; /* release it when no longer busy */
} snapshot;

struct ds__snapshots {
    ds__fork_member fork; /* first: prepare finds the snapshots by it */
    /* owned */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    snapshot all[DS_MAX_SNAPSHOTS];
    /* plain */
    uint64_t last;     /* the time given last: they only grow */
    uint64_t released; /* the latest that was released */
    int32_t held;      /* atomic */
};

void ds__snapshots_forget(ds__snapshots *s) {
    ds__cond_init(&s->lock, &s->freed);
    memset(s->all, 0, sizeof s->all);
    s->held = 0;
    s->released = s->last;
}

/* Under the lock, or when nobody else is left. */
static void release(ds__snapshots *s, snapshot *one) {
    if (one->time > s->released) {
        s->released = one->time;
    }
    ds__txn_abort(one->txn);
    *one = (snapshot){0};
    __atomic_fetch_sub(&s->held, 1, __ATOMIC_RELAXED);
}

/* Before a fork: with a read transaction open the child would be refused the file. */
static void release_idle(ds__fork_member *self, bool quiet) {
    ds__snapshots *s = (ds__snapshots *)self;
    for (size_t i = 0; quiet && i < DS_MAX_SNAPSHOTS; i++) {
        if (s->all[i].txn && !s->all[i].busy) {
            release(s, &s->all[i]);
        }
    }
}

ds__snapshots *ds__snapshots_new(void) {
    ds__snapshots *s = ds__alloc(sizeof *s);
    if (s) {
        ds__cond_init(&s->lock, &s->freed);
        s->fork.prepare = release_idle;
        ds__fork_join(&s->fork);
    }
    return s;
}

void ds__snapshots_free(ds__snapshots *s) {
    if (s) {
        ds__fork_leave(&s->fork);
        for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
            if (s->all[i].txn) {
                release(s, &s->all[i]);
            }
        }
        pthread_cond_destroy(&s->freed);
        pthread_mutex_destroy(&s->lock);
        ds__free(s);
    }
}

static void lock(ds__snapshots *s) {
    pthread_mutex_lock(&s->lock);
}

static void unlock(ds__snapshots *s) {
    pthread_mutex_unlock(&s->lock);
}

static void end(ds__snapshots *s, snapshot *one) {
    if (one->busy) {
        one->ended = true;
    } else {
        release(s, one);
    }
}

bool ds__snapshots_end_old(ds_engine *engine, int64_t now_ms, int log_pressure) {
    ds__snapshots *s = engine->snapshots;
    int64_t most = engine->snapshot_ms;
    if (__atomic_load_n(&s->held, __ATOMIC_RELAXED) == 0) {
        return false;
    }
    if (log_pressure > 0 && engine->idle_transaction_ms / log_pressure < most) {
        most = engine->idle_transaction_ms / log_pressure;
    }
    lock(s);
    for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
        if (s->all[i].txn && now_ms - s->all[i].began_ms > most) {
            end(s, &s->all[i]);
        }
    }
    unlock(s);
    return __atomic_load_n(&s->held, __ATOMIC_RELAXED) > 0;
}

void ds__snapshots_reap(ds_engine *engine, int64_t now_ms) {
    ds__snapshots_end_old(engine, now_ms, 0);
}

void ds__snapshots_end_session(ds_engine *engine, const uint8_t *session) {
    ds__snapshots *s = engine->snapshots;
    if (__atomic_load_n(&s->held, __ATOMIC_RELAXED) == 0) {
        return;
    }
    lock(s);
    for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
        snapshot *one = &s->all[i];
        if (one->txn && (!session || (one->has_session &&
                                      memcmp(one->session, session, DS_SESSION_ID_SIZE) == 0))) {
            end(s, one);
        }
    }
    unlock(s);
}

static snapshot *find(ds__snapshots *s, uint64_t time) {
    for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
        if (s->all[i].txn && s->all[i].time == time && !s->all[i].ended) {
            return &s->all[i];
        }
    }
    return NULL;
}

static bool refuse(const ds__snapshots *s, uint64_t now, uint64_t time, ds_error *err) {
    unsigned seconds = (unsigned)(time >> 32);
    unsigned step = (unsigned)time;
    if (time > now) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "readConcern atClusterTime value must not be greater than the current "
                             "clusterTime. Requested clusterTime: { ts: Timestamp(%u, %u) }; "
                             "current clusterTime: { ts: Timestamp(%u, %u) }",
                             seconds, step, (unsigned)(now >> 32), (unsigned)now);
    }
    if (time <= s->released) {
        return ds__error_set(err, DS_SNAPSHOT_TOO_OLD,
                             "Read timestamp Timestamp(%u, %u) is older than the oldest available "
                             "timestamp: a snapshot is held for %d seconds",
                             seconds, step, DS_SNAPSHOT_MS / 1000);
    }
    return ds__error_set(err, DS_SNAPSHOT_UNAVAILABLE,
                         "Unable to read from a snapshot at Timestamp(%u, %u): only the "
                         "atClusterTime of an earlier reply can be read again",
                         seconds, step);
}

/* The snapshot of a time, no longer busy. */
static bool take(ds__op *op, ds__snapshots *s, snapshot **out, ds_error *err) {
    bool ok = true;
    lock(s);
    snapshot *one;
    while ((one = find(s, op->at_cluster_time)) != NULL && one->busy && ok) {
        if (!ds__cond_wait(&s->freed, &s->lock, ds__clock_mono_us() / 1000 + TURN_MS)) {
            unlock(s); /* who is asked may use snapshots */
            ok = ds__op_check(op, err);
            lock(s);
        }
    }
    if (ok && !one) {
        uint64_t now = op->env.cluster_time > s->last ? op->env.cluster_time : s->last;
        ok = refuse(s, now, op->at_cluster_time, err);
    }
    if (ok) {
        one->busy = true;
        *out = one;
    }
    unlock(s);
    return ok;
}

/* A free place, or that of the oldest nobody uses. */
static snapshot *place(ds__snapshots *s) {
    snapshot *best = NULL;
    for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
        snapshot *one = &s->all[i];
        if (!one->txn) {
            return one;
        }
        if (!one->busy && (!best || one->time < best->time)) {
            best = one;
        }
    }
    if (best) {
        release(s, best);
    }
    return best;
}

static bool make(ds__op *op, ds__snapshots *s, snapshot **out, ds_error *err) {
    ds__txn *txn = NULL;
    const ds__wait wait = ds__op_wait(op);
    if (!ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &txn, err)) {
        return false;
    }
    lock(s);
    snapshot *one = place(s);
    if (one) {
        one->txn = txn;
        one->busy = true;
        one->began_ms = op->env.now_ms;
        one->has_session = ds__session_id(op, one->session);
        s->last = op->env.cluster_time > s->last ? op->env.cluster_time : s->last + 1;
        one->time = s->last;
        __atomic_fetch_add(&s->held, 1, __ATOMIC_RELAXED);
    }
    unlock(s);
    ds__reaper_need(op->engine);
    if (!one) {
        ds__txn_abort(txn);
        return ds__error_set(err, DS_SNAPSHOT_UNAVAILABLE,
                             "%d snapshots are being read at once: no more can be held",
                             DS_MAX_SNAPSHOTS);
    }
    *out = one;
    return true;
}

bool ds__snapshot_enter(ds__op *op, ds_error *err) {
    ds__snapshots *s = op->engine->snapshots;
    snapshot *one = NULL;
    if (!(op->at_cluster_time ? take(op, s, &one, err) : make(op, s, &one, err))) {
        return false;
    }
    const ds__wait wait = ds__op_wait(op);
    ds__txn_watch(one->txn, &wait);
    op->txn = one->txn;
    op->at_cluster_time = one->time;
    if (op->env.cluster_time < one->time) {
        op->env.cluster_time = one->time;
    }
    return true;
}

void ds__snapshot_leave(ds__op *op) {
    ds__snapshots *s = op->engine->snapshots;
    ds__txn_watch(op->txn, NULL);
    if (ds__txn_bytes(op->txn) > KEEP_BYTES) {
        ds__txn_trim(op->txn);
    }
    lock(s);
    for (size_t i = 0; i < DS_MAX_SNAPSHOTS; i++) {
        snapshot *one = &s->all[i];
        if (one->txn && one->txn == op->txn) {
            one->busy = false;
            if (one->ended || ds__txn_is_broken(one->txn)) {
                release(s, one);
            }
            break;
        }
    }
    pthread_cond_broadcast(&s->freed);
    unlock(s);
    op->txn = NULL;
}
