/* SPDX-License-Identifier: Apache-2.0 */
/* Writing documents with the upkeep of their indexes. A unique index refuses by its table's key, so
 * the common case needs no look-up first; the rare refusal is undone by hand, entry by entry, which
 * spares every document a savepoint. */
#include "engine/records/records.h"

#include "base/clock.h"
#include "base/limits.h"
#include "bson/key.h"
#include "engine/records/build.h"
#include "bson/writer.h"
#include "engine/store/checksum.h"
#include "engine/store/internal.h"

/* What a step of index upkeep came to. */
typedef enum key_result { KEY_OK, KEY_DUPLICATE, KEY_FAILED } key_result;

/* Inserts or deletes keys[from..to) of one index, skipping those `except` has too (both sorted).
 * `*at` is how far it came. */
static key_result change_keys(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                              ds__stmt_kind kind, const ds__index_keys *keys, size_t count,
                              const ds__index_keys *except, int64_t rid, size_t *at,
                              ds_error *err) {
    size_t other = 0;
    *at = 0;
    ds__stmt *stmt = ds__conn_take(txn->conn, kind, index->id, index->unique, coll->id, err);
    if (!stmt) {
        return KEY_FAILED;
    }
    key_result result = KEY_OK;
    sqlite3_bind_int64(stmt->raw, 2, rid);
    for (; *at < count; (*at)++) {
        const uint8_t *key = ds__index_key_bytes(keys, *at);
        size_t size = keys->keys[*at].size;
        int order = 1;
        while (except && other < except->count) {
            size_t n = except->keys[other].size;
            order = memcmp(key, ds__index_key_bytes(except, other), size < n ? size : n);
            order = order ? order : (size > n) - (size < n);
            if (order <= 0) {
                break;
            }
            other++;
        }
        if (order == 0) {
            continue;
        }
        sqlite3_bind_blob(stmt->raw, 1, key, (int)size, SQLITE_STATIC);
        int rc = sqlite3_step(stmt->raw);
        sqlite3_reset(stmt->raw);
        if (rc != SQLITE_DONE) {
            result = KEY_FAILED;
            if ((rc & 0xff) == SQLITE_CONSTRAINT) {
                result = KEY_DUPLICATE;
            } else {
                ds__txn_fail(txn, rc, err);
            }
            break;
        }
    }
    ds__conn_give(txn->conn, stmt);
    return result;
}

/* The keys an index has for a document: none where it does not cover it. */
static bool extract(ds__txn *txn, const ds__index *index, ds_value doc, ds__index_keys *keys,
                    ds_error *err) {
    bool covers;
    if (!ds__index_covers(txn, index, doc, &covers, err)) {
        return false;
    }
    if (!covers) {
        keys->count = 0;
        keys->any_multikey = false;
        return true;
    }
    return ds__index_extract(index, doc, txn->meter, keys, err);
}

/* Changes one index from the keys of `old` to those of `doc`; either may be missing. When it fails
 * the index is as before, or the transaction is broken. */
static bool change_index(ds__txn *txn, const ds__coll *coll, const ds__index *index, int64_t rid,
                         ds_value old, ds_value doc, ds_error *err) {
    ds__index_keys *before = &txn->keys[0];
    ds__index_keys *after = &txn->keys[1];
    before->count = after->count = 0;
    before->any_multikey = after->any_multikey = false;
    if ((old.type == DS_DOCUMENT && !extract(txn, index, old, before, err)) ||
        (doc.type == DS_DOCUMENT && (!extract(txn, index, doc, after, err) ||
                                     !ds__index_note_multikey(txn, coll, index, after, err)))) {
        return false;
    }
    size_t at = 0;
    size_t undone;
    if (before->count > 0 && change_keys(txn, coll, index, DS_STMT_KEY_DELETE, before,
                                         before->count, after, rid, &at, err) != KEY_OK) {
        return ds__txn_break(txn);
    }
    if (after->count == 0) {
        return true;
    }
    key_result result = change_keys(txn, coll, index, DS_STMT_KEY_INSERT, after, after->count,
                                    before, rid, &at, err);
    if (result == KEY_DUPLICATE) {
        ds__index_duplicate(txn, coll, index, doc, ds__index_key_bytes(after, at),
                            after->keys[at].size, err);
        ds_error why = {0};
        if (change_keys(txn, coll, index, DS_STMT_KEY_DELETE, after, at, before, rid, &undone,
                        &why) != KEY_OK ||
            change_keys(txn, coll, index, DS_STMT_KEY_INSERT, before, before->count, after, rid,
                        &undone, &why) != KEY_OK) {
            *err = why;
            ds__txn_break(txn);
        }
        return false;
    }
    return result == KEY_OK || ds__txn_break(txn);
}

/* Whether the fields an index is about are the same bytes in both documents. */
static bool same_fields(const ds__index *index, ds_value old, ds_value doc) {
    if (index->partial.type == DS_DOCUMENT) {
        return false;
    }
    for (size_t i = 0; i < index->part_count; i++) {
        const ds__path_part *p = &index->parts[i].path.parts[0];
        ds__iter a;
        ds__iter b;
        bool in_a = false;
        bool in_b = false;
        ds__iter_init(&a, old);
        ds__iter_init(&b, doc);
        while (!in_a && ds__iter_next(&a)) {
            in_a = a.key_size == p->size && memcmp(a.key, p->name, p->size) == 0;
        }
        while (!in_b && ds__iter_next(&b)) {
            in_b = b.key_size == p->size && memcmp(b.key, p->name, p->size) == 0;
        }
        if (in_a != in_b || (in_a && (a.element_size != b.element_size ||
                                      memcmp(a.element, b.element, a.element_size) != 0))) {
            return false;
        }
    }
    return true;
}

/* Changes all indexes, or none, or breaks the transaction. The index on _id is left out when `old`
 * is there: it cannot change. */
static bool change_indexes(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old,
                           ds_value doc, ds_error *err) {
    bool both = old.type == DS_DOCUMENT && doc.type == DS_DOCUMENT;
    for (size_t i = both ? 1 : 0; i < coll->index_count; i++) {
        if (both && same_fields(&coll->indexes[i], old, doc)) {
            continue;
        }
        if (change_index(txn, coll, &coll->indexes[i], rid, old, doc, err)) {
            continue;
        }
        ds_error why = {0};
        while (!txn->broken && i-- > (both ? 1 : 0)) {
            if (!change_index(txn, coll, &coll->indexes[i], rid, doc, old, &why)) {
                *err = why;
                ds__txn_break(txn);
            }
        }
        return false;
    }
    return true;
}

static bool refuse_invalid(ds__txn *txn, const ds__coll *coll, ds_value doc, ds_error *err) {
    ds_buf *details = &txn->details;
    ds_buf_reset(details);
    size_t root = ds__doc_begin(details);
    size_t info = ds__write_doc(details, "errInfo", 7, DS_DOCUMENT);
    ds__write_value(details, "failingDocumentId", 17, ds__doc_field(doc, "_id"));
    size_t sub = ds__write_doc(details, "details", 7, DS_DOCUMENT);
    ds__validation_details(txn, coll->validator, doc, details);
    ds__doc_end(details, sub);
    ds__doc_end(details, info);
    ds__doc_end(details, root);
    return ds__error_set(err, DS_DOCUMENT_VALIDATION_FAILURE, "Document failed validation");
}

static bool validate(ds__txn *txn, const ds__coll *coll, ds_value old, ds_value doc,
                     const ds__record_options *options, ds_error *err) {
    bool matched;
    if (coll->validator.type != DS_DOCUMENT || coll->validation_level == DS_VALIDATE_OFF ||
        coll->validation_warns || (options && options->bypass_validation)) {
        return true;
    }
    if (!ds__txn_filter_match(txn, coll->validator, doc, &matched, err)) {
        return false;
    }
    if (!matched && old.type == DS_DOCUMENT && coll->validation_level == DS_VALIDATE_MODERATE) {
        bool before;
        if (!ds__txn_filter_match(txn, coll->validator, old, &before, err)) {
            return false;
        }
        matched = !before;
    }
    return matched || refuse_invalid(txn, coll, doc, err);
}

static bool writable(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    ds_buf_reset(&txn->details);
    if (txn->write && !coll->is_view) {
        return true;
    }
    return ds__error_set(err, DS_INTERNAL_ERROR, "%s cannot be written in this transaction",
                         coll->ns);
}

bool ds__record_evict(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    for (;;) {
        int64_t documents;
        int64_t bytes;
        if (!ds__txn_counts(txn, coll->id, &documents, &bytes, err)) {
            return false;
        }
        if (documents <= 1 || (bytes <= coll->capped_size &&
                               (coll->capped_max == 0 || documents <= coll->capped_max))) {
            return true;
        }
        ds__scan *scan = NULL;
        ds__scan_row row;
        bool ok = ds__scan_table(txn, coll, false, &scan, err);
        ds_next next = ok ? ds__scan_next(scan, &row, err) : DS_NEXT_ERROR;
        ok = next == DS_NEXT_END ||
             (next == DS_NEXT_ROW && ds__record_delete(txn, coll, row.rid, row.doc, err));
        ds__scan_close(scan);
        if (!ok || next == DS_NEXT_END) {
            return ok;
        }
    }
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

static bool put(ds__txn *txn, const ds__coll *coll, ds_value doc, int64_t *rid, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_INSERT, coll->id, false, coll->id, err);
    if (!stmt) {
        return false;
    }
    if (!bind_document(txn, stmt->raw, 1, doc, err)) {
        ds__conn_give(txn->conn, stmt);
        return false;
    }
    if (!ds__txn_step_done(txn, stmt, err)) {
        return false;
    }
    *rid = sqlite3_last_insert_rowid(txn->conn->db);
    return true;
}

static bool take_away(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_error *err) {
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_DELETE, coll->id, false, coll->id, err);
    if (!stmt) {
        return false;
    }
    sqlite3_bind_int64(stmt->raw, 1, rid);
    return ds__txn_step_done(txn, stmt, err);
}

bool ds__record_insert(ds__txn *txn, const ds__coll *coll, ds_value doc,
                       const ds__record_options *options, int64_t *rid, ds_error *err) {
    int64_t made = 0;
    if (!writable(txn, coll, err) || !validate(txn, coll, ds__missing(), doc, options, err) ||
        !put(txn, coll, doc, &made, err)) {
        return false;
    }
    if (!change_indexes(txn, coll, made, ds__missing(), doc, err)) {
        if (!txn->broken && !take_away(txn, coll, made, err)) {
            ds__txn_break(txn);
        }
        return false;
    }
    if (rid) {
        *rid = made;
    }
    return (ds__txn_count(txn, coll->id, 1, doc.size, err) &&
            (!coll->capped || ds__record_evict(txn, coll, err))) ||
           ds__txn_break(txn);
}

bool ds__record_replace(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old, ds_value doc,
                        const ds__record_options *options, ds_error *err) {
    if (!writable(txn, coll, err) || !validate(txn, coll, old, doc, options, err) ||
        !change_indexes(txn, coll, rid, old, doc, err)) {
        return false;
    }
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_REPLACE, coll->id, false, coll->id, err);
    if (!stmt) {
        return ds__txn_break(txn);
    }
    sqlite3_bind_int64(stmt->raw, 1, rid);
    if (!bind_document(txn, stmt->raw, 2, doc, err)) {
        ds__conn_give(txn->conn, stmt);
        return ds__txn_break(txn);
    }
    return (ds__txn_step_done(txn, stmt, err) &&
            ds__txn_count(txn, coll->id, 0, (int64_t)doc.size - (int64_t)old.size, err) &&
            (!coll->capped || ds__record_evict(txn, coll, err))) ||
           ds__txn_break(txn);
}

bool ds__record_delete(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old,
                       ds_error *err) {
    int64_t size = old.size;
    if (!writable(txn, coll, err) || !change_indexes(txn, coll, rid, old, ds__missing(), err)) {
        return false;
    }
    return (take_away(txn, coll, rid, err) && ds__txn_count(txn, coll->id, -1, -size, err)) ||
           ds__txn_break(txn);
}

static bool clear_table(ds__txn *txn, char prefix, int64_t id, ds_error *err) {
    char sql[64];
    snprintf(sql, sizeof sql, "DELETE FROM %c%lld", prefix, (long long)id);
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__txn_fail(txn, rc, err);
}

bool ds__record_truncate(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    int64_t documents;
    int64_t bytes;
    ds__scan_detach_all(txn);
    if (!writable(txn, coll, err) || !ds__txn_counts(txn, coll->id, &documents, &bytes, err) ||
        !clear_table(txn, 'c', coll->id, err)) {
        return false;
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!clear_table(txn, 'i', coll->indexes[i].id, err)) {
            return false;
        }
    }
    return ds__txn_count(txn, coll->id, -documents, -bytes, err);
}

bool ds__record_counts(ds__txn *txn, const ds__coll *coll, int64_t *documents, int64_t *bytes,
                       ds_error *err) {
    return ds__txn_counts(txn, coll->id, documents, bytes, err);
}
