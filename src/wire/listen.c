/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket: a Unix one, in a private folder when no path is given, or TCP. */
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/system.h"
#include "client/uri.h"
#include "wire/internal.h"

enum { BACKLOG = 128, STALE_SECONDS = 60, MAX_BASE = 64 };

static const char folder_prefix[] = "docstore-";

static bool system_error(ds_error *err, const char *what, const char *where) {
    int32_t code = errno == EADDRINUSE ? DS_ALREADY_INITIALIZED : DS_OPERATION_FAILED;
    return ds__error_set(err, code, "cannot %s %s: %s", what, where, ds__system_error(errno));
}

static bool set_text(char **out, ds_buf *buf, ds_error *err) {
    ds_buf_add_byte(buf, 0);
    *out = (char *)ds_buf_take(buf, &(size_t){0});
    return *out ? true : ds__error_oom(err);
}

/* Whether something still answers on a Unix socket. */
static bool is_alive(const struct sockaddr_un *path) {
    int fd = ds__socket(AF_UNIX, true);
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

/* Whether PyMongo finds a socket in this folder: it lower-cases the names a replica set gives its
 * members, and takes what follows a ':' for a port. */
static bool is_plain(const char *path) {
    for (const char *p = path; *p; p++) {
        if ((*p >= 'A' && *p <= 'Z') || *p == ':') {
            return false;
        }
    }
    return *path == '/';
}

/* Where private folders may stand. */
static const char *find_base(void) {
    const char *const bases[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp", "/var/tmp",
                                 "/dev/shm"};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        if (bases[i] && is_plain(bases[i]) && strlen(bases[i]) <= MAX_BASE &&
            access(bases[i], W_OK | X_OK) == 0) {
            return bases[i];
        }
    }
    return NULL;
}

/* As mkdtemp, with lower-case letters only. */
static bool make_private(const char *base, char **out, ds_error *err) {
    static const char letters[32] = "abcdefghijklmnopqrstuvwxyz234567";
    for (int tries = 0; tries < 100; tries++) {
        uint8_t random[10];
        ds_buf text = {0};
        ds__random_bytes(random, sizeof random);
        for (size_t i = 0; i < sizeof random; i++) {
            random[i] = (uint8_t)letters[random[i] & 31];
        }
        ds_buf_printf(&text, "%s/%s%.*s", base, folder_prefix, (int)sizeof random,
                      (const char *)random);
        if (!set_text(out, &text, err)) {
            return false;
        }
        if (mkdir(*out, 0700) == 0) {
            return true;
        }
        int reason = errno;
        ds__free(*out);
        *out = NULL;
        errno = reason;
        if (reason != EEXIST) {
            break;
        }
    }
    return system_error(err, "make a folder in", base);
}

static bool make_folder(ds__wire_server *server, ds_error *err) {
    const char *base = find_base();
    if (!base) {
        return ds__error_set(err, DS_OPERATION_FAILED,
                             "no folder for a socket: set XDG_RUNTIME_DIR or TMPDIR to one that "
                             "may be written and whose path is short, in lower case and without "
                             "':', as PyMongo needs it");
    }
    remove_stale_folders(base);
    ds_buf text = {0};
    if (!make_private(base, &server->folder, err)) {
        return false;
    }
    ds_buf_printf(&text, "%s/mongodb.sock", server->folder);
    return set_text(&server->socket, &text, err);
}

bool ds__wire_listen_unix(ds__wire_server *server, const char *path, ds_error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!*path) {
        if (!make_folder(server, err)) {
            return false;
        }
    } else {
        size_t n = strlen(path);
        if (n < 5 || strcmp(path + n - 5, ".sock") != 0) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "no driver would find the socket '%s': its name must end in .sock",
                                 path);
        }
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
    server->listener = ds__socket(AF_UNIX, false);
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
    int fd = ds__socket(a->ai_family, false);
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

bool ds__wire_address_of(int fd, bool peer, const char *host, ds_buf *text) {
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    char numeric[64], port[8];
    int failed = peer ? getpeername(fd, (struct sockaddr *)&name, &size)
                      : getsockname(fd, (struct sockaddr *)&name, &size);
    if (failed || getnameinfo((struct sockaddr *)&name, size, numeric, sizeof numeric, port,
                              sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return false;
    }
    const char *shown = host ? host : numeric;
    ds_buf_printf(text, strchr(shown, ':') ? "[%s]:%s" : "%s:%s", shown, port);
    return true;
}

/* Whether only this machine reaches an address. */
static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, address, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

bool ds__wire_listen_tcp(ds__wire_server *server, const char *host, uint16_t port,
                         bool allow_remote, ds_error *err) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    int failed = getaddrinfo(host, service, &hints, &found);
    if (failed) {
        return ds__error_set(err, DS_HOST_NOT_FOUND, "cannot listen on '%s': %s", host,
                             gai_strerror(failed));
    }
    for (struct addrinfo *a = found; a && !allow_remote; a = a->ai_next) {
        if (!is_loopback(a->ai_addr)) {
            freeaddrinfo(found);
            return ds__error_set(err, DS_ILLEGAL_OPERATION,
                                 "other machines reach '%s', and nobody has to log in: listen on "
                                 "127.0.0.1 or on a Unix socket, or allow it (--allow-remote) "
                                 "where the network keeps others out",
                                 host);
        }
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
    if (!ds__wire_address_of(server->listener, false, host, &text)) {
        ds_buf_clear(&text);
        return system_error(err, "listen on", host);
    }
    if (!set_text(&server->address, &text, err)) {
        return false;
    }
    ds_buf_printf(&text, "mongodb://%s/?directConnection=true", server->address);
    return set_text(&server->uri, &text, err);
}
