/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections: one is taken for every transaction, and kept open between them. */
#include "engine/store/internal.h"

enum { MAX_POOLED = 16 };

ds__conn *ds__store_take_conn(ds__store *store, ds_error *err) {
    pthread_mutex_lock(&store->lock);
    ds__conn *conn = store->pool;
    if (conn) {
        store->pool = conn->next;
        store->pooled--;
    }
    store->active++;
    pthread_mutex_unlock(&store->lock);
    if (!conn && !(conn = ds__conn_open(store, err))) {
        pthread_mutex_lock(&store->lock);
        store->active--;
        pthread_mutex_unlock(&store->lock);
    }
    return conn;
}

void ds__store_give_conn(ds__store *store, ds__conn *conn, bool damaged) {
    pthread_mutex_lock(&store->lock);
    store->active--;
    bool keep = !damaged && store->pooled < MAX_POOLED;
    if (keep) {
        conn->next = store->pool;
        store->pool = conn;
        store->pooled++;
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
    }
    pthread_mutex_unlock(&store->lock);
}
