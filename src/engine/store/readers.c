/* SPDX-License-Identifier: Apache-2.0 */
/* The log begins anew only at a moment when nobody reads in it, and is written back only as far as
 * the oldest reader allows. One left behind makes it grow without end: it is looked up by the locks
 * SQLite's readers hold, which the system lists with their processes. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/store/internal.h"

enum {
    WRITE_BACK = 16 * 1024 * 1024, /* bytes of the log */
    TRY_FRAMES = 100,              /* ending the log is tried again after so many */
    END_WAIT_MS = 20,
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

bool ds__store_log_is_long(const ds__store *store) {
    return log_size(store) >= store->log_limit;
}

/* The process that holds the reader's mark furthest behind; 0: none is known. */
static pid_t oldest_reader(ds__conn *conn) {
    char name[1200];
    char line[200];
    struct stat st;
    uint32_t marks[READERS];
    uint32_t best = UINT32_MAX;
    pid_t found = 0;
    snprintf(name, sizeof name, "%s-shm", conn->store->path);
    FILE *locks =
        stat(name, &st) == 0 && ds__vfs_read_index(conn->db, MARKS_AT, marks, sizeof marks)
            ? fopen("/proc/locks", "re")
            : NULL;
    while (locks && fgets(line, sizeof line, locks)) {
        long pid;
        unsigned long inode;
        unsigned long first;
        unsigned long last;
        if (sscanf(line, "%*d: POSIX %*s READ %ld %*x:%*x:%lu %lu %lu", &pid, &inode, &first,
                   &last) != 4 ||
            inode != st.st_ino) {
            continue;
        }
        for (unsigned long i = 1; i < READERS; i++) {
            if (first <= LOCKS_AT + i && LOCKS_AT + i <= last && marks[i] < best) {
                best = marks[i];
                found = (pid_t)pid;
            }
        }
    }
    if (locks) {
        fclose(locks);
    }
    return found;
}

static void warn_of_reader(ds__conn *conn, int64_t size) {
    ds__store *store = conn->store;
    char text[64];
    char name[64] = "";
    const pid_t pid = oldest_reader(conn);
    snprintf(text, sizeof text, "/proc/%ld/comm", (long)pid);
    FILE *comm = pid > 0 ? fopen(text, "re") : NULL;
    if (comm && fgets(name, sizeof name, comm)) {
        name[strcspn(name, "\n")] = 0;
    }
    if (comm) {
        fclose(comm);
    }
    if (pid == getpid()) {
        snprintf(text, sizeof text, "this process");
    } else if (pid > 0) {
        snprintf(text, sizeof text, "process %ld (%s)", (long)pid, name);
    } else {
        snprintf(text, sizeof text, "a process that is not known");
    }
    ds__store_warn(store,
                   "the log '%s-wal' has grown to %" PRId64 " MB and cannot end: %s reads an old "
                   "state of the store in a transaction or snapshot left open",
                   store->path, size >> 20, text);
}

/* Waits a moment for readers to let go, so that the next commit begins the log anew. New readers
 * are not held up: all is in the file by then. */
static bool end_log(ds__conn *conn, sqlite3 *db, const char *name) {
    const ds__wait wait = conn->wait;
    const int64_t deadline_ms = conn->deadline_ms;
    conn->wait = (ds__wait){0};
    conn->deadline_ms = ds__clock_mono_us() / 1000 + END_WAIT_MS;
    int rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    conn->wait = wait;
    conn->deadline_ms = deadline_ms;
    return rc == SQLITE_OK;
}

int ds__log_hook(void *arg, sqlite3 *db, const char *name, int frames) {
    ds__conn *conn = arg;
    ds__store *store = conn->store;
    const int64_t written = (int64_t)frames * ds__vfs_page_size(db);
    const bool is_long = written >= store->log_limit;
    if (!is_long || frames - conn->log_tried < TRY_FRAMES) {
        if (frames < TRY_FRAMES) { /* it was begun anew */
            conn->log_tried = 0;
            __atomic_store_n(&store->log_warned, 0, __ATOMIC_RELAXED);
        }
        if (written >= WRITE_BACK) {
            sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        }
        return SQLITE_OK;
    }
    conn->log_tried = frames;
    if (!end_log(conn, db, name)) {
        const int64_t size = log_size(store);
        int64_t warned = __atomic_load_n(&store->log_warned, __ATOMIC_RELAXED);
        if (size >= store->log_limit && size >= 2 * warned &&
            __atomic_compare_exchange_n(&store->log_warned, &warned, size, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
            warn_of_reader(conn, size);
        }
    }
    return SQLITE_OK;
}
