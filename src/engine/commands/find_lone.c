/* SPDX-License-Identifier: Apache-2.0 */
/* {find: c, filter: {_id: x}} with nothing that needs a plan or a cursor: answered without a
 * transaction. Whatever is not as simple is left to find.c, with its refusals. */
#include "engine/commands/handlers.h"
#include "engine/commands/query.h"
#include "engine/commands/reply.h"
#include "engine/records/records.h"

/* A whole number of `least` or more. */
static bool is_count(ds_value v, int64_t least) {
    return (v.type == DS_INT32 && v.as.i32 >= least) || (v.type == DS_INT64 && v.as.i64 >= least);
}

/* Fields without a bearing on the answer, which the door has read. */
static bool is_beside(const char *name) {
    return strcmp(name, "$db") == 0 || strcmp(name, "lsid") == 0 || strcmp(name, "comment") == 0 ||
           strcmp(name, "maxTimeMS") == 0 || strcmp(name, "$clusterTime") == 0 ||
           strcmp(name, "$readPreference") == 0;
}

static bool read_command(const ds__op *op, ds__lone_key *key) {
    enum { FILTER = 1, LIMIT = 2, BATCH = 4, SINGLE = 8 };
    ds__iter it;
    int seen = 0;
    ds__iter_init(&it, op->command);
    ds__iter_next(&it);
    while (ds__iter_next(&it)) {
        int field;
        bool simple;
        if (strcmp(it.key, "filter") == 0) {
            field = FILTER;
            simple = ds__query_is_id(it.value, &key->id);
        } else if (strcmp(it.key, "limit") == 0) {
            field = LIMIT;
            simple = is_count(it.value, 0);
        } else if (strcmp(it.key, "batchSize") == 0) {
            field = BATCH;
            simple = is_count(it.value, 1);
        } else if (strcmp(it.key, "singleBatch") == 0) {
            field = SINGLE;
            simple = it.value.type == DS_BOOL;
        } else {
            field = 0;
            simple = is_beside(it.key);
        }
        if (!simple || (seen & field)) {
            return false;
        }
        seen |= field;
    }
    *key = (ds__lone_key){
        .db = op->db, .coll = ds__text(op->target), .size = op->target.size, .id = key->id};
    return (seen & FILTER) != 0;
}

bool ds__find_lone(ds__op *op, ds_buf *reply) {
    ds__lone_key key;
    ds__lone found;
    ds__batch batch;
    const ds__wait wait = ds__op_wait(op);
    if (op->target.type != DS_STRING || op->at_cluster_time || !read_command(op, &key) ||
        !ds__lone_get(op->engine->store, &key, &wait, &found)) {
        return false;
    }
    ds__batch_begin(&batch, reply, true);
    if (found.doc.type != DS_MISSING) {
        ds__batch_add(&batch, found.doc);
    }
    ds__batch_end(&batch, 0, found.coll->ns, 0);
    ds__lone_close(found.txn);
    return true;
}
