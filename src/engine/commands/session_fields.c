/* SPDX-License-Identifier: Apache-2.0 */
/* Reads lsid, txnNumber, autocommit and startTransaction. */
#include "engine/commands/session_fields.h"

static ds__session_fields read_fields(ds_value command) {
    ds__session_fields f = {0};
    ds__iter it;
    ds__iter_init(&it, command);
    while (ds__iter_next(&it)) {
        switch (it.key[0]) {
        case 'l':
            if (strcmp(it.key, "lsid") == 0) {
                f.lsid = it.value;
            }
            break;
        case 't':
            if (strcmp(it.key, "txnNumber") == 0) {
                f.number = it.value;
            }
            break;
        case 'a':
            if (strcmp(it.key, "autocommit") == 0) {
                f.autocommit = it.value;
            }
            break;
        case 's':
            if (strcmp(it.key, "startTransaction") == 0) {
                f.start = it.value;
            } else if (strcmp(it.key, "savepoints") == 0) {
                f.savepoints = it.value;
            }
            break;
        default:
            break;
        }
    }
    return f;
}

static bool wrong_type(const char *name, ds_value v, const char *expected, ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field 'OperationSessionInfo.%s' is the wrong type '%s', expected "
                         "type '%s'",
                         name, ds__type_name(v.type), expected);
}

/* {id: UUID}, perhaps with the user's hash, or what a retry inside a transaction adds. */
static bool check_id(ds_value lsid, ds_error *err) {
    ds__iter it;
    ds_value id = ds__missing();
    if (lsid.type != DS_DOCUMENT) {
        return wrong_type("lsid", lsid, "object", err);
    }
    ds__iter_init(&it, lsid);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "id") == 0) {
            id = it.value;
        } else if (strcmp(it.key, "uid") == 0) {
            if (it.value.type != DS_BINARY) {
                return wrong_type("lsid.uid", it.value, "binData", err);
            }
        } else if (strcmp(it.key, "txnNumber") != 0 && strcmp(it.key, "txnUUID") != 0) {
            return ds__error_set(err, 40415,
                                 "BSON field 'OperationSessionInfo.lsid.%s' is an unknown field.",
                                 it.key);
        }
    }
    if (id.type == DS_MISSING) {
        return ds__error_set(err, 40414,
                             "BSON field 'OperationSessionInfo.lsid.id' is missing but a required "
                             "field");
    }
    if (id.type != DS_BINARY || id.subtype != 4) {
        return wrong_type("lsid.id", id, "UUID", err);
    }
    return id.size == DS_SESSION_ID_SIZE ||
           ds__error_set(err, DS_INVALID_UUID,
                         "uuid must be a 16-byte binary field with UUID (4) subtype");
}

/* The types; null is as good as nothing. */
static bool check_types(ds__session_fields *f, ds_error *err) {
    ds_value *all[] = {&f->lsid, &f->number, &f->autocommit, &f->start, &f->savepoints};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i]->type == DS_NULL || all[i]->type == DS_UNDEFINED) {
            *all[i] = ds__missing();
        }
    }
    if (f->lsid.type != DS_MISSING && !check_id(f->lsid, err)) {
        return false;
    }
    if (f->number.type != DS_MISSING && f->number.type != DS_INT64) {
        return wrong_type("txnNumber", f->number, "long", err);
    }
    if (f->autocommit.type != DS_MISSING && f->autocommit.type != DS_BOOL) {
        return wrong_type("autocommit", f->autocommit, "bool", err);
    }
    if (f->savepoints.type != DS_MISSING && f->savepoints.type != DS_BOOL) {
        return wrong_type("savepoints", f->savepoints, "bool", err);
    }
    return f->start.type == DS_MISSING || f->start.type == DS_BOOL ||
           wrong_type("startTransaction", f->start, "bool", err);
}

static bool check_together(const ds__op *op, const ds__session_fields *f, ds_error *err) {
    if (f->savepoints.type != DS_MISSING && f->start.type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "'savepoints' field requires 'startTransaction' field to also be "
                             "specified");
    }
    if (f->number.type == DS_MISSING && f->autocommit.type == DS_MISSING &&
        f->start.type == DS_MISSING) {
        return true;
    }
    if (f->start.type != DS_MISSING && f->autocommit.type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "'startTransaction' field requires 'autocommit' field to also be "
                             "specified");
    }
    if (op->row->flags & DS_CMD_NO_SESSION) {
        return f->autocommit.type != DS_MISSING
                   ? ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                                   "This command is not supported in transactions")
                   : ds__error_set(err, 50889,
                                   "It is illegal to provide a txnNumber for this command");
    }
    if (f->lsid.type == DS_MISSING && f->number.type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Transaction number requires a session ID to also be specified");
    }
    if (f->number.type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "'autocommit' field requires a transaction number to also be "
                             "specified");
    }
    if (f->autocommit.type != DS_MISSING && f->autocommit.as.b) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "Specifying autocommit=true is not allowed.");
    }
    return f->start.type == DS_MISSING || f->start.as.b ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "Specifying startTransaction=false is not allowed.");
}

bool ds__session_fields_read(const ds__op *op, ds__session_fields *out, ds_error *err) {
    *out = read_fields(op->command);
    return check_types(out, err) && check_together(op, out, err);
}
