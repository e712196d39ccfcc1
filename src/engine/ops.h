/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of running operations: who runs what, and one code per operation that ends it. The
 * operation itself asks for the code (ds__op_check) wherever it asks for its deadline: while it
 * computes, while it waits for another writer or for its session, and inside long statements. */
#ifndef DS_ENGINE_OPS_H
#define DS_ENGINE_OPS_H

#include <pthread.h>

#include "base/error.h"
#include "engine/engine.h"
#include "engine/store/store.h"

struct ds__op;
typedef struct ds__ops ds__ops;

/* Bytes that name a session: the UUID of lsid.id. */
enum { DS_SESSION_ID_SIZE = 16 };

/* A command while it runs. It stands in the frame of the door and is listed from enter to leave. */
typedef struct ds__run ds__run;
struct ds__run {
    /* borrowed */
    const struct ds__op *op;
    ds__run *outer; /* what a signal's handler interrupted on this thread, to run this; or NULL */
    ds__run *next;  /* guarded by the registry's lock, as link */
    ds__run **link;
    /* plain */
    pthread_t thread;
    int64_t started_us; /* of ds__clock_mono_us */
    int64_t asked_us;   /* when the peer was asked last */
    int32_t opid;
    int32_t cancel; /* atomic: the code that ends the operation; 0: none */
    bool asking;    /* the peer is being asked now */
    bool writer;    /* it took the right to write, in a transaction it begins */
    bool waiting;   /* atomic: for another writer */
    bool has_session;
    uint8_t session[DS_SESSION_ID_SIZE];
    const char *work; /* atomic, a constant: what takes long; NULL: nothing that is counted */
    int64_t done;     /* atomic, as `total` */
    int64_t total;
};

ds__ops *ds__ops_new(void);
/* In a forked child: the registry is empty, the parent's threads are not there. */
void ds__ops_forget(ds__ops *ops);
void ds__ops_free(ds__ops *ops);

/* Lists an operation; op->run becomes `run`. The op's command, row and db stay as they are until
 * leave. */
void ds__ops_enter(struct ds__op *op, ds__run *run);
void ds__ops_leave(struct ds__op *op);

/* Calls `each` for every running operation, under the registry's lock. */
void ds__ops_each(ds__ops *ops, void (*each)(const ds__run *run, void *ctx), void *ctx);

/* Ends the operation of this number, if it runs, with Interrupted. */
void ds__ops_kill(ds__ops *ops, int32_t opid);
/* Ends the operations of a session, or those of all sessions when `session` is NULL; not `except`,
 * which may be NULL. */
void ds__ops_kill_session(ds__ops *ops, const uint8_t *session, const struct ds__op *except);
/* Ends the operations that came from inside this process, with `code`. */
void ds__ops_kill_local(ds__ops *ops, int32_t code);

/* Whether the operation may go on: asks its code, its deadline and, every 50 ms, its peer. A
 * ds__interrupt_fn with the op as context. Errors: Interrupted, InterruptedAtShutdown,
 * ClientDisconnect, MaxTimeMSExpired, … */
bool ds__op_check(void *op, ds_error *err);
/* How the operation waits in the store; for ds__txn_begin and ds__txn_watch. Lifetime: the op's. */
ds__wait ds__op_wait(struct ds__op *op);
/* Whether an error says that the operation was ended from outside, or by its time limit. */
bool ds__is_interruption(int32_t code);

#endif
