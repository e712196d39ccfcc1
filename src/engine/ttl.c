/* SPDX-License-Identifier: Apache-2.0 */
/* Finds expired documents through the TTL index itself: the dates before now less the index's
 * seconds are one interval of its keys. */
#include "engine/ttl.h"

#include <unistd.h>

#include "base/clock.h"
#include "bson/key.h"
#include "engine/reaper.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

enum {
    LOOK_MS = 5000,   /* between looks whether the thread is needed */
    TURN_MS = 1000,   /* between turns of all processes */
    BATCH = 1000,     /* documents, */
    BATCH_US = 10000, /* or so long: others wait to write meanwhile, */
    PAUSE_US = 500,   /* and have their turn between two */
    WAIT_MS = 5000
};

/* The index of a turn. */
typedef struct target {
    int64_t coll;
    int64_t index;
} target;

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
           index->kind->ordered;
}

/* The next TTL index after *at of *coll, in the order of the catalog. Both start at nothing. */
static const ds__index *next_ttl(const ds__catalog *catalog, const ds__coll **coll, size_t *each,
                                 size_t *at) {
    for (;;) {
        while (*coll && *at < (*coll)->index_count) {
            const ds__index *index = &(*coll)->indexes[(*at)++];
            if (is_ttl(index)) {
                return index;
            }
        }
        *at = 0;
        if (!(*coll = ds__catalog_each(catalog, each))) {
            return NULL;
        }
    }
}

/* The indexes that have something expired, in `expired`; whether there are any at all. */
static bool look(ds_engine *engine, ds_buf *expired) {
    ds_error err = {0};
    ds__txn *txn = NULL;
    const ds__coll *coll = NULL;
    const ds__index *index;
    size_t each = 0;
    size_t at = 0;
    bool any = false;
    if (!ds__txn_begin(engine->store, DS_TXN_READ, NULL, &txn, &err)) {
        return false;
    }
    while ((index = next_ttl(ds__txn_catalog(txn), &coll, &each, &at))) {
        int64_t rid;
        any = true;
        if (!expired) {
            break;
        }
        if (find_expired(txn, coll, index, &rid, 1) > 0) {
            target found = {coll->id, index->id};
            ds_buf_add(expired, &found, sizeof found);
        }
    }
    if (expired && (expired->failed || (expired->size > 0 && !ds__txn_claim(txn, TURN_MS)))) {
        ds_buf_reset(expired);
    }
    ds__txn_abort(txn);
    return any;
}

static const ds__index *find_index(const ds__coll *coll, int64_t id) {
    for (size_t i = 0; coll && i < coll->index_count; i++) {
        if (coll->indexes[i].id == id && is_ttl(&coll->indexes[i])) {
            return &coll->indexes[i];
        }
    }
    return NULL;
}

/* Deletes for a moment; whether there is more to do. */
static bool delete_some(ds__txn *txn, const ds__coll *coll, const ds__index *index, bool *ok) {
    const int64_t until = ds__clock_mono_us() + BATCH_US;
    int64_t rids[BATCH];
    ds_error err = {0};
    size_t done = 0;
    const size_t count = find_expired(txn, coll, index, rids, BATCH);
    while (*ok && done < count && ds__clock_mono_us() < until) {
        ds_value doc;
        *ok = ds__record_get(txn, coll, rids[done], &doc, &err) &&
              (doc.type == DS_MISSING || ds__record_delete(txn, coll, rids[done], doc, &err));
        done++;
    }
    return *ok && (done < count || count == BATCH);
}

/* The store is being closed. */
static bool go_on(void *stop, ds_error *err) {
    return !__atomic_load_n((const bool *)stop, __ATOMIC_RELAXED) ||
           ds__error_set(err, DS_INTERRUPTED_AT_SHUTDOWN, "the store is being closed");
}

static bool run_batch(ds_engine *engine, const target *what, const bool *stop) {
    ds_error err = {0};
    ds__txn *txn = NULL;
    const ds__wait wait = {.deadline_ms = ds__clock_mono_us() / 1000 + WAIT_MS,
                           .interrupt = go_on,
                           .ctx = (void *)(uintptr_t)stop};
    if (!ds__txn_begin(engine->store, DS_TXN_WRITE, &wait, &txn, &err)) {
        return false;
    }
    ds__txn_claim(txn, 0);
    const ds__coll *coll = ds__catalog_find_id(ds__txn_catalog(txn), what->coll);
    const ds__index *index = find_index(coll, what->index);
    bool ok = index != NULL;
    const bool more = ok && delete_some(txn, coll, index, &ok);
    if (!ok) {
        ds__txn_abort(txn);
        return false;
    }
    return ds__txn_commit(txn, false, &err) && more;
}

bool ds__ttl_turn(ds_engine *engine, const bool *stop) {
    ds_buf expired = {0};
    target what;
    if (ds__store_read_only(engine->store)) {
        return false;
    }
    uint32_t begun = ds__fork_enter();
    const bool any = look(engine, &expired);
    ds__fork_exit(begun);
    for (size_t at = 0; at < expired.size; at += sizeof what) {
        memcpy(&what, expired.data + at, sizeof what);
        bool more = true;
        while (more && !__atomic_load_n(stop, __ATOMIC_RELAXED)) {
            begun = ds__fork_enter();
            more = run_batch(engine, &what, stop);
            ds__fork_exit(begun);
            usleep(PAUSE_US);
        }
    }
    ds_buf_clear(&expired);
    return any;
}

void ds__ttl_tick(ds_engine *engine, const ds__op *op) {
    if (op && op->row && (op->row->flags & DS_CMD_WRITE)) {
        __atomic_store_n(&engine->ttl_checked_ms, 0, __ATOMIC_RELAXED);
    }
    if (op && op->multi_statement && strcmp(op->row->name, "commitTransaction") != 0) {
        return;
    }
    const int64_t now = ds__clock_now_ms();
    int64_t last = __atomic_load_n(&engine->ttl_checked_ms, __ATOMIC_RELAXED);
    if ((last && (now - last < LOOK_MS || ds__reaper_runs(engine->reaper))) ||
        ds__store_read_only(engine->store) ||
        !__atomic_compare_exchange_n(&engine->ttl_checked_ms, &last, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
        return;
    }
    if (look(engine, NULL)) {
        ds__reaper_need(engine);
    }
}
