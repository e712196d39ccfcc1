/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections: one is taken for every transaction, and kept open between them. Each has
 * a page cache; together those of a store stay near CACHES_KIB: many in use have smaller ones, and
 * of those in the pool the ones unused longest give theirs back. */
#include "engine/store/internal.h"

enum { MAX_POOLED = 16, CACHES_KIB = 4 * DS_CACHE_KIB, LEAST_KIB = 1024 };

/* What a connection may cache when so many are in use. */
static int share(size_t active) {
    int kib = DS_CACHE_KIB;
    while (kib > LEAST_KIB && (size_t)kib * active > CACHES_KIB) {
        kib /= 2;
    }
    return kib;
}

/* Grown only when it is worth it: the number in use changes all the time. */
static void fit(ds__conn *conn, size_t active) {
    const int kib = share(active);
    ds_error ignored;
    if (kib < conn->cache_kib || kib / 4 >= conn->cache_kib || active == 1) {
        const bool other = kib != conn->cache_kib;
        conn->cache_kib = kib;
        if (other) {
            ds__conn_limit_cache(conn, &ignored); /* refused: it stays as it was */
        }
    }
}

ds__conn *ds__store_take_conn(ds__store *store, ds_error *err) {
    pthread_mutex_lock(&store->lock);
    ds__conn *conn = store->pool;
    if (conn) {
        store->pool = conn->next;
        store->pooled--;
        store->pool_cached -= conn->cached;
    }
    const size_t active = ++store->active;
    pthread_mutex_unlock(&store->lock);
    if (!conn && !(conn = ds__conn_open(store, err))) {
        pthread_mutex_lock(&store->lock);
        store->active--;
        pthread_mutex_unlock(&store->lock);
    }
    if (conn) {
        fit(conn, active);
    }
    return conn;
}

/* Under the lock: of all but the first of the pool, which is used next. The last is the one that
 * was unused longest. */
static void trim_others(ds__store *store) {
    while (store->pool_cached > (size_t)CACHES_KIB * 1024 / 2) {
        ds__conn *last = NULL;
        for (ds__conn *conn = store->pool->next; conn; conn = conn->next) {
            last = conn->cached > 0 ? conn : last;
        }
        if (!last) {
            return;
        }
        sqlite3_db_release_memory(last->db);
        store->pool_cached -= last->cached;
        last->cached = 0;
    }
}

void ds__store_give_conn(ds__store *store, ds__conn *conn, bool damaged) {
    int cached = 0;
    int most;
    sqlite3_db_status(conn->db, SQLITE_DBSTATUS_CACHE_USED, &cached, &most, 0);
    pthread_mutex_lock(&store->lock);
    store->active--;
    bool keep = !damaged && store->pooled < MAX_POOLED;
    if (keep) {
        conn->next = store->pool;
        conn->cached = (size_t)cached;
        store->pool = conn;
        store->pooled++;
        store->pool_cached += conn->cached;
        trim_others(store);
    }
    pthread_mutex_unlock(&store->lock);
    if (!keep) {
        ds__conn_close(conn);
    }
}

void ds__store_trim(ds__store *store) {
    pthread_mutex_lock(&store->lock);
    for (ds__conn *conn = store->pool; conn; conn = conn->next) {
        sqlite3_db_release_memory(conn->db);
        store->pool_cached -= conn->cached;
        conn->cached = 0;
    }
    pthread_mutex_unlock(&store->lock);
}
