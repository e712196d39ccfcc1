/* SPDX-License-Identifier: Apache-2.0 */
/* Why a server cannot be reached. libmongoc says which address failed but not the system's reason;
 * one more attempt, without waiting, finds it out for the error message. */
#include "remote/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/system.h"

enum { PROBE_WAIT_MS = 100, PROBE_HOSTS = 3 };

/* 0 when something accepts the connection, or the system's error number. */
static int try_address(const struct sockaddr *address, socklen_t size) {
    int fd = ds__socket(address->sa_family, false);
    if (fd < 0) {
        return errno;
    }
    int reason = 0;
    if (connect(fd, address, size) != 0) {
        reason = errno;
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t length = sizeof reason;
        if (reason == EINPROGRESS && poll(&wait, 1, PROBE_WAIT_MS) == 1) {
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length);
        } else if (reason == EINPROGRESS) {
            reason = ETIMEDOUT;
        }
    }
    close(fd);
    return reason;
}

static void probe_host(const mongoc_host_list_t *host, char *out, size_t size) {
    if (host->family == AF_UNIX) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        memcpy(path.sun_path, host->host, strnlen(host->host, sizeof path.sun_path - 1));
        int reason = try_address((struct sockaddr *)&path, sizeof path);
        snprintf(out, size, "%s", reason ? ds__system_error(reason) : "");
        return;
    }
    char port[8];
    snprintf(port, sizeof port, "%u", host->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(host->host, port, &hints, &found);
    if (failed) {
        snprintf(out, size, "%s", gai_strerror(failed));
        return;
    }
    int reason = 0;
    for (struct addrinfo *a = found; a; a = a->ai_next) {
        reason = try_address(a->ai_addr, a->ai_addrlen);
        if (reason == 0) {
            break;
        }
    }
    freeaddrinfo(found);
    snprintf(out, size, "%s", reason ? ds__system_error(reason) : "");
}

void ds__remote_explain(ds_error *err, const mongoc_uri_t *uri) {
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
    for (int i = 0; host && i < PROBE_HOSTS; i++, host = host->next) {
        char reason[120] = "";
        probe_host(host, reason, sizeof reason);
        size_t at = strlen(err->message);
        if (reason[0]) {
            snprintf(err->message + at, sizeof err->message - at, "%s%s: %s", i ? ", " : " - ",
                     host->host_and_port, reason);
        }
    }
}
