/* SPDX-License-Identifier: Apache-2.0 */
/* Computes window functions: each expression once a row, then a pass over the rows' windows. */
#include <math.h>

#include "base/mem.h"
#include "bson/decimal.h"
#include "lang/expr/sum.h"
#include "lang/pipeline/window.h"

typedef struct computer {
    const ds__window_function *f;
    const ds__window_rows *rows;
    ds__stage *stage;
    ds_arena *arena;
    ds_value *values; /* the input of each row */
    ds_value *second;
    ds_value *results;
} computer;

static bool evaluate(computer *c, ds__expr *expr, ds_value **out, ds_error *err) {
    ds_arena *scratch = c->stage->eval->scratch;
    *out = ds_arena_alloc(c->arena, (c->rows->count + 1) * sizeof **out);
    if (!*out) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < c->rows->count; i++) {
        ds_arena_mark mark = ds_arena_save(scratch);
        ds_value v = ds__missing();
        if (c->rows->meta) {
            ds__stage_unpack_meta(c->stage, c->rows->meta[i]);
        }
        bool ok = ds__stage_eval(c->stage, expr, c->rows->docs[i], &v, err);
        if (ok && !ds__value_copy(c->arena, v, &(*out)[i])) {
            ok = ds__error_oom(err);
        }
        ds_arena_restore(scratch, mark);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* The value a row's key is compared with for a range bound. */
static bool range_limit(computer *c, const ds__bound *b, size_t row, ds_value *out, ds_error *err) {
    ds_value key = c->rows->keys[row];
    if (!c->f->has_unit) {
        if (!ds__is_number(key)) {
            return ds__error_set(err, 5429414,
                                 "Invalid range: Expected the sortBy field to be a number, but it "
                                 "was %s",
                                 ds__type_name(key.type));
        }
        *out = ds__number_add(key, b->offset);
        return true;
    }
    if (key.type != DS_DATE) {
        return ds__error_set(err, 5429513,
                             "Invalid range: Expected the sortBy field to be a Date, but it was %s",
                             ds__type_name(key.type));
    }
    c->stage->eval->slots[c->f->date_slot] = key;
    return ds__expr_eval(b->date, c->stage->eval, out, err);
}

/* The rows of a row's window: [*lo, *hi). Both only ever grow from row to row. */
static bool find_window(computer *c, size_t row, size_t *lo, size_t *hi, ds_error *err) {
    const ds__window_function *f = c->f;
    size_t n = c->rows->count;
    if (!f->range) {
        int64_t at = (int64_t)row;
        int64_t from = f->lower.kind == DS_BOUND_UNBOUNDED ? 0 : at + f->lower.rows;
        int64_t to = f->upper.kind == DS_BOUND_UNBOUNDED ? (int64_t)n : at + f->upper.rows + 1;
        from = from < 0 ? 0 : from > (int64_t)n ? (int64_t)n : from;
        to = to < from ? from : to > (int64_t)n ? (int64_t)n : to;
        *lo = (size_t)from;
        *hi = (size_t)to;
        return true;
    }
    ds_value limit;
    if (f->lower.kind != DS_BOUND_UNBOUNDED) {
        if (!range_limit(c, &f->lower, row, &limit, err)) {
            return false;
        }
        while (*lo < n && ds__value_compare(c->rows->keys[*lo], limit, NULL) < 0) {
            ++*lo;
        }
    }
    if (f->upper.kind == DS_BOUND_UNBOUNDED) {
        *hi = n;
    } else {
        if (!range_limit(c, &f->upper, row, &limit, err)) {
            return false;
        }
        *hi = *hi < *lo ? *lo : *hi;
        while (*hi < n && ds__value_compare(c->rows->keys[*hi], limit, NULL) <= 0) {
            ++*hi;
        }
    }
    return true;
}

static bool start_state(computer *c, void *state, ds_error *err) {
    const ds__accumulator *acc = &c->f->acc;
    if (acc->def->clear) {
        acc->def->clear(acc, state);
    }
    memset(state, 0, acc->def->state_size);
    return !acc->def->init || acc->def->init(acc, state, c->stage->eval, ds__null(), err);
}

static bool add_row(computer *c, void *state, size_t row, ds_error *err) {
    size_t bytes = 0;
    c->stage->eval->slots[DS_VAR_ROOT] = c->rows->docs[row];
    return c->f->acc.def->add(&c->f->acc, state, c->values ? c->values[row] : ds__missing(),
                              c->stage->eval, &bytes, err);
}

/* mongod takes rows out of a window whose lower bound moves, and its sums and deviations then end
 * in the narrowest integer. */
static ds_value as_removable(const computer *c, ds_value v, size_t lo, size_t hi) {
    if (c->f->lower.kind == DS_BOUND_UNBOUNDED) {
        return v;
    }
    if (v.type == DS_INT64 && strcmp(c->f->name, "$sum") == 0 && v.as.i64 >= INT32_MIN &&
        v.as.i64 <= INT32_MAX) {
        return ds__int32((int32_t)v.as.i64);
    }
    if (v.type == DS_DOUBLE && strcmp(c->f->name, "$stdDevPop") == 0) {
        size_t numbers = 0;
        for (size_t i = lo; i < hi && numbers < 2; i++) {
            numbers += ds__is_number(c->values[i]);
        }
        return numbers == 1 ? ds__int32(0) : v;
    }
    return v;
}

static bool accumulate_rows(computer *c, void *state, ds_error *err) {
    const ds__accumulator *acc = &c->f->acc;
    size_t lo = 0, hi = 0, from = 0, done = 0;
    if (!start_state(c, state, err)) {
        return false;
    }
    for (size_t row = 0; row < c->rows->count; row++) {
        size_t old_hi = hi;
        if (!ds__stage_tick(c->stage, err) || !find_window(c, row, &lo, &hi, err)) {
            return false;
        }
        bool same = row > 0 && lo == from && hi == old_hi;
        if (same) {
            c->results[row] = c->results[row - 1];
            continue;
        }
        if (lo != from || hi < done) { /* rows have left the window */
            if (!start_state(c, state, err)) {
                return false;
            }
            from = done = lo;
        }
        for (; done < hi; done++) {
            if (!add_row(c, state, done, err)) {
                return false;
            }
        }
        ds_value v = ds__missing();
        if (!acc->def->result(acc, state, c->arena, &v, err)) {
            return false;
        }
        if (!ds__value_copy(c->arena, as_removable(c, v, lo, hi), &c->results[row])) {
            return ds__error_oom(err);
        }
    }
    return true;
}

static bool accumulate(computer *c, ds_error *err) {
    const ds__accumulator *acc = &c->f->acc;
    if (acc->expr && !evaluate(c, acc->expr, &c->values, err)) {
        return false;
    }
    void *state = ds__alloc(acc->def->state_size);
    if (!state) {
        return ds__error_oom(err);
    }
    bool ok = accumulate_rows(c, state, err);
    if (acc->def->clear) {
        acc->def->clear(acc, state);
    }
    ds__free(state);
    return ok;
}

static bool first_last(computer *c, ds_error *err) {
    size_t lo = 0, hi = 0;
    for (size_t row = 0; row < c->rows->count; row++) {
        if (!find_window(c, row, &lo, &hi, err)) {
            return false;
        }
        c->results[row] = lo >= hi                        ? ds__null()
                          : c->f->kind == DS_WINDOW_FIRST ? c->values[lo]
                                                          : c->values[hi - 1];
    }
    return true;
}

static bool covariance(computer *c, ds_error *err) {
    size_t lo = 0, hi = 0;
    for (size_t row = 0; row < c->rows->count; row++) {
        double n = 0, mean_x = 0, mean_y = 0, co = 0;
        bool decimal = false;
        if (!ds__stage_tick(c->stage, err) || !find_window(c, row, &lo, &hi, err)) {
            return false;
        }
        for (size_t i = lo; i < hi; i++) {
            if (!ds__is_number(c->values[i]) || !ds__is_number(c->second[i])) {
                continue;
            }
            decimal = decimal || c->values[i].type == DS_DECIMAL || c->second[i].type == DS_DECIMAL;
            double x = ds__number_to_double(c->values[i]);
            double y = ds__number_to_double(c->second[i]);
            n += 1;
            double dx = x - mean_x;
            mean_x += dx / n;
            mean_y += (y - mean_y) / n;
            co += dx * (y - mean_y);
        }
        double by = c->f->sample ? n - 1 : n;
        ds_value v = by <= 0 ? ds__null() : ds__double(co / by);
        if (decimal && by > 0) {
            v = ds__decimal(ds__dec_from_double(co / by));
        }
        c->results[row] = v;
    }
    return true;
}

/* The sort key as a number for slopes: numbers as they are, dates in the unit's milliseconds. */
static bool slope_key(computer *c, size_t row, ds_value *out, ds_error *err) {
    ds_value key = c->rows->keys[row];
    bool derivative = c->f->kind == DS_WINDOW_DERIVATIVE;
    if (c->f->unit_ms > 0) {
        if (key.type != DS_DATE) {
            return ds__error_set(err, derivative ? 5624900 : 5423901,
                                 "%s with 'unit' expects the sortBy field to be a Date",
                                 c->f->name);
        }
        *out = ds__int64(key.as.i64);
        return true;
    }
    if (key.type == DS_DATE) {
        return ds__error_set(err, derivative ? 5624901 : 5423902,
                             "%s where the sortBy is a Date requires an 'unit'", c->f->name);
    }
    if (!ds__is_number(key)) {
        return ds__error_set(err, derivative ? 5624902 : 5423900,
                             "%s (with no 'unit') expects the sortBy field to be numeric",
                             c->f->name);
    }
    *out = key;
    return true;
}

/* a / b as $divide gives it. */
static ds_value divide(ds_value a, ds_value b) {
    if (a.type == DS_DECIMAL || b.type == DS_DECIMAL) {
        return ds__decimal(ds__dec_divide(ds__number_to_decimal(a), ds__number_to_decimal(b)));
    }
    return ds__double(ds__number_to_double(a) / ds__number_to_double(b));
}

static ds_value in_units(const computer *c, ds_value dx) {
    return c->f->unit_ms > 0 ? ds__double(ds__number_to_double(dx) / c->f->unit_ms) : dx;
}

static bool derivative(computer *c, ds_error *err) {
    size_t lo = 0, hi = 0;
    for (size_t row = 0; row < c->rows->count; row++) {
        ds_value x1, x2;
        if (!find_window(c, row, &lo, &hi, err)) {
            return false;
        }
        c->results[row] = ds__null();
        if (hi < lo + 2) {
            continue;
        }
        ds_value y1 = c->values[lo], y2 = c->values[hi - 1];
        if (!slope_key(c, lo, &x1, err) || !slope_key(c, hi - 1, &x2, err)) {
            return false;
        }
        if (ds__is_nullish(y1) || ds__is_nullish(y2)) {
            continue;
        }
        if (!ds__is_number(y1) || !ds__is_number(y2)) {
            return ds__error_set(err, DS_TYPE_MISMATCH, "can't $subtract %s from %s",
                                 ds__type_name(y1.type), ds__type_name(y2.type));
        }
        ds_value dx = in_units(c, ds__number_subtract(x2, x1));
        if (ds__number_to_double(dx) != 0) {
            c->results[row] = divide(ds__number_subtract(y2, y1), dx);
        }
    }
    return true;
}

static bool integral(computer *c, ds_error *err) {
    size_t lo = 0, hi = 0;
    for (size_t row = 0; row < c->rows->count; row++) {
        ds__sum sum = {0};
        if (!ds__stage_tick(c->stage, err) || !find_window(c, row, &lo, &hi, err)) {
            return false;
        }
        for (size_t i = lo; i < hi; i++) {
            ds_value x1, x2;
            if (!ds__is_number(c->values[i])) {
                return ds__error_set(
                    err, 5423900,
                    "The input value of $integral window function must be numeric, "
                    "found %s",
                    ds__type_name(c->values[i].type));
            }
            if (!slope_key(c, i, &x2, err)) {
                return false;
            }
            if (i == lo) {
                continue;
            }
            if (!slope_key(c, i - 1, &x1, err)) {
                return false;
            }
            ds_value dx = in_units(c, ds__number_subtract(x2, x1));
            ds_value twice =
                ds__number_multiply(dx, ds__number_add(c->values[i - 1], c->values[i]));
            ds__sum_add(&sum, divide(twice, ds__int32(2)));
        }
        c->results[row] = hi > lo ? ds__sum_value(&sum) : ds__null();
    }
    return true;
}

static bool exp_average(computer *c, ds_error *err) {
    ds_value current = ds__null();
    double alpha = ds__number_to_double(c->f->alpha);
    for (size_t row = 0; row < c->rows->count; row++) {
        ds_value v = c->values[row];
        if (!ds__is_number(v)) {
            c->results[row] = current;
            continue;
        }
        bool decimal =
            v.type == DS_DECIMAL || current.type == DS_DECIMAL || c->f->alpha.type == DS_DECIMAL;
        if (current.type == DS_NULL) {
            current = v.type == DS_DECIMAL ? v : ds__double(ds__number_to_double(v));
        } else if (decimal) {
            ds_decimal a = ds__number_to_decimal(c->f->alpha);
            ds_decimal rest = ds__dec_subtract(ds__dec_from_int64(1), a);
            current =
                ds__decimal(ds__dec_add(ds__dec_multiply(ds__number_to_decimal(v), a),
                                        ds__dec_multiply(ds__number_to_decimal(current), rest)));
        } else {
            current = ds__double(ds__number_to_double(v) * alpha + current.as.f64 * (1 - alpha));
        }
        c->results[row] = current;
    }
    return true;
}

static bool rank(computer *c, ds_error *err) {
    int64_t rank_now = 0, dense = 0;
    const ds__collator *collator = c->stage->env->collator;
    for (size_t row = 0; row < c->rows->count; row++) {
        bool tie = row > 0 && ds__value_equal(c->rows->keys[row], c->rows->keys[row - 1], collator);
        if (!tie) {
            rank_now = (int64_t)row + 1;
            dense++;
        }
        int64_t n = c->f->kind == DS_WINDOW_NUMBER       ? (int64_t)row + 1
                    : c->f->kind == DS_WINDOW_DENSE_RANK ? dense
                                                         : rank_now;
        c->results[row] = n <= INT32_MAX ? ds__int32((int32_t)n) : ds__int64(n);
    }
    return true;
}

static bool shift(computer *c, ds_error *err) {
    for (size_t row = 0; row < c->rows->count; row++) {
        int64_t at;
        bool inside = !__builtin_add_overflow((int64_t)row, c->f->by, &at) && at >= 0 &&
                      at < (int64_t)c->rows->count;
        c->results[row] = inside ? c->values[at] : c->f->fallback;
    }
    return true;
}

static bool carry_forward(computer *c, ds_error *err) {
    ds_value last = ds__null();
    for (size_t row = 0; row < c->rows->count; row++) {
        last = ds__is_nullish(c->values[row]) ? last : c->values[row];
        c->results[row] = last;
    }
    return true;
}

static bool linear_key(computer *c, size_t row, ds_value *out, ds_error *err) {
    ds_value key = c->rows->keys[row];
    if (key.type == DS_DATE) {
        *out = ds__int64(key.as.i64);
    } else if (ds__is_number(key)) {
        *out = key;
    } else {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "The sortBy field of $linearFill must be numeric or a date, found %s",
                             ds__type_name(key.type));
    }
    return true;
}

static bool linear(computer *c, ds_error *err) {
    size_t left = SIZE_MAX;
    for (size_t row = 0; row < c->rows->count; row++) {
        ds_value v = c->values[row], x, x1, x2;
        c->results[row] = ds__is_nullish(v) ? ds__null() : v;
        if (!linear_key(c, row, &x, err)) {
            return false;
        }
        if (row > 0 && ds__value_equal(c->rows->keys[row - 1], c->rows->keys[row], NULL)) {
            return ds__error_set(err, 6050106, "There can be no repeated values in the sort field");
        }
        if (ds__is_nullish(v)) {
            continue;
        }
        if (!ds__is_number(v)) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "Value to be filled must be numeric or nullish, but found %s",
                                 ds__type_name(v.type));
        }
        for (size_t i = left == SIZE_MAX ? row : left + 1; i < row; i++) {
            if (!linear_key(c, left, &x1, err) || !linear_key(c, i, &x2, err)) {
                return false;
            }
            ds_value slope =
                divide(ds__number_subtract(v, c->values[left]), ds__number_subtract(x, x1));
            c->results[i] = ds__number_add(c->values[left],
                                           ds__number_multiply(slope, ds__number_subtract(x2, x1)));
        }
        left = row;
    }
    return true;
}

bool ds__window_compute(const ds__window_function *f, const ds__window_rows *rows, ds__stage *stage,
                        ds_arena *arena, ds_value *results, ds_error *err) {
    computer c = {.f = f, .rows = rows, .stage = stage, .arena = arena, .results = results};
    if ((f->input && !evaluate(&c, f->input, &c.values, err)) ||
        (f->second && !evaluate(&c, f->second, &c.second, err))) {
        return false;
    }
    switch (f->kind) {
    case DS_WINDOW_ACCUMULATE:
        return accumulate(&c, err);
    case DS_WINDOW_FIRST:
    case DS_WINDOW_LAST:
        return first_last(&c, err);
    case DS_WINDOW_COVARIANCE:
        return covariance(&c, err);
    case DS_WINDOW_DERIVATIVE:
        return derivative(&c, err);
    case DS_WINDOW_INTEGRAL:
        return integral(&c, err);
    case DS_WINDOW_EXP_AVERAGE:
        return exp_average(&c, err);
    case DS_WINDOW_RANK:
    case DS_WINDOW_DENSE_RANK:
    case DS_WINDOW_NUMBER:
        return rank(&c, err);
    case DS_WINDOW_SHIFT:
        return shift(&c, err);
    case DS_WINDOW_LOCF:
        return carry_forward(&c, err);
    case DS_WINDOW_LINEAR:
        return linear(&c, err);
    }
    return true;
}
