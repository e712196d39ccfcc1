/* SPDX-License-Identifier: Apache-2.0 */
/* Finds expired documents through the TTL index itself: the dates before now less the index's
 * seconds are one interval of its keys. */
#include "engine/records/expire.h"

#include "base/clock.h"
#include "bson/key.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

enum { BATCH = 1000 };

bool ds__expires(const ds__index *index) {
    return index->expire_after >= 0 && index->part_count == 1 && !index->is_id &&
           index->kind->ordered;
}

/* The rids of expired documents, at most `max`. */
static bool find(ds__txn *txn, const ds__coll *coll, const ds__index *index, int64_t *rids,
                 size_t max, size_t *count, ds_error *err) {
    ds_buf lo = {0};
    ds_buf hi = {0};
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds_next next = DS_NEXT_ROW;
    const bool down = index->parts[0].descending;
    const int64_t until = ds__clock_now_ms() - index->expire_after * 1000;
    ds__key_add_rank(&lo, ds__type_rank(DS_DATE), down, down);
    ds__key_add(&hi, ds__date(until), down, NULL);
    const ds_buf *first = down ? &hi : &lo;
    const ds_buf *last = down ? &lo : &hi;
    ds__interval in = {first->data, last->data, first->size, last->size, true, true};
    bool ok = ds_buf_ok(&lo, err) && ds_buf_ok(&hi, err) &&
              ds__scan_keys(txn, ds__coll_keys(coll, index), &in, 1, false, false, &scan, err);
    *count = 0;
    while (ok && *count < max && (next = ds__scan_next(scan, &row, err)) == DS_NEXT_ROW) {
        rids[(*count)++] = row.rid;
    }
    ds__scan_close(scan);
    ds_buf_clear(&lo);
    ds_buf_clear(&hi);
    return ok && next != DS_NEXT_ERROR;
}

bool ds__expired_any(ds__txn *txn, const ds__coll *coll, const ds__index *index, bool *any,
                     ds_error *err) {
    int64_t rid;
    size_t count;
    bool ok = find(txn, coll, index, &rid, 1, &count, err);
    *any = ok && count > 0;
    return ok;
}

bool ds__expired_delete(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                        int64_t until_us, bool *more, ds_error *err) {
    int64_t rids[BATCH];
    ds_buf old = {0}; /* a row's own bytes end with it */
    size_t count;
    size_t done = 0;
    bool ok = find(txn, coll, index, rids, BATCH, &count, err);
    while (ok && done < count && (done == 0 || ds__clock_mono_us() < until_us)) {
        ds_value doc;
        ok = ds__record_get(txn, coll, rids[done++], &doc, err);
        if (ok && doc.type == DS_DOCUMENT) {
            ds_buf_reset(&old);
            ds_buf_add(&old, doc.as.bytes, doc.size);
            ok = ds_buf_ok(&old, err) &&
                 ds__record_delete(txn, coll, rids[done - 1], ds__document(old.data), err);
        }
    }
    ds_buf_clear(&old);
    *more = ok && (done < count || count == BATCH);
    return ok;
}
