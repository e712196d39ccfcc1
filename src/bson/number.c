/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on BSON numbers with MongoDB's promotion. */
#include "bson/number.h"

#include <math.h>

#include "bson/decimal.h"

static int width(uint8_t type) {
    switch (type) {
    case DS_INT32:
        return 0;
    case DS_INT64:
        return 1;
    case DS_DOUBLE:
        return 2;
    default:
        return 3;
    }
}

/* The type an operation on the two has: the widest of int32 < int64 < double < decimal. */
static uint8_t common_type(ds_value a, ds_value b) {
    return width(a.type) >= width(b.type) ? a.type : b.type;
}

double ds__number_to_double(ds_value v) {
    switch (v.type) {
    case DS_INT32:
        return v.as.i32;
    case DS_INT64:
        return (double)v.as.i64;
    case DS_DOUBLE:
        return v.as.f64;
    case DS_DECIMAL:
        return ds__dec_to_double(v.as.dec);
    default:
        return 0;
    }
}

int64_t ds__number_to_int64(ds_value v) {
    switch (v.type) {
    case DS_INT32:
        return v.as.i32;
    case DS_INT64:
        return v.as.i64;
    case DS_DOUBLE:
        if (isnan(v.as.f64)) {
            return 0;
        }
        if (v.as.f64 >= 9223372036854775808.0) {
            return INT64_MAX;
        }
        return v.as.f64 < -9223372036854775808.0 ? INT64_MIN : (int64_t)v.as.f64;
    case DS_DECIMAL: {
        int64_t n;
        if (ds__dec_to_int64(v.as.dec, DS_ROUND_TO_ZERO, &n)) {
            return n;
        }
        if (ds__dec_is_nan(v.as.dec)) {
            return 0;
        }
        return ds__dec_is_negative(v.as.dec) ? INT64_MIN : INT64_MAX;
    }
    default:
        return 0;
    }
}

ds_decimal ds__number_to_decimal(ds_value v) {
    switch (v.type) {
    case DS_INT32:
        return ds__dec_from_int64(v.as.i32);
    case DS_INT64:
        return ds__dec_from_int64(v.as.i64);
    case DS_DOUBLE:
        return ds__dec_from_double(v.as.f64);
    default:
        return v.as.dec;
    }
}

/* Integers as int64 whatever their width. */
static int64_t whole(ds_value v) {
    return v.type == DS_INT32 ? v.as.i32 : v.as.i64;
}

/* An int64 result of an int32 operation goes back to int32 when it fits. */
static ds_value narrow(uint8_t type, int64_t v) {
    return type == DS_INT32 && v >= INT32_MIN && v <= INT32_MAX ? ds__int32((int32_t)v)
                                                                : ds__int64(v);
}

typedef enum { ADD, SUBTRACT, MULTIPLY } operation;

/* False when an int64 operation overflows. */
static bool compute(operation op, ds_value a, ds_value b, ds_value *out) {
    uint8_t type = common_type(a, b);
    if (type == DS_DECIMAL) {
        ds_decimal x = ds__number_to_decimal(a), y = ds__number_to_decimal(b);
        *out = ds__decimal(op == ADD        ? ds__dec_add(x, y)
                           : op == SUBTRACT ? ds__dec_subtract(x, y)
                                            : ds__dec_multiply(x, y));
        return true;
    }
    if (type == DS_DOUBLE) {
        double x = ds__number_to_double(a), y = ds__number_to_double(b);
        *out = ds__double(op == ADD ? x + y : op == SUBTRACT ? x - y : x * y);
        return true;
    }
    int64_t r;
    bool over = op == ADD        ? __builtin_add_overflow(whole(a), whole(b), &r)
                : op == SUBTRACT ? __builtin_sub_overflow(whole(a), whole(b), &r)
                                 : __builtin_mul_overflow(whole(a), whole(b), &r);
    if (over) {
        *out = ds__missing();
        return false;
    }
    *out = narrow(type, r);
    return true;
}

static ds_value compute_or_double(operation op, ds_value a, ds_value b) {
    ds_value out;
    if (!compute(op, a, b, &out)) {
        compute(op, ds__double(ds__number_to_double(a)), ds__double(ds__number_to_double(b)), &out);
    }
    return out;
}

ds_value ds__number_add(ds_value a, ds_value b) {
    return compute_or_double(ADD, a, b);
}

ds_value ds__number_subtract(ds_value a, ds_value b) {
    return compute_or_double(SUBTRACT, a, b);
}

ds_value ds__number_multiply(ds_value a, ds_value b) {
    return compute_or_double(MULTIPLY, a, b);
}

bool ds__number_add_checked(ds_value a, ds_value b, ds_value *out) {
    return compute(ADD, a, b, out);
}

bool ds__number_multiply_checked(ds_value a, ds_value b, ds_value *out) {
    return compute(MULTIPLY, a, b, out);
}

bool ds__number_is_nan(ds_value v) {
    return (v.type == DS_DOUBLE && isnan(v.as.f64)) ||
           (v.type == DS_DECIMAL && ds__dec_is_nan(v.as.dec));
}

bool ds__number_is_infinite(ds_value v) {
    return (v.type == DS_DOUBLE && isinf(v.as.f64)) ||
           (v.type == DS_DECIMAL && ds__dec_is_infinite(v.as.dec));
}

bool ds__number_is_integral(ds_value v) {
    if (v.type == DS_DOUBLE) {
        return !isnan(v.as.f64) && !isinf(v.as.f64) && v.as.f64 == trunc(v.as.f64);
    }
    if (v.type == DS_DECIMAL) {
        return !ds__dec_is_nan(v.as.dec) && !ds__dec_is_infinite(v.as.dec) &&
               ds__dec_compare(ds__dec_integral(v.as.dec, DS_ROUND_TO_ZERO), v.as.dec) == 0;
    }
    return true;
}

int ds__number_sign(ds_value v) {
    switch (v.type) {
    case DS_INT32:
        return (v.as.i32 > 0) - (v.as.i32 < 0);
    case DS_INT64:
        return (v.as.i64 > 0) - (v.as.i64 < 0);
    case DS_DOUBLE:
        return (v.as.f64 > 0) - (v.as.f64 < 0);
    default:
        if (ds__dec_is_nan(v.as.dec) || ds__dec_is_zero(v.as.dec)) {
            return 0;
        }
        return ds__dec_is_negative(v.as.dec) ? -1 : 1;
    }
}
