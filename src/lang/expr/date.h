/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic on milliseconds since 1970 (proleptic Gregorian, any year) and time zones. */
#ifndef DS_LANG_EXPR_DATE_H
#define DS_LANG_EXPR_DATE_H

#include "lang/expr/internal.h"

/* A moment taken apart. */
typedef struct ds__date_fields {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
    int hour;
    int minute;
    int second;
    int millisecond;
    int day_of_week; /* 0 Sunday to 6 */
    int day_of_year; /* 1 to 366 */
} ds__date_fields;

enum { DS_MS_DAY = 86400000 };

/* Floor division and its remainder, for negative times. */
int64_t ds__floor_div(int64_t a, int64_t b);
int64_t ds__floor_mod(int64_t a, int64_t b);

/* Days since 1970-01-01; months and days outside their ranges carry over. */
int64_t ds__date_days(int64_t year, int64_t month, int64_t day);
void ds__date_split(int64_t ms, ds__date_fields *out);
/* ISO 8601: week 1 to 53, year of that week, day 1 (Monday) to 7. */
void ds__date_iso_week(const ds__date_fields *f, int64_t *year, int *week, int *day);
/* Days since 1970 of a day in an ISO week; out of range values carry over. */
int64_t ds__date_iso_days(int64_t year, int64_t week, int64_t day);

/* A time zone: a table of offsets, copied into an arena once. */
typedef struct ds__zone {
    const int64_t *starts;  /* milliseconds, UTC, ascending; starts[0] is the beginning of time */
    const int32_t *offsets; /* seconds east of UTC from starts[i] on */
    uint32_t count;
    bool is_named; /* asked for by a name, not by an offset */
} ds__zone;

/* UTC. */
extern const ds__zone ds__zone_utc;
/* A zone by name ("Europe/Paris", "UTC", "+05:30", "-0800", "+03"). Error 40485. */
bool ds__zone_find(ds_arena *arena, const char *name, size_t size, ds__zone *out, ds_error *err);
/* Seconds east of UTC at a moment. */
int32_t ds__zone_offset(const ds__zone *zone, int64_t utc_ms);
/* The moment a local clock shows `local_ms`. */
int64_t ds__zone_to_utc(const ds__zone *zone, int64_t local_ms);

/* "2020-01-02T03:04:05.678Z" in the arena. Error 18537 for years outside 0 to 9999. */
bool ds__date_iso_text(ds_arena *arena, int64_t ms, ds_value *out, ds_error *err);

/* What operators on dates share while they run. */

/* A date, the seconds of a timestamp or of an ObjectId; false when the value is none of these. */
bool ds__date_coerce(ds_value v, int64_t *out);
/* As above, with error 16006. */
bool ds__date_want(ds_value v, int64_t *out, ds_error *err);

/* The zone an operator used last; one in each operator's detail. */
typedef struct ds__zone_cache {
    const char *name;
    uint32_t size;
    ds__zone zone;
} ds__zone_cache;

/* The zone argument `i` names: UTC when it is absent, `*is_null` when it is nullish. `code` is the
 * error for what is no string. */
bool ds__date_run_zone(const ds__expr *expr, uint32_t i, ds__eval *eval, ds__zone_cache *cache,
                       int32_t code, const ds__zone **out, bool *is_null, ds_error *err);

typedef enum ds__date_unit {
    DS_UNIT_YEAR,
    DS_UNIT_QUARTER,
    DS_UNIT_MONTH,
    DS_UNIT_WEEK,
    DS_UNIT_DAY,
    DS_UNIT_HOUR,
    DS_UNIT_MINUTE,
    DS_UNIT_SECOND,
    DS_UNIT_MILLISECOND,
    DS_UNIT_NONE
} ds__date_unit;

/* DS_UNIT_NONE when there is no such unit. */
ds__date_unit ds__date_unit_find(ds_value name);

/* Reads the many forms of date strings. `zone` (may be NULL) is for texts without one; a zone in
 * the text beside it is an error. Errors: ConversionFailure. */
bool ds__date_parse(ds_arena *arena, ds_value text, const ds__zone *zone, int64_t *out,
                    ds_error *err);
/* The same by a format of % letters. */
bool ds__date_parse_format(ds_arena *arena, ds_value text, ds_value format, const ds__zone *zone,
                           int64_t *out, ds_error *err);

#endif
