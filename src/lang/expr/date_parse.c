/* SPDX-License-Identifier: Apache-2.0 */
/* Reading dates: the usual written forms, and forms described by a format of % letters. */
#include "lang/expr/internal.h"

#include <strings.h>

#include "lang/expr/date.h"

/* What has been read; -1 where nothing was. */
typedef struct date_parts {
    int64_t year;
    int64_t month;
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t millisecond;
    int64_t iso_year;
    int64_t iso_week;
    int64_t iso_day;
    bool has_zone;
    int64_t zone_minutes;
    int weekday; /* 0 Sunday; -1 none */
} date_parts;

typedef struct date_reader {
    const char *s;
    size_t size;
    size_t at;
    date_parts parts;
    ds_value text;
} date_reader;

static date_reader start(ds_value text) {
    return (date_reader){
        .s = ds__text(text),
        .size = text.size,
        .parts = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, false, 0, -1},
        .text = text,
    };
}

static bool bad(const date_reader *r, const char *why, ds_error *err) {
    return ds__error_set(err, DS_CONVERSION_FAILURE, "Error parsing date string '%.*s'; %zu: %s",
                         (int)r->size, r->s, r->at, why);
}

static char peek(const date_reader *r, size_t ahead) {
    return r->at + ahead < r->size ? r->s[r->at + ahead] : '\0';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Reads up to `most` digits; how many were there. */
static size_t read_number(date_reader *r, size_t most, int64_t *out) {
    size_t count = 0;
    int64_t v = 0;
    while (count < most && is_digit(peek(r, 0))) {
        v = v * 10 + (peek(r, 0) - '0');
        r->at++;
        count++;
    }
    *out = v;
    return count;
}

static size_t digits_ahead(const date_reader *r) {
    size_t n = 0;
    while (is_digit(peek(r, n))) {
        n++;
    }
    return n;
}

static void skip_spaces(date_reader *r) {
    while (peek(r, 0) != '\0' && strchr(" \t\n,", peek(r, 0)) != NULL) {
        r->at++;
    }
}

static size_t word_size(const date_reader *r) {
    size_t n = 0;
    while (is_alpha(peek(r, n))) {
        n++;
    }
    return n;
}

static int find_word(const char *s, size_t size, const char *const *words) {
    for (int i = 0; words[i] != NULL; i++) {
        if (strncasecmp(words[i], s, size) == 0 && (size == 3 || words[i][size] == '\0')) {
            return i;
        }
    }
    return -1;
}

static const char *const months[] = {"January",  "February", "March",  "April",     "May",
                                     "June",     "July",     "August", "September", "October",
                                     "November", "December", NULL};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday",  "Wednesday",
                                       "Thursday", "Friday", "Saturday", NULL};

/* ":mm[:ss[.fraction]]" after the hour, or nothing. */
static bool read_clock_rest(date_reader *r, ds_error *err) {
    date_parts *p = &r->parts;
    p->second = 0;
    p->millisecond = 0;
    r->at++;
    if (read_number(r, 2, &p->minute) == 0) {
        return bad(r, "Unexpected character", err);
    }
    if (peek(r, 0) == ':') {
        r->at++;
        if (read_number(r, 2, &p->second) == 0) {
            return bad(r, "Unexpected character", err);
        }
        if (peek(r, 0) == '.' || peek(r, 0) == ',') {
            int64_t scale = 100;
            r->at++;
            while (is_digit(peek(r, 0))) {
                p->millisecond += (peek(r, 0) - '0') * scale;
                scale /= 10;
                r->at++;
            }
        }
    }
    if (is_digit(peek(r, 0))) {
        return bad(r, "Double time specification", err);
    }
    return true;
}

static bool read_offset(date_reader *r, ds_error *err) {
    int64_t sign = peek(r, 0) == '-' ? -1 : 1;
    int64_t hours;
    int64_t minutes = 0;
    r->at++;
    size_t count = digits_ahead(r);
    if (count == 0 || count > 4) {
        return bad(r, "Unexpected character", err);
    }
    read_number(r, count <= 2 ? count : count - 2, &hours);
    if (count > 2) {
        read_number(r, 2, &minutes);
    } else if (peek(r, 0) == ':' && is_digit(peek(r, 1))) {
        r->at++;
        read_number(r, 2, &minutes);
    }
    r->parts.has_zone = true;
    r->parts.zone_minutes = sign * (hours * 60 + minutes);
    return true;
}

/* Abbreviations of zones, minutes east of UTC. */
static bool zone_abbreviation(const char *s, size_t size, int64_t *minutes) {
    static const struct {
        const char *name;
        int minutes;
    } known[] = {
        {"Z", 0},      {"UTC", 0},    {"GMT", 0},    {"WET", 0},    {"WEST", 60},  {"CET", 60},
        {"CEST", 120}, {"BST", 60},   {"EET", 120},  {"EEST", 180}, {"MSK", 180},  {"EST", -300},
        {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480},
        {"PDT", -420}, {"JST", 540},  {"IST", 330},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].name) == size && strncasecmp(known[i].name, s, size) == 0) {
            *minutes = known[i].minutes;
            return true;
        }
    }
    return false;
}

static bool read_word(date_reader *r, ds_error *err) {
    const char *word = r->s + r->at;
    size_t size = word_size(r);
    int month = size >= 3 ? find_word(word, size, months) : -1;
    if (size == 4 && strncasecmp(word, "sept", 4) == 0) {
        month = 8;
    }
    if (month >= 0) {
        r->parts.month = month + 1;
    } else if (size >= 3 && find_word(word, size, weekdays) >= 0) {
        r->parts.weekday = find_word(word, size, weekdays);
    } else if ((word[0] == 'T' || word[0] == 't') && size == 1 && is_digit(peek(r, 1))) {
        /* the letter between date and time */
    } else if (peek(r, size) == '/') {
        return bad(r, "passing a time zone identifier as part of the string is not allowed", err);
    } else if (!r->parts.has_zone && zone_abbreviation(word, size, &r->parts.zone_minutes)) {
        r->parts.has_zone = true;
    } else if (r->parts.year < 0 && r->at == 0 && r->size == size) {
        return ds__error_set(err, DS_CONVERSION_FAILURE,
                             "an incomplete date/time string has been found, with elements "
                             "missing: \"%.*s\"",
                             (int)r->size, r->s);
    } else {
        return bad(r, "The timezone could not be found in the database", err);
    }
    r->at += size;
    if (month >= 0 && peek(r, 0) == '-') {
        r->at++;
    }
    bool more = r->parts.has_zone && (peek(r, 0) == '+' || peek(r, 0) == '-');
    return !more || read_offset(r, err);
}

/* Eight digits are a date, six after a date a time; fourteen are both. */
static bool read_packed(date_reader *r, size_t count, ds_error *err) {
    date_parts *p = &r->parts;
    if ((count == 8 || count == 14) && p->year < 0) {
        read_number(r, 4, &p->year);
        read_number(r, 2, &p->month);
        read_number(r, 2, &p->day);
        if (count == 14) {
            read_number(r, 2, &p->hour);
            read_number(r, 2, &p->minute);
            read_number(r, 2, &p->second);
        }
        return true;
    }
    if ((count == 6 || count == 4) && p->year >= 0 && p->hour < 0) {
        read_number(r, 2, &p->hour);
        read_number(r, 2, &p->minute);
        p->second = 0;
        if (count == 6) {
            read_number(r, 2, &p->second);
        }
        return true;
    }
    return bad(r, "Unexpected character", err);
}

/* Two digits stand for 1970 to 2069. */
static bool read_year(date_reader *r, ds_error *err) {
    size_t count = read_number(r, 4, &r->parts.year);
    if (count != 2 && count != 4) {
        return bad(r, "Unexpected character", err);
    }
    if (count == 2) {
        r->parts.year += r->parts.year < 70 ? 2000 : 1900;
    }
    return true;
}

/* "d.m.y" or "d-m-y" after d. */
static bool read_european(date_reader *r, int64_t day, ds_error *err) {
    char separator = peek(r, 0);
    r->parts.day = day;
    r->at++;
    if (read_number(r, 2, &r->parts.month) == 0 || peek(r, 0) != separator) {
        return bad(r, "Unexpected character", err);
    }
    r->at++;
    return read_year(r, err);
}

/* "m/d/y" after m. */
static bool read_american(date_reader *r, int64_t month, ds_error *err) {
    r->parts.month = month;
    r->at++;
    if (read_number(r, 2, &r->parts.day) == 0 || peek(r, 0) != '/') {
        return bad(r, "Unexpected character", err);
    }
    r->at++;
    return read_year(r, err);
}

static bool read_year_first(date_reader *r, int64_t year, ds_error *err) {
    date_parts *p = &r->parts;
    char separator = peek(r, 0);
    p->year = year;
    r->at++;
    if (separator == '-' && (peek(r, 0) == 'W' || peek(r, 0) == 'w')) {
        p->iso_year = year;
        p->iso_day = 1;
        r->at++;
        if (read_number(r, 2, &p->iso_week) == 0) {
            return bad(r, "Unexpected character", err);
        }
        if (peek(r, 0) == '-') {
            r->at++;
            read_number(r, 1, &p->iso_day);
        }
        return true;
    }
    size_t word = word_size(r);
    if (word >= 3) {
        p->month = find_word(r->s + r->at, word, months) + 1;
        r->at += word;
    } else if (read_number(r, 2, &p->month) == 0) {
        return bad(r, "Unexpected character", err);
    }
    if (p->month < 1 && word > 0) {
        return bad(r, "Unexpected character", err);
    }
    if (p->month > 12) {
        return bad(r, "Unexpected character", err);
    }
    p->day = 1;
    if (peek(r, 0) == separator && is_digit(peek(r, 1))) {
        r->at++;
        read_number(r, 2, &p->day);
    }
    return true;
}

/* "am" or "pm" after an hour of twelve. */
static bool read_half_of_day(date_reader *r) {
    date_parts *p = &r->parts;
    size_t spaces = peek(r, 0) == ' ';
    char c = (char)(peek(r, spaces) | 0x20);
    if ((c != 'a' && c != 'p') || (peek(r, spaces + 1) | 0x20) != 'm' || p->hour < 1 ||
        p->hour > 12) {
        return false;
    }
    p->hour = p->hour % 12 + (c == 'p' ? 12 : 0);
    r->at += spaces + 2;
    return true;
}

/* "T03", "3pm": an hour without minutes. */
static bool read_hour_alone(date_reader *r, int64_t hour) {
    size_t digits = hour > 9 ? 2 : 1;
    bool after_letter = r->at > digits && (r->s[r->at - 3] == 'T' || r->s[r->at - 3] == 't');
    r->parts.hour = hour;
    if (read_half_of_day(r) || after_letter) {
        return true;
    }
    r->parts.hour = -1;
    return false;
}

static bool read_digits(date_reader *r, ds_error *err) {
    date_parts *p = &r->parts;
    size_t count = digits_ahead(r);
    char next = peek(r, count);
    int64_t v;
    if (count > 4 || (count == 4 && p->year >= 0)) {
        return read_packed(r, count, err);
    }
    read_number(r, count, &v);
    if (count == 4 && (next == '-' || next == '/') && p->year < 0) {
        return read_year_first(r, v, err);
    }
    if (count <= 2 && next == ':' && p->hour < 0) {
        p->hour = v;
        if (!read_clock_rest(r, err)) {
            return false;
        }
        read_half_of_day(r);
        return true;
    }
    if (count <= 2 && next == '/' && p->year < 0) {
        return read_american(r, v, err);
    }
    if (count <= 2 && (next == '.' || next == '-') && p->year < 0 && is_digit(peek(r, 1))) {
        bool year_first = v > 31 && next == '-';
        return year_first ? read_year_first(r, v + (v < 70 ? 2000 : 1900), err)
                          : read_european(r, v, err);
    }
    if (count <= 2 && p->year >= 0 && p->hour < 0 && read_hour_alone(r, v)) {
        return true;
    }
    if (count == 4 && p->month >= 0 && p->year < 0) {
        p->year = v;
        p->day = p->day < 0 ? 1 : p->day;
        return true;
    }
    if (count <= 2 && p->day < 0 && p->year < 0) {
        static const char *const ordinals[] = {"st", "nd", "rd", "th"};
        p->day = v;
        for (int i = 0; i < 4; i++) {
            if (word_size(r) == 2 && strncasecmp(r->s + r->at, ordinals[i], 2) == 0) {
                r->at += 2;
                break;
            }
        }
        if (peek(r, 0) == '-') {
            r->at++;
        }
        return true;
    }
    if (count == 4 && p->year < 0) {
        return ds__error_set(err, DS_CONVERSION_FAILURE,
                             "an incomplete date/time string has been found, with elements "
                             "missing: \"%.*s\"",
                             (int)r->size, r->s);
    }
    return bad(r, "Unexpected character", err);
}

static int64_t days_in_month(int64_t year, int64_t month) {
    return ds__date_days(year, month + 1, 1) - ds__date_days(year, month, 1);
}

/* What was read as a moment; checks that it exists. */
static bool finish(const date_reader *r, const ds__zone *zone, int64_t *out, ds_error *err) {
    const date_parts *p = &r->parts;
    bool iso = p->iso_year >= 0 && p->iso_week >= 0 && p->iso_day >= 0;
    if (!iso && (p->year < 0 || p->month < 0 || p->day < 0)) {
        return ds__error_set(err, DS_CONVERSION_FAILURE,
                             "an incomplete date/time string has been found, with elements "
                             "missing: \"%.*s\"",
                             (int)r->size, r->s);
    }
    if (p->hour > 23 || p->minute > 59 || p->second > 59) {
        return bad(r, "The parsed time was invalid", err);
    }
    int64_t days;
    if (iso) {
        days = ds__date_iso_days(p->iso_year, p->iso_week, p->iso_day);
    } else {
        if (p->month < 1 || p->month > 12 || p->day < 1 ||
            p->day > days_in_month(p->year, p->month)) {
            return bad(r, "The parsed date was invalid", err);
        }
        days = ds__date_days(p->year, p->month, p->day);
    }
    if (p->weekday >= 0) { /* the first such day from the date on */
        days += ds__floor_mod(p->weekday - (days + 4), 7);
    }
    int64_t clock =
        (p->hour > 0 ? p->hour : 0) * 3600000 + (p->minute > 0 ? p->minute : 0) * 60000 +
        (p->second > 0 ? p->second : 0) * 1000 + (p->millisecond > 0 ? p->millisecond : 0);
    int64_t local = days * DS_MS_DAY + clock;
    if (p->has_zone && zone != NULL) {
        return ds__error_set(err, DS_CONVERSION_FAILURE,
                             "you cannot pass in a date/time string with time zone information "
                             "together with a timezone argument");
    }
    if (p->has_zone) {
        *out = local - p->zone_minutes * 60000;
    } else {
        *out = zone != NULL ? ds__zone_to_utc(zone, local) : local;
    }
    return true;
}

/* "@86400": seconds since 1970. */
static bool parse_seconds(date_reader *r, int64_t *out, ds_error *err) {
    int64_t seconds;
    r->at++;
    int64_t sign = peek(r, 0) == '-' ? -1 : 1;
    r->at += sign < 0;
    if (read_number(r, 15, &seconds) == 0 || r->at != r->size) {
        return bad(r, "Unexpected character", err);
    }
    *out = sign * seconds * 1000;
    return true;
}

bool ds__date_parse(ds_arena *arena, ds_value text, const ds__zone *zone, int64_t *out,
                    ds_error *err) {
    date_reader r = start(text);
    skip_spaces(&r);
    if (r.at == r.size) {
        return bad(&r, "Empty string", err);
    }
    if (peek(&r, 0) == '@') {
        return parse_seconds(&r, out, err);
    }
    while (r.at < r.size) {
        char c = peek(&r, 0);
        bool ok;
        if (is_digit(c)) {
            ok = read_digits(&r, err);
        } else if (is_alpha(c)) {
            ok = read_word(&r, err);
        } else if ((c == '+' || c == '-') && r.parts.year >= 0 && !r.parts.has_zone) {
            ok = read_offset(&r, err);
        } else {
            ok = bad(&r, "Unexpected character", err);
        }
        if (!ok) {
            return false;
        }
        skip_spaces(&r);
    }
    return finish(&r, zone, out, err);
}

/* One % letter of a format. */
static bool read_field(date_reader *r, char letter, ds_error *err) {
    date_parts *p = &r->parts;
    int64_t *to = NULL;
    size_t most = 2;
    int64_t ignored;
    switch (letter) {
    case 'Y':
        to = &p->year;
        most = 4;
        break;
    case 'm':
        to = &p->month;
        break;
    case 'd':
        to = &p->day;
        break;
    case 'H':
        to = &p->hour;
        break;
    case 'M':
        to = &p->minute;
        break;
    case 'S':
        to = &p->second;
        break;
    case 'L':
        to = &p->millisecond;
        most = 3;
        break;
    case 'G':
        to = &p->iso_year;
        most = 4;
        break;
    case 'V':
        to = &p->iso_week;
        break;
    case 'u':
        to = &p->iso_day;
        most = 1;
        break;
    case 'z':
        if (peek(r, 0) == 'Z') {
            r->at++;
            p->has_zone = true;
            return true;
        }
        if (peek(r, 0) == '+' || peek(r, 0) == '-') {
            return read_offset(r, err);
        }
        return bad(r, "Time zone offset expected", err);
    case 'Z': {
        int64_t sign = peek(r, 0) == '-' ? -1 : 1;
        r->at += peek(r, 0) == '-' || peek(r, 0) == '+';
        if (read_number(r, 4, &ignored) == 0) {
            return bad(r, "Time zone offset expected", err);
        }
        p->has_zone = true;
        p->zone_minutes = sign * ignored;
        return true;
    }
    default:
        return ds__error_set(err, 18536, "Invalid format character '%%%c' in format string",
                             letter);
    }
    if (letter == 'L') {
        int64_t scale = 100;
        *to = 0;
        size_t count = 0;
        for (; count < most && is_digit(peek(r, 0)); count++, scale /= 10) {
            *to += (peek(r, 0) - '0') * scale;
            r->at++;
        }
        return count > 0 || bad(r, "Digits expected", err);
    }
    size_t count = read_number(r, most, to);
    if (count == 0 || (most == 4 && count != 4)) {
        return bad(r, "Digits expected", err);
    }
    return true;
}

bool ds__date_parse_format(ds_arena *arena, ds_value text, ds_value format, const ds__zone *zone,
                           int64_t *out, ds_error *err) {
    date_reader r = start(text);
    const char *f = ds__text(format);
    for (uint32_t i = 0; i < format.size; i++) {
        if (f[i] == '%' && i + 1 == format.size) {
            return ds__error_set(err, 18535, "Unmatched '%%' at end of format string");
        }
        if (f[i] == '%' && f[i + 1] != '%') {
            if (!read_field(&r, f[++i], err)) {
                return false;
            }
            continue;
        }
        i += f[i] == '%';
        if (r.at >= r.size || peek(&r, 0) != f[i]) {
            return bad(&r, "Format literal not found", err);
        }
        r.at++;
    }
    if (r.at < r.size) {
        return bad(&r, "Trailing data", err);
    }
    return finish(&r, zone, out, err);
}
