/* SPDX-License-Identifier: Apache-2.0 */
/* The store as the rooms above want it: with a catalog and with records. */
#include "base/mem.h"
#include "engine/records/internal.h"
#include "engine/records/records.h"

/* A connection keeps no more memory than this from a document it wrote. */
enum { KEEP_BYTES = 1024 * 1024 };

static bool back(ds__txn *txn, void *mark, ds_error *err) {
    (void)err;
    ds__counts_back(txn, mark);
    return true;
}

static void forget(void *mark) {
    ds__free(mark);
}

static void end(ds__txn *txn, bool committed) {
    (void)committed;
    ds__records_txn *own = ds__records_of(txn);
    ds__txn_filters_clear(txn);
    own->delta_count = 0;
    for (size_t i = 0; i < sizeof own->keys / sizeof *own->keys; i++) {
        if (own->keys[i].bytes.cap > KEEP_BYTES) {
            ds__index_keys_clear(&own->keys[i]);
        }
    }
}

static void free_state(void *state) {
    ds__records_txn *own = state;
    ds_arena_clear(&own->filter_arena);
    ds__index_keys_clear(&own->keys[0]);
    ds__index_keys_clear(&own->keys[1]);
    ds__free(own->deltas);
}

static const ds__txn_hooks hooks = {.size = sizeof(ds__records_txn),
                                    .mark = ds__counts_mark,
                                    .back = back,
                                    .forget = forget,
                                    .commit = ds__counts_write,
                                    .end = end,
                                    .free = free_state};

static const ds__txn_hooks *const rooms[] = {
    [DS_CATALOG_ROOM] = &ds__catalog_hooks, [DS_RECORDS_ROOM] = &hooks};

ds__store *ds__records_open(const char *path, const ds__store_options *options, ds_error *err) {
    return ds__store_open(path, options, rooms, sizeof rooms / sizeof *rooms, err);
}
