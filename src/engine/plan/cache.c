/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of plans. An entry is used once two races have chosen it at no greater cost; until then
 * each race may only double what the next one may cost. */
#include "engine/plan/cache.h"

#include <pthread.h>
#include <stdio.h>

#include "base/map.h"
#include "base/mem.h"
#include "engine/plan/runner.h"
#include "engine/plan/shape.h"

enum { CEILING_FACTOR = 10, LEAST_CEILING = 100 };

typedef struct entry {
    /* owned */
    ds_buf details; /* a document: the fields of $planCacheStats that never change */
    /* plain */
    ds__rival_name name;
    uint64_t works;
    uint64_t used; /* greater: later */
    bool active;
} entry;

/* Of one collection. */
typedef struct plan_cache {
    ds__catalog_guest base; /* first: the collection frees it by that */
    pthread_mutex_t lock;
    ds_map entries; /* shape -> entry */
    size_t bytes;
    uint64_t uses;
} plan_cache;

static void free_entry(plan_cache *cache, entry *e) {
    cache->bytes -= sizeof *e + e->details.cap;
    ds_buf_clear(&e->details);
    ds__free(e);
}

static void clear(plan_cache *cache) {
    size_t at = 0;
    void *value;
    while (ds_map_each(&cache->entries, &at, NULL, NULL, &value)) {
        free_entry(cache, value);
    }
    ds_map_clear(&cache->entries);
}

static void free_cache(ds__catalog_guest *self) {
    plan_cache *cache = (plan_cache *)self;
    clear(cache);
    pthread_mutex_destroy(&cache->lock);
    ds__free(cache);
}

/* NULL: there is none yet. */
static plan_cache *cache_of(const ds__coll *coll) {
    return (plan_cache *)ds__coll_guest_get(coll);
}

/* NULL: no memory for one. */
static plan_cache *make_cache(const ds__coll *coll) {
    plan_cache *cache = cache_of(coll);
    if (cache != NULL || (cache = ds__alloc(sizeof *cache)) == NULL) {
        return cache;
    }
    cache->base.free = free_cache;
    pthread_mutex_init(&cache->lock, NULL);
    plan_cache *stands = (plan_cache *)ds__coll_guest_set(coll, &cache->base);
    if (stands != cache) {
        free_cache(&cache->base);
    }
    return stands;
}

/* Forgets all plans of all collections once they are too many. */
static void limit_all(ds__txn *txn) {
    size_t bytes = 0;
    for (int clearing = 0; clearing < 2; clearing++) {
        size_t at = 0;
        const ds__coll *coll;
        while ((coll = ds__catalog_each(ds__txn_catalog(txn), &at))) {
            plan_cache *cache = cache_of(coll);
            if (cache != NULL) {
                pthread_mutex_lock(&cache->lock);
                bytes += cache->bytes;
                if (clearing) {
                    clear(cache);
                }
                pthread_mutex_unlock(&cache->lock);
            }
        }
        if (bytes <= DS_CACHE_ALL_BYTES) {
            return;
        }
    }
}

/* The entry of a shape, the cache locked; without one it is not locked. */
static entry *lock_entry(const ds__query *q, plan_cache **cache) {
    ds_buf shape = {0};
    ds_error ignored;
    entry *e = NULL;
    *cache = q->coll != NULL ? cache_of(q->coll) : NULL;
    if (*cache != NULL && ds__plan_shape(q, &shape, &ignored)) {
        pthread_mutex_lock(&(*cache)->lock);
        e = ds_map_get(&(*cache)->entries, shape.data, shape.size);
        if (e != NULL) {
            e->used = ++(*cache)->uses;
        } else {
            pthread_mutex_unlock(&(*cache)->lock);
        }
    }
    ds_buf_clear(&shape);
    return e;
}

bool ds__plan_recall(ds__chooser *c, ds__plan **out) {
    plan_cache *cache;
    entry *e = c->query->explain ? NULL : lock_entry(c->query, &cache);
    if (e != NULL) {
        bool active = e->active;
        ds__rival_name name = e->name;
        uint64_t ceiling = e->works * CEILING_FACTOR;
        pthread_mutex_unlock(&cache->lock);
        for (size_t i = 0; active && i < c->rival_count; i++) {
            ds__rival_name own = ds__rival_name_of(&c->rivals[i]);
            if (memcmp(&own, &name, sizeof own) == 0) {
                if (!ds__plan_of(c, &c->rivals[i], out)) {
                    return false;
                }
                (*out)->ceiling = ceiling > LEAST_CEILING ? ceiling : LEAST_CEILING;
                return true;
            }
        }
    }
    if (!ds__plan_of(c, &c->rivals[0], out)) {
        return false;
    }
    (*out)->raced = true;
    return true;
}

void ds__plan_forget(const ds__query *query) {
    plan_cache *cache;
    entry *e = lock_entry(query, &cache);
    if (e != NULL) {
        e->active = false;
        pthread_mutex_unlock(&cache->lock);
    }
}

static uint32_t hash_text(uint32_t seed, const void *bytes, size_t size) {
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        seed = (seed ^ at[i]) * 16777619;
    }
    return seed;
}

/* Of a shape, and of it with the indexes there are. */
static void hash_shape(const ds__coll *coll, const void *shape, size_t size, char *query_hash,
                       char *cache_key) {
    uint32_t hash = hash_text(2166136261U, shape, size);
    snprintf(query_hash, DS_HASH_TEXT, "%08X", hash);
    for (size_t i = 0; i < coll->index_count; i++) {
        hash = hash_text(hash, &coll->indexes[i].id, sizeof coll->indexes[i].id);
    }
    snprintf(cache_key, DS_HASH_TEXT, "%08X", hash);
}

bool ds__plan_hashes(const ds__query *q, char *query_hash, char *cache_key, ds_error *err) {
    ds_buf shape = {0};
    bool ok = ds__plan_shape(q, &shape, err);
    if (ok) {
        hash_shape(q->coll, shape.data, shape.size, query_hash, cache_key);
    }
    ds_buf_clear(&shape);
    return ok;
}

static void write_spec(ds_buf *out, const char *name, ds_value spec) {
    static const uint8_t empty[5] = {5};
    ds__write_value(out, name, strlen(name), spec.type == DS_DOCUMENT ? spec : ds__document(empty));
}

/* What never changes of an entry. */
static void write_details(const ds__query *q, const ds__exec *x, int64_t now_ms, ds_buf *out) {
    const ds__explain words = {.sort_spec = q->sort_spec, .transform = ds__missing()};
    size_t root = ds__doc_begin(out);
    ds__write_value(out, "timeOfCreation", 14, ds__date(now_ms));
    size_t from = ds__write_doc(out, "createdFromQuery", 16, DS_DOCUMENT);
    write_spec(out, "query", q->filter_spec);
    write_spec(out, "sort", q->sort_spec);
    write_spec(out, "projection", q->projection_spec);
    ds__doc_end(out, from);
    size_t plan = ds__write_doc(out, "cachedPlan", 10, DS_DOCUMENT);
    ds__runner_print(x->now, &words, false, out);
    ds__doc_end(out, plan);
    ds__write_value(out, "creationExecStats", 17, ds__array(x->report.data));
    size_t scores = ds__write_doc(out, "candidatePlanScores", 19, DS_ARRAY);
    ds__iter it;
    ds__iter_init(&it, ds__array(x->report.data));
    for (size_t n = 0; ds__iter_next(&it); n++) {
        ds__write_index(out, n, ds__doc_field(it.value, "score"));
    }
    ds__doc_end(out, scores);
    ds__doc_end(out, root);
}

/* Removes what was used longest ago until there is room. Under the lock. */
static void make_room(plan_cache *cache) {
    while (cache->entries.count > 0 &&
           (cache->entries.count >= DS_CACHE_ENTRIES || cache->bytes > DS_CACHE_BYTES)) {
        const void *key;
        const void *oldest_key = NULL;
        entry *oldest = NULL;
        size_t at = 0;
        size_t size;
        size_t oldest_size = 0;
        void *value;
        while (ds_map_each(&cache->entries, &at, &key, &size, &value)) {
            entry *e = value;
            if (oldest == NULL || e->used < oldest->used) {
                oldest = e;
                oldest_key = key;
                oldest_size = size;
            }
        }
        ds_map_remove(&cache->entries, oldest_key, oldest_size);
        free_entry(cache, oldest);
    }
}

/* Takes a race's result in. Under the lock; owns `details` then. */
static void keep(plan_cache *cache, const ds_buf *shape, ds__rival_name name, uint64_t works,
                 ds_buf *details) {
    entry *e = ds_map_get(&cache->entries, shape->data, shape->size);
    if (e == NULL) {
        make_room(cache);
        e = ds__alloc(sizeof *e);
        if (e == NULL || !ds_map_set(&cache->entries, shape->data, shape->size, e, NULL)) {
            ds__free(e);
            return;
        }
        cache->bytes += sizeof *e;
    } else if (!e->active && works > e->works) {
        e->works *= 2;
        return;
    } else {
        e->active = true;
        cache->bytes -= e->details.cap;
        ds_buf_clear(&e->details);
    }
    e->name = name;
    e->works = works > 0 ? works : 1;
    e->used = ++cache->uses;
    e->details = *details;
    cache->bytes += details->cap;
    *details = (ds_buf){0};
}

void ds__plan_remember(ds__txn *txn, ds__chooser *c, size_t winner, const ds__exec *x) {
    plan_cache *cache = make_cache(c->query->coll);
    ds_buf shape = {0};
    ds_buf details = {0};
    ds_error ignored;
    if (cache != NULL && ds__plan_shape(c->query, &shape, &ignored)) {
        if (!x->report.failed && x->report.size < DS_CACHE_DETAIL_BYTES) {
            write_details(c->query, x, c->env->now_ms, &details);
        }
        if (details.failed || details.size > DS_CACHE_DETAIL_BYTES) {
            ds_buf_clear(&details);
        }
        pthread_mutex_lock(&cache->lock);
        keep(cache, &shape, ds__rival_name_of(&c->rivals[winner]), x->now->works, &details);
        pthread_mutex_unlock(&cache->lock);
        limit_all(txn);
    }
    ds_buf_clear(&shape);
    ds_buf_clear(&details);
}

void ds__plan_cache_clear(const ds__coll *coll, const ds__query *query) {
    plan_cache *cache = cache_of(coll);
    ds_buf shape = {0};
    ds_error ignored;
    if (cache != NULL && (query == NULL || ds__plan_shape(query, &shape, &ignored))) {
        pthread_mutex_lock(&cache->lock);
        if (query == NULL) {
            clear(cache);
        } else {
            entry *e = ds_map_remove(&cache->entries, shape.data, shape.size);
            if (e != NULL) {
                free_entry(cache, e);
            }
        }
        pthread_mutex_unlock(&cache->lock);
    }
    ds_buf_clear(&shape);
}

bool ds__plan_cache_print(const ds__coll *coll, ds_buf *out, ds_error *err) {
    plan_cache *cache = cache_of(coll);
    size_t n = 0;
    size_t at = 0;
    const void *key;
    size_t size;
    void *value;
    if (cache == NULL) {
        return true;
    }
    pthread_mutex_lock(&cache->lock);
    while (ds_map_each(&cache->entries, &at, &key, &size, &value)) {
        const entry *e = value;
        char hash[DS_HASH_TEXT];
        char cache_key[DS_HASH_TEXT];
        hash_shape(coll, key, size, hash, cache_key);
        size_t doc = ds__write_index_doc(out, n++, DS_DOCUMENT);
        ds__write_str(out, "version", "1");
        ds__write_str(out, "queryHash", hash);
        ds__write_str(out, "planCacheKey", cache_key);
        ds__write_bool(out, "isActive", e->active);
        ds__write_int64(out, "works", (int64_t)e->works);
        if (e->details.size > 0) {
            ds__write_elements(out, ds__document(e->details.data));
        }
        ds__write_bool(out, "indexFilterSet", false);
        ds__write_int64(out, "estimatedSizeBytes", (int64_t)(sizeof *e + e->details.cap + size));
        ds__write_str(out, "host", "localhost");
        ds__doc_end(out, doc);
    }
    pthread_mutex_unlock(&cache->lock);
    return ds_buf_ok(out, err);
}
