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
#include "base/system.h"
#include "bson/compare.h"
#include "bson/writer.h"
#include "wire/frame.h"

enum { READ_STEP = 256 * 1024, KEEP_BYTES = 1024 * 1024 };

/* The slowest client whose messages are waited for, and how long an answer waits for room. */
enum { BYTES_PER_MS = 256, ROOM_MS = 2000, MAX_HELLO_MS = 10 * 60 * 1000 };

typedef struct talk {
    /* owned */
    ds_buf in;     /* the message */
    ds_buf merged; /* its command, when it came in sections */
    ds_buf reply;  /* the engine's reply */
    ds_buf out;    /* the head of the message that answers */
    size_t room;   /* reserved for the message or the answer */
    /* borrowed */
    ds__wire_connection *connection;
    ds__engine_peer peer;
    /* plain */
    int32_t next_id;
    bool silent; /* nobody waits for an answer to what runs */
    bool large;  /* it has handled much at once */
} talk;

static bool stopping(const talk *t) {
    return atomic_load(&t->connection->server->stopping);
}

static int64_t now_ms(void) {
    return ds__clock_mono_us() / 1000;
}

/* What ends the command that runs: the server's stop, or the client's going away. */
static int32_t interrupt(void *ctx) {
    const talk *t = ctx;
    if (stopping(t)) {
        return DS_INTERRUPTED_AT_SHUTDOWN;
    }
    return !t->silent && ds__hung_up(t->connection->fd) ? DS_CLIENT_DISCONNECT : 0;
}

static void release(talk *t) {
    ds__wire_release(t->connection->server, t->room);
    t->room = 0;
}

static bool reserve(talk *t, size_t size, int64_t wait_ms) {
    if (size <= DS_WIRE_LARGE) {
        return true;
    }
    t->large = true;
    if (ds__wire_reserve(t->connection->server, size, wait_ms)) {
        t->room = size;
    }
    return t->room > 0;
}

/* Gives back memory that one large message has taken. */
static void calm(ds_buf *buf) {
    if (buf->cap > KEEP_BYTES) {
        size_t max = buf->max;
        ds_buf_clear(buf);
        ds_buf_init(buf, max);
    }
    ds_buf_reset(buf);
}

/* One recv of at most `size` bytes into t->in; *timeout when none came for a while. Memory grows
 * with what has come, not with what a header promises. */
static size_t receive(talk *t, size_t size, bool *timeout) {
    size_t step = size < READ_STEP ? size : READ_STEP;
    uint8_t *to = ds_buf_reserve(&t->in, step);
    ssize_t got;
    *timeout = false;
    if (!to) {
        return 0;
    }
    do {
        got = recv(t->connection->fd, to, step, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        *timeout = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        return 0;
    }
    t->in.size += (size_t)got;
    return (size_t)got;
}

/* Waits for the next message's first bytes, at most as long as a connection may be idle. A client
 * that has never asked for anything gets less time. */
static bool read_first(talk *t) {
    const ds__wire_server *server = t->connection->server;
    int64_t since = now_ms();
    int64_t limit = t->next_id == 0 ? server->stall_ms : server->idle_ms;
    bool timeout;
    atomic_store(&t->connection->idle_since, since);
    size_t got;
    do {
        got = receive(t, DS_WIRE_HEADER, &timeout);
    } while (timeout && (limit < 0 || now_ms() - since < limit));
    atomic_store(&t->connection->idle_since, 0);
    return got > 0;
}

/* Reads until t->in has `size` bytes; false when the client stops or is too slow. */
static bool read_rest(talk *t, size_t size, int64_t began) {
    int64_t stall = t->connection->server->stall_ms;
    int64_t until = began + stall + (int64_t)size / BYTES_PER_MS;
    int64_t last = now_ms();
    bool timeout = false;
    while (t->in.size < size) {
        size_t got = receive(t, size - t->in.size, &timeout);
        int64_t now = now_ms();
        if ((got == 0 && (!timeout || now - last >= stall)) || now > until) {
            return false;
        }
        last = got > 0 ? now : last;
    }
    return true;
}

/* Reads a message into t->in. False: the connection is over. */
static bool read_message(talk *t) {
    ds__wire_header header;
    ds_error err;
    if (!read_first(t)) {
        return false;
    }
    int64_t began = now_ms();
    if (!read_rest(t, DS_WIRE_HEADER, began) || !ds__wire_read_header(t->in.data, &header, &err)) {
        return false;
    }
    /* twice: a command that comes in sections is put together */
    return reserve(t, (size_t)header.size <= DS_WIRE_LARGE ? 0 : (size_t)header.size * 2,
                   t->connection->server->stall_ms) &&
           read_rest(t, (size_t)header.size, now_ms());
}

static bool write_bytes(talk *t, const uint8_t *bytes, size_t size, bool more) {
    int64_t until = now_ms() + t->connection->server->stall_ms + (int64_t)size / BYTES_PER_MS;
    while (size > 0) {
        ssize_t sent = ds__send(t->connection->fd, bytes, size, more);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false; /* EAGAIN too: the client does not read */
        }
        bytes += sent;
        size -= (size_t)sent;
        if (size > 0 && now_ms() > until) {
            return false;
        }
    }
    return true;
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
    if (!reserve(t, t->reply.size, ROOM_MS)) {
        ds_error err;
        ds__error_set(&err, DS_EXCEEDED_MEMORY_LIMIT,
                      "too many large answers wait for clients to read them");
        calm(&t->reply);
        write_error(&t->reply, &err);
    }
    ds_buf_reset(&t->out);
    ds__wire_begin_reply(&t->out, request, flags, ++t->next_id);
    ds__wire_finish_reply(&t->out, t->reply.size);
    bool ok = !t->out.failed && !t->reply.failed &&
              write_bytes(t, t->out.data, t->out.size, true) &&
              write_bytes(t, t->reply.data, t->reply.size, false);
    release(t);
    return ok;
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
            {.fd = t->connection->fd, .events = POLLIN},
            {.fd = t->connection->server->wake.reads, .events = POLLIN},
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
    if (now.type != DS_DOCUMENT || !ds__value_equal(known, now, NULL)) {
        return 0;
    }
    return ms < MAX_HELLO_MS ? ms : MAX_HELLO_MS;
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
    t->silent = request.flags & DS_WIRE_MORE_TO_COME;
    if (!parsed) {
        if (err.code == DS_PROTOCOL_ERROR) {
            return false;
        }
        write_error(&t->reply, &err);
        return t->silent || send_reply(t, &request, 0);
    }
    if (is_hello(request.command) && !t->silent) {
        return answer_hello(t, &request);
    }
    run(t, &request);
    if (t->room > 0) { /* of the message, which is not needed any more */
        calm(&t->in);
        calm(&t->merged);
        release(t);
    }
    return t->silent || send_reply(t, &request, 0);
}

void ds__wire_serve(ds__wire_connection *connection) {
    talk t = {.connection = connection};
    t.peer = (ds__engine_peer){.me = connection->me,
                               .client = connection->client,
                               .interrupt = interrupt,
                               .ctx = &t,
                               .connection_id = connection->id,
                               .remember = true};
    ds_buf_init(&t.in, DS_MAX_MESSAGE_SIZE);
    ds_buf_init(&t.merged, (size_t)2 * DS_MAX_MESSAGE_SIZE);
    ds_buf_init(&t.reply, DS_MAX_MESSAGE_SIZE);
    while (!stopping(&t) && read_message(&t) && answer(&t)) {
        release(&t);
        calm(&t.in);
        calm(&t.merged);
        calm(&t.reply);
    }
    release(&t);
    ds_buf_clear(&t.in);
    ds_buf_clear(&t.merged);
    ds_buf_clear(&t.reply);
    ds_buf_clear(&t.out);
    connection->large = t.large;
}
