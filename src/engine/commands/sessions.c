/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that start, refresh and end sessions and transactions. */
#include "base/clock.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"
#include "engine/commands/session.h"
#include "bson/writer.h"

bool ds__cmd_commit_transaction(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return ds__session_commit(op, err);
}

bool ds__cmd_abort_transaction(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return ds__session_abort(op, err);
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
static bool check_list(const ds__op *op, bool patterns, ds_error *err) {
    const char *name = op->row->name;
    ds__iter it;
    if (op->target.type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '%s.%s' is the wrong type '%s', expected type 'array'",
                             name, name, ds__type_name(op->target.type));
    }
    ds__iter_init(&it, op->target);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        ds_value id;
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '%s.%s.%zu' is the wrong type '%s', expected type "
                                 "'object'",
                                 name, name, i, ds__type_name(it.value.type));
        }
        if (patterns) {
            continue;
        }
        if (!ds__doc_get(it.value, "id", 2, &id)) {
            return ds__error_set(err, 40414,
                                 "BSON field '%s.%s.id' is missing but a required "
                                 "field",
                                 name, name);
        }
        if (id.type != DS_BINARY || id.subtype != 4 || id.size != DS_SESSION_ID_SIZE) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '%s.%s.id' is the wrong type '%s', expected type "
                                 "'UUID'",
                                 name, name, ds__type_name(id.type));
        }
    }
    return ds__args_read(name, true, op->command, NULL, 0, NULL, err);
}

bool ds__cmd_end_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return check_list(op, false, err) && ds__sessions_end(op->engine, op->target, false, err);
}

bool ds__cmd_kill_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return check_list(op, false, err) &&
           ds__sessions_end(op->engine, op->target, ds__doc_empty(op->target), err);
}

bool ds__cmd_kill_all_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return check_list(op, true, err) && ds__sessions_end(op->engine, op->target, true, err);
}

bool ds__cmd_refresh_sessions(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    return check_list(op, false, err);
}
