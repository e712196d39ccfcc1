/* SPDX-License-Identifier: Apache-2.0 */
/* Order-preserving keys. A key begins with its type's rank (1 to 129). A number is the largest
 * double not above it, order-preserving, then 0, or 1 and its exact decimal digits when it is no
 * double: so all numeric types share one order. Text is escaped (00 becomes 00 FF) and ends with
 * 00 00; documents end with 00, which is below every rank. */
#include "bson/key.h"

#include <math.h>

#include "base/limits.h"
#include "bson/decimal.h"
#include "bson/number.h"

static void add_u64(ds_buf *buf, uint64_t v) {
    v = __builtin_bswap64(v);
    ds_buf_add(buf, &v, 8);
}

static void add_text(ds_buf *buf, const uint8_t *s, size_t n) {
    static const uint8_t escaped[2] = {0, 0xff}, end[2] = {0, 0};
    const uint8_t *stop = s + n;
    while (s < stop) {
        const uint8_t *nul = memchr(s, 0, (size_t)(stop - s));
        if (nul == NULL) {
            ds_buf_add(buf, s, (size_t)(stop - s));
            break;
        }
        ds_buf_add(buf, s, (size_t)(nul - s));
        ds_buf_add(buf, escaped, 2);
        s = nul + 1;
    }
    ds_buf_add(buf, end, 2);
}

static void add_double(ds_buf *buf, double d) {
    uint64_t bits;
    if (isnan(d)) {
        add_u64(buf, 0);
        return;
    }
    if (d == 0) {
        d = 0; /* -0 is 0 */
    }
    memcpy(&bits, &d, 8);
    add_u64(buf, bits >> 63 ? ~bits : bits | 1ULL << 63);
}

/* The digits of a number that is no double, ordered among those with the same double below. */
static void add_digits(ds_buf *buf, ds_decimal v) {
    char digits[36];
    bool negative;
    int exponent;
    size_t n = ds__dec_digits(v, &negative, digits, &exponent);
    uint8_t flip = negative ? 0xff : 0;
    unsigned adjusted = (unsigned)(exponent + (int)n - 1 + 0x4000);
    ds_buf_add_byte(buf, 1);
    ds_buf_add_byte(buf, (uint8_t)(adjusted >> 8) ^ flip);
    ds_buf_add_byte(buf, (uint8_t)adjusted ^ flip);
    for (size_t i = 0; i < n; i += 2) {
        int pair = (digits[i] - '0') * 10 + (i + 1 < n ? digits[i + 1] - '0' : 0);
        ds_buf_add_byte(buf, (uint8_t)(pair + 1) ^ flip);
    }
    ds_buf_add_byte(buf, flip);
}

static void add_int64(ds_buf *buf, int64_t v) {
    double d = (double)v;
    if (v >= -(1LL << 53) && v <= 1LL << 53) {
        add_double(buf, d);
        ds_buf_add_byte(buf, 0);
        return;
    }
    bool above = d >= 9223372036854775808.0 || (int64_t)d > v;
    if (above) {
        d = nextafter(d, -INFINITY);
    }
    add_double(buf, d);
    if (!above && (int64_t)d == v) {
        ds_buf_add_byte(buf, 0);
    } else {
        add_digits(buf, ds__dec_from_int64(v));
    }
}

static void add_decimal(ds_buf *buf, ds_decimal v) {
    if (ds__dec_is_nan(v)) {
        add_double(buf, NAN);
        ds_buf_add_byte(buf, 0);
        return;
    }
    double d = ds__dec_to_double(v);
    ds_value dv = ds__double(d);
    int c = ds__number_compare(dv, ds__decimal(v));
    if (c == 0) {
        add_double(buf, d);
        ds_buf_add_byte(buf, 0);
        return;
    }
    if (c > 0) {
        d = nextafter(d, -INFINITY);
    }
    add_double(buf, d);
    add_digits(buf, v);
}

static void add_value(ds_buf *buf, ds_value v, const ds__collator *collator);

static void add_document(ds_buf *buf, ds_value doc, bool names, const ds__collator *collator) {
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        if (names) {
            ds_buf_add_byte(buf, (uint8_t)ds__type_rank(it.value.type));
            ds_buf_add(buf, it.key, it.key_size + 1);
        }
        add_value(buf, it.value, collator);
    }
    ds_buf_add_byte(buf, 0);
}

static void add_string(ds_buf *buf, ds_value v, const ds__collator *collator) {
    if (collator == NULL) {
        add_text(buf, v.as.bytes, v.size);
        return;
    }
    ds_buf key = {0};
    collator->key(collator, ds__text(v), v.size, &key);
    add_text(buf, key.data, key.size);
    ds_buf_fail_as(buf, &key);
    ds_buf_clear(&key);
}

static void add_sized(ds_buf *buf, ds_value v) {
    uint32_t n = __builtin_bswap32(v.size);
    ds_buf_add(buf, &n, 4);
    if (v.type == DS_BINARY) {
        ds_buf_add_byte(buf, v.subtype);
    }
    ds_buf_add(buf, v.as.bytes, v.size);
}

static void add_value(ds_buf *buf, ds_value v, const ds__collator *collator) {
    ds_value part;
    ds_buf_add_byte(buf, (uint8_t)ds__type_rank(v.type));
    switch ((ds_type)v.type) {
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MIN_KEY:
    case DS_MAX_KEY:
        break;
    case DS_INT32:
        add_double(buf, v.as.i32);
        ds_buf_add_byte(buf, 0);
        break;
    case DS_DOUBLE:
        add_double(buf, v.as.f64);
        ds_buf_add_byte(buf, 0);
        break;
    case DS_INT64:
        add_int64(buf, v.as.i64);
        break;
    case DS_DECIMAL:
        add_decimal(buf, v.as.dec);
        break;
    case DS_STRING:
    case DS_SYMBOL:
        add_string(buf, v, collator);
        break;
    case DS_CODE_TYPE:
        add_text(buf, v.as.bytes, v.size);
        break;
    case DS_DOCUMENT:
        add_document(buf, v, true, collator);
        break;
    case DS_ARRAY:
        add_document(buf, v, false, collator);
        break;
    case DS_BINARY:
    case DS_DB_POINTER:
        add_sized(buf, v);
        break;
    case DS_OBJECT_ID:
        ds_buf_add(buf, v.as.oid, 12);
        break;
    case DS_BOOL:
        ds_buf_add_byte(buf, v.as.b ? 1 : 0);
        break;
    case DS_DATE:
        add_u64(buf, v.as.u64 ^ 1ULL << 63);
        break;
    case DS_TIMESTAMP:
        add_u64(buf, v.as.u64);
        break;
    case DS_REGEX:
        ds_buf_add(buf, v.as.bytes, v.size);
        break;
    case DS_CODE_W_SCOPE: {
        size_t n = ds__value_read(DS_CODE_TYPE, v.as.bytes + 4, &part);
        add_text(buf, part.as.bytes, part.size);
        add_document(buf, ds__document(v.as.bytes + 4 + n), true, NULL);
        break;
    }
    }
}

void ds__key_add(ds_buf *buf, ds_value v, bool descending, const ds__collator *collator) {
    size_t at = buf->size;
    if (v.type == DS_MISSING) {
        v = ds__null();
    }
    add_value(buf, v, collator);
    if (descending && !buf->failed) {
        for (size_t i = at; i < buf->size; i++) {
            buf->data[i] = (uint8_t)~buf->data[i];
        }
    }
}

void ds__key_add_rank(ds_buf *buf, int rank, bool after, bool descending) {
    uint8_t first = descending ? (uint8_t)~rank : (uint8_t)rank;
    ds_buf_add_byte(buf, (uint8_t)(first + (after ? 1 : 0)));
}

void ds__key_add_max(ds_buf *buf, bool descending) {
    (void)descending;
    ds_buf_add_byte(buf, 0xff);
}

/* A key read from its front; bytes are as they were before a descending part turned them. */
typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t flip;
    bool bad;
} reader;

static uint8_t read_byte(reader *r) {
    if (r->at == r->end) {
        r->bad = true;
        return 0;
    }
    return *r->at++ ^ r->flip;
}

static void read_over(reader *r, size_t n) {
    if ((size_t)(r->end - r->at) < n) {
        r->bad = true;
    } else {
        r->at += n;
    }
}

static void read_text(reader *r) {
    while (!r->bad) {
        if (read_byte(r) == 0 && read_byte(r) == 0) {
            return;
        }
    }
}

static void read_number(reader *r) {
    uint8_t sign = read_byte(r);
    read_over(r, 7);
    if (read_byte(r) == 0 || r->bad) {
        return;
    }
    uint8_t last = sign & 0x80 ? 0 : 0xff; /* digits of negative numbers are turned */
    read_over(r, 2);
    while (!r->bad && read_byte(r) != last) {
    }
}

static void read_sized(reader *r, size_t more) {
    size_t n = 0;
    for (int i = 0; i < 4; i++) {
        n = n << 8 | read_byte(r);
    }
    read_over(r, n + more);
}

static void read_value(reader *r, uint8_t rank, int depth);

/* Documents name each field after its rank; arrays do not. */
static void read_fields(reader *r, bool names, int depth) {
    for (uint8_t rank = read_byte(r); rank != 0 && !r->bad; rank = read_byte(r)) {
        if (names) {
            while (read_byte(r) != 0 && !r->bad) {
            }
            read_byte(r);
        }
        read_value(r, rank, depth + 1);
    }
}

static void read_value(reader *r, uint8_t rank, int depth) {
    if (depth > DS_MAX_DEPTH) {
        r->bad = true;
    } else if (rank == ds__type_rank(DS_DOUBLE)) {
        read_number(r);
    } else if (rank == ds__type_rank(DS_STRING) || rank == ds__type_rank(DS_CODE_TYPE)) {
        read_text(r);
    } else if (rank == ds__type_rank(DS_DOCUMENT) || rank == ds__type_rank(DS_ARRAY)) {
        read_fields(r, rank == ds__type_rank(DS_DOCUMENT), depth);
    } else if (rank == ds__type_rank(DS_BINARY)) {
        read_sized(r, 1);
    } else if (rank == ds__type_rank(DS_DB_POINTER)) {
        read_sized(r, 0);
    } else if (rank == ds__type_rank(DS_OBJECT_ID)) {
        read_over(r, 12);
    } else if (rank == ds__type_rank(DS_BOOL)) {
        read_over(r, 1);
    } else if (rank == ds__type_rank(DS_DATE) || rank == ds__type_rank(DS_TIMESTAMP)) {
        read_over(r, 8);
    } else if (rank == ds__type_rank(DS_REGEX)) {
        for (int zeros = 0; zeros < 2 && !r->bad; zeros += read_byte(r) == 0) {
        }
    } else if (rank == ds__type_rank(DS_CODE_W_SCOPE)) {
        read_text(r);
        read_fields(r, true, depth);
    } else {
        r->bad = r->bad || rank == 0 || rank > ds__type_rank(DS_MAX_KEY);
    }
}

size_t ds__key_size(const uint8_t *key, size_t size, bool descending) {
    reader r = {.at = key, .end = key + size, .flip = descending ? 0xff : 0};
    uint8_t rank = read_byte(&r);
    read_value(&r, rank, 0);
    return r.bad ? 0 : (size_t)(r.at - key);
}

/* Text as it was before it was escaped. */
static void unescape(const uint8_t *s, size_t n, ds_buf *out) {
    for (size_t i = 0; i < n; i++) {
        ds_buf_add_byte(out, s[i]);
        i += s[i] == 0; /* 00 FF */
    }
}

static uint64_t load_u64(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap64(v);
}

bool ds__key_value(const uint8_t *key, size_t size, bool descending, ds_buf *scratch,
                   ds_value *out) {
    ds_buf_reset(scratch);
    if (descending) {
        for (size_t i = 0; i < size; i++) {
            ds_buf_add_byte(scratch, (uint8_t)~key[i]);
        }
        key = scratch->data;
        if (scratch->failed) {
            return false;
        }
    }
    int rank = key[0];
    if (rank == ds__type_rank(DS_STRING)) {
        size_t at = scratch->size;
        if (ds_buf_reserve(scratch, size) == NULL) {
            return false;
        }
        key = descending ? scratch->data : key;
        unescape(key + 1, size - 3, scratch);
        *out = ds__string((const char *)scratch->data + at, scratch->size - at);
    } else if (rank == ds__type_rank(DS_BINARY)) {
        *out = (ds_value){.type = DS_BINARY,
                          .subtype = key[5],
                          .size = (uint32_t)(size - 6),
                          .as.bytes = key + 6};
    } else if (rank == ds__type_rank(DS_OBJECT_ID)) {
        *out = (ds_value){.type = DS_OBJECT_ID};
        memcpy(out->as.oid, key + 1, sizeof out->as.oid);
    } else if (rank == ds__type_rank(DS_BOOL)) {
        *out = ds__bool(key[1] != 0);
    } else if (rank == ds__type_rank(DS_DATE)) {
        *out = ds__date((int64_t)(load_u64(key + 1) ^ 1ULL << 63));
    } else if (rank == ds__type_rank(DS_TIMESTAMP)) {
        *out = (ds_value){.type = DS_TIMESTAMP, .as.u64 = load_u64(key + 1)};
    } else {
        return false;
    }
    return !scratch->failed;
}

/* The int64 that add_digits wrote; false: it was a decimal. `flip` turns the bytes back. */
static bool read_digits(const uint8_t *at, size_t n, uint8_t flip, ds_value *out) {
    int64_t v = 0;
    const int adjusted = ((at[0] ^ flip) << 8 | (at[1] ^ flip)) - 0x4000;
    int left = adjusted + 1; /* digits before the point */
    for (size_t i = 2; i + 1 < n; i++) {
        const int pair = (at[i] ^ flip) - 1;
        for (int digit = pair / 10, k = 0; k < 2; k++, digit = pair % 10) {
            if (left == 0 && digit == 0 && k == 1) {
                break; /* fills the last pair */
            }
            if (left-- <= 0 || __builtin_mul_overflow(v, 10, &v) ||
                __builtin_sub_overflow(v, digit, &v)) {
                return false;
            }
        }
    }
    for (; left > 0; left--) {
        if (__builtin_mul_overflow(v, 10, &v)) {
            return false;
        }
    }
    *out = ds__int64(v);
    return true;
}

bool ds__key_number(const uint8_t *key, size_t size, bool descending, ds_value *out) {
    const uint8_t turn = descending ? 0xff : 0;
    uint64_t bits = 0;
    double d;
    for (size_t i = 1; i < 9; i++) {
        bits = bits << 8 | (key[i] ^ turn);
    }
    const bool nan = bits == 0;
    const bool negative = !(bits >> 63);
    bits = negative ? ~bits : bits & ~(1ULL << 63);
    memcpy(&d, &bits, sizeof d);
    if ((key[9] ^ turn) == 0) {
        *out = ds__double(nan ? NAN : d);
        return true;
    }
    /* gathered below zero, where int64 has one more */
    if (!read_digits(key + 10, size - 10, turn ^ (negative ? 0xff : 0), out)) {
        return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, out->as.i64, &out->as.i64)) {
        return false;
    }
    return true;
}
