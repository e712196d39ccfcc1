/* SPDX-License-Identifier: Apache-2.0 */
/* Filling ds_error and naming codes. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int32_t code;
    const char *name;
} codes[] = {
#define DS_CODE(name, number, text) {number, text},
#include "base/codes.def"
#undef DS_CODE
};

/* The bytes of the UTF-8 character at `p`, or 0 when there is none. NUL ends the text. */
static size_t character(const unsigned char *p) {
    if (*p < 0x80) {
        return 1;
    }
    size_t size = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
        (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return size;
}

/* A message quotes what users wrote, perhaps cut off within a character; drivers refuse replies
 * that are not UTF-8, so every byte of such becomes a question mark. */
static void mend(char *message) {
    for (unsigned char *p = (unsigned char *)message; *p;) {
        size_t size = character(p);
        if (size == 0) {
            *p = '?';
            size = 1;
        }
        p += size;
    }
}

bool ds__error_set(ds_error *err, int32_t code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    mend(err->message);
    return false;
}

bool ds__error_prefix(ds_error *err, const char *fmt, ...) {
    char old[DS_ERROR_MESSAGE_SIZE];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(err->message, sizeof err->message, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof err->message) {
        snprintf(err->message + n, sizeof err->message - (size_t)n, "%s", old);
    }
    mend(err->message);
    return false;
}

static const char oom_text[] = "out of memory";

bool ds__error_oom(ds_error *err) {
    return ds__error_set(err, DS_EXCEEDED_MEMORY_LIMIT, "%s", oom_text);
}

bool ds__error_is_oom(const ds_error *err) {
    return err->code == DS_EXCEEDED_MEMORY_LIMIT && strcmp(err->message, oom_text) == 0;
}

const char *ds__code_name(int32_t code, char *buf) {
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i].code == code) {
            return codes[i].name;
        }
    }
    snprintf(buf, 32, "Location%d", (int)code);
    return buf;
}

bool ds__corrupt(ds_error *err, const char *where) {
    return ds__error_set(err, DS_DATA_CORRUPTION_DETECTED,
                         "stored data is damaged in %s; run `docstore check` on the file", where);
}
