/* SPDX-License-Identifier: Apache-2.0 */
/* The upkeep of indexes with a document's change. A unique index refuses by its table's key, so the
 * common case needs no look-up first; the rare refusal is undone by hand, entry by entry, which
 * spares every document a savepoint. */
#include "engine/records/build.h"
#include "engine/records/internal.h"

/* Inserts or deletes the first `count` keys, skipping those `except` has too (both sorted), and
 * closes the writer. `*at` is how far it came. */
static ds__put change_keys(ds__key_writer *writer, const ds__index_keys *keys, size_t count,
                           const ds__index_keys *except, int64_t rid, size_t *at, ds_error *err) {
    size_t other = 0;
    ds__put result = DS_PUT_OK;
    for (*at = 0; *at < count; (*at)++) {
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
        result = ds__keys_next(writer, key, size, rid, err);
        if (result != DS_PUT_OK) {
            break;
        }
    }
    ds__keys_close(writer);
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
        return true;
    }
    return ds__index_extract(index, doc, ds__txn_meter(txn), keys, err);
}

static ds__put insert_keys(ds__txn *txn, ds__key_table table, const ds__index_keys *keys,
                           size_t count, const ds__index_keys *except, int64_t rid, size_t *at,
                           ds_error *err) {
    ds__key_writer writer;
    return ds__keys_insert(&writer, txn, table, err)
               ? change_keys(&writer, keys, count, except, rid, at, err)
               : DS_PUT_FAILED;
}

static bool delete_keys(ds__txn *txn, ds__key_table table, const ds__index_keys *keys, size_t count,
                        const ds__index_keys *except, int64_t rid, ds_error *err) {
    size_t at;
    ds__key_writer writer;
    return ds__keys_delete(&writer, txn, table, err) &&
           change_keys(&writer, keys, count, except, rid, &at, err) == DS_PUT_OK;
}

/* Changes one index from the keys of w->before to those of w->after. When it fails the index is as
 * before, or the transaction is broken. */
static bool change_index(ds__txn *txn, const ds__index *index, const ds__change *w, ds_error *err) {
    ds__index_keys *before = &ds__records_of(txn)->keys[0];
    ds__index_keys *after = &ds__records_of(txn)->keys[1];
    const ds__key_table table = ds__coll_keys(w->coll, index);
    before->count = after->count = 0;
    if ((w->before.type == DS_DOCUMENT && !extract(txn, index, w->before, before, err)) ||
        (w->after.type == DS_DOCUMENT && (!extract(txn, index, w->after, after, err) ||
                                          !ds__index_note_seen(txn, w->coll, index, after, err)))) {
        return false;
    }
    if (before->count > 0 && !delete_keys(txn, table, before, before->count, after, w->rid, err)) {
        return ds__txn_break(txn);
    }
    if (after->count == 0) {
        return true;
    }
    size_t at = 0;
    size_t undone;
    ds__put put = insert_keys(txn, table, after, after->count, before, w->rid, &at, err);
    if (put == DS_PUT_DUPLICATE) {
        ds_error why = {0};
        ds__index_duplicate(txn, w->coll, index, w->after, ds__index_key_bytes(after, at),
                            after->keys[at].size, err);
        if (!delete_keys(txn, table, after, at, before, w->rid, &why) ||
            insert_keys(txn, table, before, before->count, after, w->rid, &undone, &why) !=
                DS_PUT_OK) {
            *err = why;
            ds__txn_break(txn);
        }
        return false;
    }
    return put == DS_PUT_OK || ds__txn_break(txn);
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

/* The index on _id is left out of a replace: it cannot change. */
bool ds__keys_change(ds__txn *txn, const ds__change *w, ds_error *err) {
    const bool both = w->before.type == DS_DOCUMENT && w->after.type == DS_DOCUMENT;
    const ds__change undo = {w->coll, w->rid, w->after, w->before};
    for (size_t i = both ? 1 : 0; i < w->coll->index_count; i++) {
        const ds__index *index = &w->coll->indexes[i];
        if ((both && same_fields(index, w->before, w->after)) || change_index(txn, index, w, err)) {
            continue;
        }
        ds_error why = {0};
        while (!ds__txn_is_broken(txn) && i-- > (both ? 1 : 0)) {
            if (!change_index(txn, &w->coll->indexes[i], &undo, &why)) {
                *err = why;
                ds__txn_break(txn);
            }
        }
        return false;
    }
    return true;
}
