/* SPDX-License-Identifier: Apache-2.0 */
/* $dateFromParts: parts outside their usual ranges carry over. */
#include "lang/expr/date.h"

enum {
    YEAR,
    MONTH,
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    MILLISECOND,
    ISO_WEEK_YEAR,
    ISO_WEEK,
    ISO_DAY_OF_WEEK,
    TIMEZONE
};

static const char *const names[] = {"year",    "month",        "day",         "hour",
                                    "minute",  "second",       "millisecond", "isoWeekYear",
                                    "isoWeek", "isoDayOfWeek", "timezone",    NULL};

static bool parse_from_parts(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40519, "$dateFromParts only supports an object as its argument");
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, 40518, err)) {
        return false;
    }
    ds__expr **args = expr->args;
    if (args[YEAR] == NULL && args[ISO_WEEK_YEAR] == NULL) {
        return ds__error_set(
            err, 40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
    }
    if (args[YEAR] != NULL && (args[ISO_WEEK_YEAR] || args[ISO_WEEK] || args[ISO_DAY_OF_WEEK])) {
        return ds__error_set(err, 40489,
                             "$dateFromParts does not allow mixing natural dates with ISO dates");
    }
    if (args[ISO_WEEK_YEAR] != NULL && (args[MONTH] || args[DAY])) {
        return ds__error_set(err, 40525,
                             "$dateFromParts does not allow mixing ISO dates with natural dates");
    }
    return true;
}

static bool year_in_range(int i, int64_t year, ds_error *err) {
    return (year >= 1 && year <= 9999) ||
           ds__error_set(err, i == YEAR ? 40523 : 31095,
                         "'%s' must evaluate to an integer in the range 1 to 9999, found %lld",
                         names[i], (long long)year);
}

/* One part, `absent` when not given. `*is_null` when it is nullish. */
static bool run_part(const ds__expr *expr, ds__eval *eval, int i, int64_t absent, int64_t *out,
                     bool *is_null, ds_error *err) {
    char quoted[64];
    ds_value v;
    *out = absent;
    *is_null = false;
    if (expr->args[i] == NULL) {
        return true;
    }
    if (!ds__expr_run(expr->args[i], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *is_null = true;
        return true;
    }
    if (!ds__is_number(v) || !ds__value_exact_int64(v, out)) {
        return ds__error_set(err, 40515, "'%s' must evaluate to an integer, found %s with value %s",
                             names[i], ds__type_name(v.type),
                             ds__value_quote(v, quoted, sizeof quoted));
    }
    bool is_year = i == YEAR || i == ISO_WEEK_YEAR;
    if (!is_year && i != SECOND && i != MILLISECOND && (*out < INT16_MIN || *out > INT16_MAX)) {
        return ds__error_set(err, 31034,
                             "'%s' must evaluate to a value in the range [-32768, 32767]; value "
                             "%lld is not in range",
                             names[i], (long long)*out);
    }
    return true;
}

static bool eval_from_parts(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    static const int64_t defaults[] = {1970, 1, 1, 0, 0, 0, 0, 1970, 1, 1};
    int64_t v[TIMEZONE];
    const ds__zone *zone;
    bool is_null;
    *out = ds__null();
    if (!ds__date_run_zone(expr, TIMEZONE, eval, expr->detail, 40517, &zone, &is_null, err)) {
        return false;
    }
    if (is_null) {
        return true;
    }
    for (int k = 0; k < TIMEZONE; k++) {
        /* the clock first, as mongod does */
        static const int order[] = {HOUR,  MINUTE, SECOND,        MILLISECOND, YEAR,
                                    MONTH, DAY,    ISO_WEEK_YEAR, ISO_WEEK,    ISO_DAY_OF_WEEK};
        int i = order[k];
        if (!run_part(expr, eval, i, defaults[i], &v[i], &is_null, err)) {
            return false;
        }
        if (is_null) {
            return true;
        }
    }
    if (!year_in_range(YEAR, v[YEAR], err) ||
        !year_in_range(ISO_WEEK_YEAR, v[ISO_WEEK_YEAR], err)) {
        return false;
    }
    int64_t days = expr->args[YEAR] != NULL
                       ? ds__date_days(v[YEAR], v[MONTH], v[DAY])
                       : ds__date_iso_days(v[ISO_WEEK_YEAR], v[ISO_WEEK], v[ISO_DAY_OF_WEEK]);
    int64_t local = days * DS_MS_DAY + v[HOUR] * 3600000 + v[MINUTE] * 60000;
    int64_t ms;
    if (__builtin_mul_overflow(v[SECOND], 1000, &ms) ||
        __builtin_add_overflow(ms, v[MILLISECOND], &ms) || ms > INT64_MAX / 1000 ||
        ms < INT64_MIN / 1000) {
        return ds__error_set(err, DS_DURATION_OVERFLOW,
                             "Overflow casting from a lower-precision duration to a "
                             "higher-precision duration");
    }
    *out = ds__date(ds__zone_to_utc(zone, local + ms));
    return true;
}

const ds__expr_op ds__expr_ops_date_build[] = {
    {.name = "$dateFromParts", .parse = parse_from_parts, .eval = eval_from_parts},
    {.name = NULL},
};
