/* SPDX-License-Identifier: Apache-2.0 */
/* $setWindowFields: sorts by partition and sortBy, then gives each row fields computed from the
 * rows around it. One partition at a time is in memory. */
#include "base/mem.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/window.h"

typedef struct window {
    ds__stage stage;
    /* borrowed */
    ds__expr *partition; /* NULL: all rows are one partition */
    ds__sort_pattern sort;
    ds__sort_pattern row_sort; /* on {p: {v: partition}, d: document, m: beside it} */
    ds__window_function *functions;
    size_t function_count;
    /* owned while running */
    ds__sorter *sorter;
    ds_arena arena; /* one partition */
    ds_buf row;
    ds_buf held; /* the first row of the next partition */
    ds_buf out[2];
    /* plain */
    ds__window_rows rows;
    size_t cap;
    size_t meta_cap;
    ds_value **results;
    size_t at;
    bool has_held;
    bool loaded;
} window;

static bool load(window *w, ds_error *err) {
    ds__stage *stage = &w->stage;
    ds_arena *scratch = stage->eval->scratch;
    if (!w->sorter) {
        w->sorter = ds__sorter_new(&w->row_sort, stage->env, 0, stage->pipeline->memory,
                                   stage->pipeline->allow_disk, err);
    }
    if (!w->sorter) {
        return false;
    }
    const bool gives_keys = !w->partition && w->sort.count > 0 && ds__stage_gives_sort_keys(stage);
    for (;;) {
        ds_value doc, v = ds__null();
        ds_next next = ds__stage_pull(stage, &doc, err);
        if (next == DS_NEXT_END) {
            w->loaded = true;
            return ds__sorter_finish(w->sorter, err);
        }
        if (next != DS_NEXT_ROW) {
            return false;
        }
        ds_arena_mark mark = ds_arena_save(scratch);
        bool ok = !w->partition || ds__stage_eval(stage, w->partition, doc, &v, err);
        if (ok && v.type == DS_ARRAY) {
            ok = ds__error_set(err, DS_TYPE_MISMATCH,
                               "An expression used to partition cannot evaluate to value of type "
                               "array");
        }
        if (ok && gives_keys) {
            ok = ds__sort_values(&w->sort, doc, stage->env->collator, scratch,
                                 &stage->pipeline->meta.values[DS_META_SORT_KEY], err);
        }
        if (ok) {
            ds_buf_reset(&w->row);
            size_t root = ds__doc_begin(&w->row);
            size_t key = ds__write_doc(&w->row, "p", 1, DS_DOCUMENT);
            ds__write_value(&w->row, "v", 1, ds__is_nullish(v) ? ds__null() : v);
            ds__doc_end(&w->row, key);
            ds__write_value(&w->row, "d", 1, doc);
            ds__stage_write_meta(stage, &w->row);
            ds__doc_end(&w->row, root);
            ok = ds_buf_ok(&w->row, err) &&
                 ds__sorter_add(w->sorter, ds__document(w->row.data), err);
        }
        ds_arena_restore(scratch, mark);
        if (!ok) {
            return false;
        }
    }
}

static bool add_row(window *w, ds_value row, ds_error *err) {
    if (w->rows.count == w->cap) {
        w->rows.docs =
            ds_arena_grow(&w->arena, w->rows.docs, w->rows.count, &w->cap, sizeof *w->rows.docs);
        if (!w->rows.docs) {
            return ds__error_oom(err);
        }
    }
    if (w->arena.used > DS_MAX_GROUP_BYTES) {
        return ds__error_set(err, 5414201,
                             "Exceeded memory limit in DocumentSourceSetWindowFields");
    }
    if (w->stage.pipeline->has_meta) {
        w->rows.meta = ds_arena_grow(&w->arena, w->rows.meta, w->rows.count, &w->meta_cap,
                                     sizeof *w->rows.meta);
        if (!w->rows.meta ||
            !ds__value_copy(&w->arena, ds__doc_field(row, "m"), &w->rows.meta[w->rows.count])) {
            return ds__error_oom(err);
        }
    }
    return ds__value_copy(&w->arena, ds__doc_field(row, "d"), &w->rows.docs[w->rows.count++]) ||
           ds__error_oom(err);
}

static bool fill_keys(window *w, ds_error *err) {
    if (w->sort.count != 1) {
        return true;
    }
    const ds__path *path = &w->sort.parts[0].path;
    w->rows.keys = ds_arena_alloc(&w->arena, (w->rows.count + 1) * sizeof *w->rows.keys);
    if (!w->rows.keys) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < w->rows.count; i++) {
        if (!ds__expr_path_value(w->rows.docs[i], path->parts, path->count, &w->arena,
                                 &w->rows.keys[i], err)) {
            return false;
        }
    }
    return true;
}

/* Gathers the next partition and computes it; an empty one is the end. */
static bool next_partition(window *w, ds_error *err) {
    ds_value row, key;
    ds_next next = DS_NEXT_ROW;
    ds_arena_reset(&w->arena);
    w->rows = (ds__window_rows){0};
    w->cap = w->meta_cap = 0;
    w->at = 0;
    if (!w->has_held) {
        next = ds__sorter_next(w->sorter, &row, err);
    } else {
        row = ds__document(w->held.data);
    }
    if (next != DS_NEXT_ROW) {
        return next == DS_NEXT_END;
    }
    if (!ds__value_copy(&w->arena, ds__doc_field(row, "p"), &key)) {
        return ds__error_oom(err);
    }
    do {
        if (!add_row(w, row, err)) {
            return false;
        }
        next = ds__sorter_next(w->sorter, &row, err);
    } while (next == DS_NEXT_ROW &&
             ds__value_equal(ds__doc_field(row, "p"), key, w->stage.env->collator));
    w->has_held = next == DS_NEXT_ROW;
    if (w->has_held) {
        ds_buf_reset(&w->held);
        ds_buf_add(&w->held, row.as.bytes, row.size);
        if (!ds_buf_ok(&w->held, err)) {
            return false;
        }
    }
    if (next == DS_NEXT_ERROR || !fill_keys(w, err)) {
        return false;
    }
    w->results = ds_arena_alloc(&w->arena, (w->function_count + 1) * sizeof *w->results);
    for (size_t i = 0; w->results && i < w->function_count; i++) {
        w->results[i] = ds_arena_alloc(&w->arena, (w->rows.count + 1) * sizeof **w->results);
        if (!w->results[i]) {
            return ds__error_oom(err);
        }
        if (!ds__window_compute(&w->functions[i], &w->rows, &w->stage, &w->arena, w->results[i],
                                err)) {
            return false;
        }
    }
    return w->results || ds__error_oom(err);
}

static ds_next window_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    window *w = (window *)stage;
    if (!w->loaded && !load(w, err)) {
        return DS_NEXT_ERROR;
    }
    if (w->at >= w->rows.count && !next_partition(w, err)) {
        return DS_NEXT_ERROR;
    }
    if (w->rows.count == 0) {
        return DS_NEXT_END;
    }
    ds_value v = w->rows.docs[w->at];
    for (size_t i = 0; i < w->function_count; i++) {
        ds_buf *out = &w->out[i & 1];
        ds_buf_reset(out);
        ds__stage_write_with(out, v, &w->functions[i].field, w->results[i][w->at]);
        if (!ds_buf_ok(out, err)) {
            return DS_NEXT_ERROR;
        }
        v = ds__document(out->data);
    }
    if (w->rows.meta) {
        ds__stage_unpack_meta(stage, w->rows.meta[w->at]);
    }
    w->at++;
    *doc = v;
    return DS_NEXT_ROW;
}

static void window_stop(ds__stage *stage) {
    window *w = (window *)stage;
    ds__sorter_free(w->sorter);
    ds_arena_clear(&w->arena);
    ds_buf_clear(&w->row);
    ds_buf_clear(&w->held);
    ds_buf_clear(&w->out[0]);
    ds_buf_clear(&w->out[1]);
    w->sorter = NULL;
    w->rows = (ds__window_rows){0};
    w->at = 0;
    w->has_held = w->loaded = false;
}

static const ds__stage_ops window_ops = {
    .name = "$setWindowFields",
    .next = window_next,
    .stop = window_stop,
};

/* Sorts rows {p, d} by partition, then by sortBy within the document. */
static bool make_row_sort(window *w, ds_error *err) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    if (w->partition) {
        ds__write_int32(&buf, "p", 1);
    }
    for (size_t i = 0; i < w->sort.count; i++) {
        ds_buf name = {0};
        ds_buf_printf(&name, "d.%s", w->sort.parts[i].path.text);
        if (!ds_buf_ok(&name, err)) {
            ds_buf_clear(&name);
            ds_buf_clear(&buf);
            return false;
        }
        ds__write_value(&buf, (const char *)name.data, name.size,
                        ds__int32(w->sort.parts[i].descending ? -1 : 1));
        ds_buf_clear(&name);
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err) &&
              ds__sort_compile(w->stage.env, ds__document(buf.data), &w->row_sort, err);
    ds_buf_clear(&buf);
    return ok;
}

static bool parse_output(ds__stage_parser *p, window *w, ds_value output, ds_error *err) {
    w->functions =
        ds_arena_zalloc(p->env->arena, (ds__doc_count(output) + 1) * sizeof *w->functions);
    if (!w->functions) {
        return ds__error_oom(err);
    }
    ds__iter it;
    for (ds__iter_init(&it, output); ds__iter_next(&it);) {
        ds__window_function *f = &w->functions[w->function_count];
        if (!ds__window_parse(p, it.key, it.key_size, it.value, &w->sort, f, err)) {
            return false;
        }
        for (size_t i = 0; i < w->function_count; i++) {
            if (ds__paths_overlap(&w->functions[i].field, &f->field)) {
                return ds__error_set(err, 6307900,
                                     "$setWindowFields 'output' specification contains two "
                                     "conflicting paths");
            }
        }
        w->function_count++;
    }
    return true;
}

bool ds__stage_parse_window(ds__stage_parser *p, ds_value arg, ds_error *err) {
    ds_value output = ds__missing(), sort = ds__missing(), partition = ds__missing();
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "the $setWindowFields stage specification must be an object, found %s",
                             ds__type_name(arg.type));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        bool is_output = strcmp(it.key, "output") == 0;
        bool is_sort = strcmp(it.key, "sortBy") == 0;
        if ((is_output || is_sort) && it.value.type != DS_DOCUMENT) {
            return ds__error_set(
                err, DS_TYPE_MISMATCH,
                "BSON field '$setWindowFields.%s' is the wrong type '%s', expected "
                "type 'object'",
                it.key, ds__type_name(it.value.type));
        }
        if (is_output) {
            output = it.value;
        } else if (is_sort) {
            sort = it.value;
        } else if (strcmp(it.key, "partitionBy") == 0) {
            partition = it.value;
        } else {
            return ds__error_set(err, 40415,
                                 "BSON field '$setWindowFields.%s' is an unknown field.", it.key);
        }
    }
    if (output.type == DS_MISSING) {
        return ds__error_set(
            err, 40414, "BSON field '$setWindowFields.output' is missing but a required field");
    }
    window *w = ds__stage_add(p, sizeof *w, &window_ops, err);
    if (w) {
        w->arena.meter = p->env->kept;
        w->row.meter = w->held.meter = w->out[0].meter = w->out[1].meter = p->env->meter;
    }
    if (!w || (sort.type != DS_MISSING && !ds__sort_compile(p->env, sort, &w->sort, err))) {
        return false;
    }
    if (partition.type != DS_MISSING &&
        !ds__expr_compile(p->env, p->scope, partition, &w->partition, err)) {
        return false;
    }
    return make_row_sort(w, err) && parse_output(p, w, output, err);
}
