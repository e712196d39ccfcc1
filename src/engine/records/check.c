/* SPDX-License-Identifier: Apache-2.0 */
/* Every document must be well-formed and have exactly its keys in every index; the count of entries
 * then tells of entries too many. */
#include "engine/records/check.h"

#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/records/build.h"
#include "engine/records/filters.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

enum { MAX_ERRORS = 50 };

typedef struct checker {
    ds__txn *txn;
    const ds__coll *coll;
    ds__check *check;
    ds_buf list; /* elements of the array of errors */
    ds__index_keys keys;
    int64_t bytes;    /* of all documents */
    int64_t last_rid; /* the greatest record id */
    int64_t expected[DS_MAX_INDEXES];
} checker;

DS_PRINTF(2, 3)
static void note(checker *c, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (c->check->error_count < MAX_ERRORS) {
        ds__write_index(&c->list, c->check->error_count, ds__cstring(text));
    }
    c->check->error_count++;
}

/* Whether the index has this key for this document. */
static bool has_entry(checker *c, const ds__index *index, const uint8_t *key, size_t size,
                      int64_t rid, bool *has, ds_error *err) {
    ds__interval in = {key, key, size, size, true, true};
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds_next next = DS_NEXT_ERROR;
    *has = false;
    if (ds__scan_keys(c->txn, ds__coll_keys(c->coll, index), &in, 1, false, false, &scan, err)) {
        while (!*has && (next = ds__scan_next(scan, &row, err)) == DS_NEXT_ROW) {
            *has = row.rid == rid;
        }
    }
    ds__scan_close(scan);
    return next != DS_NEXT_ERROR;
}

static bool check_keys(checker *c, const ds__scan_row *row, ds_error *err) {
    for (size_t i = 0; i < c->coll->index_count && i < DS_MAX_INDEXES; i++) {
        const ds__index *index = &c->coll->indexes[i];
        bool covers;
        if (!ds__index_covers(c->txn, index, row->doc, &covers, err)) {
            return false;
        }
        if (!covers) {
            continue;
        }
        if (!ds__index_extract(index, row->doc, ds__txn_meter(c->txn), &c->keys, err)) {
            return false;
        }
        c->expected[i] += (int64_t)c->keys.count;
        for (size_t k = 0; k < c->keys.count; k++) {
            bool has;
            if (!has_entry(c, index, ds__index_key_bytes(&c->keys, k), c->keys.keys[k].size,
                           row->rid, &has, err)) {
                return false;
            }
            if (!has) {
                c->check->index_valid[i] = false;
                note(c, "index %s lacks a key of the document with record id %lld", index->name,
                     (long long)row->rid);
            }
        }
    }
    return true;
}

static bool check_document(checker *c, const ds__scan_row *row, ds_error *err) {
    ds_error why = {0};
    bool compliant = true;
    c->check->records++;
    c->bytes += row->doc.size;
    c->last_rid = row->rid;
    if (!ds__bson_validate(row->doc.as.bytes, row->doc.size, DS_MAX_COMMAND_DEPTH, &why)) {
        c->check->invalid++;
        note(c, "record id %lld: %s", (long long)row->rid, why.message);
        return true;
    }
    if (c->coll->validator.type == DS_DOCUMENT &&
        !ds__txn_filter_match(c->txn, c->coll->validator, row->doc, &compliant, err)) {
        return false;
    }
    c->check->non_compliant += !compliant;
    return check_keys(c, row, err);
}

static bool check_documents(checker *c, const ds__env *env, ds_error *err) {
    ds__scan *scan = NULL;
    ds__scan_row row = {0};
    ds_next next = DS_NEXT_ERROR;
    bool ok = ds__scan_rows(c->txn, c->coll->id, false, &scan, err);
    while (ok && (next = ds__scan_next(scan, &row, err)) != DS_NEXT_END) {
        if (next == DS_NEXT_ERROR && err->code == DS_DATA_CORRUPTION_DETECTED) {
            c->check->records++; /* the pages are whole: it is this document's checksum */
            c->check->invalid++;
            note(c, "record id %lld: the stored document is damaged", (long long)row.rid);
            *err = (ds_error){0};
            continue;
        }
        ok = next == DS_NEXT_ROW && check_document(c, &row, err) && ds__env_check(env, err);
    }
    ds__scan_close(scan);
    return ok && next == DS_NEXT_END;
}

static bool check_indexes(checker *c, ds_error *err) {
    static const ds__interval all = {0};
    for (size_t i = 0; i < c->coll->index_count && i < DS_MAX_INDEXES; i++) {
        const ds__index *index = &c->coll->indexes[i];
        if (!ds__scan_count(c->txn, ds__coll_keys(c->coll, index), &all, 1, &c->check->keys[i],
                            err)) {
            return false;
        }
        if (c->check->keys[i] != c->expected[i] && c->check->invalid == 0) {
            c->check->index_valid[i] = false;
            note(c, "index %s has %lld entries, expected %lld", index->name,
                 (long long)c->check->keys[i], (long long)c->expected[i]);
        }
    }
    return true;
}

/* Damage that ends a read is a finding like others. */
static bool go_on(checker *c, ds_error *err) {
    if (err->code != DS_DATA_CORRUPTION_DETECTED || ds__txn_is_broken(c->txn)) {
        return false;
    }
    note(c, "%s", err->message);
    *err = (ds_error){0};
    return true;
}

static void note_page(void *ctx, const char *text) {
    note(ctx, "%s", text);
}

static bool check_pages(checker *c, ds__table_kind kind, int64_t id, ds_error *err) {
    return ds__table_check(c->txn, kind, id, note_page, c, err) || go_on(c, err);
}

/* The last row of the table against the rows. */
static bool check_tail(checker *c, ds_error *err) {
    int64_t documents;
    int64_t bytes;
    int64_t next;
    if (!ds__record_counts(c->txn, c->coll, &documents, &bytes, err) ||
        !ds__table_next(c->txn, c->coll->id, &next, err)) {
        return false;
    }
    if (c->check->error_count > 0) {
        return true; /* what is wrong with the documents is told */
    }
    if (documents != c->check->records) {
        note(c, "%lld documents are counted, %lld are there", (long long)documents,
             (long long)c->check->records);
    } else if (bytes != c->bytes) {
        note(c, "%lld bytes of documents are counted, %lld are there", (long long)bytes,
             (long long)c->bytes);
    }
    if (next <= c->last_rid) {
        note(c, "the next record id would be %lld, but %lld is there", (long long)next,
             (long long)c->last_rid);
    }
    return true;
}

bool ds__check_collection(ds__txn *txn, const ds__coll *coll, const ds__env *env, ds__check *check,
                          ds_error *err) {
    checker c = {.txn = txn, .coll = coll, .check = check};
    memset(check->index_valid, true, sizeof check->index_valid);
    bool ok = check_pages(&c, DS_TABLE_ROWS, coll->id, err);
    for (size_t i = 0; ok && i < coll->index_count; i++) {
        ok = check_pages(&c, DS_TABLE_KEYS, coll->indexes[i].id, err);
    }
    if (ok && c.check->error_count == 0) {
        ok = (check_documents(&c, env, err) && check_indexes(&c, err) && check_tail(&c, err)) ||
             go_on(&c, err);
    }
    if (ok && check->error_count > 0) {
        size_t root = ds__doc_begin(&check->errors);
        ds_buf_add(&check->errors, c.list.data, c.list.size);
        ds__doc_end(&check->errors, root);
        ok = ds_buf_ok(&c.list, err) && ds_buf_ok(&check->errors, err);
    }
    ds_buf_clear(&c.list);
    ds__index_keys_clear(&c.keys);
    return ok;
}

void ds__check_clear(ds__check *check) {
    ds_buf_clear(&check->errors);
}
