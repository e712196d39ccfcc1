/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine as a backend: docstore:// URIs, and sessions as fields of the command, as any
 * driver writes them on the wire. */
#include "client/client.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bson/writer.h"
#include "client/uri.h"
#include "engine/engine.h"

typedef struct embedded {
    ds__backend base;
    /* owned */
    ds_engine *engine;
    /* borrowed from the caller */
    ds_interrupt_fn interrupt; /* may be NULL */
    void *interrupt_ctx;
} embedded;

typedef enum txn_state { TXN_NONE, TXN_STARTING, TXN_RUNNING, TXN_ENDED } txn_state;

struct ds__backend_session {
    /* owned */
    bson_t lsid;
    bson_t txn_options; /* readConcern, writeConcern, maxCommitTimeMS of the transaction */
    /* borrowed from the client */
    embedded *store;
    /* plain */
    int64_t txn_number;
    txn_state state;
    bool committed; /* how an ended transaction ended */
};

/* A bson_t cannot take over memory of ours, so the reply is copied once. */
static bool copy_reply(const ds_buf *buf, bson_t *reply, ds_error *err) {
    uint8_t *to = bson_reserve_buffer(reply, (uint32_t)buf->size);
    if (!to) {
        bson_reinit(reply);
        return ds__error_oom(err);
    }
    memcpy(to, buf->data, buf->size);
    return true;
}

static int32_t ask_caller(void *ctx) {
    const embedded *store = ctx;
    return store->interrupt(store->interrupt_ctx) ? DS_INTERRUPTED : 0;
}

/* What tidies up is not interrupted: it takes no time, and nobody would do it again. */
static bool tidies(ds_value command) {
    static const char *const names[] = {"abortTransaction", "commitTransaction", "endSessions",
                                        "killCursors"};
    ds__iter it;
    ds__iter_init(&it, command);
    bool found = false;
    if (ds__iter_next(&it)) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            found = found || strcmp(names[i], it.key) == 0;
        }
    }
    return found;
}

static bool run_unheard(embedded *store, const char *db, ds_value command, bson_t *reply,
                        ds_error *err) {
    bool asks = store->interrupt && !tidies(command);
    const ds__engine_peer caller = {.interrupt = asks ? ask_caller : NULL, .ctx = store};
    bson_init(reply);
    ds_buf buf;
    ds_buf_init(&buf, DS_MAX_MESSAGE_SIZE + DS_MAX_INTERNAL_SIZE);
    bool ok = ds__engine_run(store->engine, &caller, db, command, &buf, err) &&
              ds_buf_ok(&buf, err) && copy_reply(&buf, reply, err);
    ds_buf_clear(&buf);
    return ok;
}

/* Every command of the client comes by here. */
static bool run_value(embedded *store, const char *db, ds_value command, bson_t *reply,
                      ds_error *err) {
    if (!store->base.monitor) {
        return run_unheard(store, db, command, reply, err);
    }
    bson_t view;
    ds__iter it;
    ds__iter_init(&it, command);
    if (!ds__iter_next(&it) || !bson_init_static(&view, command.as.bytes, command.size)) {
        bson_init(reply);
        return ds__error_set(err, DS_BAD_VALUE, "the command document is empty");
    }
    ds_command_event event = {.kind = DS_EVENT_STARTED, .name = it.key, .db = db, .body = &view};
    store->base.monitor(store->base.monitor_ctx, &event);
    int64_t begun = ds__clock_mono_us();
    bool ran = run_unheard(store, db, command, reply, err);
    bool ok = ran && ds__value_truthy(ds__doc_field(ds__document(bson_get_data(reply)), "ok"));
    event = (ds_command_event){.kind = ok ? DS_EVENT_SUCCEEDED : DS_EVENT_FAILED,
                               .name = it.key,
                               .body = ran ? reply : NULL,
                               .error = ran ? NULL : err,
                               .duration_us = ds__clock_mono_us() - begun};
    store->base.monitor(store->base.monitor_ctx, &event);
    return ran;
}

/* The fields a session adds to its commands. */
static void write_session(ds_buf *buf, ds__backend_session *session, ds_value command) {
    bool in_txn = session->state == TXN_STARTING || session->state == TXN_RUNNING;
    ds__iter it;
    ds__iter_init(&it, command);
    while (ds__iter_next(&it)) {
        bool ours = (it.key_size == 4 && memcmp(it.key, "lsid", 4) == 0) ||
                    (in_txn && it.key_size == 12 && memcmp(it.key, "writeConcern", 12) == 0);
        if (!ours) {
            ds_buf_add(buf, it.element, it.element_size);
        }
    }
    ds__write_value(buf, "lsid", 4, ds__document(bson_get_data(&session->lsid)));
    if (in_txn) {
        ds__write_int64(buf, "txnNumber", session->txn_number);
        ds__write_bool(buf, "autocommit", false);
    }
    if (session->state == TXN_STARTING) {
        ds__write_bool(buf, "startTransaction", true);
        ds_value concern =
            ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "readConcern");
        if (concern.type == DS_DOCUMENT &&
            ds__doc_field(command, "readConcern").type == DS_MISSING) {
            ds__write_value(buf, "readConcern", 11, concern);
        }
        ds__write_value(
            buf, "savepoints", 10,
            ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "savepoints"));
    }
}

static bool run_in_session(embedded *store, ds__backend_session *session, const char *db,
                           ds_value command, bson_t *reply, ds_error *err) {
    if (session->state == TXN_ENDED) {
        session->state = TXN_NONE;
    }
    ds_buf buf;
    ds_buf_init(&buf, DS_MAX_MESSAGE_SIZE + DS_MAX_INTERNAL_SIZE);
    size_t root = ds__doc_begin(&buf);
    write_session(&buf, session, command);
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok) {
        ok = run_value(store, db, ds__document(buf.data), reply, err);
        if (session->state == TXN_STARTING) {
            session->state = TXN_RUNNING;
        }
    } else {
        bson_init(reply);
    }
    ds_buf_clear(&buf);
    return ok;
}

static bool embedded_run(ds__backend *self, ds__backend_session *session, ds__backend_pin **pin,
                         const char *db, const bson_t *command, bson_t *reply, ds_error *err) {
    embedded *store = (embedded *)self;
    ds_value value = ds__document(bson_get_data(command));
    if (session) {
        return run_in_session(store, session, db, value, reply, err);
    }
    return run_value(store, db, value, reply, err);
}

static bool embedded_warning(ds__backend *self, size_t n, char *out, size_t size) {
    return ds__engine_warning(((embedded *)self)->engine, n, out, size);
}

static void embedded_close(ds__backend *self) {
    embedded *store = (embedded *)self;
    ds__engine_close(store->engine);
    ds__free(store);
}

static void set_interrupt(ds__backend *self, ds_interrupt_fn interrupt, void *ctx) {
    embedded *store = (embedded *)self;
    store->interrupt = interrupt;
    store->interrupt_ctx = ctx;
}

static void interrupt(ds__backend *self) {
    ds__engine_interrupt(((embedded *)self)->engine);
}

static ds__backend_session *session_open(ds__backend *self, const bson_t *options, ds_error *err) {
    ds__backend_session *session = DS_ALLOC_AS(ds__backend_session);
    if (!session) {
        ds__error_oom(err);
        return NULL;
    }
    uint8_t id[16];
    ds__random_bytes(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* a random UUID, RFC 4122 version 4 */
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    session->store = (embedded *)self;
    bson_init(&session->lsid);
    bson_init(&session->txn_options);
    BSON_APPEND_BINARY(&session->lsid, "id", BSON_SUBTYPE_UUID, id, sizeof id);
    return session;
}

static bool begin(ds__backend_session *session, const bson_t *options, ds_error *err) {
    bson_destroy(&session->txn_options);
    if (options) {
        bson_copy_to(options, &session->txn_options);
    } else {
        bson_init(&session->txn_options);
    }
    session->txn_number++;
    session->state = TXN_STARTING;
    return true;
}

static bool reply_ok(bson_t *reply) {
    bson_init(reply);
    return BSON_APPEND_DOUBLE(reply, "ok", 1.0);
}

/* Sends commitTransaction or abortTransaction. */
static bool send_end(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    ds__write_int32(&buf, commit ? "commitTransaction" : "abortTransaction", 1);
    ds__write_value(&buf, "lsid", 4, ds__document(bson_get_data(&session->lsid)));
    ds__write_int64(&buf, "txnNumber", session->txn_number);
    ds__write_bool(&buf, "autocommit", false);
    ds_value concern =
        ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "writeConcern");
    ds__write_value(&buf, "writeConcern", 12, concern);
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok) {
        ok = run_value(session->store, "admin", ds__document(buf.data), reply, err);
    } else {
        bson_init(reply);
    }
    ds_buf_clear(&buf);
    return ok;
}

static bool end(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err) {
    if (session->state == TXN_NONE || (session->state == TXN_ENDED && !commit)) {
        bson_init(reply);
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION, "No transaction started");
    }
    if (session->state == TXN_ENDED && !session->committed) {
        bson_init(reply);
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Cannot call commitTransaction after calling abortTransaction");
    }
    bool sent = session->state != TXN_STARTING; /* nothing ran: nothing to end */
    session->state = TXN_ENDED;
    session->committed = commit;
    if (!sent) {
        return reply_ok(reply);
    }
    bool ok = send_end(session, commit, reply, err);
    if (ok && !commit) {
        bson_destroy(reply); /* the store may have aborted it before: the wish is fulfilled */
        ok = reply_ok(reply);
    }
    return ok;
}

static bool in_transaction(const ds__backend_session *session) {
    return session->state == TXN_STARTING || session->state == TXN_RUNNING;
}

/* What the engine knows of a session goes; an open transaction is aborted. */
static void send_close(ds__backend_session *session) {
    ds_error ignored = {0};
    bson_t reply;
    if (in_transaction(session)) {
        end(session, false, &reply, &ignored);
        bson_destroy(&reply);
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t ids = ds__write_doc(&buf, "endSessions", 11, DS_ARRAY);
    ds__write_index(&buf, 0, ds__document(bson_get_data(&session->lsid)));
    ds__doc_end(&buf, ids);
    ds__doc_end(&buf, root);
    if (ds_buf_ok(&buf, &ignored)) {
        run_value(session->store, "admin", ds__document(buf.data), &reply, &ignored);
        bson_destroy(&reply);
    }
    ds_buf_clear(&buf);
}

static void session_close(ds__backend_session *session, bool inherited) {
    if (!inherited) {
        send_close(session);
    }
    bson_destroy(&session->lsid);
    bson_destroy(&session->txn_options);
    ds__free(session);
}

static const bson_t *session_lsid(const ds__backend_session *session) {
    return &session->lsid;
}

static const ds__backend_vtable vtable = {
    .close = embedded_close,
    .run = embedded_run,
    .set_interrupt = set_interrupt,
    .interrupt = interrupt,
    .session_open = session_open,
    .session_close = session_close,
    .session_lsid = session_lsid,
    .session_begin = begin,
    .session_end = end,
    .session_in_transaction = in_transaction,
    .warning = embedded_warning,
};

typedef struct settings {
    ds__engine_options options;
    /* owned */
    char *database;
} settings;

/* One option of the URI or the options document. */
static bool set_option(settings *out, const char *name, size_t size, ds_value v, ds_error *err) {
    int64_t n = 0;
    bool flag = false;
    if (ds__uri_is(name, size, "durability")) {
        if (!ds__is_string(v, "normal") && !ds__is_string(v, "full")) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "option 'durability' must be \"normal\" or \"full\"");
        }
        out->options.full_durability = ds__is_string(v, "full");
        return true;
    }
    if (ds__uri_is(name, size, "busyTimeoutMS")) {
        if (!ds__option_int("busyTimeoutMS", v, 1, INT32_MAX, &n, err)) {
            return false;
        }
        out->options.busy_timeout_ms = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "cursorMemoryMB")) {
        if (!ds__option_int("cursorMemoryMB", v, 1, 1024 * 1024, &n, err)) {
            return false;
        }
        out->options.cursor_memory_mb = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "idleTransactionMS")) {
        if (!ds__option_int("idleTransactionMS", v, 1, INT32_MAX, &n, err)) {
            return false;
        }
        out->options.idle_transaction_ms = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "readOnly")) {
        return ds__option_bool("readOnly", v, &out->options.read_only, err);
    }
    if (ds__uri_is(name, size, "create")) {
        if (!ds__option_bool("create", v, &flag, err)) {
            return false;
        }
        out->options.no_create = !flag;
        return true;
    }
    if (ds__uri_is(name, size, "database")) {
        if (v.type != DS_STRING || v.size == 0) {
            return ds__error_set(err, DS_BAD_VALUE, "option 'database' must be a name");
        }
        ds__free(out->database);
        out->database = ds__strndup(ds__text(v), v.size);
        return out->database ? true : ds__error_oom(err);
    }
    return ds__error_set(err, DS_INVALID_OPTIONS,
                         "the embedded store has no option '%.*s'; it has busyTimeoutMS, create, "
                         "cursorMemoryMB, database, durability, idleTransactionMS and readOnly",
                         (int)(size > 60 ? 60 : size), name);
}

static bool read_query(settings *out, const char *query, ds_error *err) {
    ds__uri_pair pair;
    ds_buf text = {0};
    bool found = false, ok = true;
    while ((ok = ds__uri_next(&query, &pair, &found, err)) && found) {
        ds_buf_reset(&text);
        ok = ds__uri_decode(&text, pair.value, pair.value_size, err) &&
             set_option(out, pair.name, pair.name_size,
                        ds__string((const char *)text.data, text.size), err);
        if (!ok) {
            break;
        }
    }
    ds_buf_clear(&text);
    return ok;
}

static bool read_options(settings *out, const bson_t *options, ds_error *err) {
    ds__iter it;
    if (!options) {
        return true;
    }
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    while (ds__iter_next(&it)) {
        if (!set_option(out, it.key, it.key_size, it.value, err)) {
            return false;
        }
    }
    return true;
}

/* docstore:///abs/file, docstore://relative/file, docstore://:memory: */
static bool read_uri(const char *uri, const bson_t *options, settings *out, char **path,
                     ds_error *err) {
    const char *at = uri + strlen("docstore:");
    if (at[0] != '/' || at[1] != '/') {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "write docstore:///path/to/file.docstore, or docstore://:memory:");
    }
    at += 2;
    size_t size = strcspn(at, "?");
    ds_buf text = {0};
    bool ok = ds__uri_decode(&text, at, size, err);
    if (ok && text.size == 0) {
        ok = ds__error_set(err, DS_FAILED_TO_PARSE, "the URI '%.80s' names no file", uri);
    }
    ok =
        ok && (!at[size] || read_query(out, at + size + 1, err)) && read_options(out, options, err);
    if (ok) {
        *path = ds__strndup((const char *)text.data, text.size);
        ok = *path ? true : ds__error_oom(err);
    }
    ds_buf_clear(&text);
    return ok;
}

ds__backend *ds__embedded_open(const char *uri, const bson_t *options, char **default_db,
                               ds_error *err) {
    settings wanted = {0};
    char *path = NULL;
    embedded *store = NULL;
    if (!read_uri(uri, options, &wanted, &path, err)) {
        goto done;
    }
    store = ds__alloc(sizeof *store);
    if (!store) {
        ds__error_oom(err);
        goto done;
    }
    store->base = (ds__backend){.vtable = &vtable, .kind = DS_KIND_EMBEDDED};
    store->engine = ds__engine_open(path, &wanted.options, err);
    if (!store->engine) {
        ds__free(store);
        store = NULL;
        goto done;
    }
    *default_db = wanted.database;
    wanted.database = NULL;
done:
    ds__free(wanted.database);
    ds__free(path);
    return store ? &store->base : NULL;
}

struct ds_engine *ds__client_engine(const ds_client *client) {
    return client->backend->kind == DS_KIND_EMBEDDED ? ((embedded *)client->backend)->engine : NULL;
}
