/* SPDX-License-Identifier: Apache-2.0 */
/* decimal128 on Intel's library, called with arguments by value and explicit rounding and flags. */
#include "bson/decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#include <bid_conf.h>
#include <bid_functions.h>
#pragma GCC diagnostic pop

enum { FLAG_INEXACT = 0x20 };

static BID_UINT128 bid(ds_decimal v) {
    BID_UINT128 b;
    b.w[0] = v.low;
    b.w[1] = v.high;
    return b;
}

static ds_decimal dec(BID_UINT128 b) {
    return (ds_decimal){.low = b.w[0], .high = b.w[1]};
}

ds_decimal ds__dec_from_int64(int64_t v) {
    return dec(bid128_from_int64(v));
}

ds_decimal ds__dec_from_double_exact(double v) {
    unsigned flags = 0;
    return dec(binary64_to_bid128(v, DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_from_double(double v) {
    if (v == 0 || isnan(v) || isinf(v)) {
        return ds__dec_from_double_exact(v);
    }
    char text[40];
    unsigned flags = 0;
    snprintf(text, sizeof text, "%.14e", v);
    return dec(bid128_from_string(text, DS_ROUND_HALF_EVEN, &flags));
}

/* Case-insensitive equality with a lower-case word. */
static bool is_word(const char *s, size_t n, const char *word) {
    for (size_t i = 0; i < n; i++) {
        char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] + 32) : s[i];
        if (word[i] == 0 || c != word[i]) {
            return false;
        }
    }
    return word[n] == 0;
}

/* [sign] digits [. digits] [e [sign] digits], with at least one digit before the exponent. */
static bool is_decimal_syntax(const char *s, size_t n) {
    size_t i = 0, digits = 0;
    if (i < n && (s[i] == '+' || s[i] == '-')) {
        i++;
    }
    if (is_word(s + i, n - i, "nan") || is_word(s + i, n - i, "inf") ||
        is_word(s + i, n - i, "infinity")) {
        return true;
    }
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
        digits++;
    }
    if (i < n && s[i] == '.') {
        for (i++; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
            digits++;
        }
    }
    if (digits == 0) {
        return false;
    }
    if (i == n) {
        return true;
    }
    if (s[i] != 'e' && s[i] != 'E') {
        return false;
    }
    i++;
    if (i < n && (s[i] == '+' || s[i] == '-')) {
        i++;
    }
    size_t start = i;
    while (i < n && s[i] >= '0' && s[i] <= '9') {
        i++;
    }
    return i == n && i > start;
}

bool ds__dec_from_text(const char *text, size_t size, ds_decimal *out, bool *inexact) {
    char small[128];
    char *copy = small;
    *out = (ds_decimal){0};
    if (!is_decimal_syntax(text, size)) {
        return false;
    }
    if (size >= sizeof small) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = 0;
    unsigned flags = 0;
    BID_UINT128 b = bid128_from_string(copy, DS_ROUND_HALF_EVEN, &flags);
    *out = dec(b);
    if (inexact != NULL) {
        *inexact = (flags & FLAG_INEXACT) != 0;
    }
    return true;
}

size_t ds__dec_to_text(ds_decimal v, char out[DS_DECIMAL_TEXT_SIZE]) {
    char raw[64];
    unsigned flags = 0;
    if (ds__dec_is_nan(v)) {
        return (size_t)snprintf(out, DS_DECIMAL_TEXT_SIZE, "NaN");
    }
    if (ds__dec_is_infinite(v)) {
        return (size_t)snprintf(out, DS_DECIMAL_TEXT_SIZE, "%sInfinity",
                                ds__dec_is_negative(v) ? "-" : "");
    }
    bid128_to_string(raw, bid(v), &flags); /* "+123E-2" */
    char *e = strchr(raw, 'E');
    int exponent = atoi(e + 1); // NOLINT: the library's own text
    *e = 0;
    const char *digits = raw + 1;
    while (*digits == '0' && digits[1] != 0) {
        digits++;
    }
    int n = (int)strlen(digits);
    int adjusted = exponent + n - 1;
    char *p = out;
    if (raw[0] == '-') {
        *p++ = '-';
    }
    if (exponent > 0 || adjusted < -6) {
        *p++ = digits[0];
        if (n > 1) {
            *p++ = '.';
            memcpy(p, digits + 1, (size_t)n - 1);
            p += n - 1;
        }
        p += snprintf(p, 12, "E%+d", adjusted);
    } else if (exponent == 0) {
        memcpy(p, digits, (size_t)n);
        p += n;
    } else if (adjusted >= 0) {
        int whole = n + exponent;
        memcpy(p, digits, (size_t)whole);
        p += whole;
        *p++ = '.';
        memcpy(p, digits + whole, (size_t)(n - whole));
        p += n - whole;
    } else {
        *p++ = '0';
        *p++ = '.';
        for (int i = 0; i < -exponent - n; i++) {
            *p++ = '0';
        }
        memcpy(p, digits, (size_t)n);
        p += n;
    }
    *p = 0;
    return (size_t)(p - out);
}

double ds__dec_to_double(ds_decimal v) {
    unsigned flags = 0;
    return bid128_to_binary64(bid(v), DS_ROUND_HALF_EVEN, &flags);
}

bool ds__dec_to_int64(ds_decimal v, ds__decimal_round round, int64_t *out) {
    unsigned flags = 0;
    BID_UINT128 b = bid(v);
    long long r = 0;
    switch (round) {
    case DS_ROUND_HALF_EVEN:
        r = bid128_to_int64_rnint(b, &flags);
        break;
    case DS_ROUND_DOWN:
        r = bid128_to_int64_floor(b, &flags);
        break;
    case DS_ROUND_UP:
        r = bid128_to_int64_ceil(b, &flags);
        break;
    case DS_ROUND_TO_ZERO:
        r = bid128_to_int64_int(b, &flags);
        break;
    case DS_ROUND_HALF_AWAY:
        r = bid128_to_int64_rninta(b, &flags);
        break;
    }
    *out = r;
    return (flags & 1u) == 0; /* invalid: NaN, infinite or out of range */
}

ds_decimal ds__dec_add(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_add(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_subtract(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_sub(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_multiply(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_mul(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_divide(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_div(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_remainder(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_fmod(bid(a), bid(b), &flags));
}

ds_decimal ds__dec_abs(ds_decimal v) {
    return dec(bid128_abs(bid(v)));
}

ds_decimal ds__dec_exp(ds_decimal v) {
    unsigned flags = 0;
    return dec(bid128_exp(bid(v), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_ln(ds_decimal v) {
    unsigned flags = 0;
    return dec(bid128_log(bid(v), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_log10(ds_decimal v) {
    unsigned flags = 0;
    return dec(bid128_log10(bid(v), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_pow(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_pow(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_sqrt(ds_decimal v) {
    unsigned flags = 0;
    return dec(bid128_sqrt(bid(v), DS_ROUND_HALF_EVEN, &flags));
}

ds_decimal ds__dec_atan2(ds_decimal a, ds_decimal b) {
    unsigned flags = 0;
    return dec(bid128_atan2(bid(a), bid(b), DS_ROUND_HALF_EVEN, &flags));
}

typedef BID_UINT128 (*trig_fn)(BID_UINT128, _IDEC_round, _IDEC_flags *);

bool ds__dec_trig(const char *name, ds_decimal v, ds_decimal *out) {
    static const struct {
        const char *name;
        trig_fn fn;
    } table[] = {
        {"sin", bid128_sin},     {"cos", bid128_cos},     {"tan", bid128_tan},
        {"asin", bid128_asin},   {"acos", bid128_acos},   {"atan", bid128_atan},
        {"sinh", bid128_sinh},   {"cosh", bid128_cosh},   {"tanh", bid128_tanh},
        {"asinh", bid128_asinh}, {"acosh", bid128_acosh}, {"atanh", bid128_atanh},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0) {
            unsigned flags = 0;
            *out = dec(table[i].fn(bid(v), DS_ROUND_HALF_EVEN, &flags));
            return true;
        }
    }
    *out = (ds_decimal){0};
    return false;
}

ds_decimal ds__dec_integral(ds_decimal v, ds__decimal_round round) {
    unsigned flags = 0;
    return dec(bid128_round_integral_exact(bid(v), (unsigned)round, &flags));
}

ds_decimal ds__dec_quantize(ds_decimal v, ds_decimal like, ds__decimal_round round) {
    unsigned flags = 0;
    return dec(bid128_quantize(bid(v), bid(like), (unsigned)round, &flags));
}

bool ds__dec_is_nan(ds_decimal v) {
    return (v.high & 0x7c00000000000000ULL) == 0x7c00000000000000ULL;
}

bool ds__dec_is_infinite(ds_decimal v) {
    return (v.high & 0x7c00000000000000ULL) == 0x7800000000000000ULL;
}

bool ds__dec_is_zero(ds_decimal v) {
    return bid128_isZero(bid(v)) != 0;
}

bool ds__dec_is_negative(ds_decimal v) {
    return (v.high >> 63) != 0;
}

int ds__dec_compare(ds_decimal a, ds_decimal b) {
    bool an = ds__dec_is_nan(a), bn = ds__dec_is_nan(b);
    if (an || bn) {
        return an == bn ? 0 : (an ? -1 : 1);
    }
    unsigned flags = 0;
    if (bid128_quiet_equal(bid(a), bid(b), &flags)) {
        return 0;
    }
    return bid128_quiet_less(bid(a), bid(b), &flags) ? -1 : 1;
}

size_t ds__dec_digits(ds_decimal v, bool *negative, char digits[35], int *exponent) {
    char raw[64];
    unsigned flags = 0;
    bid128_to_string(raw, bid(v), &flags);
    *negative = raw[0] == '-';
    char *e = strchr(raw, 'E');
    *exponent = e ? atoi(e + 1) : 0; // NOLINT
    if (e != NULL) {
        *e = 0;
    }
    const char *p = raw + 1;
    while (*p == '0') {
        p++;
    }
    size_t n = strlen(p);
    while (n > 0 && p[n - 1] == '0') {
        n--;
        (*exponent)++;
    }
    if (n > 34) {
        n = 34;
    }
    memcpy(digits, p, n);
    digits[n] = 0;
    return n;
}
