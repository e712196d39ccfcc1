/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a new index: keys are gathered, sorted and appended in order, in rounds of bounded memory,
 * so that the index's pages are written one after the other. */
#include "engine/records/build.h"

#include "base/mem.h"
#include "bson/json.h"
#include "engine/catalog/change.h"
#include "engine/records/filters.h"
#include "engine/records/key_sort.h"
#include "engine/records/records.h"
#include "engine/store/rows.h"
#include "engine/store/scan.h"

/* Bytes of keys kept before they are sorted and written. */
enum { ROUND_BYTES = 64 * 1024 * 1024 };

enum { KEY_STEPS = 16, DOC_STEPS = 16 }; /* of the meter */

enum { TELL_EVERY = 1024 }; /* documents or keys: how far the build is */

typedef struct builder {
    ds_buf bytes;
    ds__built_key *keys;
    size_t count;
    size_t cap;
} builder;

bool ds__index_covers(ds__txn *txn, const ds__index *index, ds_value doc, bool *covers,
                      ds_error *err) {
    *covers = true;
    return index->partial.type != DS_DOCUMENT ||
           ds__txn_filter_match(txn, index->partial, doc, covers, err);
}

/* Whether the keys have something that the index has not had. */
static bool is_news(const ds__index *index, const ds__index_keys *keys) {
    for (size_t i = 0; i < index->part_count; i++) {
        const ds__index_part *part = &index->parts[i];
        if (((keys->multikey[i] & ~part->multikey) | (keys->seen[i] & ~part->seen)) != 0) {
            return true;
        }
    }
    return false;
}

bool ds__index_note_seen(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                         const ds__index_keys *keys, ds_error *err) {
    if (keys->count == 0 || !is_news(index, keys)) {
        return true;
    }
    /* the caller's catalog may be older than the transaction's */
    const ds__coll *now = ds__catalog_find_id(ds__txn_catalog(txn), coll->id);
    const ds__index *fresh =
        now ? ds__coll_find_index(now, index->name, strlen(index->name)) : NULL;
    if (!fresh) {
        return ds__error_set(err, DS_INTERNAL_ERROR, "index %s is gone", index->name);
    }
    return !is_news(fresh, keys) || ds__catalog_set_seen(txn, now, fresh, keys, err);
}

bool ds__index_duplicate(ds__txn *txn, const ds__coll *coll, const ds__index *index, ds_value doc,
                         const uint8_t *key, size_t key_size, ds_error *err) {
    ds_buf values = {0};
    ds_buf text = {0};
    bool ok = ds__index_key_values(index, doc, key, key_size, &values, err);
    if (ok) {
        ds_value v = ds__document(values.data);
        ds_buf *details = ds__txn_details(txn);
        ds_buf_reset(details);
        size_t root = ds__doc_begin(details);
        ds__write_value(details, "keyPattern", 10, index->key_pattern);
        ds__write_value(details, "keyValue", 8, v);
        ds__doc_end(details, root);
        ds__value_print(&text, v);
        ds__error_set(err, DS_DUPLICATE_KEY,
                      "E11000 duplicate key error collection: %s index: %s dup key: %.*s", coll->ns,
                      index->name, (int)text.size, (const char *)text.data);
    }
    ds_buf_clear(&values);
    ds_buf_clear(&text);
    return false;
}

static bool add_keys(builder *b, const ds__index_keys *keys, int64_t rid, ds_error *err) {
    for (size_t i = 0; i < keys->count; i++) {
        if (b->count == b->cap) {
            size_t cap = b->cap ? b->cap * 2 : 1024;
            ds__built_key *grown = ds__realloc(b->keys, cap * sizeof *grown);
            if (!grown) {
                return ds__error_oom(err);
            }
            b->keys = grown;
            b->cap = cap;
        }
        const uint8_t *key = ds__index_key_bytes(keys, i);
        b->keys[b->count++] = (ds__built_key){.at = b->bytes.size,
                                              .rid = rid,
                                              .head = ds__built_key_head(key, keys->keys[i].size),
                                              .size = (uint32_t)keys->keys[i].size};
        ds_buf_add(&b->bytes, key, keys->keys[i].size);
    }
    return ds_buf_ok(&b->bytes, err);
}

static bool duplicate_of(ds__txn *txn, const ds__coll *coll, const ds__index *index, int64_t rid,
                         const uint8_t *key, size_t size, ds_error *err) {
    ds_value doc;
    if (!ds__record_get(txn, coll, rid, &doc, err)) {
        return false;
    }
    return doc.type == DS_DOCUMENT ? ds__index_duplicate(txn, coll, index, doc, key, size, err)
                                   : ds__corrupt(err, "an index under construction");
}

static bool step(ds__txn *txn, const builder *b, size_t i, ds_error *err) {
    if (i % TELL_EVERY == 0) {
        ds__txn_progress(txn, "Index Build: inserting keys from external sorter into index",
                         (int64_t)i, (int64_t)b->count);
    }
    return ds_meter_step(ds__txn_meter(txn), KEY_STEPS + b->keys[i].size / DS_METER_STEP_BYTES,
                         err);
}

/* Whether a key was put; what a duplicate is told as. */
static bool was_put(ds__txn *txn, const ds__coll *coll, const ds__index *index, const builder *b,
                    size_t i, ds__put put, ds_error *err) {
    const ds__built_key *k = &b->keys[i];
    return put == DS_PUT_OK ||
           (put == DS_PUT_DUPLICATE &&
            duplicate_of(txn, coll, index, k->rid, b->bytes.data + k->at, k->size, err));
}

/* Writes the first `count` keys, a multiple of DS_KEYS_AT_ONCE. */
static bool write_many(ds__txn *txn, const ds__coll *coll, const ds__index *index, const builder *b,
                       size_t count, ds_error *err) {
    ds__key_writer writer;
    ds__key_entry entries[DS_KEYS_AT_ONCE];
    if (!ds__keys_insert_many(&writer, txn, ds__coll_keys(coll, index), err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i += DS_KEYS_AT_ONCE) {
        for (size_t j = 0; ok && j < DS_KEYS_AT_ONCE; j++) {
            const ds__built_key *k = &b->keys[i + j];
            entries[j] = (ds__key_entry){b->bytes.data + k->at, k->size, k->rid};
            ok = step(txn, b, i + j, err);
        }
        size_t at;
        if (ok) {
            ds__put put = ds__keys_next_many(&writer, entries, &at, err);
            ok = was_put(txn, coll, index, b, i + at, put, err);
        }
    }
    ds__keys_close(&writer);
    return ok;
}

/* Writes the keys from `first` on. */
static bool write_rest(ds__txn *txn, const ds__coll *coll, const ds__index *index, const builder *b,
                       size_t first, ds_error *err) {
    ds__key_writer writer;
    if (!ds__keys_insert(&writer, txn, ds__coll_keys(coll, index), err)) {
        return false;
    }
    bool ok = true;
    for (size_t i = first; ok && i < b->count; i++) {
        const ds__built_key *k = &b->keys[i];
        ok = step(txn, b, i, err) &&
             was_put(txn, coll, index, b, i,
                     ds__keys_next(&writer, b->bytes.data + k->at, k->size, k->rid, err), err);
    }
    ds__keys_close(&writer);
    return ok;
}

/* Sorts and writes what was gathered. */
static bool flush(ds__txn *txn, const ds__coll *coll, const ds__index *index, builder *b,
                  ds_error *err) {
    if (!ds__built_keys_sort(b->keys, b->count, b->bytes.data, ds__txn_meter(txn), err)) {
        return false;
    }
    const size_t many = b->count - b->count % DS_KEYS_AT_ONCE;
    bool ok =
        write_many(txn, coll, index, b, many, err) && write_rest(txn, coll, index, b, many, err);
    b->count = 0;
    ds_buf_reset(&b->bytes);
    return ok;
}

bool ds__index_build(ds__txn *txn, const ds__coll *coll, const ds__index *index, ds_error *err) {
    builder b = {0};
    ds__index_keys keys = {0};
    ds__index_keys seen = {0}; /* what all documents had; no keys */
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds_next next = DS_NEXT_ERROR;
    int64_t done = 0;
    int64_t total = 0;
    int64_t bytes;
    bool ok = ds__table_counts(txn, coll->id, &total, &bytes, err) &&
              ds__scan_rows(txn, coll->id, false, &scan, err);
    while (ok && (next = ds__scan_next(scan, &row, err)) == DS_NEXT_ROW) {
        bool covers;
        if (done++ % TELL_EVERY == 0) {
            ds__txn_progress(txn, "Index Build: scanning collection", done - 1, total);
        }
        ok = ds_meter_step(ds__txn_meter(txn), DOC_STEPS + row.doc.size / DS_METER_STEP_BYTES,
                           err) &&
             ds__index_covers(txn, index, row.doc, &covers, err);
        if (!ok || !covers) {
            continue;
        }
        ok = ds__index_extract(index, row.doc, ds__txn_meter(txn), &keys, err) &&
             add_keys(&b, &keys, row.rid, err);
        for (size_t i = 0; ok && keys.count > 0 && i < index->part_count; i++) {
            seen.multikey[i] |= keys.multikey[i];
            seen.seen[i] |= keys.seen[i];
            seen.count = 1;
        }
        if (ok && b.bytes.size + b.count * sizeof *b.keys > ROUND_BYTES) {
            ok = flush(txn, coll, index, &b, err);
        }
    }
    ok = ok && next == DS_NEXT_END;
    ds__scan_close(scan);
    ok =
        ok && flush(txn, coll, index, &b, err) && ds__index_note_seen(txn, coll, index, &seen, err);
    ds__txn_progress(txn, NULL, 0, 0);
    ds_buf_clear(&b.bytes);
    ds__free(b.keys);
    ds__index_keys_clear(&keys);
    return ok;
}
