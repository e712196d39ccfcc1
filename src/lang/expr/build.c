/* SPDX-License-Identifier: Apache-2.0 */
/* Building arrays, documents and strings in scratch memory: sizes are known before a byte is
 * written, so a result is one allocation. */
#include "lang/expr/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/limits.h"

bool ds__expr_list_add(ds_arena *scratch, ds__expr_list *list, ds_value v, ds_error *err) {
    if (list->count == list->cap) {
        ds_value *items =
            ds_arena_grow(scratch, list->items, list->count, &list->cap, sizeof *items);
        if (items == NULL) {
            return ds__error_oom(err);
        }
        list->items = items;
    }
    list->items[list->count++] = v;
    return true;
}

bool ds__expr_list_fill(ds_arena *scratch, ds__expr_list *list, ds_value array, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        if (!ds__expr_list_add(scratch, list, it.value, err)) {
            return false;
        }
    }
    return true;
}

static size_t payload_size(ds_value v) {
    switch ((ds_type)v.type) {
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        return 8;
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        return 4 + (size_t)v.size + 1;
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_W_SCOPE:
        return v.size;
    case DS_BINARY:
        return 5 + (size_t)v.size;
    case DS_OBJECT_ID:
        return 12;
    case DS_BOOL:
        return 1;
    case DS_INT32:
        return 4;
    case DS_DECIMAL:
        return 16;
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        return 0;
    }
    return 0;
}

static uint8_t *put_u32(uint8_t *p, uint32_t v) {
    memcpy(p, &v, 4);
    return p + 4;
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t size) {
    if (size > 0) {
        memcpy(p, bytes, size);
    }
    return p + size;
}

static uint8_t *put_payload(uint8_t *p, ds_value v) {
    switch ((ds_type)v.type) {
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
        p = put_bytes(put_u32(p, v.size + 1), v.as.bytes, v.size);
        *p = 0;
        return p + 1;
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_W_SCOPE:
        return put_bytes(p, v.as.bytes, v.size);
    case DS_BINARY:
        p = put_u32(p, v.size);
        *p++ = v.subtype;
        return put_bytes(p, v.as.bytes, v.size);
    case DS_BOOL:
        *p = v.as.b ? 1 : 0;
        return p + 1;
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
    case DS_OBJECT_ID:
    case DS_INT32:
    case DS_DECIMAL:
        return put_bytes(p, &v.as, payload_size(v));
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        return p;
    }
    return p;
}

static size_t index_digits(size_t i) {
    size_t digits = 1;
    while (i >= 10) {
        i /= 10;
        digits++;
    }
    return digits;
}

static uint8_t *put_index(uint8_t *p, size_t i) {
    size_t digits = index_digits(i);
    for (size_t k = digits; k > 0; k--) {
        p[k - 1] = (uint8_t)('0' + i % 10);
        i /= 10;
    }
    p[digits] = 0;
    return p + digits + 1;
}

static bool too_large(size_t size, ds_error *err) {
    if (size <= (size_t)4 * DS_MAX_DOC_SIZE) {
        return false;
    }
    ds__error_set(err, DS_BSON_OBJECT_TOO_LARGE, "an expression's result of %zu bytes is too large",
                  size);
    return true;
}

bool ds__expr_make_array(ds_arena *scratch, const ds_value *items, size_t count, ds_value *out,
                         ds_error *err) {
    size_t size = 5;
    for (size_t i = 0; i < count; i++) {
        size += 1 + index_digits(i) + 1 + payload_size(items[i]);
    }
    if (too_large(size, err)) {
        return false;
    }
    uint8_t *bytes = ds_arena_alloc(scratch, size);
    if (bytes == NULL) {
        return ds__error_oom(err);
    }
    uint8_t *p = put_u32(bytes, (uint32_t)size);
    for (size_t i = 0; i < count; i++) {
        *p++ = items[i].type == DS_MISSING ? DS_NULL : items[i].type;
        p = put_payload(put_index(p, i), items[i]);
    }
    *p = 0;
    *out = ds__array(bytes);
    return true;
}

bool ds__expr_make_document(ds_arena *scratch, const ds__expr_field *fields, size_t count,
                            ds_value *out, ds_error *err) {
    size_t size = 5;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value.type != DS_MISSING) {
            size += 1 + fields[i].name_size + 1 + payload_size(fields[i].value);
        }
    }
    if (too_large(size, err)) {
        return false;
    }
    uint8_t *bytes = ds_arena_alloc(scratch, size);
    if (bytes == NULL) {
        return ds__error_oom(err);
    }
    uint8_t *p = put_u32(bytes, (uint32_t)size);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].value.type != DS_MISSING) {
            *p++ = fields[i].value.type;
            p = put_bytes(p, fields[i].name, fields[i].name_size);
            *p++ = 0;
            p = put_payload(p, fields[i].value);
        }
    }
    *p = 0;
    *out = ds__document(bytes);
    return true;
}

bool ds__expr_printf(ds_arena *scratch, ds_value *out, ds_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = size < 0 ? NULL : ds_arena_alloc(scratch, (size_t)size + 1);
    if (text != NULL) {
        vsnprintf(text, (size_t)size + 1, fmt, again);
        *out = ds__string(text, (size_t)size);
    }
    va_end(again);
    return text != NULL || ds__error_oom(err);
}
