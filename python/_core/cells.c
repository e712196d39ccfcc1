/* SPDX-License-Identifier: Apache-2.0 */
#include "cells.h"

#include "extension.h"

/* A computed date with microseconds is a date of so many microseconds from here on, as if they were
 * milliseconds (backend/plan/micros.py); no calendar has such dates. */
static const int64_t WIDE = 1000000000000000000;
static const int64_t WIDE_FIRST = 900000000000000000;

/* NULL without an error: a number that Python's context is to round or to refuse. */
static PyObject *decimal(ds__pstate *state, ds_decimal value, int places) {
    if (ds__dec_is_nan(value) || ds__dec_is_infinite(value)) {
        return NULL;
    }
    if (places < 0) {
        return ds__py_decimal(state, value);
    }
    bool negative;
    char digits[35];
    int exponent = 0;
    size_t size = ds__dec_digits(value, &negative, digits, &exponent);
    int zeros = size ? exponent + places : 1;
    if (zeros < 0 || (size_t)zeros > 34 - size || places > 6000) {
        return NULL;
    }
    char text[64];
    (void)snprintf(text, sizeof text, "%s%.*s%.*sE-%d", negative ? "-" : "", (int)size, digits,
                   zeros, "0000000000000000000000000000000000", places);
    return PyObject_CallFunction(state->decimal, "s", text);
}

static bool is_hex32(const ds_value *value) {
    if (value->type != DS_STRING || value->size != 32) {
        return false;
    }
    const char *s = ds__text(*value);
    for (int i = 0; i < 32; i++) {
        bool is_digit = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        if (!is_digit) {
            return false;
        }
    }
    return true;
}

bool ds__cell_whole(const ds_value *value, int64_t *n) {
    *n = value->type == DS_INT32 ? value->as.i32 : value->as.i64;
    return value->type == DS_INT32 || value->type == DS_INT64;
}

PyObject *ds__cell_moment(ds__pstate *state, cell_kind kind, int64_t ms, int us) {
    static const ds__py_options aware = {.tz_aware = true}, naive = {.tz_aware = false};
    if (ms >= WIDE_FIRST) {
        int64_t wide = ms - WIDE;
        int64_t narrow = wide / 1000 - (wide % 1000 < 0);
        if (narrow >= -62135596800000 && narrow <= 253402300799999) {
            us = (int)(wide - narrow * 1000);
            ms = narrow;
        }
    }
    switch (kind) {
    case CELL_DATETIME:
        return ds__py_datetime_us(state, ms, us, &aware);
    case CELL_NAIVE:
        return ds__py_datetime_us(state, ms, us, &naive);
    case CELL_DATE:
        return ds__py_date(state, ms);
    case CELL_TIME:
        return ds__py_time(state, ms, us);
    default:
        return NULL;
    }
}

PyObject *ds__cell(ds__pstate *state, cell_kind kind, int places, const ds_value *value) {
    if (value->type == DS_DATE) {
        return ds__cell_moment(state, kind, value->as.i64, 0);
    }
    int64_t n;
    bool integer = ds__cell_whole(value, &n);
    switch (kind) {
    case CELL_INT:
        return integer ? PyLong_FromLongLong(n) : NULL;
    case CELL_FLOAT:
        return value->type == DS_DOUBLE ? PyFloat_FromDouble(value->as.f64)
               : integer                ? PyFloat_FromDouble((double)n)
                                        : NULL;
    case CELL_BOOL:
        return value->type == DS_BOOL          ? PyBool_FromLong(value->as.b)
               : integer && (n == 0 || n == 1) ? PyBool_FromLong((long)n)
                                               : NULL;
    case CELL_PLAIN:
        return value->type == DS_DECIMAL ? decimal(state, value->as.dec, -1) : NULL;
    case CELL_DECIMAL:
        return value->type == DS_DECIMAL ? decimal(state, value->as.dec, places) : NULL;
    case CELL_UUID:
        return is_hex32(value) ? ds__py_uuid_hex(state, ds__text(*value)) : NULL;
    default:
        return NULL;
    }
}
