/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors of either store: a first reply, then getMore commands through the same door. A batch's
 * reply is kept while its documents are handed out as views into it. */
#include "client/client.h"

#include <string.h>

#include "base/buf.h"
#include "base/fork.h"
#include "base/mem.h"
#include "bson/value.h"
#include "bson/writer.h"

struct ds_cursor {
    /* owned */
    bson_t reply; /* the batch being read, or the refusal */
    ds__backend_pin *pin;
    char *db;
    char *collection;
    /* borrowed from the caller */
    ds_client *client;
    ds_session *session;
    /* borrowed from reply */
    ds__iter at;
    ds_value batch;
    /* plain */
    int64_t id;
    int32_t batch_size;
    uint32_t generation; /* of the process that opened it */
    bool unread;         /* the batch has documents that nobody was given */
    bool refused;
    bool tailable; /* an empty batch means "nothing yet", not "ask again" */
};

/* The batch inside a cursor's reply: false when the reply has none. */
static bool read_reply(const bson_t *reply, ds_value *batch, int64_t *id, ds_value *ns) {
    ds_value doc = ds__document(bson_get_data(reply));
    ds_value cursor = ds__doc_field(doc, "cursor");
    if (cursor.type != DS_DOCUMENT) {
        return false;
    }
    *batch = ds__doc_field(cursor, "firstBatch");
    if (batch->type != DS_ARRAY) {
        *batch = ds__doc_field(cursor, "nextBatch");
    }
    *ns = ds__doc_field(cursor, "ns");
    return batch->type == DS_ARRAY && ds__value_exact_int64(ds__doc_field(cursor, "id"), id);
}

/* Readers of a batch take its elements for documents: another server's are looked at. */
static bool has_documents(const ds_cursor *cursor, ds_value batch, ds_error *err) {
    ds__iter it;
    if (cursor->client->backend->kind == DS_KIND_EMBEDDED) {
        return true;
    }
    for (ds__iter_init(&it, batch); ds__iter_next(&it);) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_PROTOCOL_ERROR,
                                 "a batch holds something else than documents");
        }
    }
    return true;
}

static bool is_ok(const bson_t *reply) {
    return ds__value_truthy(ds__doc_field(ds__document(bson_get_data(reply)), "ok"));
}

/* `batch` missing: none. */
static void start_batch(ds_cursor *cursor, ds_value batch, int64_t id) {
    cursor->batch = batch;
    cursor->id = id;
    cursor->unread = batch.type == DS_ARRAY && !ds__doc_empty(batch);
    cursor->at = (ds__iter){0};
    if (cursor->unread) {
        ds__iter_init(&cursor->at, batch);
    }
}

static bool inherited(const ds_cursor *cursor) {
    return cursor->generation != ds__fork_generation();
}

static void drop_pin(ds_cursor *cursor) {
    if (cursor->pin) {
        cursor->client->backend->vtable->unpin(cursor->client->backend, cursor->pin,
                                               inherited(cursor));
        cursor->pin = NULL;
    }
}

/* Splits "db.collection" as the server names the cursor's namespace. */
static bool take_namespace(ds_cursor *cursor, ds_value ns, const char *db, ds_error *err) {
    const char *text = ns.type == DS_STRING ? ds__text(ns) : NULL;
    const char *dot = text ? memchr(text, '.', ns.size) : NULL;
    if (dot) {
        size_t head = (size_t)(dot - text);
        cursor->db = ds__strndup(text, head);
        cursor->collection = ds__strndup(dot + 1, ns.size - head - 1);
    } else {
        cursor->db = ds__strdup(db);
        cursor->collection = ds__strdup("");
    }
    return cursor->db && cursor->collection ? true : ds__error_oom(err);
}

static int32_t batch_size_of(const bson_t *command) {
    ds_value doc = ds__document(bson_get_data(command));
    ds_value size = ds__doc_field(doc, "batchSize");
    if (size.type == DS_MISSING) {
        ds_value options = ds__doc_field(doc, "cursor");
        if (options.type == DS_DOCUMENT) {
            size = ds__doc_field(options, "batchSize");
        }
    }
    int64_t n = 0;
    if (!ds__value_exact_int64(size, &n) || n < 0 || n > INT32_MAX) {
        return 0;
    }
    return (int32_t)n;
}

/* Whether the cursor waits for documents yet to come: tailable finds and change streams. */
static bool is_tailable(const bson_t *command) {
    ds_value doc = ds__document(bson_get_data(command));
    if (ds__value_truthy(ds__doc_field(doc, "tailable"))) {
        return true;
    }
    ds_value pipeline = ds__doc_field(doc, "pipeline");
    ds_value first = pipeline.type == DS_ARRAY ? ds__array_at(pipeline, 0) : ds__missing();
    return first.type == DS_DOCUMENT && ds__doc_field(first, "$changeStream").type != DS_MISSING;
}

DS_API bool ds_cursor_open(ds_client *client, ds_session *session, const char *db,
                           const bson_t *command, ds_cursor **out, bson_t *reply, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *out = NULL;
    bson_init(reply);
    ds_cursor *cursor = DS_ALLOC_AS(ds_cursor);
    if (!cursor) {
        return ds__error_oom(err);
    }
    cursor->client = client;
    cursor->generation = ds__fork_generation();
    cursor->session = session;
    bool ok =
        ds__client_run_pinned(client, session, &cursor->pin, db, command, &cursor->reply, err);
    if (!ok) {
        goto done;
    }
    if (!is_ok(&cursor->reply)) {
        bson_destroy(reply);
        bson_steal(reply, &cursor->reply);
        bson_init(&cursor->reply);
        goto done;
    }
    ds_value batch, ns;
    int64_t id = 0;
    if (!read_reply(&cursor->reply, &batch, &id, &ns)) {
        ok = ds__error_set(err, DS_BAD_VALUE,
                           "the command answered without a cursor; run it with ds_client_run");
        goto done;
    }
    if (!has_documents(cursor, batch, err)) {
        ok = false;
        goto done;
    }
    start_batch(cursor, batch, id);
    if (id == 0) {
        drop_pin(cursor);
    }
    ok = take_namespace(cursor, ns, db, err);
    if (ok) {
        cursor->batch_size = batch_size_of(command);
        cursor->tailable = is_tailable(command);
        *out = cursor;
        cursor = NULL;
    }
done:
    ds_cursor_close(cursor);
    return ok;
}

static bool cursor_command(ds_cursor *cursor, const char *name, ds_buf *buf, ds_error *err) {
    size_t root = ds__doc_begin(buf);
    if (strcmp(name, "getMore") == 0) {
        ds__write_int64(buf, "getMore", cursor->id);
        ds__write_str(buf, "collection", cursor->collection);
        if (cursor->batch_size > 0) {
            ds__write_int32(buf, "batchSize", cursor->batch_size);
        }
    } else {
        ds__write_str(buf, "killCursors", cursor->collection);
        size_t ids = ds__write_doc(buf, "cursors", 7, DS_ARRAY);
        ds__write_index(buf, 0, ds__int64(cursor->id));
        ds__doc_end(buf, ids);
    }
    ds__doc_end(buf, root);
    return ds_buf_ok(buf, err);
}

static bool run_cursor_command(ds_cursor *cursor, const char *name, bson_t *reply, ds_error *err) {
    ds_buf buf = {0};
    bson_t command;
    bool ok =
        cursor_command(cursor, name, &buf, err) && bson_init_static(&command, buf.data, buf.size);
    if (ok) {
        ok = ds__client_run_pinned(cursor->client, cursor->session, &cursor->pin, cursor->db,
                                   &command, reply, err);
    } else {
        bson_init(reply);
    }
    ds_buf_clear(&buf);
    return ok;
}

/* Fetches one batch: DS_NEXT_ROW, or why there is none. */
static ds_next fetch(ds_cursor *cursor, ds_error *err) {
    if (cursor->refused || cursor->id == 0) {
        return cursor->refused ? DS_NEXT_REFUSED : DS_NEXT_END;
    }
    if (!ds__client_check_fork(cursor->generation, "cursor", err)) {
        return DS_NEXT_ERROR;
    }
    bson_destroy(&cursor->reply);
    start_batch(cursor, ds__missing(), cursor->id);
    if (!run_cursor_command(cursor, "getMore", &cursor->reply, err)) {
        return DS_NEXT_ERROR;
    }
    if (!is_ok(&cursor->reply)) {
        cursor->refused = true;
        cursor->id = 0;
        drop_pin(cursor);
        return DS_NEXT_REFUSED;
    }
    ds_value batch, ns;
    int64_t id = 0;
    if (!read_reply(&cursor->reply, &batch, &id, &ns)) {
        ds__error_set(err, DS_PROTOCOL_ERROR, "the reply to getMore has no batch");
        return DS_NEXT_ERROR;
    }
    if (!has_documents(cursor, batch, err)) {
        return DS_NEXT_ERROR;
    }
    start_batch(cursor, batch, id);
    if (id == 0) {
        drop_pin(cursor);
    }
    return DS_NEXT_ROW;
}

/* Makes sure that there is a batch with documents. */
static ds_next fill(ds_cursor *cursor, ds_error *err) {
    while (!cursor->unread) {
        ds_next found = fetch(cursor, err);
        if (found != DS_NEXT_ROW) {
            return found;
        }
        if (!cursor->unread && cursor->tailable) {
            return DS_NEXT_END;
        }
    }
    return DS_NEXT_ROW;
}

DS_API ds_next ds_cursor_next(ds_cursor *cursor, bson_t *doc, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    ds_next found;
    while ((found = fill(cursor, err)) == DS_NEXT_ROW) {
        if (ds__iter_next(&cursor->at)) {
            ds_value v = cursor->at.value;
            if (v.type != DS_DOCUMENT || !bson_init_static(doc, v.as.bytes, v.size)) {
                ds__error_set(err, DS_PROTOCOL_ERROR,
                              "a batch holds something else than documents");
                return DS_NEXT_ERROR;
            }
            return DS_NEXT_ROW;
        }
        cursor->unread = false;
    }
    return found;
}

DS_API ds_next ds_cursor_batch(ds_cursor *cursor, bson_t *reply, bson_t *batch, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    bson_init(reply);
    if (cursor->unread && cursor->at.at != cursor->batch.as.bytes + 4) {
        if (cursor->at.at < cursor->at.end) {
            ds__error_set(
                err, DS_ILLEGAL_OPERATION,
                "some documents of this batch were read one by one; read the rest so too");
            return DS_NEXT_ERROR;
        }
        cursor->unread = false;
    }
    ds_next found = fill(cursor, err);
    if (found != DS_NEXT_ROW) {
        return found;
    }
    /* a short reply lives inside the bson_t and moves with it: keep the offset */
    size_t offset = (size_t)(cursor->batch.as.bytes - bson_get_data(&cursor->reply));
    uint32_t size = cursor->batch.size;
    bson_destroy(reply);
    bson_steal(reply, &cursor->reply);
    bson_init(&cursor->reply);
    start_batch(cursor, ds__missing(), cursor->id);
    if (!bson_init_static(batch, bson_get_data(reply) + offset, size)) {
        ds__error_set(err, DS_PROTOCOL_ERROR, "the batch is not valid BSON");
        return DS_NEXT_ERROR;
    }
    return DS_NEXT_ROW;
}

DS_API const bson_t *ds_cursor_reply(const ds_cursor *cursor) {
    return &cursor->reply;
}

DS_API void ds_cursor_set_batch_size(ds_cursor *cursor, int32_t batch_size) {
    cursor->batch_size = batch_size > 0 ? batch_size : 0;
}

DS_API bool ds_cursor_alive(const ds_cursor *cursor) {
    return cursor->unread || cursor->id != 0;
}

DS_API void ds_cursor_abandon(ds_cursor *cursor) {
    if (cursor) {
        drop_pin(cursor);
        bson_destroy(&cursor->reply);
        ds__free(cursor->db);
        ds__free(cursor->collection);
        ds__free(cursor);
    }
}

DS_API void ds_cursor_close(ds_cursor *cursor) {
    if (cursor && cursor->id != 0 && cursor->db && cursor->collection && !inherited(cursor)) {
        ds_error ignored = {0};
        bson_t reply;
        run_cursor_command(cursor, "killCursors", &reply, &ignored);
        bson_destroy(&reply);
    }
    ds_cursor_abandon(cursor);
}
