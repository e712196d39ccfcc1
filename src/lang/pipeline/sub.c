/* SPDX-License-Identifier: Apache-2.0 */
/* Stages that run pipelines of their own: $facet and $unionWith; and buffers of documents to feed
 * them from. */
#include "base/mem.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/sub.h"

static ds_next doc_list_next(ds__source *self, ds_value *doc, ds_error *err) {
    ds__doc_list_source *s = (ds__doc_list_source *)self;
    if (s->at >= s->list->bytes.size) {
        return DS_NEXT_END;
    }
    *doc = ds__document(s->list->bytes.data + s->at);
    s->at += doc->size;
    return DS_NEXT_ROW;
}

bool ds__doc_list_add(ds__doc_list *list, ds_value doc, const char *stage, ds_error *err) {
    if (list->bytes.size + doc.size > DS_MAX_GROUP_BYTES) {
        return ds__error_set(err, DS_QUERY_EXCEEDED_MEMORY,
                             "%s exceeded its memory limit of %d bytes", stage, DS_MAX_GROUP_BYTES);
    }
    ds_buf_add(&list->bytes, doc.as.bytes, doc.size);
    return ds_buf_ok(&list->bytes, err);
}

void ds__doc_list_source_init(ds__doc_list_source *source, const ds__doc_list *list) {
    *source = (ds__doc_list_source){.base = {.next = doc_list_next}, .list = list};
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

bool ds__pipeline_open_on(ds__pipeline *pipeline, ds__stage *stage, const char *coll,
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

/* $facet: all documents are kept once, then each pipeline runs over them. */
typedef struct facet_part {
    const char *name;
    size_t name_size;
    ds__pipeline *pipeline;
} facet_part;

typedef struct facet {
    ds__stage stage;
    /* borrowed */
    facet_part *parts;
    size_t count;
    /* owned while running */
    ds__doc_list docs;
    ds_buf out;
    /* plain */
    bool done;
} facet;

static ds_next facet_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    facet *f = (facet *)stage;
    ds_value row;
    ds_next next;
    if (f->done) {
        return DS_NEXT_END;
    }
    f->done = true;
    while ((next = ds__stage_pull(stage, &row, err)) == DS_NEXT_ROW) {
        if (!ds__doc_list_add(&f->docs, row, "$facet", err)) {
            return DS_NEXT_ERROR;
        }
    }
    if (next != DS_NEXT_END) {
        return DS_NEXT_ERROR;
    }
    ds_buf_reset(&f->out);
    size_t root = ds__doc_begin(&f->out);
    for (size_t i = 0; i < f->count; i++) {
        const facet_part *part = &f->parts[i];
        ds__doc_list_source source;
        size_t count = 0;
        ds__doc_list_source_init(&source, &f->docs);
        size_t array = ds__write_doc(&f->out, part->name, part->name_size, DS_ARRAY);
        if (!ds__pipeline_collect(part->pipeline, &source.base, stage->eval, &f->out, &count,
                                  err)) {
            return DS_NEXT_ERROR;
        }
        ds__doc_end(&f->out, array);
    }
    ds__doc_end(&f->out, root);
    if (!ds_buf_ok(&f->out, err)) {
        return DS_NEXT_ERROR;
    }
    *doc = ds__document(f->out.data);
    return DS_NEXT_ROW;
}

static void facet_stop(ds__stage *stage) {
    facet *f = (facet *)stage;
    for (size_t i = 0; i < f->count; i++) {
        ds__pipeline_close(f->parts[i].pipeline);
    }
    ds_buf_clear(&f->docs.bytes);
    ds_buf_clear(&f->out);
    f->done = false;
}

static void facet_dependencies(const ds__stage *stage, ds__add_path_fn add, void *ctx) {
    const facet *f = (const facet *)stage;
    for (size_t i = 0; i < f->count; i++) {
        ds__pipeline_dependencies(f->parts[i].pipeline, add, ctx);
    }
}

static const ds__stage_ops facet_ops = {
    .name = "$facet",
    .next = facet_next,
    .stop = facet_stop,
    .dependencies = facet_dependencies,
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
    if (arg.type != DS_DOCUMENT || ds__doc_empty(arg)) {
        char text[DS_MAX_QUOTED];
        return ds__error_set(err, 40169,
                             "the $facet specification must be a non-empty object, but found: "
                             "$facet: %s",
                             ds__value_quote(arg, text, sizeof text));
    }
    facet *f = ds__stage_add(p, sizeof *f, &facet_ops, err);
    if (!f) {
        return false;
    }
    f->docs.bytes.meter = p->env->kept;
    f->out.meter = p->env->meter;
    f->parts = ds_arena_zalloc(p->env->arena, ds__doc_count(arg) * sizeof *f->parts);
    if (!f->parts) {
        return ds__error_oom(err);
    }
    f->stage.closes_fields = true;
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        facet_part *part = &f->parts[f->count];
        if (!facet_name(&it, err)) {
            return false;
        }
        if (it.value.type != DS_ARRAY) {
            return ds__error_set(err, 40170, "arguments to $facet must be arrays, %s is type %s",
                                 it.key, ds__type_name(it.value.type));
        }
        ds__iter sub;
        for (ds__iter_init(&sub, it.value); ds__iter_next(&sub);) {
            if (sub.value.type != DS_DOCUMENT || ds__doc_empty(sub.value)) {
                return ds__error_set(err, 40171,
                                     "elements of arrays in $facet spec must be non-empty objects, "
                                     "%s argument contained an element of type %s",
                                     it.key, ds__type_name(sub.value.type));
            }
        }
        part->name = it.key; /* of the pipeline's own copy of the specification */
        part->name_size = it.key_size;
        if (!ds__stage_compile_sub(p, it.value, p->scope, true, &part->pipeline, err)) {
            return false;
        }
        f->count++;
    }
    return true;
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
        if (!ds__pipeline_open_on(u->pipeline, stage, u->coll, u->filter, &source, err) ||
            !ds__pipeline_start(u->pipeline, source, stage->eval, err)) {
            return DS_NEXT_ERROR;
        }
        u->second = true;
    }
    return ds__pipeline_next(u->pipeline, doc, err);
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
    if (arg.type == DS_STRING) {
        coll = arg;
    } else if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "the $unionWith stage specification must be an object or string, but "
                             "found %s",
                             ds__type_name(arg.type));
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
