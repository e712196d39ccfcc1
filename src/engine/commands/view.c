/* SPDX-License-Identifier: Apache-2.0 */
/* Views, from BSON to BSON: what they are made of down to a collection, and the stages that find,
 * count and distinct become on them. */
#include "base/limits.h"
#include "base/system.h"
#include "engine/commands/pipeline.h"

enum { MAX_VIEW_DEPTH = 20 };

bool ds__view_resolve(ds__op *op, ds_arena *arena, const ds__coll *view, ds_value tail,
                      const char **base, ds_value *stages, ds_error *err) {
    const ds__coll *chain[MAX_VIEW_DEPTH];
    size_t depth = 0;
    const ds__coll *at = view;
    while (at != NULL && at->is_view) {
        if (depth == MAX_VIEW_DEPTH) {
            return ds__error_set(err, DS_VIEW_DEPTH_LIMIT_EXCEEDED,
                                 "View depth too deep or view cycle detected; maximum depth is %d",
                                 MAX_VIEW_DEPTH);
        }
        chain[depth++] = at;
        *base = at->view_on;
        ds__op_find_coll(op, at->view_on, strlen(at->view_on), &at);
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t n = 0;
    ds__iter it;
    for (size_t i = depth; i-- > 0;) {
        if (chain[i]->pipeline.type != DS_ARRAY) {
            continue;
        }
        ds__iter_init(&it, chain[i]->pipeline);
        while (ds__iter_next(&it)) {
            ds__write_index(&buf, n++, it.value);
        }
    }
    if (tail.type == DS_ARRAY) {
        ds__iter_init(&it, tail);
        while (ds__iter_next(&it)) {
            ds__write_index(&buf, n++, it.value);
        }
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && !ds__buf_to_value(arena, &buf, DS_ARRAY, stages)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok;
}

/* A list of stages being written. */
typedef struct stage_list {
    ds_buf buf;
    size_t root;
    size_t count;
} stage_list;

static void add_stage(stage_list *s, const char *name, ds_value v) {
    size_t doc = ds__write_index_doc(&s->buf, s->count++, DS_DOCUMENT);
    ds__write_value(&s->buf, name, strlen(name), v);
    ds__doc_end(&s->buf, doc);
}

static bool end_stages(stage_list *s, ds_arena *arena, ds_value *out, ds_error *err) {
    ds__doc_end(&s->buf, s->root);
    bool ok = ds_buf_ok(&s->buf, err);
    if (ok && !ds__buf_to_value(arena, &s->buf, DS_ARRAY, out)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&s->buf);
    return ok;
}

static bool has_fields(ds_value v) {
    return v.type == DS_DOCUMENT && !ds__doc_empty(v);
}

/* Begins a list with what is common: which documents. */
static void begin_stages(stage_list *s, ds_value filter) {
    s->root = ds__doc_begin(&s->buf);
    if (has_fields(filter)) {
        add_stage(s, "$match", filter);
    }
}

static void add_part(stage_list *s, int64_t skip, int64_t limit) {
    if (skip > 0) {
        add_stage(s, "$skip", ds__int64(skip));
    }
    if (limit > 0) {
        add_stage(s, "$limit", ds__int64(limit));
    }
}

static bool check_options(const ds__find_request *r, ds_error *err) {
    ds_value n;
    const bool natural = r->hint.type == DS_DOCUMENT && ds__doc_get(r->hint, "$natural", 8, &n);
    if (r->show_record_id || r->return_key) {
        return ds__error_set(err, DS_INVALID_PIPELINE_OPERATOR,
                             "Option %s not supported in aggregation.",
                             r->return_key ? "returnKey" : "showRecordId");
    }
    if (r->min.type == DS_DOCUMENT || r->max.type == DS_DOCUMENT || natural) {
        return ds__error_set(err, DS_INVALID_PIPELINE_OPERATOR,
                             "Option %s is not supported on views.", natural ? "$natural" : "min");
    }
    return true;
}

bool ds__view_find(ds_arena *arena, const ds__find_request *r, ds_value *stages, ds_error *err) {
    stage_list s = {0};
    if (!check_options(r, err)) {
        return false;
    }
    begin_stages(&s, r->filter);
    if (has_fields(r->sort)) {
        add_stage(&s, "$sort", r->sort);
    }
    add_part(&s, r->skip, r->limit);
    if (has_fields(r->projection)) {
        add_stage(&s, "$project", r->projection);
    }
    return end_stages(&s, arena, stages, err);
}

bool ds__view_count(ds_arena *arena, ds_value filter, int64_t skip, int64_t limit, ds_value *stages,
                    ds_error *err) {
    stage_list s = {0};
    begin_stages(&s, filter);
    add_part(&s, skip, limit);
    add_stage(&s, "$count", ds__cstring("count"));
    return end_stages(&s, arena, stages, err);
}

bool ds__view_distinct(ds_arena *arena, ds_value filter, const char *key, ds_value *stages,
                       ds_error *err) {
    stage_list s = {0};
    ds_buf path = {0};
    begin_stages(&s, filter);
    /* Every array on the way is opened, as distinct does. */
    for (const char *dot = key;; dot++) {
        dot = ds__find_or_end(dot, '.');
        ds_buf_reset(&path);
        ds_buf_add_byte(&path, '$');
        ds_buf_add(&path, key, (size_t)(dot - key));
        size_t doc = ds__write_index_doc(&s.buf, s.count++, DS_DOCUMENT);
        size_t unwind = ds__write_doc(&s.buf, "$unwind", 7, DS_DOCUMENT);
        ds__write_value(&s.buf, "path", 4, ds__string((const char *)path.data, path.size));
        ds__write_bool(&s.buf, "preserveNullAndEmptyArrays", true);
        ds__doc_end(&s.buf, unwind);
        ds__doc_end(&s.buf, doc);
        if (*dot == 0) {
            break;
        }
    }
    size_t doc = ds__write_index_doc(&s.buf, s.count++, DS_DOCUMENT);
    size_t group = ds__write_doc(&s.buf, "$group", 6, DS_DOCUMENT);
    ds__write_value(&s.buf, "_id", 3, ds__null());
    size_t set = ds__write_doc(&s.buf, "distinct", 8, DS_DOCUMENT);
    ds__write_value(&s.buf, "$addToSet", 9, ds__string((const char *)path.data, path.size));
    ds__doc_end(&s.buf, set);
    ds__doc_end(&s.buf, group);
    ds__doc_end(&s.buf, doc);
    ds_buf_fail_as(&s.buf, &path);
    ds_buf_clear(&path);
    return end_stages(&s, arena, stages, err);
}
