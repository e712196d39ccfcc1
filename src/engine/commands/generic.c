/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the arguments all commands share, in one pass over the command. */
#include "engine/commands/generic.h"

#include "base/clock.h"
#include "bson/number.h"

/* Sorted by name. */
enum generic {
    AUDIT,
    CLIENT,
    CLUSTER_TIME,
    CONFIG_STATE,
    CONFIG_TIME,
    DB,
    OPLOG_QUERY,
    QUERY_OPTIONS,
    READ_PREFERENCE,
    REPL_DATA,
    TOPOLOGY_TIME,
    IMPLICIT_CREATION,
    API_DEPRECATION,
    API_STRICT,
    API_VERSION,
    AUTOCOMMIT,
    OPERATION_KEY,
    COMMENT,
    COORDINATOR,
    DATABASE_VERSION,
    LSID,
    MAX_TIME,
    MAX_TIME_OP_ONLY,
    BYPASS_BLOCKING,
    READ_CONCERN,
    SAVEPOINTS,
    SHARD_VERSION,
    START_TRANSACTION,
    STATEMENT,
    TRACKING,
    TXN_NUMBER,
    WRITE_CONCERN,
    GENERICS
};

static const char *const names[GENERICS] = {
    [AUDIT] = "$audit",
    [CLIENT] = "$client",
    [CLUSTER_TIME] = "$clusterTime",
    [CONFIG_STATE] = "$configServerState",
    [CONFIG_TIME] = "$configTime",
    [DB] = "$db",
    [OPLOG_QUERY] = "$oplogQueryData",
    [QUERY_OPTIONS] = "$queryOptions",
    [READ_PREFERENCE] = "$readPreference",
    [REPL_DATA] = "$replData",
    [TOPOLOGY_TIME] = "$topologyTime",
    [IMPLICIT_CREATION] = "allowImplicitCollectionCreation",
    [API_DEPRECATION] = "apiDeprecationErrors",
    [API_STRICT] = "apiStrict",
    [API_VERSION] = "apiVersion",
    [AUTOCOMMIT] = "autocommit",
    [OPERATION_KEY] = "clientOperationKey",
    [COMMENT] = "comment",
    [COORDINATOR] = "coordinator",
    [DATABASE_VERSION] = "databaseVersion",
    [LSID] = "lsid",
    [MAX_TIME] = "maxTimeMS",
    [MAX_TIME_OP_ONLY] = "maxTimeMSOpOnly",
    [BYPASS_BLOCKING] = "mayBypassWriteBlocking",
    [READ_CONCERN] = "readConcern",
    [SAVEPOINTS] = "savepoints",
    [SHARD_VERSION] = "shardVersion",
    [START_TRANSACTION] = "startTransaction",
    [STATEMENT] = "stmtId",
    [TRACKING] = "tracking_info",
    [TXN_NUMBER] = "txnNumber",
    [WRITE_CONCERN] = "writeConcern",
};

/* Where the names with a first letter begin; most fields of commands are told by it. */
static const uint8_t first[256] = {
    ['$'] = AUDIT + 1,         ['a'] = IMPLICIT_CREATION + 1,
    ['c'] = OPERATION_KEY + 1, ['d'] = DATABASE_VERSION + 1,
    ['l'] = LSID + 1,          ['m'] = MAX_TIME + 1,
    ['r'] = READ_CONCERN + 1,  ['s'] = SAVEPOINTS + 1,
    ['t'] = TRACKING + 1,      ['w'] = WRITE_CONCERN + 1,
};

static int find(const char *name) {
    const int begin = first[(uint8_t)name[0]] - 1;
    for (int i = begin; i >= 0 && i < GENERICS && names[i][0] == name[0]; i++) {
        if (strcmp(names[i] + 1, name + 1) == 0) {
            return i;
        }
    }
    return -1;
}

bool ds__arg_is_generic(const char *name) {
    return find(name) >= 0;
}

static bool missing(ds_value v) {
    return v.type == DS_MISSING || v.type == DS_NULL;
}

static bool is_command(const ds__op *op, const char *name) {
    return strcmp(op->row->name, name) == 0;
}

/* getMore and aggregate read it as a field of theirs, with other codes. */
static bool read_max_time(ds__op *op, ds_value v, ds_error *err) {
    bool own = is_command(op, "aggregate") || is_command(op, "getMore");
    int64_t ms = 0;
    if (v.type == DS_MISSING) {
        return true;
    }
    if (!ds__is_number(v)) {
        return own && v.type != DS_NULL
                   ? ds__error_set(err, DS_TYPE_MISMATCH,
                                   "BSON field '%s.maxTimeMS' is the wrong type '%s', expected "
                                   "types '[long, int, decimal, double']",
                                   op->row->name, ds__type_name(v.type))
                   : ds__error_set(err, DS_BAD_VALUE, "maxTimeMS must be a number");
    }
    if (own && op->row->name[0] == 'a' && ds__number_to_int64(v) < 0) {
        return ds__error_set(err, 51024,
                             "BSON field 'maxTimeMS' value must be >= 0, actual value '%lld'",
                             (long long)ds__number_to_int64(v));
    }
    if (!ds__value_exact_int64(v, &ms)) {
        return ds__error_set(err, DS_BAD_VALUE, "maxTimeMS has non-integral value");
    }
    if (ms < 0 || ms > INT32_MAX) {
        return ds__error_set(err, DS_BAD_VALUE, "%lld value for maxTimeMS is out of range [0, %d]",
                             (long long)ms, INT32_MAX);
    }
    op->deadline_ms = ms ? ds__clock_mono_us() / 1000 + ms : 0;
    return true;
}

static bool check_api_flag(const char *name, ds_value v, ds_error *err) {
    return missing(v) || v.type == DS_BOOL ||
           ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field 'APIParametersFromClient.%s' is the wrong type '%s', expected "
                         "type 'bool'",
                         name, ds__type_name(v.type));
}

static bool check_api(const ds__op *op, const ds_value *v, ds_error *err) {
    ds_value version = v[API_VERSION];
    if (!missing(version) && version.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'APIParametersFromClient.apiVersion' is the wrong type "
                             "'%s', expected type 'string'",
                             ds__type_name(version.type));
    }
    if (!check_api_flag("apiStrict", v[API_STRICT], err) ||
        !check_api_flag("apiDeprecationErrors", v[API_DEPRECATION], err)) {
        return false;
    }
    if (missing(version)) {
        return (missing(v[API_STRICT]) && missing(v[API_DEPRECATION])) ||
               ds__error_set(err, 4886600,
                             "Provided apiStrict and/or apiDeprecationErrors without passing "
                             "apiVersion");
    }
    if (!ds__is_string(version, "1")) {
        return ds__error_set(err, DS_API_VERSION_ERROR, "API version must be \"1\"");
    }
    return !ds__value_truthy(v[API_STRICT]) || (op->row->flags & DS_CMD_API_V1) ||
           ds__error_set(err, DS_API_STRICT_ERROR,
                         "Provided apiStrict:true, but the command %s is not in API Version 1",
                         op->row->name);
}

static bool check_staleness(ds_value v, bool primary, ds_error *err) {
    if (v.type == DS_MISSING) {
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "Expected field \"maxStalenessSeconds\" to have numeric type, but "
                             "found %s",
                             ds__type_name(v.type));
    }
    int64_t seconds = ds__number_to_int64(v);
    if (seconds < 0) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "maxStalenessSeconds must be a non-negative integer");
    }
    if (seconds > 0 && primary) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "maxStalenessSeconds can not be set for the primary mode");
    }
    return seconds == 0 || seconds >= 90 ||
           ds__error_set(err, DS_MAX_STALENESS_OUT_OF_RANGE,
                         "maxStalenessSeconds value can not be less than 90");
}

static bool check_hedge(ds_value hedge, bool primary, ds_error *err) {
    ds__iter it;
    bool enabled = true;
    if (hedge.type == DS_MISSING) {
        return true;
    }
    if (hedge.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "hedge field must be of type object if provided; found %s",
                             ds__type_name(hedge.type));
    }
    ds__iter_init(&it, hedge);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "enabled") != 0) {
            return ds__error_set(err, 40415, "BSON field 'hedge.%s' is an unknown field.", it.key);
        }
        enabled = ds__value_truthy(it.value);
    }
    return !primary || !enabled ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "cannot enable hedging for $readPreference mode \"primaryOnly\"");
}

/* There is one member, whatever is preferred; what makes no sense is refused all the same. */
static bool check_read_preference(ds_value v, ds_error *err) {
    static const char *const modes[] = {"primary", "primaryPreferred", "secondary",
                                        "secondaryPreferred", "nearest"};
    if (v.type == DS_MISSING) {
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "$readPreference has incorrect type: expected object but got %s",
                             ds__type_name(v.type));
    }
    ds_value mode = ds__doc_field(v, "mode");
    if (mode.type != DS_STRING) {
        return mode.type == DS_MISSING
                   ? ds__error_set(err, DS_NO_SUCH_KEY, "Missing expected field \"mode\"")
                   : ds__error_set(err, DS_TYPE_MISMATCH,
                                   "\"mode\" had the wrong type. Expected string, found %s",
                                   ds__type_name(mode.type));
    }
    bool known = false;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        known = known || ds__is_string(mode, modes[i]);
    }
    if (!known) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Could not parse $readPreference mode '%.*s'. Only the modes "
                             "'primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', "
                             "and 'nearest' are supported.",
                             mode.size < 100 ? (int)mode.size : 100, ds__text(mode));
    }
    bool primary = ds__is_string(mode, "primary");
    ds_value tags = ds__doc_field(v, "tags");
    if (tags.type != DS_MISSING && tags.type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "\"tags\" had the wrong type. Expected array, found %s",
                             ds__type_name(tags.type));
    }
    if (primary && tags.type == DS_ARRAY && !ds__doc_empty(tags)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Only empty tags are allowed with primary read preference");
    }
    return check_staleness(ds__doc_field(v, "maxStalenessSeconds"), primary, err) &&
           check_hedge(ds__doc_field(v, "hedge"), primary, err);
}

static bool need_object(const char *name, ds_value v, ds_error *err) {
    return v.type == DS_DOCUMENT || v.type == DS_ARRAY ||
           ds__error_set(err, 10065, "invalid parameter: expected an object (%s)", name);
}

static bool check_cluster_time(ds_value v, ds_error *err) {
    if (v.type == DS_MISSING) {
        return true;
    }
    if (!need_object("$clusterTime", v, err)) {
        return false;
    }
    ds_value time = ds__doc_field(v, "clusterTime");
    if (time.type == DS_MISSING) {
        return ds__error_set(err, DS_NO_SUCH_KEY, "Missing expected field \"clusterTime\"");
    }
    return time.type == DS_TIMESTAMP ||
           ds__error_set(err, DS_TYPE_MISMATCH,
                         "\"clusterTime\" had the wrong type. Expected timestamp, found %s",
                         ds__type_name(time.type));
}

/* What a router tells a shard, and a server its peers: nobody is either here. */
static bool check_internal(const ds_value *v, ds_error *err) {
    static const int versions[] = {DATABASE_VERSION, SHARD_VERSION};
    for (size_t i = 0; i < 2; i++) {
        const char *name = names[versions[i]];
        ds_value x = v[versions[i]];
        if (x.type != DS_MISSING) {
            return need_object(name, x, err) &&
                   ds__error_set(err, 40414, "'%s' is for the shards of a cluster", name);
        }
    }
    if (v[MAX_TIME_OP_ONLY].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Can not specify maxTimeMSOpOnly for non internal clients");
    }
    ds_value x = v[CLIENT];
    if (x.type != DS_MISSING) {
        return x.type == DS_DOCUMENT || x.type == DS_ARRAY
                   ? ds__error_set(err, DS_CLIENT_METADATA_MISSING_FIELD,
                                   "Missing required sub-document 'driver' in the client metadata "
                                   "document")
                   : ds__error_set(err, DS_TYPE_MISMATCH,
                                   "The client metadata document must be a document");
    }
    x = v[TRACKING];
    if (x.type != DS_MISSING) {
        return ds__error_set(err, x.type == DS_DOCUMENT ? DS_NO_SUCH_KEY : DS_TYPE_MISMATCH,
                             "'tracking_info' is for the servers of a cluster");
    }
    x = v[AUDIT];
    if (x.type == DS_DOCUMENT) {
        return ds__error_set(err, ds__doc_empty(x) ? 40414 : 40415,
                             "'$audit' is for the servers of a cluster");
    }
    x = v[BYPASS_BLOCKING];
    if (x.type != DS_MISSING && x.type != DS_BOOL) {
        return ds__error_set(err, 13111, "wrong type for field (mayBypassWriteBlocking) %s != bool",
                             ds__type_name(x.type));
    }
    x = v[OPERATION_KEY];
    if (x.type != DS_MISSING && (x.type != DS_BINARY || x.subtype != 4 || x.size != 16)) {
        return ds__error_set(err, DS_INVALID_UUID,
                             "uuid must be a 16-byte binary field with UUID (4) subtype");
    }
    x = v[COORDINATOR];
    return missing(x) || x.type == DS_BOOL ||
           ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field 'OperationSessionInfo.coordinator' is the wrong type '%s', "
                         "expected type 'bool'",
                         ds__type_name(x.type));
}

/* What makes a command part of a session, or of more than one. */
static const uint32_t of_sessions = (uint32_t)1 << LSID | (uint32_t)1 << TXN_NUMBER |
                                    (uint32_t)1 << AUTOCOMMIT | (uint32_t)1 << START_TRANSACTION |
                                    (uint32_t)1 << SAVEPOINTS;

bool ds__generic_read(ds__op *op, ds_error *err) {
    ds_value v[GENERICS];
    ds__iter it;
    uint32_t seen = 0;
    ds__iter_init(&it, op->command);
    ds__iter_next(&it);
    while (ds__iter_next(&it)) {
        int i = find(it.key);
        if (i < 0) {
            continue;
        }
        if (!seen) {
            memset(v, 0, sizeof v);
        }
        if (seen & (uint32_t)1 << i) {
            return ds__error_set(err, 40413, "BSON field '%s.%s' is a duplicate field",
                                 op->row->name, it.key);
        }
        seen |= (uint32_t)1 << i;
        v[i] = it.value;
    }
    op->lone = !(seen & of_sessions);
    if (!seen) {
        return true;
    }
    return check_api(op, v, err) && check_read_preference(v[READ_PREFERENCE], err) &&
           ds__read_concern_read(op, v[READ_CONCERN], err) &&
           ds__write_concern_read(op, v[WRITE_CONCERN], err) &&
           check_cluster_time(v[CLUSTER_TIME], err) && check_internal(v, err) &&
           read_max_time(op, v[MAX_TIME], err);
}
