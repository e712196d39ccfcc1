/* SPDX-License-Identifier: Apache-2.0 */
/* $convert and its short forms. A conversion that fails gives ConversionFailure, which onError
 * catches; other errors pass through. */
#include "lang/expr/internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lang/expr/date.h"

enum { ARG_INPUT, ARG_TO, ARG_ON_ERROR, ARG_ON_NULL };

#define NO_ON_ERROR "in $convert with no onError value"

static bool unsupported(ds_value v, uint8_t to, ds_error *err) {
    return ds__error_set(err, DS_CONVERSION_FAILURE,
                         "Unsupported conversion from %s to %s " NO_ON_ERROR, ds__type_name(v.type),
                         ds__type_name(to));
}

static bool overflow(ds_value v, ds_error *err) {
    char quoted[64];
    return ds__error_set(err, DS_CONVERSION_FAILURE,
                         "Conversion would overflow target type " NO_ON_ERROR ": %s",
                         ds__value_quote(v, quoted, sizeof quoted));
}

static bool bad_number(ds_value v, const char *why, ds_error *err) {
    int size = v.size > 100 ? 100 : (int)v.size;
    return ds__error_set(err, DS_CONVERSION_FAILURE,
                         "Failed to parse number '%.*s' " NO_ON_ERROR ": %s", size, ds__text(v),
                         why);
}

static bool is_hex(ds_value v, ds_error *err) {
    if (v.size >= 2 && memcmp(v.as.bytes, "0x", 2) == 0) {
        ds__error_set(err, DS_CONVERSION_FAILURE, "Illegal hexadecimal input " NO_ON_ERROR ": %.*s",
                      v.size > 100 ? 100 : (int)v.size, ds__text(v));
        return true;
    }
    return false;
}

/* A whole number in text: a sign and digits, nothing else. */
static bool parse_whole(ds_value v, int64_t low, int64_t high, int64_t *out, ds_error *err) {
    const char *s = ds__text(v);
    uint32_t at = 0;
    if (is_hex(v, err)) {
        return false;
    }
    bool negative = v.size > 0 && s[0] == '-';
    at += v.size > 0 && (s[0] == '-' || s[0] == '+');
    if (at == v.size) {
        return bad_number(v, "No digits", err);
    }
    int64_t sum = 0;
    for (; at < v.size; at++) {
        if (s[at] < '0' || s[at] > '9') {
            return bad_number(v, "Did not consume whole string.", err);
        }
        int digit = s[at] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, digit, &sum)) { /* counts down: the minimum is deeper */
            return bad_number(v, "Overflow", err);
        }
    }
    if ((!negative && sum == INT64_MIN) || (negative ? sum : -sum) < low ||
        (negative ? sum : -sum) > high) {
        return bad_number(v, "Overflow", err);
    }
    *out = negative ? sum : -sum;
    return true;
}

/* Numbers without fraction. */
static bool to_whole(ds_value v, uint8_t to, int64_t low, int64_t high, int64_t *out,
                     ds_error *err) {
    switch (v.type) {
    case DS_STRING:
        return parse_whole(v, low, high, out, err);
    case DS_BOOL:
        *out = v.as.b;
        return true;
    case DS_DATE:
        if (to != DS_INT64) {
            return unsupported(v, to, err);
        }
        *out = v.as.i64;
        return true;
    case DS_INT32:
    case DS_INT64:
        *out = ds__number_to_int64(v);
        return (*out >= low && *out <= high) || overflow(v, err);
    case DS_DOUBLE:
    case DS_DECIMAL:
        if (ds__number_is_nan(v)) {
            return ds__error_set(err, DS_CONVERSION_FAILURE,
                                 "Attempt to convert NaN value to integer type " NO_ON_ERROR);
        }
        if (ds__number_is_infinite(v)) {
            return ds__error_set(err, DS_CONVERSION_FAILURE,
                                 "Attempt to convert infinity value to integer type " NO_ON_ERROR);
        }
        if (v.type == DS_DECIMAL) {
            return (ds__dec_to_int64(v.as.dec, DS_ROUND_TO_ZERO, out) && *out >= low &&
                    *out <= high) ||
                   overflow(v, err);
        }
        if (!(v.as.f64 >= (double)low && v.as.f64 <= (double)high && v.as.f64 < 0x1p63)) {
            return overflow(v, err);
        }
        *out = (int64_t)v.as.f64;
        return true;
    default:
        return unsupported(v, to, err);
    }
}

static bool text_to_double(ds_arena *scratch, ds_value v, double *out, ds_error *err) {
    char *s = ds_arena_strndup(scratch, ds__text(v), v.size);
    if (s == NULL) {
        return ds__error_oom(err);
    }
    if (is_hex(v, err)) {
        return false;
    }
    if (v.size == 0) {
        return bad_number(v, "Empty string", err);
    }
    if (strchr(" \t\n\v\f\r", s[0]) != NULL) {
        return bad_number(v, "Leading whitespace", err);
    }
    char *end;
    errno = 0;
    *out = strtod(s, &end);
    if (end == s) {
        return bad_number(v, "Did not consume any digits", err);
    }
    if (end != s + v.size) {
        return bad_number(v, "Did not consume whole string.", err);
    }
    if (errno == ERANGE) {
        return bad_number(v, "Out of range", err);
    }
    return true;
}

static bool to_double(ds_arena *scratch, ds_value v, ds_value *out, ds_error *err) {
    double d = 0;
    switch (v.type) {
    case DS_STRING:
        if (!text_to_double(scratch, v, &d, err)) {
            return false;
        }
        break;
    case DS_BOOL:
        d = v.as.b;
        break;
    case DS_DATE:
        d = (double)v.as.i64;
        break;
    case DS_DECIMAL:
        d = ds__dec_to_double(v.as.dec);
        if ((isinf(d) && !ds__dec_is_infinite(v.as.dec)) ||
            (d == 0 && !ds__dec_is_zero(v.as.dec))) {
            return overflow(v, err);
        }
        break;
    case DS_DOUBLE:
    case DS_INT32:
    case DS_INT64:
        d = ds__number_to_double(v);
        break;
    default:
        return unsupported(v, DS_DOUBLE, err);
    }
    *out = ds__double(d);
    return true;
}

/* Whether a number in text has a digit other than 0 before its exponent. */
static bool has_digit(ds_value v) {
    for (uint32_t i = 0; i < v.size; i++) {
        uint8_t c = v.as.bytes[i];
        if (c == 'e' || c == 'E') {
            return false;
        }
        if (c >= '1' && c <= '9') {
            return true;
        }
    }
    return false;
}

static bool to_decimal(ds_value v, ds_value *out, ds_error *err) {
    switch (v.type) {
    case DS_STRING: {
        ds_decimal d;
        if (is_hex(v, err)) {
            return false;
        }
        if (v.size == 0) {
            return bad_number(v, "Empty string", err);
        }
        if (!ds__dec_from_text(ds__text(v), v.size, &d, NULL)) {
            return bad_number(v, "Failed to parse string to decimal", err);
        }
        if (ds__dec_is_infinite(d) && has_digit(v)) {
            return bad_number(v, "Conversion from string to decimal would overflow", err);
        }
        if (ds__dec_is_zero(d) && has_digit(v)) {
            return bad_number(v, "Conversion from string to decimal would underflow", err);
        }
        *out = ds__decimal(d);
        return true;
    }
    case DS_BOOL:
        *out = ds__decimal(ds__dec_from_int64(v.as.b));
        return true;
    case DS_DATE:
        *out = ds__decimal(ds__dec_from_int64(v.as.i64));
        return true;
    case DS_DOUBLE:
    case DS_INT32:
    case DS_INT64:
    case DS_DECIMAL:
        *out = ds__decimal(ds__number_to_decimal(v));
        return true;
    default:
        return unsupported(v, DS_DECIMAL, err);
    }
}

static bool to_date(ds_arena *scratch, ds_value v, ds_value *out, ds_error *err) {
    int64_t ms = 0;
    switch (v.type) {
    case DS_STRING:
        if (!ds__date_parse(scratch, v, NULL, &ms, err)) {
            return false;
        }
        break;
    case DS_DATE:
        ms = v.as.i64;
        break;
    case DS_TIMESTAMP:
        ms = (int64_t)(v.as.u64 >> 32) * 1000;
        break;
    case DS_OBJECT_ID:
        ms = (int64_t)(((uint32_t)v.as.oid[0] << 24) | ((uint32_t)v.as.oid[1] << 16) |
                       ((uint32_t)v.as.oid[2] << 8) | v.as.oid[3]) *
             1000;
        break;
    case DS_INT64:
    case DS_DOUBLE:
    case DS_DECIMAL:
        if (!to_whole(v, DS_DATE, INT64_MIN, INT64_MAX, &ms, err)) {
            return false;
        }
        break;
    default:
        return unsupported(v, DS_DATE, err);
    }
    *out = ds__date(ms);
    return true;
}

static int hex_digit(uint8_t c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool to_object_id(ds_value v, ds_value *out, ds_error *err) {
    if (v.type == DS_OBJECT_ID) {
        *out = v;
        return true;
    }
    if (v.type != DS_STRING) {
        return unsupported(v, DS_OBJECT_ID, err);
    }
    int shown = v.size > 100 ? 100 : (int)v.size;
    if (v.size != 24) {
        return ds__error_set(err, DS_CONVERSION_FAILURE,
                             "Failed to parse objectId '%.*s' " NO_ON_ERROR
                             ": Invalid string length for parsing to OID, expected 24 but found %u",
                             shown, ds__text(v), v.size);
    }
    *out = (ds_value){.type = DS_OBJECT_ID};
    for (int i = 0; i < 12; i++) {
        int high = hex_digit(v.as.bytes[2 * i]);
        int low = hex_digit(v.as.bytes[2 * i + 1]);
        if (high < 0 || low < 0) {
            return ds__error_set(err, DS_CONVERSION_FAILURE,
                                 "Failed to parse objectId '%.*s' " NO_ON_ERROR
                                 ": Invalid character found in hex string",
                                 shown, ds__text(v));
        }
        out->as.oid[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool to_string(ds_arena *scratch, ds_value v, ds_value *out, ds_error *err) {
    switch (v.type) {
    case DS_BOOL:
        *out = ds__cstring(v.as.b ? "true" : "false");
        return true;
    case DS_OBJECT_ID: {
        static const char digits[] = "0123456789abcdef";
        char *text = ds_arena_alloc(scratch, 25);
        if (text == NULL) {
            return ds__error_oom(err);
        }
        for (int i = 0; i < 12; i++) {
            text[2 * i] = digits[v.as.oid[i] >> 4];
            text[2 * i + 1] = digits[v.as.oid[i] & 15];
        }
        *out = ds__string(text, 24);
        return true;
    }
    case DS_DOUBLE:
        if (!isfinite(v.as.f64)) {
            *out = ds__cstring(isnan(v.as.f64) ? "NaN" : v.as.f64 > 0 ? "Infinity" : "-Infinity");
            return true;
        }
        return ds__expr_coerce_string(scratch, v, out, err);
    case DS_STRING:
    case DS_INT32:
    case DS_INT64:
    case DS_DECIMAL:
    case DS_DATE:
        return ds__expr_coerce_string(scratch, v, out, err);
    default:
        return unsupported(v, DS_STRING, err);
    }
}

static bool convert(ds_arena *scratch, ds_value v, uint8_t to, ds_value *out, ds_error *err) {
    int64_t whole;
    switch (to) {
    case DS_DOUBLE:
        return to_double(scratch, v, out, err);
    case DS_STRING:
        return to_string(scratch, v, out, err);
    case DS_OBJECT_ID:
        return to_object_id(v, out, err);
    case DS_BOOL:
        *out = ds__bool(ds__value_truthy(v));
        return true;
    case DS_DATE:
        return to_date(scratch, v, out, err);
    case DS_INT32:
        if (!to_whole(v, to, INT32_MIN, INT32_MAX, &whole, err)) {
            return false;
        }
        *out = ds__int32((int32_t)whole);
        return true;
    case DS_INT64:
        if (!to_whole(v, to, INT64_MIN, INT64_MAX, &whole, err)) {
            return false;
        }
        *out = ds__int64(whole);
        return true;
    case DS_DECIMAL:
        return to_decimal(v, out, err);
    default:
        return unsupported(v, to, err);
    }
}

/* The type `to` names. */
static bool target_type(ds_value to, uint8_t *out, ds_error *err) {
    *out = DS_MISSING;
    if (ds__is_nullish(to)) {
        return true;
    }
    if (to.type == DS_STRING) {
        *out = ds__type_from_name(ds__text(to), to.size);
        return *out != DS_MISSING || ds__is_string(to, "missing") ||
               ds__error_set(err, DS_BAD_VALUE, "Unknown type name: %.*s", (int)to.size,
                             ds__text(to));
    }
    if (!ds__is_number(to)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$convert's 'to' argument must be a string or number, but is %s",
                             ds__type_name(to.type));
    }
    int64_t number;
    if (!ds__value_exact_int64(to, &number) || number < INT32_MIN || number > INT32_MAX) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "In $convert, numeric 'to' argument is not an integer");
    }
    if ((number < 1 || number > 19) && number != 127 && number != -1) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "In $convert, numeric value for 'to' does not correspond to a BSON "
                             "type: %lld",
                             (long long)number);
    }
    *out = (uint8_t)number;
    return true;
}

static bool eval_convert(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value to;
    ds_value v;
    uint8_t type;
    if (!ds__expr_run(expr->args[ARG_TO], eval, &to, err) ||
        !ds__expr_run(expr->args[ARG_INPUT], eval, &v, err) || !target_type(to, &type, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return expr->args[ARG_ON_NULL] == NULL ||
               ds__expr_run(expr->args[ARG_ON_NULL], eval, out, err);
    }
    if (ds__is_nullish(to)) {
        *out = ds__null();
        return true;
    }
    if (convert(eval->scratch, v, type, out, err)) {
        return true;
    }
    if (err->code != DS_CONVERSION_FAILURE || expr->args[ARG_ON_ERROR] == NULL) {
        return false;
    }
    *err = (ds_error){0};
    return ds__expr_run(expr->args[ARG_ON_ERROR], eval, out, err);
}

static bool parse_convert(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"input", "to", "onError", "onNull", NULL};
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$convert expects an object of named arguments but found: %s",
                             ds__type_name(arg.type));
    }
    if (!ds__expr_parse_named(p, expr, arg, names, DS_FAILED_TO_PARSE, err)) {
        return false;
    }
    for (int i = ARG_INPUT; i <= ARG_TO; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "Missing '%s' parameter to $convert",
                                 names[i]);
        }
    }
    return true;
}

/* The short forms are $convert with a constant `to`. */
static bool parse_short(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const struct {
        const char *name;
        const char *type;
    } forms[] = {
        {"$toDouble", "double"}, {"$toString", "string"},   {"$toObjectId", "objectId"},
        {"$toBool", "bool"},     {"$toDate", "date"},       {"$toInt", "int"},
        {"$toLong", "long"},     {"$toDecimal", "decimal"},
    };
    if (!ds__expr_reserve_args(p, expr, 4, err)) {
        return false;
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(expr->op->name, forms[i].name) == 0) {
            expr->args[ARG_TO] = ds__expr_new_constant(p, ds__cstring(forms[i].type));
        }
    }
    if (expr->args[ARG_TO] == NULL) {
        return ds__error_oom(err);
    }
    if (arg.type == DS_ARRAY) {
        size_t count = ds__doc_count(arg);
        if (count != 1) {
            return ds__error_set(err, 50723, "%s requires a single argument, got %zu",
                                 expr->op->name, count);
        }
        arg = ds__array_at(arg, 0);
    }
    return ds__expr_parse(p, arg, &expr->args[ARG_INPUT], err);
}

const ds__expr_op ds__expr_ops_convert[] = {
    {.name = "$convert", .parse = parse_convert, .eval = eval_convert},
    {.name = "$toDouble", .parse = parse_short, .eval = eval_convert},
    {.name = "$toString", .parse = parse_short, .eval = eval_convert},
    {.name = "$toObjectId", .parse = parse_short, .eval = eval_convert},
    {.name = "$toBool", .parse = parse_short, .eval = eval_convert},
    {.name = "$toDate", .parse = parse_short, .eval = eval_convert},
    {.name = "$toInt", .parse = parse_short, .eval = eval_convert},
    {.name = "$toLong", .parse = parse_short, .eval = eval_convert},
    {.name = "$toDecimal", .parse = parse_short, .eval = eval_convert},
    {.name = NULL},
};
