/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to the server: the bytes a client sends, in the portions it sends them, as it
 * leaves. The first byte says how: 1 hang up without reading, 2 end within the last message, the
 * rest how long portions are. Beside memory is checked that all that comes back are valid replies,
 * that the next client is served, and that the server ends. */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/client.h"
#include "wire/frame.h"
#include "wire/wire.h"

enum { HANG_UP = 1, CUT = 2, PORTION = 4, STALL_MS = 5000 };

#define must(what) ((what) ? (void)0 : fail(#what, __LINE__))

static void fail(const char *what, int line) {
    fprintf(stderr, "line %d: not so: %s\n", line, what);
    abort();
}

static int dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* As recv(), but libFuzzer's timer does not end it. */
static ssize_t receive(int fd, void *out, size_t size) {
    ssize_t got;
    do {
        got = recv(fd, out, size, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

static bool receive_all(int fd, void *out, size_t size) {
    uint8_t *to = out;
    while (size > 0) {
        ssize_t got = receive(fd, to, size);
        if (got <= 0) {
            return false;
        }
        to += got;
        size -= (size_t)got;
    }
    return true;
}

/* False when the server has closed the connection. */
static bool send_all(int fd, const uint8_t *data, size_t size, size_t portion) {
    while (size > 0) {
        size_t n = portion > 0 && portion < size ? portion : size;
        ssize_t sent = send(fd, data, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

static void read_all(int fd, ds_buf *out) {
    uint8_t part[16384];
    ssize_t got;
    while ((got = receive(fd, part, sizeof part)) > 0) {
        ds_buf_add(out, part, (size_t)got);
    }
}

/* How much of a message goes before its document. */
static size_t check_head(const ds__wire_header *header) {
    must(header->opcode == DS_WIRE_OP_MSG || header->opcode == DS_WIRE_OP_REPLY);
    return DS_WIRE_HEADER + (header->opcode == DS_WIRE_OP_MSG ? 5 : 20);
}

/* Whole replies, one behind the other; returns how many. */
static size_t check_replies(const ds_buf *in) {
    size_t count = 0;
    for (size_t at = 0; at < in->size; count++) {
        ds__wire_header header;
        ds_error err;
        must(in->size - at >= DS_WIRE_HEADER && ds__wire_read_header(in->data + at, &header, &err));
        size_t size = (size_t)header.size, head = check_head(&header);
        must(size <= in->size - at && size > head);
        must(ds__bson_validate(in->data + at + head, size - head, 2 * DS_MAX_COMMAND_DEPTH, &err));
        at += size;
    }
    return count;
}

/* One reply, of a client that stays: the command of one that hangs up may be ended. */
static void read_reply(int fd, ds_buf *out) {
    uint8_t head[DS_WIRE_HEADER];
    ds__wire_header header;
    ds_error err;
    must(receive_all(fd, head, sizeof head));
    must(ds__wire_read_header(head, &header, &err));
    size_t rest = (size_t)header.size - sizeof head;
    ds_buf_add(out, head, sizeof head);
    uint8_t *body = ds_buf_reserve(out, rest);
    must(body != NULL && receive_all(fd, body, rest));
    out->size += rest;
}

static void must_serve(const char *path) {
    ds_buf message = {0}, replies = {0};
    int32_t header[4] = {0, 1, 0, DS_WIRE_OP_MSG};
    ds_buf_add(&message, header, sizeof header);
    ds_buf_add(&message, "\0\0\0\0", 5);
    size_t root = ds__doc_begin(&message);
    ds__write_int32(&message, "ping", 1);
    ds__write_str(&message, "$db", "admin");
    ds__doc_end(&message, root);
    header[0] = (int32_t)message.size;
    memcpy(message.data, header, sizeof header[0]);
    int fd = dial(path);
    must(send_all(fd, message.data, message.size, 0));
    read_reply(fd, &replies);
    must(check_replies(&replies) == 1);
    close(fd);
    ds_buf_clear(&message);
    ds_buf_clear(&replies);
}

static void talk(const char *path, uint8_t how, const uint8_t *data, size_t size) {
    ds_buf replies = {0};
    int fd = dial(path);
    size_t sent = how & CUT && size > 0 ? size - 1 : size;
    send_all(fd, data, sent, (size_t)(how / PORTION) * 5);
    if (!(how & HANG_UP)) {
        shutdown(fd, SHUT_WR);
        read_all(fd, &replies);
        check_replies(&replies);
    }
    close(fd);
    ds_buf_clear(&replies);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const ds__wire_options options = {.socket = "", .stall_ms = STALL_MS, .idle_ms = STALL_MS};
    ds_error err = {0};
    if (size < 2) {
        return 0;
    }
    ds_client *client = ds_client_open("docstore://:memory:", NULL, &err);
    must(client != NULL);
    ds__wire_server *server = ds__wire_start(client, &options, &err);
    must(server != NULL);
    talk(ds__wire_address(server), data[0], data + 1, size - 1);
    must_serve(ds__wire_address(server));
    ds__wire_stop(server);
    ds_client_close(client);
    return 0;
}
