/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and keys, one at a time. A row is a document and its checksum. */
#include "engine/store/checksum.h"
#include "engine/store/internal.h"

bool ds__row_read(const uint8_t *bytes, size_t size, bool doubted, ds_value *out) {
    *out = ds__missing();
    if (size < 5 + DS_CHECKSUM_SIZE) {
        return false;
    }
    const size_t length = size - DS_CHECKSUM_SIZE;
    if (ds__load_u32(bytes) != length ||
        (doubted && ds__checksum(bytes, length) != ds__load_u32(bytes + length))) {
        return false;
    }
    *out = ds__document(bytes);
    return true;
}

bool ds__row_document(ds__txn *txn, sqlite3_stmt *raw, int column, ds_value *out, ds_error *err) {
    const uint8_t *bytes = sqlite3_column_blob(raw, column);
    const size_t size = (size_t)sqlite3_column_bytes(raw, column);
    if (bytes && ds__row_read(bytes, size, true, out)) {
        return true;
    }
    *out = ds__missing();
    if (sqlite3_errcode(txn->conn->db) == SQLITE_NOMEM) {
        return ds__error_oom(err);
    }
    return ds__corrupt(err, "a stored document");
}

void ds__stmt_bind_key(sqlite3_stmt *raw, const uint8_t *key, size_t size) {
    if (size == 0) {
        sqlite3_bind_zeroblob(raw, 1, 0);
    } else {
        sqlite3_bind_blob(raw, 1, key, (int)size, SQLITE_STATIC);
    }
}

/* The statement that reads a table's rows: taken, or taken again. */
static ds__stmt *get_stmt(ds__txn *txn, ds__stmt_kind kind, ds__key_table table, ds_error *err) {
    uint64_t name = ds__stmt_name(kind, table.id);
    size_t at = DS_STORE_GETS;
    for (size_t i = 0; i < DS_STORE_GETS; i++) {
        if (txn->gets[i] && ds__stmt_is(txn->gets[i], name)) {
            sqlite3_reset(txn->gets[i]->raw);
            return txn->gets[i];
        }
        if (!txn->gets[i] && at == DS_STORE_GETS) {
            at = i;
        }
    }
    if (at == DS_STORE_GETS) {
        at = txn->get_at++ % DS_STORE_GETS;
        ds__conn_give(txn->conn, txn->gets[at]);
    }
    txn->gets[at] = ds__conn_take(txn->conn, kind, table.id, table.unique, table.rows, err);
    return txn->gets[at];
}

void ds__rows_detach(ds__txn *txn) {
    for (size_t i = 0; i < DS_STORE_GETS; i++) {
        ds__conn_give(txn->conn, txn->gets[i]);
        txn->gets[i] = NULL;
    }
}

bool ds__row_get(ds__txn *txn, int64_t rows, int64_t rid, ds_value *doc, ds_error *err) {
    *doc = ds__missing();
    ds__stmt *stmt = get_stmt(txn, DS_STMT_GET, (ds__key_table){.id = rows, .rows = rows}, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, rid);
    int rc = sqlite3_step(stmt->raw);
    if (rc == SQLITE_ROW) {
        return ds__row_document(txn, stmt->raw, 0, doc, err);
    }
    return rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
}

bool ds__row_find(ds__txn *txn, ds__key_table keys, const uint8_t *key, size_t size, int64_t *rid,
                  ds_value *doc, ds_error *err) {
    *doc = ds__missing();
    ds_assert(keys.unique);
    ds__stmt *stmt = get_stmt(txn, DS_STMT_GET_BY_KEY, keys, err);
    if (!stmt) {
        return false;
    }
    ds__stmt_bind_key(stmt->raw, key, size);
    int rc = sqlite3_step(stmt->raw);
    if (rc == SQLITE_ROW) {
        if (rid) {
            *rid = sqlite3_column_int64(stmt->raw, 0);
        }
        return ds__row_document(txn, stmt->raw, 1, doc, err);
    }
    return rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
}

/* Binds a document and its checksum. Lifetime: until the next document is bound. */
static bool bind_document(ds__txn *txn, sqlite3_stmt *raw, int at, ds_value doc, ds_error *err) {
    uint32_t sum = ds__checksum(doc.as.bytes, doc.size);
    ds_buf_reset(&txn->stored);
    ds_buf_add(&txn->stored, doc.as.bytes, doc.size);
    ds_buf_add(&txn->stored, &sum, sizeof sum);
    if (!ds_buf_ok(&txn->stored, err)) {
        return false;
    }
    sqlite3_bind_blob(raw, at, txn->stored.data, (int)txn->stored.size, SQLITE_STATIC);
    return true;
}

bool ds__row_insert(ds__txn *txn, int64_t rows, ds_value doc, int64_t *rid, ds_error *err) {
    if (!ds__tail_next(txn, rows, rid, err)) {
        return false;
    }
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_INSERT, rows, false, rows, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 2, *rid);
    if (!bind_document(txn, stmt->raw, 1, doc, err)) {
        ds__conn_give(txn->conn, stmt);
        return false;
    }
    return ds__txn_step_done(txn, stmt, err);
}

bool ds__row_replace(ds__txn *txn, int64_t rows, int64_t rid, ds_value doc, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_REPLACE, rows, false, rows, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, rid);
    if (!bind_document(txn, stmt->raw, 2, doc, err)) {
        ds__conn_give(txn->conn, stmt);
        return false;
    }
    return ds__txn_step_done(txn, stmt, err);
}

bool ds__row_delete(ds__txn *txn, int64_t rows, int64_t rid, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_DELETE, rows, false, rows, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, rid);
    return ds__txn_step_done(txn, stmt, err);
}

static bool open_writer(ds__key_writer *out, ds__txn *txn, ds__stmt_kind kind, ds__key_table keys,
                        ds_error *err) {
    out->txn = txn;
    out->stmt = ds__conn_take(txn->conn, kind, keys.id, keys.unique, keys.rows, err);
    return out->stmt != NULL;
}

bool ds__keys_insert(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err) {
    return open_writer(out, txn, DS_STMT_KEY_INSERT, keys, err);
}

bool ds__keys_insert_many(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err) {
    return open_writer(out, txn, DS_STMT_KEYS_INSERT, keys, err);
}

bool ds__keys_delete(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err) {
    return open_writer(out, txn, DS_STMT_KEY_DELETE, keys, err);
}

ds__put ds__keys_next(ds__key_writer *writer, const uint8_t *key, size_t size, int64_t rid,
                      ds_error *err) {
    sqlite3_stmt *raw = writer->stmt->raw;
    if (!ds__txn_can_write(writer->txn, err)) {
        return DS_PUT_FAILED;
    }
    sqlite3_bind_blob(raw, 1, key, (int)size, SQLITE_STATIC);
    sqlite3_bind_int64(raw, 2, rid);
    int rc = sqlite3_step(raw);
    sqlite3_reset(raw);
    if (rc == SQLITE_DONE) {
        return DS_PUT_OK;
    }
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        return DS_PUT_DUPLICATE;
    }
    ds__txn_fail(writer->txn, rc, err);
    return DS_PUT_FAILED;
}

ds__put ds__keys_next_many(ds__key_writer *writer, const ds__key_entry *entries, size_t *at,
                           ds_error *err) {
    sqlite3_stmt *raw = writer->stmt->raw;
    *at = 0;
    if (!ds__txn_can_write(writer->txn, err)) {
        return DS_PUT_FAILED;
    }
    for (int i = 0; i < DS_KEYS_AT_ONCE; i++) {
        sqlite3_bind_blob(raw, 2 * i + 1, entries[i].key, (int)entries[i].size, SQLITE_STATIC);
        sqlite3_bind_int64(raw, 2 * i + 2, entries[i].rid);
    }
    int rc = sqlite3_step(raw);
    sqlite3_reset(raw);
    if (rc == SQLITE_DONE) {
        return DS_PUT_OK;
    }
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        const int put = sqlite3_changes(writer->txn->conn->db);
        *at = put >= 0 && put < DS_KEYS_AT_ONCE ? (size_t)put : 0;
        return DS_PUT_DUPLICATE;
    }
    ds__txn_fail(writer->txn, rc, err);
    return DS_PUT_FAILED;
}

void ds__keys_close(ds__key_writer *writer) {
    ds__conn_give(writer->txn->conn, writer->stmt);
    writer->stmt = NULL;
}
