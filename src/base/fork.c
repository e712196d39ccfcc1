/* SPDX-License-Identifier: Apache-2.0 */
/* The guard around fork(). Its state is the process's own, so it is global: one of the exceptions
 * to "no global mutable state", since pthread_atfork's functions take no argument. Operations cost
 * two atomic additions; the thread that forks looks at their number until it is zero. */
#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_FIRST_US = 20, LOOK_LAST_US = 1000 };

static pthread_once_t installed = PTHREAD_ONCE_INIT;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* held while the process forks */
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static ds__fork_member *first; /* guarded by list_lock */
static ds__fork_member *last;
static atomic_int running; /* operations, waiting ones included */
static atomic_int waiting;
static atomic_bool forking;
static atomic_uint generation;
static bool quiet; /* of the fork that goes on; guarded by turn */

/* Waits until the operations that are inside do nothing but wait. `running` is read first: one that
 * waits stays counted in both until the fork is over. */
static bool wait_until_quiet(void) {
    int64_t until = ds__clock_mono_us() + (int64_t)DS_FORK_WAIT_MS * 1000;
    useconds_t look = LOOK_FIRST_US;
    for (;;) {
        int inside = atomic_load(&running);
        if (inside <= atomic_load(&waiting)) {
            return true;
        }
        if (ds__clock_mono_us() >= until) {
            return false;
        }
        usleep(look);
        look = look * 2 < LOOK_LAST_US ? look * 2 : LOOK_LAST_US;
    }
}

static void before(void) {
    pthread_mutex_lock(&turn);
    atomic_store(&forking, true);
    quiet = wait_until_quiet();
    pthread_mutex_lock(&list_lock);
    for (ds__fork_member *m = first; m; m = m->next) {
        if (m->prepare) {
            m->prepare(m, quiet);
        }
    }
}

static void in_parent(void) {
    for (ds__fork_member *m = last; m; m = m->prev) {
        if (m->parent) {
            m->parent(m);
        }
    }
    pthread_mutex_unlock(&list_lock);
    atomic_store(&forking, false);
    pthread_mutex_unlock(&turn);
}

static void in_child(void) {
    pthread_mutex_init(&turn, NULL);
    pthread_mutex_init(&list_lock, NULL);
    atomic_fetch_add(&generation, 1);
    for (ds__fork_member *m = last; m; m = m->prev) {
        if (m->child) {
            m->child(m, quiet);
        }
    }
    atomic_store(&running, 0);
    atomic_store(&waiting, 0);
    atomic_store(&forking, false);
}

static void install(void) {
    pthread_atfork(before, in_parent, in_child);
}

void ds__fork_join(ds__fork_member *member) {
    pthread_once(&installed, install);
    pthread_mutex_lock(&list_lock);
    member->next = NULL;
    member->prev = last;
    *(last ? &last->next : &first) = member;
    last = member;
    pthread_mutex_unlock(&list_lock);
}

void ds__fork_leave(ds__fork_member *member) {
    pthread_mutex_lock(&list_lock);
    if (member->prev || first == member) {
        *(member->prev ? &member->prev->next : &first) = member->next;
        *(member->next ? &member->next->prev : &last) = member->prev;
        member->prev = member->next = NULL;
    }
    pthread_mutex_unlock(&list_lock);
}

/* Blocks until the fork that goes on is over. */
static void let_fork(void) {
    pthread_mutex_lock(&turn);
    pthread_mutex_unlock(&turn);
}

/* Adds to a counter when the process does not fork. */
static uint32_t add(atomic_int *counter, int n) {
    atomic_fetch_add(counter, n);
    while (atomic_load(&forking)) {
        atomic_fetch_sub(counter, n);
        let_fork();
        atomic_fetch_add(counter, n);
    }
    return ds__fork_generation();
}

uint32_t ds__fork_enter(void) {
    return add(&running, 1);
}

void ds__fork_exit(uint32_t begun) {
    if (begun == ds__fork_generation()) {
        atomic_fetch_sub(&running, 1);
    }
}

uint32_t ds__fork_wait_begin(void) {
    atomic_fetch_add(&waiting, 1);
    return ds__fork_generation();
}

void ds__fork_wait_end(uint32_t begun) {
    if (begun == ds__fork_generation()) {
        add(&waiting, -1);
    }
}

bool ds__fork_pending(void) {
    return atomic_load_explicit(&forking, memory_order_relaxed);
}

uint32_t ds__fork_generation(void) {
    return atomic_load_explicit(&generation, memory_order_relaxed);
}
