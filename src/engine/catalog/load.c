/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the catalog from its tables. Every transaction reads one number, the version; the tables
 * only when another process or transaction has changed them. */
#include "base/limits.h"
#include "base/mem.h"
#include "bson/number.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/catalog/internal.h"

const char ds__catalog_schema[] =
    "CREATE TABLE ds_meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
    "INSERT INTO ds_meta VALUES('version', 1), ('next_id', 1);"
    "CREATE TABLE ds_coll(id INTEGER PRIMARY KEY, db TEXT NOT NULL, name TEXT NOT NULL,"
    " uuid BLOB, options BLOB NOT NULL, UNIQUE(db, name));"
    "CREATE TABLE ds_index(id INTEGER PRIMARY KEY, coll INTEGER NOT NULL, spec BLOB NOT NULL,"
    " multikey BLOB);"
    "CREATE TABLE ds_count(coll INTEGER PRIMARY KEY, n INTEGER NOT NULL, bytes INTEGER NOT NULL);";

static const char *text_of(ds_arena *arena, ds_value v) {
    return ds_arena_strndup(arena, ds__text(v), v.size);
}

bool ds__coll_read_options(ds__coll *coll, ds_error *err) {
    ds_value o = coll->options;
    ds_value v = ds__doc_field(o, "viewOn");
    if (v.type == DS_STRING) {
        coll->is_view = true;
        coll->view_on = ds__text(v);
        coll->pipeline = ds__doc_field(o, "pipeline");
    }
    coll->capped = ds__value_truthy(ds__doc_field(o, "capped"));
    v = ds__doc_field(o, "size");
    coll->capped_size = ds__is_number(v) ? ds__number_to_int64(v) : 0;
    v = ds__doc_field(o, "max");
    coll->capped_max = ds__is_number(v) ? ds__number_to_int64(v) : 0;
    coll->validator = ds__doc_field(o, "validator");
    v = ds__doc_field(o, "validationLevel");
    coll->validation_level = ds__is_string(v, "off")        ? DS_VALIDATE_OFF
                             : ds__is_string(v, "moderate") ? DS_VALIDATE_MODERATE
                                                            : DS_VALIDATE_STRICT;
    coll->validation_warns = ds__is_string(ds__doc_field(o, "validationAction"), "warn");
    if (coll->validator.type != DS_DOCUMENT || ds__doc_empty(coll->validator)) {
        coll->validator = ds__missing();
    }
    (void)err;
    return true;
}

static bool read_parts(ds_arena *arena, ds__index *index, ds_error *err) {
    index->part_count = ds__doc_count(index->key_pattern);
    if (index->part_count == 0 || index->part_count > DS_MAX_INDEX_FIELDS) {
        return ds__corrupt(err, "an index definition");
    }
    index->parts = ds_arena_zalloc(arena, index->part_count * sizeof *index->parts);
    if (!index->parts) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, index->key_pattern);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        ds__index_part *part = &index->parts[i];
        if (!ds__path_parse(arena, it.key, it.key_size, &part->path)) {
            return ds__error_oom(err);
        }
        part->descending = ds__is_number(it.value) && ds__number_to_double(it.value) < 0;
        part->hashed = ds__is_string(it.value, "hashed");
        if (part->hashed) {
            index->kind = DS_INDEX_HASHED;
        }
    }
    return true;
}

bool ds__index_read_spec(ds_arena *arena, ds__index *index, ds_value spec, ds_error *err) {
    index->spec = spec;
    index->key_pattern = ds__doc_field(spec, "key");
    ds_value name = ds__doc_field(spec, "name");
    if (index->key_pattern.type != DS_DOCUMENT || name.type != DS_STRING) {
        return ds__corrupt(err, "an index definition");
    }
    index->name = text_of(arena, name);
    if (!index->name || !read_parts(arena, index, err)) {
        return index->name ? false : ds__error_oom(err);
    }
    index->is_id = strcmp(index->name, "_id_") == 0;
    index->unique = index->is_id || ds__value_truthy(ds__doc_field(spec, "unique"));
    index->sparse = ds__value_truthy(ds__doc_field(spec, "sparse"));
    index->hidden = ds__value_truthy(ds__doc_field(spec, "hidden"));
    index->partial = ds__doc_field(spec, "partialFilterExpression");
    ds_value expire = ds__doc_field(spec, "expireAfterSeconds");
    index->expire_after = ds__is_number(expire) ? ds__number_to_int64(expire) : -1;
    return true;
}

static bool copy_document(ds_arena *arena, sqlite3_stmt *raw, int column, ds_value *out,
                          ds_error *err) {
    const uint8_t *bytes = sqlite3_column_blob(raw, column);
    int size = sqlite3_column_bytes(raw, column);
    if (!bytes || !ds__bson_validate(bytes, (size_t)size, DS_MAX_COMMAND_DEPTH, err)) {
        return ds__corrupt(err, "the catalog");
    }
    bytes = ds_arena_copy(arena, bytes, (size_t)size);
    if (!bytes) {
        return ds__error_oom(err);
    }
    *out = ds__document(bytes);
    return true;
}

static bool add_coll(ds__catalog *catalog, sqlite3_stmt *raw, size_t *cap, ds_error *err) {
    ds_arena *arena = &catalog->arena;
    ds__coll *coll = ds_arena_zalloc(arena, sizeof *coll);
    const char *db = (const char *)sqlite3_column_text(raw, 1);
    const char *name = (const char *)sqlite3_column_text(raw, 2);
    if (catalog->count == *cap) {
        catalog->colls =
            ds_arena_grow(arena, catalog->colls, catalog->count, cap, sizeof *catalog->colls);
    }
    if (!coll || !catalog->colls || !db || !name) {
        return ds__error_oom(err);
    }
    size_t db_size = strlen(db);
    size_t ns_size = db_size + 1 + strlen(name);
    char *ns = ds_arena_alloc(arena, ns_size + 1);
    coll->db = ds_arena_strndup(arena, db, db_size);
    if (!ns || !coll->db) {
        return ds__error_oom(err);
    }
    snprintf(ns, ns_size + 1, "%s.%s", db, name);
    coll->ns = ns;
    coll->name = ns + db_size + 1;
    coll->id = sqlite3_column_int64(raw, 0);
    if (sqlite3_column_bytes(raw, 3) == 16) {
        memcpy(coll->uuid, sqlite3_column_blob(raw, 3), 16);
    }
    if (!copy_document(arena, raw, 4, &coll->options, err) || !ds__coll_read_options(coll, err)) {
        return false;
    }
    if (!ds_map_set(&catalog->by_name, ns, ns_size, coll, NULL)) {
        return ds__error_oom(err);
    }
    catalog->colls[catalog->count++] = coll;
    return true;
}

static bool add_index(ds__catalog *catalog, sqlite3_stmt *raw, size_t *cap, ds_error *err) {
    ds_arena *arena = &catalog->arena;
    ds__coll *coll = (ds__coll *)ds__catalog_find_id(catalog, sqlite3_column_int64(raw, 1));
    if (!coll) {
        return ds__corrupt(err, "the catalog (an index without collection)");
    }
    if (coll->index_count == 0) {
        *cap = 0;
    }
    if (coll->index_count == *cap) {
        coll->indexes =
            ds_arena_grow(arena, coll->indexes, coll->index_count, cap, sizeof *coll->indexes);
        if (!coll->indexes) {
            return ds__error_oom(err);
        }
    }
    ds__index *index = &coll->indexes[coll->index_count];
    *index = (ds__index){.id = sqlite3_column_int64(raw, 0)};
    ds_value spec;
    if (!copy_document(arena, raw, 2, &spec, err) ||
        !ds__index_read_spec(arena, index, spec, err)) {
        return false;
    }
    const uint8_t *masks = sqlite3_column_blob(raw, 3);
    size_t bytes = (size_t)sqlite3_column_bytes(raw, 3);
    for (size_t i = 0; masks && i < index->part_count && (i + 1) * 8 <= bytes; i++) {
        index->parts[i].multikey = ds__load_u64(masks + i * 8);
        index->multikey = index->multikey || index->parts[i].multikey != 0;
    }
    coll->index_count++;
    return true;
}

typedef bool (*add_fn)(ds__catalog *catalog, sqlite3_stmt *raw, size_t *cap, ds_error *err);

static bool read_rows(ds__txn *txn, ds__catalog *catalog, const char *sql, add_fn add,
                      ds_error *err) {
    sqlite3_stmt *raw = NULL;
    size_t cap = 0;
    bool ok = true;
    int rc = sqlite3_prepare_v2(txn->conn->db, sql, -1, &raw, NULL);
    if (rc == SQLITE_OK) {
        while (ok && (rc = sqlite3_step(raw)) == SQLITE_ROW) {
            ok = add(catalog, raw, &cap, err);
        }
    }
    if (ok && rc != SQLITE_DONE) {
        ok = ds__txn_fail(txn, rc, err);
    }
    sqlite3_finalize(raw);
    return ok;
}

static int compare_ids(const void *a, const void *b) {
    const ds__coll *x = *(ds__coll *const *)a;
    const ds__coll *y = *(ds__coll *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static ds__catalog *load(ds__txn *txn, int64_t version, ds_error *err) {
    ds__catalog *catalog = ds__alloc(sizeof *catalog);
    if (!catalog) {
        ds__error_oom(err);
        return NULL;
    }
    catalog->refs = 1;
    catalog->version = version;
    if (!read_rows(txn, catalog,
                   "SELECT id, db, name, uuid, options FROM ds_coll ORDER BY db, name", add_coll,
                   err)) {
        goto failed;
    }
    catalog->by_id =
        ds_arena_copy(&catalog->arena, catalog->colls, catalog->count * sizeof *catalog->colls);
    if (!catalog->by_id) {
        ds__error_oom(err);
        goto failed;
    }
    if (catalog->count > 0) {
        qsort(catalog->by_id, catalog->count, sizeof *catalog->by_id, compare_ids);
    }
    if (read_rows(txn, catalog, "SELECT id, coll, spec, multikey FROM ds_index ORDER BY coll, id",
                  add_index, err)) {
        return catalog;
    }
failed:
    ds__catalog_unref(catalog);
    return NULL;
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
    pthread_mutex_lock(&store->lock);
    if (!store->catalog || store->catalog->version < catalog->version) {
        old = store->catalog;
        store->catalog = ds__catalog_ref(catalog);
    }
    pthread_mutex_unlock(&store->lock);
    ds__catalog_unref(old);
}

bool ds__catalog_begin(ds__txn *txn, ds_error *err) {
    ds__store *store = txn->store;
    int64_t version;
    if (!read_version(txn, &version, err)) {
        return false;
    }
    pthread_mutex_lock(&store->lock);
    if (store->catalog && store->catalog->version == version) {
        txn->catalog = ds__catalog_ref(store->catalog);
    }
    pthread_mutex_unlock(&store->lock);
    if (!txn->catalog) {
        txn->catalog = load(txn, version, err);
        if (txn->catalog) {
            publish(store, txn->catalog);
        }
    }
    return txn->catalog != NULL;
}

bool ds__catalog_reload(ds__txn *txn, ds_error *err) {
    int64_t version;
    ds__old_catalog *old = ds__alloc(sizeof *old);
    if (!old) {
        return ds__error_oom(err);
    }
    ds__catalog *fresh = read_version(txn, &version, err) ? load(txn, version, err) : NULL;
    if (!fresh) {
        ds__free(old);
        return false;
    }
    old->catalog = txn->catalog;
    old->next = txn->old;
    txn->old = old;
    txn->catalog = fresh;
    txn->catalog_changed = true;
    return true;
}

void ds__catalog_end(ds__txn *txn, bool committed) {
    if (committed && txn->catalog_changed) {
        publish(txn->store, txn->catalog);
    }
    while (txn->old) {
        ds__old_catalog *old = txn->old;
        txn->old = old->next;
        ds__catalog_unref(old->catalog);
        ds__free(old);
    }
    ds__catalog_unref(txn->catalog);
    txn->catalog = NULL;
}
