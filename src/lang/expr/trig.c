/* SPDX-License-Identifier: Apache-2.0 */
/* Trigonometry: doubles by the C library, decimals by the decimal one. */
#include "lang/expr/internal.h"

#include <math.h>

/* A function, and the range its argument must be in. */
typedef struct trig_function {
    const char *name;
    double (*compute)(double);
    double low;
    double high;
    const char *range; /* NULL: any number */
} trig_function;

static const trig_function functions[] = {
    {"sin", sin, 0, 0, "(-inf,inf)"},
    {"cos", cos, 0, 0, "(-inf,inf)"},
    {"tan", tan, 0, 0, "(-inf,inf)"},
    {"asin", asin, -1, 1, "[-1,1]"},
    {"acos", acos, -1, 1, "[-1,1]"},
    {"atanh", atanh, -1, 1, "[-1,1]"},
    {"acosh", acosh, 1, INFINITY, "[1,inf]"},
    {"atan", atan, 0, 0, NULL},
    {"sinh", sinh, 0, 0, NULL},
    {"cosh", cosh, 0, 0, NULL},
    {"tanh", tanh, 0, 0, NULL},
    {"asinh", asinh, 0, 0, NULL},
};

static bool in_range(const trig_function *f, ds_value v) {
    if (f->range == NULL || ds__number_is_nan(v)) {
        return true;
    }
    if (f->range[0] == '(') {
        return !ds__number_is_infinite(v);
    }
    return ds__number_compare(v, ds__double(f->low)) >= 0 &&
           ds__number_compare(v, ds__double(f->high)) <= 0;
}

static bool eval_trig(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    const trig_function *f = expr->detail;
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, 28765, "%s only supports numeric types, not %s", expr->op->name,
                             ds__type_name(v.type));
    }
    if (!in_range(f, v)) {
        ds_value text;
        return ds__expr_coerce_string(eval->scratch, v, &text, err) &&
               ds__error_set(err, 50989, "cannot apply %s to %.*s, value must be in %s",
                             expr->op->name, (int)text.size, ds__text(text), f->range);
    }
    if (v.type != DS_DECIMAL) {
        *out = ds__double(f->compute(ds__number_to_double(v)));
        return true;
    }
    ds_decimal result;
    if (!ds__dec_trig(f->name, v.as.dec, &result)) {
        return ds__error_set(err, DS_INTERNAL_ERROR, "no decimal function for %s", expr->op->name);
    }
    *out = ds__decimal(result);
    return true;
}

static bool parse_trig(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strcmp(expr->op->name + 1, functions[i].name) == 0) {
            expr->detail = (void *)(uintptr_t)&functions[i];
        }
    }
    return ds__expr_parse_args(p, expr, arg, err);
}

static bool eval_atan2(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v[2];
    for (int i = 0; i < 2; i++) {
        if (!ds__expr_run(expr->args[i], eval, &v[i], err)) {
            return false;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (ds__is_nullish(v[i])) {
            *out = ds__null();
            return true;
        }
        if (!ds__is_number(v[i])) {
            return ds__error_set(err, 51044 + i, "$atan2 only supports numeric types, not %s",
                                 ds__type_name(v[i].type));
        }
    }
    if (v[0].type == DS_DECIMAL || v[1].type == DS_DECIMAL) {
        *out = ds__decimal(ds__dec_atan2(ds__number_to_decimal(v[0]), ds__number_to_decimal(v[1])));
    } else {
        *out = ds__double(atan2(ds__number_to_double(v[0]), ds__number_to_double(v[1])));
    }
    return true;
}

static bool scale_angle(const ds__expr *expr, ds__eval *eval, double factor, const char *exact,
                        ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, 28765, "%s only supports numeric types, not %s", expr->op->name,
                             ds__type_name(v.type));
    }
    if (v.type == DS_DECIMAL) {
        ds_decimal by = {0};
        ds__dec_from_text(exact, strlen(exact), &by, NULL);
        *out = ds__decimal(ds__dec_multiply(v.as.dec, by));
    } else {
        *out = ds__double(ds__number_to_double(v) * factor);
    }
    return true;
}

static bool eval_degrees_to_radians(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                    ds_error *err) {
    return scale_angle(expr, eval, M_PI / 180, "0.01745329251994329576923690768488613", out, err);
}

static bool eval_radians_to_degrees(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                    ds_error *err) {
    return scale_angle(expr, eval, 180 / M_PI, "57.29577951308232087679815481410517", out, err);
}

#define TRIG(text)                                                                                 \
    { .name = text, .parse = parse_trig, .eval = eval_trig, .min_args = 1, .max_args = 1 }

const ds__expr_op ds__expr_ops_trig[] = {
    TRIG("$sin"),
    TRIG("$cos"),
    TRIG("$tan"),
    TRIG("$asin"),
    TRIG("$acos"),
    TRIG("$atan"),
    TRIG("$sinh"),
    TRIG("$cosh"),
    TRIG("$tanh"),
    TRIG("$asinh"),
    TRIG("$acosh"),
    TRIG("$atanh"),
    {.name = "$atan2", .eval = eval_atan2, .min_args = 2, .max_args = 2},
    {.name = "$degreesToRadians", .eval = eval_degrees_to_radians, .min_args = 1, .max_args = 1},
    {.name = "$radiansToDegrees", .eval = eval_radians_to_degrees, .min_args = 1, .max_args = 1},
    {.name = NULL},
};
