/* SPDX-License-Identifier: Apache-2.0 */
/* The table ds_retry is made when it is first needed: files of before have none, and who writes
 * without transaction numbers pays nothing for it. Rows go after 30 minutes. When they take too
 * much room before that, the long ones become short: that the write was done stays known, what it
 * answered does not; short ones go after a minute. */
#include "engine/store/retries.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "engine/store/internal.h"

enum {
    PRUNE_MS = 60 * 1000,
    PRUNE_BYTES = DS_RETRY_BYTES / 4, /* written by this process since the last time */
    LEAST_MS = 60 * 1000,
    ROW_BYTES = 100 /* of a row beside `done`, about */
};

/* clang-format off */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS ds_retry(session BLOB PRIMARY KEY, number INTEGER NOT NULL,"
    " at INTEGER NOT NULL, kind INTEGER NOT NULL, size INTEGER NOT NULL, done BLOB)"
    " WITHOUT ROWID";
/* clang-format on */

/* As of the transaction, before it makes the table itself: what a connection has seen once stays.
 */
static bool has_table(ds__conn *conn, ds_error *err) {
    int64_t n = 1;
    if (conn->has_retries) {
        return true;
    }
    conn->has_retries =
        ds__conn_int(conn, "SELECT count(*) FROM sqlite_schema WHERE name='ds_retry'", 0, &n,
                     err) &&
        n > 0;
    return conn->has_retries;
}

static bool exec(ds__txn *txn, const char *sql, ds_error *err) {
    if (!ds__txn_can_write(txn, err)) {
        return false;
    }
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__txn_fail(txn, rc, err);
}

static bool read_row(ds__txn *txn, sqlite3_stmt *raw, ds__retry_row *row, ds_buf *done,
                     ds_error *err) {
    int kind = sqlite3_column_int(raw, 1);
    int64_t size = sqlite3_column_int64(raw, 2);
    row->number = sqlite3_column_int64(raw, 0);
    if (row->number < 0 || kind < DS_RETRY_WRITE || kind > DS_RETRY_FORGOTTEN) {
        return ds__corrupt(err, "what a session has done");
    }
    row->kind = (ds__retry_kind)kind;
    if (!done || row->kind != DS_RETRY_WRITE) {
        return true;
    }
    const void *bytes = sqlite3_column_blob(raw, 3);
    if (!bytes && sqlite3_errcode(txn->conn->db) == SQLITE_NOMEM) {
        return ds__error_oom(err);
    }
    if (sqlite3_column_bytes(raw, 3) != size) {
        return ds__corrupt(err, "what a session has done");
    }
    ds_buf_add(done, bytes, (size_t)size);
    return ds_buf_ok(done, err);
}

bool ds__retries_get(ds__txn *txn, const uint8_t *session, ds__retry_row *row, ds_buf *done,
                     ds_error *err) {
    *row = (ds__retry_row){.number = -1};
    if (!has_table(txn->conn, err)) {
        return !err->code;
    }
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_RETRY_GET, 0, false, 0, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_blob(stmt->raw, 1, session, DS_RETRY_SESSION, SQLITE_STATIC);
    int rc = sqlite3_step(stmt->raw);
    bool ok = rc == SQLITE_ROW ? read_row(txn, stmt->raw, row, done, err)
                               : rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
    ds__conn_give(txn->conn, stmt);
    return ok;
}

/* Of the rows with long answers the newest keep theirs, up to half of the limit; of all others the
 * newest stay, as many as fit into the rest. */
static bool shrink(ds__txn *txn, int64_t now, ds_error *err) {
    char sql[400];
    snprintf(sql, sizeof sql,
             "UPDATE ds_retry SET kind=%d, size=0, done=NULL WHERE session IN (SELECT session FROM"
             " (SELECT session, sum(size) OVER (ORDER BY at DESC, session) AS held FROM ds_retry"
             " WHERE size>%d) WHERE held>%d)",
             DS_RETRY_FORGOTTEN, ROW_BYTES, DS_RETRY_BYTES / 2);
    if (!exec(txn, sql, err)) {
        return false;
    }
    snprintf(sql, sizeof sql,
             "DELETE FROM ds_retry WHERE at<%" PRId64 " AND session IN (SELECT session FROM"
             " ds_retry ORDER BY at DESC LIMIT -1 OFFSET %d)",
             now - LEAST_MS, DS_RETRY_BYTES / 4 / ROW_BYTES);
    return exec(txn, sql, err);
}

/* Once a minute in each process, and whenever it has written a lot. */
static bool prune(ds__txn *txn, int64_t now, size_t more, ds_error *err) {
    const int64_t mono_ms = ds__clock_mono_us() / 1000; /* rows have the other clock's times */
    ds__store *store = txn->store;                      /* one transaction writes at a time */
    char sql[100];
    int64_t held;
    store->retry_bytes += more;
    if (store->retry_bytes < PRUNE_BYTES && mono_ms - store->retry_pruned_ms < PRUNE_MS) {
        return true;
    }
    snprintf(sql, sizeof sql, "DELETE FROM ds_retry WHERE at<%" PRId64, now - DS_RETRY_MS);
    if (!exec(txn, sql, err) ||
        !ds__conn_int(txn->conn, "SELECT total(size)+100*count(*) FROM ds_retry", 0, &held, err) ||
        (held > DS_RETRY_BYTES && !shrink(txn, now, err))) {
        return false;
    }
    store->retry_pruned_ms = mono_ms;
    store->retry_bytes = 0;
    return true;
}

bool ds__retries_put(ds__txn *txn, const uint8_t *session, ds__retry_row row, const ds_buf *done,
                     ds_error *err) {
    int64_t now = ds__clock_now_ms();
    size_t size = done ? done->size : 0;
    ds__scan_detach_all(txn);
    if (!txn->conn->has_retries && !exec(txn, schema, err)) {
        return false;
    }
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_RETRY_PUT, 0, false, 0, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_blob(stmt->raw, 1, session, DS_RETRY_SESSION, SQLITE_STATIC);
    sqlite3_bind_int64(stmt->raw, 2, row.number);
    sqlite3_bind_int64(stmt->raw, 3, now);
    sqlite3_bind_int(stmt->raw, 4, row.kind);
    sqlite3_bind_int64(stmt->raw, 5, (int64_t)size);
    sqlite3_bind_blob64(stmt->raw, 6, size ? done->data : (const uint8_t *)"", size, SQLITE_STATIC);
    return ds__txn_step_done(txn, stmt, err) && prune(txn, now, size + ROW_BYTES, err);
}
