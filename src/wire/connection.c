/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: read a message, run its command, write the reply. A hello that waits for news of
 * the topology is answered when its time is up; with exhaust it goes on without being asked. */
#include "wire/internal.h"

#include <errno.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "bson/compare.h"
#include "bson/writer.h"
#include "wire/frame.h"

enum { READ_STEP = 256 * 1024, KEEP_BYTES = 4 * 1024 * 1024 };

typedef struct talk {
    /* owned */
    ds_buf in;     /* the message */
    ds_buf merged; /* its command, when it came in sections */
    ds_buf reply;  /* the engine's reply */
    ds_buf out;    /* the message that answers */
    /* borrowed */
    ds__wire_connection *connection;
    ds__engine_peer peer;
    /* plain */
    int32_t next_id;
} talk;

static bool stopping(const talk *t) {
    return atomic_load(&t->connection->server->stopping);
}

/* Reads exactly `size` more bytes into t->in; false at the end of the connection. Memory grows with
 * what has come, not with what a header promises. */
static bool read_bytes(talk *t, size_t size) {
    while (size > 0) {
        size_t step = size < READ_STEP ? size : READ_STEP;
        uint8_t *to = ds_buf_reserve(&t->in, step);
        if (!to) {
            return false;
        }
        ssize_t got = recv(t->connection->fd, to, step, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        t->in.size += (size_t)got;
        size -= (size_t)got;
    }
    return true;
}

static bool write_bytes(talk *t, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(t->connection->fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* A buffer that one large message has grown gives its memory back. */
static void calm(ds_buf *buf) {
    if (buf->cap > KEEP_BYTES) {
        size_t max = buf->max;
        ds_buf_clear(buf);
        ds_buf_init(buf, max);
    }
    ds_buf_reset(buf);
}

static void write_error(ds_buf *reply, const ds_error *err) {
    char name[32];
    ds_buf_reset(reply);
    size_t root = ds__doc_begin(reply);
    ds__write_double(reply, "ok", 0);
    ds__write_str(reply, "errmsg", err->message);
    ds__write_int32(reply, "code", err->code);
    ds__write_str(reply, "codeName", ds__code_name(err->code, name));
    ds__doc_end(reply, root);
}

static bool send_reply(talk *t, const ds__wire_request *request, uint32_t flags) {
    ds__wire_begin_reply(&t->out, request, flags, ++t->next_id);
    ds_buf_add(&t->out, t->reply.data, t->reply.size);
    ds__wire_finish_reply(&t->out);
    return !t->out.failed && write_bytes(t, t->out.data, t->out.size);
}

/* The name of the command is that of its first field. */
static bool is_hello(ds_value command) {
    ds__iter it;
    ds__iter_init(&it, command);
    return ds__iter_next(&it) &&
           (strcasecmp(it.key, "hello") == 0 || strcasecmp(it.key, "ismaster") == 0);
}

/* Runs into t->reply, whatever comes of it. */
static void run(talk *t, const ds__wire_request *request) {
    ds_error err = {0};
    const char *db = request->db[0] ? request->db : "admin";
    ds_buf_reset(&t->reply);
    if (!request->legacy && ds__doc_field(request->command, "$db").type != DS_STRING) {
        ds__error_set(&err, 40571, "OP_MSG requests require a $db argument");
        write_error(&t->reply, &err);
        return;
    }
    if (request->legacy && !is_hello(request->command)) {
        ds__error_set(&err, 352, "Unsupported OP_QUERY command: only the first hello may use it");
        write_error(&t->reply, &err);
        return;
    }
    ds__wire_note_transaction(t->connection, request->command);
    if (!ds__engine_run(t->connection->server->engine, &t->peer, db, request->command, &t->reply,
                        &err)) {
        write_error(&t->reply, &err);
    }
}

/* Waits until the client hangs up or sends something, the server stops, or the time is over. True
 * when the time was over. */
static bool wait_for_news(talk *t, int64_t ms) {
    int64_t until = ds__clock_mono_us() / 1000 + ms;
    for (;;) {
        int64_t left = until - ds__clock_mono_us() / 1000;
        if (left <= 0) {
            return true;
        }
        struct pollfd fds[2] = {
            {.fd = t->connection->fd, .events = POLLIN | POLLRDHUP},
            {.fd = t->connection->server->wake, .events = POLLIN},
        };
        int n = poll(fds, 2, left > 3600000 ? 3600000 : (int)left);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            return false;
        }
    }
}

/* How long a hello may wait: its topologyVersion is the present one and it names a time; else 0. */
static int64_t hello_wait(const talk *t, ds_value command) {
    ds_value known = ds__doc_field(command, "topologyVersion");
    int64_t ms = 0;
    if (known.type != DS_DOCUMENT ||
        !ds__value_exact_int64(ds__doc_field(command, "maxAwaitTimeMS"), &ms) || ms <= 0) {
        return 0;
    }
    ds_value now = ds__doc_field(ds__document(t->reply.data), "topologyVersion");
    return now.type == DS_DOCUMENT && ds__value_equal(known, now, NULL) ? ms : 0;
}

/* Answers a hello; with exhaust, again and again. False: the connection is over. */
static bool answer_hello(talk *t, const ds__wire_request *request) {
    bool exhaust = request->flags & DS_WIRE_EXHAUST_ALLOWED;
    run(t, request);
    for (;;) {
        int64_t ms = request->legacy ? 0 : hello_wait(t, request->command);
        if (ms > 0) {
            if (!wait_for_news(t, ms)) {
                /* something to read: answer what was asked first; or it is over */
                return !stopping(t) && send_reply(t, request, 0);
            }
            run(t, request);
        }
        bool more = exhaust && ms > 0;
        if (!send_reply(t, request, more ? DS_WIRE_MORE_TO_COME : 0) || stopping(t)) {
            return false;
        }
        if (!more) {
            return true;
        }
    }
}

/* Handles the message in t->in. False: the connection is over. */
static bool answer(talk *t) {
    ds__wire_request request;
    ds_error err = {0};
    bool parsed = ds__wire_parse(t->in.data, t->in.size, &t->merged, &request, &err);
    bool silent = request.flags & DS_WIRE_MORE_TO_COME;
    if (!parsed) {
        if (err.code == DS_PROTOCOL_ERROR) {
            return false;
        }
        write_error(&t->reply, &err);
        return silent || send_reply(t, &request, 0);
    }
    if (is_hello(request.command) && !silent) {
        return answer_hello(t, &request);
    }
    run(t, &request);
    return silent || send_reply(t, &request, 0);
}

void ds__wire_serve(ds__wire_connection *connection) {
    talk t = {.connection = connection};
    t.peer =
        (ds__engine_peer){.me = connection->me, .connection_id = connection->id, .remember = true};
    ds_buf_init(&t.in, DS_MAX_MESSAGE_SIZE);
    ds_buf_init(&t.merged, (size_t)2 * DS_MAX_MESSAGE_SIZE);
    ds_buf_init(&t.reply, DS_MAX_MESSAGE_SIZE);
    ds_buf_init(&t.out, DS_MAX_MESSAGE_SIZE + 64);
    ds__wire_header header;
    ds_error err;
    while (!stopping(&t)) {
        calm(&t.in);
        calm(&t.merged);
        calm(&t.reply);
        calm(&t.out);
        if (!read_bytes(&t, DS_WIRE_HEADER) || !ds__wire_read_header(t.in.data, &header, &err) ||
            !read_bytes(&t, (size_t)header.size - DS_WIRE_HEADER) || !answer(&t)) {
            break;
        }
    }
    ds_buf_clear(&t.in);
    ds_buf_clear(&t.merged);
    ds_buf_clear(&t.reply);
    ds_buf_clear(&t.out);
}
