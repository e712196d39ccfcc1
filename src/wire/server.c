/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket and the list of connections, a thread each. */
#include "wire/internal.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "client/client.h"
#include "client/uri.h"

enum { DEFAULT_CONNECTIONS = 1000, BACKLOG = 128, STALE_SECONDS = 60 };

static const char folder_prefix[] = "docstore-";

static bool system_error(ds_error *err, const char *what, const char *where) {
    int32_t code = errno == EADDRINUSE ? DS_ALREADY_INITIALIZED : DS_OPERATION_FAILED;
    return ds__error_set(err, code, "cannot %s %s: %s", what, where, strerrordesc_np(errno));
}

static bool set_text(char **out, ds_buf *buf, ds_error *err) {
    ds_buf_add_byte(buf, 0);
    *out = (char *)ds_buf_take(buf, &(size_t){0});
    return *out ? true : ds__error_oom(err);
}

/* Whether something still answers on a Unix socket. */
static bool is_alive(const struct sockaddr_un *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)path, sizeof *path) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return alive;
}

/* Removes the private folders that killed processes left in `base`. A fresh one may belong to a
 * process between bind and listen. */
static void remove_stale_folders(const char *base) {
    DIR *dir = opendir(base);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct stat info;
        if (strncmp(entry->d_name, folder_prefix, sizeof folder_prefix - 1) != 0) {
            continue;
        }
        int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s/mongodb.sock", base,
                         entry->d_name);
        if (n < 0 || (size_t)n >= sizeof address.sun_path || lstat(address.sun_path, &info) != 0 ||
            !S_ISSOCK(info.st_mode) || info.st_uid != geteuid() ||
            info.st_mtime > time(NULL) - STALE_SECONDS || is_alive(&address)) {
            continue;
        }
        if (unlink(address.sun_path) == 0) {
            *strrchr(address.sun_path, '/') = 0;
            rmdir(address.sun_path);
        }
    }
    if (dir) {
        closedir(dir);
    }
}

static bool make_folder(ds__wire_server *server, ds_error *err) {
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (!base || !*base || access(base, W_OK) != 0) {
        base = "/tmp";
    }
    remove_stale_folders(base);
    ds_buf text = {0};
    ds_buf_printf(&text, "%s/%sXXXXXX", base, folder_prefix);
    if (!set_text(&server->folder, &text, err)) {
        return false;
    }
    if (!mkdtemp(server->folder)) { /* mode 0700 */
        system_error(err, "make a folder in", base);
        ds__free(server->folder);
        server->folder = NULL;
        return false;
    }
    ds_buf_printf(&text, "%s/mongodb.sock", server->folder);
    return set_text(&server->socket, &text, err);
}

static bool listen_unix(ds__wire_server *server, const char *path, ds_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!*path) {
        if (!make_folder(server, err)) {
            return false;
        }
    } else {
        server->socket = ds__strdup(path);
        if (!server->socket) {
            return ds__error_oom(err);
        }
    }
    size_t size = strlen(server->socket);
    if (size >= sizeof address.sun_path) {
        ds__error_set(err, DS_BAD_VALUE,
                      "the socket's path has %zu bytes; at most %zu are possible", size,
                      sizeof address.sun_path - 1);
        goto failed;
    }
    memcpy(address.sun_path, server->socket, size + 1);
    struct stat found;
    if (lstat(server->socket, &found) == 0) {
        if (!S_ISSOCK(found.st_mode)) {
            ds__error_set(err, DS_BAD_VALUE, "'%s' is there already and is no socket",
                          server->socket);
            goto failed;
        }
        if (is_alive(&address)) {
            ds__error_set(err, DS_ALREADY_INITIALIZED, "another server listens on '%s'",
                          server->socket);
            goto failed;
        }
        unlink(server->socket); /* left behind by a killed server */
    }
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0) {
        system_error(err, "listen on", server->socket);
        goto failed;
    }
    if (chmod(server->socket, 0600) != 0 || listen(server->listener, BACKLOG) != 0) {
        return system_error(err, "listen on", server->socket);
    }
    ds_buf text = {0};
    ds_buf_printf(&text, "mongodb://");
    ds__uri_encode(&text, server->socket, size);
    ds_buf_printf(&text, "/?directConnection=true");
    server->address = ds__strdup(server->socket);
    return server->address ? set_text(&server->uri, &text, err) : ds__error_oom(err);
failed:
    ds__free(server->socket); /* not ours to remove */
    server->socket = NULL;
    return false;
}

static int listen_on(const struct addrinfo *a) {
    int one = 1;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

/* "host:port" of a socket's own end. */
static bool own_address(int fd, const char *host, ds_buf *text) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    char numeric[64], port[8];
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0 ||
        getnameinfo((struct sockaddr *)&name, size, numeric, sizeof numeric, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    const char *shown = host ? host : numeric;
    ds_buf_printf(text, strchr(shown, ':') ? "[%s]:%s" : "%s:%s", shown, port);
    return true;
}

static bool listen_tcp(ds__wire_server *server, const char *host, uint16_t port, ds_error *err) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        return ds__error_set(err, DS_HOST_NOT_FOUND, "cannot listen on '%s': %s", host,
                             gai_strerror(failed));
    }
    for (struct addrinfo *a = found; a && server->listener < 0; a = a->ai_next) {
        server->listener = listen_on(a);
    }
    int reason = errno;
    freeaddrinfo(found);
    ds_buf text = {0};
    if (server->listener < 0) {
        ds_buf_printf(&text, "%s:%s", host, service);
        ds_buf_add_byte(&text, 0);
        errno = reason;
        system_error(err, "listen on", text.failed ? host : (const char *)text.data);
        ds_buf_clear(&text);
        return false;
    }
    if (!own_address(server->listener, host, &text)) {
        ds_buf_clear(&text);
        return system_error(err, "listen on", host);
    }
    if (!set_text(&server->address, &text, err)) {
        return false;
    }
    ds_buf_printf(&text, "mongodb://%s/?directConnection=true", server->address);
    return set_text(&server->uri, &text, err);
}

static void *connection_thread(void *arg) {
    ds__wire_connection *connection = arg;
    ds__wire_server *server = connection->server;
    ds__wire_serve(connection);
    ds__wire_abandon_transactions(connection);
    pthread_mutex_lock(&server->lock);
    *connection->link = connection->next;
    if (connection->next) {
        connection->next->link = connection->link;
    }
    close(connection->fd); /* under the lock: stop() may shut it down */
    server->count--;
    pthread_cond_broadcast(&server->ended);
    pthread_mutex_unlock(&server->lock);
    ds__free(connection);
    return NULL;
}

/* The address the client used: a TCP server on all interfaces has many. */
static void name_connection(ds__wire_connection *connection) {
    ds_buf text = {0};
    const char *shown = connection->server->address;
    if (!connection->server->socket && own_address(connection->fd, NULL, &text)) {
        ds_buf_add_byte(&text, 0);
        shown = text.failed ? shown : (const char *)text.data;
    }
    snprintf(connection->me, sizeof connection->me, "%s", shown);
    ds_buf_clear(&text);
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
    return true;
}

static void accept_one(ds__wire_server *server) {
    int one = 1;
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
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
    pthread_mutex_lock(&server->lock);
    bool served = !atomic_load(&server->stopping) && server->count < server->max_connections &&
                  start_connection(server, fd);
    pthread_mutex_unlock(&server->lock);
    if (!served) {
        close(fd);
    }
}

static void *accept_thread(void *arg) {
    ds__wire_server *server = arg;
    while (!atomic_load(&server->stopping)) {
        struct pollfd fds[2] = {{.fd = server->listener, .events = POLLIN},
                                {.fd = server->wake, .events = POLLIN}};
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
                             strerrordesc_np(failed));
    }
    return true;
}

static void free_server(ds__wire_server *server, bool ours) {
    if (server->listener >= 0) {
        close(server->listener);
    }
    if (server->wake >= 0) {
        close(server->wake);
    }
    if (ours && server->socket) {
        unlink(server->socket);
    }
    if (ours && server->folder) {
        rmdir(server->folder);
    }
    ds__free(server->socket);
    ds__free(server->folder);
    ds__free(server->address);
    ds__free(server->uri);
    if (ours) {
        pthread_mutex_destroy(&server->lock);
        pthread_cond_destroy(&server->ended);
    }
    ds__free(server);
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
    server->process = getpid();
    server->max_connections =
        options->max_connections > 0 ? options->max_connections : DEFAULT_CONNECTIONS;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->ended, NULL);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool ok = server->wake >= 0 ? true : system_error(err, "make", "an event");
    if (ok) {
        ok = options->socket ? listen_unix(server, options->socket, err)
                             : listen_tcp(server, options->host ? options->host : "127.0.0.1",
                                          options->port, err);
    }
    if (!ok || !start_thread(server, err)) {
        free_server(server, true);
        return NULL;
    }
    return server;
}

void ds__wire_stop(ds__wire_server *server) {
    if (!server) {
        return;
    }
    if (server->process != getpid()) {
        free_server(server, false);
        return;
    }
    uint64_t one = 1;
    atomic_store(&server->stopping, true);
    if (write(server->wake, &one, sizeof one) < 0) {
        ds_assert(errno == EAGAIN); /* readable already */
    }
    pthread_join(server->acceptor, NULL);
    pthread_mutex_lock(&server->lock);
    for (ds__wire_connection *c = server->connections; c; c = c->next) {
        shutdown(c->fd, SHUT_RDWR);
    }
    while (server->count > 0) {
        pthread_cond_wait(&server->ended, &server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    free_server(server, true);
}

const char *ds__wire_address(const ds__wire_server *server) {
    return server->address;
}

const char *ds__wire_uri(const ds__wire_server *server) {
    return server->uri;
}

int ds__wire_connections(ds__wire_server *server) {
    pthread_mutex_lock(&server->lock);
    int count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}
