/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of a collection, and the one function through which each of them is written. */
#include "engine/records/records.h"

#include "bson/key.h"
#include "engine/records/internal.h"

static bool writable(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    ds_buf_reset(ds__txn_details(txn));
    if (ds__txn_is_write(txn) && !coll->is_view) {
        return true;
    }
    return ds__error_set(err, DS_INTERNAL_ERROR, "%s cannot be written in this transaction",
                         coll->ns);
}

/* A row is inserted before its keys, which need its number, and changed after them: a refused key
 * then leaves nothing to undo but the insert. */
static bool write_keys(ds__txn *txn, const ds__change *w, ds_error *err) {
    const bool inserts = w->before.type != DS_DOCUMENT;
    if (ds__keys_change(txn, w, err)) {
        return true;
    }
    if (inserts && !ds__txn_is_broken(txn) && !ds__row_delete(txn, w->coll->id, w->rid, err)) {
        ds__txn_break(txn);
    }
    return false;
}

/* Every insert, replace and delete: validation, the row, its keys, and what follows from them
 * (observe.h). The number of an inserted row is found in `w`. */
static bool write_record(ds__txn *txn, ds__change *w, const ds__record_options *options,
                         ds_error *err) {
    const int64_t rows = w->coll->id;
    const bool was = w->before.type == DS_DOCUMENT;
    const bool is = w->after.type == DS_DOCUMENT;
    const bool validated = is && !(options && options->bypass_validation);
    ds_assert(was || is);
    if (!writable(txn, w->coll, err) || (validated && !ds__validate(txn, w, err)) ||
        (!was && !ds__row_insert(txn, rows, w->after, &w->rid, err)) || !write_keys(txn, w, err)) {
        return false;
    }
    if (was && !(is ? ds__row_replace(txn, rows, w->rid, w->after, err)
                    : ds__row_delete(txn, rows, w->rid, err))) {
        return ds__txn_break(txn);
    }
    return ds__observe_change(txn, w, err);
}

bool ds__record_insert(ds__txn *txn, const ds__coll *coll, ds_value doc,
                       const ds__record_options *options, int64_t *rid, ds_error *err) {
    ds__change w = {.coll = coll, .before = ds__missing(), .after = doc};
    bool ok = write_record(txn, &w, options, err);
    if (ok && rid) {
        *rid = w.rid;
    }
    return ok;
}

bool ds__record_replace(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old, ds_value doc,
                        const ds__record_options *options, ds_error *err) {
    ds__change w = {.coll = coll, .rid = rid, .before = old, .after = doc};
    return write_record(txn, &w, options, err);
}

bool ds__record_delete(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value old,
                       ds_error *err) {
    ds__change w = {.coll = coll, .rid = rid, .before = old, .after = ds__missing()};
    return write_record(txn, &w, NULL, err);
}

bool ds__record_truncate(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    int64_t documents;
    int64_t bytes;
    ds__scan_detach_all(txn);
    if (!writable(txn, coll, err) || !ds__record_counts(txn, coll, &documents, &bytes, err) ||
        !ds__table_clear(txn, DS_TABLE_ROWS, coll->id, err)) {
        return false;
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!ds__table_clear(txn, DS_TABLE_KEYS, coll->indexes[i].id, err)) {
            return false;
        }
    }
    return ds__observe_clear(txn, coll, documents, bytes, err);
}

bool ds__record_get(ds__txn *txn, const ds__coll *coll, int64_t rid, ds_value *doc, ds_error *err) {
    return ds__row_get(txn, coll->id, rid, doc, err);
}

bool ds__record_get_by_id(ds__txn *txn, const ds__coll *coll, ds_value id, int64_t *rid,
                          ds_value *doc, ds_error *err) {
    ds_buf *key = &ds__records_of(txn)->keys[0].bytes;
    *doc = ds__missing();
    ds_buf_reset(key);
    ds__key_add(key, id, false, NULL);
    return ds_buf_ok(key, err) && ds__row_find(txn, ds__coll_keys(coll, ds__coll_id_index(coll)),
                                               key->data, key->size, rid, doc, err);
}
