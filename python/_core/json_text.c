/* SPDX-License-Identifier: Apache-2.0 */
/* Strings as JSON: eight bytes are looked at and copied at a time while none needs an escape. */
#include "json.h"

static char *unicode_escape(char *p, Py_UCS4 c) {
    static const char hex[] = "0123456789abcdef";
    *p++ = '\\';
    *p++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4) {
        *p++ = hex[c >> shift & 15];
    }
    return p;
}

static void add_escaped(ds_buf *out, Py_UCS4 c) {
    static const char *const short_forms[0x20] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n", ['\f'] = "\\f", ['\r'] = "\\r"};
    char text[12], *p = text;
    if (c == '"' || c == '\\') {
        *p++ = '\\';
        *p++ = (char)c;
    } else if (c < 0x20 && short_forms[c]) {
        ds_buf_add(out, short_forms[c], 2);
    } else if (c < 0x10000) {
        p = unicode_escape(p, c);
    } else {
        c -= 0x10000;
        p = unicode_escape(unicode_escape(p, 0xd800 | c >> 10), 0xdc00 | (c & 0x3ff));
    }
    ds_buf_add(out, text, (size_t)(p - text));
}

/* Whether eight bytes are ASCII that stands as it is. */
static bool are_plain(uint64_t v) {
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
    uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
    uint64_t found = v | (v - ones * 0x20) | (quote - ones) | (slash - ones);
    return (found & tops) == 0; /* exact while no byte is above 0x7f, which v itself tells */
}

static uint64_t eight(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Copies text of less than eight bytes, of which some may overlap. False: it needs escapes. */
static bool put_short(uint8_t *to, const uint8_t *p, size_t size) {
    if (size >= 4) {
        uint32_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + size - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy(to + size - sizeof last, &last, sizeof last);
        return are_plain((uint64_t)last << 32 | first);
    }
    uint64_t v = UINT64_C(0x2020202020202020);
    for (size_t i = 0; i < size; i++) {
        to[i] = p[i];
        v = v << 8 | p[i];
    }
    return are_plain(v);
}

/* The same for eight bytes and more. */
static bool put_long(uint8_t *to, const uint8_t *p, size_t size) {
    for (size_t i = 0; i + 8 <= size; i += 8) {
        uint64_t v = eight(p + i);
        if (!are_plain(v)) {
            return false;
        }
        memcpy(to + i, &v, sizeof v);
    }
    uint64_t v = eight(p + size - 8);
    memcpy(to + size - 8, &v, sizeof v);
    return are_plain(v);
}

bool ds__json_plain(ds_buf *out, char before, const uint8_t *p, size_t size, char after) {
    bool fits = out->cap - out->size >= size + 4 && !out->failed;
    uint8_t *start = fits ? out->data + out->size : ds_buf_reserve(out, size + 4), *to = start;
    if (!to) {
        return true; /* told at the end */
    }
    *to = (uint8_t)before;
    to += before != 0;
    *to++ = '"';
    if (!(size < 8 ? put_short(to, p, size) : put_long(to, p, size))) {
        return false;
    }
    to += size;
    *to++ = '"';
    *to = (uint8_t)after;
    to += after != 0;
    out->size += (size_t)(to - start);
    return true;
}

void ds__json_utf8(ds_buf *out, const uint8_t *p, size_t size) {
    static const bool special[256] = {
        [0] = 1,  [1] = 1,  [2] = 1,  [3] = 1,  [4] = 1,   [5] = 1,    [6] = 1,
        [7] = 1,  [8] = 1,  [9] = 1,  [10] = 1, [11] = 1,  [12] = 1,   [13] = 1,
        [14] = 1, [15] = 1, [16] = 1, [17] = 1, [18] = 1,  [19] = 1,   [20] = 1,
        [21] = 1, [22] = 1, [23] = 1, [24] = 1, [25] = 1,  [26] = 1,   [27] = 1,
        [28] = 1, [29] = 1, [30] = 1, [31] = 1, ['"'] = 1, ['\\'] = 1, [0xe2] = 1,
    };
    const uint8_t *end = p + size, *plain = p;
    for (; p < end; p++) {
        while (end - p >= 8 && are_plain(eight(p))) {
            p += 8;
        }
        if (p == end) {
            break;
        }
        if (!special[*p]) {
            continue;
        }
        if (*p != 0xe2) {
            ds_buf_add(out, plain, (size_t)(p - plain));
            add_escaped(out, *p);
            plain = p + 1;
        } else if (end - p >= 3 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) {
            ds_buf_add(out, plain, (size_t)(p - plain));
            add_escaped(out, 0x2000 | (p[2] & 0x3f));
            p += 2;
            plain = p + 1;
        }
    }
    ds_buf_add(out, plain, (size_t)(end - plain));
}

void ds__json_ascii(ds_buf *out, PyObject *text) {
    Py_ssize_t n = PyUnicode_GET_LENGTH(text);
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_UCS4 c = PyUnicode_READ_CHAR(text, i);
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            ds_buf_add_byte(out, (uint8_t)c);
        } else {
            add_escaped(out, c);
        }
    }
}

void ds__json_lines(ds_buf *out, const uint8_t *p, size_t size) {
    const uint8_t *end = p + size, *plain = p;
    for (; end - p >= 3; p++) {
        if (*p == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) {
            ds_buf_add(out, plain, (size_t)(p - plain));
            add_escaped(out, 0x2000 | (p[2] & 0x3f));
            p += 2;
            plain = p + 1;
        }
    }
    ds_buf_add(out, plain, (size_t)(end - plain));
}
