/* SPDX-License-Identifier: Apache-2.0 */
/* $bucket: a $group by ranges and a $sort. */
#include "lang/pipeline/stages.h"

typedef struct bucket_spec {
    ds_value group_by, boundaries, fallback, output;
} bucket_spec;

static bool read_spec(ds_value arg, bucket_spec *s, ds_error *err) {
    char text[DS_MAX_QUOTED];
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        ds_value v = it.value;
        if (strcmp(it.key, "groupBy") == 0) {
            bool path = v.type == DS_STRING && v.size > 0 && ds__text(v)[0] == '$';
            bool expr = v.type == DS_DOCUMENT && v.size > 5 && v.as.bytes[5] == '$';
            if (!path && !expr) {
                return ds__error_set(err, 40202,
                                     "The $bucket 'groupBy' field must be defined as a $-prefixed "
                                     "path or an expression, but found: %s.",
                                     ds__value_quote(v, text, sizeof text));
            }
            s->group_by = v;
        } else if (strcmp(it.key, "boundaries") == 0) {
            if (v.type != DS_ARRAY) {
                return ds__error_set(
                    err, 40200,
                    "The $bucket 'boundaries' field must be an array, but found type: %s.",
                    ds__type_name(v.type));
            }
            s->boundaries = v;
        } else if (strcmp(it.key, "default") == 0) {
            s->fallback = v;
        } else if (strcmp(it.key, "output") == 0) {
            if (v.type != DS_DOCUMENT) {
                return ds__error_set(
                    err, 40196, "The $bucket 'output' field must be an object, but found type: %s.",
                    ds__type_name(v.type));
            }
            s->output = v;
        } else {
            return ds__error_set(err, 40197, "Unrecognized option to $bucket: %s.", it.key);
        }
    }
    if (s->group_by.type == DS_MISSING || s->boundaries.type == DS_MISSING) {
        return ds__error_set(err, 40198,
                             "$bucket requires 'groupBy' and 'boundaries' to be specified.");
    }
    return true;
}

/* The value of a constant expression, or false with `code`. */
static bool constant(ds__stage_parser *p, ds_value spec, int32_t code, const char *message,
                     ds_value *out, ds_error *err) {
    ds__expr *expr;
    char text[DS_MAX_QUOTED];
    if (!ds__expr_compile(p->env, p->scope, spec, &expr, err)) {
        return false;
    }
    const ds_value *v = ds__expr_constant(expr);
    if (!v) {
        return ds__error_set(err, code, message, ds__value_quote(spec, text, sizeof text));
    }
    *out = *v;
    return true;
}

static bool read_bounds(ds__stage_parser *p, ds_value boundaries, ds__buckets *out, ds_error *err) {
    size_t count = ds__doc_count(boundaries);
    if (count < 2) {
        return ds__error_set(err, 40192,
                             "The $bucket 'boundaries' field must have at least 2 values, but "
                             "found %zu value(s).",
                             count);
    }
    ds_value *bounds = ds_arena_alloc(p->env->arena, count * sizeof *bounds);
    if (!bounds) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, boundaries);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (!constant(p, it.value, 40191,
                      "The $bucket 'boundaries' field must be an array of constant values, but "
                      "found value: %s.",
                      &bounds[i], err)) {
            return false;
        }
    }
    for (size_t i = 1; i < count; i++) {
        if (ds__type_rank(bounds[i - 1].type) != ds__type_rank(bounds[i].type)) {
            return ds__error_set(err, 40193,
                                 "All values in the the 'boundaries' option to $bucket must have "
                                 "the same type. Found conflicting types %s and %s.",
                                 ds__type_name(bounds[i - 1].type), ds__type_name(bounds[i].type));
        }
        if (ds__value_compare(bounds[i - 1], bounds[i], p->env->collator) >= 0) {
            return ds__error_set(err, 40194,
                                 "The 'boundaries' option to $bucket must be sorted, but elements "
                                 "%zu and %zu are not in ascending order",
                                 i - 1, i);
        }
    }
    out->bounds = bounds;
    out->count = count;
    return true;
}

static bool read_default(ds__stage_parser *p, ds_value spec, ds__buckets *out, ds_error *err) {
    out->fallback = ds__missing();
    if (spec.type == DS_MISSING) {
        return true;
    }
    if (!constant(p, spec, 40195,
                  "The $bucket 'default' field must be a constant expression, but found: %s.",
                  &out->fallback, err)) {
        return false;
    }
    const ds__collator *collator = p->env->collator;
    if (ds__value_compare(out->fallback, out->bounds[0], collator) >= 0 &&
        ds__value_compare(out->fallback, out->bounds[out->count - 1], collator) < 0) {
        return ds__error_set(err, 40199,
                             "The $bucket 'default' field must be less than the lowest boundary or "
                             "greater than or equal to the highest boundary.");
    }
    return true;
}

bool ds__stage_parse_bucket(ds__stage_parser *p, ds_value arg, ds_error *err) {
    bucket_spec s = {0};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40201,
                             "Argument to $bucket stage must be an object, but found type: %s.",
                             ds__type_name(arg.type));
    }
    ds__buckets *buckets = ds_arena_zalloc(p->env->arena, sizeof *buckets);
    if (!buckets) {
        return ds__error_oom(err);
    }
    if (!read_spec(arg, &s, err) || !read_bounds(p, s.boundaries, buckets, err) ||
        !read_default(p, s.fallback, buckets, err)) {
        return false;
    }
    ds_buf buf = {0};
    ds_value group = ds__missing();
    size_t root = ds__doc_begin(&buf);
    ds__write_value(&buf, "_id", 3, s.group_by);
    if (s.output.type == DS_DOCUMENT) {
        ds__write_elements(&buf, s.output);
    } else {
        size_t count = ds__write_doc(&buf, "count", 5, DS_DOCUMENT);
        ds__write_int32(&buf, "$sum", 1);
        ds__doc_end(&buf, count);
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && !ds__buf_to_value(p->env->arena, &buf, DS_DOCUMENT, &group)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    if (!ok || !ds__stage_add_buckets(p, group, buckets, err)) {
        return false;
    }
    root = ds__doc_begin(&buf);
    size_t sort = ds__write_doc(&buf, "$sort", 5, DS_DOCUMENT);
    ds__write_int32(&buf, "_id", 1);
    ds__doc_end(&buf, sort);
    ds__doc_end(&buf, root);
    return ds__stage_add_built(p, &buf, ds__stage_parse_sort, err);
}
