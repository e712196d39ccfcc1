/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic with MongoDB's promotion: int32 -> int64 -> double on overflow, double wins over
 * integers, decimal wins over all. Inputs must be numbers. */
#ifndef DS_BSON_NUMBER_H
#define DS_BSON_NUMBER_H

#include "bson/value.h"

/* As aggregation does: an int32 result that overflows becomes int64, an int64 one double. */
ds_value ds__number_add(ds_value a, ds_value b);
ds_value ds__number_subtract(ds_value a, ds_value b);
ds_value ds__number_multiply(ds_value a, ds_value b);

/* As update operators do: int32 overflow becomes int64; int64 overflow is `false`. */
bool ds__number_add_checked(ds_value a, ds_value b, ds_value *out);
bool ds__number_multiply_checked(ds_value a, ds_value b, ds_value *out);

/* Conversions of a number; out of range saturates (to_int64) or rounds (to_double). */
double ds__number_to_double(ds_value v);
int64_t ds__number_to_int64(ds_value v);      /* truncates; NaN is 0 */
ds_decimal ds__number_to_decimal(ds_value v); /* a double keeps 15 significant digits */
bool ds__number_is_nan(ds_value v);
bool ds__number_is_infinite(ds_value v);
/* Whether the value is an integer in any type (2, 2.0, Decimal128 2E0). */
bool ds__number_is_integral(ds_value v);
/* -1, 0, 1 by sign; NaN gives 0. */
int ds__number_sign(ds_value v);

#endif
