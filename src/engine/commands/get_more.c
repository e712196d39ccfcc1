/* SPDX-License-Identifier: Apache-2.0 */
/* getMore and killCursors. */
#include "engine/commands/handlers.h"
#include "engine/commands/query.h"
#include "engine/commands/snapshot.h"

enum { G_BATCH, G_COLLECTION, G_LAST, G_TERM, G_COUNT };
static const ds__arg get_more_args[G_COUNT] = {
    [G_BATCH] = {"batchSize", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
    [G_COLLECTION] = {"collection", DS_ARG_STRING, DS_ARG_REQUIRED | DS_ARG_NULL_IS_MISSING},
    [G_LAST] = {"lastKnownCommittedOpTime", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [G_TERM] = {"term", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
};

static bool check_session(const ds__op *op, const ds__cursor *c, ds_error *err) {
    uint8_t id[DS_SESSION_ID_SIZE];
    bool has = ds__session_id(op, id);
    if (c->has_session && !has) {
        return ds__error_set(err, 50737,
                             "Cannot run getMore on cursor %lld, which was created in a session, "
                             "without an lsid",
                             (long long)c->id);
    }
    if (has && !c->has_session) {
        return ds__error_set(err, 50736,
                             "Cannot run getMore on cursor %lld, which was not created in a "
                             "session, in a session",
                             (long long)c->id);
    }
    return !has || memcmp(id, c->session, sizeof id) == 0 ||
           ds__error_set(err, 50738,
                         "Cannot run getMore on cursor %lld, which was created in another session",
                         (long long)c->id);
}

static bool check_owner(const ds__op *op, const ds__cursor *c, ds_value coll, ds_error *err) {
    size_t n = strlen(op->db);
    if (!check_session(op, c, err)) {
        return false;
    }
    if ((c->txn_number >= 0) != op->multi_statement) {
        return ds__error_set(err, c->txn_number >= 0 ? 50740 : 50739,
                             "Cannot run getMore on cursor %lld: it belongs to %s transaction",
                             (long long)c->id, c->txn_number >= 0 ? "a" : "no");
    }
    if (strncmp(c->ns, op->db, n) != 0 || c->ns[n] != '.' || strlen(c->ns + n + 1) != coll.size ||
        memcmp(c->ns + n + 1, ds__text(coll), coll.size)) {
        return ds__error_set(err, DS_UNAUTHORIZED,
                             "Requested getMore on namespace '%s.%.*s', but cursor belongs to a "
                             "different namespace %s",
                             op->db, (int)coll.size, ds__text(coll), c->ns);
    }
    return true;
}

/* What there is now: a snapshot's own catalog does not tell. */
static bool look_around(ds__op *op, ds__cursor *c, ds_error *err) {
    ds__txn *now = op->txn;
    const ds__wait wait = ds__op_wait(op);
    if (op->snapshot && !ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &now, err)) {
        return false;
    }
    c->today = ds__catalog_ref(ds__txn_catalog(now));
    if (op->snapshot) {
        ds__txn_abort(now);
    }
    return true;
}

static bool resume(ds__cursor *c, ds__op *op, ds_error *err) {
    /* A pipeline's source takes its positions up by itself, in c->op's transaction. */
    return look_around(op, c, err) && (c->exec == NULL || ds__cursor_resume(c, c->exec, err));
}

/* The cursor's snapshot, or a transaction. */
static bool begin(ds__op *op, const ds__cursor *c, bool *own, ds_error *err) {
    op->snapshot = c->at_cluster_time != 0 && !op->multi_statement;
    op->at_cluster_time = c->at_cluster_time;
    *own = false;
    return op->snapshot ? ds__snapshot_enter(op, err) : ds__op_begin(op, DS_TXN_READ, own, err);
}

static bool read_get_more(ds__op *op, ds_value *v, ds_error *err) {
    if (op->target.type != DS_INT64) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'getMore.getMore' is the wrong type '%s', expected type "
                             "'long'",
                             ds__type_name(op->target.type));
    }
    return ds__args_read("getMore", true, op->command, get_more_args, G_COUNT, v, err);
}

bool ds__get_more_parse(ds__op *op, ds_error *err) {
    ds_value v[G_COUNT];
    return read_get_more(op, v, err);
}

bool ds__cmd_get_more(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[G_COUNT];
    ds__cursor *c;
    ds__batch batch;
    bool own;
    if (!read_get_more(op, v, err) || !ds__cursors_take(op, op->target.as.i64, &c, err)) {
        return false;
    }
    if (!check_owner(op, c, v[G_COLLECTION], err)) {
        ds__cursors_give(op, c);
        return false;
    }
    if (!begin(op, c, &own, err)) {
        ds__cursors_give(op, c);
        return false;
    }
    int64_t size = ds__arg_int64(v[G_BATCH], 0);
    bool ok = resume(c, op, err);
    if (ok) {
        ds__batch_begin(&batch, reply, false);
        ok = ds__cursor_fill(c, &batch, size > 0 ? size : -1, err);
    }
    if (ok) {
        ds__batch_end(&batch, c->exhausted ? 0 : c->id, c->ns, op->at_cluster_time);
    } else {
        c->exhausted = true;
    }
    ds__cursors_give(op, c);
    if (op->snapshot) {
        ds__snapshot_leave(op);
    }
    return ds__op_end(op, own, ok, err);
}

enum { K_CURSORS, K_COUNT };
static const ds__arg kill_args[K_COUNT] = {
    [K_CURSORS] = {"cursors", DS_ARG_ARRAY, DS_ARG_REQUIRED},
};

static void write_ids(ds_buf *reply, const char *name, const ds_buf *elements) {
    size_t array = ds__write_doc(reply, name, strlen(name), DS_ARRAY);
    ds_buf_add(reply, elements->data, elements->size);
    ds_buf_fail_as(reply, elements);
    ds__doc_end(reply, array);
}

static bool read_kill_cursors(ds__op *op, ds_value *ids, ds_error *err) {
    const char *coll;
    size_t size;
    ds__iter it;
    if (!ds__op_collection(op, &coll, &size, err) ||
        !ds__args_read("killCursors", true, op->command, kill_args, K_COUNT, ids, err)) {
        return false;
    }
    ds__iter_init(&it, ids[K_CURSORS]);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type != DS_INT64) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field 'killCursors.cursors.%zu' is the wrong type '%s', "
                                 "expected type 'long'",
                                 i, ds__type_name(it.value.type));
        }
    }
    return true;
}

bool ds__kill_cursors_parse(ds__op *op, ds_error *err) {
    ds_value v[K_COUNT];
    return read_kill_cursors(op, v, err);
}

bool ds__cmd_kill_cursors(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[K_COUNT];
    ds_buf killed = {0};
    ds_buf unknown = {0};
    ds_buf none = {0};
    size_t counts[2] = {0, 0};
    ds__iter it;
    if (!read_kill_cursors(op, v, err)) {
        return false;
    }
    ds__iter_init(&it, v[K_CURSORS]);
    while (ds__iter_next(&it)) {
        bool found = ds__cursors_kill(op->engine, it.value.as.i64);
        ds__write_index(found ? &killed : &unknown, counts[found]++, it.value);
    }
    write_ids(reply, "cursorsKilled", &killed);
    write_ids(reply, "cursorsNotFound", &unknown);
    write_ids(reply, "cursorsAlive", &none);
    write_ids(reply, "cursorsUnknown", &none);
    ds_buf_clear(&killed);
    ds_buf_clear(&unknown);
    return true;
}
