/* SPDX-License-Identifier: Apache-2.0 */
/* The remote store's parts: the URI, connections, sessions, errors. libmongoc stays in this room.
 */
#ifndef DS_REMOTE_INTERNAL_H
#define DS_REMOTE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <mongoc/mongoc.h>

#include "base/fork.h"
#include "client/backend.h"

/* A connection string with the options document worked in. `*max_pool` is 0 for no limit.
 * Errors: FailedToParse, InvalidOptions, BadValue. The caller destroys the URI. */
mongoc_uri_t *ds__remote_uri(const char *uri, const bson_t *options, uint32_t *max_pool,
                             int32_t *wait_ms, ds_error *err);

/* One of libmongoc's clients with the session that numbers its retryable writes. */
typedef struct ds__remote_conn {
    /* owned */
    mongoc_client_t *client;
    mongoc_client_session_t *writer; /* NULL until the first retryable write */
    struct ds__remote_conn *next;    /* in the list of idle ones */
    /* plain */
    int64_t txn_number; /* of `writer` */
} ds__remote_conn;

/* Everything that must not cross a fork(). A child makes its own and leaves the parent's alone. */
typedef struct ds__remote_pool ds__remote_pool;

typedef struct ds__remote {
    ds__backend base; /* first */
    ds__fork_member fork;
    /* owned */
    mongoc_uri_t *uri;
    _Atomic(ds__remote_pool *) pool;
    /* plain */
    uint32_t max_pool; /* 0: no limit */
    int32_t wait_ms;   /* how long to wait for a free connection; 0: for ever */
    bool retry_writes;
    atomic_int standalone; /* -1: not known yet */
} ds__remote;

/* The pool of this process; made on the first call. NULL: err is set. */
ds__remote_pool *ds__remote_pool_get(ds__remote *store, ds_error *err);
/* In a forked child: the next call of ds__remote_pool_get makes another. */
void ds__remote_forget(ds__fork_member *self, bool quiet);
/* A connection, waiting for one when all are out. NULL: err is set. */
ds__remote_conn *ds__remote_acquire(ds__remote *store, ds__remote_pool *pool, ds_error *err);
void ds__remote_release(ds__remote_pool *pool, ds__remote_conn *conn);
/* Closes all connections. */
void ds__remote_pool_free(ds__remote_pool *pool);

/* Watches which server answers this thread's next command: *server is set by it. Every watch is
 * ended before its variable goes away. */
typedef struct ds__remote_watch {
    struct ds__remote_watch *next;
    pthread_t thread;
    uint32_t server;
} ds__remote_watch;
void ds__remote_watch_begin(ds__remote_pool *pool, ds__remote_watch *watch);
void ds__remote_watch_end(ds__remote_pool *pool, ds__remote_watch *watch);

/* A session and the connection it lives on. */
struct ds__backend_session {
    /* owned */
    ds__remote_conn *conn;
    mongoc_client_session_t *session;
    /* borrowed from the client */
    ds__remote *store;
    ds__remote_pool *pool;
};

ds__backend_session *ds__remote_session_open(ds__backend *self, const bson_t *options,
                                             ds_error *err);
void ds__remote_session_close(ds__backend_session *session, bool inherited);
const bson_t *ds__remote_session_lsid(const ds__backend_session *session);
bool ds__remote_session_begin(ds__backend_session *session, const bson_t *options, ds_error *err);
bool ds__remote_session_end(ds__backend_session *session, bool commit, bson_t *reply,
                            ds_error *err);
bool ds__remote_in_transaction(const ds__backend_session *session);

/* Sets err from libmongoc's: MongoDB's code for the kind of failure, the address in the message.
 * `uri` may be NULL; with it, a server that could not be reached is asked once more why. */
bool ds__remote_error(ds_error *err, const bson_error_t *from, const mongoc_uri_t *uri);
/* Appends to the message why each of the URI's hosts cannot be reached. */
void ds__remote_explain(ds_error *err, const mongoc_uri_t *uri);
/* Whether a failure without reply means that the connection broke (a write may be tried again). */
bool ds__remote_is_network_error(const bson_error_t *from);
/* Read preference from {mode: "...", tags: [...], maxStalenessSeconds, hedge}; NULL: err is set. */
mongoc_read_prefs_t *ds__remote_read_prefs(const bson_t *document, ds_error *err);

#endif
