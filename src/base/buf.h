/* SPDX-License-Identifier: Apache-2.0 */
/* A growable byte buffer with a maximum. Failure (memory, maximum) is sticky: write on, and ask
 * once at the end with ds_buf_ok. */
#ifndef DS_BASE_BUF_H
#define DS_BASE_BUF_H

#include <stdint.h>
#include <string.h>

#include "base/meter.h"

typedef struct ds_buf {
    /* owned */
    uint8_t *data;
    /* borrowed */
    ds_meter *meter; /* charged for cap; NULL: nobody is. Set it before the first write */
    /* plain */
    size_t size;
    size_t cap;
    size_t max; /* 0: DS_BUF_DEFAULT_MAX */
    bool failed;
    bool no_memory; /* why it failed; else: the maximum */
    /* borrowed: somebody else's memory, not freed here. Keeps what is in it; NULL: there is none */
    uint8_t *(*grow)(void *ctx, size_t size);
    void *ctx;
} ds_buf;

#define DS_BUF_DEFAULT_MAX ((size_t)1 << 30)

/* Zero-initialised storage is a valid empty buffer; init sets a maximum. */
void ds_buf_init(ds_buf *buf, size_t max);
/* Frees the memory; the buffer may be used again. */
void ds_buf_clear(ds_buf *buf);
/* Slow path of ds_buf_reserve; call that. */
uint8_t *ds__buf_grow(ds_buf *buf, size_t more);
/* Makes room for `more` bytes and returns where to write, or NULL. Does not change size. */
static inline uint8_t *ds_buf_reserve(ds_buf *buf, size_t more) {
    return buf->cap - buf->size >= more && buf->data && !buf->failed ? buf->data + buf->size
                                                                     : ds__buf_grow(buf, more);
}
/* Slow path of ds_buf_add; call that. */
void ds__buf_add_slow(ds_buf *buf, const void *bytes, size_t size);

static inline void ds_buf_add(ds_buf *buf, const void *bytes, size_t size) {
    if (buf->cap - buf->size >= size && !buf->failed) {
        if (size) {
            memcpy(buf->data + buf->size, bytes, size);
            buf->size += size;
        }
    } else {
        ds__buf_add_slow(buf, bytes, size);
    }
}
static inline void ds_buf_add_byte(ds_buf *buf, uint8_t byte) {
    ds_buf_add(buf, &byte, 1);
}
void ds_buf_printf(ds_buf *buf, const char *fmt, ...) DS_PRINTF(2, 3);
/* Empties, keeps the memory, forgets a failure. */
static inline void ds_buf_reset(ds_buf *buf) {
    buf->size = 0;
    buf->failed = buf->no_memory = false;
}
/* Takes over the failure of a buffer that should have become part of this one. */
static inline void ds_buf_fail_as(ds_buf *buf, const ds_buf *part) {
    if (part->failed && !buf->failed) {
        buf->failed = true;
        buf->no_memory = part->no_memory;
    }
}
/* False and an error when any write failed: ExceededMemoryLimit (memory, or the maximum of 1 GiB)
 * or BSONObjectTooLarge (a maximum that was set). */
bool ds_buf_ok(const ds_buf *buf, ds_error *err);
/* The memory, NUL-terminated; the caller frees it with ds__free. NULL when failed. */
uint8_t *ds_buf_take(ds_buf *buf, size_t *size);

#endif
