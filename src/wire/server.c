/* SPDX-License-Identifier: Apache-2.0 */
/* A server's life and the list of its connections, a thread each. */
#include "wire/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "base/system.h"
#include "client/client.h"

enum {
    DEFAULT_CONNECTIONS = 1000,
    DEFAULT_MEMORY_MB = 512,
    DEFAULT_STALL_MS = 30 * 1000,
    DEFAULT_IDLE_MS = 30 * 60 * 1000
};

static void *connection_thread(void *arg) {
    ds__wire_connection *connection = arg;
    ds__wire_server *server = connection->server;
    ds__wire_serve(connection);
    ds__wire_abandon_transactions(connection);
    pthread_mutex_lock(&server->lock);
    bool trim = --server->talking == 0 || connection->large;
    pthread_mutex_unlock(&server->lock);
    if (trim) {
        ds__engine_trim(server->engine);
    }
    pthread_mutex_lock(&server->lock);
    *connection->link = connection->next;
    if (connection->next) {
        connection->next->link = connection->link;
    }
    close(connection->fd); /* under the lock: stop() may shut it down */
    server->count--;
    server->evicted -= connection->evicted;
    pthread_cond_broadcast(&server->ended);
    pthread_mutex_unlock(&server->lock);
    ds__free(connection);
    return NULL;
}

/* The address the client used, as a TCP server on all interfaces has many; and the client's own. */
static void name_connection(ds__wire_connection *connection) {
    ds_buf me = {0};
    ds_buf client = {0};
    bool tcp = !connection->server->socket;
    if (!tcp || !ds__wire_address_of(connection->fd, false, NULL, &me)) {
        ds_buf_printf(&me, "%s", connection->server->address);
    }
    if (!tcp || !ds__wire_address_of(connection->fd, true, NULL, &client)) {
        ds_buf_printf(&client, "anonymous unix socket");
    }
    snprintf(connection->me, sizeof connection->me, "%.*s", (int)me.size, (const char *)me.data);
    snprintf(connection->client, sizeof connection->client, "%.*s", (int)client.size,
             (const char *)client.data);
    ds_buf_clear(&me);
    ds_buf_clear(&client);
}

/* Gives an accepted socket its thread; the lock is held. */
static bool start_connection(ds__wire_server *server, int fd) {
    ds__wire_connection *connection = ds__alloc(sizeof *connection);
    if (!connection) {
        return false;
    }
    connection->fd = fd;
    connection->server = server;
    connection->id = atomic_fetch_add(&server->next_id, 1) + 1;
    name_connection(connection);
    connection->link = &server->connections;
    connection->next = server->connections;
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    bool ok = pthread_create(&thread, &attr, connection_thread, connection) == 0;
    pthread_attr_destroy(&attr);
    if (!ok) {
        ds__free(connection);
        return false;
    }
    if (server->connections) {
        server->connections->link = &connection->next;
    }
    server->connections = connection;
    server->count++;
    server->talking++;
    return true;
}

/* Ends the connection that has been idle for longest, when that is long; the lock is held. */
static bool evict(ds__wire_server *server) {
    ds__wire_connection *oldest = NULL;
    long long since = ds__clock_mono_us() / 1000 - server->stall_ms;
    for (ds__wire_connection *c = server->connections; c; c = c->next) {
        long long idle = atomic_load(&c->idle_since);
        if (!c->evicted && idle > 0 && idle <= since) {
            oldest = c;
            since = idle;
        }
    }
    if (oldest) {
        oldest->evicted = true;
        server->evicted++;
        shutdown(oldest->fd, SHUT_RDWR);
    }
    return oldest != NULL;
}

/* Whether there is a place for one more; the lock is held. */
static bool has_place(ds__wire_server *server) {
    return server->count - server->evicted < server->max_connections || evict(server);
}

/* A connection that stops for too long is closed, so neither direction waits for ever. */
static void limit_waiting(const ds__wire_server *server, int fd) {
    int64_t ms = server->stall_ms;
    if (server->idle_ms > 0 && server->idle_ms < ms) {
        ms = server->idle_ms;
    }
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static void accept_one(ds__wire_server *server) {
    int one = 1;
    int fd = ds__accept(server->listener);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            usleep(10000); /* out of descriptors: some will be closed */
        }
        return;
    }
    if (!server->socket) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    limit_waiting(server, fd);
    pthread_mutex_lock(&server->lock);
    bool served =
        !atomic_load(&server->stopping) && has_place(server) && start_connection(server, fd);
    pthread_mutex_unlock(&server->lock);
    if (!served) {
        close(fd);
    }
}

static void *accept_thread(void *arg) {
    ds__wire_server *server = arg;
    while (!atomic_load(&server->stopping)) {
        struct pollfd fds[2] = {{.fd = server->listener, .events = POLLIN},
                                {.fd = server->wake.reads, .events = POLLIN}};
        if (poll(fds, 2, -1) > 0 && (fds[0].revents & POLLIN)) {
            accept_one(server);
        }
    }
    return NULL;
}

/* Threads of the server leave signals to the program's own. */
static bool start_thread(ds__wire_server *server, ds_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&server->acceptor, NULL, accept_thread, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        return ds__error_set(err, DS_OPERATION_FAILED, "cannot start a thread: %s",
                             ds__system_error(failed));
    }
    return true;
}

static void free_server(ds__wire_server *server) {
    if (server->listener >= 0) {
        close(server->listener);
    }
    ds__bell_close(&server->wake);
    if (!server->inherited && server->socket) {
        unlink(server->socket);
    }
    if (!server->inherited && server->folder) {
        rmdir(server->folder);
    }
    ds__free(server->socket);
    ds__free(server->folder);
    ds__free(server->address);
    ds__free(server->uri);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->ended);
    pthread_cond_destroy(&server->room);
    ds__free(server);
}

static int or_default(int given, int otherwise) {
    return given != 0 ? given : otherwise;
}

static void set_limits(ds__wire_server *server, const ds__wire_options *options) {
    server->max_connections = or_default(options->max_connections, DEFAULT_CONNECTIONS);
    server->max_memory = (size_t)or_default(options->max_memory_mb, DEFAULT_MEMORY_MB) << 20;
    server->stall_ms = or_default(options->stall_ms, DEFAULT_STALL_MS);
    server->idle_ms = or_default(options->idle_ms, DEFAULT_IDLE_MS);
}

static void init_locks(ds__wire_server *server) {
    ds__cond_init(&server->lock, &server->ended);
    ds__cond_init(NULL, &server->room);
}

static void before_fork(ds__fork_member *self, bool quiet) {
    (void)quiet;
    pthread_mutex_lock(&((ds__wire_server *)self)->lock);
}

static void after_fork(ds__fork_member *self) {
    pthread_mutex_unlock(&((ds__wire_server *)self)->lock);
}

/* The child's copies of the sockets are closed: with them the parent's clients would not learn of
 * its end. */
static void forget_parent(ds__fork_member *self, bool quiet) {
    ds__wire_server *server = (ds__wire_server *)self;
    (void)quiet;
    init_locks(server);
    server->inherited = true;
    close(server->listener);
    ds__bell_close(&server->wake);
    server->listener = -1;
    while (server->connections) {
        ds__wire_connection *gone = server->connections;
        server->connections = gone->next;
        close(gone->fd);
        ds__free(gone);
    }
    server->transactions = NULL;
    server->count = server->evicted = 0;
    server->memory = 0;
}

ds__wire_server *ds__wire_start(ds_client *client, const ds__wire_options *options, ds_error *err) {
    ds_engine *engine = ds__client_engine(client);
    if (!engine) {
        ds__error_set(err, DS_ILLEGAL_OPERATION,
                      "only an embedded store can be served; a deployment serves itself");
        return NULL;
    }
    ds__wire_server *server = ds__alloc(sizeof *server);
    if (!server) {
        ds__error_oom(err);
        return NULL;
    }
    server->listener = -1;
    server->engine = engine;
    set_limits(server, options);
    init_locks(server);
    bool ok = ds__bell_open(&server->wake) ||
              ds__error_set(err, DS_OPERATION_FAILED, "cannot make an event: %s",
                            ds__system_error(errno));
    if (ok) {
        ok = options->socket
                 ? ds__wire_listen_unix(server, options->socket, err)
                 : ds__wire_listen_tcp(server, options->host ? options->host : "127.0.0.1",
                                       options->port, options->allow_remote, err);
    }
    if (!ok || !start_thread(server, err)) {
        free_server(server);
        return NULL;
    }
    server->fork =
        (ds__fork_member){.prepare = before_fork, .parent = after_fork, .child = forget_parent};
    ds__fork_join(&server->fork);
    return server;
}

void ds__wire_stop(ds__wire_server *server) {
    if (!server) {
        return;
    }
    ds__fork_leave(&server->fork);
    if (server->inherited) {
        free_server(server);
        return;
    }
    atomic_store(&server->stopping, true);
    ds__bell_ring(&server->wake);
    pthread_join(server->acceptor, NULL);
    pthread_mutex_lock(&server->lock);
    for (ds__wire_connection *c = server->connections; c; c = c->next) {
        shutdown(c->fd, SHUT_RDWR);
    }
    pthread_cond_broadcast(&server->room);
    while (server->count > 0) {
        pthread_cond_wait(&server->ended, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    free_server(server);
}

const char *ds__wire_address(const ds__wire_server *server) {
    return server->address;
}

const char *ds__wire_uri(const ds__wire_server *server) {
    return server->uri;
}

bool ds__wire_is_running(const ds__wire_server *server) {
    return !server->inherited;
}

int ds__wire_connections(ds__wire_server *server) {
    pthread_mutex_lock(&server->lock);
    int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}
