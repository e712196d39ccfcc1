/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of the catalog's tables and of the tables of data. Each raises the version and tells
 * which collection it is about, so that every other transaction reads that one anew. */
#include "engine/catalog/change.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bson/writer.h"
#include "engine/catalog/internal.h"

/* One parameter of a statement. */
typedef struct param {
    enum { INT, TEXT, BLOB } type;
    int64_t i;
    const void *bytes;
    size_t size;
} param;

static param p_int(int64_t i) {
    return (param){.type = INT, .i = i};
}
static param p_text(const char *s) {
    return (param){.type = TEXT, .bytes = s, .size = strlen(s)};
}
static param p_blob(const void *bytes, size_t size) {
    return (param){.type = BLOB, .bytes = bytes, .size = size};
}

static bool run_params(ds__txn *txn, const char *sql, const param *params, int count,
                       ds_error *err) {
    sqlite3_stmt *raw = NULL;
    int rc = sqlite3_prepare_v2(txn->conn->db, sql, -1, &raw, NULL);
    for (int i = 0; rc == SQLITE_OK && i < count; i++) {
        const param *p = &params[i];
        if (p->type == INT) {
            rc = sqlite3_bind_int64(raw, i + 1, p->i);
        } else if (p->type == TEXT) {
            rc = sqlite3_bind_text(raw, i + 1, p->bytes, (int)p->size, SQLITE_STATIC);
        } else {
            rc = sqlite3_bind_blob(raw, i + 1, p->bytes, (int)p->size, SQLITE_STATIC);
        }
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(raw);
    }
    bool ok = rc == SQLITE_DONE || ds__txn_fail(txn, rc, err);
    sqlite3_finalize(raw);
    return ok;
}

#define RUN(txn, err, sql, ...)                                                                    \
    run_params(txn, sql, (param[]){__VA_ARGS__},                                                   \
               (int)(sizeof((param[]){__VA_ARGS__}) / sizeof(param)), err)

static bool check_writes(const ds__txn *txn, ds_error *err) {
    return ds__txn_can_write(txn, err) &&
           (ds__txn_is_write(txn) ||
            ds__error_set(err, DS_INTERNAL_ERROR,
                          "a change of the catalog needs a transaction that writes"));
}

static bool exec_plain(ds__txn *txn, const char *sql, ds_error *err) {
    int rc = sqlite3_exec(txn->conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__txn_fail(txn, rc, err);
}

/* Raises the version for a change of one collection. */
static bool raise_version(ds__txn *txn, int64_t coll, ds_error *err) {
    ds__catalog_txn *own = ds__catalog_of(txn);
    return exec_plain(txn, ds__catalog_changes_schema, err) &&
           exec_plain(txn, "UPDATE ds_meta SET v=v+1 WHERE k='version'", err) &&
           ds__conn_int(txn->conn, "SELECT v FROM ds_meta WHERE k='version'", 0, &own->version,
                        err) &&
           RUN(txn, err, "INSERT OR REPLACE INTO ds_change(slot, version, coll) VALUES(?1, ?2, ?3)",
               p_int(own->version % DS_CATALOG_CHANGES), p_int(own->version), p_int(coll));
}

static bool begin_change(ds__txn *txn, int64_t coll, ds_error *err) {
    if (!check_writes(txn, err)) {
        return false;
    }
    ds_buf_reset(ds__txn_details(txn));
    ds__scan_detach_all(txn);
    return raise_version(txn, coll, err);
}

static bool make_index_table(ds__txn *txn, int64_t coll, ds_value spec, bool unique, int64_t *id,
                             ds_error *err) {
    static const uint64_t nothing_seen[2 * DS_MAX_INDEX_FIELDS] = {0};
    const ds_value key = ds__doc_field(spec, "key");
    return ds__table_number(txn, id, err) && ds__table_make_keys(txn, *id, unique, err) &&
           RUN(txn, err, "INSERT INTO ds_index(id, coll, spec, multikey) VALUES(?1, ?2, ?3, ?4)",
               p_int(*id), p_int(coll), p_blob(spec.as.bytes, spec.size),
               p_blob(nothing_seen, 2 * sizeof(uint64_t) * ds__doc_count(key)));
}

static void make_uuid(uint8_t out[16]) {
    ds__random_bytes(out, 16);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

static bool make_id_index(ds__txn *txn, int64_t coll, ds_value id_spec, ds_error *err) {
    ds_buf spec = {0};
    int64_t id;
    if (id_spec.type != DS_DOCUMENT) {
        size_t root = ds__doc_begin(&spec);
        ds__write_int32(&spec, "v", 2);
        size_t key = ds__write_doc(&spec, "key", 3, DS_DOCUMENT);
        ds__write_int32(&spec, "_id", 1);
        ds__doc_end(&spec, key);
        ds__write_str(&spec, "name", "_id_");
        ds__doc_end(&spec, root);
        id_spec = spec.failed ? ds__missing() : ds__document(spec.data);
    }
    bool ok = id_spec.type == DS_DOCUMENT ? make_index_table(txn, coll, id_spec, true, &id, err)
                                          : ds_buf_ok(&spec, err);
    ds_buf_clear(&spec);
    return ok;
}

/* Collections named system.* belong to the server: only some may be made. */
static bool check_system(const char *db, const char *name, ds_error *err) {
    static const char *const allowed[] = {"profile", "js", "users", "roles", "version"};
    if (strncmp(name, "system.", 7) != 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(name + 7, allowed[i]) == 0) {
            return true;
        }
    }
    return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid system namespace: %s.%s", db, name);
}

bool ds__catalog_create(ds__txn *txn, const char *db, const char *name, ds_value options,
                        const ds__coll **out, ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    uint8_t uuid[16];
    int64_t id = 0;
    *out = NULL;
    const ds__coll *there =
        ds__catalog_find(ds__txn_catalog(txn), db, strlen(db), name, strlen(name));
    if (there && there->is_view) {
        return ds__error_set(err, DS_NAMESPACE_EXISTS, "A view already exists. NS: %s.%s", db,
                             name);
    }
    if (there) {
        return ds__error_set(err, DS_NAMESPACE_EXISTS, "Collection %s.%s already exists.", db,
                             name);
    }
    if (!check_system(db, name, err)) {
        return false;
    }
    if (options.type != DS_DOCUMENT) {
        options = ds__document(empty);
    }
    bool view = ds__doc_field(options, "viewOn").type == DS_STRING;
    make_uuid(uuid);
    if (!check_writes(txn, err) || !ds__table_number(txn, &id, err) ||
        !begin_change(txn, id, err) ||
        !RUN(txn, err, "INSERT INTO ds_coll(id, db, name, uuid, options) VALUES(?1,?2,?3,?4,?5)",
             p_int(id), p_text(db), p_text(name), p_blob(uuid, view ? 0 : sizeof uuid),
             p_blob(options.as.bytes, options.size))) {
        return false;
    }
    if (!view &&
        (!ds__table_make_rows(txn, id, err) || !make_id_index(txn, id, ds__missing(), err))) {
        return false;
    }
    if (!ds__catalog_reload(txn, id, err)) {
        return false;
    }
    *out = ds__catalog_find_id(ds__txn_catalog(txn), id);
    return true;
}

static bool drop_index_table(ds__txn *txn, int64_t id, ds_error *err) {
    return ds__table_drop_keys(txn, id, err) &&
           RUN(txn, err, "DELETE FROM ds_index WHERE id=?1", p_int(id));
}

bool ds__catalog_drop(ds__txn *txn, const ds__coll *coll, ds_error *err) {
    if (!begin_change(txn, coll->id, err)) {
        return false;
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!drop_index_table(txn, coll->indexes[i].id, err)) {
            return false;
        }
    }
    if (!coll->is_view && !ds__table_drop_rows(txn, coll->id, err)) {
        return false;
    }
    return RUN(txn, err, "DELETE FROM ds_coll WHERE id=?1", p_int(coll->id)) &&
           ds__catalog_reload(txn, coll->id, err);
}

bool ds__catalog_rename(ds__txn *txn, const ds__coll *coll, const char *db, const char *name,
                        ds_error *err) {
    uint8_t uuid[16];
    memcpy(uuid, coll->uuid, sizeof uuid);
    if (strcmp(db, coll->db) != 0) { /* another collection, for those that know this one */
        make_uuid(uuid);
    }
    return begin_change(txn, coll->id, err) &&
           RUN(txn, err, "UPDATE ds_coll SET db=?2, name=?3, uuid=?4 WHERE id=?1", p_int(coll->id),
               p_text(db), p_text(name), p_blob(uuid, coll->is_view ? 0 : sizeof uuid)) &&
           ds__catalog_reload(txn, coll->id, err);
}

bool ds__catalog_set_options(ds__txn *txn, const ds__coll *coll, ds_value options, ds_error *err) {
    return begin_change(txn, coll->id, err) &&
           RUN(txn, err, "UPDATE ds_coll SET options=?2 WHERE id=?1", p_int(coll->id),
               p_blob(options.as.bytes, options.size)) &&
           ds__catalog_reload(txn, coll->id, err);
}

bool ds__catalog_add_index(ds__txn *txn, const ds__coll *coll, ds_value spec, const ds__coll **out,
                           ds_error *err) {
    int64_t id = 0;
    int64_t coll_id = coll->id;
    *out = NULL;
    bool unique = ds__value_truthy(ds__doc_field(spec, "unique"));
    if (!begin_change(txn, coll_id, err) ||
        !make_index_table(txn, coll_id, spec, unique, &id, err) ||
        !ds__catalog_reload(txn, coll_id, err)) {
        return false;
    }
    *out = ds__catalog_find_id(ds__txn_catalog(txn), coll_id);
    ds_assert((*out)->indexes[(*out)->index_count - 1].id == id);
    return true;
}

bool ds__catalog_drop_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                            ds_error *err) {
    return begin_change(txn, coll->id, err) && drop_index_table(txn, index->id, err) &&
           ds__catalog_reload(txn, coll->id, err);
}

bool ds__catalog_set_index(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                           ds_value spec, ds_error *err) {
    return begin_change(txn, coll->id, err) &&
           RUN(txn, err, "UPDATE ds_index SET spec=?2 WHERE id=?1", p_int(index->id),
               p_blob(spec.as.bytes, spec.size)) &&
           ds__catalog_reload(txn, coll->id, err);
}

bool ds__catalog_set_seen(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                          const ds__index_keys *keys, ds_error *err) {
    uint64_t all[2 * DS_MAX_INDEX_FIELDS];
    const size_t n = index->part_count;
    for (size_t i = 0; i < n; i++) {
        all[i] = index->parts[i].multikey | keys->multikey[i];
        all[n + i] = index->parts[i].seen | keys->seen[i];
    }
    return raise_version(txn, coll->id, err) &&
           RUN(txn, err, "UPDATE ds_index SET multikey=?2 WHERE id=?1", p_int(index->id),
               p_blob(all, 2 * n * sizeof all[0])) &&
           ds__catalog_reload(txn, coll->id, err);
}
