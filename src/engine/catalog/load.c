/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the catalog. Every transaction reads one number, the version; who finds another than
 * it knows reads the collections that changed and shares the others with the version before. Which
 * ones changed is kept for the last versions only, and not by every program that writes the file:
 * where a version is not told of, all rows are read and compared. */
#include "base/limits.h"
#include "base/mem.h"
#include "engine/catalog/internal.h"

/* clang-format off */
#define CHANGES_SQL \
    "CREATE TABLE IF NOT EXISTS ds_change(slot INTEGER PRIMARY KEY, version INTEGER NOT NULL," \
    " coll INTEGER NOT NULL);" \
    "CREATE INDEX IF NOT EXISTS ds_index_coll ON ds_index(coll);"
/* clang-format on */

static const char schema[] =
    "CREATE TABLE ds_coll(id INTEGER PRIMARY KEY, db TEXT NOT NULL, name TEXT NOT NULL,"
    " uuid BLOB, options BLOB NOT NULL, UNIQUE(db, name));"
    "CREATE TABLE ds_index(id INTEGER PRIMARY KEY, coll INTEGER NOT NULL, spec BLOB NOT NULL,"
    " multikey BLOB);" CHANGES_SQL;

/* Files of before do not have what tells of changes. */
const char ds__catalog_changes_schema[] = CHANGES_SQL;

#define COLLS "SELECT id, db, name, uuid, options FROM ds_coll"
#define INDEXES "SELECT id, coll, spec, multikey FROM ds_index"

static int prepare(ds__txn *txn, const char *sql, sqlite3_stmt **raw) {
    *raw = NULL;
    return sqlite3_prepare_v2(txn->conn->db, sql, -1, raw, NULL);
}

/* Takes a collection's indexes from a statement whose last step gave `*rc`. */
static bool take_indexes(ds__txn *txn, ds__coll *coll, sqlite3_stmt *raw, int *rc, ds_error *err) {
    size_t cap = 0;
    bool ok = true;
    while (ok && *rc == SQLITE_ROW && sqlite3_column_int64(raw, 1) == coll->id) {
        ok = ds__coll_read_index(coll, raw, &cap, err);
        *rc = ok ? sqlite3_step(raw) : *rc;
    }
    return ok && (*rc == SQLITE_ROW || *rc == SQLITE_DONE || ds__txn_fail(txn, *rc, err));
}

/* Adds the collection of a row, which is shared with `base` (or NULL) where it is the same. */
static bool add_row(ds__txn *txn, const ds__catalog *base, ds__catalog *catalog, sqlite3_stmt *row,
                    sqlite3_stmt *indexes, int *rc, ds_error *err) {
    ds__coll *coll = ds__coll_read(row, err);
    if (!coll || !take_indexes(txn, coll, indexes, rc, err)) {
        ds__coll_unref(coll);
        return false;
    }
    const ds__coll *known = base ? ds__catalog_find_id(base, coll->id) : NULL;
    if (known && ds__coll_same(known, coll)) {
        ds__coll_unref(coll);
        coll = ds__coll_ref(known);
    }
    if (!ds__catalog_reserve(catalog, err)) {
        ds__coll_unref(coll);
        return false;
    }
    catalog->by_id[catalog->count] = catalog->colls[catalog->count] = coll;
    catalog->count++;
    return true;
}

static bool read_all(ds__txn *txn, const ds__catalog *base, ds__catalog *catalog, ds_error *err) {
    sqlite3_stmt *colls = NULL;
    sqlite3_stmt *indexes = NULL;
    int index_rc = SQLITE_DONE;
    bool ok = true;
    int rc = prepare(txn, COLLS " ORDER BY id", &colls);
    if (rc == SQLITE_OK) {
        rc = prepare(txn, INDEXES " ORDER BY coll, id", &indexes);
    }
    if (rc == SQLITE_OK) {
        index_rc = sqlite3_step(indexes);
        while (ok && (rc = sqlite3_step(colls)) == SQLITE_ROW) {
            ok = add_row(txn, base, catalog, colls, indexes, &index_rc, err);
        }
    }
    if (ok && (rc != SQLITE_DONE || (index_rc != SQLITE_DONE && index_rc != SQLITE_ROW))) {
        ok = ds__txn_fail(txn, rc != SQLITE_DONE ? rc : index_rc, err);
    }
    if (ok && index_rc == SQLITE_ROW) {
        ok = ds__corrupt(err, "the catalog (an index without collection)");
    }
    sqlite3_finalize(colls);
    sqlite3_finalize(indexes);
    return ok;
}

/* One collection; `*out` is NULL when there is none of that id. */
static bool read_one(ds__txn *txn, int64_t id, ds__coll **out, ds_error *err) {
    sqlite3_stmt *colls = NULL;
    sqlite3_stmt *indexes = NULL;
    ds__coll *coll = NULL;
    bool ok = true;
    *out = NULL;
    int rc = prepare(txn, COLLS " WHERE id=?1", &colls);
    if (rc == SQLITE_OK) {
        rc = prepare(txn, INDEXES " WHERE coll=?1 ORDER BY id", &indexes);
    }
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(colls, 1, id);
        sqlite3_bind_int64(indexes, 1, id);
        rc = sqlite3_step(colls);
    }
    if (rc == SQLITE_ROW) {
        int index_rc = sqlite3_step(indexes);
        coll = ds__coll_read(colls, err);
        ok = coll && take_indexes(txn, coll, indexes, &index_rc, err);
    } else if (rc != SQLITE_DONE) {
        ok = ds__txn_fail(txn, rc, err);
    }
    sqlite3_finalize(colls);
    sqlite3_finalize(indexes);
    if (ok) {
        *out = coll;
    } else {
        ds__coll_unref(coll);
    }
    return ok;
}

enum { CHANGES_UNKNOWN = -1, CHANGES_FAILED = -2 };

/* The collections that changed after version `from` up to `to`: how many, or one of the above. */
static int read_changes(ds__txn *txn, int64_t from, int64_t to, int64_t *ids, ds_error *err) {
    sqlite3_stmt *raw;
    int count = 0;
    if (from >= to || to - from > DS_CATALOG_CHANGES) {
        return CHANGES_UNKNOWN;
    }
    int rc = prepare(txn, "SELECT coll FROM ds_change WHERE version>?1 AND version<=?2", &raw);
    if (rc == SQLITE_ERROR) {
        return CHANGES_UNKNOWN; /* a file of before: without the table */
    }
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(raw, 1, from);
        sqlite3_bind_int64(raw, 2, to);
        while ((rc = sqlite3_step(raw)) == SQLITE_ROW && count < DS_CATALOG_CHANGES) {
            ids[count++] = sqlite3_column_int64(raw, 0);
        }
    }
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        ds__txn_fail(txn, rc, err);
        count = CHANGES_FAILED;
    } else if (count != to - from) {
        count = CHANGES_UNKNOWN; /* a program that does not tell changed something */
    }
    sqlite3_finalize(raw);
    return count;
}

/* A catalog nobody else holds, of nothing yet. */
static ds__catalog *new_catalog(int64_t version, ds_error *err) {
    ds__catalog *catalog = ds__alloc(sizeof *catalog);
    if (!catalog) {
        ds__error_oom(err);
        return NULL;
    }
    catalog->refs = 1;
    catalog->version = version;
    return catalog;
}

static ds__catalog *copy(const ds__catalog *base, ds_error *err) {
    ds__catalog *catalog = new_catalog(base->version, err);
    for (size_t i = 0; catalog && i < base->count; i++) {
        if (!ds__catalog_reserve(catalog, err)) {
            ds__catalog_unref(catalog);
            return NULL;
        }
        catalog->colls[i] = ds__coll_ref(base->colls[i]);
        catalog->by_id[i] = base->by_id[i];
        catalog->count++;
    }
    return catalog;
}

static ds__catalog *load_all(ds__txn *txn, const ds__catalog *base, int64_t version,
                             ds_error *err) {
    ds__catalog *catalog = new_catalog(version, err);
    if (catalog && !read_all(txn, base, catalog, err)) {
        ds__catalog_unref(catalog);
        return NULL;
    }
    if (catalog) {
        ds__catalog_sort(catalog);
    }
    return catalog;
}

/* The catalog of a version, by what is known of another one. */
static ds__catalog *load(ds__txn *txn, const ds__catalog *base, int64_t version, ds_error *err) {
    int64_t ids[DS_CATALOG_CHANGES];
    int count = base ? read_changes(txn, base->version, version, ids, err) : CHANGES_UNKNOWN;
    if (count < 0) {
        return count == CHANGES_UNKNOWN ? load_all(txn, base, version, err) : NULL;
    }
    ds__catalog *catalog = copy(base, err);
    for (int i = 0; catalog && i < count; i++) {
        ds__coll *coll;
        if (!ds__catalog_reserve(catalog, err) || !read_one(txn, ids[i], &coll, err)) {
            ds__catalog_unref(catalog);
            return NULL;
        }
        ds__coll_unref(ds__catalog_put(catalog, ids[i], coll));
    }
    if (catalog) {
        catalog->version = version;
    }
    return catalog;
}

static bool read_version(ds__txn *txn, int64_t *version, ds_error *err) {
    *version = 0;
    ds__stmt *stmt = ds__conn_take(txn->conn, DS_STMT_VERSION, 0, false, 0, err);
    if (!stmt) {
        return false;
    }
    int rc = sqlite3_step(stmt->raw);
    if (rc == SQLITE_ROW) {
        *version = sqlite3_column_int64(stmt->raw, 0);
    }
    bool ok = rc == SQLITE_ROW || (rc == SQLITE_DONE ? ds__corrupt(err, "the catalog's version")
                                                     : ds__txn_fail(txn, rc, err));
    ds__conn_give(txn->conn, stmt);
    return ok;
}

/* Makes a catalog of a committed state the one other transactions find first. */
static void publish(ds__store *store, ds__catalog *catalog) {
    ds__catalog *old = NULL;
    void **shared = ds__store_lock_shared(store, DS_CATALOG_ROOM);
    ds__catalog *current = *shared;
    if (!current || current->version < catalog->version) {
        old = current;
        *shared = ds__catalog_ref(catalog);
    }
    ds__store_unlock_shared(store);
    ds__catalog_unref(old);
}

/* What a lone read on the connection goes by. */
static void see(ds__txn *txn, ds__catalog_txn *own) {
    if (ds__conn_changes(txn->conn, &own->changes) && own->seen != own->catalog) {
        ds__catalog_unref(own->seen);
        own->seen = ds__catalog_ref(own->catalog);
    }
}

/* One that writes has its snapshot already, without a read. */
static bool is_as_seen(ds__txn *txn, const ds__catalog_txn *own) {
    uint32_t changes;
    return ds__txn_is_write(txn) && own->seen && ds__conn_changes(txn->conn, &changes) &&
           changes == own->changes;
}

static bool begin(ds__txn *txn, ds_error *err) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    ds__store *store = ds__txn_store(txn);
    int64_t version;
    if (is_as_seen(txn, own)) {
        own->catalog = ds__catalog_ref(own->seen);
        return true;
    }
    if (!read_version(txn, &version, err)) {
        return false;
    }
    const ds__catalog *current = *ds__store_lock_shared(store, DS_CATALOG_ROOM);
    ds__catalog *known = current ? ds__catalog_ref(current) : NULL;
    ds__store_unlock_shared(store);
    if (known && known->version == version) {
        own->catalog = known;
    } else {
        own->catalog = ds__store_check_newer(txn, err) ? load(txn, known, version, err) : NULL;
        ds__catalog_unref(known);
        if (own->catalog) {
            publish(store, own->catalog);
        }
    }
    if (own->catalog) {
        see(txn, own);
    }
    return own->catalog != NULL;
}

const ds__catalog *ds__catalog_seen(ds__txn *txn) {
    return ds__catalog_of(txn)->seen;
}

bool ds__catalog_is_seen(ds__txn *txn, bool held) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    uint32_t changes;
    int64_t version;
    ds_error ignored;
    if (!ds__conn_changes(txn->conn, &changes)) {
        return false;
    }
    if (changes != own->changes) {
        if (!held || !read_version(txn, &version, &ignored) || version != own->seen->version) {
            return false;
        }
        own->changes = changes;
    }
    return true;
}

/* Keeps what was found before until the transaction ends: a collection, or a whole catalog. Takes
 * the reference over. */
static bool keep_old(ds__catalog_txn *own, ds__catalog *catalog, ds__coll *coll, ds_error *err) {
    ds__old_catalog *old = ds__alloc(sizeof *old);
    if (!old) {
        return ds__error_oom(err);
    }
    *old = (ds__old_catalog){.catalog = catalog, .coll = coll, .next = own->old};
    own->old = old;
    return true;
}

/* Makes the transaction's catalog one that nobody else holds. */
static bool make_own(ds__catalog_txn *own, ds_error *err) {
    if (__atomic_load_n(&own->catalog->refs, __ATOMIC_ACQUIRE) == 1) {
        return true;
    }
    ds__catalog *fresh = copy(own->catalog, err);
    if (!fresh) {
        return false;
    }
    ds__catalog_unref(own->catalog);
    own->catalog = fresh;
    return true;
}

static bool replace(ds__catalog_txn *own, ds__catalog *fresh, ds_error *err) {
    if (!fresh || !keep_old(own, own->catalog, NULL, err)) {
        ds__catalog_unref(fresh);
        return false;
    }
    own->catalog = fresh;
    return true;
}

bool ds__catalog_reload(ds__txn *txn, int64_t id, ds_error *err) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    ds__coll *coll;
    own->changed = true;
    if (own->catalog->version + 1 != own->version) { /* a change before was not finished */
        return replace(own, load_all(txn, own->catalog, own->version, err), err);
    }
    const ds__coll *known = ds__catalog_find_id(own->catalog, id);
    if (!make_own(own, err) || !ds__catalog_reserve(own->catalog, err) ||
        !read_one(txn, id, &coll, err)) {
        return false;
    }
    if (known && !keep_old(own, NULL, ds__coll_ref(known), err)) {
        ds__coll_unref(known);
        ds__coll_unref(coll);
        return false;
    }
    ds__coll_unref(ds__catalog_put(own->catalog, id, coll));
    own->catalog->version = own->version;
    return true;
}

static bool mark(ds__txn *txn, void **out, ds_error *err) {
    (void)err;
    *out = ds__catalog_ref(ds__catalog_of(txn)->catalog);
    return true;
}

static bool back(ds__txn *txn, void *saved, ds_error *err) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    return own->catalog == saved || replace(own, ds__catalog_ref(saved), err);
}

static void forget(void *catalog) {
    ds__catalog_unref(catalog);
}

static void end(ds__txn *txn, bool committed) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    if (committed && own->changed) {
        publish(ds__txn_store(txn), own->catalog);
    }
    if (committed && ds__txn_is_write(txn)) {
        see(txn, own);
    }
    while (own->old) {
        ds__old_catalog *old = own->old;
        own->old = old->next;
        ds__catalog_unref(old->catalog);
        ds__coll_unref(old->coll);
        ds__free(old);
    }
    ds__catalog_unref(own->catalog);
    *own = (ds__catalog_txn){.seen = own->seen, .changes = own->changes};
}

static void release(void *state) {
    ds__catalog_unref(((ds__catalog_txn *)state)->seen);
}

static bool has_tables(ds__txn *txn, int64_t rows, int64_t keys, ds_error *err) {
    const ds__coll *coll = ds__catalog_find_id(ds__catalog_of(txn)->catalog, rows);
    if (!coll) {
        return ds__error_set(err, DS_QUERY_PLAN_KILLED, "collection dropped");
    }
    bool found = !keys;
    for (size_t i = 0; !found && i < coll->index_count; i++) {
        found = coll->indexes[i].id == keys;
    }
    return found || ds__error_set(err, DS_QUERY_PLAN_KILLED, "index dropped");
}

const ds__txn_hooks ds__catalog_hooks = {.schema = schema,
                                         .size = sizeof(ds__catalog_txn),
                                         .begin = begin,
                                         .mark = mark,
                                         .back = back,
                                         .forget = forget,
                                         .end = end,
                                         .free = release,
                                         .has_tables = has_tables,
                                         .close = forget};
