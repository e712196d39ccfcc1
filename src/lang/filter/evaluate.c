/* SPDX-License-Identifier: Apache-2.0 */
/* $mod, $bits…, $expr, $sampleRate; and the operators that are known but not supported. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "bson/decimal.h"
#include "lang/filter/internal.h"

/* A number cut to an int64, as $mod reads its operands and its values; NULL or why not. */
static const char *cut_to_int64(ds_value v, int64_t *out) {
    if (ds__number_is_nan(v) || ds__number_is_infinite(v)) {
        return "Unable to coerce NaN/Inf to integral type";
    }
    double x = ds__number_to_double(v);
    if ((v.type == DS_DOUBLE || v.type == DS_DECIMAL) &&
        (x >= 9223372036854775808.0 || x < -9223372036854775808.0)) {
        return "Out of bounds coercing to integral value";
    }
    *out = ds__number_to_int64(v);
    return NULL;
}

static bool mod_operand(ds_value v, const char *what, int64_t *out, ds_error *err) {
    if (!ds__is_number(v)) {
        return ds__error_set(err, DS_BAD_VALUE, "malformed mod, %s not a number", what);
    }
    const char *why = cut_to_int64(v, out);
    if (why != NULL) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "malformed mod, %s value is invalid :: caused by :: %s", what, why);
    }
    return true;
}

DS_FILTER_FIELD(ds__filter_parse_mod) {
    if (arg->value.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "malformed mod, needs to be an array");
    }
    size_t n = ds__doc_count(arg->value);
    if (n != 2) {
        return ds__error_set(err, DS_BAD_VALUE, "malformed mod, %s elements",
                             n < 2 ? "not enough" : "too many");
    }
    ds__filter *f = ds__filter_new(p, DS_FILTER_MOD, arg->path, err);
    ds__filter_mod *mod = ds_arena_zalloc(p->env->arena, sizeof *mod);
    if (f == NULL || mod == NULL) {
        return ds__error_oom(err);
    }
    f->detail = mod;
    f->operand = arg->value;
    *out = f;
    if (!mod_operand(ds__array_at(arg->value, 0), "divisor", &mod->divisor, err) ||
        !mod_operand(ds__array_at(arg->value, 1), "remainder", &mod->remainder, err)) {
        return false;
    }
    return mod->divisor != 0 || ds__error_set(err, DS_BAD_VALUE, "divisor cannot be 0");
}

bool ds__filter_test_mod(const ds__filter *f, ds_value v) {
    const ds__filter_mod *mod = f->detail;
    int64_t n;
    if (!ds__is_number(v) || cut_to_int64(v, &n) != NULL) {
        return false;
    }
    /* INT64_MIN % -1 overflows in C and is 0 */
    return (mod->divisor == -1 ? 0 : n % mod->divisor) == mod->remainder;
}

static int compare_positions(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

/* Puts the positions in order and drops repeated ones. */
static void settle_bits(ds__filter_bits *bits) {
    size_t kept = 0;
    qsort(bits->positions, bits->count, sizeof *bits->positions, compare_positions);
    for (size_t i = 0; i < bits->count; i++) {
        if (kept == 0 || bits->positions[kept - 1] != bits->positions[i]) {
            bits->positions[kept++] = bits->positions[i];
        }
    }
    bits->count = kept;
}

static bool bits_of_number(ds__filter_parser *p, const ds__filter_arg *arg, ds__filter_bits *bits,
                           ds_error *err) {
    char text[DS_MAX_QUOTED + 8];
    int64_t mask = 0;
    const char *why = NULL;
    if (ds__number_is_nan(arg->value)) {
        why = "Expected an integer, but found NaN in";
    } else if (!ds__value_exact_int64(arg->value, &mask)) {
        why = ds__number_is_integral(arg->value) || ds__number_is_infinite(arg->value)
                  ? "Cannot represent as a 64-bit integer"
                  : "Expected an integer";
    } else if (mask < 0) {
        why = "Expected a non-negative number in";
    }
    if (why != NULL) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s: %s: %s", why, arg->name,
                             ds__value_quote(arg->value, text, sizeof text));
    }
    bits->positions = ds_arena_alloc(p->env->arena, 64 * sizeof *bits->positions);
    if (bits->positions == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < 64; i++) {
        if ((uint64_t)mask >> i & 1) {
            bits->positions[bits->count++] = i;
        }
    }
    return true;
}

static bool bits_of_binary(ds__filter_parser *p, ds_value v, ds__filter_bits *bits, ds_error *err) {
    bits->positions = ds_arena_alloc(p->env->arena, ((size_t)v.size * 8 + 1) * sizeof(uint32_t));
    if (bits->positions == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < v.size * 8; i++) {
        if (v.as.bytes[i / 8] >> (i % 8) & 1) {
            bits->positions[bits->count++] = i;
        }
    }
    return true;
}

static bool bits_of_positions(ds__filter_parser *p, ds_value list, ds__filter_bits *bits,
                              ds_error *err) {
    char text[DS_MAX_QUOTED + 8];
    bits->positions =
        ds_arena_alloc(p->env->arena, (ds__doc_count(list) + 1) * sizeof *bits->positions);
    if (bits->positions == NULL) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, list);
    while (ds__iter_next(&it)) {
        int64_t bit = 0;
        const char *why = NULL;
        if (!ds__is_number(it.value)) {
            why = "Expected a number in";
        } else if (!ds__value_exact_int64(it.value, &bit)) {
            why = "Expected an integer";
        } else if (bit < 0) {
            why = "Expected a non-negative number in";
        } else if (bit > INT32_MAX) {
            why = "Cannot represent in an int";
        }
        if (why != NULL) {
            return ds__error_set(err, DS_BAD_VALUE, "Failed to parse bit position. %s: %s: %s", why,
                                 it.key, ds__value_quote(it.value, text, sizeof text));
        }
        bits->positions[bits->count++] = (uint32_t)bit;
    }
    settle_bits(bits);
    return true;
}

DS_FILTER_FIELD(ds__filter_parse_bits) {
    static const char *const names[] = {"$bitsAllSet", "$bitsAllClear", "$bitsAnySet",
                                        "$bitsAnyClear"};
    char text[DS_MAX_QUOTED + 8];
    ds__filter *f = ds__filter_new(p, DS_FILTER_BITS, arg->path, err);
    ds__filter_bits *bits = ds_arena_zalloc(p->env->arena, sizeof *bits);
    if (f == NULL || bits == NULL) {
        return ds__error_oom(err);
    }
    for (int i = 0; i < 4; i++) {
        if (strcmp(names[i], arg->name) == 0) {
            bits->test = (ds__filter_bit_test)i;
        }
    }
    f->detail = bits;
    f->operand = arg->value;
    *out = f;
    if (ds__is_number(arg->value)) {
        return bits_of_number(p, arg, bits, err);
    }
    if (arg->value.type == DS_BINARY) {
        return bits_of_binary(p, arg->value, bits, err);
    }
    if (arg->value.type == DS_ARRAY) {
        return bits_of_positions(p, arg->value, bits, err);
    }
    return ds__error_set(
        err, DS_BAD_VALUE, "%.*s takes an Array, a number, or a BinData but received: %s: %s",
        DS_MAX_QUOTED, arg->path->text, arg->name, ds__value_quote(arg->value, text, sizeof text));
}

static bool bit_is_set(ds_value v, int64_t number, uint32_t bit) {
    if (v.type == DS_BINARY) {
        return bit / 8 < v.size && (v.as.bytes[bit / 8] >> (bit % 8) & 1);
    }
    /* bits past the 63rd repeat the sign */
    return bit < 64 ? (uint64_t)number >> bit & 1 : number < 0;
}

/* The integer whose bits are tested. A decimal is rounded, and one out of range stands for the
 * least integer, as mongod has it; a double must be whole. */
static bool bits_number(ds_value v, int64_t *out) {
    if (v.type == DS_DECIMAL) {
        if (!ds__dec_to_int64(v.as.dec, DS_ROUND_HALF_EVEN, out)) {
            *out = INT64_MIN;
        }
        return true;
    }
    return ds__is_number(v) && ds__value_exact_int64(v, out);
}

bool ds__filter_test_bits(const ds__filter *f, ds_value v) {
    const ds__filter_bits *bits = f->detail;
    int64_t number = 0;
    if (v.type != DS_BINARY && !bits_number(v, &number)) {
        return false;
    }
    bool want = bits->test == DS_BITS_ALL_SET || bits->test == DS_BITS_ANY_SET;
    bool any = bits->test == DS_BITS_ANY_SET || bits->test == DS_BITS_ANY_CLEAR;
    for (size_t i = 0; i < bits->count; i++) {
        if ((bit_is_set(v, number, bits->positions[i]) == want) == any) {
            return any;
        }
    }
    return !any;
}

/* $expr and its like only apply to whole documents and where the caller allows them. */
static bool check_top(const ds__filter_parser *p, const char *name, ds_error *err) {
    if (p->nested) {
        return ds__error_set(err, DS_BAD_VALUE, "%s can only be applied to the top-level document",
                             name);
    }
    if (p->no_expr) {
        return ds__error_set(err, DS_QUERY_FEATURE_NOT_ALLOWED, "%s is not allowed in this context",
                             name);
    }
    return true;
}

DS_FILTER_TOP(ds__filter_parse_expr) {
    if (!check_top(p, op->name, err)) {
        return false;
    }
    ds__filter *f = ds__filter_new(p, DS_FILTER_EXPR, NULL, err);
    if (f == NULL) {
        return false;
    }
    f->operand = arg;
    *out = f;
    return ds__expr_compile(p->env, p->scope, arg, &f->expr, err);
}

bool ds__filter_test_expr(const ds__filter *f, ds_value doc, ds__match *m) {
    const ds_value *constant = ds__expr_constant(f->expr);
    if (constant != NULL) {
        return ds__value_truthy(*constant);
    }
    ds_value v;
    ds_assert(m->eval != NULL);
    ds_value root = m->eval->slots[DS_VAR_ROOT];
    m->eval->slots[DS_VAR_ROOT] = doc;
    bool ok = ds__expr_eval(f->expr, m->eval, &v, m->err);
    m->eval->slots[DS_VAR_ROOT] = root;
    m->failed = m->failed || !ok;
    return ok && ds__value_truthy(v);
}

DS_FILTER_TOP(ds__filter_parse_sample_rate) {
    if (!ds__is_number(arg)) {
        return ds__error_set(err, DS_BAD_VALUE, "argument to $sampleRate must be a numeric type");
    }
    double rate = ds__number_to_double(arg);
    if (!(rate >= 0 && rate <= 1)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "numeric argument to $sampleRate must be in [0, 1]");
    }
    ds__filter_op kind = rate == 0 ? DS_FILTER_FALSE : rate == 1 ? DS_FILTER_TRUE : op->op;
    ds__filter *f = ds__filter_new(p, kind, NULL, err);
    ds__filter_sample *sample = ds_arena_zalloc(p->env->arena, sizeof *sample);
    if (f == NULL || sample == NULL) {
        return ds__error_oom(err);
    }
    sample->rate = rate;
    ds__random_bytes(&sample->state, sizeof sample->state);
    f->detail = sample;
    f->operand = arg;
    *out = f;
    return true;
}

bool ds__filter_test_sample(const ds__filter *f) {
    ds__filter_sample *sample = f->detail;
    /* splitmix64 */
    uint64_t z = sample->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ z >> 31) >> 11) * 0x1.0p-53 < sample->rate;
}

DS_FILTER_TOP(ds__filter_parse_where) {
    if (arg.type != DS_STRING && arg.type != DS_CODE_TYPE && arg.type != DS_CODE_W_SCOPE) {
        return ds__error_set(err, DS_BAD_VALUE, "$where got bad type");
    }
    return check_top(p, op->name, err) &&
           ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "$where is not supported: this store runs no JavaScript; use $expr");
}

DS_FILTER_TOP(ds__filter_parse_text) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE, "$text expects an object");
    }
    return check_top(p, op->name, err) &&
           ds__error_set(err, DS_NOT_IMPLEMENTED, "$text is not supported by this store yet");
}

DS_FILTER_FIELD(ds__filter_parse_geo) {
    if (arg->value.type != DS_DOCUMENT && arg->value.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "%s: geometry must be an object", arg->name);
    }
    return ds__error_set(err, DS_NOT_IMPLEMENTED, "%s is not supported by this store yet",
                         arg->name);
}
