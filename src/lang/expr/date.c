/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar arithmetic: civil days counted in eras of 400 years, so that no year is special. */
#include "lang/expr/date.h"

#include <stdio.h>

#include "lang/expr/internal.h"

int64_t ds__floor_div(int64_t a, int64_t b) {
    int64_t q = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

int64_t ds__floor_mod(int64_t a, int64_t b) {
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t ds__date_days(int64_t year, int64_t month, int64_t day) {
    year += ds__floor_div(month - 1, 12);
    month = ds__floor_mod(month - 1, 12) + 1;
    /* years begin in March, so that the leap day is the last of a year */
    year -= month <= 2;
    int64_t era = ds__floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468 + day - 1;
}

void ds__date_split(int64_t ms, ds__date_fields *out) {
    int64_t days = ds__floor_div(ms, DS_MS_DAY);
    int64_t rest = ds__floor_mod(ms, DS_MS_DAY);
    int64_t z = days + 719468;
    int64_t era = ds__floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = year_of_era + era * 400 + (out->month <= 2);
    out->hour = (int)(rest / 3600000);
    out->minute = (int)(rest / 60000 % 60);
    out->second = (int)(rest / 1000 % 60);
    out->millisecond = (int)(rest % 1000);
    out->day_of_week = (int)ds__floor_mod(days + 4, 7);
    out->day_of_year = (int)(days - ds__date_days(out->year, 1, 1) + 1);
}

/* The Monday that begins ISO week 1 of a year, in days since 1970. */
static int64_t iso_year_start(int64_t year) {
    int64_t fourth = ds__date_days(year, 1, 4);
    return fourth - ds__floor_mod(fourth + 3, 7);
}

void ds__date_iso_week(const ds__date_fields *f, int64_t *year, int *week, int *day) {
    int64_t days = ds__date_days(f->year, f->month, f->day);
    *year = f->year;
    if (days >= iso_year_start(f->year + 1)) {
        *year = f->year + 1;
    } else if (days < iso_year_start(f->year)) {
        *year = f->year - 1;
    }
    *week = (int)((days - iso_year_start(*year)) / 7) + 1;
    *day = f->day_of_week == 0 ? 7 : f->day_of_week;
}

int64_t ds__date_iso_days(int64_t year, int64_t week, int64_t day) {
    return iso_year_start(year) + (week - 1) * 7 + day - 1;
}

bool ds__date_iso_text(ds_arena *arena, int64_t ms, ds_value *out, ds_error *err) {
    ds__date_fields f;
    ds__date_split(ms, &f);
    if (f.year < 0 || f.year > 9999) {
        return ds__error_set(err, 18537,
                             "Could not convert date to string: date component was outside the "
                             "supported range of 0-9999: %lld",
                             (long long)f.year);
    }
    return ds__expr_printf(arena, out, err, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ",
                           (long long)f.year, f.month, f.day, f.hour, f.minute, f.second,
                           f.millisecond);
}
