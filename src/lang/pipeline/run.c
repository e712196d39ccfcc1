/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a compiled pipeline: each stage pulls from the one before it, the first from the source. */
#include "lang/pipeline/internal.h"

static bool first_kind(const ds__pipeline *p, ds__stage_kind kind) {
    return p->head.following && p->head.following->ops->kind == kind;
}

ds_next ds__stage_failed(const ds__stage *stage, ds_error *err) {
    const char *name = stage->ops->name;
    ds__env_explain(stage->pipeline->env, *name ? name : "the pipeline", err);
    return DS_NEXT_ERROR;
}

bool ds__pipeline_has_own_source(const ds__pipeline *pipeline) {
    return first_kind(pipeline, DS_STAGE_OWN_SOURCE);
}

bool ds__pipeline_writes(const ds__pipeline *pipeline) {
    return pipeline->last->ops->kind == DS_STAGE_WRITER;
}

bool ds__pipeline_is_empty(const ds__pipeline *pipeline) {
    return pipeline->head.following == NULL;
}

void ds__stage_pack_meta(const ds__stage *stage, ds_buf *out) {
    if (stage->pipeline->has_meta) {
        ds__meta_pack(&stage->pipeline->meta, out);
    }
}

void ds__stage_write_meta(const ds__stage *stage, ds_buf *out) {
    if (stage->pipeline->has_meta) {
        ds_buf_add_byte(out, DS_DOCUMENT);
        ds_buf_add(out, "m", 2);
        ds__meta_pack(&stage->pipeline->meta, out);
    }
}

void ds__stage_unpack_meta(ds__stage *stage, ds_value packed) {
    if (stage->pipeline->has_meta) {
        ds__meta_unpack(packed, &stage->pipeline->meta);
    }
}

void ds__stage_forget_meta(ds__stage *stage) {
    if (stage->pipeline->has_meta) {
        ds__meta_clear(&stage->pipeline->meta);
    }
}

bool ds__stage_gives_sort_keys(const ds__stage *stage) {
    const ds__pipeline *p = stage->pipeline;
    return p->has_meta && p->source && p->source->meta && !p->took_more &&
           p->head.following == stage;
}

/* The first stage, when it is a $project that mongod would give to find. */
static const ds__stage *found_project(const ds__pipeline *p) {
    const ds__stage *first = p->head.following;
    return !p->took_more && first && first->is_inclusion ? first : NULL;
}

/* What is beside documents; a $project that is find's own asks for no sort key without a sort. */
static bool start_meta(ds__pipeline *p, ds_error *err) {
    const ds__stage *project = found_project(p);
    p->has_meta = p->env->wanted_meta != 0;
    p->keeps_rids = project != NULL;
    ds__meta_clear(&p->meta);
    return !project || !p->source || !p->source->meta ||
           !(project->wanted_meta & DS_META_BIT(DS_META_SORT_KEY)) ||
           ds__error_set(err, DS_BAD_VALUE, "cannot use sortKey $meta projection without a sort");
}

bool ds__pipeline_start(ds__pipeline *pipeline, ds__source *source, ds__eval *eval, ds_error *err) {
    ds_assert(!pipeline->running);
    pipeline->running = true;
    pipeline->source = source;
    pipeline->eval = eval;
    pipeline->head.eval = eval;
    if (!start_meta(pipeline, err)) {
        ds__pipeline_close(pipeline);
        return false;
    }
    for (ds__stage *s = pipeline->head.following; s; s = s->following) {
        s->eval = eval;
        if (s->ops->start && !s->ops->start(s, err)) {
            ds__pipeline_close(pipeline);
            return false;
        }
    }
    return true;
}

ds_next ds__pipeline_next(ds__pipeline *pipeline, ds_value *doc, ds_error *err) {
    ds__stage *last = pipeline->last;
    ds__eval *eval = pipeline->eval;
    const ds__meta *outer = eval->meta; /* another pipeline's, when this is a stage's own */
    eval->meta = pipeline->has_meta ? &pipeline->meta : NULL;
    ds_next next = last->ops->next(last, doc, err);
    eval->meta = outer;
    if (next == DS_NEXT_ROW && ds__env_step(pipeline->env, ds__stage_steps(doc->size), err)) {
        return next;
    }
    return next == DS_NEXT_END ? next : ds__stage_failed(last, err);
}

void ds__pipeline_pause(ds__pipeline *pipeline) {
    if (pipeline->source && pipeline->source->pause) {
        pipeline->source->pause(pipeline->source);
    }
    for (ds__stage *s = pipeline->head.following; s; s = s->following) {
        if (s->ops->pause) {
            s->ops->pause(s);
        }
    }
}

void ds__pipeline_close(ds__pipeline *pipeline) {
    if (!pipeline || !pipeline->running) {
        return;
    }
    for (ds__stage *s = pipeline->last; s != &pipeline->head; s = s->prev) {
        if (s->ops->stop) {
            s->ops->stop(s);
        }
    }
    if (pipeline->source && pipeline->source->close) {
        pipeline->source->close(pipeline->source);
    }
    pipeline->source = NULL;
    pipeline->running = false;
}

/* One document as a source. */
typedef struct one_source {
    ds__source base;
    ds_value doc;
    bool done;
} one_source;

static ds_next one_next(ds__source *self, ds_value *doc, ds_error *err) {
    one_source *one = (one_source *)self;
    if (one->done) {
        return DS_NEXT_END;
    }
    one->done = true;
    *doc = one->doc;
    return DS_NEXT_ROW;
}

bool ds__pipeline_apply(ds__pipeline *pipeline, ds_value doc, ds__eval *eval, ds_buf *out,
                        ds_error *err) {
    one_source one = {.base = {.next = one_next}, .doc = doc};
    if (!ds__pipeline_start(pipeline, &one.base, eval, err)) {
        return false;
    }
    ds_value result = ds__missing();
    ds_next next = ds__pipeline_next(pipeline, &result, err);
    bool ok = next == DS_NEXT_ROW;
    if (ok) {
        ds_buf_add(out, result.as.bytes, result.size);
        ok = ds_buf_ok(out, err);
    } else if (next == DS_NEXT_END) {
        ds__error_set(err, DS_INTERNAL_ERROR, "a pipeline update gave no document");
    }
    ds__pipeline_close(pipeline);
    return ok;
}

void ds__pipeline_print(const ds__pipeline *pipeline, ds_buf *out) {
    size_t root = ds__doc_begin(out);
    size_t i = 0;
    const ds__stage *shown = NULL;
    for (const ds__stage *s = pipeline->head.following; s; s = s->following) {
        if (shown && shown->spec.as.bytes == s->spec.as.bytes) {
            continue; /* stages made of one document are shown once */
        }
        shown = s;
        if (s->spec.type == DS_DOCUMENT) {
            ds__write_index(out, i++, s->spec);
        }
    }
    ds__doc_end(out, root);
}
