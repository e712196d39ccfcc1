/* SPDX-License-Identifier: Apache-2.0 */
/* Scalars that need more than a call: ObjectId and Decimal128 are made without their Python
 * constructors, by writing the slots their classes declare; dates by arithmetic on days. */
#include "codec.h"

#include <structmember.h>

#include "extension.h"

#define MS_PER_DAY INT64_C(86400000)

PyObject *ds__py_object_id(ds__pstate *state, const uint8_t oid[12]) {
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)oid, 12);
    if (!bytes) {
        return NULL;
    }
    if (!state->object_id_at) {
        PyObject *out = PyObject_CallOneArg(state->object_id, bytes);
        Py_DECREF(bytes);
        return out;
    }
    PyTypeObject *type = (PyTypeObject *)state->object_id;
    PyObject *out = type->tp_alloc(type, 0);
    if (!out) {
        Py_DECREF(bytes);
        return NULL;
    }
    *(PyObject **)(void *)((char *)out + state->object_id_at) = bytes;
    return out;
}

int ds__py_object_id_bytes(ds__pstate *state, PyObject *value, uint8_t oid[12]) {
    if (!PyObject_TypeCheck(value, (PyTypeObject *)state->object_id)) {
        return 0;
    }
    PyObject *bytes = NULL;
    if (state->object_id_at) {
        bytes = Py_XNewRef(*(PyObject **)(void *)((char *)value + state->object_id_at));
    }
    if (!bytes) {
        bytes = PyObject_GetAttrString(value, "binary");
        if (!bytes) {
            return -1;
        }
    }
    int found = -1;
    if (PyBytes_Check(bytes) && PyBytes_GET_SIZE(bytes) == 12) {
        memcpy(oid, PyBytes_AS_STRING(bytes), 12);
        found = 1;
    } else {
        PyErr_SetString(PyExc_TypeError, "an ObjectId does not hold 12 bytes");
    }
    Py_DECREF(bytes);
    return found;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. Years are counted
 * from March, so that the leap day is the last of a year. */
static int64_t days_from_date(int year, int month, int day) {
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

/* The day and the milliseconds of it; false before year 1 or after year 9999. */
static bool split(int64_t ms, int64_t *days, int *rest) {
    *days = ms / MS_PER_DAY;
    int64_t left = ms % MS_PER_DAY;
    if (left < 0) {
        left += MS_PER_DAY;
        (*days)--;
    }
    *rest = (int)left;
    return *days >= -719162 && *days <= 2932896;
}

static PyObject *beyond(ds__pstate *state, int64_t ms) {
    return PyObject_CallFunction(state->datetime_ms, "L", (long long)ms);
}

PyObject *ds__py_datetime(ds__pstate *state, int64_t ms, const ds__py_options *options) {
    return ds__py_datetime_us(state, ms, 0, options);
}

PyObject *ds__py_datetime_us(ds__pstate *state, int64_t ms, int us, const ds__py_options *options) {
    int64_t days;
    int year, month, day, rest;
    if (!split(ms, &days, &rest)) {
        return beyond(state, ms);
    }
    date_from_days(days, &year, &month, &day);
    int seconds = rest / 1000;
    PyObject *zone = options && options->tz_aware ? state->datetime->TimeZone_UTC : Py_None;
    return state->datetime->DateTime_FromDateAndTime(
        year, month, day, seconds / 3600, seconds / 60 % 60, seconds % 60, rest % 1000 * 1000 + us,
        zone, state->datetime->DateTimeType);
}

PyObject *ds__py_date(ds__pstate *state, int64_t ms) {
    int64_t days;
    int year, month, day, rest;
    if (!split(ms, &days, &rest)) {
        return beyond(state, ms);
    }
    date_from_days(days, &year, &month, &day);
    return state->datetime->Date_FromDate(year, month, day, state->datetime->DateType);
}

PyObject *ds__py_time(ds__pstate *state, int64_t ms, int us) {
    int64_t days;
    int rest;
    if (!split(ms, &days, &rest)) {
        return beyond(state, ms);
    }
    int seconds = rest / 1000;
    return state->datetime->Time_FromTime(seconds / 3600, seconds / 60 % 60, seconds % 60,
                                          rest % 1000 * 1000 + us, Py_None,
                                          state->datetime->TimeType);
}

/* Milliseconds by which an aware datetime is ahead of UTC; 0 for a naive one. */
static bool utc_offset_us(ds__pstate *state, PyObject *datetime, int64_t *us) {
    *us = 0;
    PyObject *zone_b = ((PyDateTime_DateTime *)datetime)->hastzinfo
                           ? ((PyDateTime_DateTime *)datetime)->tzinfo
                           : Py_None;
    if (zone_b == Py_None || zone_b == state->datetime->TimeZone_UTC) {
        return true;
    }
    PyObject *offset = PyObject_CallMethod(datetime, "utcoffset", NULL);
    if (!offset) {
        return false;
    }
    if (offset != Py_None) {
        *us = ((int64_t)PyDateTime_DELTA_GET_DAYS(offset) * 86400 +
               PyDateTime_DELTA_GET_SECONDS(offset)) *
                  1000000 +
              PyDateTime_DELTA_GET_MICROSECONDS(offset);
    }
    Py_DECREF(offset);
    return true;
}

int64_t ds__py_wall_seconds(PyObject *datetime) {
    int64_t days = days_from_date(PyDateTime_GET_YEAR(datetime), PyDateTime_GET_MONTH(datetime),
                                  PyDateTime_GET_DAY(datetime));
    return days * 86400 + PyDateTime_DATE_GET_HOUR(datetime) * 3600 +
           PyDateTime_DATE_GET_MINUTE(datetime) * 60 + PyDateTime_DATE_GET_SECOND(datetime);
}

bool ds__py_datetime_ms(ds__pstate *state, PyObject *datetime, int64_t *ms) {
    if (!PyObject_TypeCheck(datetime, state->datetime->DateTimeType)) {
        PyErr_Format(PyExc_TypeError, "expected datetime, found %.200s",
                     Py_TYPE(datetime)->tp_name);
        return false;
    }
    int64_t ahead = 0;
    if (!utc_offset_us(state, datetime, &ahead)) {
        return false;
    }
    int64_t us =
        ds__py_wall_seconds(datetime) * 1000000 + PyDateTime_DATE_GET_MICROSECOND(datetime) - ahead;
    *ms = us / 1000 - (us % 1000 < 0); /* down, as PyMongo does */
    return true;
}

PyObject *ds__py_decimal128(ds__pstate *state, ds_decimal value) {
    PyObject *high = PyLong_FromUnsignedLongLong(value.high);
    PyObject *low = high ? PyLong_FromUnsignedLongLong(value.low) : NULL;
    PyObject *out = NULL;
    if (!low) {
        Py_XDECREF(high);
        return NULL;
    }
    if (state->decimal_high_at && state->decimal_low_at) {
        PyTypeObject *type = (PyTypeObject *)state->decimal128;
        out = type->tp_alloc(type, 0);
        if (out) {
            *(PyObject **)(void *)((char *)out + state->decimal_high_at) = Py_NewRef(high);
            *(PyObject **)(void *)((char *)out + state->decimal_low_at) = Py_NewRef(low);
        }
    } else {
        out = PyObject_CallFunction(state->decimal128, "((OO))", high, low);
    }
    Py_DECREF(high);
    Py_DECREF(low);
    return out;
}

PyObject *ds__py_decimal(ds__pstate *state, ds_decimal value) {
    char text[DS_DECIMAL_TEXT_SIZE];
    ds__dec_to_text(value, text);
    return PyObject_CallFunction(state->decimal, "s", text);
}

static bool decimal_from_bid(PyObject *value, ds_decimal *out) {
    PyObject *bid = PyObject_GetAttrString(value, "bid");
    if (!bid || !PyBytes_Check(bid) || PyBytes_GET_SIZE(bid) != 16) {
        if (bid) {
            PyErr_SetString(PyExc_TypeError, "a Decimal128 does not hold 16 bytes");
        }
        Py_XDECREF(bid);
        return false;
    }
    memcpy(&out->low, PyBytes_AS_STRING(bid), 8);
    memcpy(&out->high, PyBytes_AS_STRING(bid) + 8, 8);
    Py_DECREF(bid);
    return true;
}

bool ds__py_decimal_value(ds__pstate *state, PyObject *value, ds_decimal *out) {
    if (PyObject_TypeCheck(value, (PyTypeObject *)state->decimal128)) {
        return decimal_from_bid(value, out);
    }
    if (!PyObject_TypeCheck(value, (PyTypeObject *)state->decimal)) {
        PyErr_Format(PyExc_TypeError, "expected Decimal, found %.200s", Py_TYPE(value)->tp_name);
        return false;
    }
    PyObject *text = PyObject_Str(value);
    Py_ssize_t size = 0;
    const char *digits = text ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
    bool inexact = false, ok = false;
    if (digits) {
        /* a quiet NaN may carry digits in Python only */
        bool nan = strstr(digits, "NaN") != NULL;
        ok = nan ? ds__dec_from_text("NaN", 3, out, NULL)
                 : ds__dec_from_text(digits, (size_t)size, out, &inexact) && !inexact;
        if (!ok) {
            PyErr_Format(PyExc_ValueError, "decimal128 cannot hold %s exactly", digits);
        }
    }
    Py_XDECREF(text);
    return ok;
}

PyObject *ds__py_uuid(ds__pstate *state, const uint8_t bytes[16]) {
    PyObject *args = PyTuple_New(0);
    PyObject *names =
        args ? Py_BuildValue("{s:y#}", "bytes", (const char *)bytes, (Py_ssize_t)16) : NULL;
    PyObject *out = names ? PyObject_Call(state->uuid, args, names) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(names);
    return out;
}

PyObject *ds__py_uuid_hex(ds__pstate *state, const char *digits) {
    char text[33];
    memcpy(text, digits, 32);
    text[32] = '\0';
    if (!state->uuid_int_at || !state->uuid_safe_at) {
        return PyObject_CallFunction(state->uuid, "s", text);
    }
    PyObject *number = PyLong_FromString(text, NULL, 16);
    PyTypeObject *type = (PyTypeObject *)state->uuid;
    PyObject *out = number ? type->tp_alloc(type, 0) : NULL;
    if (!out) {
        Py_XDECREF(number);
        return NULL;
    }
    *(PyObject **)(void *)((char *)out + state->uuid_int_at) = number;
    *(PyObject **)(void *)((char *)out + state->uuid_safe_at) = Py_NewRef(state->uuid_unknown);
    return out;
}

bool ds__py_uuid_bytes(ds__pstate *state, PyObject *value, uint8_t bytes[16]) {
    if (!PyObject_TypeCheck(value, (PyTypeObject *)state->uuid)) {
        PyErr_Format(PyExc_TypeError, "expected UUID, found %.200s", Py_TYPE(value)->tp_name);
        return false;
    }
    PyObject *held = PyObject_GetAttrString(value, "bytes");
    bool ok = held && PyBytes_Check(held) && PyBytes_GET_SIZE(held) == 16;
    if (ok) {
        memcpy(bytes, PyBytes_AS_STRING(held), 16);
    } else if (held) {
        PyErr_SetString(PyExc_TypeError, "a UUID does not hold 16 bytes");
    }
    Py_XDECREF(held);
    return ok;
}
