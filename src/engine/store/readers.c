/* SPDX-License-Identifier: Apache-2.0 */
/* The log begins anew only at a moment when nobody reads in it, and is written back only as far as
 * the oldest reader allows. Readers that always overlap leave no such moment: when the log is at
 * three quarters of its limit new ones wait, in all processes, until those of before are done. One
 * left behind makes it grow without end: it is looked up by the locks SQLite's readers hold, which
 * the system lists with their processes. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/system.h"
#include "engine/store/internal.h"

enum {
    WRITE_BACK = 16 * 1024 * 1024, /* bytes of the log; and of what has come since the last time, */
    WRITE_MORE = WRITE_BACK / 4,   /* in whatever process: each time costs two syncs of the disk; */
    WRITE_AGAIN_MS = 250,          /* or when readers were in the way then */
    TRY_FRAMES = 100,              /* ending the log is tried again after so many */
    END_WAIT_MS = 20,              /* for readers, while new ones may begin; */
    GATE_WAIT_MS = 100, /* while they may not; doubled when that is too short, up to DS_GATE_MS */
    GATE_POLL_US = 500,
    BACKFILL_AT = 96,   /* in the log's index: how many frames are in the file */
    READERS = 5,        /* marks of readers */
    MARKS_AT = 100,     /* in the log's index: how far each mark reads */
    LOCKS_AT = 120 + 3, /* in the file of the index: the marks' locks */
};

static int64_t log_size(const ds__store *store) {
    char name[1200];
    struct stat st;
    int n = snprintf(name, sizeof name, "%s-wal", store->path);
    return n > 0 && (size_t)n < sizeof name && stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

int ds__store_log_pressure(const ds__store *store) {
    return (int)(log_size(store) / store->log_limit);
}

/* The reader whose mark is furthest behind. */
typedef struct oldest {
    uint32_t marks[READERS];
    uint32_t mark; /* how many frames of the log it knows */
    pid_t pid;     /* 0: nobody reads just now */
} oldest;

static void look_at_lock(void *ctx, int64_t pid, uint64_t first, uint64_t last) {
    oldest *o = ctx;
    for (uint64_t i = 1; i < READERS; i++) {
        if (first <= LOCKS_AT + i && LOCKS_AT + i <= last && o->marks[i] < o->mark) {
            o->mark = o->marks[i];
            o->pid = (pid_t)pid;
        }
    }
}

static oldest oldest_reader(ds__conn *conn) {
    char name[1200];
    struct stat st;
    oldest o = {.mark = UINT32_MAX};
    snprintf(name, sizeof name, "%s-shm", conn->store->path);
    if (stat(name, &st) == 0 && ds__vfs_read_index(conn->db, MARKS_AT, o.marks, sizeof o.marks)) {
        ds__shared_locks(st.st_ino, look_at_lock, &o);
    }
    return o;
}

static void warn_of_reader(ds__conn *conn, int64_t size, pid_t pid) {
    ds__store *store = conn->store;
    char text[128];
    char name[64];
    ds__process_name(pid, name, sizeof name);
    if (pid == getpid()) {
        snprintf(text, sizeof text, "this process");
    } else {
        snprintf(text, sizeof text, "process %ld (%s)", (long)pid, name);
    }
    ds__store_warn(store,
                   "the log '%s-wal' has grown to %" PRId64 " MB and cannot end: %s reads an old "
                   "state of the store in a transaction or snapshot left open",
                   store->path, size >> 20, text);
}

/* How many frames of the log are in the file: the same as before while the same reader is in the
 * way. */
static uint32_t written_back(ds__conn *conn) {
    uint32_t frames = 0;
    ds__vfs_read_index(conn->db, BACKFILL_AT, &frames, sizeof frames);
    return frames;
}

/* Waits for readers to let go, so that the next commit begins the log anew. New ones come in when
 * it waits a moment only: they hinder nobody once all is in the file. */
static bool end_log(ds__conn *conn, sqlite3 *db, const char *name, bool gated, int wait_ms) {
    const ds__wait wait = conn->wait;
    const int64_t deadline_ms = conn->deadline_ms;
    conn->wait = (ds__wait){0};
    conn->deadline_ms = ds__clock_mono_us() / 1000 + wait_ms;
    if (gated) {
        ds__shared_close_gate(db, conn->deadline_ms);
    }
    conn->to_write = true; /* nobody writes meanwhile, so it queues as writers do */
    int rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    conn->to_write = false;
    ds__queue_leave(conn);
    if (gated) {
        ds__shared_close_gate(db, 0);
    }
    conn->wait = wait;
    conn->deadline_ms = deadline_ms;
    return rc == SQLITE_OK;
}

bool ds__log_wait(ds__conn *conn) {
    while (ds__shared_gate(conn->db, ds__clock_mono_us() / 1000) > 0 && !ds__fork_pending()) {
        if (conn->wait.interrupt && !conn->wait.interrupt(conn->wait.ctx, &conn->stopped)) {
            return false;
        }
        usleep(GATE_POLL_US);
    }
    return true;
}

/* Of one left behind; or of many that leave no pause, when the log is much too long for it. Those
 * of a process that was killed are gone with it. */
static void warn(ds__conn *conn) {
    ds__store *store = conn->store;
    const int64_t size = log_size(store);
    const oldest reader = oldest_reader(conn);
    const bool behind = reader.pid > 0 && reader.mark < (uint32_t)store->log_tried / 2;
    if (!behind && size < 2 * store->log_limit) {
        return;
    }
    int64_t warned = __atomic_load_n(&store->log_warned, __ATOMIC_RELAXED);
    if (size >= store->log_limit && size >= 2 * warned &&
        __atomic_compare_exchange_n(&store->log_warned, &warned, size, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
        if (behind) {
            warn_of_reader(conn, size, reader.pid);
        } else {
            ds__store_warn(store,
                           "the log '%s-wal' has grown to %" PRId64 " MB: it ends as soon as "
                           "nobody reads or writes for a moment",
                           store->path, size >> 20);
        }
    }
}

/* Nobody is held up for a reader that was too slow already. */
static void try_to_end(ds__conn *conn, sqlite3 *db, const char *name, bool gated) {
    ds__store *store = conn->store;
    gated = gated && (store->log_wait_ms == 0 || written_back(conn) != store->log_stuck);
    if (gated) {
        store->log_wait_ms = store->log_wait_ms ? store->log_wait_ms * 2 : GATE_WAIT_MS;
        if (store->log_wait_ms > DS_GATE_MS) {
            store->log_wait_ms = DS_GATE_MS;
        }
    }
    if (!end_log(conn, db, name, gated, gated ? store->log_wait_ms : END_WAIT_MS)) {
        store->log_stuck = written_back(conn);
        warn(conn);
    }
}

/* Others write on meanwhile. What they wrote, and the log's end, then hold them up for a moment. */
static void write_back(ds__conn *conn, sqlite3 *db, const char *name) {
    int all = 0;
    int done = 0;
    if (sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, &all, &done) == SQLITE_OK &&
        done == all) {
        end_log(conn, db, name, false, END_WAIT_MS);
    }
}

int ds__log_hook(void *arg, sqlite3 *db, const char *name, int frames) {
    ds__conn *conn = arg;
    ds__store *store = conn->store;
    const int64_t size = (int64_t)frames * ds__vfs_page_size(db);
    if (size < WRITE_BACK && size < store->log_limit / 2 &&
        frames >= __atomic_load_n(&store->log_tried, __ATOMIC_RELAXED)) {
        return SQLITE_OK;
    }
    if (__atomic_exchange_n(&store->log_busy, true, __ATOMIC_ACQUIRE)) {
        return SQLITE_OK; /* another thread sees to it */
    }
    if (frames < store->log_tried) { /* it was begun anew */
        store->log_wait_ms = 0;
        __atomic_store_n(&store->log_tried, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&store->log_warned, 0, __ATOMIC_RELAXED);
    }
    const int64_t tried = (int64_t)store->log_tried * ds__vfs_page_size(db);
    const int64_t now_ms = ds__clock_mono_us() / 1000;
    const int64_t back = written_back(conn);
    const int64_t more = (frames - (back > store->log_tried ? back : store->log_tried)) *
                         (int64_t)ds__vfs_page_size(db);
    const bool crosses = size >= store->log_limit && tried < store->log_limit;
    if (size >= store->log_limit / 2 && (crosses || frames - store->log_tried >= TRY_FRAMES)) {
        __atomic_store_n(&store->log_tried, frames, __ATOMIC_RELAXED);
        try_to_end(conn, db, name, size >= store->log_limit / 4 * 3);
    } else if (size >= WRITE_BACK &&
               (more >= WRITE_MORE || now_ms - store->log_tried_ms >= WRITE_AGAIN_MS)) {
        store->log_tried_ms = now_ms;
        __atomic_store_n(&store->log_tried, frames, __ATOMIC_RELAXED);
        write_back(conn, db, name);
    }
    __atomic_store_n(&store->log_busy, false, __ATOMIC_RELEASE);
    return SQLITE_OK;
}
