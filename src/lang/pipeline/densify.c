/* SPDX-License-Identifier: Apache-2.0 */
/* $densify: puts documents into the gaps of a sequence of numbers or dates, partition by partition.
 * Its input is sorted by a $sort put before it. */
#include "base/map.h"
#include "base/mem.h"
#include "bson/key.h"
#include "lang/pipeline/stages.h"
#include "lang/pipeline/window.h"

typedef enum densify_bounds { DENSIFY_FULL, DENSIFY_PARTITION, DENSIFY_EXPLICIT } densify_bounds;

typedef struct partition {
    ds_value next;  /* the next value to make; scalar */
    ds_value shell; /* a document of just the partition's fields, in the arena */
} partition;

typedef struct densify {
    ds__stage stage;
    /* borrowed */
    ds__path field;
    ds__path *by;
    size_t by_count;
    ds_value step;
    ds__expr *add_date; /* $$v plus a step, with a unit */
    uint32_t slot;
    /* owned while running */
    ds_arena arena;
    ds_map index; /* key of a partition's values to its number + 1 */
    ds_buf key;
    ds_buf held; /* the document waiting for what comes before it */
    ds_buf out;
    partition *states;
    /* plain */
    ds_value lower; /* explicit; full: the least seen */
    ds_value upper; /* explicit; full: the greatest seen */
    size_t state_count;
    size_t state_cap;
    size_t current; /* of the held document */
    size_t finish_at;
    densify_bounds bounds;
    bool pending;
    bool finishing;
} densify;

static int compare(ds_value a, ds_value b) {
    return ds__value_compare(a, b, NULL);
}

static bool advance(densify *d, partition *p, ds_error *err) {
    if (!d->add_date) {
        p->next = ds__number_add(p->next, d->step);
        return true;
    }
    d->stage.eval->slots[d->slot] = p->next;
    return ds__expr_eval(d->add_date, d->stage.eval, &p->next, err);
}

/* The document with only the partition's fields, and the key they make. */
static bool partition_of(densify *d, ds_value doc, size_t *out, ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    ds_value shell = ds__document(empty);
    ds_buf_reset(&d->key);
    for (size_t i = 0; i < d->by_count; i++) {
        bool simple;
        ds_value v = ds__simple_path(doc, &d->by[i], &simple);
        ds__key_add(&d->key, v, false, d->stage.env->collator);
    }
    if (!ds_buf_ok(&d->key, err)) {
        return false;
    }
    const uint8_t *key = d->key.size ? d->key.data : empty;
    uintptr_t found = (uintptr_t)ds_map_get(&d->index, key, d->key.size);
    if (found) {
        *out = found - 1;
        return true;
    }
    for (size_t i = 0; i < d->by_count; i++) {
        bool simple;
        ds_value v = ds__simple_path(doc, &d->by[i], &simple);
        ds_buf buf = {0};
        ds__stage_write_with(&buf, shell, &d->by[i], v);
        bool ok = ds_buf_ok(&buf, err) &&
                  (ds__buf_to_value(&d->arena, &buf, DS_DOCUMENT, &shell) || ds__error_oom(err));
        ds_buf_clear(&buf);
        if (!ok) {
            return false;
        }
    }
    if (d->state_count == d->state_cap) {
        size_t cap = d->state_cap ? d->state_cap * 2 : 8;
        partition *states = ds_meter_realloc(d->stage.env->kept, d->states,
                                             d->state_cap * sizeof *states, cap * sizeof *states);
        if (!states) {
            return ds__error_oom(err);
        }
        d->states = states;
        d->state_cap = cap;
    }
    *out = d->state_count++;
    d->states[*out] = (partition){.next = ds__missing(), .shell = shell};
    return ds_map_set(&d->index, key, d->key.size, (void *)(uintptr_t)d->state_count, NULL) ||
           ds__error_oom(err);
}

static bool check_value(const densify *d, ds_value v, ds_error *err) {
    if (!ds__is_number(v) && v.type != DS_DATE) {
        return ds__error_set(err, 5733201, "Densify field type must be numeric or a date");
    }
    if (ds__is_number(v) && d->add_date) {
        return ds__error_set(err, 6053600,
                             "Encountered numeric densify value in collection when "
                             "step has a date unit.");
    }
    if (v.type == DS_DATE && !d->add_date) {
        return ds__error_set(err, 6053600,
                             "Encountered date densify value in collection when step "
                             "does not have a date unit.");
    }
    return true;
}

/* Writes the next made document of a partition and moves it on. */
static bool make(densify *d, partition *p, ds_value *doc, ds_error *err) {
    ds_buf_reset(&d->out);
    ds__stage_write_with(&d->out, p->shell, &d->field, p->next);
    if (!ds_buf_ok(&d->out, err) || !ds__stage_tick(&d->stage, err)) {
        return false;
    }
    *doc = ds__document(d->out.data);
    ds__stage_forget_meta(&d->stage);
    return advance(d, p, err);
}

/* Takes a document from the stage before: passes it on at once (*through) or holds it. */
static bool take(densify *d, ds_value doc, bool *through, ds_error *err) {
    bool simple;
    ds_value v = ds__simple_path(doc, &d->field, &simple);
    *through = simple && ds__is_nullish(v);
    if (*through) {
        return true;
    }
    if (!check_value(d, v, err) || !partition_of(d, doc, &d->current, err)) {
        return false;
    }
    partition *p = &d->states[d->current];
    if (d->bounds == DENSIFY_FULL) {
        d->lower = d->lower.type == DS_MISSING ? v : d->lower;
        d->upper = v;
    }
    if (p->next.type == DS_MISSING) {
        p->next = d->bounds == DENSIFY_PARTITION ? v : d->lower;
    }
    if (d->bounds == DENSIFY_EXPLICIT && compare(v, d->lower) < 0) {
        *through = true;
        return true;
    }
    ds_buf_reset(&d->held);
    ds_buf_add(&d->held, doc.as.bytes, doc.size);
    ds__stage_pack_meta(&d->stage, &d->held);
    d->pending = true;
    return ds_buf_ok(&d->held, err);
}

/* Whether a partition has more to make after its last document. */
static bool unfinished(const densify *d, const partition *p) {
    switch (d->bounds) {
    case DENSIFY_FULL:
        return compare(p->next, d->upper) <= 0;
    case DENSIFY_EXPLICIT:
        return compare(p->next, d->upper) < 0;
    case DENSIFY_PARTITION:
        break;
    }
    return false;
}

/* Gives a made document before the held one, or the held one itself. */
static bool release(densify *d, ds_value *doc, ds_error *err) {
    partition *p = &d->states[d->current];
    ds_value held = ds__document(d->held.data);
    bool simple;
    ds_value v = ds__simple_path(held, &d->field, &simple);
    bool within = d->bounds != DENSIFY_EXPLICIT || compare(p->next, d->upper) < 0;
    if (within && compare(p->next, v) < 0) {
        return make(d, p, doc, err);
    }
    d->pending = false;
    *doc = held;
    if (d->stage.pipeline->has_meta) {
        ds__stage_unpack_meta(&d->stage, ds__document(held.as.bytes + held.size));
    }
    return compare(p->next, v) != 0 || advance(d, p, err);
}

static bool begin_finish(densify *d, ds_error *err) {
    static const uint8_t empty[5] = {5, 0, 0, 0, 0};
    size_t only;
    d->finishing = true;
    if (d->state_count == 0 && d->by_count == 0 && d->bounds == DENSIFY_EXPLICIT) {
        if (!partition_of(d, ds__document(empty), &only, err)) {
            return false;
        }
        d->states[only].next = d->lower;
    }
    return true;
}

static ds_next densify_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    densify *d = (densify *)stage;
    while (!d->finishing) {
        bool through = false;
        if (d->pending) {
            return release(d, doc, err) ? DS_NEXT_ROW : DS_NEXT_ERROR;
        }
        ds_next next = ds__stage_pull(stage, doc, err);
        if (next == DS_NEXT_END) {
            if (!begin_finish(d, err)) {
                return DS_NEXT_ERROR;
            }
            break;
        }
        if (next != DS_NEXT_ROW || !take(d, *doc, &through, err)) {
            return DS_NEXT_ERROR;
        }
        if (through) {
            return DS_NEXT_ROW;
        }
    }
    for (; d->finish_at < d->state_count; d->finish_at++) {
        partition *p = &d->states[d->finish_at];
        if (unfinished(d, p)) {
            return make(d, p, doc, err) ? DS_NEXT_ROW : DS_NEXT_ERROR;
        }
    }
    return DS_NEXT_END;
}

static void densify_stop(ds__stage *stage) {
    densify *d = (densify *)stage;
    ds_arena_clear(&d->arena);
    ds_map_clear(&d->index);
    ds_buf_clear(&d->key);
    ds_buf_clear(&d->held);
    ds_buf_clear(&d->out);
    ds_meter_free(d->stage.env->kept, d->states, d->state_cap * sizeof *d->states);
    d->states = NULL;
    d->state_count = d->state_cap = d->finish_at = 0;
    d->pending = d->finishing = false;
    if (d->bounds == DENSIFY_FULL) {
        d->lower = d->upper = ds__missing();
    }
}

static const ds__stage_ops densify_ops = {
    .name = "$densify",
    .next = densify_next,
    .stop = densify_stop,
};

static bool parse_bounds(densify *d, ds_value v, ds_value unit, ds_error *err) {
    if (v.type == DS_STRING) {
        d->bounds = ds__is_string(v, "partition") ? DENSIFY_PARTITION : DENSIFY_FULL;
        if (d->bounds == DENSIFY_PARTITION && d->by_count == 0) {
            return ds__error_set(
                err, 5733408,
                "One cannot specify the bounds as 'partition' without specifying a "
                "non-empty array of partitionByFields. You may have meant to "
                "specify 'full' bounds.");
        }
        return d->bounds == DENSIFY_PARTITION || ds__is_string(v, "full") ||
               ds__error_set(err, 5946802, "Bounds string must either be 'full' or 'partition'");
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, 5733404,
                             "Range bounds must be a string or an array of two elements");
    }
    if (ds__doc_count(v) != 2) {
        return ds__error_set(
            err, 5733403, "A bounding array in a range statement must have exactly two elements");
    }
    d->bounds = DENSIFY_EXPLICIT;
    d->lower = ds__array_at(v, 0);
    d->upper = ds__array_at(v, 1);
    bool dates = d->lower.type == DS_DATE && d->upper.type == DS_DATE;
    if (!dates && !(ds__is_number(d->lower) && ds__is_number(d->upper))) {
        return ds__error_set(
            err, 5733406, "A bounding array must contain either both dates or both numeric types");
    }
    if (compare(d->lower, d->upper) > 0) {
        return ds__error_set(err, 5733402,
                             "A bounding array must be an ascending array of either "
                             "two dates or two numbers");
    }
    if (dates != (unit.type != DS_MISSING)) {
        return ds__error_set(err, dates ? 5733410 : 5733409,
                             dates ? "A bounding array of dates must specify a unit"
                                   : "Numeric bounds may not have unit parameter");
    }
    if (!dates && (d->lower.type != d->upper.type || d->lower.type != d->step.type)) {
        return ds__error_set(err, 5876900,
                             "Upper bound, lower bound, and step must all have the same type");
    }
    return true;
}

/* {$dateAdd: {startDate: "$$v", unit: …, amount: step}}. */
static bool compile_add(ds__stage_parser *p, densify *d, ds_value unit, ds_error *err) {
    ds_buf buf = {0};
    ds_value spec = ds__missing();
    const ds__var_scope *scope = ds__scope_add(p->env, p->scope, "v", 1, &d->slot);
    size_t root = ds__doc_begin(&buf);
    size_t add = ds__write_doc(&buf, "$dateAdd", 8, DS_DOCUMENT);
    ds__write_str(&buf, "startDate", "$$v");
    ds__write_value(&buf, "unit", 4, unit);
    ds__write_value(&buf, "amount", 6, d->step);
    ds__doc_end(&buf, add);
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && (!scope || !ds__buf_to_value(p->env->arena, &buf, DS_DOCUMENT, &spec))) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok && ds__expr_compile(p->env, scope, spec, &d->add_date, err);
}

static bool parse_range(ds__stage_parser *p, densify *d, ds_value range, ds_error *err) {
    ds_value bounds = ds__missing(), unit = ds__missing();
    int64_t whole;
    d->step = ds__missing();
    ds__iter it;
    for (ds__iter_init(&it, range); ds__iter_next(&it);) {
        if (strcmp(it.key, "step") == 0) {
            d->step = it.value;
        } else if (strcmp(it.key, "bounds") == 0) {
            bounds = it.value;
        } else if (strcmp(it.key, "unit") == 0) {
            unit = it.value;
        } else {
            return ds__error_set(err, 40415, "BSON field '$densify.range.%s' is an unknown field.",
                                 it.key);
        }
    }
    if (d->step.type == DS_MISSING || bounds.type == DS_MISSING) {
        return ds__error_set(err, 40414,
                             "BSON field '$densify.range.%s' is missing but a required field",
                             d->step.type == DS_MISSING ? "step" : "bounds");
    }
    if (!ds__is_number(d->step)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '$densify.range.step' is the wrong type '%s', expected "
                             "types '[int, decimal, double, long']",
                             ds__type_name(d->step.type));
    }
    if (ds__number_sign(d->step) <= 0) {
        return ds__error_set(err, 5733401,
                             "The step parameter in a range statement must be a "
                             "strictly positive numeric value");
    }
    if (unit.type != DS_MISSING) {
        if (ds__window_unit_ms(unit) < 0) {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "unknown time unit value: %.*s",
                                 unit.type == DS_STRING ? (int)unit.size : 0,
                                 unit.type == DS_STRING ? ds__text(unit) : "");
        }
        if (!ds__value_exact_int64(d->step, &whole)) {
            return ds__error_set(err, 6586400,
                                 "The step parameter in a range statement must be a "
                                 "whole number when densifying a date range");
        }
        if (!compile_add(p, d, unit, err)) {
            return false;
        }
    }
    return parse_bounds(d, bounds, unit, err);
}

static bool parse_partitions(densify *d, ds_value fields, ds_error *err) {
    if (fields.type == DS_MISSING) {
        return true;
    }
    if (fields.type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '$densify.partitionByFields' is the wrong type '%s', "
                             "expected type 'array'",
                             ds__type_name(fields.type));
    }
    d->by = ds_arena_zalloc(d->stage.env->arena, (ds__doc_count(fields) + 1) * sizeof *d->by);
    if (!d->by) {
        return ds__error_oom(err);
    }
    ds__iter it;
    for (ds__iter_init(&it, fields); ds__iter_next(&it);) {
        ds__path *path = &d->by[d->by_count];
        if (it.value.type != DS_STRING) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '$densify.partitionByFields' must hold strings");
        }
        if (!ds__stage_field_path(d->stage.env->arena, ds__text(it.value), it.value.size, path,
                                  err)) {
            return false;
        }
        if (ds__paths_overlap(path, &d->field)) {
            return ds__error_set(err, 5733306,
                                 "DocGenerator cannot include field that is being densified");
        }
        d->by_count++;
    }
    return true;
}

/* The $sort that goes before: by partition unless the range is all partitions', then by field. */
static bool add_sort(ds__stage_parser *p, const densify *d, ds_error *err) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    size_t sort = ds__write_doc(&buf, "$sort", 5, DS_DOCUMENT);
    for (size_t i = 0; d->bounds != DENSIFY_FULL && i < d->by_count; i++) {
        ds__write_int32(&buf, d->by[i].text, 1);
    }
    ds__write_int32(&buf, d->field.text, 1);
    ds__doc_end(&buf, sort);
    ds__doc_end(&buf, root);
    return ds__stage_add_built(p, &buf, ds__stage_parse_sort, err);
}

bool ds__stage_parse_densify(ds__stage_parser *p, ds_value arg, ds_error *err) {
    ds_value field = ds__missing(), fields = ds__missing(), range = ds__missing();
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The $densify stage specification must be an object, found %s",
                             ds__type_name(arg.type));
    }
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "field") == 0) {
            field = it.value;
        } else if (strcmp(it.key, "partitionByFields") == 0) {
            fields = it.value;
        } else if (strcmp(it.key, "range") == 0) {
            range = it.value;
        } else {
            return ds__error_set(err, 40415, "BSON field '$densify.%s' is an unknown field.",
                                 it.key);
        }
    }
    if (field.type == DS_MISSING || range.type == DS_MISSING) {
        return ds__error_set(err, 40414, "BSON field '$densify.%s' is missing but a required field",
                             field.type == DS_MISSING ? "field" : "range");
    }
    if (field.type != DS_STRING || range.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "BSON field '$densify.%s' is the wrong type",
                             field.type != DS_STRING ? "field" : "range");
    }
    densify *d = ds_arena_zalloc(p->env->arena, sizeof *d); /* joins the chain after its $sort */
    if (!d) {
        return ds__error_oom(err);
    }
    d->stage.env = p->env;
    if (!ds__stage_field_path(p->env->arena, ds__text(field), field.size, &d->field, err) ||
        !parse_partitions(d, fields, err) || !parse_range(p, d, range, err) ||
        !add_sort(p, d, err)) {
        return false;
    }
    densify *stage = ds__stage_add(p, sizeof *stage, &densify_ops, err);
    if (stage) {
        stage->arena.meter = stage->index.meter = p->env->kept;
        stage->key.meter = stage->held.meter = stage->out.meter = p->env->meter;
    }
    if (!stage) {
        return false;
    }
    d->stage = stage->stage;
    *stage = *d;
    return true;
}
