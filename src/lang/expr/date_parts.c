/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of dates: $year, $hour, $isoWeek and their kin, and $dateToParts. */
#include "lang/expr/date.h"

enum { ARG_DATE, ARG_TIMEZONE, ARG_ISO8601 };

static bool parse_part(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    const char *self = expr->op->name;
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL || !ds__expr_reserve_args(p, expr, 2, err)) {
        return ds__error_oom(err);
    }
    if (arg.type == DS_ARRAY) {
        size_t count = ds__doc_count(arg);
        if (count != 1) {
            return ds__error_set(err, 40536,
                                 "%s accepts exactly one argument if given an array, but was given "
                                 "%zu",
                                 self, count);
        }
        return ds__expr_parse(p, ds__array_at(arg, 0), &expr->args[ARG_DATE], err);
    }
    if (arg.type != DS_DOCUMENT || (!ds__doc_empty(arg) && arg.as.bytes[5] == '$')) {
        return ds__expr_parse(p, arg, &expr->args[ARG_DATE], err);
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        bool is_date = strcmp(it.key, "date") == 0;
        if (!is_date && strcmp(it.key, "timezone") != 0) {
            return ds__error_set(err, 40535, "unrecognized option to %s: \"%s\"", self, it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[is_date ? ARG_DATE : ARG_TIMEZONE], err)) {
            return false;
        }
    }
    if (expr->args[ARG_DATE] == NULL) {
        return ds__error_set(err, 40539, "missing 'date' argument to %s", self);
    }
    return true;
}

/* The local time an operator works on; `*done` when the result is null. */
static bool run_fields(const ds__expr *expr, ds__eval *eval, ds__date_fields *f, ds_value *out,
                       bool *done, ds_error *err) {
    ds_value v;
    int64_t ms;
    const ds__zone *zone;
    bool no_zone;
    *done = true;
    *out = ds__null();
    if (!ds__expr_run(expr->args[ARG_DATE], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        return true;
    }
    if (!ds__date_want(v, &ms, err) ||
        !ds__date_run_zone(expr, ARG_TIMEZONE, eval, expr->detail, 40533, &zone, &no_zone, err)) {
        return false;
    }
    if (no_zone) {
        return true;
    }
    ds__date_split(ms + (int64_t)ds__zone_offset(zone, ms) * 1000, f);
    *done = false;
    return true;
}

static bool eval_part(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__date_fields f;
    bool done;
    if (!run_fields(expr, eval, &f, out, &done, err)) {
        return false;
    }
    if (done) {
        return true;
    }
    int64_t iso_year;
    int iso_week;
    int iso_day;
    ds__date_iso_week(&f, &iso_year, &iso_week, &iso_day);
    const struct {
        const char *name;
        int64_t value;
    } parts[] = {
        {"$year", f.year},
        {"$month", f.month},
        {"$dayOfMonth", f.day},
        {"$hour", f.hour},
        {"$minute", f.minute},
        {"$second", f.second},
        {"$millisecond", f.millisecond},
        {"$dayOfYear", f.day_of_year},
        {"$dayOfWeek", f.day_of_week + 1},
        {"$week", (f.day_of_year + 6 - f.day_of_week) / 7},
        {"$isoWeek", iso_week},
        {"$isoDayOfWeek", iso_day},
    };
    *out = ds__int64(iso_year);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(expr->op->name, parts[i].name) == 0) {
            *out = ds__int32((int32_t)parts[i].value);
        }
    }
    return true;
}

static bool parse_to_parts(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"date", "timezone", "iso8601", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40524, "$dateToParts only supports an object as its argument");
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, 40520, err)) {
        return false;
    }
    if (expr->args[ARG_DATE] == NULL) {
        return ds__error_set(err, 40522, "Missing 'date' parameter to $dateToParts");
    }
    return true;
}

static ds__expr_field int_field(const char *name, int64_t v) {
    return (ds__expr_field){
        .name = name, .name_size = strlen(name), .value = ds__int32((int32_t)v)};
}

static bool eval_to_parts(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    ds_value iso = ds__bool(false);
    int64_t ms;
    const ds__zone *zone;
    bool no_zone;
    if (!ds__expr_run(expr->args[ARG_DATE], eval, &v, err) ||
        !ds__date_run_zone(expr, ARG_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    if (expr->args[ARG_ISO8601] != NULL &&
        !ds__expr_run(expr->args[ARG_ISO8601], eval, &iso, err)) {
        return false;
    }
    *out = ds__null();
    if (no_zone || ds__is_nullish(iso)) {
        return true;
    }
    if (iso.type != DS_BOOL) {
        return ds__error_set(err, 40521, "iso8601 must evaluate to a bool, found %s",
                             ds__type_name(iso.type));
    }
    if (ds__is_nullish(v)) {
        return true;
    }
    if (!ds__date_want(v, &ms, err)) {
        return false;
    }
    ds__date_fields f;
    int64_t iso_year;
    int iso_week;
    int iso_day;
    ds__date_split(ms + (int64_t)ds__zone_offset(zone, ms) * 1000, &f);
    ds__date_iso_week(&f, &iso_year, &iso_week, &iso_day);
    bool is_iso = iso.as.b;
    ds__expr_field fields[] = {
        int_field(is_iso ? "isoWeekYear" : "year", is_iso ? iso_year : f.year),
        int_field(is_iso ? "isoWeek" : "month", is_iso ? iso_week : f.month),
        int_field(is_iso ? "isoDayOfWeek" : "day", is_iso ? iso_day : f.day),
        int_field("hour", f.hour),
        int_field("minute", f.minute),
        int_field("second", f.second),
        int_field("millisecond", f.millisecond),
    };
    return ds__expr_make_document(eval->scratch, fields, 7, out, err);
}

const ds__expr_op ds__expr_ops_date_parts[] = {
    {.name = "$year", .parse = parse_part, .eval = eval_part},
    {.name = "$month", .parse = parse_part, .eval = eval_part},
    {.name = "$dayOfMonth", .parse = parse_part, .eval = eval_part},
    {.name = "$hour", .parse = parse_part, .eval = eval_part},
    {.name = "$minute", .parse = parse_part, .eval = eval_part},
    {.name = "$second", .parse = parse_part, .eval = eval_part},
    {.name = "$millisecond", .parse = parse_part, .eval = eval_part},
    {.name = "$dayOfYear", .parse = parse_part, .eval = eval_part},
    {.name = "$dayOfWeek", .parse = parse_part, .eval = eval_part},
    {.name = "$week", .parse = parse_part, .eval = eval_part},
    {.name = "$isoWeek", .parse = parse_part, .eval = eval_part},
    {.name = "$isoWeekYear", .parse = parse_part, .eval = eval_part},
    {.name = "$isoDayOfWeek", .parse = parse_part, .eval = eval_part},
    {.name = "$dateToParts", .parse = parse_to_parts, .eval = eval_to_parts},
    {.name = NULL},
};
