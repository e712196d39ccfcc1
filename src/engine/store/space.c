/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's incremental vacuum, step by step: it moves a page only when it knows who points to it,
 * which files have from their first page on, or never until they are written anew. */
#include "engine/store/space.h"

#include <unistd.h>

#include "base/clock.h"
#include "engine/store/internal.h"

enum {
    STEP_PAGES = 128, /* about a millisecond */
    PAUSE_US = 200,   /* between steps: for who waits to write */
    INCREMENTAL = 2   /* what PRAGMA auto_vacuum calls it */
};

static bool pages_of(ds__conn *conn, int64_t *used, int64_t *free, ds_error *err) {
    int64_t all;
    bool ok = ds__conn_int(conn, "PRAGMA page_count", 0, &all, err) &&
              ds__conn_int(conn, "PRAGMA freelist_count", 0, free, err);
    *used = ok ? all - *free : 0;
    return ok;
}

bool ds__space_free(ds__txn *txn, int64_t *bytes, ds_error *err) {
    int64_t used;
    int64_t free;
    int64_t size;
    *bytes = 0;
    if (!pages_of(txn->conn, &used, &free, err) ||
        !ds__conn_int(txn->conn, "PRAGMA page_size", 0, &size, err)) {
        return false;
    }
    *bytes = free * size;
    return true;
}

/* One transaction; `*free` is what is left to do. */
static bool step(ds__store *store, const ds__wait *wait, int64_t *used, int64_t *free,
                 ds_error *err) {
    char sql[64];
    ds__txn *txn = NULL;
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", STEP_PAGES);
    if (!ds__txn_begin(store, DS_TXN_WRITE, wait, &txn, err)) {
        return false;
    }
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    if ((rc != SQLITE_OK && !ds__txn_fail(txn, rc, err)) || !pages_of(txn->conn, used, free, err)) {
        ds__txn_abort(txn);
        return false;
    }
    return ds__txn_commit(txn, false, err);
}

static bool in_steps(ds__store *store, const ds__wait *wait, int64_t free, ds_error *err) {
    int64_t used;
    int64_t before = INT64_MAX;
    while (free > 0 && free < before) { /* others may make more free, but not for ever */
        before = free;
        if (!step(store, wait, &used, &free, err) ||
            (wait && wait->interrupt && !wait->interrupt(wait->ctx, err))) {
            return false;
        }
        usleep(PAUSE_US);
    }
    return true;
}

/* The pages get what moves need and, where it is missing, room for checksums. */
static bool as_a_whole(ds__conn *conn, ds_error *err) {
    int reserved = DS_PAGE_RESERVED;
    sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    return ds__conn_exec(conn,
                         "PRAGMA temp_store=FILE; PRAGMA auto_vacuum=INCREMENTAL;"
                         "VACUUM",
                         err);
}

/* A connection outside of transactions, for this alone. */
static ds__conn *take_conn(ds__store *store, const ds__wait *wait, ds_error *err) {
    ds__conn *conn = ds__store_take_conn(store, err);
    if (conn) {
        conn->wait = wait ? *wait : (ds__wait){0};
        conn->stopped.code = 0;
        conn->deadline_ms = ds__clock_mono_us() / 1000 + store->options.busy_timeout_ms;
        if (conn->wait.deadline_ms && conn->wait.deadline_ms < conn->deadline_ms) {
            conn->deadline_ms = conn->wait.deadline_ms;
        }
    }
    return conn;
}

static void give_conn(ds__store *store, ds__conn *conn, bool changed) {
    conn->wait = (ds__wait){0};
    ds__store_give_conn(store, conn, changed);
}

static bool measure(ds__conn *conn, int64_t *bytes, int64_t *free, int64_t *mode, ds_error *err) {
    int64_t used;
    int64_t size;
    *bytes = *free = *mode = 0;
    if (!pages_of(conn, &used, free, err) ||
        !ds__conn_int(conn, "PRAGMA auto_vacuum", 0, mode, err) ||
        !ds__conn_int(conn, "PRAGMA page_size", 0, &size, err)) {
        return false;
    }
    *bytes = (used + *free) * size;
    return true;
}

bool ds__space_compact(ds__store *store, const ds__wait *wait, int64_t *freed, ds_error *err) {
    int64_t before;
    int64_t after;
    int64_t free;
    int64_t mode;
    *freed = 0;
    ds__conn *conn = take_conn(store, wait, err);
    if (!conn) {
        return false;
    }
    bool ok = measure(conn, &before, &free, &mode, err);
    const bool whole = mode != INCREMENTAL;
    if (ok && whole) {
        ok = as_a_whole(conn, err);
    }
    give_conn(store, conn, whole);
    if (!ok || (!whole && !in_steps(store, wait, free, err)) ||
        !(conn = take_conn(store, NULL, err))) {
        return false;
    }
    ok = measure(conn, &after, &free, &mode, err);
    if (ok) {
        *freed = before > after ? before - after : 0;
        sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    give_conn(store, conn, false);
    return ok;
}
