/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of an embedded store: fields of the commands, as any driver writes them on the wire. */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bson/writer.h"
#include "client/embedded.h"

typedef enum txn_state { TXN_NONE, TXN_STARTING, TXN_RUNNING, TXN_ENDED } txn_state;

struct ds__backend_session {
    /* owned */
    bson_t lsid;
    bson_t defaults;    /* the options of transactions begun without any */
    bson_t txn_options; /* of the transaction */
    /* borrowed from the client */
    ds__embedded *store;
    /* plain */
    int64_t txn_number;
    uint64_t at; /* of its snapshot; 0: not known yet, or `snapshot` is false */
    txn_state state;
    bool snapshot;  /* every command reads what the first one read */
    bool committed; /* how an ended transaction ended */
};

/* Commands that read on, or tidy up: where they read is known to the store. */
static bool goes_on(ds_value command) {
    ds__iter it;
    ds__iter_init(&it, command);
    return ds__iter_next(&it) &&
           (strcmp(it.key, "getMore") == 0 || strcmp(it.key, "killCursors") == 0);
}

/* The command's read concern, with the session's snapshot. */
static void write_snapshot(ds_buf *buf, const ds__backend_session *session, ds_value given) {
    size_t concern = ds__write_doc(buf, "readConcern", 11, DS_DOCUMENT);
    bool named = false;
    if (given.type == DS_DOCUMENT) {
        ds__iter it;
        ds__iter_init(&it, given);
        while (ds__iter_next(&it)) {
            named = named || strcmp(it.key, "level") == 0;
            ds_buf_add(buf, it.element, it.element_size);
        }
    }
    if (!named) {
        ds__write_str(buf, "level", "snapshot");
    }
    if (session->at != 0) {
        ds__write_value(buf, "atClusterTime", 13,
                        (ds_value){.type = DS_TIMESTAMP, .as.u64 = session->at});
    }
    ds__doc_end(buf, concern);
}

/* The first answer says which snapshot is the session's. */
static void remember_snapshot(ds__backend_session *session, ds_value reply) {
    ds_value cursor = ds__doc_field(reply, "cursor");
    ds_value at = ds__doc_field(cursor.type == DS_DOCUMENT ? cursor : reply, "atClusterTime");
    if (session->snapshot && session->at == 0 && at.type == DS_TIMESTAMP) {
        session->at = at.as.u64;
    }
}

/* The fields a session adds to its commands. */
static void write_session(ds_buf *buf, ds__backend_session *session, ds_value command) {
    bool in_txn = session->state == TXN_STARTING || session->state == TXN_RUNNING;
    ds_value given = ds__doc_field(command, "readConcern");
    bool pinned = session->snapshot && !goes_on(command) &&
                  (given.type == DS_MISSING || given.type == DS_DOCUMENT);
    ds__iter it;
    ds__iter_init(&it, command);
    while (ds__iter_next(&it)) {
        bool ours = strcmp(it.key, "lsid") == 0 ||
                    (in_txn && strcmp(it.key, "writeConcern") == 0) ||
                    (pinned && strcmp(it.key, "readConcern") == 0);
        if (!ours) {
            ds_buf_add(buf, it.element, it.element_size);
        }
    }
    ds__write_value(buf, "lsid", 4, ds__document(bson_get_data(&session->lsid)));
    if (pinned) {
        write_snapshot(buf, session, given);
    }
    if (in_txn) {
        ds__write_int64(buf, "txnNumber", session->txn_number);
        ds__write_bool(buf, "autocommit", false);
    }
    if (session->state == TXN_STARTING) {
        ds__write_bool(buf, "startTransaction", true);
        ds_value concern =
            ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "readConcern");
        if (concern.type == DS_DOCUMENT && given.type == DS_MISSING) {
            ds__write_value(buf, "readConcern", 11, concern);
        }
        ds__write_value(
            buf, "savepoints", 10,
            ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "savepoints"));
    }
}

bool ds__embedded_run_in(ds__backend_session *session, const char *db, ds_value command,
                         bson_t *reply, ds_error *err) {
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
        ok = ds__embedded_run(session->store, db, ds__document(buf.data), reply, err);
        if (ok) {
            remember_snapshot(session, ds__document(bson_get_data(reply)));
        }
        if (session->state == TXN_STARTING) {
            session->state = TXN_RUNNING;
        }
    } else {
        bson_init(reply);
    }
    ds_buf_clear(&buf);
    return ok;
}

/* Checks a document of options against a list; `what` takes them. */
typedef struct known_option {
    const char *name;
    ds_type type; /* DS_INT64: any whole number */
} known_option;

static bool check_options(const bson_t *options, const known_option *known, const char *message,
                          ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    while (ds__iter_next(&it)) {
        const known_option *k = known;
        int64_t n;
        while (k->name && strcmp(k->name, it.key) != 0) {
            k++;
        }
        if (!k->name || (k->type == DS_INT64 ? !ds__value_exact_int64(it.value, &n)
                                             : k->type != it.value.type)) {
            return ds__error_set(err, DS_INVALID_OPTIONS, message, it.key);
        }
    }
    return true;
}

static bool check_transaction_options(const bson_t *options, ds_error *err) {
    static const known_option known[] = {
        {"readConcern", DS_DOCUMENT},    {"writeConcern", DS_DOCUMENT},
        {"readPreference", DS_DOCUMENT}, {"maxCommitTimeMS", DS_INT64},
        {"savepoints", DS_BOOL},         {NULL, DS_MISSING},
    };
    return check_options(options, known,
                         "transactions take readConcern, writeConcern, readPreference (documents) "
                         "and maxCommitTimeMS (a number), not '%s' like this",
                         err);
}

/* Causal consistency needs nothing: there is one store, and it answers with what it has. */
static bool set_options(ds__backend_session *session, const bson_t *options, ds_error *err) {
    static const known_option known[] = {
        {"causalConsistency", DS_BOOL},
        {"snapshot", DS_BOOL},
        {"defaultTransactionOptions", DS_DOCUMENT},
        {NULL, DS_MISSING},
    };
    if (!check_options(options, known,
                       "sessions take causalConsistency, snapshot (true or false) and "
                       "defaultTransactionOptions (a document), not '%s' like this",
                       err)) {
        return false;
    }
    ds_value all = ds__document(bson_get_data(options)), defaults;
    session->snapshot = ds__value_truthy(ds__doc_field(all, "snapshot"));
    if (session->snapshot && ds__value_truthy(ds__doc_field(all, "causalConsistency"))) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Only one of causal consistency and snapshot can be enabled.");
    }
    bson_t view;
    if (!ds__doc_get(all, "defaultTransactionOptions", 25, &defaults)) {
        return true;
    }
    if (!bson_init_static(&view, defaults.as.bytes, defaults.size) ||
        !check_transaction_options(&view, err)) {
        return false;
    }
    bson_destroy(&session->defaults);
    bson_copy_to(&view, &session->defaults);
    return true;
}

static void free_session(ds__backend_session *session) {
    bson_destroy(&session->lsid);
    bson_destroy(&session->defaults);
    bson_destroy(&session->txn_options);
    ds__free(session);
}

ds__backend_session *ds__embedded_session_open(ds__backend *self, const bson_t *options,
                                               ds_error *err) {
    ds__backend_session *session = DS_ALLOC_AS(ds__backend_session);
    if (!session) {
        ds__error_oom(err);
        return NULL;
    }
    uint8_t id[16];
    ds__random_bytes(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40); /* a random UUID, RFC 4122 version 4 */
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    session->store = (ds__embedded *)self;
    bson_init(&session->lsid);
    bson_init(&session->defaults);
    bson_init(&session->txn_options);
    BSON_APPEND_BINARY(&session->lsid, "id", BSON_SUBTYPE_UUID, id, sizeof id);
    if (options && !set_options(session, options, err)) {
        free_session(session);
        return NULL;
    }
    return session;
}

bool ds__embedded_begin(ds__backend_session *session, const bson_t *options, ds_error *err) {
    if (session->snapshot) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Transactions are not supported in snapshot sessions");
    }
    if (options && !check_transaction_options(options, err)) {
        return false;
    }
    bson_destroy(&session->txn_options);
    bson_copy_to(options ? options : &session->defaults, &session->txn_options);
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
    if (commit) {
        ds_value limit =
            ds__doc_field(ds__document(bson_get_data(&session->txn_options)), "maxCommitTimeMS");
        ds__write_value(&buf, "maxTimeMS", 9, limit);
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok) {
        ok = ds__embedded_run(session->store, "admin", ds__document(buf.data), reply, err);
    } else {
        bson_init(reply);
    }
    ds_buf_clear(&buf);
    return ok;
}

bool ds__embedded_end(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err) {
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

bool ds__embedded_in_transaction(const ds__backend_session *session) {
    return session->state == TXN_STARTING || session->state == TXN_RUNNING;
}

/* What the engine knows of a session goes; an open transaction is aborted. */
static void send_close(ds__backend_session *session) {
    ds_error ignored = {0};
    bson_t reply;
    if (ds__embedded_in_transaction(session)) {
        ds__embedded_end(session, false, &reply, &ignored);
        bson_destroy(&reply);
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t ids = ds__write_doc(&buf, "endSessions", 11, DS_ARRAY);
    ds__write_index(&buf, 0, ds__document(bson_get_data(&session->lsid)));
    ds__doc_end(&buf, ids);
    ds__doc_end(&buf, root);
    if (ds_buf_ok(&buf, &ignored)) {
        ds__embedded_run(session->store, "admin", ds__document(buf.data), &reply, &ignored);
        bson_destroy(&reply);
    }
    ds_buf_clear(&buf);
}

void ds__embedded_session_close(ds__backend_session *session, bool inherited) {
    if (!inherited) {
        send_close(session);
    }
    free_session(session);
}

const bson_t *ds__embedded_session_lsid(const ds__backend_session *session) {
    return &session->lsid;
}
