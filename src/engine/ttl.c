/* SPDX-License-Identifier: Apache-2.0 */
/* When expired documents are looked for, and in which turns they are deleted. */
#include "engine/ttl.h"

#include <unistd.h>

#include "base/clock.h"
#include "engine/reaper.h"
#include "engine/records/expire.h"

enum {
    LOOK_MS = 5000,   /* between looks whether the thread is needed */
    TURN_MS = 1000,   /* between turns of all processes */
    BATCH_US = 10000, /* so long is deleted at once: others wait to write meanwhile, */
    PAUSE_US = 500,   /* and have their turn between two */
    WAIT_MS = 5000
};

/* The index of a turn. */
typedef struct target {
    int64_t coll;
    int64_t index;
} target;

/* The next TTL index after *at of *coll, in the order of the catalog. Both start at nothing. */
static const ds__index *next_ttl(const ds__catalog *catalog, const ds__coll **coll, size_t *each,
                                 size_t *at) {
    for (;;) {
        while (*coll && *at < (*coll)->index_count) {
            const ds__index *index = &(*coll)->indexes[(*at)++];
            if (ds__expires(index)) {
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
        bool found_one;
        any = true;
        if (!expired) {
            break;
        }
        if (ds__expired_any(txn, coll, index, &found_one, &err) && found_one) {
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
        if (coll->indexes[i].id == id && ds__expires(&coll->indexes[i])) {
            return &coll->indexes[i];
        }
    }
    return NULL;
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
    const int64_t until = ds__clock_mono_us() + BATCH_US;
    bool more = false;
    if (!index || !ds__expired_delete(txn, coll, index, until, &more, &err)) {
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
    const int64_t now = ds__clock_mono_us() / 1000;
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
