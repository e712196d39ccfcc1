/* SPDX-License-Identifier: Apache-2.0 */
/* Forks. SQLite keeps one table per process of the files it has open and of the locks it believes
 * to hold on them; fork() copies the table, not the locks. So the connections are closed before a
 * fork: without them the table has no entry. A file whose connections cannot be closed is never
 * opened in the child, through whatever store: those files are a list of the process. */
#include <stddef.h>
#include <sys/stat.h>

#include "base/cond.h"
#include "base/mem.h"
#include "engine/store/internal.h"

typedef struct lost_file lost_file;
struct lost_file {
    lost_file *next;
    dev_t device;
    ino_t inode;
};

/* Written only between fork() and the child's first operation. */
static lost_file *lost;
static bool all_lost;

/* The log stays as it is: the next one to open the file reads it. Writing it into the file here
 * would cost every fork two syncs. */
static void close_quickly(ds__conn *conn) {
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    ds__conn_close(conn);
}

/* With a transaction open the entry stays anyway, and so may the connections. */
static void before(ds__fork_member *self, bool quiet) {
    ds__store *store = (ds__store *)self;
    while (quiet && store->active == 0 && store->pool) {
        ds__conn *conn = store->pool;
        store->pool = conn->next;
        store->pooled--;
        store->pool_cached -= conn->cached;
        close_quickly(conn);
    }
}

static void lose(const char *path) {
    struct stat st;
    lost_file *file = ds__alloc(sizeof *file);
    if (!file || stat(path, &st) != 0) {
        ds__free(file);
        all_lost = true;
        return;
    }
    *file = (lost_file){.next = lost, .device = st.st_dev, .inode = st.st_ino};
    lost = file;
}

static void in_child(ds__fork_member *self, bool quiet) {
    ds__store *store = (ds__store *)self;
    if (!quiet) {
        all_lost = true; /* SQLite's own locks may be taken, by a thread that is not here */
    } else if (store->active > 0) {
        lose(store->path);
    }
    store->pool = NULL;
    store->pooled = store->pool_cached = store->active = store->helpers = 0;
    store->writing = false;
    ds__cond_init(&store->lock, &store->idle_writer);
}

void ds__store_join_forks(ds__store *store) {
    store->fork = (ds__fork_member){.prepare = before, .child = in_child};
    ds__fork_join(&store->fork);
}

bool ds__store_check_fork(const char *path, ds_error *err) {
    struct stat st;
    if (all_lost) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "this process was forked while an operation of its parent ran for "
                             "more than %d s, and cannot use '%s': fork when none runs, or start "
                             "the process anew (exec, or multiprocessing's \"spawn\")",
                             DS_FORK_WAIT_MS / 1000, path);
    }
    if (!lost || stat(path, &st) != 0) {
        return true;
    }
    for (const lost_file *file = lost; file; file = file->next) {
        if (file->device == st.st_dev && file->inode == st.st_ino) {
            return ds__error_set(
                err, DS_ILLEGAL_OPERATION,
                "this process was forked while its parent had a transaction open on '%s', and "
                "cannot use the file: fork outside of transactions, or start the process anew "
                "(exec, or multiprocessing's \"spawn\")",
                path);
        }
    }
    return true;
}
