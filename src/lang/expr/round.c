/* SPDX-License-Identifier: Apache-2.0 */
/* $round and $trunc to a decimal place: doubles are rounded as the decimals they are exactly. */
#include "lang/expr/internal.h"

#include <stdlib.h>

enum { MIN_PLACES = -20, MAX_PLACES = 100 };

/* A decimal zero whose last digit stands at 10^-places. */
static ds_decimal zero_at(int64_t places) {
    return (ds_decimal){.low = 0, .high = (uint64_t)(6176 - places) << 49};
}

/* Rounds at 10^-places, or at the last of 34 digits when that would take more. */
static ds_decimal round_decimal(ds_decimal v, int64_t places, ds__decimal_round round) {
    ds_decimal result = ds__dec_quantize(v, zero_at(places), round);
    if (!ds__dec_is_nan(result)) {
        return result;
    }
    bool negative;
    char digits[35];
    int exponent;
    size_t count = ds__dec_digits(v, &negative, digits, &exponent);
    return ds__dec_quantize(v, zero_at(34 - (int64_t)count - exponent), round);
}

/* False on overflow. */
static bool round_integer(int64_t v, int64_t places, ds__decimal_round round, int64_t *out) {
    *out = v;
    if (places >= 0) {
        return true;
    }
    *out = 0;
    if (places < -18) {
        return true;
    }
    int64_t unit = 1;
    for (int64_t i = places; i < 0; i++) {
        unit *= 10;
    }
    int64_t rest = v % unit;
    int64_t base = v - rest;
    int64_t size = llabs(rest);
    bool away = round == DS_ROUND_HALF_EVEN &&
                (size > unit - size || (size == unit - size && (base / unit) % 2 != 0));
    *out = base;
    return !away || !__builtin_add_overflow(base, v < 0 ? -unit : unit, out);
}

static bool read_places(ds_value v, const char *name, int64_t *places, ds_error *err) {
    if (!ds__is_number(v)) {
        return ds__error_set(err, 16004, "can't convert from BSON type %s to long",
                             ds__type_name(v.type));
    }
    if (!ds__expr_coerce_int64(v, places, err)) {
        return false;
    }
    if (!ds__value_exact_int64(v, places)) {
        return ds__error_set(err, 51082, "precision argument to  %s must be a integral value",
                             name);
    }
    if (*places < MIN_PLACES || *places > MAX_PLACES) {
        return ds__error_set(
            err, 51083, "cannot apply %s with precision value %lld value must be in [-20, 100]",
            name, (long long)*places);
    }
    return true;
}

static bool rounded(ds_value v, int64_t places, ds__decimal_round round, ds_value *out,
                    ds_error *err) {
    *out = v;
    if (ds__number_is_nan(v) || ds__number_is_infinite(v)) {
        return true;
    }
    if (v.type == DS_DOUBLE) {
        ds_decimal exact = ds__dec_from_double_exact(v.as.f64);
        *out = ds__double(ds__dec_to_double(round_decimal(exact, places, round)));
        return true;
    }
    if (v.type == DS_DECIMAL) {
        *out = ds__decimal(round_decimal(v.as.dec, places, round));
        return true;
    }
    int64_t whole;
    if (!round_integer(ds__number_to_int64(v), places, round, &whole)) {
        return ds__error_set(err, 51080,
                             "invalid conversion from Decimal128 result in $round resulting from "
                             "arguments: [%lld, %lld]",
                             (long long)ds__number_to_int64(v), (long long)places);
    }
    bool is_long = v.type == DS_INT64 || whole < INT32_MIN || whole > INT32_MAX;
    *out = is_long ? ds__int64(whole) : ds__int32((int32_t)whole);
    return true;
}

static bool round_or_trunc(const ds__expr *expr, ds__eval *eval, ds__decimal_round round,
                           ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    *out = ds__null();
    if (ds__is_nullish(v)) {
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, 51081, "%s only supports numeric types, not %s", expr->op->name,
                             ds__type_name(v.type));
    }
    int64_t places = 0;
    if (expr->arg_count > 1) {
        ds_value p;
        if (!ds__expr_run(expr->args[1], eval, &p, err)) {
            return false;
        }
        if (ds__is_nullish(p)) {
            return true;
        }
        if (!read_places(p, expr->op->name, &places, err)) {
            return false;
        }
    }
    return rounded(v, places, round, out, err);
}

static bool eval_round(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return round_or_trunc(expr, eval, DS_ROUND_HALF_EVEN, out, err);
}

static bool eval_trunc(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return round_or_trunc(expr, eval, DS_ROUND_TO_ZERO, out, err);
}

const ds__expr_op ds__expr_ops_round[] = {
    {.name = "$round", .eval = eval_round, .min_args = 1, .max_args = 2},
    {.name = "$trunc", .eval = eval_trunc, .min_args = 1, .max_args = 2},
    {.name = NULL},
};
