/* SPDX-License-Identifier: Apache-2.0 */
/* Whole sessions: every three bytes of the input are a step of a few clients of one engine, who
 * open cursors and transactions, read snapshots, write, change collections and indexes and leave.
 * Beside memory is checked that each reply is valid and that every collection is whole at the end.
 */
#include "fuzz.h"

#include "engine/engine.h"

enum { CLIENTS = 3, CURSORS = 4, MAX_STEPS = 60, STEP = 3 };

typedef struct client {
    int64_t txn; /* the number of the last transaction */
    bool open;   /* within it */
    bool first;  /* its next command begins it */
    uint64_t at; /* of the last snapshot; 0: none */
    int64_t cursors[CURSORS];
    uint8_t next;
} client;

typedef struct world {
    ds_engine *engine;
    client clients[CLIENTS];
} world;

static const char *const colls[] = {"a", "b", "v"};

static ds_value get(ds_value doc, const char *name) {
    return doc.type == DS_DOCUMENT ? ds__doc_field(doc, name) : ds__missing();
}

/* lsid, and what the client's transaction or snapshot adds. */
static void add_session(client *c, size_t who, bool snapshot, ds_buf *out) {
    uint8_t id[16] = {(uint8_t)(who + 1), 0, 0, 0, 0, 0, 0x40, 0, 0x80};
    size_t lsid = ds__write_doc(out, "lsid", 4, DS_DOCUMENT);
    ds__write_value(out, "id", 2,
                    (ds_value){.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = id});
    ds__doc_end(out, lsid);
    if (c->open) {
        ds__write_int64(out, "txnNumber", c->txn);
        ds__write_bool(out, "autocommit", false);
        if (c->first) {
            ds__write_bool(out, "startTransaction", true);
        }
    } else if (snapshot) {
        size_t concern = ds__write_doc(out, "readConcern", 11, DS_DOCUMENT);
        ds__write_str(out, "level", "snapshot");
        if (c->at) {
            ds__write_value(out, "atClusterTime", 13,
                            (ds_value){.type = DS_TIMESTAMP, .as.u64 = c->at});
        }
        ds__doc_end(out, concern);
    }
    ds__write_int32(out, "maxTimeMS", 500);
}

/* What a client keeps of a reply. */
static void remember(client *c, ds_value reply) {
    ds_value cursor = get(reply, "cursor");
    ds_value id = get(cursor, "id");
    ds_value at = get(cursor, "atClusterTime");
    if (id.type == DS_INT64 && id.as.i64 != 0) {
        c->cursors[c->next++ % CURSORS] = id.as.i64;
    }
    if (at.type == DS_TIMESTAMP) {
        c->at = at.as.u64;
    }
    if (c->open && !ds__value_truthy(get(reply, "ok"))) {
        c->open = false; /* a failed command ends its transaction */
    }
    c->first = false;
}

static void send(world *w, size_t who, const char *db, bool snapshot, ds_buf *command,
                 size_t root) {
    client *c = &w->clients[who];
    ds_buf reply = {0};
    ds_error err = {0};
    add_session(c, who, snapshot, command);
    ds__doc_end(command, root);
    if (!command->failed &&
        ds__engine_run(w->engine, NULL, db, ds__document(command->data), &reply, &err)) {
        fuzz_check(&reply);
        remember(c, ds__document(reply.data));
    }
    ds_buf_clear(&reply);
}

static void add_doc(ds_buf *out, const char *name, const char *field, int32_t v) {
    size_t doc = ds__write_doc(out, name, strlen(name), DS_DOCUMENT);
    if (field) {
        ds__write_int32(out, field, v);
    }
    ds__doc_end(out, doc);
}

static void add_insert(ds_buf *out, uint8_t x) {
    size_t docs = ds__write_doc(out, "documents", 9, DS_ARRAY);
    for (size_t i = 0; i < (size_t)(x % 5) + 1; i++) {
        size_t doc = ds__write_index_doc(out, i, DS_DOCUMENT);
        ds__write_int32(out, "_id", (x / 5 * 3 + (int32_t)i) % 40);
        ds__write_int32(out, "n", x % 7);
        ds__doc_end(out, doc);
    }
    ds__doc_end(out, docs);
    ds__write_bool(out, "ordered", x & 1);
}

static void add_update(ds_buf *out, uint8_t x) {
    size_t list = ds__write_doc(out, "updates", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(out, 0, DS_DOCUMENT);
    add_doc(out, "q", x & 1 ? "n" : "_id", x % 7);
    size_t u = ds__write_doc(out, "u", 1, DS_DOCUMENT);
    add_doc(out, "$inc", x & 2 ? "n" : "m", 1);
    ds__doc_end(out, u);
    ds__write_bool(out, "multi", x & 4);
    ds__write_bool(out, "upsert", x & 8);
    ds__doc_end(out, one);
    ds__doc_end(out, list);
}

static void add_delete(ds_buf *out, uint8_t x) {
    size_t list = ds__write_doc(out, "deletes", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(out, 0, DS_DOCUMENT);
    add_doc(out, "q", x & 1 ? "n" : NULL, x % 7);
    ds__write_int32(out, "limit", x & 2 ? 1 : 0);
    ds__doc_end(out, one);
    ds__doc_end(out, list);
}

static void add_indexes(ds_buf *out, uint8_t x) {
    size_t list = ds__write_doc(out, "indexes", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(out, 0, DS_DOCUMENT);
    add_doc(out, "key", x & 1 ? "n" : "m", x & 2 ? 1 : -1);
    ds__write_str(out, "name", x & 1 ? "n" : "m");
    if (x & 4) {
        ds__write_bool(out, "unique", true);
    }
    ds__doc_end(out, one);
    ds__doc_end(out, list);
}

static void add_pipeline(ds_buf *out, uint8_t x) {
    size_t list = ds__write_doc(out, "pipeline", 8, DS_ARRAY);
    size_t stage = ds__write_index_doc(out, 0, DS_DOCUMENT);
    if (x & 1) {
        add_doc(out, "$sort", "n", x & 2 ? 1 : -1);
    } else if (x & 4) {
        ds__write_str(out, "$out", x & 8 ? "a" : "b");
    } else {
        add_doc(out, "$match", "n", x % 7);
    }
    ds__doc_end(out, stage);
    ds__doc_end(out, list);
    size_t cursor = ds__write_doc(out, "cursor", 6, DS_DOCUMENT);
    ds__write_int32(out, "batchSize", x / 16 % 4);
    ds__doc_end(out, cursor);
}

static void add_find(ds_buf *out, uint8_t x) {
    if (x & 1) {
        add_doc(out, "filter", "n", x / 2 % 7);
    }
    if (x & 16) {
        add_doc(out, "sort", x & 32 ? "n" : "_id", x & 64 ? 1 : -1);
    }
    ds__write_int32(out, "batchSize", x / 2 % 4);
}

enum action {
    INSERT,
    UPDATE,
    DELETE,
    MODIFY,
    FIND,
    SNAPSHOT,
    AGGREGATE,
    MORE,
    MORE_OF_ANOTHER,
    KILL_CURSORS,
    START,
    COMMIT,
    ABORT,
    INDEX,
    DROP_INDEX,
    DROP,
    RENAME,
    VIEW,
    LEAVE,
    FORGET,
    ACTIONS
};

/* The commands on a collection that are a name and a few fields. */
static void run_simple(world *w, size_t who, enum action what, const char *coll, uint8_t x) {
    static const char *const names[ACTIONS] = {[INSERT] = "insert",
                                               [UPDATE] = "update",
                                               [DELETE] = "delete",
                                               [MODIFY] = "findAndModify",
                                               [FIND] = "find",
                                               [SNAPSHOT] = "find",
                                               [AGGREGATE] = "aggregate",
                                               [INDEX] = "createIndexes",
                                               [DROP_INDEX] = "dropIndexes",
                                               [DROP] = "drop",
                                               [VIEW] = "create"};
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    ds__write_str(&command, names[what], what == VIEW ? "v" : coll);
    if (what == INSERT) {
        add_insert(&command, x);
    } else if (what == UPDATE) {
        add_update(&command, x);
    } else if (what == DELETE) {
        add_delete(&command, x);
    } else if (what == MODIFY) {
        add_doc(&command, "query", "n", x % 7);
        ds__write_bool(&command, "remove", true);
    } else if (what == FIND || what == SNAPSHOT) {
        add_find(&command, x);
    } else if (what == AGGREGATE) {
        add_pipeline(&command, x);
    } else if (what == INDEX) {
        add_indexes(&command, x);
    } else if (what == DROP_INDEX) {
        ds__write_str(&command, "index", x & 1 ? "*" : "n");
    } else if (what == VIEW) {
        ds__write_str(&command, "viewOn", x & 1 ? "a" : "b");
    }
    send(w, who, "d", what == SNAPSHOT, &command, root);
    ds_buf_clear(&command);
}

static void run_cursor(world *w, size_t who, enum action what, const char *coll, uint8_t x) {
    size_t whose = what == MORE_OF_ANOTHER ? (who + 1) % CLIENTS : who;
    ds_value id = {.type = DS_INT64, .as.i64 = w->clients[whose].cursors[x % CURSORS]};
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    if (what == KILL_CURSORS) {
        ds__write_str(&command, "killCursors", coll);
        size_t list = ds__write_doc(&command, "cursors", 7, DS_ARRAY);
        ds__write_index(&command, 0, id);
        ds__doc_end(&command, list);
    } else {
        ds__write_value(&command, "getMore", 7, id);
        ds__write_str(&command, "collection", coll);
        ds__write_int32(&command, "batchSize", x / CURSORS % 4);
    }
    send(w, who, "d", false, &command, root);
    ds_buf_clear(&command);
}

static void run_end(world *w, size_t who, const char *name) {
    client *c = &w->clients[who];
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    ds__write_int32(&command, name, 1);
    send(w, who, "admin", false, &command, root);
    c->open = false;
    ds_buf_clear(&command);
}

static void run_rename(world *w, size_t who, uint8_t x) {
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    ds__write_str(&command, "renameCollection", x & 1 ? "d.a" : "d.b");
    ds__write_str(&command, "to", x & 1 ? "d.b" : "d.a");
    ds__write_bool(&command, "dropTarget", x & 2);
    send(w, who, "admin", false, &command, root);
    ds_buf_clear(&command);
}

/* Ends everybody's sessions. */
static void run_leave(world *w, size_t who) {
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    size_t list = ds__write_doc(&command, "killAllSessions", 15, DS_ARRAY);
    ds__doc_end(&command, list);
    send(w, who, "admin", false, &command, root);
    ds_buf_clear(&command);
}

static void run_step(world *w, const uint8_t *step) {
    size_t who = step[0] % CLIENTS;
    client *c = &w->clients[who];
    const char *coll = colls[step[0] / CLIENTS % 3];
    enum action what = (enum action)(step[1] % ACTIONS);
    switch (what) {
    case MORE:
    case MORE_OF_ANOTHER:
    case KILL_CURSORS:
        run_cursor(w, who, what, coll, step[2]);
        break;
    case START:
        c->open = c->first = true;
        c->txn++;
        break;
    case COMMIT:
        run_end(w, who, "commitTransaction");
        break;
    case ABORT:
        run_end(w, who, "abortTransaction");
        break;
    case RENAME:
        run_rename(w, who, step[2]);
        break;
    case LEAVE:
        run_leave(w, who);
        break;
    case FORGET:
        c->at = 0;
        break;
    default:
        run_simple(w, who, what, coll, step[2]);
    }
}

/* What is left must be whole: every collection validates. */
static void check_store(world *w) {
    for (size_t i = 0; i < 2; i++) {
        ds_buf command = {0}, reply = {0};
        ds_error err = {0};
        size_t root = ds__doc_begin(&command);
        ds__write_str(&command, "validate", colls[i]);
        ds__doc_end(&command, root);
        if (!command.failed &&
            ds__engine_run(w->engine, NULL, "d", ds__document(command.data), &reply, &err)) {
            ds_value valid = get(ds__document(reply.data), "valid");
            if (valid.type == DS_BOOL && !valid.as.b) {
                abort();
            }
        }
        ds_buf_clear(&command);
        ds_buf_clear(&reply);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world w = {0};
    ds_error err = {0};
    size_t steps = size / STEP;
    if (steps == 0) {
        return 0;
    }
    w.engine = ds__engine_open(":memory:", NULL, &err);
    if (!w.engine) {
        abort();
    }
    for (size_t i = 0; i < steps && i < MAX_STEPS; i++) {
        run_step(&w, data + i * STEP);
    }
    run_leave(&w, 0);
    check_store(&w);
    ds__engine_close(w.engine);
    return 0;
}
