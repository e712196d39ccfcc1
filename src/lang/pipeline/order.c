/* SPDX-License-Identifier: Apache-2.0 */
/* $sort, $limit, $skip and $sample: which documents and in which order, their content untouched. */
#include <math.h>

#include "base/clock.h"
#include "base/mem.h"
#include "lang/pipeline/stages.h"

typedef struct sort {
    ds__stage stage;
    /* owned while running */
    ds__sorter *sorter;
    /* plain */
    bool loaded;
    bool gives_keys; /* it stands where the engine could have sorted: then sort keys are known */
} sort;

static bool sort_start(ds__stage *stage, ds_error *err) {
    const ds__pipeline *p = stage->pipeline;
    ((sort *)stage)->gives_keys = ds__stage_gives_sort_keys(stage);
    stage->pattern.beside = p->has_meta ? &p->meta : NULL;
    return true;
}

static bool sort_add(sort *s, ds_value doc, ds_error *err) {
    ds__stage *stage = &s->stage;
    ds__pipeline *p = stage->pipeline;
    if (!p->has_meta) {
        return ds__sorter_add(s->sorter, doc, err);
    }
    ds_arena *scratch = stage->eval->scratch;
    ds_arena_mark mark = ds_arena_save(scratch);
    bool ok = !s->gives_keys || ds__sort_values(&stage->pattern, doc, stage->env->collator, scratch,
                                                &p->meta.values[DS_META_SORT_KEY], err);
    ok = ok && ds__sorter_add_with(s->sorter, doc, &p->meta, err);
    ds_arena_restore(scratch, mark);
    return ok;
}

static bool sort_load(sort *s, ds_error *err) {
    ds__stage *stage = &s->stage;
    ds_value doc;
    if (!s->sorter) {
        s->sorter = ds__sorter_new(&stage->pattern, stage->env, (uint64_t)stage->amount,
                                   stage->pipeline->memory, stage->pipeline->allow_disk, err);
    }
    if (!s->sorter) {
        return false;
    }
    for (;;) {
        ds_next next = ds__stage_pull(stage, &doc, err);
        if (next == DS_NEXT_END) {
            s->loaded = true;
            return ds__sorter_finish(s->sorter, err);
        }
        if (next != DS_NEXT_ROW || !sort_add(s, doc, err)) {
            return false;
        }
    }
}

static ds_next sort_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    sort *s = (sort *)stage;
    if (!s->loaded && !sort_load(s, err)) {
        return DS_NEXT_ERROR;
    }
    ds_next next = ds__sorter_next(s->sorter, doc, err);
    if (next == DS_NEXT_ROW && stage->pipeline->has_meta) {
        ds__sorter_meta(s->sorter, &stage->pipeline->meta);
    }
    return next;
}

static void sort_stop(ds__stage *stage) {
    sort *s = (sort *)stage;
    ds__sorter_free(s->sorter);
    s->sorter = NULL;
    s->loaded = false;
}

static bool sort_keeps_path(const ds__stage *stage, const ds__path *path) {
    return stage->amount == 0;
}

static const ds__stage_ops sort_ops = {
    .name = "$sort",
    .start = sort_start,
    .next = sort_next,
    .stop = sort_stop,
    .keeps_path = sort_keeps_path,
    .kind = DS_STAGE_SORT,
};

static bool add_sort(ds__stage_parser *p, ds_value spec, ds_error *err) {
    sort *s = ds__stage_add(p, sizeof *s, &sort_ops, err);
    return s && ds__sort_compile_meta(p->env, spec, &s->stage.pattern, err);
}

bool ds__stage_parse_sort(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type == DS_DOCUMENT && ds__doc_empty(arg)) {
        return ds__error_set(err, 15976, "$sort stage must have at least one sort key");
    }
    return add_sort(p, arg, err);
}

/* $limit and $skip. */
typedef struct slice {
    ds__stage stage;
    int64_t seen;
} slice;

static bool slice_start(ds__stage *stage, ds_error *err) {
    ((slice *)stage)->seen = 0;
    return true;
}

static ds_next limit_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    slice *s = (slice *)stage;
    if (s->seen >= stage->amount) {
        return DS_NEXT_END;
    }
    ds_next next = ds__stage_pull(stage, doc, err);
    s->seen += next == DS_NEXT_ROW;
    return next;
}

static ds_next skip_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    slice *s = (slice *)stage;
    for (; s->seen < stage->amount; s->seen++) {
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next != DS_NEXT_ROW) {
            return next;
        }
    }
    return ds__stage_pull(stage, doc, err);
}

static const ds__stage_ops limit_ops = {
    .name = "$limit", .start = slice_start, .next = limit_next, .kind = DS_STAGE_LIMIT};
static const ds__stage_ops skip_ops = {
    .name = "$skip", .start = slice_start, .next = skip_next, .kind = DS_STAGE_SKIP};

static bool add_limit(ds__stage_parser *p, int64_t limit, ds_error *err) {
    slice *s = ds__stage_add(p, sizeof *s, &limit_ops, err);
    if (s) {
        s->stage.amount = limit;
    }
    return s != NULL;
}

bool ds__stage_parse_limit(ds__stage_parser *p, ds_value arg, ds_error *err) {
    int64_t limit;
    char text[DS_MAX_QUOTED];
    if (!ds__stage_integer(arg, &limit) || limit < 0) {
        return ds__error_set(err, 5107201,
                             "invalid argument to $limit stage: Expected a non-negative number in: "
                             "$limit: %s",
                             ds__value_quote(arg, text, sizeof text));
    }
    if (limit == 0) {
        return ds__error_set(err, 15958, "the limit must be positive");
    }
    return add_limit(p, limit, err);
}

bool ds__stage_parse_skip(ds__stage_parser *p, ds_value arg, ds_error *err) {
    int64_t skip;
    char text[DS_MAX_QUOTED];
    if (!ds__stage_integer(arg, &skip) || skip < 0) {
        return ds__error_set(err, 5107200,
                             "invalid argument to $skip stage: Expected a non-negative number in: "
                             "$skip: %s",
                             ds__value_quote(arg, text, sizeof text));
    }
    slice *s = ds__stage_add(p, sizeof *s, &skip_ops, err);
    if (s) {
        s->stage.amount = skip;
    }
    return s != NULL;
}

/* $sample keeps a uniform choice of `amount` documents (reservoir), in random order. */
typedef struct sample {
    ds__stage stage;
    /* owned while running */
    ds_buf *docs;
    /* plain */
    size_t count;
    size_t cap;
    size_t at;
    uint64_t seen;
    uint64_t bytes;
    double rand; /* beside the document given last */
    bool loaded;
} sample;

static uint64_t below(uint64_t n) {
    uint64_t r;
    ds__random_bytes(&r, sizeof r);
    return r % n;
}

static bool sample_keep(sample *s, size_t i, ds_value doc, ds_error *err) {
    s->docs[i].meter = s->stage.env->kept;
    ds_buf_reset(&s->docs[i]);
    ds_buf_add(&s->docs[i], doc.as.bytes, doc.size);
    ds__stage_pack_meta(&s->stage, &s->docs[i]);
    return ds_buf_ok(&s->docs[i], err);
}

static bool sample_load(sample *s, ds_error *err) {
    size_t want = (size_t)s->stage.amount;
    for (;; s->seen++) {
        ds_value doc;
        ds_next next = ds__stage_pull(&s->stage, &doc, err);
        if (next == DS_NEXT_END) {
            break;
        }
        if (next != DS_NEXT_ROW) {
            return false;
        }
        size_t at = s->count;
        if (s->count < want) {
            if (s->count == s->cap) {
                size_t cap = s->cap ? s->cap * 2 : 64;
                ds_buf *docs = ds_meter_realloc(s->stage.env->kept, s->docs, s->cap * sizeof *docs,
                                                cap * sizeof *docs);
                if (!docs) {
                    return ds__error_oom(err);
                }
                memset(docs + s->cap, 0, (cap - s->cap) * sizeof *docs);
                s->docs = docs;
                s->cap = cap;
            }
            s->count++;
        } else {
            uint64_t r = below(s->seen + 1);
            if (r >= want) {
                continue;
            }
            at = (size_t)r;
        }
        s->bytes += doc.size;
        if (!sample_keep(s, at, doc, err)) {
            return false;
        }
        if (s->bytes > DS_MAX_GROUP_BYTES && s->count < want) {
            return ds__error_set(err, DS_QUERY_EXCEEDED_MEMORY,
                                 "$sample exceeded memory limit of %d bytes", DS_MAX_GROUP_BYTES);
        }
    }
    for (size_t i = s->count; i > 1; i--) {
        size_t j = (size_t)below(i);
        ds_buf t = s->docs[i - 1];
        s->docs[i - 1] = s->docs[j];
        s->docs[j] = t;
    }
    s->loaded = true;
    s->rand = 1;
    return true;
}

/* Numbers that fall, as those of a $sample do: the greatest of as many as documents are left. */
static ds_value next_rand(sample *s) {
    const double one = (double)(below(1u << 30) + 1) / (1u << 30);
    s->rand *= pow(one, 1.0 / (double)(s->count - s->at + 1));
    return ds__double(s->rand);
}

static ds_next sample_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    sample *s = (sample *)stage;
    if (!s->loaded && !sample_load(s, err)) {
        return DS_NEXT_ERROR;
    }
    if (s->at >= s->count) {
        return DS_NEXT_END;
    }
    *doc = ds__document(s->docs[s->at++].data);
    if (stage->pipeline->has_meta) {
        ds__stage_unpack_meta(stage, ds__document(doc->as.bytes + doc->size));
        stage->pipeline->meta.values[DS_META_RAND_VAL] = next_rand(s);
    }
    return DS_NEXT_ROW;
}

static void sample_stop(ds__stage *stage) {
    sample *s = (sample *)stage;
    for (size_t i = 0; i < s->count; i++) {
        ds_buf_clear(&s->docs[i]);
    }
    ds_meter_free(s->stage.env->kept, s->docs, s->cap * sizeof *s->docs);
    s->docs = NULL;
    s->count = s->cap = s->at = 0;
    s->seen = s->bytes = 0;
    s->loaded = false;
}

static const ds__stage_ops sample_ops = {
    .name = "$sample", .next = sample_next, .stop = sample_stop};

bool ds__stage_parse_sample(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 28745, "the $sample stage specification must be an object");
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    ds_value size = ds__missing();
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "size") != 0) {
            return ds__error_set(err, 28748, "unrecognized option to $sample: %s", it.key);
        }
        size = it.value;
    }
    if (size.type == DS_MISSING) {
        return ds__error_set(err, 28749, "$sample stage must specify a size");
    }
    if (!ds__is_number(size)) {
        return ds__error_set(err, 28746, "size argument to $sample must be a number");
    }
    int64_t n = ds__number_to_int64(size);
    if (n < 0) {
        return ds__error_set(err, 28747, "size argument to $sample must not be negative");
    }
    sample *s = ds__stage_add(p, sizeof *s, &sample_ops, err);
    if (s) {
        s->stage.amount = n;
    }
    return s != NULL;
}
