/* SPDX-License-Identifier: Apache-2.0 */
/* Double-double summation (Knuth's two-sum): exact for integers up to 2^106. */
#include "lang/expr/sum.h"

#include <math.h>

#include "bson/number.h"

__extension__ typedef __int128 int128;

static double two_sum(double a, double b, double *error) {
    double s = a + b;
    double bb = s - a;
    *error = (a - (s - bb)) + (b - bb);
    return s;
}

/* Adds a double without widening the type. */
static void add_double(ds__sum *sum, double v) {
    double error;
    sum->plain += v;
    double high = two_sum(sum->high, v, &error);
    double low = sum->low + error;
    sum->high = high + low;
    sum->low = low - (sum->high - high);
}

void ds__sum_add_int64(ds__sum *sum, int64_t v) {
    if (v >= 0 && v <= UINT32_MAX) { /* the other half would be nothing */
        add_double(sum, (double)v);
        return;
    }
    double high = (double)(v >> 32) * 4294967296.0;
    add_double(sum, high);
    add_double(sum, (double)(v & 0xFFFFFFFF));
}

static void widen(ds__sum *sum, uint8_t type) {
    if (sum->type == type) {
        return;
    }
    static const uint8_t order[] = {DS_INT32, DS_INT64, DS_DOUBLE, DS_DECIMAL};
    int have = 0;
    int want = 0;
    for (int i = 0; i < 4; i++) {
        have = order[i] == sum->type ? i : have;
        want = order[i] == type ? i : want;
    }
    sum->type = order[have > want ? have : want];
}

static void add_decimal(ds__sum *sum, ds_decimal v) {
    sum->decimal = sum->has_decimal ? ds__dec_add(sum->decimal, v) : v;
    sum->has_decimal = true;
}

void ds__sum_add(ds__sum *sum, ds_value v) {
    switch (v.type) {
    case DS_INT32:
        add_double(sum, v.as.i32);
        break;
    case DS_INT64:
        ds__sum_add_int64(sum, v.as.i64);
        break;
    case DS_DOUBLE:
        add_double(sum, v.as.f64);
        break;
    case DS_DECIMAL:
        add_decimal(sum, v.as.dec);
        break;
    default:
        return;
    }
    sum->count++;
    widen(sum, v.type);
}

void ds__sum_merge(ds__sum *sum, const ds__sum *other) {
    double plain = sum->plain + other->plain;
    add_double(sum, other->high);
    add_double(sum, other->low);
    sum->plain = plain;
    if (other->has_decimal) {
        add_decimal(sum, other->decimal);
    }
    sum->count += other->count;
    if (other->type != 0) {
        widen(sum, other->type);
    }
}

static double as_double(const ds__sum *sum) {
    return isnan(sum->high) || isinf(sum->high) ? sum->plain : sum->high;
}

ds_decimal ds__sum_decimal(const ds__sum *sum) {
    if (!isfinite(sum->high)) {
        return ds__dec_from_double_exact(sum->plain);
    }
    ds_decimal high = ds__dec_from_double_exact(sum->high);
    return ds__dec_add(high, ds__dec_from_double_exact(sum->low));
}

bool ds__sum_int64(const ds__sum *sum, int64_t *out) {
    if (!(sum->high >= -0x1p63 && sum->high <= 0x1p63)) {
        return false;
    }
    int128 total = (int128)round(sum->high) + (int128)round(sum->low);
    if (total < INT64_MIN || total > INT64_MAX) {
        return false;
    }
    *out = (int64_t)total;
    return true;
}

static ds_decimal total_decimal(const ds__sum *sum) {
    ds_decimal rest = ds__sum_decimal(sum);
    return sum->has_decimal ? ds__dec_add(sum->decimal, rest) : rest;
}

ds_value ds__sum_value(const ds__sum *sum) {
    int64_t whole;
    switch (sum->type) {
    case DS_DECIMAL:
        return ds__decimal(total_decimal(sum));
    case DS_DOUBLE:
        return ds__double(as_double(sum));
    case DS_INT64:
        return ds__sum_int64(sum, &whole) ? ds__int64(whole) : ds__double(as_double(sum));
    default:
        if (!ds__sum_int64(sum, &whole)) {
            return ds__double(as_double(sum));
        }
        return whole >= INT32_MIN && whole <= INT32_MAX ? ds__int32((int32_t)whole)
                                                        : ds__int64(whole);
    }
}

ds_value ds__sum_average(const ds__sum *sum) {
    if (sum->count == 0) {
        return ds__null();
    }
    if (sum->has_decimal) {
        return ds__decimal(ds__dec_divide(total_decimal(sum), ds__dec_from_int64(sum->count)));
    }
    return ds__double(as_double(sum) / (double)sum->count);
}
