/* SPDX-License-Identifier: Apache-2.0 */
/* The list of running operations, and what one of them asks to learn whether it may go on. */
#include "engine/ops.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/commands/session.h"
#include "engine/op.h"

enum { ASK_EVERY_US = 50 * 1000 };

struct ds__ops {
    /* owned */
    pthread_mutex_t lock; /* guards the list */
    /* borrowed from running commands */
    ds__run *running;
    /* plain */
    int32_t last;   /* the number given last */
    int32_t asking; /* atomic: operations whose peer is being asked now */
};

ds__ops *ds__ops_new(void) {
    ds__ops *ops = ds__alloc(sizeof *ops);
    if (ops) {
        pthread_mutex_init(&ops->lock, NULL);
    }
    return ops;
}

void ds__ops_forget(ds__ops *ops) {
    pthread_mutex_init(&ops->lock, NULL);
    while (ops->running) { /* one may be this thread's, when a signal's handler forked */
        ds__run *run = ops->running;
        ops->running = run->next;
        run->next = NULL;
        run->link = &run->next;
    }
    ops->asking = 0;
}

void ds__ops_free(ds__ops *ops) {
    if (ops) {
        pthread_mutex_destroy(&ops->lock);
        ds__free(ops);
    }
}

static void lock(ds__ops *ops) {
    pthread_mutex_lock(&ops->lock);
}

static void unlock(ds__ops *ops) {
    pthread_mutex_unlock(&ops->lock);
}

/* The operation of this thread whose peer is being asked: that is where this one comes from. */
static ds__run *interrupted_here(ds__ops *ops, pthread_t thread) {
    if (__atomic_load_n(&ops->asking, __ATOMIC_RELAXED) == 0) {
        return NULL;
    }
    for (ds__run *run = ops->running; run; run = run->next) {
        if (pthread_equal(run->thread, thread) && run->asking) {
            return run; /* new ones stand in front: the innermost */
        }
    }
    return NULL;
}

void ds__ops_enter(ds__op *op, ds__run *run) {
    ds__ops *ops = op->engine->ops;
    *run = (ds__run){.op = op, .thread = pthread_self(), .started_us = ds__clock_mono_us()};
    run->asked_us = run->started_us;
    run->has_session = !op->lone && ds__session_id(op, run->session);
    op->run = run;
    lock(ops);
    run->opid = ops->last = ops->last == INT32_MAX ? 1 : ops->last + 1;
    run->outer = interrupted_here(ops, run->thread);
    run->next = ops->running;
    run->link = &ops->running;
    if (run->next) {
        run->next->link = &run->next;
    }
    ops->running = run;
    unlock(ops);
}

void ds__ops_leave(ds__op *op) {
    ds__ops *ops = op->engine->ops;
    ds__run *run = op->run;
    lock(ops);
    *run->link = run->next;
    if (run->next) {
        run->next->link = run->link;
    }
    unlock(ops);
    op->run = NULL;
}

void ds__ops_each(ds__ops *ops, void (*each)(const ds__run *run, void *ctx), void *ctx) {
    lock(ops);
    for (ds__run *run = ops->running; run; run = run->next) {
        each(run, ctx);
    }
    unlock(ops);
}

/* The first reason stays. */
static void cancel(ds__run *run, int32_t code) {
    int32_t none = 0;
    __atomic_compare_exchange_n(&run->cancel, &none, code, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
}

void ds__ops_kill(ds__ops *ops, int32_t opid) {
    lock(ops);
    for (ds__run *run = ops->running; run; run = run->next) {
        if (run->opid == opid) {
            cancel(run, DS_INTERRUPTED);
        }
    }
    unlock(ops);
}

void ds__ops_kill_session(ds__ops *ops, const uint8_t *session, const ds__op *except) {
    lock(ops);
    for (ds__run *run = ops->running; run; run = run->next) {
        if (run->has_session && run->op != except &&
            (!session || memcmp(run->session, session, DS_SESSION_ID_SIZE) == 0)) {
            cancel(run, DS_INTERRUPTED);
        }
    }
    unlock(ops);
}

void ds__ops_kill_local(ds__ops *ops, int32_t code) {
    lock(ops);
    for (ds__run *run = ops->running; run; run = run->next) {
        if (!ds__op_is_remote(run->op)) {
            cancel(run, code);
        }
    }
    unlock(ops);
}

/* Asks whoever sent the command whether it is still wanted. Called without any lock: what answers
 * may run a signal's handler, which may use this engine. */
static void ask_peer(const ds__op *op) {
    ds__run *run = op->run;
    ds__ops *ops = op->engine->ops;
    if (run->asking || ds__fork_pending()) {
        return;
    }
    run->asking = true;
    __atomic_add_fetch(&ops->asking, 1, __ATOMIC_RELAXED);
    uint32_t begun = ds__fork_wait_begin(); /* who is asked may wait for a thread that forks */
    int32_t code = op->peer->interrupt(op->peer->ctx);
    ds__fork_wait_end(begun);
    if (begun != ds__fork_generation()) { /* the handler forked, and the child came back */
        cancel(run, DS_INTERRUPTED);
        return;
    }
    __atomic_sub_fetch(&ops->asking, 1, __ATOMIC_RELAXED);
    run->asking = false;
    if (code) {
        cancel(run, code);
    }
}

static bool stop(int32_t code, ds_error *err) {
    switch (code) {
    case DS_CLIENT_DISCONNECT:
        return ds__error_set(err, code, "operation was interrupted: its client has disconnected");
    case DS_INTERRUPTED_AT_SHUTDOWN:
        return ds__error_set(err, code, "interrupted at shutdown");
    default:
        return ds__error_set(err, code, "operation was interrupted");
    }
}

bool ds__op_check(void *ctx, ds_error *err) {
    const ds__op *op = ctx;
    ds__run *run = op->run;
    if (!run) { /* it is still being read, and not listed yet */
        return true;
    }
    int32_t code = __atomic_load_n(&run->cancel, __ATOMIC_RELAXED);
    if (code == 0) {
        int64_t now = ds__clock_mono_us();
        if (op->deadline_ms && now / 1000 >= op->deadline_ms) {
            return ds__error_set(err, DS_MAX_TIME_MS_EXPIRED, "operation exceeded time limit");
        }
        if (op->peer && op->peer->interrupt && now - run->asked_us >= ASK_EVERY_US) {
            run->asked_us = now;
            ask_peer(op);
            code = __atomic_load_n(&run->cancel, __ATOMIC_RELAXED);
        }
    }
    return code == 0 ? !op->txn || ds__txn_can_write(op->txn, err) : stop(code, err);
}

/* While another transaction of this process writes. A handler of a signal must not wait for the
 * operation it interrupted; and who writes but does nothing gives way after a time. */
static bool blocked(void *ctx, ds_error *err) {
    ds__op *op = ctx;
    __atomic_store_n(&op->run->waiting, true, __ATOMIC_RELAXED);
    for (const ds__run *outer = op->run->outer; outer; outer = outer->outer) {
        if (outer->writer || (outer->op->txn && ds__txn_is_write(outer->op->txn))) {
            return ds__error_set(err, DS_LOCK_TIMEOUT,
                                 "a signal's handler cannot write while the operation it "
                                 "interrupted writes");
        }
    }
    ds__sessions_give_way(op->engine);
    return true;
}

static void writer(void *ctx, bool taken) {
    ds__op *op = ctx;
    __atomic_store_n(&op->run->waiting, false, __ATOMIC_RELAXED);
    op->run->writer = taken;
}

static void progress(void *ctx, const char *what, int64_t done, int64_t total) {
    ds__run *run = ((ds__op *)ctx)->run;
    __atomic_store_n(&run->total, total, __ATOMIC_RELAXED);
    __atomic_store_n(&run->done, done, __ATOMIC_RELAXED);
    __atomic_store_n(&run->work, what, __ATOMIC_RELEASE);
}

ds__wait ds__op_wait(ds__op *op) {
    return (ds__wait){.deadline_ms = op->deadline_ms,
                      .interrupt = ds__op_check,
                      .blocked = blocked,
                      .writer = writer,
                      .progress = progress,
                      .ctx = op};
}

bool ds__is_interruption(int32_t code) {
    return code == DS_INTERRUPTED || code == DS_INTERRUPTED_AT_SHUTDOWN ||
           code == DS_CLIENT_DISCONNECT || code == DS_CURSOR_KILLED ||
           code == DS_MAX_TIME_MS_EXPIRED;
}
