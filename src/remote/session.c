/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of a deployment: libmongoc's, on a connection kept for the session's whole life. A child
 * process can neither use nor end its parent's. */
#include "remote/internal.h"

#include "base/mem.h"
#include "bson/value.h"

static mongoc_transaction_opt_t *transaction_options(const bson_t *options, ds_error *err) {
    mongoc_transaction_opt_t *out = mongoc_transaction_opts_new();
    ds__iter it;
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    bool ok = true;
    while (ok && ds__iter_next(&it)) {
        bson_t doc;
        bool is_doc = it.value.type == DS_DOCUMENT &&
                      bson_init_static(&doc, it.value.as.bytes, it.value.size);
        int64_t ms = 0;
        if (strcmp(it.key, "readConcern") == 0 && is_doc) {
            ds_value level = ds__doc_field(it.value, "level");
            mongoc_read_concern_t *concern = mongoc_read_concern_new();
            if (level.type == DS_STRING) {
                mongoc_read_concern_set_level(concern, ds__text(level));
            }
            mongoc_transaction_opts_set_read_concern(out, concern);
            mongoc_read_concern_destroy(concern);
        } else if (strcmp(it.key, "writeConcern") == 0 && is_doc) {
            ds_value w = ds__doc_field(it.value, "w");
            mongoc_write_concern_t *concern = mongoc_write_concern_new();
            int64_t n = 0;
            if (w.type == DS_STRING) {
                mongoc_write_concern_set_wtag(concern, ds__text(w));
            } else if (ds__value_exact_int64(w, &n)) {
                mongoc_write_concern_set_w(concern, (int32_t)n);
            }
            ds_value j = ds__doc_field(it.value, "j");
            if (j.type != DS_MISSING) {
                mongoc_write_concern_set_journal(concern, ds__value_truthy(j));
            }
            if (ds__value_exact_int64(ds__doc_field(it.value, "wtimeout"), &n)) {
                mongoc_write_concern_set_wtimeout_int64(concern, n);
            }
            mongoc_transaction_opts_set_write_concern(out, concern);
            mongoc_write_concern_destroy(concern);
        } else if (strcmp(it.key, "readPreference") == 0 && is_doc) {
            mongoc_read_prefs_t *prefs = ds__remote_read_prefs(&doc, err);
            ok = prefs != NULL;
            mongoc_transaction_opts_set_read_prefs(out, prefs);
            mongoc_read_prefs_destroy(prefs);
        } else if (strcmp(it.key, "maxCommitTimeMS") == 0 && ds__value_exact_int64(it.value, &ms)) {
            mongoc_transaction_opts_set_max_commit_time_ms(out, ms);
        } else {
            ok = ds__error_set(err, DS_INVALID_OPTIONS,
                               "transactions take readConcern, writeConcern, readPreference "
                               "(documents) and maxCommitTimeMS (a number), not '%s' like this",
                               it.key);
        }
    }
    if (!ok) {
        mongoc_transaction_opts_destroy(out);
        return NULL;
    }
    return out;
}

static mongoc_session_opt_t *session_options(const bson_t *options, ds_error *err) {
    mongoc_session_opt_t *out = mongoc_session_opts_new();
    ds__iter it;
    bool ok = true;
    if (!options) {
        return out;
    }
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    while (ok && ds__iter_next(&it)) {
        bson_t doc;
        if (strcmp(it.key, "causalConsistency") == 0 && it.value.type == DS_BOOL) {
            mongoc_session_opts_set_causal_consistency(out, it.value.as.b);
        } else if (strcmp(it.key, "snapshot") == 0 && it.value.type == DS_BOOL) {
            mongoc_session_opts_set_snapshot(out, it.value.as.b);
        } else if (strcmp(it.key, "defaultTransactionOptions") == 0 &&
                   it.value.type == DS_DOCUMENT &&
                   bson_init_static(&doc, it.value.as.bytes, it.value.size)) {
            mongoc_transaction_opt_t *txn = transaction_options(&doc, err);
            ok = txn != NULL;
            if (txn) {
                mongoc_session_opts_set_default_transaction_opts(out, txn);
                mongoc_transaction_opts_destroy(txn);
            }
        } else {
            ok = ds__error_set(err, DS_INVALID_OPTIONS,
                               "sessions take causalConsistency, snapshot (true or false) and "
                               "defaultTransactionOptions (a document), not '%s' like this",
                               it.key);
        }
    }
    if (!ok) {
        mongoc_session_opts_destroy(out);
        return NULL;
    }
    return out;
}

ds__backend_session *ds__remote_session_open(ds__backend *self, const bson_t *options,
                                             ds_error *err) {
    ds__remote *store = (ds__remote *)self;
    mongoc_session_opt_t *opts = session_options(options, err);
    if (!opts) {
        return NULL;
    }
    ds__backend_session *session = ds__alloc(sizeof *session);
    bool ok = session ? true : ds__error_oom(err);
    if (ok) {
        session->store = store;
        session->pool = ds__remote_pool_get(store, err);
        session->conn = session->pool ? ds__remote_acquire(store, session->pool, err) : NULL;
        ok = session->conn != NULL;
    }
    if (ok) {
        bson_error_t error = {0};
        session->session = mongoc_client_start_session(session->conn->client, opts, &error);
        ok = session->session ? true : ds__remote_error(err, &error, session->store->uri);
    }
    mongoc_session_opts_destroy(opts);
    if (!ok && session) {
        if (session->conn) {
            ds__remote_release(session->pool, session->conn);
        }
        ds__free(session);
        session = NULL;
    }
    return session;
}

void ds__remote_session_close(ds__backend_session *session, bool inherited) {
    if (!inherited) {
        mongoc_client_session_destroy(session->session);
        ds__remote_release(session->pool, session->conn);
    }
    ds__free(session);
}

const bson_t *ds__remote_session_lsid(const ds__backend_session *session) {
    return mongoc_client_session_get_lsid(session->session);
}

bool ds__remote_session_begin(ds__backend_session *session, const bson_t *options, ds_error *err) {
    mongoc_transaction_opt_t *opts = NULL;
    if (options && !bson_empty(options)) {
        opts = transaction_options(options, err);
        if (!opts) {
            return false;
        }
    }
    bson_error_t error = {0};
    bool ok = mongoc_client_session_start_transaction(session->session, opts, &error);
    mongoc_transaction_opts_destroy(opts);
    return ok ? true : ds__remote_error(err, &error, session->store->uri);
}

bool ds__remote_session_end(ds__backend_session *session, bool commit, bson_t *reply,
                            ds_error *err) {
    bson_error_t error = {0};
    bson_init(reply);
    bool ok;
    if (commit) {
        bson_destroy(reply);
        ok = mongoc_client_session_commit_transaction(session->session, reply, &error);
    } else {
        ok = mongoc_client_session_abort_transaction(session->session, &error);
    }
    if (bson_has_field(reply, "ok")) {
        return true; /* the server's word, refusals included */
    }
    bson_reinit(reply);
    if (!ok) {
        return ds__remote_error(err, &error, session->store->uri);
    }
    BSON_APPEND_DOUBLE(reply, "ok", 1.0); /* nothing was sent, or the driver kept the answer */
    return true;
}

bool ds__remote_in_transaction(const ds__backend_session *session) {
    return mongoc_client_session_in_transaction(session->session);
}
