/* SPDX-License-Identifier: Apache-2.0 */
/* Looking things up in a catalog, and the rules of names. */
#include "engine/catalog/catalog.h"

#include "base/limits.h"
#include "base/mem.h"
#include "engine/catalog/internal.h"

const ds__catalog *ds__txn_catalog(ds__txn *txn) {
    return ds__catalog_of(txn)->catalog;
}

ds__catalog *ds__catalog_ref(const ds__catalog *catalog) {
    ds__catalog *shared = (ds__catalog *)catalog; /* only the count of references changes */
    __atomic_add_fetch(&shared->refs, 1, __ATOMIC_RELAXED);
    return shared;
}

void ds__catalog_unref(ds__catalog *catalog) {
    if (catalog && __atomic_sub_fetch(&catalog->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        for (size_t i = 0; i < catalog->count; i++) {
            ds__coll_unref(catalog->colls[i]);
        }
        ds__free(catalog->colls);
        ds__free(catalog->by_id);
        ds__free(catalog);
    }
}

bool ds__catalog_reserve(ds__catalog *catalog, ds_error *err) {
    if (catalog->count < catalog->cap) {
        return true;
    }
    size_t cap = catalog->cap ? catalog->cap * 2 : 16;
    ds__coll **colls = ds__realloc(catalog->colls, cap * sizeof *colls);
    catalog->colls = colls ? colls : catalog->colls;
    ds__coll **by_id = colls ? ds__realloc(catalog->by_id, cap * sizeof *by_id) : NULL;
    if (!by_id) {
        return ds__error_oom(err);
    }
    catalog->by_id = by_id;
    catalog->cap = cap;
    return true;
}

static int compare_bytes(const char *text, const char *other, size_t size) {
    size_t own = strlen(text);
    int order = memcmp(text, other, own < size ? own : size);
    return order ? order : (own > size) - (own < size);
}

/* Where the first collection stands that does not come before a name. */
static size_t place_of_name(const ds__catalog *catalog, const char *db, size_t db_size,
                            const char *name, size_t name_size) {
    size_t lo = 0;
    size_t hi = catalog->count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const ds__coll *coll = catalog->colls[mid];
        int order = compare_bytes(coll->db, db, db_size);
        order = order ? order : compare_bytes(coll->name, name, name_size);
        if (order < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static size_t place_of_id(const ds__catalog *catalog, int64_t id) {
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
    return lo;
}

static int compare_names(const void *a, const void *b) {
    const ds__coll *x = *(ds__coll *const *)a;
    const ds__coll *y = *(ds__coll *const *)b;
    int order = strcmp(x->db, y->db);
    return order ? order : strcmp(x->name, y->name);
}

void ds__catalog_sort(ds__catalog *catalog) {
    if (catalog->count > 0) {
        qsort(catalog->colls, catalog->count, sizeof *catalog->colls, compare_names);
    }
}

static void take_out(ds__coll **list, size_t count, size_t at) {
    memmove(list + at, list + at + 1, (count - at - 1) * sizeof *list);
}

static void put_in(ds__coll **list, size_t count, size_t at, ds__coll *coll) {
    memmove(list + at + 1, list + at, (count - at) * sizeof *list);
    list[at] = coll;
}

ds__coll *ds__catalog_put(ds__catalog *catalog, int64_t id, ds__coll *coll) {
    size_t at = place_of_id(catalog, id);
    ds__coll *old = at < catalog->count && catalog->by_id[at]->id == id ? catalog->by_id[at] : NULL;
    ds_assert(old || catalog->count < catalog->cap);
    ds_assert(!coll || coll->id == id);
    if (old) {
        size_t name_at = 0; /* names may be exchanged between two puts: not to be searched for */
        while (catalog->colls[name_at] != old) {
            name_at++;
        }
        take_out(catalog->colls, catalog->count, name_at);
        take_out(catalog->by_id, catalog->count, at);
        catalog->count--;
    }
    if (coll) {
        put_in(catalog->colls, catalog->count,
               place_of_name(catalog, coll->db, strlen(coll->db), coll->name, strlen(coll->name)),
               coll);
        put_in(catalog->by_id, catalog->count, at, coll);
        catalog->count++;
    }
    return old;
}

const ds__coll *ds__catalog_find(const ds__catalog *catalog, const char *db, size_t db_size,
                                 const char *name, size_t name_size) {
    size_t at = place_of_name(catalog, db, db_size, name, name_size);
    const ds__coll *coll = at < catalog->count ? catalog->colls[at] : NULL;
    return coll && compare_bytes(coll->db, db, db_size) == 0 &&
                   compare_bytes(coll->name, name, name_size) == 0
               ? coll
               : NULL;
}

const ds__coll *ds__catalog_find_id(const ds__catalog *catalog, int64_t id) {
    size_t at = place_of_id(catalog, id);
    return at < catalog->count && catalog->by_id[at]->id == id ? catalog->by_id[at] : NULL;
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
    static const bool bad[256] = {
        ['\0'] = true, ['/'] = true, ['\\'] = true, ['.'] = true,
        [' '] = true,  ['"'] = true, ['$'] = true,
    };
    bool ok = size > 0 && size < 64;
    for (size_t i = 0; ok && i < size; i++) {
        ok = !bad[(uint8_t)db[i]];
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
