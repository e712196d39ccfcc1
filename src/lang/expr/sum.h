/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of numbers as aggregation makes them: doubles with the rounding error carried along,
 * decimals apart, the narrowest type that holds the result. Used by $add, $sum, $avg and the
 * accumulators. */
#ifndef DS_LANG_EXPR_SUM_H
#define DS_LANG_EXPR_SUM_H

#include "bson/decimal.h"
#include "bson/value.h"

/* Zero-initialise to start. */
typedef struct ds__sum {
    double high; /* high + low is the sum of what is not decimal */
    double low;
    double plain; /* the plain sum: infinities and NaN come out of it */
    ds_decimal decimal;
    int64_t count; /* numbers added */
    uint8_t type;  /* widest so far; 0 stands for int32 */
    bool has_decimal;
} ds__sum;

/* Adds a number; other values are ignored. */
void ds__sum_add(ds__sum *sum, ds_value v);
void ds__sum_add_int64(ds__sum *sum, int64_t v);
/* Adds the state of another sum. */
void ds__sum_merge(ds__sum *sum, const ds__sum *other);
/* int32 0 when nothing was added. */
ds_value ds__sum_value(const ds__sum *sum);
/* Null when nothing was added; else a double, or a decimal when there was one. */
ds_value ds__sum_average(const ds__sum *sum);
/* The sum of what is not decimal: as a decimal, and as an int64 if it fits. */
ds_decimal ds__sum_decimal(const ds__sum *sum);
bool ds__sum_int64(const ds__sum *sum, int64_t *out);

#endif
