/* SPDX-License-Identifier: Apache-2.0 */
/* Values as JSON text, in the formats of Django REST Framework's fields. */
#include "json.h"

#include <math.h>

#include "bson/decimal.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "codec.h"

static void add(ds_buf *out, const char *text) {
    ds_buf_add(out, text, strlen(text));
}

/* Bytes that cannot stand as they are in JSON: control characters, quote, backslash, and the first
 * byte of U+2028 and U+2029. */
static bool is_special(uint8_t c) {
    return c < 0x20 || c == '"' || c == '\\' || c == 0xe2;
}

static void add_escape(ds_buf *out, uint8_t c) {
    static const char hex[] = "0123456789abcdef";
    static const char *const short_forms[0x20] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    if (c == '"' || c == '\\') {
        char pair[2] = {'\\', (char)c};
        ds_buf_add(out, pair, 2);
    } else if (short_forms[c]) {
        ds_buf_add(out, short_forms[c], 2);
    } else {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        ds_buf_add(out, text, 6);
    }
}

bool ds__json_text(ds_buf *out, const char *text, size_t size) {
    const uint8_t *p = (const uint8_t *)text, *end = p + size, *plain = p;
    bool ascii = true;
    for (const uint8_t *q = p; q < end; q++) {
        ascii &= *q < 0x80;
    }
    if (!ascii && !ds__utf8_valid(text, size)) {
        return false;
    }
    ds_buf_add_byte(out, '"');
    for (; p < end; p++) {
        if (!is_special(*p)) {
            continue;
        }
        if (*p == 0xe2) {
            if (p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9)) {
                ds_buf_add(out, plain, (size_t)(p - plain));
                add(out, p[2] == 0xa8 ? "\\u2028" : "\\u2029");
                p += 2;
                plain = p + 1;
            }
            continue;
        }
        ds_buf_add(out, plain, (size_t)(p - plain));
        add_escape(out, *p);
        plain = p + 1;
    }
    ds_buf_add(out, plain, (size_t)(end - plain));
    ds_buf_add_byte(out, '"');
    return true;
}

static void add_int(ds_buf *out, int64_t v) {
    char text[24];
    char *p = text + sizeof text;
    uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    if (v < 0) {
        *--p = '-';
    }
    ds_buf_add(out, p, (size_t)(text + sizeof text - p));
}

static bool add_double(ds_buf *out, double v) {
    if (!isfinite(v)) {
        return false;
    }
    char *text = PyOS_double_to_string(v, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL) {
        PyErr_Clear();
        return false;
    }
    add(out, text);
    PyMem_Free(text);
    return true;
}

static void add_hex(ds_buf *out, const uint8_t *bytes, size_t size) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {hex[bytes[i] >> 4], hex[bytes[i] & 15]};
        ds_buf_add(out, pair, 2);
    }
}

static void add_object_id(ds_buf *out, const uint8_t oid[12]) {
    ds_buf_add_byte(out, '"');
    add_hex(out, oid, 12);
    ds_buf_add_byte(out, '"');
}

static void add_uuid(ds_buf *out, const uint8_t bytes[16]) {
    static const size_t groups[] = {4, 2, 2, 2, 6};
    ds_buf_add_byte(out, '"');
    for (int i = 0; i < 5; i++) {
        add_hex(out, bytes, groups[i]);
        bytes += groups[i];
        if (i < 4) {
            ds_buf_add_byte(out, '-');
        }
    }
    ds_buf_add_byte(out, '"');
}

static void add_base64(ds_buf *out, const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    ds_buf_add_byte(out, '"');
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t v = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (left > 2 ? bytes[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        ds_buf_add(out, four, 4);
    }
    ds_buf_add_byte(out, '"');
}

/* A number of `width` digits with leading zeros. */
static char *digits_of(char *p, int64_t v, int width) {
    for (int i = width - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + width;
}

/* Years 1 to 9999 only: Python's datetime has no others. */
static bool add_date(ds_buf *out, int64_t ms, bool with_time, const char *suffix) {
    int64_t days = ms / 86400000, rest = ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    if (days < -719162 || days > 2932896) {
        return false;
    }
    int64_t z = days + 719468; /* days since 0000-03-01, by the civil calendar's 400-year cycle */
    int64_t era = z / 146097, day = z % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    char text[48];
    char *p = text;
    *p++ = '"';
    p = digits_of(p, year, 4);
    *p++ = '-';
    p = digits_of(p, month, 2);
    *p++ = '-';
    p = digits_of(p, day_of_month, 2);
    if (with_time) {
        *p++ = 'T';
        p = digits_of(p, rest / 3600000, 2);
        *p++ = ':';
        p = digits_of(p, rest / 60000 % 60, 2);
        *p++ = ':';
        p = digits_of(p, rest / 1000 % 60, 2);
        if (rest % 1000 != 0) {
            *p++ = '.';
            p = digits_of(p, rest % 1000 * 1000, 6);
        }
        while (*suffix) {
            *p++ = *suffix++;
        }
    }
    *p++ = '"';
    ds_buf_add(out, text, (size_t)(p - text));
    return true;
}

/* How far the style's zone is ahead of UTC at a moment, in seconds: false when the zone cannot tell
 * or datetime has no such moment. No Python error is left. */
static bool zone_offset(const ds__json_style *style, int64_t ms, int64_t *ahead) {
    const PyDateTime_CAPI *api = style->state->datetime;
    PyObject *stored = ds__py_datetime(style->state, ms, NULL), *there = NULL, *local = NULL;
    if (stored && Py_IS_TYPE(stored, api->DateTimeType)) {
        there = api->DateTime_FromDateAndTime(
            PyDateTime_GET_YEAR(stored), PyDateTime_GET_MONTH(stored), PyDateTime_GET_DAY(stored),
            PyDateTime_DATE_GET_HOUR(stored), PyDateTime_DATE_GET_MINUTE(stored),
            PyDateTime_DATE_GET_SECOND(stored), PyDateTime_DATE_GET_MICROSECOND(stored),
            style->zone, api->DateTimeType);
    }
    if (there) {
        local = PyObject_CallMethod(style->zone, "fromutc", "O", there);
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

/* As datetime.isoformat() in a zone, with Z for +00:00. */
static bool add_local(ds_buf *out, int64_t ms, const ds__json_style *style) {
    char suffix[16] = "Z";
    int64_t ahead = 0;
    if (!zone_offset(style, ms, &ahead) || ahead <= -86400 || ahead >= 86400) {
        return false;
    }
    if (ahead != 0) {
        int64_t size = ahead < 0 ? -ahead : ahead;
        char *p = suffix;
        *p++ = ahead < 0 ? '-' : '+';
        p = digits_of(p, size / 3600, 2);
        *p++ = ':';
        p = digits_of(p, size / 60 % 60, 2);
        if (size % 60 != 0) {
            *p++ = ':';
            p = digits_of(p, size % 60, 2);
        }
        *p = '\0';
    }
    return add_date(out, ms + ahead * 1000, true, suffix);
}

static bool add_datetime(ds_buf *out, int64_t ms, const ds__json_style *style) {
    return style->zone ? add_local(out, ms, style)
                       : add_date(out, ms, true, style->datetime_suffix);
}

/* Plain notation. `places` -1: as stored; otherwise only a decimal that has just these. */
static bool add_decimal(ds_buf *out, ds_decimal v, int places) {
    char text[DS_DECIMAL_TEXT_SIZE];
    if (ds__dec_is_nan(v) || ds__dec_is_infinite(v)) {
        return false;
    }
    size_t n = ds__dec_to_text(v, text);
    if (memchr(text, 'E', n) != NULL) {
        return false;
    }
    const char *dot = memchr(text, '.', n);
    int has = dot ? (int)(text + n - dot - 1) : 0;
    if (places >= 0 && has != places) {
        return false;
    }
    ds_buf_add_byte(out, '"');
    ds_buf_add(out, text, n);
    ds_buf_add_byte(out, '"');
    return true;
}

static bool add_dynamic(ds_buf *out, ds_value v, const ds__json_style *style);

static bool add_members(ds_buf *out, ds_value v, const ds__json_shape *item, bool names,
                        const ds__json_style *style) {
    ds__iter it;
    ds__iter_init(&it, v);
    bool first = true;
    ds_buf_add_byte(out, names ? '{' : '[');
    while (ds__iter_next(&it)) {
        if (!first) {
            ds_buf_add_byte(out, ',');
        }
        first = false;
        if (names) {
            if (!ds__json_text(out, it.key, it.key_size)) {
                return false;
            }
            ds_buf_add_byte(out, ':');
        }
        bool ok =
            item ? ds__json_value(out, item, it.value, style) : add_dynamic(out, it.value, style);
        if (!ok) {
            return false;
        }
    }
    ds_buf_add_byte(out, names ? '}' : ']');
    return true;
}

static bool add_binary(ds_buf *out, ds_value v) {
    if ((v.subtype == 4 || v.subtype == 3) && v.size == 16) {
        add_uuid(out, v.as.bytes);
        return v.subtype == 4;
    }
    add_base64(out, v.as.bytes, v.size);
    return v.subtype == 0;
}

static bool add_dynamic(ds_buf *out, ds_value v, const ds__json_style *style) {
    switch ((ds_type)v.type) {
    case DS_DOUBLE:
        return add_double(out, v.as.f64);
    case DS_STRING:
        return ds__json_text(out, ds__text(v), v.size);
    case DS_DOCUMENT:
        return add_members(out, v, NULL, true, style);
    case DS_ARRAY:
        return add_members(out, v, NULL, false, style);
    case DS_BINARY:
        return add_binary(out, v);
    case DS_OBJECT_ID:
        add_object_id(out, v.as.oid);
        return true;
    case DS_BOOL:
        add(out, v.as.b ? "true" : "false");
        return true;
    case DS_DATE:
        return add_datetime(out, v.as.i64, style);
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
        add(out, "null");
        return true;
    case DS_INT32:
        add_int(out, v.as.i32);
        return true;
    case DS_INT64:
        add_int(out, v.as.i64);
        return true;
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
    case DS_CODE_W_SCOPE:
    case DS_TIMESTAMP:
    case DS_DECIMAL: /* its text depends on the exponent: Python's to decide */
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        return false;
    }
    return false;
}

static bool add_reference(ds_buf *out, ds_value v, const ds__json_style *style) {
    if (v.type == DS_DOCUMENT) {
        ds_value id;
        if (!ds__doc_get(v, "$id", 3, &id)) {
            return false;
        }
        v = id;
    }
    return v.type != DS_DOCUMENT && v.type != DS_ARRAY && add_dynamic(out, v, style);
}

static bool add_float(ds_buf *out, ds_value v) {
    if (v.type == DS_INT32) {
        return add_double(out, v.as.i32);
    }
    return v.type == DS_DOUBLE && add_double(out, v.as.f64);
}

static bool add_shaped(ds_buf *out, const ds__json_shape *shape, ds_value v,
                       const ds__json_style *style) {
    switch ((ds__json_writer)shape->writer) {
    case DS_JSON_STRING:
        return v.type == DS_STRING && ds__json_text(out, ds__text(v), v.size);
    case DS_JSON_INT:
        return (v.type == DS_INT32 || v.type == DS_INT64) && add_dynamic(out, v, style);
    case DS_JSON_FLOAT:
        return add_float(out, v);
    case DS_JSON_BOOL:
        return v.type == DS_BOOL && add_dynamic(out, v, style);
    case DS_JSON_DECIMAL:
        return v.type == DS_DECIMAL && add_decimal(out, v.as.dec, shape->argument);
    case DS_JSON_DATETIME:
        return v.type == DS_DATE && add_dynamic(out, v, style);
    case DS_JSON_DATE:
        return v.type == DS_DATE && add_date(out, v.as.i64, false, "");
    case DS_JSON_UUID:
        return v.type == DS_BINARY && v.subtype == 4 && v.size == 16 && add_binary(out, v);
    case DS_JSON_OBJECT_ID:
        return v.type == DS_OBJECT_ID && add_dynamic(out, v, style);
    case DS_JSON_BINARY:
        if (v.type == DS_BINARY) {
            add_base64(out, v.as.bytes, v.size);
        }
        return v.type == DS_BINARY;
    case DS_JSON_REFERENCE:
        return add_reference(out, v, style);
    case DS_JSON_DYNAMIC:
        return add_dynamic(out, v, style);
    case DS_JSON_LIST:
        return v.type == DS_ARRAY && add_members(out, v, shape->item, false, style);
    case DS_JSON_DICT:
        return v.type == DS_DOCUMENT && add_members(out, v, shape->item, true, style);
    case DS_JSON_EMBEDDED:
        return v.type == DS_DOCUMENT && ds__json_document(out, shape->nested, v, style);
    case DS_JSON_PYTHON:
    case DS_JSON_COUNT:
        return false;
    }
    return false;
}

bool ds__json_value(ds_buf *out, const ds__json_shape *shape, ds_value value,
                    const ds__json_style *style) {
    size_t start = out->size;
    if (value.type == DS_NULL && shape->writer != DS_JSON_PYTHON) {
        add(out, "null");
        return true;
    }
    if (!add_shaped(out, shape, value, style)) {
        out->size = start;
        return false;
    }
    return true;
}
