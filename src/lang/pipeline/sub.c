/* SPDX-License-Identifier: Apache-2.0 */
/* What stages with pipelines of their own share, and $unionWith; buffers of documents to feed them
 * from. */
#include "base/mem.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/sub.h"

bool ds__doc_list_add(ds__doc_list *list, ds_value doc, const char *stage, ds_error *err) {
    if (list->bytes.size + doc.size > DS_MAX_GROUP_BYTES) {
        return ds__error_set(err, DS_QUERY_EXCEEDED_MEMORY,
                             "%s exceeded its memory limit of %d bytes", stage, DS_MAX_GROUP_BYTES);
    }
    ds_buf_add(&list->bytes, doc.as.bytes, doc.size);
    return ds_buf_ok(&list->bytes, err);
}

bool ds__pipeline_collect(ds__pipeline *pipeline, ds__source *source, ds__eval *eval, ds_buf *out,
                          size_t *count, ds_error *err) {
    if (!ds__pipeline_start(pipeline, source, eval, err)) {
        return false;
    }
    bool ok = true;
    for (;;) {
        ds_value doc;
        ds_next next = ds__pipeline_next(pipeline, &doc, err);
        if (next != DS_NEXT_ROW) {
            ok = next == DS_NEXT_END;
            break;
        }
        ds__write_index(out, (*count)++, doc);
        if (out->size > DS_MAX_GROUP_BYTES) {
            ok = ds__error_set(err, 4568, "a sub-pipeline's results exceed %d bytes",
                               DS_MAX_GROUP_BYTES);
            break;
        }
    }
    ds__pipeline_close(pipeline);
    return ok && ds_buf_ok(out, err);
}

/* Opens the collection a sub-pipeline reads (in the host's database); *out is NULL when the
 * pipeline makes its own documents. */
static bool open_on(ds__pipeline *pipeline, ds__stage *stage, const char *coll,
                    const ds__filter *filter, ds__source **out, ds_error *err) {
    const ds__pipeline_host *host = stage->env->pipeline_host;
    *out = NULL;
    if (ds__pipeline_has_own_source(pipeline)) {
        return true;
    }
    if (!host) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "%s may not read other collections here",
                             stage->ops->name);
    }
    return host->open(host, stage->env, host->db, coll, filter, out, err);
}

/* $unionWith: first the stage's own documents, then another pipeline's. */
typedef struct union_with {
    ds__stage stage;
    /* borrowed */
    const char *coll;
    ds__pipeline *pipeline;
    ds__filter *filter;
    /* plain */
    bool second;
} union_with;

static ds_next union_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    union_with *u = (union_with *)stage;
    if (!u->second) {
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next != DS_NEXT_END) {
            return next;
        }
        ds__source *source;
        if (!open_on(u->pipeline, stage, u->coll, u->filter, &source, err) ||
            !ds__pipeline_start(u->pipeline, source, stage->eval, err)) {
            return DS_NEXT_ERROR;
        }
        u->second = true;
    }
    ds_next next = ds__pipeline_next(u->pipeline, doc, err);
    stage->pipeline->meta = u->pipeline->meta;
    return next;
}

static void union_pause(ds__stage *stage) {
    union_with *u = (union_with *)stage;
    if (u->second) {
        ds__pipeline_pause(u->pipeline);
    }
}

static void union_stop(ds__stage *stage) {
    union_with *u = (union_with *)stage;
    ds__pipeline_close(u->pipeline);
    u->second = false;
}

static const ds__stage_ops union_ops = {
    .name = "$unionWith",
    .next = union_next,
    .pause = union_pause,
    .stop = union_stop,
};

static bool union_options(ds_value arg, ds_value *coll, ds_value *pipeline, ds_error *err) {
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        uint8_t want = DS_STRING;
        if (strcmp(it.key, "coll") == 0) {
            *coll = it.value;
        } else if (strcmp(it.key, "pipeline") == 0) {
            *pipeline = it.value;
            want = DS_ARRAY;
        } else {
            return ds__error_set(err, 40415, "BSON field '$unionWith.%s' is an unknown field.",
                                 it.key);
        }
        if (it.value.type != want) {
            return ds__error_set(
                err, DS_TYPE_MISMATCH,
                "BSON field '$unionWith.%s' is the wrong type '%s', expected type '%s'", it.key,
                ds__type_name(it.value.type), ds__type_name(want));
        }
    }
    return true;
}

bool ds__stage_parse_union_with(ds__stage_parser *p, ds_value arg, ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    ds_value coll = ds__missing(), stages = ds__array(empty);
    if (!ds__union_check_form(arg, err)) {
        return false;
    }
    if (arg.type == DS_STRING) {
        coll = arg;
    } else if (!union_options(arg, &coll, &stages, err)) {
        return false;
    }
    union_with *u = ds__stage_add(p, sizeof *u, &union_ops, err);
    if (!u || !ds__stage_compile_sub(p, stages, p->scope, false, &u->pipeline, err)) {
        if (u && err->code == 51047) {
            return ds__error_set(err, 31441,
                                 "$out and $merge are not allowed within a $unionWith's "
                                 "sub-pipeline");
        }
        return false;
    }
    if (coll.type == DS_MISSING) {
        return ds__pipeline_has_own_source(u->pipeline) ||
               ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$unionWith stage without explicit collection must have a pipeline "
                             "with $documents as first stage");
    }
    if (coll.size == 0) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "$unionWith needs a collection's name");
    }
    u->coll = ds_arena_strndup(p->env->arena, ds__text(coll), coll.size);
    if (!u->coll) {
        return ds__error_oom(err);
    }
    ds__pipeline_head head;
    if (ds__pipeline_take_match(u->pipeline, &head)) {
        u->filter = head.filter;
    }
    return true;
}
