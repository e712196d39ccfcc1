/* SPDX-License-Identifier: Apache-2.0 */
/* Capped collections: after each write the oldest documents go while there are too many. */
#include "engine/records/internal.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

static bool delete_oldest(ds__txn *txn, const ds__coll *coll, bool *found, ds_error *err) {
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds_buf old = {0};
    ds_next next = DS_NEXT_ERROR;
    if (ds__scan_rows(txn, coll->id, false, &scan, err)) {
        next = ds__scan_next(scan, &row, err);
    }
    *found = next == DS_NEXT_ROW;
    bool ok = next != DS_NEXT_ERROR;
    if (*found) {
        ds_buf_add(&old, row.doc.as.bytes, row.doc.size);
        ok = ds_buf_ok(&old, err) &&
             ds__record_delete(txn, coll, row.rid, ds__document(old.data), err);
    }
    ds__scan_close(scan);
    ds_buf_clear(&old);
    return ok;
}

bool ds__record_evict(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    bool found = true;
    while (found) {
        int64_t documents;
        int64_t bytes;
        if (!ds__record_counts(txn, coll, &documents, &bytes, err)) {
            return false;
        }
        if (documents <= 1 || (bytes <= coll->capped_size &&
                               (coll->capped_max == 0 || documents <= coll->capped_max))) {
            return true;
        }
        if (!delete_oldest(txn, coll, &found, err)) {
            return false;
        }
    }
    return true;
}

static bool wrote(ds__txn *txn, const ds__change *w, ds_error *err) {
    return !w->coll->capped || w->after.type != DS_DOCUMENT || ds__record_evict(txn, w->coll, err);
}

/* Fewer than before are not too many. */
static bool cleared(ds__txn *txn, const ds__coll *coll, int64_t documents, int64_t bytes,
                    ds_error *err) {
    (void)txn, (void)coll, (void)documents, (void)bytes, (void)err;
    return true;
}

const ds__observer ds__capped_observer = {.wrote = wrote, .cleared = cleared};
