/* SPDX-License-Identifier: Apache-2.0 */
/* readConcern and writeConcern: what they may say, and to which command. */
#include <stdio.h>

#include "bson/number.h"
#include "bson/writer.h"
#include "engine/commands/generic.h"

/* The members a write concern may count, and those there are. */
enum { MAX_W = 50, MEMBERS = 1, MAX_NAME = 100 };

static bool wrong_type(const char *name, const char *expected, ds_value v, ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH, "\"%s\" had the wrong type. Expected %s, found %s",
                         name, expected, ds__type_name(v.type));
}

static bool check_provenance(const char *owner, ds_value v, ds_error *err) {
    static const char *const all[] = {"clientSupplied", "implicitDefault", "customDefault",
                                      "getLastErrorDefaults", "internalWriteDefault"};
    if (v.type == DS_MISSING) {
        return true;
    }
    if (v.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '%s.provenance' is the wrong type '%s', expected type "
                             "'string'",
                             owner, ds__type_name(v.type));
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (ds__is_string(v, all[i])) {
            return true;
        }
    }
    return ds__error_set(err, DS_BAD_VALUE,
                         "Enumeration value '%.*s' for field '%s.provenance' is not a valid value.",
                         v.size < 100 ? (int)v.size : 100, ds__text(v), owner);
}

typedef enum read_level {
    LEVEL_NONE,
    LEVEL_LOCAL,
    LEVEL_AVAILABLE,
    LEVEL_MAJORITY,
    LEVEL_LINEARIZABLE,
    LEVEL_SNAPSHOT,
    LEVELS
} read_level;

static const char *const levels[LEVELS] = {"",         "local",        "available",
                                           "majority", "linearizable", "snapshot"};

typedef struct read_fields {
    ds_value level;
    ds_value after;
    ds_value at;
    ds_value provenance;
} read_fields;

static bool read_fields_of(ds_value concern, read_fields *f, ds_error *err) {
    ds__iter it;
    memset(f, 0, sizeof *f);
    ds__iter_init(&it, concern);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "level") == 0) {
            f->level = it.value;
        } else if (strcmp(it.key, "afterClusterTime") == 0) {
            f->after = it.value;
        } else if (strcmp(it.key, "atClusterTime") == 0) {
            f->at = it.value;
        } else if (strcmp(it.key, "provenance") == 0) {
            f->provenance = it.value;
        } else {
            return ds__error_set(err, DS_INVALID_OPTIONS, "Unrecognized option in readConcern: %s",
                                 it.key);
        }
    }
    return true;
}

static bool read_level_of(ds_value v, read_level *out, ds_error *err) {
    *out = LEVEL_NONE;
    if (v.type == DS_MISSING) {
        return true;
    }
    if (v.type != DS_STRING) {
        return wrong_type("level", "string", v, err);
    }
    for (int i = LEVEL_LOCAL; i < LEVELS; i++) {
        if (ds__is_string(v, levels[i])) {
            *out = (read_level)i;
            return true;
        }
    }
    return ds__error_set(err, DS_FAILED_TO_PARSE,
                         "readConcern.level must be either 'local', 'majority', 'linearizable', "
                         "'available', or 'snapshot'");
}

static bool check_time(const char *name, ds_value v, ds_error *err) {
    if (v.type == DS_MISSING) {
        return true;
    }
    if (v.type != DS_TIMESTAMP) {
        return wrong_type(name, "timestamp", v, err);
    }
    return v.as.u64 >> 32 != 0 ||
           ds__error_set(err, DS_INVALID_OPTIONS, "%s cannot be a null timestamp", name);
}

static bool check_times(const read_fields *f, read_level level, ds_error *err) {
    if (!check_time("afterClusterTime", f->after, err) ||
        !check_time("atClusterTime", f->at, err)) {
        return false;
    }
    if (f->at.type != DS_MISSING && f->after.type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Specifying a timestamp for readConcern snapshot in a causally "
                             "consistent session is not allowed.");
    }
    if (f->at.type != DS_MISSING && level != LEVEL_SNAPSHOT) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "atClusterTime field can be set only if level is equal to snapshot");
    }
    if (f->after.type != DS_MISSING && (level == LEVEL_AVAILABLE || level == LEVEL_LINEARIZABLE)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "afterClusterTime field can be set only if level is equal to "
                             "majority, local, or snapshot");
    }
    return true;
}

/* A transaction's first command says how all of it reads; it is a snapshot in any case. */
static bool check_in_transaction(const read_fields *f, read_level level, ds_error *err) {
    if (level == LEVEL_AVAILABLE || level == LEVEL_LINEARIZABLE) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "The readConcern level must be either 'local' (default), 'majority' "
                             "or 'snapshot' in order to run in a transaction");
    }
    return f->at.type == DS_MISSING ||
           ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "a transaction that begins at a given atClusterTime is not implemented");
}

bool ds__read_concern_read(ds__op *op, ds_value concern, ds_error *err) {
    read_fields f;
    read_level level;
    if (concern.type == DS_MISSING) {
        return true;
    }
    if (concern.type != DS_DOCUMENT) {
        bool own = strcmp(op->row->name, "aggregate") == 0 && concern.type != DS_NULL;
        return ds__error_set(err, own ? DS_TYPE_MISMATCH : DS_FAILED_TO_PARSE,
                             "readConcern field should be an object");
    }
    if (!read_fields_of(concern, &f, err) || !read_level_of(f.level, &level, err) ||
        !check_times(&f, level, err) ||
        !check_provenance("ReadConcernArgs::parse", f.provenance, err)) {
        return false;
    }
    if (ds__value_truthy(ds__doc_field(op->command, "startTransaction"))) {
        return check_in_transaction(&f, level, err);
    }
    uint32_t flags = op->row->flags;
    if ((level > LEVEL_LOCAL && !(flags & DS_CMD_READ_CONCERN)) ||
        (level == LEVEL_SNAPSHOT && !(flags & DS_CMD_SNAPSHOT))) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Command %s does not support { readConcern: { level: \"%s\" } } :: "
                             "caused by :: read concern%s not supported",
                             op->row->name, levels[level],
                             flags & DS_CMD_READ_CONCERN ? " snapshot" : "");
    }
    op->snapshot = level == LEVEL_SNAPSHOT;
    op->at_cluster_time = f.at.type == DS_TIMESTAMP ? f.at.as.u64 : 0;
    return true;
}

static bool check_tags(ds_value w, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, w);
    if (!ds__iter_next(&it)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "tagged write concern requires tags");
    }
    return ds__is_number(it.value)
               ? ds__error_set(err, DS_NO_SUCH_KEY, "No replica set tag key %s in config", it.key)
               : ds__error_set(err, DS_FAILED_TO_PARSE,
                               "tags must be a single level document with only number values; "
                               "found: %s",
                               it.key);
}

/* w: a number of members, "majority", or a name or tags, which a set of one member has not. */
static bool check_w(ds__op *op, ds_value w, ds_error *err) {
    if (ds__is_number(w)) {
        int64_t n = ds__number_to_int64(w);
        op->unmet_concern = n > MEMBERS ? DS_UNSATISFIABLE_WRITE_CONCERN : 0;
        return (n >= 0 && n <= MAX_W) ||
               ds__error_set(err, DS_FAILED_TO_PARSE,
                             "w has to be a non-negative number and not greater than %d; found: "
                             "%lld",
                             MAX_W, (long long)n);
    }
    switch (w.type) {
    case DS_MISSING:
        return true;
    case DS_STRING:
        op->unmet_concern = ds__is_string(w, "majority") ? 0 : DS_UNKNOWN_REPL_WRITE_CONCERN;
        return true;
    case DS_NULL:
        op->unmet_concern = DS_UNKNOWN_REPL_WRITE_CONCERN;
        return true;
    case DS_DOCUMENT:
        return check_tags(w, err);
    default:
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "w has to be a number, string, or object; found: %s",
                             ds__type_name(w.type));
    }
}

static bool check_flag(const char *name, ds_value v, ds_error *err) {
    return v.type == DS_MISSING || v.type == DS_NULL || v.type == DS_BOOL || ds__is_number(v) ||
           ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field 'WriteConcernOptions.%s' is the wrong type '%s', expected "
                         "types '[bool, long, int, decimal, double']",
                         name, ds__type_name(v.type));
}

/* The names, and those that mongod's own servers add. */
static bool check_write_names(ds_value concern, ds_error *err) {
    static const char *const known[] = {"w",       "j",           "wtimeout",     "fsync",
                                        "wOpTime", "wElectionId", "getLastError", "provenance"};
    ds__iter it;
    ds__iter_init(&it, concern);
    while (ds__iter_next(&it)) {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], it.key) != 0) {
            i++;
        }
        if (i == sizeof known / sizeof *known) {
            return ds__error_set(err, 40415,
                                 "BSON field 'WriteConcernOptions.%s' is an unknown "
                                 "field.",
                                 it.key);
        }
    }
    return true;
}

bool ds__write_concern_read(ds__op *op, ds_value concern, ds_error *err) {
    if (concern.type == DS_MISSING) {
        return true;
    }
    if (!(op->row->flags & DS_CMD_WRITE_CONCERN)) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "Command does not support writeConcern");
    }
    if (concern.type != DS_DOCUMENT) {
        return wrong_type("writeConcern", "object", concern, err);
    }
    ds_value j = ds__doc_field(concern, "j");
    ds_value fsync = ds__doc_field(concern, "fsync");
    ds_value wait = ds__doc_field(concern, "wtimeout");
    if (!check_write_names(concern, err) || !check_w(op, ds__doc_field(concern, "w"), err) ||
        !check_flag("j", j, err) || !check_flag("fsync", fsync, err) ||
        !check_provenance("WriteConcernOptions", ds__doc_field(concern, "provenance"), err)) {
        return false;
    }
    if (ds__value_truthy(j) && ds__value_truthy(fsync)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "fsync and j options cannot be used together");
    }
    if (ds__is_number(wait) &&
        (ds__number_to_int64(wait) > INT32_MAX || ds__number_to_int64(wait) < INT32_MIN)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "wtimeout must be a 32-bit integer");
    }
    op->sync = ds__value_truthy(j) || ds__value_truthy(fsync);
    op->write_concern = concern;
    return true;
}

void ds__write_concern_report(ds__op *op, ds_buf *reply) {
    char name[32];
    char message[200] = "Not enough data-bearing nodes";
    bool many = op->unmet_concern == DS_UNSATISFIABLE_WRITE_CONCERN;
    if (op->unmet_concern == 0) {
        return;
    }
    ds_value w = ds__doc_field(op->write_concern, "w");
    if (!many) {
        snprintf(message, sizeof message,
                 "No write concern mode named '%.*s' found in replica set configuration",
                 w.type != DS_STRING ? 0 : (w.size < MAX_NAME ? (int)w.size : MAX_NAME),
                 w.type == DS_STRING ? ds__text(w) : "");
    }
    size_t error = ds__write_doc(reply, "writeConcernError", 17, DS_DOCUMENT);
    ds__write_int32(reply, "code", op->unmet_concern);
    ds__write_str(reply, "codeName", ds__code_name(op->unmet_concern, name));
    ds__write_str(reply, "errmsg", message);
    size_t info = ds__write_doc(reply, "errInfo", 7, DS_DOCUMENT);
    size_t inner = ds__write_doc(reply, "writeConcern", 12, DS_DOCUMENT);
    if (w.type == DS_STRING && w.size > MAX_NAME) { /* within what ds__op_settle reserves */
        w.size = MAX_NAME;
    }
    ds__write_value(reply, "w", 1, w);
    ds_value wait = ds__doc_field(op->write_concern, "wtimeout");
    ds__write_int32(reply, "wtimeout",
                    ds__is_number(wait) ? (int32_t)ds__number_to_int64(wait) : 0);
    ds__write_str(reply, "provenance", "clientSupplied");
    ds__doc_end(reply, inner);
    ds__doc_end(reply, info);
    ds__doc_end(reply, error);
}
