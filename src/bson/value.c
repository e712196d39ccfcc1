/* SPDX-License-Identifier: Apache-2.0 */
/* Reading values out of valid BSON bytes. */
#include "bson/value.h"

#include "bson/scan.h"
#include "base/named.h"
#include "bson/decimal.h"

typedef struct type_name {
    const char *name;
    uint8_t type;
} type_name;

static const type_name names[] = {
    {"missing", DS_MISSING},
    {"double", DS_DOUBLE},
    {"string", DS_STRING},
    {"object", DS_DOCUMENT},
    {"array", DS_ARRAY},
    {"binData", DS_BINARY},
    {"undefined", DS_UNDEFINED},
    {"objectId", DS_OBJECT_ID},
    {"bool", DS_BOOL},
    {"date", DS_DATE},
    {"null", DS_NULL},
    {"regex", DS_REGEX},
    {"dbPointer", DS_DB_POINTER},
    {"javascript", DS_CODE_TYPE},
    {"symbol", DS_SYMBOL},
    {"javascriptWithScope", DS_CODE_W_SCOPE},
    {"int", DS_INT32},
    {"timestamp", DS_TIMESTAMP},
    {"long", DS_INT64},
    {"decimal", DS_DECIMAL},
    {"maxKey", DS_MAX_KEY},
    {"minKey", DS_MIN_KEY},
};

const char *ds__type_name(uint8_t type) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            return names[i].name;
        }
    }
    return "unknown";
}

uint8_t ds__type_from_name(const char *name, size_t size) {
    /* the first is no type's */
    const type_name *found =
        ds__find_named(names + 1, sizeof names / sizeof *names - 1, sizeof *names, name, size);
    return found ? found->type : DS_MISSING;
}

bool ds__value_truthy(ds_value v) {
    switch (v.type) {
    case DS_MISSING:
    case DS_NULL:
    case DS_UNDEFINED:
        return false;
    case DS_BOOL:
        return v.as.b;
    case DS_INT32:
        return v.as.i32 != 0;
    case DS_INT64:
        return v.as.i64 != 0;
    case DS_DOUBLE:
        return v.as.f64 != 0;
    case DS_DECIMAL:
        return !ds__dec_is_zero(v.as.dec);
    default:
        return true;
    }
}

/* Two NUL-terminated strings in a row. */
static size_t two_cstrings(const uint8_t *p) {
    size_t n = strlen((const char *)p) + 1;
    return n + strlen((const char *)p + n) + 1;
}

size_t ds__value_skip(uint8_t type, const uint8_t *p) {
    switch (type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        return 8;
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        return 4 + ds__load_u32(p);
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_CODE_W_SCOPE:
        return ds__load_u32(p);
    case DS_BINARY:
        return 5 + ds__load_u32(p);
    case DS_OBJECT_ID:
        return 12;
    case DS_BOOL:
        return 1;
    case DS_REGEX:
        return two_cstrings(p);
    case DS_DB_POINTER:
        return 4 + ds__load_u32(p) + 12;
    case DS_INT32:
        return 4;
    case DS_DECIMAL:
        return 16;
    default:
        return 0;
    }
}

size_t ds__value_read(uint8_t type, const uint8_t *p, ds_value *out) {
    size_t size;
    out->type = type;
    out->subtype = 0;
    switch (type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        out->size = 8;
        memcpy(&out->as.u64, p, 8);
        return 8;
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        size = ds__load_u32(p);
        out->size = (uint32_t)size - 1;
        out->as.bytes = p + 4;
        return size + 4;
    case DS_BINARY:
        size = ds__load_u32(p);
        out->size = (uint32_t)size;
        out->subtype = p[4];
        out->as.bytes = p + 5;
        return size + 5;
    case DS_OBJECT_ID:
        out->size = 12;
        memcpy(out->as.oid, p, 12);
        return 12;
    case DS_BOOL:
        out->size = 1;
        out->as.b = *p != 0;
        return 1;
    case DS_INT32:
        out->size = 4;
        memcpy(&out->as.i32, p, 4);
        return 4;
    case DS_DECIMAL:
        out->size = 16;
        memcpy(&out->as.dec, p, 16);
        return 16;
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_CODE_W_SCOPE:
    case DS_REGEX:
    case DS_DB_POINTER:
        size = ds__value_skip(type, p);
        out->size = (uint32_t)size;
        out->as.bytes = p;
        return size;
    default:
        out->size = 0;
        return 0;
    }
}

size_t ds__doc_count(ds_value doc) {
    const uint8_t *p = doc.as.bytes + 4;
    const uint8_t *end = doc.as.bytes + doc.size - 1;
    size_t n = 0;
    while (p < end) {
        uint8_t type = *p;
        p += 1 + strlen((const char *)p + 1) + 1;
        p += ds__value_skip(type, p);
        n++;
    }
    return n;
}

bool ds__doc_get(ds_value doc, const char *key, size_t key_size, ds_value *out) {
    ds__scan s;
    ds__scan_init(&s, doc);
    while (ds__scan_next(&s)) {
        if (s.key_size == key_size && memcmp(s.key, key, key_size) == 0) {
            ds__value_read(*s.element, s.element + key_size + 2, out);
            return true;
        }
    }
    out->type = DS_MISSING;
    out->size = 0;
    return false;
}

ds_value ds__array_at(ds_value array, size_t i) {
    const uint8_t *p = array.as.bytes + 4;
    const uint8_t *end = array.as.bytes + array.size - 1;
    ds_value v = ds__missing();
    while (p < end) {
        uint8_t type = *p;
        p += 1 + strlen((const char *)p + 1) + 1;
        if (i-- == 0) {
            ds__value_read(type, p, &v);
            return v;
        }
        p += ds__value_skip(type, p);
    }
    return v;
}

bool ds__value_exact_int64(ds_value v, int64_t *out) {
    switch (v.type) {
    case DS_INT32:
        *out = v.as.i32;
        return true;
    case DS_INT64:
        *out = v.as.i64;
        return true;
    case DS_DOUBLE:
        if (v.as.f64 >= -9223372036854775808.0 && v.as.f64 < 9223372036854775808.0 &&
            v.as.f64 == (double)(int64_t)v.as.f64) {
            *out = (int64_t)v.as.f64;
            return true;
        }
        return false;
    case DS_DECIMAL: {
        int64_t n;
        if (ds__dec_to_int64(v.as.dec, DS_ROUND_TO_ZERO, &n) &&
            ds__dec_compare(ds__dec_from_int64(n), v.as.dec) == 0) {
            *out = n;
            return true;
        }
        return false;
    }
    default:
        return false;
    }
}
