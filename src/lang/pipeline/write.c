/* SPDX-License-Identifier: Apache-2.0 */
/* Input and commands of the writing stages. */
#include "lang/pipeline/write.h"

enum { KEEP_IN_MEMORY = 32 * 1024 * 1024 };

bool ds__held_docs_load(ds__held_docs *docs, ds__stage *stage, ds_error *err) {
    docs->spill.fd = -1;
    for (;;) {
        ds_value doc;
        ds_next next = ds__stage_pull(stage, &doc, err);
        if (next != DS_NEXT_ROW) {
            return next == DS_NEXT_END &&
                   (docs->spill.fd < 0 || ds__spill_flush(&docs->spill, err));
        }
        if (docs->memory.size + doc.size <= KEEP_IN_MEMORY && docs->spill.fd < 0) {
            ds_buf_add(&docs->memory, doc.as.bytes, doc.size);
            if (!ds_buf_ok(&docs->memory, err)) {
                return false;
            }
        } else if ((docs->spill.fd < 0 && !ds__spill_open(&docs->spill, err)) ||
                   !ds__spill_write(&docs->spill, doc.as.bytes, doc.size, err)) {
            return false;
        }
    }
}

ds_next ds__held_docs_next(ds__held_docs *docs, ds_value *doc, ds_error *err) {
    int32_t size;
    if (!docs->on_disk && docs->at < docs->memory.size) {
        *doc = ds__document(docs->memory.data + docs->at);
        docs->at += doc->size;
        return DS_NEXT_ROW;
    }
    if (!docs->on_disk) {
        docs->on_disk = true;
        docs->at = 0;
    }
    if (docs->spill.fd < 0 || docs->at >= docs->spill.size) {
        return DS_NEXT_END;
    }
    ds_buf_reset(&docs->row);
    if (!ds__spill_read(&docs->spill, docs->at, &size, sizeof size, err)) {
        return DS_NEXT_ERROR;
    }
    uint8_t *p = ds_buf_reserve(&docs->row, (size_t)size);
    if (!p) {
        ds__error_oom(err);
        return DS_NEXT_ERROR;
    }
    if (!ds__spill_read(&docs->spill, docs->at, p, (size_t)size, err)) {
        return DS_NEXT_ERROR;
    }
    docs->at += (uint64_t)size;
    *doc = ds__document(p);
    return DS_NEXT_ROW;
}

void ds__held_docs_clear(ds__held_docs *docs) {
    ds__spill_close(&docs->spill);
    ds_buf_clear(&docs->memory);
    ds_buf_clear(&docs->row);
    *docs = (ds__held_docs){.spill.fd = -1};
}

static bool reply_error(ds_value reply, ds_error *err) {
    ds_value code = ds__doc_field(reply, "code"), message = ds__doc_field(reply, "errmsg");
    bool text = message.type == DS_STRING;
    return ds__error_set(err, ds__is_number(code) ? (int32_t)ds__number_to_int64(code) : 1, "%.*s",
                         text ? (int)message.size : 0, text ? ds__text(message) : "");
}

bool ds__stage_run(ds__stage *stage, const char *db, ds_buf *command, ds_buf *reply,
                   ds_error *err) {
    const ds__pipeline_host *host = stage->env->pipeline_host;
    if (!ds_buf_ok(command, err)) {
        return false;
    }
    if (!host || !host->run) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "%s may not be used here", stage->ops->name);
    }
    ds_buf_reset(reply);
    if (!host->run(host, db, ds__document(command->data), reply, err) || !ds_buf_ok(reply, err)) {
        return false;
    }
    ds_value doc = ds__document(reply->data);
    if (!ds__value_truthy(ds__doc_field(doc, "ok"))) {
        return reply_error(doc, err);
    }
    ds_value errors = ds__doc_field(doc, "writeErrors");
    if (errors.type == DS_ARRAY && !ds__doc_empty(errors)) {
        return reply_error(ds__array_at(errors, 0), err);
    }
    return true;
}

ds_value ds__reply_batch(const ds_buf *reply) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    ds_value cursor = ds__doc_field(ds__document(reply->data), "cursor");
    ds_value batch =
        cursor.type == DS_DOCUMENT ? ds__doc_field(cursor, "firstBatch") : ds__missing();
    return batch.type == DS_ARRAY ? batch : ds__array(empty);
}

static bool covers(ds_value key, const ds__path *fields, size_t count) {
    if (key.type != DS_DOCUMENT || ds__doc_count(key) != count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ds_value order;
        if (!ds__doc_get(key, fields[i].text, fields[i].size, &order)) {
            return false;
        }
    }
    return true;
}

bool ds__stage_has_unique(ds__stage *stage, const char *db, const char *coll,
                          const ds__path *fields, size_t count, bool *found, ds_error *err) {
    ds_buf command = {0}, reply = {0};
    size_t root = ds__doc_begin(&command);
    ds__write_str(&command, "listIndexes", coll);
    ds__doc_end(&command, root);
    ds_error why = {0};
    bool ok = ds__stage_run(stage, db, &command, &reply, &why);
    *found = count == 1 && strcmp(fields[0].text, "_id") == 0;
    if (ok) {
        ds__iter it;
        for (ds__iter_init(&it, ds__reply_batch(&reply)); ds__iter_next(&it);) {
            ds_value index = it.value;
            bool whole = ds__doc_field(index, "partialFilterExpression").type == DS_MISSING &&
                         !ds__value_truthy(ds__doc_field(index, "sparse"));
            if (ds__value_truthy(ds__doc_field(index, "unique")) && whole &&
                covers(ds__doc_field(index, "key"), fields, count)) {
                *found = true;
            }
        }
    } else if (why.code != DS_NAMESPACE_NOT_FOUND) {
        *err = why;
    }
    ds_buf_clear(&command);
    ds_buf_clear(&reply);
    return ok || why.code == DS_NAMESPACE_NOT_FOUND;
}
