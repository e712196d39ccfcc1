/* SPDX-License-Identifier: Apache-2.0 */
/* Serves an embedded store over MongoDB's wire protocol, on TCP or on a Unix socket. */
#ifndef DS_WIRE_WIRE_H
#define DS_WIRE_WIRE_H

#include "base/error.h"

typedef struct ds__wire_server ds__wire_server;

typedef struct ds__wire_options {
    const char *host;    /* TCP: an address or name to listen on; NULL: no TCP */
    uint16_t port;       /* 0: any free one */
    const char *socket;  /* a path; "" for a new private folder (0700); NULL: no Unix socket */
    bool allow_remote;   /* TCP: listen for other machines too, although nobody logs in */
    int max_connections; /* 0: 1,000; beyond it the one idle for longest gives way */
    int max_memory_mb;   /* 0: 512; of large messages and answers on their way, all together */
    int stall_ms;        /* 0: 30 s; how long a connection may stop within a message or an answer */
    int idle_ms;         /* 0: 30 min; how long one may ask for nothing; -1: for ever */
} ds__wire_options;

/* Starts to listen; connections are served by threads of their own until stop. Exactly one of host
 * and socket is given. The client must be embedded and stay open. Errors: the address is in use or
 * not allowed, other machines could reach it, no memory. */
ds__wire_server *ds__wire_start(ds_client *client, const ds__wire_options *options, ds_error *err);

/* Ends every connection and what runs for it (InterruptedAtShutdown). Removes the socket (and the
 * private folder). In a forked child it only frees memory: the parent goes on serving. NULL is
 * allowed. */
void ds__wire_stop(ds__wire_server *server);

/* "host:port" or the socket's path. Lifetime: the server's. */
const char *ds__wire_address(const ds__wire_server *server);
/* A connection string for drivers on this machine. Lifetime: the server's. */
const char *ds__wire_uri(const ds__wire_server *server);
/* False in a forked child: the parent goes on serving, the child starts a server of its own. */
bool ds__wire_is_running(const ds__wire_server *server);
/* Connections that are open now. */
int ds__wire_connections(ds__wire_server *server);

#endif
