/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a document's raw elements without decoding the values passed over: the innermost loop of
 * filters and projections. */
#ifndef DS_BSON_SCAN_H
#define DS_BSON_SCAN_H

#include "bson/value.h"

/* Bytes of the value at `p`, the common types inline. */
static inline size_t ds__scan_size(uint8_t type, const uint8_t *p) {
    switch (type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        return 8;
    case DS_STRING:
        return 4 + (size_t)ds__load_u32(p);
    case DS_DOCUMENT:
    case DS_ARRAY:
        return ds__load_u32(p);
    case DS_OBJECT_ID:
        return 12;
    case DS_BOOL:
        return 1;
    case DS_NULL:
        return 0;
    case DS_INT32:
        return 4;
    default:
        return ds__value_skip(type, p);
    }
}

/* Iterates raw elements:
 *   ds__scan s; ds__scan_init(&s, doc);
 *   while (ds__scan_next(&s)) { s.key, s.key_size, s.element … s.at }
 * ds__scan_value decodes the current value. Lifetime: the document's bytes. */
typedef struct ds__scan {
    const uint8_t *at; /* the end of the current element */
    const uint8_t *end;
    const uint8_t *element;
    const char *key;
    size_t key_size;
} ds__scan;

static inline void ds__scan_init(ds__scan *s, ds_value doc) {
    s->at = doc.as.bytes + 4;
    s->end = doc.as.bytes + doc.size - 1;
    s->element = s->at;
    s->key = NULL;
    s->key_size = 0;
}

/* strlen of a field's name, eight bytes at a time where the document has them. */
static inline size_t ds__scan_name(const uint8_t *p, const uint8_t *end) {
    const uint8_t *start = p;
    while (end - p >= 8) {
        uint64_t x = ds__load_u64(p);
        uint64_t zero = (x - UINT64_C(0x0101010101010101)) & ~x & UINT64_C(0x8080808080808080);
        if (zero != 0) {
            return (size_t)(p - start) + (size_t)(__builtin_ctzll(zero) >> 3);
        }
        p += 8;
    }
    return (size_t)(p - start) + strlen((const char *)p);
}

static inline bool ds__scan_next(ds__scan *s) {
    if (s->at >= s->end) {
        return false;
    }
    s->element = s->at;
    s->key = (const char *)s->at + 1;
    s->key_size = ds__scan_name(s->at + 1, s->end);
    const uint8_t *payload = s->at + s->key_size + 2;
    s->at = payload + ds__scan_size(*s->element, payload);
    return true;
}

static inline ds_value ds__scan_value(const ds__scan *s) {
    ds_value v;
    ds__value_read(*s->element, s->element + s->key_size + 2, &v);
    return v;
}

/* The field `name` of a document or array; missing if none. */
static inline ds_value ds__scan_find(ds_value doc, const char *name, size_t size) {
    ds__scan s;
    ds__scan_init(&s, doc);
    while (ds__scan_next(&s)) {
        if (s.key_size == size && memcmp(s.key, name, size) == 0) {
            return ds__scan_value(&s);
        }
    }
    return ds__missing();
}

#endif
