/* SPDX-License-Identifier: Apache-2.0 */
/* Preferred numbers. Series are kept as one decade of whole numbers. */
#include "lang/pipeline/granularity.h"

#include <math.h>

#include "base/named.h"
#include "bson/decimal.h"
#include "bson/number.h"

struct ds__granularity {
    const char *name;
    const int16_t *decade; /* NULL: powers of two, or computed from `steps` */
    int count;
    int first; /* the decade's first number: 10, 100 */
    int steps; /* E96, E192: numbers of a decade, made by rounding powers of ten */
};

static const int16_t r5[] = {10, 16, 25, 40, 63};
static const int16_t r10[] = {100, 125, 160, 200, 250, 315, 400, 500, 630, 800};
static const int16_t r20[] = {100, 112, 125, 140, 160, 180, 200, 224, 250, 280,
                              315, 355, 400, 450, 500, 560, 630, 710, 800, 900};
static const int16_t r40[] = {100, 106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212,
                              224, 236, 250, 265, 280, 300, 315, 335, 355, 375, 400, 425, 450, 475,
                              500, 530, 560, 600, 630, 670, 710, 750, 800, 850, 900, 950};
static const int16_t r80[] = {100, 103, 106, 109, 112, 115, 118, 122, 125, 128, 132, 136, 140, 145,
                              150, 155, 160, 165, 170, 175, 180, 185, 190, 195, 200, 206, 212, 218,
                              224, 230, 236, 243, 250, 258, 265, 272, 280, 290, 300, 307, 315, 325,
                              335, 345, 355, 365, 375, 387, 400, 412, 425, 437, 450, 462, 475, 487,
                              500, 515, 530, 545, 560, 575, 600, 615, 630, 650, 670, 690, 710, 730,
                              750, 775, 800, 825, 850, 875, 900, 925, 950, 975};
static const int16_t n125[] = {10, 20, 50};
static const int16_t e6[] = {10, 15, 22, 33, 47, 68};
static const int16_t e12[] = {10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82};
static const int16_t e24[] = {10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30,
                              33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91};

static const ds__granularity series[] = {
    {"R5", r5, 5, 10, 0},         {"R10", r10, 10, 100, 0},   {"R20", r20, 20, 100, 0},
    {"R40", r40, 40, 100, 0},     {"R80", r80, 80, 100, 0},   {"1-2-5", n125, 3, 10, 0},
    {"E6", e6, 6, 10, 0},         {"E12", e12, 12, 10, 0},    {"E24", e24, 24, 10, 0},
    {"E48", NULL, 48, 100, 48},   {"E96", NULL, 96, 100, 96}, {"E192", NULL, 192, 100, 192},
    {"POWERSOF2", NULL, 0, 0, 0},
};

const ds__granularity *ds__granularity_find(const char *name, size_t size) {
    return ds__find_named(series, sizeof series / sizeof *series, sizeof *series, name, size);
}

static double number_at(const ds__granularity *g, int i) {
    if (g->decade) {
        return g->decade[i];
    }
    double v = round(100 * pow(10, (double)i / g->steps));
    return g->steps == 192 && v == 919 ? 920 : v; /* the one number the standard rounds otherwise */
}

/* The nearest number of the series strictly above or below. */
static double round_series(const ds__granularity *g, double x, bool up) {
    double scale = pow(10, floor(log10(x / g->first)));
    double best = 0;
    for (int decade = -1; decade <= 1; decade++) {
        for (int i = 0; i < g->count; i++) {
            double by = decade < 0 ? scale / 10 : decade > 0 ? scale * 10 : scale;
            double v = number_at(g, i) * by;
            if (up && v > x) {
                return v;
            }
            if (!up && v < x) {
                best = v;
            }
        }
    }
    return best;
}

static ds_value round_power(ds_value v, double x, bool up) {
    if (v.type == DS_INT32 || v.type == DS_INT64) {
        int64_t n = ds__number_to_int64(v);
        int bit = 63 - __builtin_clzll((unsigned long long)n);
        if (up) {
            if (bit >= 62) {
                return ds__double(ldexp(1, bit + 1));
            }
            n = (int64_t)1 << (bit + 1);
        } else {
            n = n == (int64_t)1 << bit ? (int64_t)1 << bit >> 1 : (int64_t)1 << bit;
            if (n == 0) {
                return ds__double(0.5);
            }
        }
        return n <= INT32_MAX ? ds__int32((int32_t)n) : ds__int64(n);
    }
    double e = up ? floor(log2(x)) + 1 : ceil(log2(x)) - 1;
    double r = exp2(e);
    return v.type == DS_DECIMAL ? ds__decimal(ds__dec_from_double(r)) : ds__double(r);
}

bool ds__granularity_round(const ds__granularity *g, ds_value v, bool up, ds_value *out,
                           ds_error *err) {
    if (!ds__is_number(v)) {
        return ds__error_set(
            err, 40258,
            "$bucketAuto can specify a 'granularity' with numeric boundaries only, "
            "but found a value with type: %s",
            ds__type_name(v.type));
    }
    double x = ds__number_to_double(v);
    if (isnan(x)) {
        return ds__error_set(err, 40259,
                             "$bucketAuto can specify a 'granularity' with numeric "
                             "boundaries only, but found a NaN");
    }
    if (x < 0) {
        return ds__error_set(err, 40260,
                             "$bucketAuto can specify a 'granularity' with non-negative "
                             "numbers only, but found a negative number");
    }
    if (x == 0 || isinf(x)) {
        *out = v;
    } else if (g->count == 0) {
        *out = round_power(v, x, up);
    } else {
        double r = round_series(g, x, up);
        *out = v.type == DS_DECIMAL ? ds__decimal(ds__dec_from_double(r)) : ds__double(r);
    }
    return true;
}
