/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones. ICU's rules are copied into a plain table, so that nothing of ICU's outlives a call;
 * years past the table are looked up in a year of the same shape inside it. */
#include "lang/expr/date.h"

#include <unicode/ucal.h>
#include <unicode/ustring.h>

enum {
    LAST_YEAR = 2066, /* rules are constant in the 28 years before */
    MAX_TRANSITIONS = 2000
};

static const int64_t utc_starts[] = {INT64_MIN};
static const int32_t utc_offsets[] = {0};
const ds__zone ds__zone_utc = {utc_starts, utc_offsets, 1, false};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* "+05", "+0530", "+05:30" in seconds. */
static bool parse_offset(const char *s, size_t size, int32_t *out) {
    char d[4] = {'0', '0', '0', '0'};
    size_t at = 1;
    size_t count = 0;
    if (size < 3 || (s[0] != '+' && s[0] != '-')) {
        return false;
    }
    for (; at < size && count < 4; at++) {
        if (s[at] == ':' && at == 3 && size == 6) {
            continue;
        }
        if (!is_digit(s[at])) {
            return false;
        }
        d[count++] = s[at];
    }
    if (at != size || (count != 2 && count != 4)) {
        return false;
    }
    int32_t seconds =
        ((d[0] - '0') * 10 + d[1] - '0') * 3600 + ((d[2] - '0') * 10 + d[3] - '0') * 60;
    *out = s[0] == '-' ? -seconds : seconds;
    return true;
}

static bool fixed_zone(ds_arena *arena, int32_t offset, ds__zone *out, ds_error *err) {
    int32_t *offsets = ds_arena_alloc(arena, sizeof *offsets);
    if (offsets == NULL) {
        return ds__error_oom(err);
    }
    *offsets = offset;
    *out = (ds__zone){.starts = utc_starts, .offsets = offsets, .count = 1};
    return true;
}

static int32_t offset_at(UCalendar *cal, double ms, UErrorCode *status) {
    ucal_setMillis(cal, ms, status);
    return (ucal_get(cal, UCAL_ZONE_OFFSET, status) + ucal_get(cal, UCAL_DST_OFFSET, status)) /
           1000;
}

static bool copy_transitions(ds_arena *arena, UCalendar *cal, ds__zone *out, ds_error *err) {
    int64_t *starts = ds_arena_alloc(arena, MAX_TRANSITIONS * sizeof *starts);
    int32_t *offsets = ds_arena_alloc(arena, MAX_TRANSITIONS * sizeof *offsets);
    if (starts == NULL || offsets == NULL) {
        return ds__error_oom(err);
    }
    UErrorCode status = U_ZERO_ERROR;
    double last = (double)(ds__date_days(LAST_YEAR, 1, 1) * DS_MS_DAY);
    UDate at = (double)(ds__date_days(1800, 1, 1) * DS_MS_DAY);
    starts[0] = INT64_MIN;
    offsets[0] = offset_at(cal, at, &status);
    uint32_t count = 1;
    while (count < MAX_TRANSITIONS && U_SUCCESS(status)) {
        ucal_setMillis(cal, at, &status);
        if (!ucal_getTimeZoneTransitionDate(cal, UCAL_TZ_TRANSITION_NEXT, &at, &status) ||
            at >= last) {
            break;
        }
        starts[count] = (int64_t)at;
        offsets[count] = offset_at(cal, at, &status);
        count++;
    }
    *out = (ds__zone){.starts = starts, .offsets = offsets, .count = count, .is_named = true};
    return U_SUCCESS(status) ||
           ds__error_set(err, DS_INTERNAL_ERROR, "time zone rules: %s", u_errorName(status));
}

bool ds__zone_find(ds_arena *arena, const char *name, size_t size, ds__zone *out, ds_error *err) {
    int32_t offset;
    if (parse_offset(name, size, &offset)) {
        return fixed_zone(arena, offset, out, err);
    }
    if (size == 3 && (memcmp(name, "UTC", 3) == 0 || memcmp(name, "GMT", 3) == 0)) {
        *out = ds__zone_utc;
        out->is_named = true;
        return true;
    }
    UChar id[64];
    UChar canonical[64];
    UBool known = false;
    UErrorCode status = U_ZERO_ERROR;
    int32_t id_size = 0;
    if (size > 0 && size < 48) {
        u_strFromUTF8(id, 64, &id_size, name, (int32_t)size, &status);
        ucal_getCanonicalTimeZoneID(id, id_size, canonical, 64, &known, &status);
    }
    if (!known || U_FAILURE(status)) {
        return ds__error_set(err, 40485, "unrecognized time zone identifier: \"%.*s\"", (int)size,
                             name);
    }
    UCalendar *cal = ucal_open(id, id_size, "en", UCAL_GREGORIAN, &status);
    if (U_FAILURE(status)) {
        return ds__error_set(err, DS_INTERNAL_ERROR, "time zone rules: %s", u_errorName(status));
    }
    bool ok = copy_transitions(arena, cal, out, err);
    ucal_close(cal);
    return ok;
}

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* A moment after the table, moved into a year of the table with the same days of the week. */
static int64_t fold_future(int64_t ms) {
    ds__date_fields f;
    ds__date_split(ms, &f);
    if (f.year < LAST_YEAR - 1) {
        return ms;
    }
    int64_t start = ds__date_days(f.year, 1, 1);
    for (int64_t year = LAST_YEAR - 29; year < LAST_YEAR - 1; year++) {
        int64_t other = ds__date_days(year, 1, 1);
        if (is_leap(year) == is_leap(f.year) && (start - other) % 7 == 0) {
            return ms - (start - other) * DS_MS_DAY;
        }
    }
    return ms;
}

/* The period a moment is in. */
static uint32_t period_of(const ds__zone *zone, int64_t utc_ms) {
    uint32_t low = 0;
    uint32_t high = zone->count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->starts[middle] <= utc_ms) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t ds__zone_offset(const ds__zone *zone, int64_t utc_ms) {
    return zone->count == 1 ? zone->offsets[0]
                            : zone->offsets[period_of(zone, fold_future(utc_ms))];
}

int64_t ds__zone_to_utc(const ds__zone *zone, int64_t local_ms) {
    if (zone->count == 1) {
        return local_ms - (int64_t)zone->offsets[0] * 1000;
    }
    int64_t local = fold_future(local_ms);
    int64_t now = (int64_t)zone->offsets[period_of(zone, local)] * 1000;
    uint32_t period = period_of(zone, local - now);
    int64_t then = (int64_t)zone->offsets[period] * 1000;
    int64_t start = zone->starts[period];
    if (then == now && now <= 0) {
        /* a clock turned back west of UTC: the hour shown twice is the later one */
        uint32_t later = period_of(zone, local - now + 7200000);
        int64_t offset = (int64_t)zone->offsets[later] * 1000;
        if (offset < now && local - offset >= zone->starts[later]) {
            then = offset;
        }
    }
    bool in_transition =
        start != INT64_MIN && local - then >= start + (now - then) && local - then < start;
    return local_ms - (now != then && !in_transition ? then : now);
}
