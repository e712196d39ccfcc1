/* SPDX-License-Identifier: Apache-2.0 */
/* What exists: databases, collections, views, their options and indexes. A transaction sees one
 * catalog, shared between transactions until somebody changes it; changes go through change.h and
 * are seen by the transaction that makes them. Collections never change: a change makes a new one,
 * and two versions of the catalog share those that are the same in both. */
#ifndef DS_ENGINE_CATALOG_CATALOG_H
#define DS_ENGINE_CATALOG_CATALOG_H

#include "engine/index/index.h"
#include "engine/store/rows.h"

typedef enum ds__validation_level {
    DS_VALIDATE_OFF,
    DS_VALIDATE_MODERATE, /* documents that did not match before may stay so */
    DS_VALIDATE_STRICT
} ds__validation_level;

/* A collection or a view. Lifetime: of the catalogs that have it (see ds__txn_catalog). */
typedef struct ds__coll {
    int64_t id; /* its table is c<id>; views have none */
    const char *db;
    const char *name;
    const char *ns;   /* "db.name" */
    uint8_t uuid[16]; /* zero for views */
    ds_value options; /* as listCollections prints them */
    bool is_view;
    const char *view_on; /* views: collection or view of the same database */
    ds_value pipeline;   /* views: array of stages */
    bool capped;
    int64_t capped_size; /* bytes */
    int64_t capped_max;  /* documents; 0: no limit */
    ds_value validator;  /* DS_MISSING: none */
    ds__validation_level validation_level;
    bool validation_warns; /* validationAction: "warn" */
    ds__index *indexes;    /* in order of creation; the first is _id */
    size_t index_count;
} ds__coll;

typedef struct ds__catalog ds__catalog;

/* The catalog's place among the rooms of a store, and what it is told of transactions. */
enum { DS_CATALOG_ROOM = 0 };
extern const ds__txn_hooks ds__catalog_hooks;

/* The catalog of a transaction. Lifetime: until the transaction changes it. What is found in it
 * lives until the transaction ends, out of date after a change (look again then). */
const ds__catalog *ds__txn_catalog(ds__txn *txn);

/* The catalog of the last snapshot on the connection of a lone read (store.h), NULL: none is known.
 * After reading a row: whether it is the catalog of what was read, too. `held`: the row is there
 * and not let go of. */
const ds__catalog *ds__catalog_seen(ds__txn *txn);
bool ds__catalog_is_seen(ds__txn *txn, bool held);

/* Keeps a catalog beyond its transaction (a paused cursor needs its collection). Thread-safe. */
ds__catalog *ds__catalog_ref(const ds__catalog *catalog);
void ds__catalog_unref(ds__catalog *catalog);

/* What a room above keeps beside a collection, for as long as its definition and indexes stay as
 * they are. Threads: any. */
typedef struct ds__catalog_guest ds__catalog_guest;
struct ds__catalog_guest {
    void (*free)(ds__catalog_guest *self);
};
/* NULL when there is none. */
ds__catalog_guest *ds__coll_guest_get(const ds__coll *coll);
/* Gives a collection its guest, unless somebody was sooner; returns who stands there now. */
ds__catalog_guest *ds__coll_guest_set(const ds__coll *coll, ds__catalog_guest *guest);

/* NULL when there is none. */
const ds__coll *ds__catalog_find(const ds__catalog *catalog, const char *db, size_t db_size,
                                 const char *name, size_t name_size);
const ds__coll *ds__catalog_find_id(const ds__catalog *catalog, int64_t id);
const ds__index *ds__coll_find_index(const ds__coll *coll, const char *name, size_t name_size);
static inline const ds__index *ds__coll_id_index(const ds__coll *coll) {
    return coll->indexes;
}
/* Where an index of the collection keeps its keys. */
static inline ds__key_table ds__coll_keys(const ds__coll *coll, const ds__index *index) {
    return (ds__key_table){.id = index->id, .rows = coll->id, .unique = index->unique};
}

/* Iterates all collections and views, ordered by database, then name: *at starts at 0; NULL at the
 * end. */
const ds__coll *ds__catalog_each(const ds__catalog *catalog, size_t *at);

/* How a wanted index stands to those there are. */
typedef enum ds__index_match { DS_INDEX_NEW, DS_INDEX_EXISTS } ds__index_match;
/* Whether a normalised spec is among a collection's indexes. Errors: IndexOptionsConflict (85),
 * IndexKeySpecsConflict (86). */
bool ds__coll_match_index(const ds__coll *coll, ds_value spec, ds__index_match *out, ds_error *err);

/* Whether a name may be used: "db.coll" rules of mongod. Errors: InvalidNamespace (73). `system.`
 * collections are allowed only when `allow_system`. */
bool ds__catalog_check_db_name(const char *db, size_t size, ds_error *err);
bool ds__catalog_check_coll_name(const char *db, const char *name, size_t size, ds_error *err);

#endif
