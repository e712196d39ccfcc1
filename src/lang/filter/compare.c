/* SPDX-License-Identifier: Apache-2.0 */
/* $eq $ne $gt $gte $lt $lte $in $nin: comparisons hold within one type of the canonical order, with
 * null standing for missing too, and MinKey and MaxKey comparing with every type. */
#include <math.h>

#include "lang/filter/internal.h"

bool ds__filter_make_compare(ds__filter_parser *p, ds__filter_op op, const ds__path *path,
                             ds_value operand, ds__filter **out, ds_error *err) {
    if (operand.type == DS_UNDEFINED) {
        return ds__error_set(err, DS_BAD_VALUE, "cannot compare to undefined");
    }
    if (operand.type == DS_REGEX && op != DS_FILTER_EQ) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Can't have RegEx as arg to predicate over field '%.*s'.",
                             DS_MAX_QUOTED, path->text ? path->text : "");
    }
    ds__filter *f = ds__filter_new(p, op, path, err);
    if (f == NULL) {
        return false;
    }
    f->operand = operand;
    f->operand_rank = ds__type_rank(operand.type);
    if (operand.type == DS_INT32 || operand.type == DS_INT64 || operand.type == DS_DOUBLE) {
        double x = ds__number_to_double(operand);
        f->number = x;
        f->number_exact = fabs(x) <= 9007199254740991.0;
    }
    *out = f;
    return true;
}

DS_FILTER_FIELD(ds__filter_parse_compare) {
    return ds__filter_make_compare(p, op->op, arg->path, arg->value, out, err);
}

DS_FILTER_FIELD(ds__filter_parse_ne) {
    if (arg->value.type == DS_REGEX) {
        return ds__error_set(err, DS_BAD_VALUE, "Can't have regex as arg to $ne.");
    }
    ds__filter *eq = NULL;
    return ds__filter_make_compare(p, DS_FILTER_EQ, arg->path, arg->value, &eq, err) &&
           ds__filter_negate(p, eq, out, err);
}

static bool compare_across(const ds__filter *f, ds_value v) {
    switch (f->operand.type) {
    case DS_NULL:
        return (v.type == DS_MISSING || v.type == DS_UNDEFINED) &&
               (f->op == DS_FILTER_EQ || f->op == DS_FILTER_LTE || f->op == DS_FILTER_GTE);
    case DS_MIN_KEY:
        return f->op == DS_FILTER_GT || f->op == DS_FILTER_GTE;
    case DS_MAX_KEY:
        return f->op == DS_FILTER_LT || f->op == DS_FILTER_LTE;
    default:
        return false;
    }
}

bool ds__filter_test_compare(const ds__filter *f, ds_value v) {
    if (ds__type_rank(v.type) != f->operand_rank) {
        return compare_across(f, v);
    }
    if (ds__is_number(v) && (ds__number_is_nan(v) || ds__number_is_nan(f->operand))) {
        return ds__number_is_nan(v) && ds__number_is_nan(f->operand) &&
               (f->op == DS_FILTER_EQ || f->op == DS_FILTER_LTE || f->op == DS_FILTER_GTE);
    }
    int c = ds__value_compare(v, f->operand, f->collator);
    switch (f->op) {
    case DS_FILTER_EQ:
        return c == 0;
    case DS_FILTER_LT:
        return c < 0;
    case DS_FILTER_LTE:
        return c <= 0;
    case DS_FILTER_GT:
        return c > 0;
    default:
        return c >= 0;
    }
}

/* Merge sort with n/2 values of spare room. */
static void sort_values(ds_value *v, size_t n, ds_value *spare, const ds__collator *collator) {
    if (n < 2) {
        return;
    }
    size_t half = n / 2;
    sort_values(v, half, spare, collator);
    sort_values(v + half, n - half, spare, collator);
    memcpy(spare, v, half * sizeof *v);
    size_t i = 0, j = half, k = 0;
    while (i < half && j < n) {
        v[k++] = ds__value_compare(spare[i], v[j], collator) <= 0 ? spare[i++] : v[j++];
    }
    while (i < half) {
        v[k++] = spare[i++];
    }
}

static bool add_regex(ds__filter_parser *p, ds__filter *f, ds_value regex, ds_error *err) {
    ds__filter_in *in = f->detail;
    in->regexes[f->regex_count] = regex;
    return ds__regex_compile_value(p->env->arena, regex, &in->compiled[f->regex_count++], err);
}

static bool fill_in(ds__filter_parser *p, ds__filter *f, ds_value list, ds_error *err) {
    ds__filter_in *in = f->detail;
    ds__iter it;
    ds__iter_init(&it, list);
    while (ds__iter_next(&it)) {
        if (ds__filter_is_operators(it.value, false)) {
            return ds__error_set(err, DS_BAD_VALUE, "cannot nest $ under $in");
        }
        if (it.value.type == DS_UNDEFINED) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "InMatchExpression equality cannot be undefined");
        }
        if (it.value.type == DS_REGEX) {
            if (!add_regex(p, f, it.value, err)) {
                return false;
            }
            continue;
        }
        in->has_null = in->has_null || it.value.type == DS_NULL;
        f->values[f->value_count++] = it.value;
    }
    return true;
}

static bool same_path(const ds__path *a, const ds__path *b) {
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

/* An IN node with room for n values and regexes; `*spare` is room for sorting. */
static ds__filter *new_in(ds__filter_parser *p, const ds__path *path, size_t n, ds_value **spare,
                          ds_error *err) {
    ds_arena *arena = p->env->arena;
    ds__filter *f = ds__filter_new(p, DS_FILTER_IN, path, err);
    ds__filter_in *in = ds_arena_zalloc(arena, sizeof *in);
    *spare = ds_arena_alloc(arena, (n + 1) * sizeof **spare);
    if (f == NULL || in == NULL || *spare == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    f->values = ds_arena_alloc(arena, (n + 1) * sizeof *f->values);
    in->regexes = ds_arena_alloc(arena, (n + 1) * sizeof *in->regexes);
    in->compiled = ds_arena_zalloc(arena, (n + 1) * sizeof(ds__regex *));
    if (f->values == NULL || in->regexes == NULL || in->compiled == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    f->detail = in;
    return f;
}

/* Puts the values in order and drops repeated ones. */
static void settle_in(ds__filter *f, ds_value *spare) {
    size_t kept = 0;
    sort_values(f->values, f->value_count, spare, f->collator);
    for (size_t i = 0; i < f->value_count; i++) {
        if (kept == 0 || !ds__value_equal(f->values[kept - 1], f->values[i], f->collator)) {
            f->values[kept++] = f->values[i];
        }
    }
    f->value_count = kept;
}

static bool make_in(ds__filter_parser *p, const ds__filter_arg *arg, ds__filter **out,
                    ds_error *err) {
    ds_value *spare;
    if (arg->value.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "%s needs an array", arg->name);
    }
    ds__filter *f = new_in(p, arg->path, ds__doc_count(arg->value), &spare, err);
    if (f == NULL) {
        return false;
    }
    f->operand = arg->value;
    if (!fill_in(p, f, arg->value, err)) {
        return false;
    }
    settle_in(f, spare);
    *out = f;
    return true;
}

ds__filter *ds__filter_or_to_in(ds__filter_parser *p, ds__filter * or) {
    ds_value *spare;
    ds_error ignored;
    for (size_t i = 0; i < or->child_count; i++) {
        const ds__filter *c = or->children[i];
        if (c->op != DS_FILTER_EQ || c->operand.type == DS_REGEX ||
            !same_path(&c->path, & or->children[0]->path)) {
            return or ;
        }
    }
    ds__filter *f = new_in(p, & or->children[0]->path, or->child_count, &spare, &ignored);
    if (f == NULL) {
        return or ;
    }
    ds__filter_in *in = f->detail;
    for (size_t i = 0; i < or->child_count; i++) {
        f->values[f->value_count++] = or->children[i]->operand;
        in->has_null = in->has_null || or->children[i]->operand.type == DS_NULL;
    }
    settle_in(f, spare);
    return f;
}

DS_FILTER_FIELD(ds__filter_parse_in) {
    return make_in(p, arg, out, err);
}

DS_FILTER_FIELD(ds__filter_parse_nin) {
    ds__filter *in = NULL;
    return make_in(p, arg, &in, err) && ds__filter_negate(p, in, out, err);
}

bool ds__filter_test_in(const ds__filter *f, ds_value v, ds__match *m) {
    const ds__filter_in *in = f->detail;
    if (v.type == DS_MISSING || v.type == DS_UNDEFINED || v.type == DS_NULL) {
        return in->has_null;
    }
    size_t low = 0, high = f->value_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = ds__value_compare(f->values[mid], v, f->collator);
        if (c == 0) {
            return true;
        }
        if (c < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (size_t i = 0; i < f->regex_count && !m->failed; i++) {
        if (ds__filter_test_regex(in->regexes[i], in->compiled[i], v, m)) {
            return true;
        }
    }
    return false;
}
