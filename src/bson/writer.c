/* SPDX-License-Identifier: Apache-2.0 */
/* Writing BSON. */
#include "bson/writer.h"

size_t ds__doc_begin(ds_buf *buf) {
    size_t at = buf->size;
    static const uint8_t zero[4];
    ds_buf_add(buf, zero, 4);
    return at;
}

void ds__doc_end(ds_buf *buf, size_t begin) {
    ds_buf_add_byte(buf, 0);
    if (!buf->failed) {
        uint32_t size = (uint32_t)(buf->size - begin);
        memcpy(buf->data + begin, &size, 4);
    }
}

/* Type byte, key and its NUL. */
static void write_head(ds_buf *buf, uint8_t type, const char *key, size_t key_size) {
    uint8_t *p = ds_buf_reserve(buf, key_size + 2);
    if (p != NULL) {
        p[0] = type;
        memcpy(p + 1, key, key_size);
        p[1 + key_size] = 0;
        buf->size += key_size + 2;
    }
}

size_t ds__write_doc(ds_buf *buf, const char *key, size_t key_size, uint8_t type) {
    write_head(buf, type, key, key_size);
    return ds__doc_begin(buf);
}

void ds__write_payload(ds_buf *buf, ds_value v) {
    uint32_t size;
    switch ((ds_type)v.type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        ds_buf_add(buf, &v.as.u64, 8);
        break;
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        size = v.size + 1;
        ds_buf_add(buf, &size, 4);
        ds_buf_add(buf, v.as.bytes, v.size);
        ds_buf_add_byte(buf, 0);
        break;
    case DS_BINARY:
        size = v.size;
        ds_buf_add(buf, &size, 4);
        ds_buf_add_byte(buf, v.subtype);
        ds_buf_add(buf, v.as.bytes, v.size);
        break;
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_CODE_W_SCOPE:
    case DS_REGEX:
    case DS_DB_POINTER:
        ds_buf_add(buf, v.as.bytes, v.size);
        break;
    case DS_OBJECT_ID:
        ds_buf_add(buf, v.as.oid, 12);
        break;
    case DS_BOOL:
        ds_buf_add_byte(buf, v.as.b ? 1 : 0);
        break;
    case DS_INT32:
        ds_buf_add(buf, &v.as.i32, 4);
        break;
    case DS_DECIMAL:
        ds_buf_add(buf, &v.as.dec, 16);
        break;
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        break;
    }
}

void ds__write_value(ds_buf *buf, const char *key, size_t key_size, ds_value v) {
    if (v.type == DS_MISSING) {
        return;
    }
    write_head(buf, v.type, key, key_size);
    ds__write_payload(buf, v);
}

size_t ds__index_text(size_t index, char *out) {
    char digits[24];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + index % 10);
        index /= 10;
    } while (index != 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = digits[n - 1 - i];
    }
    out[n] = 0;
    return n;
}

void ds__write_index(ds_buf *buf, size_t index, ds_value v) {
    char key[24];
    size_t n = ds__index_text(index, key);
    ds__write_value(buf, key, n, v);
}

size_t ds__write_index_doc(ds_buf *buf, size_t index, uint8_t type) {
    char key[24];
    size_t n = ds__index_text(index, key);
    return ds__write_doc(buf, key, n, type);
}

bool ds__value_copy(ds_arena *arena, ds_value v, ds_value *out) {
    *out = v;
    switch (v.type) {
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        out->as.bytes = (const uint8_t *)ds_arena_strndup(arena, (const char *)v.as.bytes, v.size);
        return out->as.bytes != NULL;
    case DS_BINARY:
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_CODE_W_SCOPE:
    case DS_REGEX:
    case DS_DB_POINTER:
        out->as.bytes = ds_arena_copy(arena, v.as.bytes, v.size);
        return out->as.bytes != NULL;
    default:
        return true;
    }
}

bool ds__buf_to_value(ds_arena *arena, const ds_buf *buf, uint8_t type, ds_value *out) {
    if (buf->failed) {
        return false;
    }
    uint8_t *p = ds_arena_copy(arena, buf->data, buf->size);
    if (p == NULL) {
        return false;
    }
    *out = (ds_value){.type = type, .size = (uint32_t)buf->size, .as.bytes = p};
    return true;
}
