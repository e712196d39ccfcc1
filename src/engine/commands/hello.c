/* SPDX-License-Identifier: Apache-2.0 */
/* hello and isMaster: a replica set of one member, made of the address the client came in on. */
#include "base/clock.h"
#include "base/limits.h"
#include "bson/writer.h"
#include "engine/commands/handlers.h"
#include "engine/commands/request.h"

/* Versions of the wire protocol as MongoDB 6.0 speaks it. */
enum { MIN_WIRE = 0, MAX_WIRE = 17 };

static ds_value object_id(uint64_t low) {
    ds_value v = {.type = DS_OBJECT_ID};
    v.as.oid[0] = 0x7f;
    v.as.oid[1] = v.as.oid[2] = v.as.oid[3] = 0xff;
    for (int i = 0; i < 8; i++) {
        v.as.oid[11 - i] = (uint8_t)(low >> (8 * i));
    }
    return v;
}

static void write_op_time(ds_buf *reply, const char *name, uint64_t ts) {
    size_t t = ds__write_doc(reply, name, strlen(name), DS_DOCUMENT);
    ds__write_value(reply, "ts", 2, (ds_value){.type = DS_TIMESTAMP, .as.u64 = ts});
    ds__write_int64(reply, "t", 1);
    ds__doc_end(reply, t);
}

/* The server process for topologyVersion: made of when the engine opened. */
static void write_topology_version(const ds__op *op, ds_buf *reply) {
    ds_value process = {.type = DS_OBJECT_ID};
    int64_t started = op->engine->started_ms;
    uint32_t seconds = __builtin_bswap32((uint32_t)(started / 1000));
    memcpy(process.as.oid, &seconds, 4);
    memcpy(process.as.oid + 4, &started, 8);
    size_t t = ds__write_doc(reply, "topologyVersion", 15, DS_DOCUMENT);
    ds__write_value(reply, "processId", 9, process);
    ds__write_int64(reply, "counter", 0);
    ds__doc_end(reply, t);
}

/* hello reads what it knows and passes over the rest: a first one carries what drivers add. */
enum {
    VERSION,
    MAX_AWAIT,
    HELLO_OK,
    SHELL,
    MECHANISMS,
    AUTHENTICATE,
    COMPRESSION,
    HANG_UP,
    BALANCED,
    HOST_INFO,
    INTERNAL,
    ARGS
};

static const ds__arg args[ARGS] = {
    [VERSION] = {"topologyVersion", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [MAX_AWAIT] = {"maxAwaitTimeMS", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
    [HELLO_OK] = {"helloOk", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [SHELL] = {"forShell", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    [MECHANISMS] = {"saslSupportedMechs", DS_ARG_ANY, 0},
    [AUTHENTICATE] = {"speculativeAuthenticate", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [COMPRESSION] = {"compression", DS_ARG_ARRAY, DS_ARG_IGNORED},
    [HANG_UP] = {"hangUpOnStepDown", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    [BALANCED] = {"loadBalanced", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    [HOST_INFO] = {"hostInfo", DS_ARG_STRING, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    [INTERNAL] = {"internalClient", DS_ARG_OBJECT, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
};

static bool check_mechanisms(ds_value v, ds_error *err) {
    if (v.type == DS_MISSING || v.type == DS_UNDEFINED) {
        return true;
    }
    if (v.type == DS_DOCUMENT) {
        return (ds__doc_field(v, "user").type == DS_STRING &&
                ds__doc_field(v, "db").type == DS_STRING) ||
               ds__error_set(err, DS_BAD_VALUE, "UserName must contain a field named: user");
    }
    if (v.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'hello.saslSupportedMechs' is the wrong type '%s', "
                             "expected types '[string, object']",
                             ds__type_name(v.type));
    }
    return memchr(ds__text(v), '.', v.size) != NULL ||
           ds__error_set(err, DS_BAD_VALUE,
                         "UserName must contain a '.' separated database.user pair");
}

static bool check_arguments(const ds_value *v, ds_error *err) {
    static const ds__arg version_args[] = {{"processId", DS_ARG_ANY, DS_ARG_REQUIRED},
                                           {"counter", DS_ARG_LONG, DS_ARG_REQUIRED}};
    ds_value parts[2];
    if (!check_mechanisms(v[MECHANISMS], err) ||
        (v[VERSION].type != DS_MISSING &&
         !ds__args_read("hello.topologyVersion", false, v[VERSION], version_args, 2, parts, err))) {
        return false;
    }
    if ((v[VERSION].type != DS_MISSING) != (v[MAX_AWAIT].type != DS_MISSING)) {
        bool version = v[VERSION].type != DS_MISSING;
        return ds__error_set(err, 31368, "A request with '%s' must include '%s'",
                             version ? "topologyVersion" : "maxAwaitTimeMS",
                             version ? "maxAwaitTimeMS" : "topologyVersion");
    }
    return true;
}

static bool answer(ds__op *op, const char *primary_field, ds_buf *reply, ds_error *err) {
    const char *me = op->peer != NULL && op->peer->me != NULL ? op->peer->me : "localhost:27017";
    uint64_t now = op->env.cluster_time;
    ds_value v[ARGS];
    if (!ds__args_read_some("hello", op->command, args, ARGS, v, err) || !check_arguments(v, err)) {
        return false;
    }
    if (ds__value_truthy(v[HELLO_OK])) {
        ds__write_bool(reply, "helloOk", true);
    }
    write_topology_version(op, reply);
    size_t hosts = ds__write_doc(reply, "hosts", 5, DS_ARRAY);
    ds__write_index(reply, 0, ds__cstring(me));
    ds__doc_end(reply, hosts);
    ds__write_str(reply, "setName", "rs0");
    ds__write_int32(reply, "setVersion", 1);
    ds__write_bool(reply, primary_field, true);
    ds__write_bool(reply, "secondary", false);
    ds__write_str(reply, "primary", me);
    ds__write_str(reply, "me", me);
    ds__write_value(reply, "electionId", 10, object_id(1));
    size_t last = ds__write_doc(reply, "lastWrite", 9, DS_DOCUMENT);
    write_op_time(reply, "opTime", now);
    ds__write_value(reply, "lastWriteDate", 13, ds__date((int64_t)(now >> 32) * 1000));
    write_op_time(reply, "majorityOpTime", now);
    ds__write_value(reply, "majorityWriteDate", 17, ds__date((int64_t)(now >> 32) * 1000));
    ds__doc_end(reply, last);
    ds__write_int32(reply, "maxBsonObjectSize", DS_MAX_DOC_SIZE);
    ds__write_int32(reply, "maxMessageSizeBytes", DS_MAX_MESSAGE_SIZE);
    ds__write_int32(reply, "maxWriteBatchSize", DS_MAX_WRITE_BATCH);
    ds__write_value(reply, "localTime", 9, ds__date(op->env.now_ms));
    ds__write_int32(reply, "logicalSessionTimeoutMinutes", 30);
    ds__write_int32(reply, "connectionId",
                    ds__op_is_remote(op) ? (int32_t)op->peer->connection_id : 1);
    ds__write_int32(reply, "minWireVersion", MIN_WIRE);
    ds__write_int32(reply, "maxWireVersion", MAX_WIRE);
    ds__write_bool(reply, "readOnly", ds__store_read_only(op->engine->store));
    if (v[MECHANISMS].type != DS_MISSING) {
        size_t list = ds__write_doc(reply, "saslSupportedMechs", 18, DS_ARRAY);
        ds__doc_end(reply, list);
    }
    return true;
}

bool ds__cmd_hello(ds__op *op, ds_buf *reply, ds_error *err) {
    return answer(op, "isWritablePrimary", reply, err);
}

bool ds__cmd_is_master(ds__op *op, ds_buf *reply, ds_error *err) {
    return answer(op, "ismaster", reply, err);
}
