/* SPDX-License-Identifier: Apache-2.0 */
/* Finds expired documents through the TTL index itself: the dates before now less the index's
 * seconds are one interval of its keys. */
#include "engine/ttl.h"

#include "base/clock.h"
#include "bson/key.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

enum { EVERY_MS = 5000, MOST_AT_ONCE = 2000, WAIT_MS = 20 };

/* The rids of expired documents, at most `max`; returns how many. */
static size_t find_expired(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                           int64_t *rids, size_t max) {
    ds_error err = {0};
    ds_buf lo = {0};
    ds_buf hi = {0};
    ds__scan *scan = NULL;
    size_t count = 0;
    bool down = index->parts[0].descending;
    int64_t until = ds__clock_now_ms() - index->expire_after * 1000;
    ds__key_add_rank(&lo, ds__type_rank(DS_DATE), down, down);
    ds__key_add(&hi, ds__date(until), down, NULL);
    const ds_buf *first = down ? &hi : &lo;
    const ds_buf *last = down ? &lo : &hi;
    ds__interval in = {first->data, last->data, first->size, last->size, true, true};
    if (!lo.failed && !hi.failed &&
        ds__scan_keys(txn, ds__coll_keys(coll, index), &in, 1, false, false, &scan, &err)) {
        ds__scan_row row;
        while (count < max && ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
            rids[count++] = row.rid;
        }
        ds__scan_close(scan);
    }
    ds_buf_clear(&lo);
    ds_buf_clear(&hi);
    return count;
}

static bool is_ttl(const ds__index *index) {
    return index->expire_after >= 0 && index->part_count == 1 && !index->is_id &&
           index->kind == DS_INDEX_ORDERED;
}

static void delete_all(ds__txn *txn, const ds__coll *coll, const int64_t *rids, size_t count,
                       bool *ok) {
    ds_error err = {0};
    for (size_t i = 0; *ok && i < count; i++) {
        ds_value doc;
        *ok = ds__record_get(txn, coll, rids[i], &doc, &err) &&
              (doc.type == DS_MISSING || ds__record_delete(txn, coll, rids[i], doc, &err));
    }
}

static void sweep(ds_engine *engine, int64_t deadline_ms) {
    ds_error err = {0};
    ds__txn *txn = NULL;
    int64_t rids[MOST_AT_ONCE];
    size_t at = 0;
    bool ok = true;
    const ds__wait wait = {.deadline_ms = deadline_ms};
    if (!ds__txn_begin(engine->store, DS_TXN_WRITE, &wait, &txn, &err)) {
        return;
    }
    const ds__coll *coll;
    while (ok && (coll = ds__catalog_each(ds__txn_catalog(txn), &at))) {
        for (size_t i = 0; ok && i < coll->index_count; i++) {
            if (is_ttl(&coll->indexes[i])) {
                size_t n = find_expired(txn, coll, &coll->indexes[i], rids, MOST_AT_ONCE);
                delete_all(txn, coll, rids, n, &ok);
            }
        }
    }
    if (ok) {
        ds__txn_commit(txn, false, &err);
    } else {
        ds__txn_abort(txn);
    }
}

/* Whether anything has expired: asked in a transaction that only reads. */
static bool anything(ds_engine *engine) {
    ds_error err = {0};
    ds__txn *txn = NULL;
    size_t at = 0;
    int64_t rid;
    bool found = false;
    const ds__coll *coll;
    if (!ds__txn_begin(engine->store, DS_TXN_READ, NULL, &txn, &err)) {
        return false;
    }
    while (!found && (coll = ds__catalog_each(ds__txn_catalog(txn), &at))) {
        for (size_t i = 0; !found && i < coll->index_count; i++) {
            found = is_ttl(&coll->indexes[i]) &&
                    find_expired(txn, coll, &coll->indexes[i], &rid, 1) > 0;
        }
    }
    ds__txn_abort(txn);
    return found;
}

void ds__ttl_tick(ds_engine *engine) {
    int64_t now = ds__clock_now_ms();
    int64_t last = __atomic_load_n(&engine->ttl_checked_ms, __ATOMIC_RELAXED);
    if (now - last < EVERY_MS || ds__store_read_only(engine->store) ||
        !__atomic_compare_exchange_n(&engine->ttl_checked_ms, &last, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
        return;
    }
    if (anything(engine)) {
        sweep(engine, ds__clock_mono_us() / 1000 + WAIT_MS);
    }
}
