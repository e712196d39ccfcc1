/* SPDX-License-Identifier: Apache-2.0 */
/* The last row of a table of rows is no document: at the greatest record id stand how many rows
 * there are, their bytes, and the record id the next one gets. So what every insert changes lies on
 * the page that the insert changes anyway, and no record id is given twice. It is read at the first
 * need of a transaction and written once, at the commit. */
#include "engine/store/internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "bson/writer.h"
#include "engine/store/checksum.h"

/* A connection keeps the tails of as many tables between two transactions. */
enum { KEPT = 16 };

/* From so many rows in one transaction on the tail is out of the way: SQLite appends to a table
 * without looking at its neighbours, but only at its very end. */
enum { LIFT_AFTER = 32 };

static ds__tail *find(const ds__txn *txn, int64_t rows) {
    for (size_t i = txn->tail_count; i-- > 0;) {
        if (txn->tails[i].rows == rows) {
            return &txn->tails[i];
        }
    }
    return NULL;
}

static ds__tail *add(ds__txn *txn, int64_t rows, ds_error *err) {
    if (txn->tail_count == txn->tail_cap) {
        size_t cap = txn->tail_cap ? txn->tail_cap * 2 : 8;
        ds__tail *grown = ds__realloc(txn->tails, cap * sizeof *grown);
        if (!grown) {
            ds__error_oom(err);
            return NULL;
        }
        txn->tails = grown;
        txn->tail_cap = cap;
    }
    txn->tails[txn->tail_count] = (ds__tail){.rows = rows, .next = 1};
    return &txn->tails[txn->tail_count++];
}

static bool parse(ds_value doc, ds__tail *out, ds_error *err) {
    const ds_value count = ds__doc_field(doc, "n");
    const ds_value bytes = ds__doc_field(doc, "bytes");
    const ds_value next = ds__doc_field(doc, "next");
    if (count.type != DS_INT64 || bytes.type != DS_INT64 || next.type != DS_INT64) {
        return ds__corrupt(err, "the counts of a collection");
    }
    out->count = count.as.i64;
    out->bytes = bytes.as.i64;
    out->next = next.as.i64;
    return true;
}

/* A file of before, which nobody may write. */
static bool read_old(ds__txn *txn, ds__tail *tail, ds_error *err) {
    char sql[80];
    if (!txn->store->options.read_only) {
        return ds__corrupt(err, "the counts of a collection");
    }
    tail->next = DS_TAIL_RID; /* none is given */
    snprintf(sql, sizeof sql, "SELECT n FROM ds_count WHERE coll=%" PRId64, tail->rows);
    if (!ds__conn_int(txn->conn, sql, 0, &tail->count, err)) {
        return false;
    }
    snprintf(sql, sizeof sql, "SELECT bytes FROM ds_count WHERE coll=%" PRId64, tail->rows);
    return ds__conn_int(txn->conn, sql, 0, &tail->bytes, err);
}

static bool read_tail(ds__txn *txn, ds__tail *tail, ds_error *err) {
    ds_value doc;
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_GET, tail->rows, false, tail->rows, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, DS_TAIL_RID);
    int rc = sqlite3_step(stmt->raw);
    bool ok;
    if (rc == SQLITE_ROW) {
        ok = ds__row_document(txn, stmt->raw, 0, &doc, err) && parse(doc, tail, err);
    } else {
        ok = rc == SQLITE_DONE ? read_old(txn, tail, err) : ds__txn_fail(txn, rc, err);
    }
    ds__conn_give(txn->conn, stmt);
    return ok;
}

/* NULL with an error. Lifetime: until the next. */
static ds__tail *get(ds__txn *txn, int64_t rows, ds_error *err) {
    ds__tail *tail = find(txn, rows);
    if (!tail && (tail = add(txn, rows, err)) && !read_tail(txn, tail, err)) {
        txn->tail_count--;
        return NULL;
    }
    return tail;
}

bool ds__tail_make(ds__txn *txn, int64_t rows, ds_error *err) {
    ds__tail *tail = find(txn, rows); /* of a table that a savepoint took back */
    if (!tail && !(tail = add(txn, rows, err))) {
        return false;
    }
    tail->count = tail->bytes = 0;
    tail->changed = true;
    return true;
}

void ds__tails_doubt(ds__txn *txn, int64_t rows) {
    for (size_t i = 0; i < txn->tail_count; i++) {
        if (!rows || txn->tails[i].rows == rows) {
            txn->tails[i].doubted = true;
        }
    }
}

static bool take_away(ds__txn *txn, int64_t rows, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_DELETE, rows, false, rows, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, DS_TAIL_RID);
    return ds__txn_step_done(txn, stmt, err);
}

bool ds__tail_next(ds__txn *txn, int64_t rows, int64_t *rid, ds_error *err) {
    ds__tail *tail = get(txn, rows, err);
    if (!tail) {
        return false;
    }
    if (tail->next >= DS_TAIL_RID) {
        return ds__corrupt(err, "the counts of a collection");
    }
    *rid = tail->next++;
    tail->changed = true;
    return ++tail->inserted != LIFT_AFTER || take_away(txn, rows, err);
}

bool ds__tail_keep(ds__txn *txn, int64_t rows, ds_error *err) {
    ds__tail *tail = get(txn, rows, err);
    if (tail) {
        tail->changed = true;
    }
    return tail != NULL;
}

bool ds__table_counts(ds__txn *txn, int64_t rows, int64_t *count, int64_t *bytes, ds_error *err) {
    const ds__tail *tail = get(txn, rows, err);
    *count = tail ? tail->count : 0;
    *bytes = tail ? tail->bytes : 0;
    return tail != NULL;
}

bool ds__table_next(ds__txn *txn, int64_t rows, int64_t *next, ds_error *err) {
    const ds__tail *tail = get(txn, rows, err);
    *next = tail ? tail->next : 0;
    return tail != NULL;
}

bool ds__table_add_counts(ds__txn *txn, int64_t rows, int64_t count, int64_t bytes, ds_error *err) {
    ds__tail *tail = get(txn, rows, err);
    if (tail) {
        tail->count += count;
        tail->bytes += bytes;
        tail->changed = true;
    }
    return tail != NULL;
}

bool ds__tail_bytes(const ds__tail *tail, ds_buf *out, ds_error *err) {
    ds_buf_reset(out);
    const size_t root = ds__doc_begin(out);
    ds__write_int64(out, "n", tail->count);
    ds__write_int64(out, "bytes", tail->bytes);
    ds__write_int64(out, "next", tail->next);
    ds__doc_end(out, root);
    const uint32_t sum = out->failed ? 0 : ds__checksum(out->data, out->size);
    ds_buf_add(out, &sum, sizeof sum);
    return ds_buf_ok(out, err);
}

static bool is_there(ds__txn *txn, int64_t rows, bool *there, ds_error *err) {
    char sql[96];
    int64_t found;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name='c%" PRId64 "'", rows);
    if (!ds__conn_int(txn->conn, sql, 0, &found, err)) {
        return false;
    }
    *there = found > 0;
    return true;
}

static bool write_tail(ds__txn *txn, const ds__tail *tail, ds_error *err) {
    bool there = true;
    if (tail->doubted && !is_there(txn, tail->rows, &there, err)) {
        return false;
    }
    if (!there) {
        return true;
    }
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_TAIL, tail->rows, false, tail->rows, err);
    if (!stmt) {
        return false;
    }
    if (!ds__tail_bytes(tail, &txn->stored, err)) {
        ds__conn_give(txn->conn, stmt);
        return false;
    }
    sqlite3_bind_blob(stmt->raw, 1, txn->stored.data, (int)txn->stored.size, SQLITE_STATIC);
    return ds__txn_step_done(txn, stmt, err);
}

bool ds__tails_write(ds__txn *txn, ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < txn->tail_count; i++) {
        ok = !txn->tails[i].changed || write_tail(txn, &txn->tails[i], err);
    }
    return ok;
}

void ds__tails_begin(ds__txn *txn) {
    uint32_t changes;
    if (!txn->tails_kept || !ds__conn_changes(txn->conn, &changes) || changes != txn->tails_at) {
        txn->tail_count = 0;
    }
    txn->tails_kept = true;
}

void ds__tails_end(ds__txn *txn, bool committed) {
    bool kept = txn->tails_kept && (committed || !txn->write) && txn->tail_count <= KEPT &&
                ds__conn_changes(txn->conn, &txn->tails_at);
    for (size_t i = 0; i < txn->tail_count; i++) {
        ds__tail *tail = &txn->tails[i];
        kept = kept && !tail->doubted;
        tail->inserted = 0;
        tail->changed = false;
    }
    txn->tails_kept = kept;
}
