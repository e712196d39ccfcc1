/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of one process. A forked child forgets its parent's pool, never touches its sockets
 * or threads, and makes a pool of its own. */
#include "remote/internal.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bson/validate.h"

struct ds__remote_pool {
    /* owned */
    mongoc_client_pool_t *clients;
    ds__remote_conn *idle; /* last used first */
    pthread_mutex_t lock;  /* guards idle, out and watches */
    pthread_cond_t freed;
    /* borrowed from the threads that watch */
    ds__remote_watch *watches;
    /* borrowed from the client */
    const ds__backend *backend;
    /* plain */
    atomic_int watching;
    uint32_t out; /* connections handed out */
};

static void on_answered(ds__remote_pool *pool, uint32_t server) {
    if (atomic_load_explicit(&pool->watching, memory_order_relaxed) == 0) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    for (ds__remote_watch *w = pool->watches; w; w = w->next) {
        if (pthread_equal(w->thread, pthread_self())) {
            w->server = server;
            break;
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

static void tell(const ds__remote_pool *pool, const mongoc_host_list_t *host,
                 ds_command_event *event) {
    event->host = host->host;
    event->port = host->port;
    pool->backend->monitor(pool->backend->monitor_ctx, event);
}

/* The reply was not checked yet: a damaged one is told of as none. */
static void tell_reply(const ds__remote_pool *pool, const mongoc_host_list_t *host,
                       ds_command_event *event, const bson_t *reply) {
    ds_error damaged = {0};
    event->body = reply;
    if (!ds__bson_validate(bson_get_data(reply), reply->len, DS_MAX_COMMAND_DEPTH + DS_MAX_DEPTH,
                           &damaged)) {
        ds__error_prefix(&damaged, "the server's reply is damaged: ");
        event->kind = DS_EVENT_FAILED;
        event->body = NULL;
        event->error = &damaged;
    }
    tell(pool, host, event);
}

static void on_started(const mongoc_apm_command_started_t *from) {
    ds_command_event event = {.kind = DS_EVENT_STARTED,
                              .name = mongoc_apm_command_started_get_command_name(from),
                              .db = mongoc_apm_command_started_get_database_name(from),
                              .body = mongoc_apm_command_started_get_command(from)};
    tell(mongoc_apm_command_started_get_context(from), mongoc_apm_command_started_get_host(from),
         &event);
}

static void on_succeeded(const mongoc_apm_command_succeeded_t *from) {
    ds__remote_pool *pool = mongoc_apm_command_succeeded_get_context(from);
    on_answered(pool, mongoc_apm_command_succeeded_get_server_id(from));
    if (pool->backend->monitor) {
        ds_command_event event = {.kind = DS_EVENT_SUCCEEDED,
                                  .name = mongoc_apm_command_succeeded_get_command_name(from),
                                  .duration_us = mongoc_apm_command_succeeded_get_duration(from)};
        tell_reply(pool, mongoc_apm_command_succeeded_get_host(from), &event,
                   mongoc_apm_command_succeeded_get_reply(from));
    }
}

static void on_failed(const mongoc_apm_command_failed_t *from) {
    const ds__remote_pool *pool = mongoc_apm_command_failed_get_context(from);
    const mongoc_host_list_t *host = mongoc_apm_command_failed_get_host(from);
    const bson_t *reply = mongoc_apm_command_failed_get_reply(from);
    ds_command_event event = {.kind = DS_EVENT_FAILED,
                              .name = mongoc_apm_command_failed_get_command_name(from),
                              .duration_us = mongoc_apm_command_failed_get_duration(from)};
    if (reply && bson_has_field(reply, "ok")) {
        tell_reply(pool, host, &event, reply);
    } else {
        bson_error_t error = {0};
        ds_error why = {0};
        mongoc_apm_command_failed_get_error(from, &error);
        ds__remote_error(&why, &error, NULL);
        event.error = &why;
        tell(pool, host, &event);
    }
}

void ds__remote_watch_begin(ds__remote_pool *pool, ds__remote_watch *watch) {
    *watch = (ds__remote_watch){.thread = pthread_self()};
    pthread_mutex_lock(&pool->lock);
    watch->next = pool->watches;
    pool->watches = watch;
    pthread_mutex_unlock(&pool->lock);
    atomic_fetch_add(&pool->watching, 1);
}

void ds__remote_watch_end(ds__remote_pool *pool, ds__remote_watch *watch) {
    pthread_mutex_lock(&pool->lock);
    ds__remote_watch **at = &pool->watches;
    while (*at && *at != watch) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = watch->next;
    }
    pthread_mutex_unlock(&pool->lock);
    atomic_fetch_sub(&pool->watching, 1);
}

static ds__remote_pool *pool_new(ds__remote *store, ds_error *err) {
    ds__remote_pool *pool = ds__alloc(sizeof *pool);
    if (!pool) {
        ds__error_oom(err);
        return NULL;
    }
    bson_error_t error = {0};
    pool->backend = &store->base;
    pool->clients = mongoc_client_pool_new_with_error(store->uri, &error);
    if (!pool->clients) {
        ds__remote_error(err, &error, NULL);
        ds__free(pool);
        return NULL;
    }
    ds__cond_init(&pool->lock, &pool->freed);
    /* the limit is kept here, where waiting can be given up with a reason */
    mongoc_client_pool_max_size(pool->clients, UINT32_MAX);
    mongoc_client_pool_set_error_api(pool->clients, MONGOC_ERROR_API_VERSION_2);
    mongoc_apm_callbacks_t *callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_command_succeeded_cb(callbacks, on_succeeded);
    if (store->base.monitor) {
        mongoc_apm_set_command_started_cb(callbacks, on_started);
        mongoc_apm_set_command_failed_cb(callbacks, on_failed);
    }
    mongoc_client_pool_set_apm_callbacks(pool->clients, callbacks, pool);
    mongoc_apm_callbacks_destroy(callbacks);
    return pool;
}

ds__remote_pool *ds__remote_pool_get(ds__remote *store, ds_error *err) {
    ds__remote_pool *seen = atomic_load(&store->pool);
    if (seen) {
        return seen;
    }
    ds__remote_pool *made = pool_new(store, err);
    if (made && !atomic_compare_exchange_strong(&store->pool, &seen, made)) {
        ds__remote_pool_free(made); /* another thread of this process was first */
        made = seen;
    }
    return made;
}

void ds__remote_forget(ds__fork_member *self, bool quiet) {
    (void)quiet;
    ds__remote *store = (void *)((char *)self - offsetof(ds__remote, fork));
    atomic_store(&store->pool, NULL);
}

/* Waits until a connection may be handed out; the lock is held. */
static bool wait_for_place(ds__remote *store, ds__remote_pool *pool) {
    const int64_t until = ds__clock_mono_us() / 1000 + store->wait_ms;
    while (store->max_pool && pool->out >= store->max_pool) {
        if (store->wait_ms == 0) {
            pthread_cond_wait(&pool->freed, &pool->lock);
        } else if (!ds__cond_wait(&pool->freed, &pool->lock, until)) {
            return !store->max_pool || pool->out < store->max_pool;
        }
    }
    return true;
}

ds__remote_conn *ds__remote_acquire(ds__remote *store, ds__remote_pool *pool, ds_error *err) {
    pthread_mutex_lock(&pool->lock);
    bool placed = wait_for_place(store, pool);
    ds__remote_conn *conn = NULL;
    if (placed) {
        pool->out++;
        conn = pool->idle;
        if (conn) {
            pool->idle = conn->next;
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (!placed) {
        ds__error_set(err, DS_NETWORK_TIMEOUT,
                      "no connection became free within waitQueueTimeoutMS (%d ms); all %u of "
                      "maxPoolSize are in use",
                      store->wait_ms, store->max_pool);
        return NULL;
    }
    if (conn) {
        return conn;
    }
    conn = ds__alloc(sizeof *conn);
    if (conn) {
        conn->client = mongoc_client_pool_pop(pool->clients);
    }
    if (!conn || !conn->client) {
        ds__free(conn);
        pthread_mutex_lock(&pool->lock);
        pool->out--;
        pthread_mutex_unlock(&pool->lock);
        ds__error_oom(err);
        return NULL;
    }
    return conn;
}

void ds__remote_release(ds__remote_pool *pool, ds__remote_conn *conn) {
    pthread_mutex_lock(&pool->lock);
    conn->next = pool->idle;
    pool->idle = conn;
    pool->out--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

void ds__remote_pool_free(ds__remote_pool *pool) {
    while (pool->idle) {
        ds__remote_conn *conn = pool->idle;
        pool->idle = conn->next;
        if (conn->writer) {
            mongoc_client_session_destroy(conn->writer);
        }
        mongoc_client_pool_push(pool->clients, conn->client);
        ds__free(conn);
    }
    mongoc_client_pool_destroy(pool->clients);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->freed);
    ds__free(pool);
}
