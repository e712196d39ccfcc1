/* SPDX-License-Identifier: Apache-2.0 */
/* BSON values as the hot loops see them: a small struct, scalars inside, strings and documents
 * borrowed from the bytes they were read from. All bytes were validated at the door, so reading
 * never fails. */
#ifndef DS_BSON_VALUE_H
#define DS_BSON_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* BSON's type bytes; DS_MISSING is "no such field". */
typedef enum ds_type {
    DS_MISSING = 0,
    DS_DOUBLE = 1,
    DS_STRING = 2,
    DS_DOCUMENT = 3,
    DS_ARRAY = 4,
    DS_BINARY = 5,
    DS_UNDEFINED = 6,
    DS_OBJECT_ID = 7,
    DS_BOOL = 8,
    DS_DATE = 9,
    DS_NULL = 10,
    DS_REGEX = 11,
    DS_DB_POINTER = 12,
    DS_CODE_TYPE = 13,
    DS_SYMBOL = 14,
    DS_CODE_W_SCOPE = 15,
    DS_INT32 = 16,
    DS_TIMESTAMP = 17,
    DS_INT64 = 18,
    DS_DECIMAL = 19,
    DS_MAX_KEY = 127,
    DS_MIN_KEY = 255
} ds_type;

/* IEEE 754-2008 decimal128, BID encoding, as BSON stores it. */
typedef struct ds_decimal {
    uint64_t low;
    uint64_t high;
} ds_decimal;

/* A borrowed value. Copy freely; `bytes` lives as long as what it was read from.
 *  STRING, CODE_TYPE, SYMBOL  bytes = text, size = length without the NUL (a NUL follows in BSON,
 *                             not necessarily in computed strings)
 *  DOCUMENT, ARRAY            bytes = the whole BSON document, size = its length
 *  BINARY                     bytes = payload (subtype 2's inner length not stripped), subtype
 *  REGEX                      bytes = pattern NUL options NUL, size = all of it
 *  DB_POINTER, CODE_W_SCOPE   bytes = the raw BSON payload, size = all of it
 *  OBJECT_ID                  as.oid;  TIMESTAMP as.u64 (seconds << 32 | increment)
 *  DATE                       as.i64 milliseconds */
typedef struct ds_value {
    uint8_t type;    /* a ds_type */
    uint8_t subtype; /* BINARY */
    uint32_t size;
    union {
        int32_t i32;
        int64_t i64;
        uint64_t u64;
        double f64;
        bool b;
        ds_decimal dec;
        uint8_t oid[12];
        const uint8_t *bytes;
    } as;
} ds_value;

static inline uint32_t ds__load_u32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t ds__load_u64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline ds_value ds__missing(void) {
    return (ds_value){.type = DS_MISSING};
}
static inline ds_value ds__null(void) {
    return (ds_value){.type = DS_NULL};
}
static inline ds_value ds__int32(int32_t v) {
    return (ds_value){.type = DS_INT32, .as.i32 = v};
}
static inline ds_value ds__int64(int64_t v) {
    return (ds_value){.type = DS_INT64, .as.i64 = v};
}
static inline ds_value ds__double(double v) {
    return (ds_value){.type = DS_DOUBLE, .as.f64 = v};
}
static inline ds_value ds__bool(bool v) {
    return (ds_value){.type = DS_BOOL, .as.b = v};
}
static inline ds_value ds__date(int64_t ms) {
    return (ds_value){.type = DS_DATE, .as.i64 = ms};
}
static inline ds_value ds__decimal(ds_decimal v) {
    return (ds_value){.type = DS_DECIMAL, .as.dec = v};
}
static inline ds_value ds__string(const char *s, size_t size) {
    return (ds_value){.type = DS_STRING, .size = (uint32_t)size, .as.bytes = (const uint8_t *)s};
}
static inline ds_value ds__cstring(const char *s) {
    return ds__string(s, strlen(s));
}
/* A view of a whole BSON document (its length is in its first four bytes). */
static inline ds_value ds__document(const uint8_t *bson) {
    return (ds_value){.type = DS_DOCUMENT, .size = ds__load_u32(bson), .as.bytes = bson};
}
static inline ds_value ds__array(const uint8_t *bson) {
    return (ds_value){.type = DS_ARRAY, .size = ds__load_u32(bson), .as.bytes = bson};
}

static inline bool ds__is_number(ds_value v) {
    return v.type == DS_INT32 || v.type == DS_DOUBLE || v.type == DS_INT64 || v.type == DS_DECIMAL;
}
/* null, undefined or missing: what aggregation calls nullish. */
static inline bool ds__is_nullish(ds_value v) {
    return v.type == DS_NULL || v.type == DS_MISSING || v.type == DS_UNDEFINED;
}
static inline bool ds__is_string(ds_value v, const char *s) {
    return v.type == DS_STRING && v.size == strlen(s) && memcmp(v.as.bytes, s, v.size) == 0;
}
static inline const char *ds__text(ds_value v) {
    return (const char *)v.as.bytes;
}

/* MongoDB's alias of a type as $type prints it: "double", "int", "objectId", "missing". */
const char *ds__type_name(uint8_t type);
/* The type for an alias or DS_MISSING ("number" is not a type: callers handle it). */
uint8_t ds__type_from_name(const char *name, size_t size);
/* Truth as aggregation and query flags see it: false, 0, null, undefined, missing are false. */
bool ds__value_truthy(ds_value v);

/* Reads the value of type `type` at `p`; returns the bytes it takes. */
size_t ds__value_read(uint8_t type, const uint8_t *p, ds_value *out);
/* Only the bytes it takes. */
size_t ds__value_skip(uint8_t type, const uint8_t *p);

/* Iterates a document or array:
 *   ds__iter it; ds__iter_init(&it, doc);
 *   while (ds__iter_next(&it)) { it.key, it.key_size, it.value }
 * The raw element is it.element, it.element_size. Lifetime: the document's bytes. */
typedef struct ds__iter {
    const uint8_t *at;
    const uint8_t *end;
    const char *key;
    size_t key_size;
    ds_value value;
    const uint8_t *element;
    size_t element_size;
} ds__iter;

static inline void ds__iter_init(ds__iter *it, ds_value doc) {
    it->at = doc.as.bytes + 4;
    it->end = doc.as.bytes + doc.size - 1;
    it->key = NULL;
    it->key_size = 0;
    it->value.type = DS_MISSING;
}
static inline bool ds__iter_next(ds__iter *it) {
    if (it->at >= it->end) {
        return false;
    }
    it->element = it->at;
    it->key = (const char *)it->at + 1;
    it->key_size = strlen(it->key);
    const uint8_t *p = it->at + 1 + it->key_size + 1;
    it->at = p + ds__value_read(it->element[0], p, &it->value);
    it->element_size = (size_t)(it->at - it->element);
    return true;
}

/* Whether the document or array has no elements. */
static inline bool ds__doc_empty(ds_value doc) {
    return doc.size <= 5;
}
/* How many elements. */
size_t ds__doc_count(ds_value doc);
/* The field `key`; false and DS_MISSING when there is none. `doc` must be a document or array. */
bool ds__doc_get(ds_value doc, const char *key, size_t key_size, ds_value *out);
static inline ds_value ds__doc_field(ds_value doc, const char *key) {
    ds_value v;
    ds__doc_get(doc, key, strlen(key), &v);
    return v;
}
/* The element at position i of an array; DS_MISSING past its end. */
ds_value ds__array_at(ds_value array, size_t i);

/* A number as int64 when it is one exactly (1.0 and Decimal128 1 are); false otherwise. */
bool ds__value_exact_int64(ds_value v, int64_t *out);

#endif
