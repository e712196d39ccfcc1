/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical order, equality and hashing of values. */
#include "bson/compare.h"

#include <math.h>

#include "base/buf.h"
#include "base/map.h"
#include "bson/decimal.h"
#include "bson/key.h"
#include "bson/number.h"

int ds__type_rank(uint8_t type) {
    switch ((ds_type)type) {
    case DS_MIN_KEY:
        return 1;
    case DS_MISSING:
    case DS_UNDEFINED:
        return 2;
    case DS_NULL:
        return 7;
    case DS_DOUBLE:
    case DS_INT32:
    case DS_INT64:
    case DS_DECIMAL:
        return 12;
    case DS_STRING:
    case DS_SYMBOL:
        return 17;
    case DS_DOCUMENT:
        return 22;
    case DS_ARRAY:
        return 27;
    case DS_BINARY:
        return 32;
    case DS_OBJECT_ID:
        return 37;
    case DS_BOOL:
        return 42;
    case DS_DATE:
        return 47;
    case DS_TIMESTAMP:
        return 49;
    case DS_REGEX:
        return 52;
    case DS_DB_POINTER:
        return 57;
    case DS_CODE_TYPE:
        return 62;
    case DS_CODE_W_SCOPE:
        return 67;
    case DS_MAX_KEY:
        return 129;
    }
    return 128;
}

#define SIGN(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_doubles(double a, double b) {
    if (isnan(a) || isnan(b)) {
        return SIGN(isnan(b) != 0, isnan(a) != 0);
    }
    return SIGN(a, b);
}

static int compare_int64_double(int64_t a, double b) {
    if (isnan(b)) {
        return 1;
    }
    if (b >= 9223372036854775808.0) {
        return -1;
    }
    if (b < -9223372036854775808.0) {
        return 1;
    }
    int64_t whole = (int64_t)b;
    if (a != whole) {
        return SIGN(a, whole);
    }
    double rest = b - (double)whole;
    return SIGN(0.0, rest);
}

/* A double has up to 767 digits, a decimal 34: compare first with the nearest decimal, and when
 * that is equal, with the double nearest to the decimal. */
static int compare_double_decimal(double a, ds_decimal b) {
    if (isnan(a) || ds__dec_is_nan(b)) {
        return SIGN(ds__dec_is_nan(b), isnan(a) != 0);
    }
    int c = ds__dec_compare(ds__dec_from_double_exact(a), b);
    return c != 0 ? c : compare_doubles(a, ds__dec_to_double(b));
}

int ds__number_compare(ds_value a, ds_value b) {
    if (a.type == DS_INT32) {
        a = ds__int64(a.as.i32);
    }
    if (b.type == DS_INT32) {
        b = ds__int64(b.as.i32);
    }
    if (a.type == DS_INT64 && b.type == DS_INT64) {
        return SIGN(a.as.i64, b.as.i64);
    }
    if (a.type == DS_DOUBLE && b.type == DS_DOUBLE) {
        return compare_doubles(a.as.f64, b.as.f64);
    }
    if (a.type == DS_INT64 && b.type == DS_DOUBLE) {
        return compare_int64_double(a.as.i64, b.as.f64);
    }
    if (a.type == DS_DOUBLE && b.type == DS_INT64) {
        return -compare_int64_double(b.as.i64, a.as.f64);
    }
    if (a.type == DS_DOUBLE) {
        return compare_double_decimal(a.as.f64, b.as.dec);
    }
    if (b.type == DS_DOUBLE) {
        return -compare_double_decimal(b.as.f64, a.as.dec);
    }
    return ds__dec_compare(ds__number_to_decimal(a), ds__number_to_decimal(b));
}

static int compare_bytes(const uint8_t *a, size_t an, const uint8_t *b, size_t bn) {
    size_t n = an < bn ? an : bn;
    int c = n ? memcmp(a, b, n) : 0;
    return c != 0 ? SIGN(c, 0) : SIGN(an, bn);
}

static int compare_text(ds_value a, ds_value b, const ds__collator *collator) {
    if (collator != NULL) {
        return collator->compare(collator, ds__text(a), a.size, ds__text(b), b.size);
    }
    return compare_bytes(a.as.bytes, a.size, b.as.bytes, b.size);
}

static int compare_documents(ds_value a, ds_value b, bool names, const ds__collator *collator) {
    ds__iter x, y;
    ds__iter_init(&x, a);
    ds__iter_init(&y, b);
    for (;;) {
        bool more_x = ds__iter_next(&x), more_y = ds__iter_next(&y);
        if (!more_x || !more_y) {
            return SIGN(more_x, more_y);
        }
        int c = SIGN(ds__type_rank(x.value.type), ds__type_rank(y.value.type));
        if (c == 0 && names) {
            c = SIGN(strcmp(x.key, y.key), 0);
        }
        if (c == 0) {
            c = ds__value_compare(x.value, y.value, collator);
        }
        if (c != 0) {
            return c;
        }
    }
}

static int compare_regexes(ds_value a, ds_value b) {
    const char *p = ds__text(a), *q = ds__text(b);
    int c = strcmp(p, q);
    if (c == 0) {
        c = strcmp(p + strlen(p) + 1, q + strlen(q) + 1);
    }
    return SIGN(c, 0);
}

static int compare_code_w_scope(ds_value a, ds_value b) {
    ds_value ca, cb;
    size_t na = ds__value_read(DS_CODE_TYPE, a.as.bytes + 4, &ca);
    size_t nb = ds__value_read(DS_CODE_TYPE, b.as.bytes + 4, &cb);
    int c = compare_text(ca, cb, NULL);
    return c != 0 ? c
                  : compare_documents(ds__document(a.as.bytes + 4 + na),
                                      ds__document(b.as.bytes + 4 + nb), true, NULL);
}

int ds__value_compare(ds_value a, ds_value b, const ds__collator *collator) {
    int ra = ds__type_rank(a.type), rb = ds__type_rank(b.type);
    if (ra != rb) {
        return SIGN(ra, rb);
    }
    switch ((ds_type)a.type) {
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MIN_KEY:
    case DS_MAX_KEY:
        return 0;
    case DS_DOUBLE:
    case DS_INT32:
    case DS_INT64:
    case DS_DECIMAL:
        return ds__number_compare(a, b);
    case DS_STRING:
    case DS_SYMBOL:
        return compare_text(a, b, collator);
    case DS_CODE_TYPE:
        return compare_text(a, b, NULL);
    case DS_DOCUMENT:
        return compare_documents(a, b, true, collator);
    case DS_ARRAY:
        return compare_documents(a, b, false, collator);
    case DS_BINARY:
        if (a.size != b.size) {
            return SIGN(a.size, b.size);
        }
        if (a.subtype != b.subtype) {
            return SIGN(a.subtype, b.subtype);
        }
        return compare_bytes(a.as.bytes, a.size, b.as.bytes, b.size);
    case DS_OBJECT_ID:
        return SIGN(memcmp(a.as.oid, b.as.oid, 12), 0);
    case DS_BOOL:
        return SIGN(a.as.b, b.as.b);
    case DS_DATE:
        return SIGN(a.as.i64, b.as.i64);
    case DS_TIMESTAMP:
        return SIGN(a.as.u64, b.as.u64);
    case DS_REGEX:
        return compare_regexes(a, b);
    case DS_DB_POINTER:
        return compare_bytes(a.as.bytes, a.size, b.as.bytes, b.size);
    case DS_CODE_W_SCOPE:
        return compare_code_w_scope(a, b);
    }
    return 0;
}

static uint64_t hash_number(ds_value v, uint64_t seed) {
    double d = ds__number_to_double(v);
    if (isnan(d)) {
        return ds__hash_bytes("nan", 3, seed);
    }
    if (v.type == DS_DECIMAL || (v.type == DS_INT64 && (d >= 0x1p53 || d <= -0x1p53))) {
        if (ds__number_compare(v, ds__double(d)) != 0) { /* many such numbers share a double */
            ds_buf key = {0};
            ds__key_add(&key, v, false, NULL);
            uint64_t h = ds__hash_bytes(key.data, key.size, seed);
            ds_buf_clear(&key);
            return h;
        }
    }
    if (d == 0) {
        d = 0;
    }
    return ds__hash_bytes(&d, sizeof d, seed);
}

uint64_t ds__value_hash(ds_value v, const ds__collator *collator, uint64_t seed) {
    seed += (uint64_t)ds__type_rank(v.type) * 0x9e3779b97f4a7c15ULL;
    switch ((ds_type)v.type) {
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MIN_KEY:
    case DS_MAX_KEY:
        return ds__hash_bytes("", 0, seed);
    case DS_DOUBLE:
    case DS_INT32:
    case DS_INT64:
    case DS_DECIMAL:
        return hash_number(v, seed);
    case DS_STRING:
    case DS_SYMBOL:
        if (collator != NULL) {
            ds_buf key = {0};
            collator->key(collator, ds__text(v), v.size, &key);
            uint64_t h = ds__hash_bytes(key.data, key.size, seed);
            ds_buf_clear(&key);
            return h;
        }
        return ds__hash_bytes(v.as.bytes, v.size, seed);
    case DS_DOCUMENT:
    case DS_ARRAY: {
        ds__iter it;
        ds__iter_init(&it, v);
        while (ds__iter_next(&it)) {
            if (v.type == DS_DOCUMENT) {
                seed = ds__hash_bytes(it.key, it.key_size, seed);
            }
            seed = ds__value_hash(it.value, collator, seed);
        }
        return seed;
    }
    case DS_OBJECT_ID:
        return ds__hash_bytes(v.as.oid, 12, seed);
    case DS_BOOL:
        return ds__hash_bytes(v.as.b ? "t" : "f", 1, seed);
    case DS_DATE:
    case DS_TIMESTAMP:
        return ds__hash_bytes(&v.as.u64, 8, seed);
    case DS_BINARY:
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_TYPE:
    case DS_CODE_W_SCOPE:
        return ds__hash_bytes(v.as.bytes, v.size, seed);
    }
    return seed;
}
