/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to a MongoDB deployment. Fields that libmongoc writes itself (lsid, read and write
 * concern, $readPreference) are taken out of the command and handed over as options; everything
 * else goes as it stands, and what the server answers comes back as it stands.
 *
 * libmongoc repeats reads and findAndModify when a connection breaks; insert, update and delete are
 * numbered and repeated here, on a session that each connection keeps for them. */
#include "remote/internal.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bson/validate.h"
#include "bson/writer.h"

typedef enum command_kind {
    COMMAND_OTHER, /* sent to the server the read preference names; never repeated */
    COMMAND_READ,  /* may be repeated */
    COMMAND_WRITE, /* takes the URI's write concern */
    COMMAND_BULK,  /* a write that is numbered and repeated when no item is `multi` */
    COMMAND_AGGREGATE
} command_kind;

enum { HEARTBEAT_MS = 1000 };

static const struct {
    const char *name;
    command_kind kind;
} kinds[] = {
    {"find", COMMAND_READ},
    {"insert", COMMAND_BULK},
    {"update", COMMAND_BULK},
    {"aggregate", COMMAND_AGGREGATE},
    {"count", COMMAND_READ},
    {"delete", COMMAND_BULK},
    {"distinct", COMMAND_READ},
    {"findAndModify", COMMAND_WRITE},
    {"findandmodify", COMMAND_WRITE},
    {"listCollections", COMMAND_READ},
    {"listIndexes", COMMAND_READ},
    {"listDatabases", COMMAND_READ},
    {"create", COMMAND_WRITE},
    {"createIndexes", COMMAND_WRITE},
    {"collMod", COMMAND_WRITE},
    {"drop", COMMAND_WRITE},
    {"dropDatabase", COMMAND_WRITE},
    {"dropIndexes", COMMAND_WRITE},
    {"renameCollection", COMMAND_WRITE},
};

struct ds__backend_pin {
    /* owned; NULL when the cursor lives in the caller's session */
    ds__remote_conn *conn;
    mongoc_client_session_t *session;
    /* borrowed from the client */
    ds__remote_pool *pool;
    /* plain */
    uint32_t server; /* 0: not known */
};

/* A command on its way. */
typedef struct request {
    /* owned */
    ds_buf body; /* the command without the fields below; empty: `command` as it stands */
    bson_t opts;
    mongoc_read_prefs_t *prefs;
    /* borrowed from the caller */
    const char *db;
    const mongoc_uri_t *uri;
    bson_t command;
    mongoc_client_session_t *session;
    /* plain */
    command_kind kind;
    bool unacknowledged;
    bool has_lsid;
} request;

static command_kind kind_of(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return kinds[i].kind;
        }
    }
    return COMMAND_OTHER;
}

/* Whether an aggregation ends in a stage that writes. */
static bool pipeline_writes(ds_value command) {
    ds_value pipeline = ds__doc_field(command, "pipeline");
    ds_value last = ds__missing();
    ds__iter it;
    if (pipeline.type != DS_ARRAY) {
        return false;
    }
    ds__iter_init(&it, pipeline);
    while (ds__iter_next(&it)) {
        last = it.value;
    }
    return last.type == DS_DOCUMENT && (ds__doc_field(last, "$out").type != DS_MISSING ||
                                        ds__doc_field(last, "$merge").type != DS_MISSING);
}

/* Whether insert, update or delete may be repeated: none of its items is for many documents. */
static bool is_retryable(ds_value command) {
    ds_value items = ds__doc_field(command, "updates");
    bool deletes = items.type == DS_MISSING;
    if (deletes) {
        items = ds__doc_field(command, "deletes");
    }
    ds__iter it;
    if (items.type != DS_ARRAY) {
        return items.type == DS_MISSING;
    }
    ds__iter_init(&it, items);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return false;
        }
        int64_t limit = 0;
        bool many =
            deletes ? !ds__value_exact_int64(ds__doc_field(it.value, "limit"), &limit) || limit != 1
                    : ds__value_truthy(ds__doc_field(it.value, "multi"));
        if (many) {
            return false;
        }
    }
    return true;
}

static bool is_key(const ds__iter *it, const char *name) {
    return it->key_size == strlen(name) && memcmp(it->key, name, it->key_size) == 0;
}

/* Whether a top-level field is libmongoc's to write. */
static bool is_ours(const ds__iter *it) {
    return is_key(it, "$db") || is_key(it, "lsid") || is_key(it, "$readPreference") ||
           is_key(it, "readConcern") || is_key(it, "writeConcern") || is_key(it, "$clusterTime") ||
           is_key(it, "txnNumber") || is_key(it, "autocommit") || is_key(it, "startTransaction");
}

static bool append_document(bson_t *opts, const char *key, ds_value v, ds_error *err) {
    bson_t doc;
    if (v.type != DS_DOCUMENT || !bson_init_static(&doc, v.as.bytes, v.size)) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "'%s' must be a document", key);
    }
    return bson_append_document(opts, key, -1, &doc) ? true : ds__error_oom(err);
}

/* Takes one of libmongoc's fields out of the command. */
static bool take_field(request *r, const ds__iter *it, ds_error *err) {
    bson_t doc;
    if (is_key(it, "$db")) {
        r->db = it->value.type == DS_STRING ? ds__text(it->value) : r->db;
    } else if (is_key(it, "$readPreference")) {
        if (it->value.type != DS_DOCUMENT ||
            !bson_init_static(&doc, it->value.as.bytes, it->value.size)) {
            return ds__error_set(err, DS_TYPE_MISMATCH, "'$readPreference' must be a document");
        }
        r->prefs = ds__remote_read_prefs(&doc, err);
        return r->prefs != NULL;
    } else if (is_key(it, "readConcern")) {
        return append_document(&r->opts, "readConcern", it->value, err);
    } else if (is_key(it, "writeConcern")) {
        int64_t w = -1;
        r->unacknowledged = it->value.type == DS_DOCUMENT &&
                            ds__value_exact_int64(ds__doc_field(it->value, "w"), &w) && w == 0;
        return append_document(&r->opts, "writeConcern", it->value, err);
    } else if (!is_key(it, "$clusterTime")) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "'%s' belongs to a session; open one and run the command in it",
                             it->key);
    }
    return true;
}

static bool request_init(request *r, const ds__remote *store, const char *db, const bson_t *command,
                         ds_error *err) {
    *r = (request){.db = db, .uri = store->uri};
    bson_init(&r->opts);
    ds_value doc = ds__document(bson_get_data(command));
    ds__iter it;
    bool ours = false;
    ds__iter_init(&it, doc);
    for (bool first = true; ds__iter_next(&it); first = false) {
        if (first) {
            r->kind = kind_of(it.key);
        } else if (is_ours(&it)) {
            ours = true;
            if (!take_field(r, &it, err)) {
                return false;
            }
        }
    }
    if (r->kind == COMMAND_AGGREGATE) {
        r->kind = pipeline_writes(doc) ? COMMAND_WRITE : COMMAND_READ;
    }
    if (ours) {
        size_t root = ds__doc_begin(&r->body);
        ds__iter_init(&it, doc);
        while (ds__iter_next(&it)) {
            if (!is_ours(&it)) {
                ds_buf_add(&r->body, it.element, it.element_size);
            }
        }
        ds__doc_end(&r->body, root);
        if (!ds_buf_ok(&r->body, err)) {
            return false;
        }
        doc = ds__document(r->body.data);
    }
    return bson_init_static(&r->command, doc.as.bytes, doc.size)
               ? true
               : ds__error_set(err, DS_INVALID_BSON, "the command is not valid BSON");
}

static void request_clear(request *r) {
    bson_destroy(&r->opts);
    mongoc_read_prefs_destroy(r->prefs);
    ds_buf_clear(&r->body);
}

static bool use_session(request *r, mongoc_client_session_t *session, ds_error *err) {
    bson_error_t error = {0};
    r->session = session;
    if (!r->has_lsid && !mongoc_client_session_append(session, &r->opts, &error)) {
        return ds__remote_error(err, &error, NULL);
    }
    r->has_lsid = true;
    return true;
}

/* Sends once, by the call that suits the command. `reply` is initialised here. */
static bool send_once(const request *r, mongoc_client_t *client, const bson_t *command,
                      bson_t *reply, bson_error_t *error) {
    *error = (bson_error_t){0};
    switch (r->kind) {
    case COMMAND_READ:
        return mongoc_client_read_command_with_opts(client, r->db, command, r->prefs, &r->opts,
                                                    reply, error);
    case COMMAND_WRITE:
    case COMMAND_BULK:
    case COMMAND_AGGREGATE:
        return mongoc_client_write_command_with_opts(client, r->db, command, &r->opts, reply,
                                                     error);
    case COMMAND_OTHER:
        break;
    }
    return mongoc_client_command_with_opts(client, r->db, command, r->prefs, &r->opts, reply,
                                           error);
}

/* The server's word is a reply, refusals included; anything else is a failure. */
static bool settle(const request *r, bool ok, bson_t *reply, const bson_error_t *error,
                   ds_error *err) {
    if (!ds__bson_validate(bson_get_data(reply), reply->len, DS_MAX_COMMAND_DEPTH + DS_MAX_DEPTH,
                           err)) {
        /* the driver made it of bytes it did not check: what it points to is not to be freed */
        bson_init(reply);
        return ds__error_prefix(err, "the server's reply is damaged: ");
    }
    if (bson_has_field(reply, "ok")) {
        return true;
    }
    bson_reinit(reply);
    if (!ok) {
        return ds__remote_error(err, error, r->uri);
    }
    BSON_APPEND_DOUBLE(reply, "ok", 1.0); /* w: 0 */
    return true;
}

/* Whether transaction numbers may be used: everywhere but on a standalone server. */
static bool numbers_allowed(ds__remote *store, mongoc_client_t *client) {
    int known = atomic_load(&store->standalone);
    if (known < 0) {
        bson_error_t error;
        mongoc_server_description_t *sd = mongoc_client_select_server(client, true, NULL, &error);
        if (!sd) {
            return false; /* the command itself will say why */
        }
        known = strcmp(mongoc_server_description_type(sd), "Standalone") == 0;
        mongoc_server_description_destroy(sd);
        atomic_store(&store->standalone, known);
    }
    return known == 0;
}

static bool start_writer(ds__remote_conn *conn) {
    if (!conn->writer) {
        mongoc_session_opt_t *opts = mongoc_session_opts_new();
        mongoc_session_opts_set_causal_consistency(opts, false);
        conn->writer = mongoc_client_start_session(conn->client, opts, NULL);
        mongoc_session_opts_destroy(opts);
        conn->txn_number = (int64_t)1 << 40; /* above what libmongoc may have used on it before */
    }
    return conn->writer != NULL;
}

/* Whether a refused or lost write is safe and worth sending again. */
static bool worth_retrying(bool ok, const bson_t *reply, const bson_error_t *error) {
    if (!bson_has_field(reply, "ok")) {
        return !ok && ds__remote_is_network_error(error);
    }
    return mongoc_error_has_label(reply, "RetryableWriteError");
}

/* insert, update or delete, numbered so that the server does it once however often it is sent. */
static bool run_numbered(request *r, ds__remote_conn *conn, bson_t *reply, ds_error *err) {
    bson_error_t error;
    if (!use_session(r, conn->writer, err)) {
        bson_init(reply);
        return false;
    }
    ds_buf body = {0};
    size_t root = ds__doc_begin(&body);
    ds__write_elements(&body, ds__document(bson_get_data(&r->command)));
    ds__write_int64(&body, "txnNumber", ++conn->txn_number);
    ds__doc_end(&body, root);
    bson_t command;
    if (!ds_buf_ok(&body, err)) {
        bson_init(reply);
        ds_buf_clear(&body);
        return false;
    }
    bson_init_static(&command, body.data, body.size);
    bool ok = send_once(r, conn->client, &command, reply, &error);
    if (worth_retrying(ok, reply, &error)) {
        bson_t second;
        bson_error_t second_error;
        bool second_ok = send_once(r, conn->client, &command, &second, &second_error);
        if (second_ok || bson_has_field(&second, "ok")) {
            bson_destroy(reply);
            bson_steal(reply, &second);
            ok = second_ok;
        } else {
            bson_destroy(&second); /* the first failure tells more */
        }
    }
    ds_buf_clear(&body);
    return settle(r, ok, reply, &error, err);
}

static bool run_on(ds__remote *store, request *r, ds__remote_conn *conn, bson_t *reply,
                   ds_error *err) {
    bson_error_t error;
    bool numbered = r->kind == COMMAND_BULK && !r->has_lsid && !r->unacknowledged &&
                    store->retry_writes && is_retryable(ds__document(bson_get_data(&r->command))) &&
                    numbers_allowed(store, conn->client) && start_writer(conn);
    if (numbered) {
        return run_numbered(r, conn, reply, err);
    }
    bool ok = send_once(r, conn->client, &r->command, reply, &error);
    return settle(r, ok, reply, &error, err);
}

/* A cursor's first command: on a connection and session of its own, kept while it has an id. */
static bool run_opening(ds__remote *store, ds__remote_pool *pool, request *r, ds__remote_conn *conn,
                        ds__backend_pin **pin, bson_t *reply, ds_error *err) {
    mongoc_client_session_t *own = NULL;
    ds__backend_pin *kept = ds__alloc(sizeof *kept);
    if (!kept) {
        bson_init(reply);
        return ds__error_oom(err);
    }
    if (!r->session) {
        /* getMore must name the session of the find; without sessions there is nothing to keep */
        mongoc_session_opt_t *opts = mongoc_session_opts_new();
        mongoc_session_opts_set_causal_consistency(opts, false);
        own = mongoc_client_start_session(conn->client, opts, NULL);
        mongoc_session_opts_destroy(opts);
        if (own && !use_session(r, own, err)) {
            mongoc_client_session_destroy(own);
            ds__free(kept);
            bson_init(reply);
            return false;
        }
    }
    ds__remote_watch watch;
    ds__remote_watch_begin(pool, &watch);
    bool ok = run_on(store, r, conn, reply, err);
    ds__remote_watch_end(pool, &watch);
    int64_t id = 0;
    ds_value cursor =
        ok ? ds__doc_field(ds__document(bson_get_data(reply)), "cursor") : ds__missing();
    if (cursor.type == DS_DOCUMENT) {
        ds__value_exact_int64(ds__doc_field(cursor, "id"), &id);
    }
    if (id == 0) {
        if (own) {
            mongoc_client_session_destroy(own);
        }
        ds__free(kept);
        return ok;
    }
    *kept = (ds__backend_pin){.session = own, .pool = pool, .server = watch.server};
    *pin = kept;
    return ok;
}

static bool run_pinned(ds__remote *store, request *r, ds__backend_pin *pin, ds__remote_conn *conn,
                       bson_t *reply, ds_error *err) {
    bool ok = true;
    if (pin->session) {
        ok = use_session(r, pin->session, err);
    }
    if (ok && pin->server) {
        ok = bson_append_int32(&r->opts, "serverId", -1, (int32_t)pin->server) ? true
                                                                               : ds__error_oom(err);
    }
    if (!ok) {
        bson_init(reply);
        return false;
    }
    return run_on(store, r, conn, reply, err);
}

static bool remote_run(ds__backend *self, ds__backend_session *session, ds__backend_pin **pin,
                       const char *db, const bson_t *command, bson_t *reply, ds_error *err) {
    ds__remote *store = (ds__remote *)self;
    ds__remote_pool *pool = ds__remote_pool_get(store, err);
    ds__remote_conn *conn = NULL;
    ds__backend_pin *kept = pin ? *pin : NULL;
    bool mine = false, ran = false, ok = false;
    request r;
    if (!pool) {
        bson_init(reply);
        return false;
    }
    if (!request_init(&r, store, db, command, err)) {
        goto done;
    }
    if (session) {
        conn = session->conn;
        if (!use_session(&r, session->session, err)) {
            goto done;
        }
    } else if (kept && kept->conn) {
        conn = kept->conn;
    } else {
        conn = ds__remote_acquire(store, pool, err);
        mine = true;
    }
    if (!conn) {
        goto done;
    }
    ran = true;
    if (kept) {
        ok = run_pinned(store, &r, kept, conn, reply, err);
    } else if (pin) {
        ok = run_opening(store, pool, &r, conn, pin, reply, err);
        if (*pin && mine) {
            (*pin)->conn = conn; /* stays with the cursor */
            mine = false;
        }
    } else {
        ok = run_on(store, &r, conn, reply, err);
    }
done:
    if (!ran) {
        bson_init(reply);
    }
    if (conn && mine) {
        ds__remote_release(pool, conn);
    }
    request_clear(&r);
    return ok;
}

static void remote_unpin(ds__backend *self, ds__backend_pin *pin, bool inherited) {
    (void)self;
    if (!inherited) {
        if (pin->session) {
            mongoc_client_session_destroy(pin->session);
        }
        if (pin->conn) {
            ds__remote_release(pin->pool, pin->conn);
        }
    }
    ds__free(pin);
}

static void remote_close(ds__backend *self) {
    ds__remote *store = (ds__remote *)self;
    ds__fork_leave(&store->fork);
    ds__remote_pool *pool = atomic_load(&store->pool);
    if (pool) {
        ds__remote_pool_free(pool);
    }
    mongoc_uri_destroy(store->uri);
    ds__free(store);
}

static const ds__backend_vtable vtable = {
    .close = remote_close,
    .run = remote_run,
    .unpin = remote_unpin,
    .session_open = ds__remote_session_open,
    .session_close = ds__remote_session_close,
    .session_lsid = ds__remote_session_lsid,
    .session_begin = ds__remote_session_begin,
    .session_end = ds__remote_session_end,
    .session_in_transaction = ds__remote_in_transaction,
};

ds__backend *ds__remote_open(const char *uri, const bson_t *options, char **default_db,
                             ds_error *err) {
    mongoc_init();                      /* does nothing the second time */
    mongoc_log_set_handler(NULL, NULL); /* every failure is returned: nothing goes to stderr */
    mongoc_handshake_data_append("mongodb-rest", DS_VERSION, NULL);
    ds__remote *store = ds__alloc(sizeof *store);
    if (!store) {
        ds__error_oom(err);
        return NULL;
    }
    store->base = (ds__backend){.vtable = &vtable, .kind = DS_KIND_REMOTE};
    store->fork.child = ds__remote_forget;
    store->uri = ds__remote_uri(uri, options, &store->max_pool, &store->wait_ms, err);
    if (!store->uri) {
        ds__free(store);
        return NULL;
    }
    /* After a broken connection a server is known again at its monitor's next answer, which the
     * driver lets take 10 s: too long for a request that waits to be repeated. */
    if (!mongoc_uri_has_option(store->uri, MONGOC_URI_HEARTBEATFREQUENCYMS)) {
        mongoc_uri_set_option_as_int32(store->uri, MONGOC_URI_HEARTBEATFREQUENCYMS, HEARTBEAT_MS);
    }
    store->retry_writes = mongoc_uri_get_option_as_bool(store->uri, MONGOC_URI_RETRYWRITES, true);
    atomic_init(&store->standalone, -1);
    const char *database = mongoc_uri_get_database(store->uri);
    if (database && *database) {
        *default_db = ds__strdup(database);
        if (!*default_db) {
            mongoc_uri_destroy(store->uri);
            ds__free(store);
            ds__error_oom(err);
            return NULL;
        }
    }
    ds__fork_join(&store->fork);
    return &store->base;
}
