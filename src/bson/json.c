/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text in messages, in mongod's own notation. */
#include "bson/json.h"

#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "bson/decimal.h"

static void print_double(ds_buf *out, double d) {
    char text[40];
    if (isnan(d) || isinf(d)) {
        ds_buf_printf(out, "%s", isnan(d) ? "nan.0" : d < 0 ? "-inf.0" : "inf.0");
        return;
    }
    snprintf(text, sizeof text, "%.16g", d);
    double back = 0;
    if (sscanf(text, "%lf", &back) != 1 || back != d) {
        snprintf(text, sizeof text, "%.17g", d);
    }
    ds_buf_printf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_hex(ds_buf *out, const uint8_t *bytes, size_t n, const char *fmt) {
    for (size_t i = 0; i < n; i++) {
        ds_buf_printf(out, fmt, bytes[i]);
    }
}

static void print_binary(ds_buf *out, ds_value v) {
    if (v.subtype == 4 && v.size == 16) {
        static const int groups[] = {4, 2, 2, 2, 6};
        const uint8_t *p = v.as.bytes;
        ds_buf_printf(out, "UUID(\"");
        for (int i = 0; i < 5; i++) {
            print_hex(out, p, (size_t)groups[i], "%02x");
            p += groups[i];
            ds_buf_printf(out, "%s", i < 4 ? "-" : "\")");
        }
        return;
    }
    ds_buf_printf(out, "BinData(%d, ", v.subtype);
    print_hex(out, v.as.bytes, v.size, "%02X");
    ds_buf_printf(out, ")");
}

static void print_document(ds_buf *out, ds_value v) {
    bool array = v.type == DS_ARRAY;
    ds__iter it;
    ds__iter_init(&it, v);
    bool first = true;
    ds_buf_printf(out, array ? "[" : "{");
    while (ds__iter_next(&it)) {
        ds_buf_printf(out, first ? " " : ", ");
        if (!array) {
            ds_buf_printf(out, "%s: ", it.key);
        }
        ds__value_print(out, it.value);
        first = false;
    }
    ds_buf_printf(out, array ? "%s]" : "%s}", first ? "" : " ");
}

void ds__value_print(ds_buf *out, ds_value v) {
    char text[DS_DECIMAL_TEXT_SIZE];
    switch ((ds_type)v.type) {
    case DS_MISSING:
        ds_buf_printf(out, "EOO");
        break;
    case DS_DOUBLE:
        print_double(out, v.as.f64);
        break;
    case DS_STRING:
    case DS_SYMBOL:
        ds_buf_add_byte(out, '"');
        ds_buf_add(out, v.as.bytes, v.size);
        ds_buf_add_byte(out, '"');
        break;
    case DS_DOCUMENT:
    case DS_ARRAY:
        print_document(out, v);
        break;
    case DS_BINARY:
        print_binary(out, v);
        break;
    case DS_UNDEFINED:
        ds_buf_printf(out, "undefined");
        break;
    case DS_OBJECT_ID:
        ds_buf_printf(out, "ObjectId('");
        print_hex(out, v.as.oid, 12, "%02x");
        ds_buf_printf(out, "')");
        break;
    case DS_BOOL:
        ds_buf_printf(out, v.as.b ? "true" : "false");
        break;
    case DS_DATE:
        ds_buf_printf(out, "new Date(%lld)", (long long)v.as.i64);
        break;
    case DS_NULL:
        ds_buf_printf(out, "null");
        break;
    case DS_REGEX: {
        const char *pattern = ds__text(v);
        ds_buf_printf(out, "/%s/%s", pattern, pattern + strlen(pattern) + 1);
        break;
    }
    case DS_DB_POINTER:
        ds_buf_printf(out, "DBRef(...)");
        break;
    case DS_CODE_TYPE:
        ds_buf_add(out, v.as.bytes, v.size);
        break;
    case DS_CODE_W_SCOPE:
        ds_buf_printf(out, "CodeWScope(...)");
        break;
    case DS_INT32:
        ds_buf_printf(out, "%d", v.as.i32);
        break;
    case DS_TIMESTAMP:
        ds_buf_printf(out, "Timestamp(%u, %u)", (unsigned)(v.as.u64 >> 32), (unsigned)v.as.u64);
        break;
    case DS_INT64:
        ds_buf_printf(out, "%lld", (long long)v.as.i64);
        break;
    case DS_DECIMAL:
        ds__dec_to_text(v.as.dec, text);
        ds_buf_printf(out, "%s", text);
        break;
    case DS_MAX_KEY:
        ds_buf_printf(out, "MaxKey");
        break;
    case DS_MIN_KEY:
        ds_buf_printf(out, "MinKey");
        break;
    }
}

const char *ds__value_quote(ds_value v, char *out, size_t size) {
    ds_buf text;
    ds_buf_init(&text, (size_t)1 << 26);
    ds__value_print(&text, v);
    size_t n = text.size < DS_MAX_QUOTED ? text.size : DS_MAX_QUOTED;
    if (n > size - 4) {
        n = size - 4;
    }
    if (n != 0) {
        memcpy(out, text.data, n);
    }
    memcpy(out + n, n < text.size ? "..." : "", n < text.size ? 4 : 1);
    ds_buf_clear(&text);
    return out;
}
