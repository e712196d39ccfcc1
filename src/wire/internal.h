/* SPDX-License-Identifier: Apache-2.0 */
/* What the server and its connections share. */
#ifndef DS_WIRE_INTERNAL_H
#define DS_WIRE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/system.h"
#include "base/buf.h"
#include "base/fork.h"
#include "engine/engine.h"
#include "wire/wire.h"

typedef struct ds__wire_transaction ds__wire_transaction;

typedef struct ds__wire_connection {
    /* owned */
    int fd;
    char me[160];
    char client[80];
    struct ds__wire_connection *next;
    struct ds__wire_connection **link; /* what points here, in the server's list */
    /* borrowed */
    ds__wire_server *server;
    /* plain */
    int64_t id;
    atomic_llong idle_since; /* of ds__clock_mono_us / 1000; 0: it works for its client */
    bool large;              /* it has handled much at once */
    bool evicted;            /* guarded by the server's lock */
} ds__wire_connection;

struct ds__wire_server {
    ds__fork_member fork; /* first: server.c finds the server by it */
    /* owned */
    int listener;
    ds__bell wake; /* rung once the server stops */
    char *address;
    char *uri;
    char *socket; /* path of the Unix socket, or NULL */
    char *folder; /* the private folder around it, or NULL */
    pthread_t acceptor;
    pthread_mutex_t lock; /* guards connections, count, evicted, transactions and memory */
    pthread_cond_t ended;
    pthread_cond_t room; /* memory was given back */
    ds__wire_connection *connections;
    ds__wire_transaction *transactions; /* open ones, by the connection that carried them last */
    /* borrowed from the client */
    ds_engine *engine;
    /* plain */
    int count;
    int talking; /* of them, those that have not ended */
    int evicted; /* of them, those that are to end */
    int max_connections;
    int64_t stall_ms;
    int64_t idle_ms; /* -1: no limit */
    size_t memory;   /* reserved for large messages */
    size_t max_memory;
    atomic_llong next_id;
    atomic_bool stopping;
    bool inherited; /* in a forked child: the parent serves, nothing is left here */
};

/* listen.c */
/* Listens on a path, "" for one in a new private folder. */
bool ds__wire_listen_unix(ds__wire_server *server, const char *path, ds_error *err);
bool ds__wire_listen_tcp(ds__wire_server *server, const char *host, uint16_t port,
                         bool allow_remote, ds_error *err);
/* "host:port" of a socket's own end, with `host` instead of its number when given; or of its
 * peer's. */
bool ds__wire_address_of(int fd, bool peer, const char *host, ds_buf *text);

/* memory.c */
/* Messages up to this size are not counted. */
enum { DS_WIRE_LARGE = 1024 * 1024 };
/* Waits for room for a large message. False when there is none after `wait_ms`, or at the server's
 * stop. */
bool ds__wire_reserve(ds__wire_server *server, size_t size, int64_t wait_ms);
void ds__wire_release(ds__wire_server *server, size_t size);

/* Serves one connection until it ends. Does not close it. */
void ds__wire_serve(ds__wire_connection *connection);

/* Remembers which connection carries a transaction; called before the command runs. */
void ds__wire_note_transaction(ds__wire_connection *connection, ds_value command);
/* Aborts the transactions that a connection carried last; called when it has ended. */
void ds__wire_abandon_transactions(ds__wire_connection *connection);

#endif
