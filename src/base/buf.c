/* SPDX-License-Identifier: Apache-2.0 */
/* Growable buffers: doubling, with a maximum and sticky failure. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

enum { SLOWER = 1024 * 1024 }; /* from here on growth is by half: room unused counts too */

void ds_buf_init(ds_buf *buf, size_t max) {
    *buf = (ds_buf){.max = max};
}

void ds_buf_clear(ds_buf *buf) {
    if (buf->grow == NULL) {
        ds__free(buf->data);
    }
    ds_meter_give(buf->meter, buf->cap);
    *buf = (ds_buf){.max = buf->max, .meter = buf->meter, .grow = buf->grow, .ctx = buf->ctx};
}

uint8_t *ds__buf_grow(ds_buf *buf, size_t more) {
    if (buf->failed) {
        return NULL;
    }
    if (buf->cap - buf->size >= more && buf->data != NULL) {
        return buf->data + buf->size;
    }
    size_t max = buf->max ? buf->max : DS_BUF_DEFAULT_MAX;
    size_t need;
    if (!ds__size_add(buf->size, more, &need) || need > max) {
        buf->failed = true;
        return NULL;
    }
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap < need) {
        cap += cap < SLOWER ? cap : cap / 2;
    }
    if (cap > max) {
        cap = max;
    }
    if (buf->meter != NULL && !ds_meter_charge(buf->meter, cap - buf->cap)) {
        buf->failed = buf->no_memory = true;
        return NULL;
    }
    uint8_t *p = buf->grow ? buf->grow(buf->ctx, cap) : ds__realloc(buf->data, cap);
    if (p == NULL) {
        ds_meter_give(buf->meter, cap - buf->cap);
        buf->failed = buf->no_memory = true;
        return NULL;
    }
    buf->data = p;
    buf->cap = cap;
    return p + buf->size;
}

void ds__buf_add_slow(ds_buf *buf, const void *bytes, size_t size) {
    uint8_t *p = ds_buf_reserve(buf, size);
    if (p != NULL && size != 0) {
        memcpy(p, bytes, size);
        buf->size += size;
    }
}

void ds_buf_printf(ds_buf *buf, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    uint8_t *p = n < 0 ? NULL : ds_buf_reserve(buf, (size_t)n + 1);
    if (p != NULL) {
        vsnprintf((char *)p, (size_t)n + 1, fmt, again);
        buf->size += (size_t)n;
    }
    va_end(again);
}

bool ds_buf_ok(const ds_buf *buf, ds_error *err) {
    if (!buf->failed) {
        return true;
    }
    size_t max = buf->max ? buf->max : DS_BUF_DEFAULT_MAX;
    if (buf->no_memory || max == DS_BUF_DEFAULT_MAX) {
        return ds__error_oom(err);
    }
    return ds__error_set(err, DS_BSON_OBJECT_TOO_LARGE,
                         "BSONObj size is invalid: it would exceed the maximum of %zu bytes", max);
}

uint8_t *ds_buf_take(ds_buf *buf, size_t *size) {
    ds_assert(buf->grow == NULL);
    uint8_t *p = ds_buf_reserve(buf, 1);
    if (p == NULL) {
        return NULL;
    }
    *p = 0;
    p = buf->data;
    if (size != NULL) {
        *size = buf->size;
    }
    ds_meter_give(buf->meter, buf->cap);
    *buf = (ds_buf){.max = buf->max, .meter = buf->meter};
    return p;
}
