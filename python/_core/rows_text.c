/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of single values in the formats of Django REST Framework's fields. */
#include "rows.h"

#include "extension.h"

static PyObject *ascii(const char *text, size_t size) {
    PyObject *out = PyUnicode_New((Py_ssize_t)size, 127);
    if (out) {
        memcpy(PyUnicode_1BYTE_DATA(out), text, size);
    }
    return out;
}

static ds__shown shown(PyObject *made, PyObject **out) {
    *out = made;
    return made ? DS_SHOWN : DS_SHOWN_ERROR;
}

static char *add_hex(char *p, const uint8_t *bytes, size_t size) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *p++ = hex[bytes[i] >> 4];
        *p++ = hex[bytes[i] & 15];
    }
    return p;
}

PyObject *ds__text_object_id(const uint8_t oid[12]) {
    char text[24];
    add_hex(text, oid, 12);
    return ascii(text, sizeof text);
}

PyObject *ds__text_uuid(const uint8_t bytes[16]) {
    static const size_t groups[] = {4, 2, 2, 2, 6};
    char text[36], *p = text;
    for (int i = 0; i < 5; i++) {
        if (i > 0) {
            *p++ = '-';
        }
        p = add_hex(p, bytes, groups[i]);
        bytes += groups[i];
    }
    return ascii(text, sizeof text);
}

PyObject *ds__text_base64(const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    PyObject *out = PyUnicode_New((Py_ssize_t)((size + 2) / 3 * 4), 127);
    Py_UCS1 *p = out ? PyUnicode_1BYTE_DATA(out) : NULL;
    for (size_t i = 0; p && i < size; i += 3) {
        size_t left = size - i;
        uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        *p++ = (Py_UCS1)digits[v >> 18];
        *p++ = (Py_UCS1)digits[v >> 12 & 63];
        *p++ = (Py_UCS1)(left > 1 ? digits[v >> 6 & 63] : '=');
        *p++ = (Py_UCS1)(left > 2 ? digits[v & 63] : '=');
    }
    return out;
}

/* A number of `width` digits with leading zeros. */
static char *add_digits(char *p, int64_t v, int width) {
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + width;
}

/* As isoformat() of a date or time. NULL before year 1 and after 9999: datetime has no others. */
static char *add_date(char *p, int64_t ms, bool with_time) {
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    if (days < -719162 || days > 2932896) {
        return NULL;
    }
    int64_t z = days + 719468; /* days since 0000-03-01, by the civil calendar's 400-year cycle */
    int64_t era = z / 146097, day = z % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    p = add_digits(p, year + era * 400 + (month <= 2), 4);
    *p++ = '-';
    p = add_digits(p, month, 2);
    *p++ = '-';
    p = add_digits(p, day_of_month, 2);
    if (with_time) {
        *p++ = 'T';
        p = add_digits(p, rest / 3600000, 2);
        *p++ = ':';
        p = add_digits(p, rest / 60000 % 60, 2);
        *p++ = ':';
        p = add_digits(p, rest / 1000 % 60, 2);
        if (rest % 1000 != 0) {
            *p++ = '.';
            p = add_digits(p, rest % 1000 * 1000, 6);
        }
    }
    return p;
}

ds__shown ds__text_date(int64_t ms, PyObject **out) {
    char text[16], *end = add_date(text, ms, false);
    return end ? shown(ascii(text, (size_t)(end - text)), out) : DS_SHOWN_PASS;
}

/* Asks Python for the zone and the precision of now, unless what they follow from is as before. */
static bool look_up_style(ds__rows *rows) {
    if (rows->resting) {
        PyGC_Enable();
    }
    PyObject *answer = PyObject_CallOneArg(rows->style, rows->styled ? rows->styled : Py_None);
    PyObject *zone_b, *styled_b;
    rows->resting = rows->resting && PyGC_Disable();
    rows->fresh = answer == Py_None;
    if (answer && answer != Py_None &&
        PyArg_ParseTuple(answer, "OiO;a style", &zone_b, &rows->precision, &styled_b)) {
        Py_XSETREF(rows->zone, Py_NewRef(zone_b));
        Py_XSETREF(rows->styled, Py_NewRef(styled_b));
        rows->suffix = PyUnicode_Check(rows->zone) ? PyUnicode_AsUTF8(rows->zone) : NULL;
        rows->fresh = !PyErr_Occurred();
    }
    Py_XDECREF(answer);
    return rows->fresh;
}

/* How far the zone is ahead of UTC at a moment, in seconds: false when it cannot tell, or datetime
 * has no such moment. No Python error is left. */
static bool zone_offset(const ds__rows *rows, int64_t ms, int64_t *ahead) {
    const PyDateTime_CAPI *api = rows->state->datetime;
    PyObject *stored = ds__py_datetime(rows->state, ms, NULL), *there = NULL, *local = NULL;
    if (stored && Py_IS_TYPE(stored, api->DateTimeType)) {
        there = api->DateTime_FromDateAndTime(
            PyDateTime_GET_YEAR(stored), PyDateTime_GET_MONTH(stored), PyDateTime_GET_DAY(stored),
            PyDateTime_DATE_GET_HOUR(stored), PyDateTime_DATE_GET_MINUTE(stored),
            PyDateTime_DATE_GET_SECOND(stored), PyDateTime_DATE_GET_MICROSECOND(stored), rows->zone,
            api->DateTimeType);
    }
    if (there) {
        local = PyObject_CallMethod(rows->zone, "fromutc", "O", there);
    }
    bool ok = local && PyObject_TypeCheck(local, api->DateTimeType) &&
              PyDateTime_DATE_GET_MICROSECOND(local) == PyDateTime_DATE_GET_MICROSECOND(stored);
    if (ok) {
        *ahead = ds__py_wall_seconds(local) - ds__py_wall_seconds(stored);
    }
    Py_XDECREF(stored);
    Py_XDECREF(there);
    Py_XDECREF(local);
    PyErr_Clear();
    return ok;
}

/* In the zone, with Z for +00:00. */
static ds__shown local_datetime(const ds__rows *rows, int64_t ms, PyObject **out) {
    char text[48], *p;
    int64_t ahead = 0;
    if (rows->zone == Py_None || !zone_offset(rows, ms, &ahead) || ahead <= -86400 ||
        ahead >= 86400 || !(p = add_date(text, ms + ahead * 1000, true))) {
        return DS_SHOWN_PASS;
    }
    if (ahead == 0) {
        *p++ = 'Z';
    } else {
        int64_t size = ahead < 0 ? -ahead : ahead;
        *p++ = ahead < 0 ? '-' : '+';
        p = add_digits(p, size / 3600, 2);
        *p++ = ':';
        p = add_digits(p, size / 60 % 60, 2);
        if (size % 60 != 0) {
            *p++ = ':';
            p = add_digits(p, size % 60, 2);
        }
    }
    return shown(ascii(text, (size_t)(p - text)), out);
}

ds__shown ds__text_datetime(ds__rows *rows, int64_t ms, PyObject **out) {
    if (!rows->fresh && !look_up_style(rows)) {
        return DS_SHOWN_ERROR;
    }
    if (!rows->suffix) {
        return local_datetime(rows, ms, out);
    }
    char text[48], *p = add_date(text, ms, true);
    if (!p) {
        return DS_SHOWN_PASS;
    }
    if (rows->suffix[0]) {
        *p++ = rows->suffix[0];
    }
    return shown(ascii(text, (size_t)(p - text)), out);
}

/* Digits from the first that is not 0. */
static int significant(const char *text, size_t n) {
    int count = 0;
    for (size_t i = 0; i < n; i++) {
        count += text[i] >= '0' && text[i] <= '9' && (count > 0 || text[i] != '0');
    }
    return count;
}

/* In plain notation; only what quantize() leaves as it is. */
ds__shown ds__text_decimal(ds__rows *rows, const ds__shape *shape, ds_decimal value,
                           PyObject **out) {
    char text[DS_DECIMAL_TEXT_SIZE];
    if (ds__dec_is_nan(value) || ds__dec_is_infinite(value)) {
        return DS_SHOWN_PASS;
    }
    size_t n = ds__dec_to_text(value, text);
    if (memchr(text, 'E', n) != NULL) {
        return DS_SHOWN_PASS;
    }
    if (shape->places >= 0) {
        const char *dot = memchr(text, '.', n);
        int has = dot ? (int)(text + n - dot - 1) : 0;
        if (shape->digits < 0 && !rows->fresh && !look_up_style(rows)) {
            return DS_SHOWN_ERROR;
        }
        int most = shape->digits < 0 ? rows->precision : shape->digits;
        if (has != shape->places || most == 0 || significant(text, n) > most) {
            return DS_SHOWN_PASS;
        }
    }
    return shown(ascii(text, n), out);
}
