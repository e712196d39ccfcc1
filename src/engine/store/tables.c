/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as a whole: made, dropped, emptied, measured, checked. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/store/internal.h"

static bool exec(ds__txn *txn, const char *sql, ds_error *err) {
    if (!ds__txn_can_write(txn, err)) {
        return false;
    }
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__txn_fail(txn, rc, err);
}

static bool exec_id(ds__txn *txn, const char *format, int64_t id, ds_error *err) {
    char sql[160];
    snprintf(sql, sizeof sql, format, id);
    return exec(txn, sql, err);
}

bool ds__table_number(ds__txn *txn, int64_t *id, ds_error *err) {
    return ds__txn_can_write(txn, err) &&
           ds__conn_int(txn->conn, "UPDATE ds_meta SET v=v+1 WHERE k='next_id' RETURNING v", 0, id,
                        err);
}

bool ds__table_make_rows(ds__txn *txn, int64_t id, ds_error *err) {
    return exec_id(txn, "CREATE TABLE c%" PRId64 "(rid INTEGER PRIMARY KEY, doc BLOB NOT NULL)", id,
                   err) &&
           ds__tail_make(txn, id, err);
}

bool ds__table_make_keys(ds__txn *txn, int64_t id, bool unique, ds_error *err) {
    const char *sql = unique ? "CREATE TABLE i%" PRId64
                               "(k BLOB PRIMARY KEY, r INTEGER NOT NULL) WITHOUT ROWID"
                             : "CREATE TABLE i%" PRId64
                               "(k BLOB NOT NULL, r INTEGER NOT NULL, PRIMARY KEY(k, r)) WITHOUT "
                               "ROWID";
    return exec_id(txn, sql, id, err);
}

/* Empties the connection's cache first: statements on the table keep it from being dropped. */
static bool drop(ds__txn *txn, const char *format, int64_t id, ds_error *err) {
    ds_assert(!txn->scans);
    ds__conn_flush(txn->conn);
    return exec_id(txn, format, id, err);
}

bool ds__table_drop_rows(ds__txn *txn, int64_t id, ds_error *err) {
    ds__tails_doubt(txn, id);
    return drop(txn, "DROP TABLE c%" PRId64, id, err);
}

bool ds__table_drop_keys(ds__txn *txn, int64_t id, ds_error *err) {
    return drop(txn, "DROP TABLE i%" PRId64, id, err);
}

bool ds__table_clear(ds__txn *txn, ds__table_kind kind, int64_t id, ds_error *err) {
    char sql[64];
    snprintf(sql, sizeof sql, "DELETE FROM %c%" PRId64, (char)kind, id);
    return (kind != DS_TABLE_ROWS || ds__tail_keep(txn, id, err)) && exec(txn, sql, err);
}

bool ds__table_size(ds__txn *txn, ds__table_kind kind, int64_t id, ds__size *size, ds_error *err) {
    char sql[96];
    sqlite3_stmt *raw = NULL;
    *size = (ds__size){0};
    snprintf(sql, sizeof sql,
             "SELECT pgsize, unused FROM dbstat WHERE name='%c%" PRId64 "' AND aggregate=1",
             (char)kind, id);
    int rc = sqlite3_prepare_v2(txn->conn->db, sql, -1, &raw, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(raw);
        if (rc == SQLITE_ROW) {
            size->bytes = sqlite3_column_int64(raw, 0);
            size->free = sqlite3_column_int64(raw, 1);
        }
    } else if (rc == SQLITE_ERROR) {
        rc = SQLITE_DONE; /* a library built without dbstat: no sizes */
    }
    sqlite3_finalize(raw);
    return rc == SQLITE_ROW || rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
}

bool ds__table_check(ds__txn *txn, ds__table_kind kind, int64_t id,
                     void (*note)(void *ctx, const char *text), void *ctx, ds_error *err) {
    char sql[64];
    sqlite3_stmt *raw = NULL;
    snprintf(sql, sizeof sql, "PRAGMA quick_check('%c%" PRId64 "')", (char)kind, id);
    int rc = sqlite3_prepare_v2(txn->conn->db, sql, -1, &raw, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(raw);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(raw, 0) : NULL;
        if (text && strcmp(text, "ok") != 0) {
            note(ctx, text);
        }
    }
    bool ok = rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
    sqlite3_finalize(raw);
    return ok;
}
