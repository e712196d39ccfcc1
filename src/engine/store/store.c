/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a store and closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cond.h"
#include "base/mem.h"
#include "engine/store/internal.h"

enum { LOG_LIMIT = 64 * 1024 * 1024, DEFAULT_BUSY_MS = 30000 };

/* An absolute path, so that chdir does not matter. */
static char *absolute(const char *path) {
    if (path[0] == '/') {
        return ds__strdup(path);
    }
    char *cwd = getcwd(NULL, 0);
    char *out = NULL;
    if (cwd) {
        size_t size = strlen(cwd) + strlen(path) + 2;
        out = ds__alloc(size);
        if (out) {
            snprintf(out, size, "%s/%s", cwd, path);
        }
        free(cwd);
    }
    return out;
}

ds__store *ds__store_open(const char *path, const ds__store_options *options,
                          const ds__txn_hooks *const *rooms, size_t room_count, ds_error *err) {
    ds_assert(room_count <= DS_STORE_ROOMS);
    ds__store *store = ds__alloc(sizeof *store);
    if (!store) {
        ds__error_oom(err);
        return NULL;
    }
    ds__cond_init(&store->lock, &store->idle_writer);
    store->lock_fd = -1;
    store->rooms = rooms;
    store->room_count = room_count;
    store->log_limit = LOG_LIMIT;
    if (options) {
        store->options = *options;
    }
    if (store->options.busy_timeout_ms <= 0) {
        store->options.busy_timeout_ms = DEFAULT_BUSY_MS;
    }
    store->in_memory = strcmp(path, ":memory:") == 0;
    if (store->in_memory) {
        if (!ds__store_make_temp(store, err)) {
            goto failed;
        }
    } else {
        store->path = absolute(path);
        if (!store->path) {
            ds__error_oom(err);
            goto failed;
        }
        if (!ds__store_check_path(store, err)) {
            goto failed;
        }
    }
    ds__conn *conn = ds__conn_open(store, err);
    if (!conn) {
        goto failed;
    }
    if (!ds__store_check_format(conn, err)) {
        ds__conn_close(conn);
        goto failed;
    }
    store->pool = conn;
    store->pooled = 1;
    ds__store_join_forks(store);
    return store;
failed:
    ds__store_close(store);
    return NULL;
}

void ds__store_close(ds__store *store) {
    if (!store) {
        return;
    }
    ds__fork_leave(&store->fork);
    while (store->pool) {
        ds__conn *conn = store->pool;
        store->pool = conn->next;
        ds__conn_close(conn);
    }
    for (size_t i = store->room_count; i-- > 0;) {
        if (store->shared[i]) {
            store->rooms[i]->close(store->shared[i]);
        }
    }
    if (store->temp_dir) {
        ds__store_leave_temp(store);
    }
    pthread_cond_destroy(&store->idle_writer);
    pthread_mutex_destroy(&store->lock);
    ds__free(store->temp_dir);
    ds__free(store->path);
    ds__free(store);
}

const char *ds__store_path(const ds__store *store) {
    return store->in_memory ? ":memory:" : store->path;
}

bool ds__store_read_only(const ds__store *store) {
    return store->options.read_only;
}

int ds__store_format(const ds__store *store) {
    return store->format;
}

void **ds__store_lock_shared(ds__store *store, size_t room) {
    pthread_mutex_lock(&store->lock);
    return &store->shared[room];
}

void ds__store_unlock_shared(ds__store *store) {
    pthread_mutex_unlock(&store->lock);
}
