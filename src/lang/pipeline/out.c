/* SPDX-License-Identifier: Apache-2.0 */
/* $out: the results become a collection. They are written to a temporary one with the target's
 * options and indexes, which then takes the target's place. */
#include "base/clock.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/target.h"
#include "lang/pipeline/write.h"

enum { OUT_BATCH_BYTES = 8 * 1024 * 1024, OUT_BATCH_DOCS = 1000 };

typedef struct out {
    ds__stage stage;
    /* borrowed */
    const char *db;
    const char *coll;
    /* owned while running */
    ds__held_docs docs;
    ds_buf command;
    ds_buf reply;
    /* plain */
    char temp[48];
    bool done;
} out;

static bool run(out *o, ds_error *err) {
    return ds__stage_run(&o->stage, o->db, &o->command, &o->reply, err);
}

/* {create: temp, <the target's options>}. */
static bool create_temp(out *o, ds_error *err) {
    ds_buf_reset(&o->command);
    size_t root = ds__doc_begin(&o->command);
    ds__write_int32(&o->command, "listCollections", 1);
    size_t filter = ds__write_doc(&o->command, "filter", 6, DS_DOCUMENT);
    ds__write_str(&o->command, "name", o->coll);
    ds__doc_end(&o->command, filter);
    ds__doc_end(&o->command, root);
    if (!run(o, err)) {
        return false;
    }
    ds_value info = ds__array_at(ds__reply_batch(&o->reply), 0);
    ds_value options = info.type == DS_DOCUMENT ? ds__doc_field(info, "options") : ds__missing();
    ds_value type = info.type == DS_DOCUMENT ? ds__doc_field(info, "type") : ds__missing();
    if (ds__is_string(type, "view")) {
        return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW,
                             "Namespace %s.%s is a view, not a collection", o->db, o->coll);
    }
    if (options.type == DS_DOCUMENT && ds__value_truthy(ds__doc_field(options, "capped"))) {
        return ds__error_set(err, 17152, "namespace '%s.%s' is capped so it can't be used for $out",
                             o->db, o->coll);
    }
    ds_buf_reset(&o->command);
    root = ds__doc_begin(&o->command);
    ds__write_str(&o->command, "create", o->temp);
    if (options.type == DS_DOCUMENT) {
        ds__iter it;
        for (ds__iter_init(&it, options); ds__iter_next(&it);) {
            if (strcmp(it.key, "uuid") != 0) {
                ds_buf_add(&o->command, it.element, it.element_size);
            }
        }
    }
    ds__doc_end(&o->command, root);
    return run(o, err);
}

static bool copy_indexes(out *o, ds_error *err) {
    ds_error why = {0};
    ds_buf_reset(&o->command);
    size_t root = ds__doc_begin(&o->command);
    ds__write_str(&o->command, "listIndexes", o->coll);
    ds__doc_end(&o->command, root);
    if (!run(o, &why)) {
        if (why.code == DS_NAMESPACE_NOT_FOUND) {
            return true;
        }
        *err = why;
        return false;
    }
    size_t count = 0;
    ds_buf_reset(&o->command);
    root = ds__doc_begin(&o->command);
    ds__write_str(&o->command, "createIndexes", o->temp);
    size_t list = ds__write_doc(&o->command, "indexes", 7, DS_ARRAY);
    ds__iter it;
    for (ds__iter_init(&it, ds__reply_batch(&o->reply)); ds__iter_next(&it);) {
        if (!ds__is_string(ds__doc_field(it.value, "name"), "_id_")) {
            ds__write_index(&o->command, count++, it.value);
        }
    }
    ds__doc_end(&o->command, list);
    ds__doc_end(&o->command, root);
    return count == 0 || run(o, err);
}

static bool insert_all(out *o, ds_error *err) {
    ds_value doc = ds__missing();
    ds_next next = ds__held_docs_next(&o->docs, &doc, err);
    while (next == DS_NEXT_ROW) {
        size_t count = 0;
        ds_buf_reset(&o->command);
        size_t root = ds__doc_begin(&o->command);
        ds__write_str(&o->command, "insert", o->temp);
        size_t list = ds__write_doc(&o->command, "documents", 9, DS_ARRAY);
        do {
            ds__write_index(&o->command, count++, doc);
            next = ds__held_docs_next(&o->docs, &doc, err);
        } while (next == DS_NEXT_ROW && count < OUT_BATCH_DOCS &&
                 o->command.size + doc.size < OUT_BATCH_BYTES);
        ds__doc_end(&o->command, list);
        ds__doc_end(&o->command, root);
        if (!run(o, err) || !ds__stage_tick(&o->stage, err)) {
            return false;
        }
    }
    return next == DS_NEXT_END;
}

static bool rename_temp(out *o, ds_error *err) {
    ds_buf name = {0};
    ds_buf_reset(&o->command);
    size_t root = ds__doc_begin(&o->command);
    ds_buf_printf(&name, "%s.%s", o->db, o->temp);
    ds__write_value(&o->command, "renameCollection", 16,
                    ds__string((const char *)name.data, name.size));
    ds_buf_fail_as(&o->command, &name);
    ds_buf_reset(&name);
    ds_buf_printf(&name, "%s.%s", o->db, o->coll);
    ds__write_value(&o->command, "to", 2, ds__string((const char *)name.data, name.size));
    ds__write_bool(&o->command, "dropTarget", true);
    ds__doc_end(&o->command, root);
    bool ok =
        ds_buf_ok(&name, err) && ds__stage_run(&o->stage, "admin", &o->command, &o->reply, err);
    ds_buf_clear(&name);
    return ok;
}

static void drop_temp(out *o) {
    ds_error ignored = {0};
    ds_buf_reset(&o->command);
    size_t root = ds__doc_begin(&o->command);
    ds__write_str(&o->command, "drop", o->temp);
    ds__doc_end(&o->command, root);
    run(o, &ignored);
}

static ds_next out_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    out *o = (out *)stage;
    uint8_t id[12];
    if (o->done) {
        return DS_NEXT_END;
    }
    o->done = true;
    if (!ds__held_docs_load(&o->docs, stage, err)) {
        return DS_NEXT_ERROR;
    }
    ds__object_id_new(id);
    size_t at = (size_t)snprintf(o->temp, sizeof o->temp, "tmp.agg_out.");
    for (size_t i = 0; i < sizeof id; i++) {
        at += (size_t)snprintf(o->temp + at, sizeof o->temp - at, "%02x", id[i]);
    }
    if (!create_temp(o, err)) {
        return DS_NEXT_ERROR;
    }
    if (!copy_indexes(o, err) || !insert_all(o, err) || !rename_temp(o, err)) {
        drop_temp(o);
        return DS_NEXT_ERROR;
    }
    return DS_NEXT_END;
}

static void out_stop(ds__stage *stage) {
    out *o = (out *)stage;
    ds__held_docs_clear(&o->docs);
    ds_buf_clear(&o->command);
    ds_buf_clear(&o->reply);
    o->done = false;
}

static bool out_start(ds__stage *stage, ds_error *err) {
    ((out *)stage)->docs.spill.fd = -1;
    return true;
}

static const ds__stage_ops out_ops = {
    .name = "$out",
    .start = out_start,
    .next = out_next,
    .stop = out_stop,
    .kind = DS_STAGE_WRITER,
};

bool ds__stage_parse_out(ds__stage_parser *p, ds_value arg, ds_error *err) {
    const ds__pipeline_host *host = p->env->pipeline_host;
    ds__target to;
    if (!ds__target_read_out(arg, &to, err)) {
        return false;
    }
    out *o = ds__stage_add(p, sizeof *o, &out_ops, err);
    if (!o) {
        return false;
    }
    o->command.meter = o->reply.meter = o->docs.row.meter = p->env->meter;
    o->docs.memory.meter = p->env->kept;
    o->coll = ds_arena_strndup(p->env->arena, ds__text(to.coll), to.coll.size);
    o->db = to.db.type == DS_STRING ? ds_arena_strndup(p->env->arena, ds__text(to.db), to.db.size)
                                    : (host ? host->db : "");
    if (!o->coll || !o->db) {
        return ds__error_oom(err);
    }
    if (strchr(o->coll, '$')) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "error with target namespace: Invalid collection name: %s", o->coll);
    }
    if (strncmp(o->coll, "system.", 7) == 0) {
        return ds__error_set(err, 17385, "Can't $out to special collection: %s", o->coll);
    }
    return !ds__target_is_internal(o->db) ||
           ds__error_set(err, 31321, "Can't $out to internal database: %s", o->db);
}
