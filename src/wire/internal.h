/* SPDX-License-Identifier: Apache-2.0 */
/* What the server and its connections share. */
#ifndef DS_WIRE_INTERNAL_H
#define DS_WIRE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "engine/engine.h"
#include "wire/wire.h"

typedef struct ds__wire_transaction ds__wire_transaction;

typedef struct ds__wire_connection {
    /* owned */
    int fd;
    char me[160];
    struct ds__wire_connection *next;
    struct ds__wire_connection **link; /* what points here, in the server's list */
    /* borrowed */
    ds__wire_server *server;
    /* plain */
    int64_t id;
} ds__wire_connection;

struct ds__wire_server {
    /* owned */
    int listener;
    int wake; /* an eventfd: readable once the server stops */
    char *address;
    char *uri;
    char *socket; /* path of the Unix socket, or NULL */
    char *folder; /* the private folder around it, or NULL */
    pthread_t acceptor;
    pthread_mutex_t lock; /* guards connections, count and transactions */
    pthread_cond_t ended;
    ds__wire_connection *connections;
    ds__wire_transaction *transactions; /* open ones, by the connection that carried them last */
    /* borrowed from the client */
    ds_engine *engine;
    /* plain */
    int count;
    int max_connections;
    atomic_llong next_id;
    atomic_bool stopping;
    pid_t process;
};

/* Serves one connection until it ends. Does not close it. */
void ds__wire_serve(ds__wire_connection *connection);

/* Remembers which connection carries a transaction; called before the command runs. */
void ds__wire_note_transaction(ds__wire_connection *connection, ds_value command);
/* Aborts the transactions that a connection carried last; called when it has ended. */
void ds__wire_abandon_transactions(ds__wire_connection *connection);

#endif
