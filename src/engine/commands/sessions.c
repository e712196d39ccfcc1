/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that start, refresh and end sessions and transactions. */
#include "base/clock.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"
#include "engine/commands/session.h"
#include "bson/writer.h"

/* A token is for the routers of a cluster. */
bool ds__end_parse(ds__op *op, ds_error *err) {
    static const ds__arg args[] = {
        {"recoveryToken", DS_ARG_OBJECT, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        {"commitTimestamp", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING}};
    ds_value v[2];
    return ds__args_read(op->row->name, true, op->command, args, op->row->name[0] == 'c' ? 2 : 1, v,
                         err);
}

bool ds__cmd_commit_transaction(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return ds__end_parse(op, err) && ds__session_commit(op, err);
}

bool ds__cmd_abort_transaction(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return ds__end_parse(op, err) && ds__session_abort(op, err);
}

bool ds__cmd_start_session(ds__op *op, ds_buf *reply, ds_error *err) {
    uint8_t id[DS_SESSION_ID_SIZE];
    (void)op;
    (void)err;
    ds__random_bytes(id, sizeof id);
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
    size_t doc = ds__write_doc(reply, "id", 2, DS_DOCUMENT);
    ds__write_value(reply, "id", 2,
                    (ds_value){.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = id});
    ds__doc_end(reply, doc);
    ds__write_int32(reply, "timeoutMinutes", 30);
    return true;
}

/* The list a session command carries: [{id: UUID}, …]. */
static bool check_list(ds__op *op, bool patterns, ds_error *err) {
    static const ds__arg lsid_args[] = {{"id", DS_ARG_ANY, DS_ARG_REQUIRED},
                                        {"uid", DS_ARG_ANY, 0}};
    const char *name = op->row->name;
    ds_value v[2];
    ds__iter it;
    if (op->target.type != DS_ARRAY) {
        return ds__error_set(err, op->target.type == DS_NULL ? 10065 : DS_TYPE_MISMATCH,
                             "BSON field '%s.%s' is the wrong type '%s', expected type 'array'",
                             name, name, ds__type_name(op->target.type));
    }
    ds__iter_init(&it, op->target);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '%s.%s.%zu' is the wrong type '%s', expected type "
                                 "'object'",
                                 name, name, i, ds__type_name(it.value.type));
        }
        if (patterns) {
            continue;
        }
        if (!ds__args_read(name, false, it.value, lsid_args, 2, v, err)) {
            return false;
        }
        ds_value id = v[0];
        if (id.type != DS_BINARY || id.subtype != 4 || id.size != DS_SESSION_ID_SIZE) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '%s.%s.id' is the wrong type '%s', expected type "
                                 "'UUID'",
                                 name, name, ds__type_name(id.type));
        }
    }
    bool lenient = name[0] == 'k'; /* killSessions and killAllSessions, as mongod is */
    return lenient || ds__args_none(op, err);
}

bool ds__cmd_end_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    if (!check_list(op, false, err)) {
        return false;
    }
    ds__sessions_end(op->engine, op->target, false);
    return true;
}

/* Ends sessions with what runs in them: those listed, or all. */
static void kill(ds__op *op, ds_value list, bool all) {
    ds__iter it;
    uint8_t id[DS_SESSION_ID_SIZE];
    if (all) {
        ds__ops_kill_session(op->engine->ops, NULL, op);
        ds__sessions_kill_all(op->engine);
        return;
    }
    for (ds__iter_init(&it, list); ds__iter_next(&it);) {
        if (ds__session_read_id(it.value, id)) {
            ds__ops_kill_session(op->engine->ops, id, op);
        }
    }
    ds__sessions_end(op->engine, list, true);
}

bool ds__cmd_kill_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    if (!check_list(op, false, err)) {
        return false;
    }
    kill(op, op->target, ds__doc_empty(op->target));
    return true;
}

/* [] for everybody's, or [{user, db}, …]: there are no users. */
bool ds__cmd_kill_all_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"user", DS_ARG_STRING, DS_ARG_REQUIRED},
                                   {"db", DS_ARG_STRING, DS_ARG_REQUIRED}};
    ds_value v[2];
    ds__iter it;
    (void)reply;
    if (!check_list(op, true, err)) {
        return false;
    }
    for (ds__iter_init(&it, op->target); ds__iter_next(&it);) {
        if (!ds__args_read("KillAllSessionsCmd.killAllSessions", false, it.value, args, 2, v,
                           err)) {
            return false;
        }
        return ds__error_set(err, DS_USER_NOT_FOUND,
                             "Could not find user \"%.60s\" for db \"%.60s\"", ds__text(v[0]),
                             ds__text(v[1]));
    }
    kill(op, op->target, true);
    return true;
}

/* Patterns name a session by {lsid: {id, uid}}, or all of one user by {uid}: everybody is the same
 * user here. */
bool ds__cmd_kill_all_sessions_by_pattern(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"lsid", DS_ARG_OBJECT, 0},
                                   {"uid", DS_ARG_ANY, 0},
                                   {"users", DS_ARG_REFUSED, 0},
                                   {"roles", DS_ARG_REFUSED, 0}};
    static const ds__arg lsid_args[] = {{"id", DS_ARG_ANY, DS_ARG_REQUIRED},
                                        {"uid", DS_ARG_ANY, DS_ARG_REQUIRED}};
    static const char owner[] = "KillAllSessionsByPatternCmd.killAllSessionsByPattern";
    ds_buf list = {0};
    ds_value v[4], id[2];
    ds__iter it;
    (void)reply;
    if (!check_list(op, true, err)) {
        return false;
    }
    bool all = ds__doc_empty(op->target);
    bool ok = true;
    size_t n = 0;
    size_t root = ds__doc_begin(&list);
    for (ds__iter_init(&it, op->target); ok && ds__iter_next(&it);) {
        ok = ds__args_read(owner, false, it.value, args, 4, v, err) &&
             (v[0].type == DS_MISSING ||
              ds__args_read("KillAllSessionsByPatternCmd.killAllSessionsByPattern.lsid", false,
                            v[0], lsid_args, 2, id, err));
        all = all || v[0].type == DS_MISSING;
        if (ok && v[0].type != DS_MISSING) {
            ds__write_index(&list, n++, v[0]);
        }
    }
    ds__doc_end(&list, root);
    ok = ok && ds_buf_ok(&list, err);
    if (ok) {
        kill(op, ds__array(list.data), all);
    }
    ds_buf_clear(&list);
    return ok;
}

bool ds__cmd_refresh_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return check_list(op, false, err);
}
