/* SPDX-License-Identifier: Apache-2.0 */
/* $facet: documents are read some at a time; each pipeline runs over those until it asks for more.
 */
#include "lang/pipeline/stages.h"
#include "lang/pipeline/sub.h"

enum { FACET_BYTES = 1024 * 1024 };
enum { NOT_YET = -1 }; /* an error that only goes from a facet_source to facet_run */

/* Documents one after another, of which there may be more. Who asks for one that has not come gets
 * the error NOT_YET, and asks again later: what a stage has taken in it keeps. */
typedef struct facet_source {
    ds__source base;
    const ds_buf *docs;
    size_t at;
    bool last; /* there will be no more */
} facet_source;

typedef struct facet_part {
    /* borrowed */
    const char *name;
    size_t name_size;
    ds__pipeline *pipeline;
    /* owned while running */
    ds_buf out; /* its array */
    /* plain */
    facet_source source;
    size_t count;
    bool ended;
} facet_part;

typedef struct facet {
    ds__stage stage;
    /* borrowed */
    facet_part *parts;
    size_t count;
    /* owned while running */
    ds_buf docs;
    ds_buf out;
    /* plain */
    size_t bytes; /* of all arrays */
    bool done;
} facet;

static ds_next facet_source_next(ds__source *self, ds_value *doc, ds_error *err) {
    facet_source *s = (facet_source *)self;
    if (s->at < s->docs->size) {
        *doc = ds__document(s->docs->data + s->at);
        s->at += doc->size;
        return DS_NEXT_ROW;
    }
    if (s->last) {
        return DS_NEXT_END;
    }
    ds__error_set(err, NOT_YET, "more documents are to come");
    return DS_NEXT_ERROR;
}

static bool facet_begin(facet *f, ds_error *err) {
    for (size_t i = 0; i < f->count; i++) {
        facet_part *part = &f->parts[i];
        part->source = (facet_source){.base = {.next = facet_source_next}, .docs = &f->docs};
        ds__doc_begin(&part->out);
        if (!ds__pipeline_start(part->pipeline, &part->source.base, f->stage.eval, err)) {
            return false;
        }
    }
    return true;
}

/* Some more documents from the stage before; `*last`: and no others. */
static bool facet_read(facet *f, bool *last, ds_error *err) {
    ds_buf_reset(&f->docs);
    while (f->docs.size < FACET_BYTES) {
        ds_value row;
        ds_next next = ds__stage_pull(&f->stage, &row, err);
        if (next != DS_NEXT_ROW) {
            *last = true;
            return next == DS_NEXT_END && ds_buf_ok(&f->docs, err);
        }
        ds_buf_add(&f->docs, row.as.bytes, row.size);
    }
    return ds_buf_ok(&f->docs, err);
}

/* Lets a pipeline take what has been read. */
static bool facet_run(facet *f, facet_part *part, bool last, ds_error *err) {
    part->source.at = 0;
    part->source.last = last;
    for (;;) {
        ds_value doc;
        ds_next next = ds__pipeline_next(part->pipeline, &doc, err);
        if (next == DS_NEXT_ERROR && err->code == NOT_YET) {
            *err = (ds_error){0};
            return true;
        }
        if (next != DS_NEXT_ROW) {
            part->ended = true;
            return next == DS_NEXT_END;
        }
        const size_t before = part->out.size;
        ds__write_index(&part->out, part->count++, doc);
        f->bytes += part->out.size - before;
        if (f->bytes > DS_MAX_GROUP_BYTES) {
            return ds__error_set(err, 4568, "a sub-pipeline's results exceed %d bytes",
                                 DS_MAX_GROUP_BYTES);
        }
    }
}

/* Whether any pipeline wants more documents. */
static bool facet_step(facet *f, bool last, bool *more, ds_error *err) {
    *more = false;
    for (size_t i = 0; i < f->count; i++) {
        facet_part *part = &f->parts[i];
        if (!part->ended && !facet_run(f, part, last, err)) {
            return false;
        }
        *more = *more || !part->ended;
    }
    return true;
}

static bool facet_write(facet *f, ds_error *err) {
    size_t root = ds__doc_begin(&f->out);
    for (size_t i = 0; i < f->count; i++) {
        facet_part *part = &f->parts[i];
        ds__doc_end(&part->out, 0);
        if (!ds_buf_ok(&part->out, err)) {
            return false;
        }
        ds__write_value(&f->out, part->name, part->name_size, ds__array(part->out.data));
        ds_buf_clear(&part->out);
    }
    ds__doc_end(&f->out, root);
    return ds_buf_ok(&f->out, err);
}

static ds_next facet_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    facet *f = (facet *)stage;
    if (f->done) {
        return DS_NEXT_END;
    }
    f->done = true;
    bool last = false;
    bool more = true;
    if (!facet_begin(f, err)) {
        return DS_NEXT_ERROR;
    }
    while (more) {
        if (!facet_read(f, &last, err) || !facet_step(f, last, &more, err)) {
            return DS_NEXT_ERROR;
        }
    }
    if (!facet_write(f, err)) {
        return DS_NEXT_ERROR;
    }
    ds__stage_forget_meta(stage);
    *doc = ds__document(f->out.data);
    return DS_NEXT_ROW;
}

static void facet_stop(ds__stage *stage) {
    facet *f = (facet *)stage;
    for (size_t i = 0; i < f->count; i++) {
        ds__pipeline_close(f->parts[i].pipeline);
        ds_buf_clear(&f->parts[i].out);
        f->parts[i].count = 0;
        f->parts[i].ended = false;
    }
    ds_buf_clear(&f->docs);
    ds_buf_clear(&f->out);
    f->bytes = 0;
    f->done = false;
}

static const ds__stage_ops facet_ops = {
    .name = "$facet",
    .next = facet_next,
    .stop = facet_stop,
};

static bool facet_name(const ds__iter *it, ds_error *err) {
    if (it->key_size == 0) {
        return ds__error_set(err, 15998, "FieldPath field names may not be empty strings.");
    }
    if (it->key[0] == '$') {
        return ds__error_set(err, 16410,
                             "FieldPath field names may not start with '$'. "
                             "Consider using $getField or $setField.");
    }
    if (memchr(it->key, '.', it->key_size)) {
        return ds__error_set(err, 16412,
                             "FieldPath field names may not contain '.'. "
                             "Consider using $getField or $setField.");
    }
    return true;
}

bool ds__stage_parse_facet(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (!ds__facet_check_form(arg, err)) {
        return false;
    }
    facet *f = ds__stage_add(p, sizeof *f, &facet_ops, err);
    if (!f) {
        return false;
    }
    f->docs.meter = p->env->kept;
    f->out.meter = p->env->meter;
    f->parts = ds_arena_zalloc(p->env->arena, ds__doc_count(arg) * sizeof *f->parts);
    if (!f->parts) {
        return ds__error_oom(err);
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        facet_part *part = &f->parts[f->count];
        if (!facet_name(&it, err)) {
            return false;
        }
        part->out.meter = p->env->kept;
        part->name = it.key; /* of the pipeline's own copy of the specification */
        part->name_size = it.key_size;
        if (!ds__stage_compile_sub(p, it.value, p->scope, true, &part->pipeline, err)) {
            return false;
        }
        f->count++;
    }
    return true;
}
