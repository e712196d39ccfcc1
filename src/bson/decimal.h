/* SPDX-License-Identifier: Apache-2.0 */
/* decimal128 through Intel's decimal library; rounds half to even. Everything above includes this,
 * never the library's own header. */
#ifndef DS_BSON_DECIMAL_H
#define DS_BSON_DECIMAL_H

#include "bson/value.h"

#define DS_DECIMAL_TEXT_SIZE 48

typedef enum ds__decimal_round {
    DS_ROUND_HALF_EVEN = 0,
    DS_ROUND_DOWN = 1, /* toward minus infinity */
    DS_ROUND_UP = 2,   /* toward plus infinity */
    DS_ROUND_TO_ZERO = 3,
    DS_ROUND_HALF_AWAY = 4
} ds__decimal_round;

ds_decimal ds__dec_from_int64(int64_t v);
ds_decimal ds__dec_from_double(double v);       /* 15 significant digits, as MongoDB converts */
ds_decimal ds__dec_from_double_exact(double v); /* nearest decimal of 34 digits */
/* Parses MongoDB's syntax; false when the text is no decimal. `*inexact` may be NULL. */
bool ds__dec_from_text(const char *text, size_t size, ds_decimal *out, bool *inexact);
/* MongoDB's text ("1.10", "1E+3", "NaN", "Infinity") with its NUL; returns the length. */
size_t ds__dec_to_text(ds_decimal v, char out[DS_DECIMAL_TEXT_SIZE]);
double ds__dec_to_double(ds_decimal v);
/* False when out of range or NaN; rounds as asked. */
bool ds__dec_to_int64(ds_decimal v, ds__decimal_round round, int64_t *out);
ds_decimal ds__dec_add(ds_decimal a, ds_decimal b);
ds_decimal ds__dec_subtract(ds_decimal a, ds_decimal b);
ds_decimal ds__dec_multiply(ds_decimal a, ds_decimal b);
ds_decimal ds__dec_divide(ds_decimal a, ds_decimal b);
ds_decimal ds__dec_remainder(ds_decimal a, ds_decimal b); /* C fmod: sign of a */
ds_decimal ds__dec_abs(ds_decimal v);
ds_decimal ds__dec_exp(ds_decimal v);
ds_decimal ds__dec_ln(ds_decimal v);
ds_decimal ds__dec_log10(ds_decimal v);
ds_decimal ds__dec_pow(ds_decimal a, ds_decimal b);
ds_decimal ds__dec_sqrt(ds_decimal v);
/* A function of trigonometry by name: sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh.
 */
bool ds__dec_trig(const char *name, ds_decimal v, ds_decimal *out);
ds_decimal ds__dec_atan2(ds_decimal a, ds_decimal b);
/* Rounds to an integer. */
ds_decimal ds__dec_integral(ds_decimal v, ds__decimal_round round);
/* To the exponent of `like`. */
ds_decimal ds__dec_quantize(ds_decimal v, ds_decimal like, ds__decimal_round round);
/* -1, 0, 1; NaN equals NaN and is below all. */
int ds__dec_compare(ds_decimal a, ds_decimal b);
bool ds__dec_is_nan(ds_decimal v);
bool ds__dec_is_infinite(ds_decimal v);
bool ds__dec_is_zero(ds_decimal v);
bool ds__dec_is_negative(ds_decimal v);
/* Sign, up to 34 digits without leading or trailing zeros, and the exponent of the last digit:
 * value = sign * digits * 10^exponent. Zero has no digits. Finite values only. */
size_t ds__dec_digits(ds_decimal v, bool *negative, char digits[35], int *exponent);

#endif
