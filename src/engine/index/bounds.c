/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of values: their algebra, and what each kind of predicate makes of them. Comparisons keep
 * to the type of their operand, as in MongoDB's queries. */
#include "engine/index/bounds.h"

#include <math.h>

#include "bson/key.h"
#include "bson/number.h"

static ds_value min_key(void) {
    return (ds_value){.type = DS_MIN_KEY};
}
static ds_value max_key(void) {
    return (ds_value){.type = DS_MAX_KEY};
}

static bool make_cut(ds_arena *arena, ds_value v, bool after, ds__cut *out, ds_error *err) {
    ds_buf buf = {0};
    ds__key_add(&buf, v, false, NULL);
    uint8_t *key = buf.failed ? NULL : ds_arena_copy(arena, buf.data, buf.size);
    *out = (ds__cut){.value = v, .key = key, .size = (uint32_t)buf.size, .after = after};
    ds_buf_clear(&buf);
    return key != NULL || ds__error_oom(err);
}

static int compare_cuts(const ds__cut *a, const ds__cut *b) {
    uint32_t n = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->key, b->key, n);
    if (order != 0) {
        return order;
    }
    if (a->size != b->size) {
        return a->size < b->size ? -1 : 1;
    }
    return (int)a->after - (int)b->after;
}

static bool one_span(ds_arena *arena, ds__cut lo, ds__cut hi, ds__bounds *out, ds_error *err) {
    *out = (ds__bounds){0};
    if (compare_cuts(&lo, &hi) >= 0) {
        return true;
    }
    out->spans = ds_arena_alloc(arena, sizeof *out->spans);
    if (out->spans == NULL) {
        return ds__error_oom(err);
    }
    out->spans[0] = (ds__span){lo, hi};
    out->count = 1;
    return true;
}

bool ds__bounds_span(ds_arena *arena, const ds_value *lo, bool lo_after, const ds_value *hi,
                     bool hi_after, ds__bounds *out, ds_error *err) {
    ds__cut a, b;
    return make_cut(arena, lo ? *lo : min_key(), lo && lo_after, &a, err) &&
           make_cut(arena, hi ? *hi : max_key(), hi == NULL || hi_after, &b, err) &&
           one_span(arena, a, b, out, err);
}

bool ds__bounds_full(ds_arena *arena, ds__bounds *out, ds_error *err) {
    if (!ds__bounds_span(arena, NULL, false, NULL, true, out, err)) {
        return false;
    }
    out->full = true;
    out->matches_missing = true;
    return true;
}

static bool point(ds_arena *arena, ds_value v, ds__bounds *out, ds_error *err) {
    if (!ds__bounds_span(arena, &v, false, &v, true, out, err)) {
        return false;
    }
    out->tight = true;
    return true;
}

bool ds__bounds_points(const ds__bounds *b) {
    for (size_t i = 0; i < b->count; i++) {
        const ds__span *s = &b->spans[i];
        if (s->lo.after || !s->hi.after || s->lo.size != s->hi.size ||
            memcmp(s->lo.key, s->hi.key, s->lo.size) != 0) {
            return false;
        }
    }
    return !b->full;
}

bool ds__bounds_single(const ds__bounds *b) {
    return b->count == 1 && ds__bounds_points(b);
}

bool ds__bounds_union(ds_arena *arena, const ds__bounds *a, const ds__bounds *b, ds__bounds *out,
                      ds_error *err) {
    ds__bounds r = {.tight = a->tight && b->tight,
                    .full = a->full || b->full,
                    .matches_missing = a->matches_missing || b->matches_missing};
    r.spans = ds_arena_alloc(arena, (a->count + b->count + 1) * sizeof *r.spans);
    if (r.spans == NULL) {
        return ds__error_oom(err);
    }
    size_t i = 0;
    size_t j = 0;
    while (i < a->count || j < b->count) {
        const ds__span *next;
        if (j == b->count ||
            (i < a->count && compare_cuts(&a->spans[i].lo, &b->spans[j].lo) <= 0)) {
            next = &a->spans[i++];
        } else {
            next = &b->spans[j++];
        }
        ds__span *last = r.count ? &r.spans[r.count - 1] : NULL;
        if (last != NULL && compare_cuts(&next->lo, &last->hi) <= 0) {
            if (compare_cuts(&next->hi, &last->hi) > 0) {
                last->hi = next->hi;
            }
        } else {
            r.spans[r.count++] = *next;
        }
    }
    *out = r;
    return true;
}

bool ds__bounds_intersect(ds_arena *arena, const ds__bounds *a, const ds__bounds *b,
                          ds__bounds *out, ds_error *err) {
    ds__bounds r = {.tight = a->tight && b->tight,
                    .full = a->full && b->full,
                    .matches_missing = a->matches_missing && b->matches_missing};
    r.spans = ds_arena_alloc(arena, (a->count + b->count + 1) * sizeof *r.spans);
    if (r.spans == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        const ds__span *x = &a->spans[i];
        const ds__span *y = &b->spans[j];
        ds__span s = {compare_cuts(&x->lo, &y->lo) >= 0 ? x->lo : y->lo,
                      compare_cuts(&x->hi, &y->hi) <= 0 ? x->hi : y->hi};
        if (compare_cuts(&s.lo, &s.hi) < 0) {
            r.spans[r.count++] = s;
        }
        if (compare_cuts(&x->hi, &y->hi) <= 0) {
            i++;
        } else {
            j++;
        }
    }
    *out = r;
    return true;
}

static bool complement(ds_arena *arena, const ds__bounds *a, ds__bounds *out, ds_error *err) {
    ds__bounds all;
    if (!ds__bounds_full(arena, &all, err)) {
        return false;
    }
    ds__bounds r = {.matches_missing = true};
    r.spans = ds_arena_alloc(arena, (a->count + 1) * sizeof *r.spans);
    if (r.spans == NULL) {
        return ds__error_oom(err);
    }
    ds__cut at = all.spans[0].lo;
    for (size_t i = 0; i < a->count; i++) {
        if (compare_cuts(&at, &a->spans[i].lo) < 0) {
            r.spans[r.count++] = (ds__span){at, a->spans[i].lo};
        }
        at = a->spans[i].hi;
    }
    if (compare_cuts(&at, &all.spans[0].hi) < 0) {
        r.spans[r.count++] = (ds__span){at, all.spans[0].hi};
    }
    *out = r;
    return true;
}

static const uint8_t empty_doc[5] = {5};

/* The least and greatest values of a type's bracket: [lo, hi] or [lo, hi). False: none known. */
static bool bracket(uint8_t type, ds_value *lo, ds_value *hi, bool *hi_inclusive) {
    *hi_inclusive = true;
    switch (type) {
    case DS_INT32:
    case DS_INT64:
    case DS_DOUBLE:
    case DS_DECIMAL:
        *lo = ds__double(-INFINITY);
        *hi = ds__double(INFINITY);
        return true;
    case DS_STRING:
    case DS_SYMBOL:
        *lo = ds__string("", 0);
        *hi = ds__document(empty_doc);
        *hi_inclusive = false;
        return true;
    case DS_DOCUMENT:
        *lo = ds__document(empty_doc);
        *hi = ds__array(empty_doc);
        *hi_inclusive = false;
        return true;
    case DS_BINARY:
        *lo = (ds_value){.type = DS_BINARY, .as.bytes = empty_doc};
        *hi = (ds_value){.type = DS_OBJECT_ID};
        *hi_inclusive = false;
        return true;
    case DS_OBJECT_ID:
        *lo = (ds_value){.type = DS_OBJECT_ID};
        *hi = (ds_value){.type = DS_OBJECT_ID};
        memset(hi->as.oid, 0xff, 12);
        return true;
    case DS_BOOL:
        *lo = ds__bool(false);
        *hi = ds__bool(true);
        return true;
    case DS_DATE:
        *lo = ds__date(INT64_MIN);
        *hi = ds__date(INT64_MAX);
        return true;
    case DS_TIMESTAMP:
        *lo = (ds_value){.type = DS_TIMESTAMP, .as.u64 = 0};
        *hi = (ds_value){.type = DS_TIMESTAMP, .as.u64 = UINT64_MAX};
        return true;
    default:
        return false;
    }
}

/* null also stands for missing and undefined. */
static bool null_bounds(ds_arena *arena, ds__bounds *out, ds_error *err) {
    ds__bounds undefined, null;
    if (!point(arena, (ds_value){.type = DS_UNDEFINED}, &undefined, err) ||
        !point(arena, ds__null(), &null, err) ||
        !ds__bounds_union(arena, &undefined, &null, out, err)) {
        return false;
    }
    out->tight = false;
    out->matches_missing = true;
    return true;
}

/* An array equals a stored array as a whole, whose entries are its elements, or an element that is
 * such an array. */
static bool array_bounds(ds_arena *arena, ds_value v, ds__bounds *out, ds_error *err) {
    ds__bounds whole, element;
    ds_value first = ds__array_at(v, 0);
    if (first.type == DS_MISSING) {
        first.type = DS_UNDEFINED;
    }
    if (!point(arena, v, &whole, err) || !point(arena, first, &element, err) ||
        !ds__bounds_union(arena, &whole, &element, out, err)) {
        return false;
    }
    out->tight = false;
    return true;
}

static bool equal_bounds(ds_arena *arena, ds_value v, ds__bounds *out, ds_error *err) {
    if (v.type == DS_NULL) {
        return null_bounds(arena, out, err);
    }
    if (v.type == DS_ARRAY) {
        return array_bounds(arena, v, out, err);
    }
    if (v.type == DS_UNDEFINED || v.type == DS_MISSING) {
        return ds__bounds_full(arena, out, err);
    }
    return point(arena, v, out, err);
}

static bool range_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out, ds_error *err) {
    ds_value v = f->operand;
    ds_value lo, hi;
    bool hi_inclusive;
    bool less = f->op == DS_FILTER_LT || f->op == DS_FILTER_LTE;
    bool equal = f->op == DS_FILTER_LTE || f->op == DS_FILTER_GTE;
    if (v.type == DS_NULL && equal) {
        return null_bounds(arena, out, err);
    }
    if (ds__is_number(v) && ds__number_is_nan(v)) {
        if (equal) {
            return point(arena, v, out, err);
        }
        *out = (ds__bounds){.tight = true};
        return true;
    }
    if (!bracket(v.type, &lo, &hi, &hi_inclusive)) {
        return ds__bounds_full(arena, out, err);
    }
    bool ok = less ? ds__bounds_span(arena, &lo, false, &v, equal, out, err)
                   : ds__bounds_span(arena, &v, !equal, &hi, hi_inclusive, out, err);
    /* Documents compare field by field in ways a bracket does not show: the filter decides. */
    out->tight = v.type != DS_DOCUMENT;
    return ok;
}

static bool in_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out, ds_error *err) {
    ds__bounds all = {.tight = f->regex_count == 0};
    all.spans = NULL;
    if (f->regex_count > 0) {
        return ds__bounds_full(arena, out, err);
    }
    all.spans = ds_arena_alloc(arena, (2 * f->value_count + 1) * sizeof *all.spans);
    if (all.spans == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < f->value_count; i++) {
        ds__bounds one, both;
        if (!equal_bounds(arena, f->values[i], &one, err)) {
            return false;
        }
        /* Values come sorted: mostly the new span just follows. */
        if (one.count == 1 && !one.full &&
            (all.count == 0 || compare_cuts(&all.spans[all.count - 1].hi, &one.spans[0].lo) < 0)) {
            all.spans[all.count++] = one.spans[0];
            all.tight = all.tight && one.tight;
            all.matches_missing = all.matches_missing || one.matches_missing;
            continue;
        }
        if (!ds__bounds_union(arena, &all, &one, &both, err)) {
            return false;
        }
        ds__span *room = ds_arena_alloc(arena, (2 * f->value_count + 1) * sizeof *room);
        if (room == NULL) {
            return ds__error_oom(err);
        }
        memcpy(room, both.spans, both.count * sizeof *room);
        all = both;
        all.spans = room;
    }
    *out = all;
    return true;
}

/* Strings from the prefix on, and regexes, which match the same regex stored as a value. */
static bool regex_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out, ds_error *err) {
    ds__bounds text, regex;
    ds_value lo, hi;
    bool inclusive;
    bracket(DS_STRING, &lo, &hi, &inclusive);
    if (f->regex_prefix != NULL && f->regex_prefix_size > 0) {
        lo = ds__string(f->regex_prefix, f->regex_prefix_size);
        char *end = ds_arena_strndup(arena, f->regex_prefix, f->regex_prefix_size);
        if (end == NULL) {
            return ds__error_oom(err);
        }
        size_t n = f->regex_prefix_size;
        while (n > 0 && (uint8_t)end[n - 1] == 0xff) {
            n--;
        }
        if (n > 0) {
            end[n - 1] = (char)(uint8_t)((uint8_t)end[n - 1] + 1);
            hi = ds__string(end, n);
        }
    }
    if (!ds__bounds_span(arena, &lo, false, &hi, false, &text, err)) {
        return false;
    }
    if (f->operand.type == DS_REGEX) {
        if (!point(arena, f->operand, &regex, err) ||
            !ds__bounds_union(arena, &text, &regex, out, err)) {
            return false;
        }
    } else {
        static const uint8_t none[2] = {0, 0};
        ds_value least = {.type = DS_REGEX, .size = 2, .as.bytes = none};
        ds_value above = {.type = DS_DB_POINTER, .as.bytes = none};
        if (!ds__bounds_span(arena, &least, false, &above, false, &regex, err) ||
            !ds__bounds_union(arena, &text, &regex, out, err)) {
            return false;
        }
    }
    out->tight = false;
    return true;
}

/* $type: the argument as written. Anything but plain scalar types is left to the filter. */
static bool type_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out, ds_error *err) {
    ds_value v = f->operand;
    ds_value lo, hi;
    bool inclusive;
    int64_t number;
    uint8_t type = DS_MISSING;
    if (v.type == DS_STRING) {
        type = ds__is_string(v, "number") ? DS_DOUBLE : ds__type_from_name(ds__text(v), v.size);
    } else if (ds__value_exact_int64(v, &number) && number > 0 && number < 20) {
        type = (uint8_t)number;
    }
    if (type == DS_MISSING || type == DS_ARRAY || !bracket(type, &lo, &hi, &inclusive)) {
        if (!ds__bounds_full(arena, out, err)) {
            return false;
        }
        out->matches_missing = false;
        return true;
    }
    if (type == DS_DOUBLE || type == DS_INT32 || type == DS_INT64 || type == DS_DECIMAL) {
        lo = ds__double(NAN);
    }
    bool ok = ds__bounds_span(arena, &lo, false, &hi, inclusive, out, err);
    out->tight = false;
    return ok;
}

static bool not_bounds(ds_arena *arena, const ds__filter *f, bool multikey, ds__bounds *out,
                       ds_error *err) {
    const ds__filter *child = f->children[0];
    ds__bounds inside;
    switch (child->op) {
    case DS_FILTER_EQ:
    case DS_FILTER_IN:
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        if (!ds__bounds_of(arena, child, multikey, &inside, err)) {
            return false;
        }
        if (inside.tight && !inside.full) {
            return complement(arena, &inside, out, err);
        }
        break;
    default:
        break;
    }
    return ds__bounds_full(arena, out, err);
}

static bool exists_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out, ds_error *err) {
    if (!f->flag) {
        return null_bounds(arena, out, err);
    }
    if (!ds__bounds_full(arena, out, err)) {
        return false;
    }
    out->matches_missing = false;
    return true;
}

/* All children hold of one element, so their spans may be intersected. */
static bool elem_value_bounds(ds_arena *arena, const ds__filter *f, ds__bounds *out,
                              ds_error *err) {
    if (!ds__bounds_full(arena, out, err)) {
        return false;
    }
    for (size_t i = 0; i < f->child_count; i++) {
        const ds__filter *child = f->children[i];
        ds__bounds one, both;
        bool plain = child->op == DS_FILTER_EQ || child->op == DS_FILTER_LT ||
                     child->op == DS_FILTER_LTE || child->op == DS_FILTER_GT ||
                     child->op == DS_FILTER_GTE || child->op == DS_FILTER_IN;
        if (!plain) {
            continue;
        }
        if (!ds__bounds_of(arena, child, true, &one, err)) {
            return false;
        }
        if (one.full || !one.tight) {
            continue;
        }
        if (!ds__bounds_intersect(arena, out, &one, &both, err)) {
            return false;
        }
        *out = both;
    }
    out->tight = false;
    out->matches_missing = false;
    return true;
}

bool ds__bounds_of(ds_arena *arena, const ds__filter *leaf, bool multikey, ds__bounds *out,
                   ds_error *err) {
    switch (leaf->op) {
    case DS_FILTER_EQ:
        return equal_bounds(arena, leaf->operand, out, err);
    case DS_FILTER_LT:
    case DS_FILTER_LTE:
    case DS_FILTER_GT:
    case DS_FILTER_GTE:
        return range_bounds(arena, leaf, out, err);
    case DS_FILTER_IN:
        return in_bounds(arena, leaf, out, err);
    case DS_FILTER_REGEX:
        return regex_bounds(arena, leaf, out, err);
    case DS_FILTER_TYPE:
        return type_bounds(arena, leaf, out, err);
    case DS_FILTER_EXISTS:
        return exists_bounds(arena, leaf, out, err);
    case DS_FILTER_NOT:
        return not_bounds(arena, leaf, multikey, out, err);
    case DS_FILTER_ELEM_MATCH_VALUE:
        return elem_value_bounds(arena, leaf, out, err);
    case DS_FILTER_MOD: {
        ds_value lo = ds__double(NAN);
        ds_value hi = ds__double(INFINITY);
        return ds__bounds_span(arena, &lo, false, &hi, true, out, err);
    }
    case DS_FILTER_SIZE:
    case DS_FILTER_BITS:
    case DS_FILTER_ALL:
    case DS_FILTER_AND:
    case DS_FILTER_OR:
    case DS_FILTER_NOR:
    case DS_FILTER_ELEM_MATCH_OBJECT:
    case DS_FILTER_EXPR:
    case DS_FILTER_JSON_SCHEMA:
    case DS_FILTER_TRUE:
    case DS_FILTER_FALSE:
    case DS_FILTER_OTHER:
        break;
    }
    return ds__bounds_full(arena, out, err);
}
