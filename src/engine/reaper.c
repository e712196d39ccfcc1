/* SPDX-License-Identifier: Apache-2.0 */
/* Looks twice a second, and once for expired documents. Its looks are operations, as far as forks
 * are concerned. */
#include "engine/reaper.h"

#include <signal.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/fork.h"
#include "base/mem.h"
#include "engine/commands/snapshot.h"
#include "engine/ttl.h"

enum { TURN_MS = 500, QUIET_TURNS = 20, TURNS_PER_EXPIRY = 2 };

struct ds__reaper {
    /* owned */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    /* plain */
    bool started; /* to be joined */
    bool running;
    bool stop; /* atomic too: for who looks without the lock */
    bool needed;
};

ds__reaper *ds__reaper_new(void) {
    ds__reaper *r = ds__alloc(sizeof *r);
    if (r) {
        ds__cond_init(&r->lock, &r->wake);
    }
    return r;
}

/* Ends what is too old; whether there is more that may become so. */
static bool end_old(ds_engine *engine) {
    const uint32_t begun = ds__fork_enter();
    const int pressure = ds__store_log_pressure(engine->store);
    const int64_t now = ds__clock_now_ms();
    bool open = ds__sessions_end_old(engine, now, pressure);
    open = ds__snapshots_end_old(engine, now, pressure) || open;
    ds__fork_exit(begun);
    return open;
}

static void *run(void *arg) {
    ds_engine *engine = arg;
    ds__reaper *r = engine->reaper;
    int quiet = 0;
    bool expires = false;
    unsigned turn = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->stop && quiet < QUIET_TURNS) {
        ds__cond_wait(&r->wake, &r->lock, ds__clock_mono_us() / 1000 + TURN_MS);
        if (r->stop) {
            break;
        }
        r->needed = false;
        pthread_mutex_unlock(&r->lock);
        const bool open = end_old(engine);
        if (++turn % TURNS_PER_EXPIRY == 0) {
            expires = ds__ttl_turn(engine, &r->stop);
        }
        pthread_mutex_lock(&r->lock);
        quiet = open || expires || r->needed ? 0 : quiet + 1;
    }
    r->running = false;
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start(ds_engine *engine) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&engine->reaper->thread, NULL, run, engine) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

void ds__reaper_need(ds_engine *engine) {
    ds__reaper *r = engine->reaper;
    pthread_mutex_lock(&r->lock);
    r->needed = true;
    if (!r->running && !r->stop) {
        if (r->started) {
            pthread_join(r->thread, NULL);
        }
        /* without one, commands of this process still end what is too old */
        r->started = r->running = start(engine);
    }
    pthread_mutex_unlock(&r->lock);
}

bool ds__reaper_runs(ds__reaper *r) {
    pthread_mutex_lock(&r->lock);
    const bool runs = r->running;
    pthread_mutex_unlock(&r->lock);
    return runs;
}

void ds__reaper_stop(ds__reaper *r) {
    if (!r) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    __atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    if (r->started) {
        pthread_join(r->thread, NULL);
        r->started = false;
    }
}

void ds__reaper_forget(ds__reaper *r) {
    ds__cond_init(&r->lock, &r->wake);
    r->started = r->running = false;
}

void ds__reaper_free(ds__reaper *r) {
    if (r) {
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->lock);
        ds__free(r);
    }
}
