/* SPDX-License-Identifier: Apache-2.0 */
/* $merge: each result is inserted into a collection or meets the document with the same `on` fields
 * there. */
#include "base/clock.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/target.h"
#include "lang/pipeline/write.h"

typedef struct merge {
    ds__stage stage;
    /* borrowed */
    const char *db;
    const char *coll;
    ds__path *on;
    size_t on_count;
    ds_value update; /* whenMatched's pipeline */
    ds_value let;    /* document of expressions, or missing */
    ds__expr *let_expr;
    /* owned while running */
    ds__held_docs docs;
    ds_buf command;
    ds_buf reply;
    ds_buf doc; /* the document with its _id */
    /* plain */
    ds__when_matched matched;
    ds__when_not not_matched;
    bool on_id; /* on is just _id, made when missing */
    bool done;
} merge;

static bool run(merge *m, ds_error *err) {
    return ds__stage_run(&m->stage, m->db, &m->command, &m->reply, err);
}

/* Writes {on fields: values}; a missing one is an error. */
static bool write_query(merge *m, ds_value doc, ds_error *err) {
    size_t q = ds__write_doc(&m->command, "q", 1, DS_DOCUMENT);
    for (size_t i = 0; i < m->on_count; i++) {
        ds_value v = ds__path_get(doc, &m->on[i]);
        if (v.type == DS_ARRAY) {
            return ds__error_set(err, 51185, "$merge write error: 'on' field '%s' is an array",
                                 m->on[i].text);
        }
        if (ds__is_nullish(v)) {
            return ds__error_set(err, 51132,
                                 "$merge write error: 'on' field '%s' cannot be missing, null, "
                                 "undefined or an array",
                                 m->on[i].text);
        }
        if (v.type == DS_REGEX || v.type == DS_DOCUMENT) {
            size_t eq = ds__write_doc(&m->command, m->on[i].text, m->on[i].size, DS_DOCUMENT);
            ds__write_value(&m->command, "$eq", 3, v);
            ds__doc_end(&m->command, eq);
        } else {
            ds__write_value(&m->command, m->on[i].text, m->on[i].size, v);
        }
    }
    ds__doc_end(&m->command, q);
    return true;
}

/* The update statement's `u`, and `c` for pipelines. */
static bool write_update(merge *m, ds_value doc, ds_error *err) {
    size_t u;
    switch (m->matched) {
    case DS_MATCHED_REPLACE:
        ds__write_value(&m->command, "u", 1, doc);
        return true;
    case DS_MATCHED_KEEP:
    case DS_MATCHED_MERGE:
    case DS_MATCHED_FAIL:
        u = ds__write_doc(&m->command, "u", 1, DS_DOCUMENT);
        ds__write_value(&m->command, m->matched == DS_MATCHED_KEEP ? "$setOnInsert" : "$set",
                        m->matched == DS_MATCHED_KEEP ? 12 : 4, doc);
        ds__doc_end(&m->command, u);
        return true;
    case DS_MATCHED_PIPELINE:
        break;
    }
    ds__write_value(&m->command, "u", 1, m->update);
    size_t c = ds__write_doc(&m->command, "c", 1, DS_DOCUMENT);
    if (m->let_expr) {
        ds_value lets = ds__missing();
        ds_arena_mark mark = ds_arena_save(m->stage.eval->scratch);
        bool ok = ds__stage_eval(&m->stage, m->let_expr, doc, &lets, err);
        if (ok && lets.type == DS_DOCUMENT) {
            ds__write_elements(&m->command, lets);
        }
        ds_arena_restore(m->stage.eval->scratch, mark);
        if (!ok) {
            return false;
        }
    } else {
        ds__write_value(&m->command, "new", 3, doc);
    }
    ds__doc_end(&m->command, c);
    return true;
}

/* Runs the update; *n is how many documents it met. */
static bool update(merge *m, ds_value doc, bool upsert, int64_t *n, ds_error *err) {
    ds_buf_reset(&m->command);
    size_t root = ds__doc_begin(&m->command);
    ds__write_str(&m->command, "update", m->coll);
    size_t list = ds__write_doc(&m->command, "updates", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(&m->command, 0, DS_DOCUMENT);
    if (!write_query(m, doc, err) || !write_update(m, doc, err)) {
        return false;
    }
    ds__write_bool(&m->command, "upsert", upsert);
    ds__doc_end(&m->command, one);
    ds__doc_end(&m->command, list);
    ds__doc_end(&m->command, root);
    if (!run(m, err)) {
        if (err->code == DS_IMMUTABLE_FIELD) {
            ds__error_prefix(err, "$merge failed to update the matching document, did you attempt "
                                  "to modify the _id or the shard key? :: caused by :: ");
        }
        return false;
    }
    ds_value count = ds__doc_field(ds__document(m->reply.data), "n");
    *n = ds__is_number(count) ? ds__number_to_int64(count) : 0;
    return true;
}

static bool insert(merge *m, ds_value doc, ds_error *err) {
    ds_buf_reset(&m->command);
    size_t root = ds__doc_begin(&m->command);
    ds__write_str(&m->command, "insert", m->coll);
    size_t list = ds__write_doc(&m->command, "documents", 9, DS_ARRAY);
    ds__write_index(&m->command, 0, doc);
    ds__doc_end(&m->command, list);
    ds__doc_end(&m->command, root);
    return run(m, err);
}

/* Gives the document an _id when it has none and _id is what is matched on. */
static bool with_id(merge *m, ds_value *doc, ds_error *err) {
    ds_value id;
    if (ds__doc_get(*doc, "_id", 3, &id) || !m->on_id) {
        return true;
    }
    id = (ds_value){.type = DS_OBJECT_ID};
    ds__object_id_new(id.as.oid);
    ds_buf_reset(&m->doc);
    size_t root = ds__doc_begin(&m->doc);
    ds__write_value(&m->doc, "_id", 3, id);
    ds__write_elements(&m->doc, *doc);
    ds__doc_end(&m->doc, root);
    if (!ds_buf_ok(&m->doc, err)) {
        return false;
    }
    *doc = ds__document(m->doc.data);
    return true;
}

static bool merge_one(merge *m, ds_value doc, ds_error *err) {
    int64_t n = 0;
    if (!with_id(m, &doc, err)) {
        return false;
    }
    if (m->matched == DS_MATCHED_FAIL) {
        ds_buf_reset(&m->command);
        return write_query(m, doc, err) && insert(m, doc, err);
    }
    bool upsert = m->not_matched == DS_NOT_INSERT &&
                  (m->matched == DS_MATCHED_REPLACE || m->matched == DS_MATCHED_KEEP);
    if (!update(m, doc, upsert, &n, err)) {
        return false;
    }
    if (n > 0 || upsert || m->not_matched == DS_NOT_DISCARD) {
        return true;
    }
    if (m->not_matched == DS_NOT_INSERT) {
        return insert(m, doc, err);
    }
    return ds__error_set(err, DS_MERGE_STAGE_NO_MATCHING_DOCUMENT,
                         "$merge could not find a matching document in the target collection for "
                         "at least one document in the source collection");
}

static ds_next merge_next(ds__stage *stage, ds_value *out, ds_error *err) {
    merge *m = (merge *)stage;
    bool unique = false;
    ds_value doc;
    ds_next next;
    if (m->done) {
        return DS_NEXT_END;
    }
    m->done = true;
    if (!m->on_id) {
        if (!ds__stage_has_unique(stage, m->db, m->coll, m->on, m->on_count, &unique, err)) {
            return DS_NEXT_ERROR;
        }
        if (!unique) {
            ds__error_set(err, 51183,
                          "Cannot find index to verify that join fields will be unique");
            return DS_NEXT_ERROR;
        }
    }
    if (!ds__held_docs_load(&m->docs, stage, err)) {
        return DS_NEXT_ERROR;
    }
    ds_error first = {0}; /* after a refused write the others are still made */
    while ((next = ds__held_docs_next(&m->docs, &doc, err)) == DS_NEXT_ROW) {
        if (!ds__stage_tick(stage, err)) {
            return DS_NEXT_ERROR;
        }
        if (!merge_one(m, doc, err)) {
            ds_error told = {0};
            if (err->code == 51132 || err->code == 51185 || !ds__env_check(stage->env, &told)) {
                return DS_NEXT_ERROR; /* nothing to match on, or told to stop */
            }
            first = first.code ? first : *err;
        }
    }
    if (next == DS_NEXT_END && first.code) {
        *err = first;
        next = DS_NEXT_ERROR;
    }
    return next;
}

static bool merge_start(ds__stage *stage, ds_error *err) {
    ((merge *)stage)->docs.spill.fd = -1;
    return true;
}

static void merge_stop(ds__stage *stage) {
    merge *m = (merge *)stage;
    ds__held_docs_clear(&m->docs);
    ds_buf_clear(&m->command);
    ds_buf_clear(&m->reply);
    ds_buf_clear(&m->doc);
    m->done = false;
}

static const ds__stage_ops merge_ops = {
    .name = "$merge",
    .start = merge_start,
    .next = merge_next,
    .stop = merge_stop,
    .kind = DS_STAGE_WRITER,
};

static bool set_target(ds__stage_parser *p, merge *m, const ds__target *to, ds_error *err) {
    const ds__pipeline_host *host = p->env->pipeline_host;
    m->coll = ds_arena_strndup(p->env->arena, ds__text(to->coll), to->coll.size);
    m->db = to->db.type == DS_STRING
                ? ds_arena_strndup(p->env->arena, ds__text(to->db), to->db.size)
                : (host ? host->db : "");
    if (!m->coll || !m->db) {
        return ds__error_oom(err);
    }
    if (strncmp(m->coll, "system.", 7) == 0) {
        return ds__error_set(err, 31319, "Cannot $merge to special collection: %s", m->coll);
    }
    if (ds__target_is_internal(m->db)) {
        return ds__error_set(err, 31320, "Cannot $merge to internal database: %s", m->db);
    }
    return strchr(m->coll, '$') == NULL ||
           ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid collection name: %s", m->coll);
}

static bool add_on(merge *m, ds_value v, ds_error *err) {
    ds__path *path = &m->on[m->on_count];
    if (!ds__stage_field_path(m->stage.env->arena, ds__text(v), v.size, path, err)) {
        return false;
    }
    for (size_t i = 0; i < m->on_count; i++) {
        if (strcmp(m->on[i].text, path->text) == 0) {
            return ds__error_set(err, 31465, "Found a duplicate field '%s'", path->text);
        }
    }
    m->on_count++;
    return true;
}

static bool parse_on(merge *m, ds_value on, ds_error *err) {
    size_t count = on.type == DS_ARRAY ? ds__doc_count(on) : 1;
    m->on = ds_arena_zalloc(m->stage.env->arena, (count + 1) * sizeof *m->on);
    if (!m->on) {
        return ds__error_oom(err);
    }
    if (on.type == DS_MISSING) {
        m->on_id = true;
        return add_on(m, ds__cstring("_id"), err);
    }
    if (on.type == DS_STRING) {
        if (!add_on(m, on, err)) {
            return false;
        }
    } else {
        ds__iter it;
        for (ds__iter_init(&it, on); ds__iter_next(&it);) {
            if (!add_on(m, it.value, err)) {
                return false;
            }
        }
    }
    m->on_id = m->on_count == 1 && strcmp(m->on[0].text, "_id") == 0;
    return true;
}

/* Compiles the update pipeline once to find its errors, with its variables in scope. */
static bool check_update(ds__stage_parser *p, merge *m, ds_error *err) {
    const ds__var_scope *scope = p->scope;
    ds__pipeline *ignored;
    uint32_t slot;
    ds__pipeline_options options = {.from_update = true};
    if (m->let.type == DS_DOCUMENT) {
        ds__iter it;
        for (ds__iter_init(&it, m->let); ds__iter_next(&it);) {
            scope = ds__scope_add(p->env, scope, it.key, it.key_size, &slot);
            if (!scope) {
                return ds__error_oom(err);
            }
        }
        if (!ds__expr_compile(p->env, p->scope, m->let, &m->let_expr, err)) {
            return false;
        }
    } else {
        scope = ds__scope_add(p->env, scope, "new", 3, &slot);
        if (!scope) {
            return ds__error_oom(err);
        }
    }
    options.scope = scope;
    return ds__pipeline_compile(p->env, m->update, &options, &ignored, err);
}

bool ds__stage_parse_merge(ds__stage_parser *p, ds_value arg, ds_error *err) {
    ds__target to;
    if (!ds__target_read_merge(arg, &to, err)) {
        return false;
    }
    merge *m = ds__stage_add(p, sizeof *m, &merge_ops, err);
    if (!m) {
        return false;
    }
    m->command.meter = m->reply.meter = m->doc.meter = m->docs.row.meter = p->env->meter;
    m->docs.memory.meter = p->env->kept;
    m->let = to.let;
    m->update = to.update;
    m->matched = to.matched;
    m->not_matched = to.not_matched;
    if (!set_target(p, m, &to, err) || !parse_on(m, to.on, err)) {
        return false;
    }
    if (m->matched == DS_MATCHED_PIPELINE) {
        return check_update(p, m, err);
    }
    return m->let.type == DS_MISSING ||
           ds__error_set(err, 51199,
                         "Cannot use 'let' variables with 'whenMatched' other than a pipeline");
}
