/* SPDX-License-Identifier: Apache-2.0 */
/* $dateAdd, $dateSubtract, $dateDiff, $dateTrunc. Units of a day and more follow the calendar of
 * the time zone, smaller ones the clock. */
#include "lang/expr/date.h"

enum { DURATION_OVERFLOW = 159 };

static const int64_t unit_ms[] = {
    [DS_UNIT_WEEK] = (int64_t)7 * DS_MS_DAY,
    [DS_UNIT_DAY] = DS_MS_DAY,
    [DS_UNIT_HOUR] = 3600000,
    [DS_UNIT_MINUTE] = 60000,
    [DS_UNIT_SECOND] = 1000,
    [DS_UNIT_MILLISECOND] = 1,
};

static const int unit_months[] = {
    [DS_UNIT_YEAR] = 12,
    [DS_UNIT_QUARTER] = 3,
    [DS_UNIT_MONTH] = 1,
};

static int64_t to_local(const ds__zone *zone, int64_t ms) {
    return ms + (int64_t)ds__zone_offset(zone, ms) * 1000;
}

/* Day of the week (0 Sunday) of "mon", "monday", …; -1 when it is none. */
static int day_of_week(ds_value name) {
    static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
                                       "thursday", "friday", "saturday"};
    for (int i = 0; i < 7; i++) {
        size_t size = strlen(days[i]);
        char lower[16];
        if (name.size != 3 && name.size != size) {
            continue;
        }
        for (uint32_t k = 0; k < name.size; k++) {
            char c = (char)name.as.bytes[k];
            lower[k] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        if (memcmp(lower, days[i], name.size) == 0) {
            return i;
        }
    }
    return -1;
}

/* Adding. */

enum { ADD_START, ADD_UNIT, ADD_AMOUNT, ADD_TIMEZONE };

static bool parse_add(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"startDate", "unit", "amount", "timezone", NULL};
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5166400, "%s expects an object as its argument", self);
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, 5166401, err)) {
        return false;
    }
    if (!expr->args[ADD_START] || !expr->args[ADD_UNIT] || !expr->args[ADD_AMOUNT]) {
        return ds__error_set(err, 5166402, "%s requires startDate, unit, and amount to be present",
                             self);
    }
    return true;
}

static bool overflow(ds_error *err) {
    return ds__error_set(err, DS_DURATION_OVERFLOW, "the resulting date is out of range");
}

static int64_t most_of(ds__date_unit unit) {
    int64_t years = INT64_MAX / DS_MS_DAY / 365 + 1;
    return unit <= DS_UNIT_MONTH ? years * (12 / unit_months[unit]) : INT64_MAX / unit_ms[unit];
}

static bool add_units(int64_t ms, ds__date_unit unit, int64_t amount, const ds__zone *zone,
                      int64_t *out, ds_error *err) {
    int64_t by;
    if (unit > DS_UNIT_DAY) {
        if (__builtin_mul_overflow(amount, unit_ms[unit], &by) ||
            __builtin_add_overflow(ms, by, out)) {
            return overflow(err);
        }
        return true;
    }
    int64_t local = to_local(zone, ms);
    if (unit > DS_UNIT_MONTH) {
        if (__builtin_mul_overflow(amount, unit_ms[unit], &by) ||
            __builtin_add_overflow(local, by, &local)) {
            return overflow(err);
        }
    } else {
        ds__date_fields f;
        ds__date_split(local, &f);
        int64_t month = f.year * 12 + f.month - 1 + amount * unit_months[unit];
        int64_t first = ds__date_days(0, month + 1, 1);
        int64_t last = ds__date_days(0, month + 2, 1) - first;
        int64_t days = first + (f.day < last ? f.day : last) - 1;
        if (__builtin_mul_overflow(days, (int64_t)DS_MS_DAY, &by) ||
            __builtin_add_overflow(by, ds__floor_mod(local, DS_MS_DAY), &local)) {
            return overflow(err);
        }
    }
    *out = ds__zone_to_utc(zone, local);
    return true;
}

static bool eval_add_or_subtract(const ds__expr *expr, ds__eval *eval, bool subtract, ds_value *out,
                                 ds_error *err) {
    const char *self = expr->op->name;
    ds_value v[3];
    *out = ds__null();
    for (int i = 0; i < 3; i++) {
        if (!ds__expr_run(expr->args[i], eval, &v[i], err)) {
            return false;
        }
        if (ds__is_nullish(v[i])) {
            return true;
        }
    }
    const ds__zone *zone;
    bool no_zone;
    int64_t ms;
    int64_t amount;
    if (!ds__date_run_zone(expr, ADD_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    if (no_zone) {
        return true;
    }
    if (!ds__date_coerce(v[ADD_START], &ms)) {
        return ds__error_set(err, 5166403, "%s requires startDate to be convertible to a date",
                             self);
    }
    if (v[ADD_UNIT].type != DS_STRING) {
        return ds__error_set(err, 5166404, "%s expects string defining the time unit", self);
    }
    ds__date_unit unit = ds__date_unit_find(v[ADD_UNIT]);
    if (unit == DS_UNIT_NONE) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "unknown time unit value: %.*s",
                             (int)v[ADD_UNIT].size, ds__text(v[ADD_UNIT]));
    }
    if (!ds__is_number(v[ADD_AMOUNT]) || !ds__value_exact_int64(v[ADD_AMOUNT], &amount)) {
        return ds__error_set(err, 5166405, "%s expects integer amount of time units", self);
    }
    if (subtract && amount == INT64_MIN) {
        return ds__error_set(err, 6045000, "invalid %s 'amount' parameter value: %lld", self,
                             (long long)amount);
    }
    amount = subtract ? -amount : amount;
    int64_t most = most_of(unit);
    int64_t before = ms;
    if (unit != DS_UNIT_MILLISECOND && (amount >= most || amount <= -most)) {
        return ds__error_set(err, 5976500, "invalid dateAdd 'amount' parameter value: %lld %.*s",
                             (long long)amount, (int)v[ADD_UNIT].size, ds__text(v[ADD_UNIT]));
    }
    if (!add_units(ms, unit, amount, zone, &ms, err)) {
        return false;
    }
    if (unit != DS_UNIT_MILLISECOND && before < 0 && before % 1000 != 0) {
        ms -= 1000; /* mongod counts the fraction of a second before 1970 twice */
    }
    *out = ds__date(ms);
    return true;
}

static bool eval_add(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return eval_add_or_subtract(expr, eval, false, out, err);
}

static bool eval_subtract(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return eval_add_or_subtract(expr, eval, true, out, err);
}

/* What $dateDiff and $dateTrunc share. */

static bool want_unit(const ds__expr *expr, ds_value v, ds__date_unit *out, ds_error *err) {
    if (v.type != DS_STRING) {
        return ds__error_set(err, 5439013, "%s requires 'unit' to be a string, but got %s",
                             expr->op->name, ds__type_name(v.type));
    }
    *out = ds__date_unit_find(v);
    if (*out == DS_UNIT_NONE) {
        return ds__error_set(err, 5439014,
                             "%s parameter 'unit' value cannot be recognized as a time unit: %.*s",
                             expr->op->name, (int)v.size, ds__text(v));
    }
    return true;
}

static bool want_week_start(const ds__expr *expr, ds_value v, int *out, ds_error *err) {
    if (v.type != DS_STRING) {
        return ds__error_set(err, 5439015, "%s requires 'startOfWeek' to be a string, but got %s",
                             expr->op->name, ds__type_name(v.type));
    }
    *out = day_of_week(v);
    if (*out < 0) {
        return ds__error_set(err, 5439016,
                             "%s parameter 'startOfWeek' value cannot be recognized as a day of a "
                             "week: %.*s",
                             expr->op->name, (int)v.size, ds__text(v));
    }
    return true;
}

/* Differences. */

enum { DIFF_START, DIFF_END, DIFF_UNIT, DIFF_TIMEZONE, DIFF_WEEK };

static bool parse_diff(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"startDate", "endDate",     "unit",
                                        "timezone",  "startOfWeek", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5166301, "$dateDiff only supports an object as its argument");
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, 5166302, err)) {
        return false;
    }
    for (int i = DIFF_START; i <= DIFF_UNIT; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, 5166303 + i, "Missing '%s' parameter to $dateDiff", names[i]);
        }
    }
    return true;
}

static int64_t week_number(int64_t local, int week_start) {
    /* 1970-01-01 was a Thursday */
    return ds__floor_div(ds__floor_div(local, DS_MS_DAY) + 4 - week_start, 7);
}

static int64_t difference(int64_t from, int64_t to, ds__date_unit unit, const ds__zone *zone,
                          int week_start) {
    int64_t a = to_local(zone, from);
    int64_t b = to_local(zone, to);
    ds__date_fields fa;
    ds__date_fields fb;
    switch (unit) {
    case DS_UNIT_YEAR:
    case DS_UNIT_QUARTER:
    case DS_UNIT_MONTH:
        ds__date_split(a, &fa);
        ds__date_split(b, &fb);
        return (fb.year * 12 + fb.month - 1) / unit_months[unit] -
               (fa.year * 12 + fa.month - 1) / unit_months[unit];
    case DS_UNIT_WEEK:
        return week_number(b, week_start) - week_number(a, week_start);
    case DS_UNIT_DAY:
        return ds__floor_div(b, DS_MS_DAY) - ds__floor_div(a, DS_MS_DAY);
    case DS_UNIT_HOUR:
        return ds__floor_div(b, unit_ms[unit]) - ds__floor_div(a, unit_ms[unit]) +
               ((a - from) - (b - to)) / unit_ms[unit];
    case DS_UNIT_MINUTE:
    case DS_UNIT_SECOND:
    case DS_UNIT_MILLISECOND:
    case DS_UNIT_NONE:
        break;
    }
    return ds__floor_div(to, unit_ms[unit]) - ds__floor_div(from, unit_ms[unit]);
}

static bool eval_diff(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    static const char *const names[] = {"startDate", "endDate"};
    ds_value v[3];
    ds_value week;
    *out = ds__null();
    for (int i = 0; i < 3; i++) {
        if (!ds__expr_run(expr->args[i], eval, &v[i], err)) {
            return false;
        }
        if (ds__is_nullish(v[i])) {
            return true;
        }
    }
    bool by_week = ds__is_string(v[DIFF_UNIT], "week") && expr->args[DIFF_WEEK] != NULL;
    if (!ds__expr_run_arg(expr, DIFF_WEEK, eval, &week, err)) {
        return false;
    }
    if (by_week && ds__is_nullish(week)) {
        return true;
    }
    const ds__zone *zone;
    bool no_zone;
    if (!ds__date_run_zone(expr, DIFF_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    if (no_zone) {
        return true;
    }
    int64_t ms[2];
    for (int i = 0; i < 2; i++) {
        if (!ds__date_coerce(v[i], &ms[i])) {
            return ds__error_set(err, 5166307, "$dateDiff requires '%s' to be a date, but got %s",
                                 names[i], ds__type_name(v[i].type));
        }
    }
    ds__date_unit unit;
    int week_start = 0;
    if (!want_unit(expr, v[DIFF_UNIT], &unit, err) ||
        (by_week && !want_week_start(expr, week, &week_start, err))) {
        return false;
    }
    *out = ds__int64(difference(ms[0], ms[1], unit, zone, week_start));
    return true;
}

/* Truncation: bins are counted from 2000-01-01. */

enum { TRUNC_DATE, TRUNC_UNIT, TRUNC_BIN, TRUNC_TIMEZONE, TRUNC_WEEK };

static bool parse_trunc(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"date", "unit", "binSize", "timezone", "startOfWeek", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 5439007, "$dateTrunc only supports an object as its argument");
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, 5439008, err)) {
        return false;
    }
    for (int i = TRUNC_DATE; i <= TRUNC_UNIT; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, 5439009 + i, "Missing '%s' parameter to $dateTrunc",
                                 names[i]);
        }
    }
    return true;
}

static bool truncate_date(int64_t ms, ds__date_unit unit, int64_t bin, const ds__zone *zone,
                          int week_start, int64_t *out, ds_error *err) {
    const int64_t epoch = ds__date_days(2000, 1, 1);
    int64_t size;
    if (unit > DS_UNIT_MONTH ? __builtin_mul_overflow(bin, unit_ms[unit], &size)
                             : bin > 100000000000) {
        return ds__error_set(err, 5439006, "dateTrunc unsupported binSize value");
    }
    if (unit > DS_UNIT_DAY) {
        int64_t start = ds__zone_to_utc(zone, epoch * DS_MS_DAY);
        *out = ms - ds__floor_mod(ms - start, size);
        return true;
    }
    int64_t local = to_local(zone, ms);
    int64_t days;
    if (unit > DS_UNIT_MONTH) {
        int64_t start = epoch;
        if (unit == DS_UNIT_WEEK) { /* 2000-01-01 was a Saturday */
            start += (week_start + 1) % 7;
            bin *= 7;
        }
        days = ds__floor_div(local, DS_MS_DAY);
        days -= ds__floor_mod(days - start, bin);
    } else {
        ds__date_fields f;
        ds__date_split(local, &f);
        int64_t month = (f.year - 2000) * 12 + f.month - 1;
        month -= ds__floor_mod(month, bin * unit_months[unit]);
        if (month / unit_months[unit] <= -most_of(unit)) {
            return ds__error_set(err, 5976500,
                                 "invalid dateAdd 'amount' parameter value: %lld months",
                                 (long long)month);
        }
        days = ds__date_days(2000, month + 1, 1);
    }
    *out = ds__zone_to_utc(zone, days * DS_MS_DAY);
    return true;
}

static bool want_bin(ds_value v, int64_t *out, ds_error *err) {
    char quoted[64];
    if (!ds__is_number(v) || !ds__value_exact_int64(v, out)) {
        return ds__error_set(err, 5439017,
                             "$dateTrunc requires 'binSize' to be a 64-bit integer, but got value "
                             "'%s' of type %s",
                             ds__value_quote(v, quoted, sizeof quoted), ds__type_name(v.type));
    }
    if (*out <= 0) {
        return ds__error_set(err, 5439018,
                             "$dateTrunc requires 'binSize' to be greater than 0, but got value "
                             "%lld",
                             (long long)*out);
    }
    return true;
}

static bool eval_trunc(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value date;
    ds_value unit_name;
    ds_value bin_value = ds__int32(1);
    ds_value week;
    *out = ds__null();
    if (!ds__expr_run(expr->args[TRUNC_DATE], eval, &date, err)) {
        return false;
    }
    if (ds__is_nullish(date)) {
        return true;
    }
    if (!ds__expr_run(expr->args[TRUNC_UNIT], eval, &unit_name, err) ||
        (expr->args[TRUNC_BIN] != NULL &&
         !ds__expr_run(expr->args[TRUNC_BIN], eval, &bin_value, err)) ||
        !ds__expr_run_arg(expr, TRUNC_WEEK, eval, &week, err)) {
        return false;
    }
    bool by_week = ds__is_string(unit_name, "week") && expr->args[TRUNC_WEEK] != NULL;
    if (ds__is_nullish(unit_name) || ds__is_nullish(bin_value) ||
        (by_week && ds__is_nullish(week))) {
        return true;
    }
    const ds__zone *zone;
    bool no_zone;
    if (!ds__date_run_zone(expr, TRUNC_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    if (no_zone) {
        return true;
    }
    int64_t ms;
    int64_t bin;
    ds__date_unit unit;
    int week_start = 0;
    if (!ds__date_coerce(date, &ms)) {
        return ds__error_set(err, 5439012, "$dateTrunc requires 'date' to be a date, but got %s",
                             ds__type_name(date.type));
    }
    if (!want_unit(expr, unit_name, &unit, err) || !want_bin(bin_value, &bin, err) ||
        (by_week && !want_week_start(expr, week, &week_start, err)) ||
        !truncate_date(ms, unit, bin, zone, week_start, &ms, err)) {
        return false;
    }
    *out = ds__date(ms);
    return true;
}

const ds__expr_op ds__expr_ops_date_arith[] = {
    {.name = "$dateAdd", .parse = parse_add, .eval = eval_add},
    {.name = "$dateSubtract", .parse = parse_add, .eval = eval_subtract},
    {.name = "$dateDiff", .parse = parse_diff, .eval = eval_diff},
    {.name = "$dateTrunc", .parse = parse_trunc, .eval = eval_trunc},
    {.name = NULL},
};
