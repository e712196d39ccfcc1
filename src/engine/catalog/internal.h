/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the catalog: its memory, its versions and how rows become collections and indexes. */
#ifndef DS_ENGINE_CATALOG_INTERNAL_H
#define DS_ENGINE_CATALOG_INTERNAL_H

#include "engine/catalog/catalog.h"
#include "engine/store/internal.h"

/* What was current before in this transaction. */
typedef struct ds__old_catalog ds__old_catalog;
struct ds__old_catalog {
    ds__catalog *catalog; /* or */
    ds__coll *coll;
    ds__old_catalog *next;
};

/* The catalog's part of a transaction. */
typedef struct ds__catalog_txn {
    /* owned */
    ds__catalog *catalog;
    ds__old_catalog *old;
    ds__catalog *seen; /* the one of the last snapshot on the connection; kept between */
    /* plain */
    uint32_t changes; /* SQLite's count of changes at that snapshot; kept between */
    int64_t version;  /* of the catalog's tables, after a change */
    bool changed;
} ds__catalog_txn;

static inline ds__catalog_txn *ds__catalog_of(const ds__txn *txn) {
    return ds__txn_room(txn, DS_CATALOG_ROOM);
}

/* Reads a collection anew after it was made, changed or dropped. What was found before is kept
 * until the transaction's end. */
bool ds__catalog_reload(ds__txn *txn, int64_t coll, ds_error *err);

/* Changed only while nobody else holds it. */
struct ds__catalog {
    /* owned */
    ds__coll **colls; /* references; ordered by database, then name */
    ds__coll **by_id; /* the same ordered by id */
    /* plain */
    size_t count;
    size_t cap; /* of both */
    int64_t version;
    int refs; /* atomic */
};

/* Makes room for one more collection. */
bool ds__catalog_reserve(ds__catalog *catalog, ds_error *err);
/* Orders `colls`. */
void ds__catalog_sort(ds__catalog *catalog);
/* Puts a collection (owned from then on; NULL: none) in the place of the one with the id; there is
 * room. Returns what stood there, the caller's now. */
ds__coll *ds__catalog_put(ds__catalog *catalog, int64_t id, ds__coll *coll);

/* entry.c. Threads: any. */
ds__coll *ds__coll_ref(const ds__coll *coll);
void ds__coll_unref(const ds__coll *coll);
/* From a row of ds_coll; its indexes are to be added. NULL with an error. */
ds__coll *ds__coll_read(sqlite3_stmt *raw, ds_error *err);
/* Adds an index from a row of ds_index. `*cap` starts at 0. */
bool ds__coll_read_index(ds__coll *coll, sqlite3_stmt *raw, size_t *cap, ds_error *err);
/* Whether both are of the same rows. */
bool ds__coll_same(const ds__coll *a, const ds__coll *b);

/* The versions of which the tables tell what changed. */
enum { DS_CATALOG_CHANGES = 64 };
/* SQL that makes what tells of it, where it is not. */
extern const char ds__catalog_changes_schema[];

#endif
