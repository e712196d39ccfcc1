/* SPDX-License-Identifier: Apache-2.0 */
/* $dateToString and $dateFromString. */
#include "lang/expr/date.h"

#include <stdlib.h>

enum {
    ARG_DATE, /* or the string */
    ARG_FORMAT,
    ARG_TIMEZONE,
    ARG_ON_NULL,
    ARG_ON_ERROR
};

static bool check_format(ds_value format, const char *letters, ds_error *err) {
    const char *f = ds__text(format);
    for (uint32_t i = 0; i < format.size; i++) {
        if (f[i] != '%') {
            continue;
        }
        if (++i == format.size) {
            return ds__error_set(err, 18535, "Unmatched '%%' at end of format string");
        }
        if (f[i] == '\0' || strchr(letters, f[i]) == NULL) {
            return ds__error_set(err, 18536, "Invalid format character '%%%c' in format string",
                                 f[i]);
        }
    }
    return true;
}

/* Evaluates and checks the format; DS_MISSING when there is none, null when it is nullish. */
static bool run_format(const ds__expr *expr, ds__eval *eval, int32_t code, const char *letters,
                       ds_value *format, ds_error *err) {
    *format = ds__missing();
    if (expr->args[ARG_FORMAT] == NULL) {
        return true;
    }
    if (!ds__expr_run(expr->args[ARG_FORMAT], eval, format, err)) {
        return false;
    }
    if (ds__is_nullish(*format)) {
        *format = ds__null();
        return true;
    }
    if (format->type != DS_STRING) {
        char quoted[64];
        return ds__error_set(err, code,
                             "%s requires that 'format' be a string, found: %s with value %s",
                             expr->op->name, ds__type_name(format->type),
                             ds__value_quote(*format, quoted, sizeof quoted));
    }
    return check_format(*format, letters, err);
}

static void put_number(char *to, size_t *at, int64_t v, int digits) {
    for (int i = digits - 1; i >= 0; i--) {
        to[*at + (size_t)i] = (char)('0' + v % 10);
        v /= 10;
    }
    *at += (size_t)digits;
}

static bool year_in_range(int64_t year, ds_error *err) {
    return (year >= 0 && year <= 9999) ||
           ds__error_set(err, 18537,
                         "Could not convert date to string: date component was outside the "
                         "supported range of 0-9999: %lld",
                         (long long)year);
}

/* One letter into `to`, which has room for 24 more bytes. */
static bool put_letter(char *to, size_t *at, char letter, const ds__date_fields *f, int32_t offset,
                       ds_error *err) {
    int64_t iso_year;
    int iso_week;
    int iso_day;
    int minutes = offset / 60;
    ds__date_iso_week(f, &iso_year, &iso_week, &iso_day);
    switch (letter) {
    case 'Y':
        if (!year_in_range(f->year, err)) {
            return false;
        }
        put_number(to, at, f->year, 4);
        break;
    case 'G':
        if (!year_in_range(iso_year, err)) {
            return false;
        }
        put_number(to, at, iso_year, 4);
        break;
    case 'm':
        put_number(to, at, f->month, 2);
        break;
    case 'd':
        put_number(to, at, f->day, 2);
        break;
    case 'H':
        put_number(to, at, f->hour, 2);
        break;
    case 'M':
        put_number(to, at, f->minute, 2);
        break;
    case 'S':
        put_number(to, at, f->second, 2);
        break;
    case 'L':
        put_number(to, at, f->millisecond, 3);
        break;
    case 'j':
        put_number(to, at, f->day_of_year, 3);
        break;
    case 'w':
        put_number(to, at, f->day_of_week + 1, 1);
        break;
    case 'u':
        put_number(to, at, iso_day, 1);
        break;
    case 'U':
        put_number(to, at, (f->day_of_year + 6 - f->day_of_week) / 7, 2);
        break;
    case 'V':
        put_number(to, at, iso_week, 2);
        break;
    case 'z':
        to[(*at)++] = offset < 0 ? '-' : '+';
        put_number(to, at, abs(minutes) / 60, 2);
        put_number(to, at, abs(minutes) % 60, 2);
        break;
    case 'Z': {
        int rest = abs(minutes);
        int digits = rest >= 1000 ? 4 : rest >= 100 ? 3 : rest >= 10 ? 2 : 1;
        if (offset < 0) {
            to[(*at)++] = '-';
        }
        put_number(to, at, rest, digits);
        break;
    }
    default:
        to[(*at)++] = letter;
    }
    return true;
}

static bool format_date(ds_arena *scratch, int64_t ms, ds_value format, const ds__zone *zone,
                        ds_value *out, ds_error *err) {
    int32_t offset = ds__zone_offset(zone, ms);
    ds__date_fields f;
    ds__date_split(ms + (int64_t)offset * 1000, &f);
    char *to = ds_arena_alloc(scratch, (size_t)format.size * 4 + 24);
    if (to == NULL) {
        return ds__error_oom(err);
    }
    const char *s = ds__text(format);
    size_t at = 0;
    for (uint32_t i = 0; i < format.size; i++) {
        if (s[i] != '%') {
            to[at++] = s[i];
        } else if (!put_letter(to, &at, s[++i], &f, offset, err)) {
            return false;
        }
    }
    *out = ds__string(to, at);
    return true;
}

static bool eval_to_string(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value date;
    ds_value format;
    const ds__zone *zone;
    bool no_zone;
    int64_t ms;
    if (!ds__expr_run(expr->args[ARG_DATE], eval, &date, err) ||
        !run_format(expr, eval, 18533, "dGHjLmMSuUVwYzZ%", &format, err) ||
        !ds__date_run_zone(expr, ARG_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    *out = ds__null();
    if (ds__is_nullish(date)) {
        return expr->args[ARG_ON_NULL] == NULL ||
               ds__expr_run(expr->args[ARG_ON_NULL], eval, out, err);
    }
    if (no_zone || format.type == DS_NULL) {
        return true;
    }
    if (format.type == DS_MISSING) {
        format = ds__cstring("%Y-%m-%dT%H:%M:%S.%LZ");
    }
    return ds__date_want(date, &ms, err) && format_date(eval->scratch, ms, format, zone, out, err);
}

/* Whether the string may name a zone of its own. */
static bool is_utc(const ds__zone *zone) {
    return !zone->is_named && zone->offsets[0] == 0;
}

static bool read_date(const ds__expr *expr, ds__eval *eval, ds_value text, ds_value format,
                      const ds__zone *zone, ds_value *out, ds_error *err) {
    int64_t ms;
    bool ok = format.type == DS_STRING
                  ? ds__date_parse_format(eval->scratch, text, format, zone, &ms, err)
                  : ds__date_parse(eval->scratch, text, zone, &ms, err);
    if (ok) {
        *out = ds__date(ms);
    }
    return ok;
}

static bool eval_from_string(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value text;
    ds_value format;
    const ds__zone *zone;
    bool no_zone;
    if (!ds__expr_run(expr->args[ARG_DATE], eval, &text, err) ||
        !run_format(expr, eval, 40684, "dGHLmMSuVYzZ%", &format, err) ||
        !ds__date_run_zone(expr, ARG_TIMEZONE, eval, expr->detail, 40517, &zone, &no_zone, err)) {
        return false;
    }
    *out = ds__null();
    if (ds__is_nullish(text)) {
        return expr->args[ARG_ON_NULL] == NULL ||
               ds__expr_run(expr->args[ARG_ON_NULL], eval, out, err);
    }
    if (text.type != DS_STRING) {
        char quoted[64];
        ds__error_set(err, DS_CONVERSION_FAILURE,
                      "$dateFromString requires that 'dateString' be a string, found: %s with "
                      "value %s",
                      ds__type_name(text.type), ds__value_quote(text, quoted, sizeof quoted));
    } else if (no_zone || format.type == DS_NULL) {
        return true;
    } else if (read_date(expr, eval, text, format, is_utc(zone) ? NULL : zone, out, err)) {
        return true;
    }
    if (err->code != DS_CONVERSION_FAILURE || expr->args[ARG_ON_ERROR] == NULL) {
        return false;
    }
    *err = (ds_error){0};
    return ds__expr_run(expr->args[ARG_ON_ERROR], eval, out, err);
}

static bool parse_text(ds__expr_parser *p, ds__expr *expr, ds_value arg, const char *const *names,
                       int32_t unknown, int32_t missing, ds_error *err) {
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(ds__zone_cache));
    if (expr->detail == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__expr_parse_named(p, expr, arg, names, unknown, err)) {
        return false;
    }
    if (expr->args[ARG_DATE] == NULL) {
        return ds__error_set(err, missing, "Missing '%s' parameter to %s", names[ARG_DATE],
                             expr->op->name);
    }
    return true;
}

static bool parse_to_string(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"date", "format", "timezone", "onNull", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 18629, "$dateToString only supports an object as its argument");
    }
    return parse_text(p, expr, arg, names, 18534, 18628, err);
}

static bool parse_from_string(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"dateString", "format",  "timezone",
                                        "onNull",     "onError", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 40540,
                             "$dateFromString only supports an object as an argument, found: %s",
                             ds__type_name(arg.type));
    }
    return parse_text(p, expr, arg, names, 40541, 40542, err);
}

const ds__expr_op ds__expr_ops_date_text[] = {
    {.name = "$dateToString", .parse = parse_to_string, .eval = eval_to_string},
    {.name = "$dateFromString", .parse = parse_from_string, .eval = eval_from_string},
    {.name = NULL},
};
