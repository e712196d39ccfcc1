/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic. A result keeps the narrowest type that holds it: int32 grows into int64, int64 into
 * double. */
#include "lang/expr/internal.h"

#include <math.h>
#include <stdlib.h>

#include "lang/expr/sum.h"

static ds_value int_or_long(int64_t v) {
    return v >= INT32_MIN && v <= INT32_MAX ? ds__int32((int32_t)v) : ds__int64(v);
}

static bool either(ds_value a, ds_value b, uint8_t type) {
    return a.type == type || b.type == type;
}

static bool run_two(const ds__expr *expr, ds__eval *eval, ds_value *a, ds_value *b, ds_error *err) {
    return ds__expr_run(expr->args[0], eval, a, err) && ds__expr_run(expr->args[1], eval, b, err);
}

/* Two numbers, or null when either is; the second's error code follows the first's. */
static bool run_two_numbers(const ds__expr *expr, ds__eval *eval, const char *const names[2],
                            int code, ds_value *a, ds_value *b, bool *null, ds_error *err) {
    if (!run_two(expr, eval, a, b, err)) {
        return false;
    }
    *null = ds__is_nullish(*a) || ds__is_nullish(*b);
    bool second = ds__is_number(*a);
    if (*null || (second && ds__is_number(*b))) {
        return true;
    }
    return ds__error_set(err, code + second, "%s must be numeric, not %s", names[second],
                         ds__type_name(second ? b->type : a->type));
}

/* A sum that holds one date is a date. */
static bool date_sum(const ds__sum *sum, ds_value *out, ds_error *err) {
    int64_t ms = 0;
    if (sum->has_decimal) {
        ds_decimal total = ds__dec_add(sum->decimal, ds__sum_decimal(sum));
        if (!ds__dec_to_int64(total, DS_ROUND_HALF_EVEN, &ms)) {
            ms = INT64_MIN;
        }
    } else if (!ds__sum_int64(sum, &ms)) {
        return ds__error_set(err, DS_OVERFLOW, "date overflow in $add");
    }
    *out = ds__date(ms);
    return true;
}

static bool eval_add(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds__sum sum = {0};
    bool has_date = false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__is_number(v)) {
            ds__sum_add(&sum, v);
        } else if (v.type == DS_DATE) {
            if (has_date) {
                return ds__error_set(err, 16612, "only one date allowed in an $add expression");
            }
            has_date = true;
            ds__sum_add_int64(&sum, v.as.i64);
        } else if (ds__is_nullish(v)) {
            *out = ds__null();
            return true;
        } else {
            return ds__error_set(err, 16554, "$add only supports numeric or date types, not %s",
                                 ds__type_name(v.type));
        }
    }
    if (has_date) {
        return date_sum(&sum, out, err);
    }
    *out = ds__sum_value(&sum);
    return true;
}

static bool eval_subtract(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value a;
    ds_value b;
    if (!run_two(expr, eval, &a, &b, err)) {
        return false;
    }
    if (ds__is_nullish(a) || ds__is_nullish(b)) {
        *out = ds__null();
    } else if (ds__is_number(a) && ds__is_number(b)) {
        *out = ds__number_subtract(a, b);
    } else if (a.type == DS_DATE && b.type == DS_DATE) {
        *out = ds__int64((int64_t)((uint64_t)a.as.i64 - (uint64_t)b.as.i64));
    } else if (a.type == DS_DATE && ds__is_number(b)) {
        int64_t less;
        int64_t ms;
        if (!ds__expr_coerce_int64(b, &less, err)) {
            return false;
        }
        if (less == INT64_MIN || __builtin_sub_overflow(a.as.i64, less, &ms)) {
            return ds__error_set(err, DS_DURATION_OVERFLOW, "date overflow in $subtract");
        }
        *out = ds__date(ms);
    } else {
        return ds__error_set(err, DS_TYPE_MISMATCH, "can't $subtract %s from %s",
                             ds__type_name(b.type), ds__type_name(a.type));
    }
    return true;
}

static bool eval_multiply(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value product = ds__int32(1);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (ds__is_nullish(v)) {
            *out = ds__null();
            return true;
        }
        if (!ds__is_number(v)) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "$multiply only supports numeric types, not %s",
                                 ds__type_name(v.type));
        }
        product = ds__number_multiply(product, v);
    }
    *out = product;
    return true;
}

static bool eval_divide(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value a;
    ds_value b;
    if (!run_two(expr, eval, &a, &b, err)) {
        return false;
    }
    if (ds__is_number(a) && ds__is_number(b)) {
        if (either(a, b, DS_DECIMAL)) {
            ds_decimal divisor = ds__number_to_decimal(b);
            if (!ds__dec_is_zero(divisor)) {
                *out = ds__decimal(ds__dec_divide(ds__number_to_decimal(a), divisor));
                return true;
            }
        } else if (ds__number_to_double(b) != 0) {
            *out = ds__double(ds__number_to_double(a) / ds__number_to_double(b));
            return true;
        }
        return ds__error_set(err, DS_BAD_VALUE, "can't $divide by zero");
    }
    if (ds__is_nullish(a) || ds__is_nullish(b)) {
        *out = ds__null();
        return true;
    }
    return ds__error_set(err, DS_TYPE_MISMATCH,
                         "$divide only supports numeric types, not %s and %s",
                         ds__type_name(a.type), ds__type_name(b.type));
}

/* Whether a double is a whole number an int32 can hold: such a divisor counts as an integer. */
static bool is_small_integer(double v) {
    return v >= INT32_MIN && v <= INT32_MAX && v == trunc(v);
}

static ds_value modulo(ds_value a, ds_value b) {
    if (a.type == DS_DOUBLE || (b.type == DS_DOUBLE && !is_small_integer(b.as.f64))) {
        return ds__double(fmod(ds__number_to_double(a), ds__number_to_double(b)));
    }
    int64_t divisor = ds__number_to_int64(b);
    int64_t rest = divisor == -1 ? 0 : ds__number_to_int64(a) % divisor;
    return either(a, b, DS_INT64) ? ds__int64(rest) : ds__int32((int32_t)rest);
}

static bool eval_mod(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value a;
    ds_value b;
    if (!run_two(expr, eval, &a, &b, err)) {
        return false;
    }
    if (ds__is_number(a) && ds__is_number(b)) {
        if (either(a, b, DS_DECIMAL)) {
            ds_decimal divisor = ds__number_to_decimal(b);
            if (ds__dec_is_zero(divisor)) {
                return ds__error_set(err, 5733415, "can't $mod by zero");
            }
            *out = ds__decimal(ds__dec_remainder(ds__number_to_decimal(a), divisor));
            return true;
        }
        if (ds__number_to_double(b) != 0) {
            *out = modulo(a, b);
            return true;
        }
        return ds__error_set(err, 16610, "can't $mod by zero");
    }
    if (ds__is_nullish(a) || ds__is_nullish(b)) {
        *out = ds__null();
        return true;
    }
    return ds__error_set(err, 16611, "$mod only supports numeric types, not %s and %s",
                         ds__type_name(a.type), ds__type_name(b.type));
}

/* Evaluates the only argument: `*done` when the result is null. */
static bool run_number(const ds__expr *expr, ds__eval *eval, ds_value *v, ds_value *out, bool *done,
                       ds_error *err) {
    *done = false;
    if (!ds__expr_run(expr->args[0], eval, v, err)) {
        return false;
    }
    if (ds__is_nullish(*v)) {
        *out = ds__null();
        *done = true;
        return true;
    }
    if (!ds__is_number(*v)) {
        return ds__error_set(err, 28765, "%s only supports numeric types, not %s", expr->op->name,
                             ds__type_name(v->type));
    }
    return true;
}

static bool eval_abs(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    switch (v.type) {
    case DS_DOUBLE:
        *out = ds__double(fabs(v.as.f64));
        break;
    case DS_DECIMAL:
        *out = ds__decimal(ds__dec_abs(v.as.dec));
        break;
    case DS_INT32:
        *out = int_or_long(llabs((int64_t)v.as.i32));
        break;
    default:
        if (v.as.i64 == INT64_MIN) {
            return ds__error_set(err, 28680, "can't take $abs of long long min");
        }
        *out = ds__int64(llabs(v.as.i64));
    }
    return true;
}

static bool to_integral(const ds__expr *expr, ds__eval *eval, ds__decimal_round round,
                        ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    if (v.type == DS_DOUBLE) {
        v.as.f64 = round == DS_ROUND_UP ? ceil(v.as.f64) : floor(v.as.f64);
    } else if (v.type == DS_DECIMAL) {
        v.as.dec = ds__dec_quantize(v.as.dec, ds__dec_from_int64(0), round);
    }
    *out = v;
    return true;
}

static bool eval_ceil(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return to_integral(expr, eval, DS_ROUND_UP, out, err);
}

static bool eval_floor(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return to_integral(expr, eval, DS_ROUND_DOWN, out, err);
}

static bool eval_exp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    *out = v.type == DS_DECIMAL ? ds__decimal(ds__dec_exp(v.as.dec))
                                : ds__double(exp(ds__number_to_double(v)));
    return true;
}

static bool eval_sqrt(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    if (ds__number_sign(v) < 0) {
        return ds__error_set(err, 28714, "$sqrt's argument must be greater than or equal to 0");
    }
    *out = v.type == DS_DECIMAL ? ds__decimal(ds__dec_sqrt(v.as.dec))
                                : ds__double(sqrt(ds__number_to_double(v)));
    return true;
}

static bool must_be_positive(const ds__expr *expr, ds_value v, int32_t code, ds_error *err) {
    if (ds__number_sign(v) > 0 || ds__number_is_nan(v)) {
        return true;
    }
    char quoted[64];
    return ds__error_set(err, code, "%s's argument must be a positive number, but is %s",
                         expr->op->name, ds__value_quote(v, quoted, sizeof quoted));
}

static bool eval_ln(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    if (!must_be_positive(expr, v, 28766, err)) {
        return false;
    }
    *out = ds__number_is_nan(v)   ? ds__double(NAN)
           : v.type == DS_DECIMAL ? ds__decimal(ds__dec_ln(v.as.dec))
                                  : ds__double(log(ds__number_to_double(v)));
    return true;
}

static bool eval_log10(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    bool done;
    if (!run_number(expr, eval, &v, out, &done, err) || done) {
        return done;
    }
    if (!must_be_positive(expr, v, 28761, err)) {
        return false;
    }
    *out = ds__number_is_nan(v)   ? ds__double(NAN)
           : v.type == DS_DECIMAL ? ds__decimal(ds__dec_log10(v.as.dec))
                                  : ds__double(log10(ds__number_to_double(v)));
    return true;
}

static bool is_one(ds_value v) {
    return ds__number_compare(v, ds__int32(1)) == 0;
}

static bool eval_log(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    ds_value base;
    bool null;
    if (!run_two_numbers(expr, eval, (const char *[]){"$log's argument", "$log's base"}, 28756, &v,
                         &base, &null, err)) {
        return false;
    }
    if (null) {
        *out = ds__null();
        return true;
    }
    if (!must_be_positive(expr, v, 28758, err)) {
        return false;
    }
    if (is_one(base) || (ds__number_sign(base) <= 0 && !ds__number_is_nan(base))) {
        char quoted[64];
        return ds__error_set(err, 28759,
                             "$log's base must be a positive number not equal to 1, but is %s",
                             ds__value_quote(base, quoted, sizeof quoted));
    }
    if (ds__number_is_nan(v) || ds__number_is_nan(base)) {
        *out = ds__double(NAN);
    } else if (either(v, base, DS_DECIMAL)) {
        /* mongod divides by the base itself here, not by its logarithm */
        ds_decimal d = ds__number_to_decimal(v);
        *out = ds__decimal(ds__number_compare(base, ds__int32(10)) == 0
                               ? ds__dec_log10(d)
                               : ds__dec_divide(ds__dec_ln(d), ds__number_to_decimal(base)));
    } else {
        *out = ds__double(log(ds__number_to_double(v)) / log(ds__number_to_double(base)));
    }
    return true;
}

/* base^exp in 64 bits; false when it does not fit. */
static bool integer_power(int64_t base, int64_t exp, int64_t *out) {
    if (base == 0 || base == 1 || base == -1) {
        *out = exp == 0 ? 1 : (base == -1 && exp % 2 == 0) ? 1 : base;
        return true;
    }
    if (exp < 0 || exp > 63) {
        return false;
    }
    int64_t result = 1;
    for (int64_t i = 0; i < exp; i++) {
        if (__builtin_mul_overflow(result, base, &result)) {
            return false;
        }
    }
    *out = result;
    return true;
}

static ds_value power(ds_value base, ds_value exp) {
    if (either(base, exp, DS_DECIMAL)) {
        return ds__decimal(ds__dec_pow(ds__number_to_decimal(base), ds__number_to_decimal(exp)));
    }
    double approximate = pow(ds__number_to_double(base), ds__number_to_double(exp));
    int64_t whole;
    if (either(base, exp, DS_DOUBLE) ||
        !integer_power(ds__number_to_int64(base), ds__number_to_int64(exp), &whole)) {
        return ds__double(approximate);
    }
    return either(base, exp, DS_INT64) ? ds__int64(whole) : int_or_long(whole);
}

static bool eval_pow(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value base;
    ds_value exp;
    bool null;
    if (!run_two_numbers(expr, eval, (const char *[]){"$pow's base", "$pow's exponent"}, 28762,
                         &base, &exp, &null, err)) {
        return false;
    }
    if (null) {
        *out = ds__null();
        return true;
    }
    bool negative = ds__number_sign(exp) < 0;
    if (either(base, exp, DS_DECIMAL)) { /* here -0 counts as negative */
        negative = ds__dec_is_negative(ds__number_to_decimal(exp));
    }
    if (ds__number_sign(base) == 0 && !ds__number_is_nan(base) && negative) {
        return ds__error_set(err, 28764, "$pow cannot take a base of 0 and a negative exponent");
    }
    *out = power(base, exp);
    return true;
}

const ds__expr_op ds__expr_ops_arith[] = {
    {.name = "$add", .eval = eval_add, .max_args = -1, .is_commutative = true},
    {.name = "$subtract", .eval = eval_subtract, .min_args = 2, .max_args = 2},
    {.name = "$multiply", .eval = eval_multiply, .max_args = -1, .is_commutative = true},
    {.name = "$divide", .eval = eval_divide, .min_args = 2, .max_args = 2},
    {.name = "$mod", .eval = eval_mod, .min_args = 2, .max_args = 2},
    {.name = "$abs", .eval = eval_abs, .min_args = 1, .max_args = 1},
    {.name = "$ceil", .eval = eval_ceil, .min_args = 1, .max_args = 1},
    {.name = "$floor", .eval = eval_floor, .min_args = 1, .max_args = 1},
    {.name = "$exp", .eval = eval_exp, .min_args = 1, .max_args = 1},
    {.name = "$sqrt", .eval = eval_sqrt, .min_args = 1, .max_args = 1},
    {.name = "$ln", .eval = eval_ln, .min_args = 1, .max_args = 1},
    {.name = "$log10", .eval = eval_log10, .min_args = 1, .max_args = 1},
    {.name = "$log", .eval = eval_log, .min_args = 2, .max_args = 2},
    {.name = "$pow", .eval = eval_pow, .min_args = 2, .max_args = 2},
    {.name = NULL},
};
