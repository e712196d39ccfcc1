/* SPDX-License-Identifier: Apache-2.0 */
/* $bucketAuto: documents sorted by a value, cut into buckets of about the same size, their bounds
 * rounded to a series of preferred numbers when asked. */
#include "base/mem.h"
#include "lang/pipeline/accumulate.h"
#include "lang/pipeline/granularity.h"
#include "lang/pipeline/stages.h"

typedef struct bucket_auto {
    ds__stage stage;
    /* borrowed */
    ds__expr *group_by;
    ds__accumulator *accs;
    size_t acc_count;
    const ds__granularity *granularity; /* NULL: none */
    ds__sort_pattern pattern;           /* {k: 1} on {k: {v: value}, d: document, m: beside it} */
    /* owned while running */
    ds__sorter *sorter;
    ds_buf row;
    ds_buf out;
    void *states;
    ds__held value; /* of the document in `pending` */
    ds__held max;
    ds__held min;
    ds_buf pending; /* the first row of the next bucket */
    /* plain */
    size_t states_size;
    uint64_t total;
    int32_t buckets;
    int32_t made;
    bool has_pending;
    bool loaded;
} bucket_auto;

static bool load(bucket_auto *b, ds_error *err) {
    ds__stage *stage = &b->stage;
    ds_arena *scratch = stage->eval->scratch;
    if (!b->sorter) {
        b->sorter = ds__sorter_new(&b->pattern, stage->env, 0, stage->pipeline->memory,
                                   stage->pipeline->allow_disk, err);
    }
    if (!b->sorter) {
        return false;
    }
    for (;;) {
        ds_value doc, v;
        ds_next next = ds__stage_pull(stage, &doc, err);
        if (next == DS_NEXT_END) {
            b->loaded = true;
            return ds__sorter_finish(b->sorter, err);
        }
        if (next != DS_NEXT_ROW) {
            return false;
        }
        ds_arena_mark mark = ds_arena_save(scratch);
        bool ok = ds__stage_eval(stage, b->group_by, doc, &v, err);
        if (ok) {
            ds_buf_reset(&b->row);
            size_t root = ds__doc_begin(&b->row);
            size_t key = ds__write_doc(&b->row, "k", 1, DS_DOCUMENT);
            ds__write_value(&b->row, "v", 1, ds__is_nullish(v) ? ds__null() : v);
            ds__doc_end(&b->row, key);
            ds__write_value(&b->row, "d", 1, doc);
            ds__stage_write_meta(stage, &b->row);
            ds__doc_end(&b->row, root);
            ok = ds_buf_ok(&b->row, err) &&
                 ds__sorter_add(b->sorter, ds__document(b->row.data), err);
        }
        ds_arena_restore(scratch, mark);
        if (!ok) {
            return false;
        }
        b->total++;
    }
}

/* Reads the next sorted document into pending and value. */
static bool advance(bucket_auto *b, ds_error *err) {
    ds_value row;
    size_t bytes = 0;
    ds_next next = ds__sorter_next(b->sorter, &row, err);
    b->has_pending = false;
    if (next == DS_NEXT_END) {
        return true;
    }
    if (next != DS_NEXT_ROW) {
        return false;
    }
    ds_value v = ds__doc_field(ds__doc_field(row, "k"), "v");
    ds_buf_reset(&b->pending);
    ds_buf_add(&b->pending, row.as.bytes, row.size);
    b->has_pending = true;
    return ds_buf_ok(&b->pending, err) && ds__held_set(&b->value, v, &bytes, err);
}

static void *state_of(const bucket_auto *b, const ds__accumulator *acc) {
    return (char *)b->states + acc->offset;
}

static void clear_states(bucket_auto *b) {
    for (size_t i = 0; b->states && i < b->acc_count; i++) {
        if (b->accs[i].def->clear) {
            b->accs[i].def->clear(&b->accs[i], state_of(b, &b->accs[i]));
        }
    }
}

/* Takes the pending document into the current bucket. */
static bool absorb(bucket_auto *b, ds_error *err) {
    ds__eval *eval = b->stage.eval;
    ds_arena_mark mark = ds_arena_save(eval->scratch);
    size_t bytes = 0;
    bool ok = ds__held_set(&b->max, b->value.value, &bytes, err);
    const ds_value row = ds__document(b->pending.data);
    ds__stage_unpack_meta(&b->stage, ds__doc_field(row, "m"));
    eval->slots[DS_VAR_ROOT] = ds__doc_field(row, "d");
    for (size_t i = 0; ok && i < b->acc_count; i++) {
        ok = ds__accumulator_feed(&b->accs[i], state_of(b, &b->accs[i]), eval, &bytes, err);
    }
    ds_arena_restore(eval->scratch, mark);
    return ok && advance(b, err);
}

static bool finish_bounds(bucket_auto *b, ds_error *err) {
    const ds__collator *collator = b->stage.env->collator;
    size_t bytes = 0;
    if (!b->granularity) {
        while (b->has_pending && ds__value_equal(b->max.value, b->value.value, collator)) {
            if (!absorb(b, err)) {
                return false;
            }
        }
        return !b->has_pending || ds__held_set(&b->max, b->value.value, &bytes, err);
    }
    ds_value bound;
    if (!ds__granularity_round(b->granularity, b->max.value, true, &bound, err)) {
        return false;
    }
    while (b->has_pending && ds__value_compare(bound, b->value.value, collator) > 0) {
        if (!absorb(b, err)) {
            return false;
        }
    }
    if (ds__number_to_double(bound) == 0 && b->has_pending &&
        !ds__granularity_round(b->granularity, b->value.value, false, &bound, err)) {
        return false;
    }
    return ds__held_set(&b->max, bound, &bytes, err);
}

static bool emit(bucket_auto *b, ds_value *doc, ds_error *err) {
    ds_arena *scratch = b->stage.eval->scratch;
    ds_arena_mark mark = ds_arena_save(scratch);
    bool ok = true;
    ds_buf_reset(&b->out);
    size_t root = ds__doc_begin(&b->out);
    size_t id = ds__write_doc(&b->out, "_id", 3, DS_DOCUMENT);
    ds__write_value(&b->out, "min", 3, b->min.value);
    ds__write_value(&b->out, "max", 3, b->max.value);
    ds__doc_end(&b->out, id);
    for (size_t i = 0; ok && i < b->acc_count; i++) {
        const ds__accumulator *acc = &b->accs[i];
        ds_value v = ds__missing();
        ok = acc->def->result(acc, state_of(b, acc), scratch, &v, err);
        ds__write_value(&b->out, acc->field, acc->field_size,
                        v.type == DS_MISSING ? ds__null() : v);
    }
    ds__doc_end(&b->out, root);
    ds_arena_restore(scratch, mark);
    *doc = ds__document(b->out.data);
    return ok && ds_buf_ok(&b->out, err);
}

static bool next_bucket(bucket_auto *b, ds_value *doc, ds_error *err) {
    size_t bytes = 0;
    ds_value min = b->value.value;
    uint64_t size = (uint64_t)((double)b->total / (double)b->buckets + 0.5);
    bool last = b->made + 1 == b->buckets;
    if (b->granularity && b->made > 0) {
        min = b->max.value; /* buckets touch */
    } else if (b->granularity && !ds__granularity_round(b->granularity, min, false, &min, err)) {
        return false;
    }
    if (!ds__held_set(&b->min, min, &bytes, err)) {
        return false;
    }
    clear_states(b);
    memset(b->states, 0, b->states_size);
    for (size_t i = 0; i < b->acc_count; i++) {
        const ds__accumulator *acc = &b->accs[i];
        if (acc->def->init &&
            !acc->def->init(acc, state_of(b, acc), b->stage.eval, ds__null(), err)) {
            return false;
        }
    }
    for (uint64_t i = 0; b->has_pending && (i == 0 || i < size || last); i++) {
        if (!absorb(b, err)) {
            return false;
        }
    }
    b->made++;
    return finish_bounds(b, err) && emit(b, doc, err);
}

static ds_next bucket_auto_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    bucket_auto *b = (bucket_auto *)stage;
    if (!b->loaded && !(load(b, err) && advance(b, err))) {
        return DS_NEXT_ERROR;
    }
    if (!b->has_pending) {
        return DS_NEXT_END;
    }
    bool ok = next_bucket(b, doc, err);
    ds__stage_forget_meta(stage);
    return ok ? DS_NEXT_ROW : DS_NEXT_ERROR;
}

static bool bucket_auto_start(ds__stage *stage, ds_error *err) {
    bucket_auto *b = (bucket_auto *)stage;
    b->states = ds__alloc(b->states_size);
    return b->states || ds__error_oom(err);
}

static void bucket_auto_stop(ds__stage *stage) {
    bucket_auto *b = (bucket_auto *)stage;
    clear_states(b);
    ds__free(b->states);
    ds__sorter_free(b->sorter);
    ds_buf_clear(&b->row);
    ds_buf_clear(&b->out);
    ds_buf_clear(&b->pending);
    ds__held_clear(&b->value);
    ds__held_clear(&b->max);
    ds__held_clear(&b->min);
    b->states = NULL;
    b->sorter = NULL;
    b->total = 0;
    b->made = 0;
    b->has_pending = b->loaded = false;
}

static const ds__stage_ops bucket_auto_ops = {
    .name = "$bucketAuto",
    .start = bucket_auto_start,
    .next = bucket_auto_next,
    .stop = bucket_auto_stop,
};

static bool parse_buckets(bucket_auto *b, ds_value v, ds_error *err) {
    char text[DS_MAX_QUOTED];
    int64_t n;
    if (!ds__is_number(v)) {
        return ds__error_set(err, 40241,
                             "The $bucketAuto 'buckets' field must be a numeric value, but found "
                             "type: %s",
                             ds__type_name(v.type));
    }
    if (!ds__value_exact_int64(v, &n) || n > INT32_MAX || n < INT32_MIN) {
        return ds__error_set(err, 40242,
                             "The $bucketAuto 'buckets' field must be representable as a 32-bit "
                             "integer, but found %s",
                             ds__value_quote(v, text, sizeof text));
    }
    if (n <= 0) {
        return ds__error_set(
            err, 40243, "The $bucketAuto 'buckets' field must be greater than 0, but found: %lld",
            (long long)n);
    }
    b->buckets = (int32_t)n;
    return true;
}

static bool parse_option(ds__stage_parser *p, bucket_auto *b, const ds__iter *it, ds_value *output,
                         ds_error *err) {
    ds_value v = it->value;
    char text[DS_MAX_QUOTED];
    if (strcmp(it->key, "groupBy") == 0) {
        bool path = v.type == DS_STRING && v.size > 0 && ds__text(v)[0] == '$';
        bool expr = v.type == DS_DOCUMENT && v.size > 5 && v.as.bytes[5] == '$';
        if (!path && !expr) {
            return ds__error_set(err, 40239,
                                 "The $bucketAuto 'groupBy' field must be defined as a $-prefixed "
                                 "path or an expression object, but found: %s",
                                 ds__value_quote(v, text, sizeof text));
        }
        return ds__expr_compile(p->env, p->scope, v, &b->group_by, err);
    }
    if (strcmp(it->key, "buckets") == 0) {
        return parse_buckets(b, v, err);
    }
    if (strcmp(it->key, "output") == 0) {
        if (v.type != DS_DOCUMENT) {
            return ds__error_set(
                err, 40244, "The $bucketAuto 'output' field must be an object, but found type: %s",
                ds__type_name(v.type));
        }
        *output = v;
        return true;
    }
    if (strcmp(it->key, "granularity") == 0) {
        if (v.type != DS_STRING) {
            return ds__error_set(
                err, 40261,
                "The $bucketAuto 'granularity' field must be a string, but found type: %s",
                ds__type_name(v.type));
        }
        b->granularity = ds__granularity_find(ds__text(v), v.size);
        return b->granularity || ds__error_set(err, 40257, "Unknown rounding granularity '%.*s'",
                                               (int)v.size, ds__text(v));
    }
    return ds__error_set(err, 40245, "Unrecognized option to $bucketAuto: %s", it->key);
}

static bool parse_output(ds__stage_parser *p, bucket_auto *b, ds_value output, ds_error *err) {
    static const uint8_t count_one[] = /* {count: {$sum: 1}} */
        "\x1b\0\0\0\x03"
        "count\0\x0f\0\0\0\x10"
        "$sum\0\x01\0\0\0\0";
    ds_value spec = output.type == DS_DOCUMENT ? output : ds__document(count_one);
    ds__iter it;
    b->accs = ds_arena_zalloc(p->env->arena, (ds__doc_count(spec) + 1) * sizeof *b->accs);
    if (!b->accs) {
        return ds__error_oom(err);
    }
    for (ds__iter_init(&it, spec); ds__iter_next(&it);) {
        ds__accumulator *acc = &b->accs[b->acc_count];
        if (!ds__accumulator_compile(p->env, p->scope, it.key, it.key_size, it.value, acc, err)) {
            return false;
        }
        acc->offset = b->states_size;
        b->states_size += (acc->def->state_size + 15) & ~(size_t)15;
        b->acc_count++;
    }
    b->states_size += 1;
    return true;
}

bool ds__stage_parse_bucket_auto(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40240,
                             "The argument to $bucketAuto must be an object, but found type: %s",
                             ds__type_name(arg.type));
    }
    bucket_auto *b = ds__stage_add(p, sizeof *b, &bucket_auto_ops, err);
    ds_value output = ds__missing();
    if (!b) {
        return false;
    }
    b->row.meter = b->out.meter = b->pending.meter = p->env->meter;
    b->value.meter = b->max.meter = b->min.meter = p->env->kept;
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (!parse_option(p, b, &it, &output, err)) {
            return false;
        }
    }
    if (!b->group_by || b->buckets == 0) {
        return ds__error_set(err, 40246,
                             "$bucketAuto requires 'groupBy' and 'buckets' to be specified");
    }
    static const uint8_t by_key[] = "\x0c\0\0\0\x10k\0\x01\0\0\0\0"; /* {k: 1} */
    return parse_output(p, b, output, err) &&
           ds__sort_compile(p->env, ds__document(by_key), &b->pattern, err);
}
