/* SPDX-License-Identifier: Apache-2.0 */
/* Checking untrusted BSON once. Every length is checked before it is used. */
#include "bson/validate.h"

#include "bson/scan.h"

typedef struct door {
    const uint8_t *bytes;
    size_t size;
    int max_depth;
    ds_error *err;
} door;

static bool bad(const door *d, size_t at, const char *expected) {
    return ds__error_set(d->err, DS_INVALID_BSON, "Invalid BSON at byte %zu: expected %s", at,
                         expected);
}

/* The end of the NUL-terminated string at `at`, past its NUL. */
static bool cstring(const door *d, size_t at, size_t end, size_t *next) {
    const uint8_t *nul = at < end ? memchr(d->bytes + at, 0, end - at) : NULL;
    if (nul == NULL) {
        return bad(d, at, "a string that ends with NUL inside the document");
    }
    *next = (size_t)(nul - d->bytes) + 1;
    return true;
}

/* A length-prefixed string at `at`. */
static bool string(const door *d, size_t at, size_t end, size_t *next) {
    if (end - at < 5) {
        return bad(d, at, "a string of at least 5 bytes");
    }
    uint32_t n = ds__load_u32(d->bytes + at);
    if (n < 1 || n > end - at - 4) {
        return bad(d, at, "a string length that fits into the document");
    }
    if (d->bytes[at + 4 + n - 1] != 0) {
        return bad(d, at + 4 + n - 1, "the NUL that ends a string");
    }
    *next = at + 4 + n;
    return true;
}

static bool document(const door *d, size_t at, size_t end, int depth, size_t *next);

static bool code_w_scope(const door *d, size_t at, size_t end, int depth, size_t *next) {
    if (end - at < 14) {
        return bad(d, at, "code with scope of at least 14 bytes");
    }
    uint32_t n = ds__load_u32(d->bytes + at);
    if (n < 14 || n > end - at) {
        return bad(d, at, "a code with scope length that fits into the document");
    }
    size_t p;
    if (!string(d, at + 4, at + n, &p) || !document(d, p, at + n, depth + 1, &p)) {
        return false;
    }
    if (p != at + n) {
        return bad(d, p, "the end of code with scope");
    }
    *next = p;
    return true;
}

static bool fixed(const door *d, size_t at, size_t end, size_t n, size_t *next) {
    if (end - at < n) {
        return bad(d, at, "a value that fits into the document");
    }
    *next = at + n;
    return true;
}

static bool binary(const door *d, size_t at, size_t end, size_t *next) {
    if (end - at < 5) {
        return bad(d, at, "binary data of at least 5 bytes");
    }
    uint32_t n = ds__load_u32(d->bytes + at);
    if (n > end - at - 5) {
        return bad(d, at, "a binary length that fits into the document");
    }
    *next = at + 5 + n;
    return true;
}

static bool value(const door *d, uint8_t type, size_t at, size_t end, int depth, size_t *next) {
    switch (type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        return fixed(d, at, end, 8, next);
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        return string(d, at, end, next);
    case DS_DOCUMENT:
    case DS_ARRAY:
        return document(d, at, end, depth + 1, next);
    case DS_BINARY:
        return binary(d, at, end, next);
    case DS_OBJECT_ID:
        return fixed(d, at, end, 12, next);
    case DS_BOOL:
        if (at < end && d->bytes[at] > 1) {
            return bad(d, at, "a boolean of 0 or 1");
        }
        return fixed(d, at, end, 1, next);
    case DS_REGEX:
        return cstring(d, at, end, next) && cstring(d, *next, end, next);
    case DS_DB_POINTER:
        return string(d, at, end, next) && fixed(d, *next, end, 12, next);
    case DS_CODE_W_SCOPE:
        return code_w_scope(d, at, end, depth, next);
    case DS_INT32:
        return fixed(d, at, end, 4, next);
    case DS_DECIMAL:
        return fixed(d, at, end, 16, next);
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        *next = at;
        return true;
    default:
        return ds__error_set(d->err, DS_INVALID_BSON,
                             "Invalid BSON at byte %zu: unknown type 0x%02x", at, type);
    }
}

static bool document(const door *d, size_t at, size_t end, int depth, size_t *next) {
    if (depth > d->max_depth) {
        return ds__error_set(d->err, DS_OVERFLOW,
                             "BSONObj exceeded maximum nested object depth: %d", d->max_depth);
    }
    if (end - at < 5) {
        return bad(d, at, "a document of at least 5 bytes");
    }
    uint32_t n = ds__load_u32(d->bytes + at);
    if (n < 5 || n > end - at) {
        return bad(d, at, "a document length that fits");
    }
    size_t last = at + n - 1;
    if (d->bytes[last] != 0) {
        return bad(d, last, "the NUL that ends a document");
    }
    size_t p = at + 4;
    while (p < last) {
        uint8_t type = d->bytes[p++];
        if (!cstring(d, p, last, &p) || !value(d, type, p, last, depth, &p)) {
            return false;
        }
    }
    if (p != last) {
        return bad(d, p, "the end of a document");
    }
    *next = at + n;
    return true;
}

bool ds__bson_validate(const uint8_t *bytes, size_t size, int max_depth, ds_error *err) {
    door d = {.bytes = bytes, .size = size, .max_depth = max_depth, .err = err};
    size_t end;
    if (!document(&d, 0, size, 1, &end)) {
        return false;
    }
    if (end != size) {
        return bad(&d, end, "nothing after the document");
    }
    return true;
}

static bool within(const uint8_t *bytes, uint32_t size, int levels) {
    enum { SMALLEST_LEVEL = 7 }; /* type, empty name, size and end */
    if (levels >= 0 && size / SMALLEST_LEVEL <= (uint32_t)levels) {
        return true;
    }
    if (levels < 0) {
        return false;
    }
    ds__scan s;
    ds__scan_init(&s, ds__document(bytes));
    while (ds__scan_next(&s)) {
        const uint8_t *payload = s.element + s.key_size + 2;
        if ((*s.element == DS_DOCUMENT || *s.element == DS_ARRAY) &&
            !within(payload, ds__load_u32(payload), levels - 1)) {
            return false;
        }
    }
    return true;
}

bool ds__value_depth_within(ds_value v, int levels) {
    return (v.type != DS_DOCUMENT && v.type != DS_ARRAY) || within(v.as.bytes, v.size, levels);
}
