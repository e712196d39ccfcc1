/* SPDX-License-Identifier: Apache-2.0 */
/* hello and isMaster: a replica set of one member, made of the address the client came in on. */
#include "base/clock.h"
#include "base/limits.h"
#include "bson/writer.h"
#include "engine/commands/handlers.h"

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

static bool check_topology_version(const ds__op *op, ds_error *err) {
    ds_value version, wait;
    bool has_version = ds__doc_get(op->command, "topologyVersion", 15, &version);
    bool has_wait = ds__doc_get(op->command, "maxAwaitTimeMS", 14, &wait);
    if (has_version != has_wait) {
        return ds__error_set(err, has_version ? 31368 : 51759,
                             has_version ? "A request with a 'topologyVersion' must include "
                                           "'maxAwaitTimeMS'"
                                         : "A request with 'maxAwaitTimeMS' must include a "
                                           "'topologyVersion'");
    }
    return true;
}

static bool answer(ds__op *op, const char *primary_field, ds_buf *reply, ds_error *err) {
    const char *me = op->peer != NULL && op->peer->me != NULL ? op->peer->me : "localhost:27017";
    uint64_t now = op->env.cluster_time;
    ds_value mechs;
    if (!check_topology_version(op, err)) {
        return false;
    }
    if (ds__value_truthy(ds__doc_field(op->command, "helloOk"))) {
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
    ds__write_int32(reply, "connectionId", ds__op_is_remote(op) ? (int32_t)op->peer->connection_id : 1);
    ds__write_int32(reply, "minWireVersion", MIN_WIRE);
    ds__write_int32(reply, "maxWireVersion", MAX_WIRE);
    ds__write_bool(reply, "readOnly", ds__store_read_only(op->engine->store));
    if (ds__doc_get(op->command, "saslSupportedMechs", 18, &mechs)) {
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
