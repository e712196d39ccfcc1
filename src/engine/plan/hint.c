/* SPDX-License-Identifier: Apache-2.0 */
/* The plan a client asks for by name, and bounds it gives itself. */
#include "bson/key.h"
#include "engine/plan/candidate.h"

static bool bad_hint(ds_error *err) {
    return ds__error_set(err, DS_BAD_VALUE,
                         "error processing query: planner returned error :: caused by :: hint "
                         "provided does not correspond to an existing index");
}

static bool natural(ds_value hint, bool *backward) {
    ds_value v;
    if (hint.type != DS_DOCUMENT || !ds__doc_get(hint, "$natural", 8, &v)) {
        return false;
    }
    int64_t n = 1;
    ds__value_exact_int64(v, &n);
    *backward = n < 0;
    return true;
}

static const ds__index *find_hint(const ds__coll *coll, ds_value hint) {
    if (hint.type == DS_STRING) {
        return ds__coll_find_index(coll, ds__text(hint), hint.size);
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (ds__value_equal(coll->indexes[i].key_pattern, hint, NULL)) {
            return &coll->indexes[i];
        }
    }
    return NULL;
}

static bool bad_bounds(ds_error *err, int code, const char *why) {
    return ds__error_set(err, code,
                         "error processing query: planner returned error :: caused by :: %s", why);
}

/* min and max: one span of whole keys, max excluded. */
static bool min_max_plan(ds__chooser *c, const ds__candidate *k, ds__plan *plan) {
    ds__interval *iv = ds_arena_zalloc(c->arena, sizeof *iv);
    if (iv == NULL) {
        return ds__error_oom(c->err);
    }
    for (int upper = 0; upper < 2; upper++) {
        ds_value spec = upper ? c->query->max : c->query->min;
        if (spec.type != DS_DOCUMENT) {
            continue;
        }
        ds_buf buf = {0};
        ds__iter it;
        ds__iter_init(&it, spec);
        for (size_t i = 0; i < k->index->part_count; i++) {
            const ds__index_part *part = &k->index->parts[i];
            if (!ds__iter_next(&it) || strcmp(it.key, part->path.text) != 0) {
                ds_buf_clear(&buf);
                return bad_bounds(c->err, 51174, "The index chosen is not compatible with min/max");
            }
            ds__key_add(&buf, it.value, part->descending, NULL);
        }
        uint8_t *bytes = buf.failed ? NULL : ds_arena_copy(c->arena, buf.data, buf.size);
        size_t size = buf.size;
        ds_buf_clear(&buf);
        if (bytes == NULL) {
            return ds__error_oom(c->err);
        }
        if (upper) {
            iv->hi = bytes;
            iv->hi_size = size;
        } else {
            iv->lo = bytes;
            iv->lo_size = size;
            iv->lo_inclusive = true;
        }
    }
    if (iv->lo != NULL && iv->hi != NULL) {
        size_t n = iv->lo_size < iv->hi_size ? iv->lo_size : iv->hi_size;
        int order = memcmp(iv->lo, iv->hi, n);
        if (order > 0 || (order == 0 && iv->lo_size >= iv->hi_size)) {
            return bad_bounds(c->err, 51175,
                              "The value provided for min() does not come before the value "
                              "provided for max() in the hinted index");
        }
    }
    plan->intervals = iv;
    plan->interval_count = 1;
    plan->residual = c->query->filter;
    return true;
}

static bool bounded_plan(ds__chooser *c, ds__candidate *k, ds__plan **out) {
    for (size_t i = 0; i < k->index->part_count; i++) {
        if (!ds__bounds_full(c->arena, &k->parts[i], c->err)) {
            return false;
        }
    }
    ds__plan_score(k, c->query);
    return ds__plan_index(c, k, out) && min_max_plan(c, k, *out);
}

bool ds__plan_hinted(ds__chooser *c, ds__plan **out) {
    const ds__query *q = c->query;
    size_t parts, count;
    bool backward;
    bool bounded = q->min.type == DS_DOCUMENT || q->max.type == DS_DOCUMENT;
    if (natural(q->hint, &backward)) {
        if (bounded) {
            return bad_bounds(c->err, DS_NO_QUERY_EXECUTION_PLANS,
                              "min and max are incompatible with $natural");
        }
        *out = ds__plan_new(c, DS_PLAN_TABLE);
        if (*out != NULL) {
            (*out)->backward = backward;
        }
        return *out != NULL;
    }
    const ds__index *index = find_hint(q->coll, q->hint);
    if (index == NULL || index->hidden) {
        return bad_hint(c->err);
    }
    ds__candidate k;
    bool usable;
    if (!ds__plan_consider(c, index, true, &k, &usable)) {
        return false;
    }
    if (bounded) {
        return bounded_plan(c, &k, out);
    }
    return ds__plan_explodes(&k, q, &parts, &count) ? ds__plan_explode(c, &k, out)
                                                    : ds__plan_index(c, &k, out);
}
