/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up in a catalog, and the rules of names. */
#include "engine/catalog/catalog.h"

#include "base/limits.h"
#include "base/mem.h"
#include "engine/catalog/internal.h"

const ds__catalog *ds__txn_catalog(ds__txn *txn) {
    return txn->catalog;
}

ds__catalog *ds__catalog_ref(const ds__catalog *catalog) {
    ds__catalog *shared = (ds__catalog *)catalog; /* only the count of references changes */
    __atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
    return shared;
}

void ds__catalog_unref(ds__catalog *catalog) {
    if (catalog && __atomic_sub_fetch(&catalog->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        if (catalog->guest) {
            catalog->guest->free(catalog->guest);
        }
        ds_map_clear(&catalog->by_name);
        ds_arena_clear(&catalog->arena);
        ds__free(catalog);
    }
}

ds__catalog_guest *ds__catalog_guest_get(const ds__catalog *catalog) {
    return __atomic_load_n(&catalog->guest, __ATOMIC_ACQUIRE);
}

ds__catalog_guest *ds__catalog_guest_set(const ds__catalog *catalog, ds__catalog_guest *guest) {
    ds__catalog *shared = (ds__catalog *)catalog; /* only its guest changes */
    ds__catalog_guest *none = NULL;
    return __atomic_compare_exchange_n(&shared->guest, &none, guest, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)
               ? guest
               : none;
}

const ds__coll *ds__catalog_find(const ds__catalog *catalog, const char *db, size_t db_size,
                                 const char *name, size_t name_size) {
    char ns[2 * DS_MAX_NAMESPACE];
    if (db_size + name_size + 1 > sizeof ns) {
        return NULL;
    }
    memcpy(ns, db, db_size);
    ns[db_size] = '.';
    memcpy(ns + db_size + 1, name, name_size);
    return ds_map_get(&catalog->by_name, ns, db_size + 1 + name_size);
}

const ds__coll *ds__catalog_find_uuid(const ds__catalog *catalog, const uint8_t uuid[16]) {
    for (size_t i = 0; i < catalog->count; i++) {
        if (!catalog->colls[i]->is_view && memcmp(catalog->colls[i]->uuid, uuid, 16) == 0) {
            return catalog->colls[i];
        }
    }
    return NULL;
}

const ds__coll *ds__catalog_find_id(const ds__catalog *catalog, int64_t id) {
    size_t lo = 0;
    size_t hi = catalog->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (catalog->by_id[mid]->id < id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < catalog->count && catalog->by_id[lo]->id == id ? catalog->by_id[lo] : NULL;
}

const ds__index *ds__coll_find_index(const ds__coll *coll, const char *name, size_t name_size) {
    for (size_t i = 0; i < coll->index_count; i++) {
        if (strlen(coll->indexes[i].name) == name_size &&
            memcmp(coll->indexes[i].name, name, name_size) == 0) {
            return &coll->indexes[i];
        }
    }
    return NULL;
}

const ds__coll *ds__catalog_each(const ds__catalog *catalog, size_t *at) {
    return *at < catalog->count ? catalog->colls[(*at)++] : NULL;
}

bool ds__catalog_check_db_name(const char *db, size_t size, ds_error *err) {
    bool ok = size > 0 && size < 64;
    for (size_t i = 0; ok && i < size; i++) {
        ok = db[i] && !strchr("/\\. \"$", db[i]);
    }
    return ok || ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid database name: '%.*s'",
                               (int)(size < DS_MAX_QUOTED ? size : DS_MAX_QUOTED), db);
}

bool ds__catalog_check_coll_name(const char *db, const char *name, size_t size, ds_error *err) {
    if (size == 0) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid namespace specified '%s.'", db);
    }
    int shown = (int)(size < DS_MAX_QUOTED ? size : DS_MAX_QUOTED);
    if (name[0] == '.') {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "Collection names cannot start with '.': "
                             "%.*s",
                             shown, name);
    }
    if (memchr(name, 0, size)) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid namespace specified '%s.%.*s'", db,
                             shown, name);
    }
    if (memchr(name, '$', size)) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid collection name: %.*s", shown,
                             name);
    }
    if (strlen(db) + 1 + size > DS_MAX_NAMESPACE) {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "Fully qualified namespace is too long. Namespace: %s.%.*s Max: %d",
                             db, shown, name, DS_MAX_NAMESPACE);
    }
    return true;
}
