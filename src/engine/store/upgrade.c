/* SPDX-License-Identifier: Apache-2.0 */
/* Files of older formats become ones of this, in place and in one transaction: whole, or not at
 * all. Formats 1 and 2 kept the counts of collections in a table of their own. In those before 4
 * indexes do not know what types they have had: there is nothing to write for that. Every upgrade
 * raises the catalog's version: programs that have the file open look at its format then. */
#include "engine/store/internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { TAILS = 3 }; /* the format from which on collections have them */

/* Gives one table of rows its tail. */
static bool give_tail(ds__conn *conn, int64_t rows, int64_t count, int64_t bytes, ds_buf *scratch,
                      ds_error *err) {
    char sql[96];
    ds__tail tail = {.rows = rows, .count = count, .bytes = bytes};
    snprintf(sql, sizeof sql, "SELECT max(rid) FROM c%" PRId64, rows);
    if (!ds__conn_int(conn, sql, 0, &tail.next, err)) {
        return false;
    }
    if (tail.next >= DS_TAIL_RID) {
        return ds__corrupt(err, "a record id");
    }
    tail.next++;
    ds__stmt *stmt = ds__conn_take(conn, DS_STMT_TAIL, rows, false, rows, err);
    if (!stmt) {
        return false;
    }
    bool ok = ds__tail_bytes(&tail, scratch, err);
    if (ok) {
        sqlite3_bind_blob(stmt->raw, 1, scratch->data, (int)scratch->size, SQLITE_STATIC);
        int rc = sqlite3_step(stmt->raw);
        ok = rc == SQLITE_DONE || ds__conn_error(conn, rc, err);
    }
    ds__conn_give(conn, stmt);
    return ok;
}

static bool give_tails(ds__conn *conn, ds_error *err) {
    sqlite3_stmt *raw = NULL;
    ds_buf scratch = {0};
    bool ok = true;
    int rc = sqlite3_prepare_v2(conn->db, "SELECT coll, n, bytes FROM ds_count", -1, &raw, NULL);
    while (ok && rc == SQLITE_OK && (rc = sqlite3_step(raw)) == SQLITE_ROW) {
        ok = give_tail(conn, sqlite3_column_int64(raw, 0), sqlite3_column_int64(raw, 1),
                       sqlite3_column_int64(raw, 2), &scratch, err);
        rc = SQLITE_OK;
    }
    ok = ok && (rc == SQLITE_DONE || ds__conn_error(conn, rc, err));
    sqlite3_finalize(raw);
    ds_buf_clear(&scratch);
    return ok;
}

bool ds__store_upgrade(ds__conn *conn, ds_error *err) {
    char sql[96];
    int64_t version;
    if (!ds__conn_exec(conn, "BEGIN IMMEDIATE", err)) {
        return false;
    }
    bool ok = ds__conn_int(conn, "PRAGMA user_version", 0, &version, err);
    if (ok && version < DS_STORE_FORMAT) { /* another process may have been sooner */
        if (version < TAILS) {
            ok = give_tails(conn, err) && ds__conn_exec(conn, "DROP TABLE ds_count", err);
        }
        snprintf(sql, sizeof sql,
                 "PRAGMA user_version=%d; UPDATE ds_meta SET v=v+1 WHERE k='version'",
                 DS_STORE_FORMAT);
        ok = ok && ds__conn_exec(conn, sql, err);
    }
    ok = ok && ds__conn_exec(conn, "COMMIT", err);
    if (ok && version < DS_STORE_FORMAT) {
        ds__store_inform(conn->store,
                         "'%s' was upgraded from format %d to %d: older programs refuse it now",
                         conn->store->path, (int)version, DS_STORE_FORMAT);
    }
    if (ok) {
        conn->store->format = DS_STORE_FORMAT;
    }
    if (!sqlite3_get_autocommit(conn->db)) {
        sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return ok;
}
