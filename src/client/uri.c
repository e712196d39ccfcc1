/* SPDX-License-Identifier: Apache-2.0 */
/* URI text: percent escapes, query pairs, and values of options from a URI or a document. */
#include "client/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bson/json.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ds__uri_decode(ds_buf *out, const char *s, size_t size, ds_error *err) {
    for (size_t i = 0; i < size; i++) {
        if (s[i] != '%') {
            ds_buf_add_byte(out, (uint8_t)s[i]);
            continue;
        }
        int high = i + 2 < size ? hex(s[i + 1]) : -1;
        int low = i + 2 < size ? hex(s[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "the URI has a '%%' that no two hexadecimal digits follow; write "
                                 "a percent sign as %%25");
        }
        if (high == 0 && low == 0) {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "the URI must not contain %%00");
        }
        ds_buf_add_byte(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return ds_buf_ok(out, err);
}

void ds__uri_encode(ds_buf *out, const char *s, size_t size) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < size; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            ds_buf_add_byte(out, (uint8_t)c);
        } else {
            uint8_t u = (uint8_t)c;
            char escape[3] = {'%', digits[u >> 4], digits[u & 15]};
            ds_buf_add(out, escape, sizeof escape);
        }
    }
}

bool ds__uri_next(const char **at, ds__uri_pair *pair, bool *found, ds_error *err) {
    *found = false;
    while (**at == '&' || **at == ';') {
        ++*at;
    }
    if (!**at) {
        return true;
    }
    size_t size = strcspn(*at, "&;");
    const char *equals = memchr(*at, '=', size);
    if (!equals || equals == *at) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "the URI's option '%.*s' is not of the form name=value",
                             (int)(size > 60 ? 60 : size), *at);
    }
    pair->name = *at;
    pair->name_size = (size_t)(equals - *at);
    pair->value = equals + 1;
    pair->value_size = size - pair->name_size - 1;
    *at += size;
    *found = true;
    return true;
}

bool ds__uri_is(const char *name, size_t size, const char *other) {
    return strlen(other) == size && strncasecmp(name, other, size) == 0;
}

static bool refuse(const char *name, ds_value v, const char *wanted, ds_error *err) {
    char quoted[160];
    return ds__error_set(err, DS_BAD_VALUE, "option '%s' must be %s, found %s", name, wanted,
                         ds__value_quote(v, quoted, sizeof quoted));
}

bool ds__option_bool(const char *name, ds_value v, bool *out, ds_error *err) {
    if (v.type == DS_BOOL) {
        *out = v.as.b;
        return true;
    }
    if (ds__is_string(v, "true") || ds__is_string(v, "false")) {
        *out = v.size == 4;
        return true;
    }
    return refuse(name, v, "true or false", err);
}

bool ds__option_int(const char *name, ds_value v, int64_t min, int64_t max, int64_t *out,
                    ds_error *err) {
    char text[24];
    bool good = ds__value_exact_int64(v, out);
    if (v.type == DS_STRING && v.size > 0 && v.size < sizeof text) {
        memcpy(text, v.as.bytes, v.size);
        text[v.size] = 0;
        char *end = NULL;
        *out = strtoll(text, &end, 10);
        good = end == text + v.size;
    }
    if (!good || *out < min || *out > max) {
        char wanted[80];
        snprintf(wanted, sizeof wanted, "an integer from %lld to %lld", (long long)min,
                 (long long)max);
        return refuse(name, v, wanted, err);
    }
    return true;
}
