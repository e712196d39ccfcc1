/* SPDX-License-Identifier: Apache-2.0 */
/* BSON as extended JSON, legacy mode: the text that PyMongo's json_util.dumps() gives with
 * LEGACY_JSON_OPTIONS, in ASCII, with ", " and ": ". What is rare there (DBRefs whose fields are in
 * another order, pointers, code with a scope, undefined) is left to Python. */
#include "json.h"
#include "rows.h"

enum { DEEPEST = 180 }; /* levels: stored documents have at most 180 */

static bool add_value(ds_buf *out, ds_value v, int depth);

static void add_text(ds_buf *out, const char *text) {
    ds_buf_add(out, text, strlen(text));
}

/* False: an error is set. */
static bool add_string(ds_buf *out, const char *text, size_t size) {
    const uint8_t *bytes = (const uint8_t *)text;
    if (!memchr(bytes, 0x7f, size) && ds__json_plain(out, 0, bytes, size, 0)) {
        return true;
    }
    PyObject *string = PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, NULL);
    if (!string) {
        return false;
    }
    ds_buf_add_byte(out, '"');
    ds__json_ascii(out, string);
    ds_buf_add_byte(out, '"');
    Py_DECREF(string);
    return true;
}

/* `object` is a new reference to ASCII, or NULL with an error set. */
static bool add_ascii(ds_buf *out, PyObject *object) {
    if (!object) {
        return false;
    }
    ds_buf_add(out, PyUnicode_1BYTE_DATA(object), (size_t)PyUnicode_GET_LENGTH(object));
    Py_DECREF(object);
    return true;
}

static bool add_double(ds_buf *out, double v) {
    if (isnan(v)) {
        add_text(out, "NaN");
    } else if (isinf(v)) {
        add_text(out, v > 0 ? "Infinity" : "-Infinity");
    } else {
        char *text = PyOS_double_to_string(v, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        if (!text) {
            return false;
        }
        add_text(out, text);
        PyMem_Free(text);
    }
    return true;
}

static bool add_binary(ds_buf *out, ds_value v) {
    static const char digits[] = "0123456789abcdef";
    if (v.subtype == 4) {
        add_text(out, "{\"$uuid\": \"");
        for (uint32_t i = 0; i < v.size; i++) {
            ds_buf_add_byte(out, (uint8_t)digits[v.as.bytes[i] >> 4]);
            ds_buf_add_byte(out, (uint8_t)digits[v.as.bytes[i] & 15]);
        }
        add_text(out, "\"}");
        return v.size == 16;
    }
    bool inner = v.subtype == 2; /* its payload has a length of its own */
    if (inner && v.size < 4) {
        return false;
    }
    add_text(out, "{\"$binary\": \"");
    if (!add_ascii(out, ds__text_base64(v.as.bytes + 4 * inner, v.size - 4 * inner))) {
        return false;
    }
    const char type[] = {digits[v.subtype >> 4], digits[v.subtype & 15], 0};
    add_text(out, "\", \"$type\": \"");
    add_text(out, type);
    add_text(out, "\"}");
    return true;
}

static bool add_regex(ds_buf *out, ds_value v) {
    const char *pattern = ds__text(v), *options = pattern + strlen(pattern) + 1;
    add_text(out, "{\"$regex\": ");
    if (!add_string(out, pattern, strlen(pattern))) {
        return false;
    }
    add_text(out, ", \"$options\": \"");
    for (const char *known = "ilmsux"; *known; known++) {
        if (strchr(options, *known)) {
            ds_buf_add_byte(out, (uint8_t)*known);
        }
    }
    add_text(out, "\"}");
    return options[strspn(options, "ilmsux")] == 0;
}

static bool add_oid(ds_buf *out, const uint8_t oid[12]) {
    add_text(out, "{\"$oid\": \"");
    bool done = add_ascii(out, ds__text_object_id(oid));
    add_text(out, "\"}");
    return done;
}

static void add_number(ds_buf *out, const char *before, int64_t v, const char *after) {
    char text[64];
    int size = snprintf(text, sizeof text, "%s%" PRId64 "%s", before, v, after);
    ds_buf_add(out, text, (size_t)size);
}

/* Whether a document that has $ref is what a DBRef is written as: $ref, $id, $db and the rest. */
static bool is_plain_reference(ds_value doc) {
    static const char *const names[] = {"$ref", "$id", "$db"};
    size_t at = 0;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        if (at < 3 && strcmp(it.key, names[at]) == 0) {
            at++;
        } else if (at < 2 || it.key[0] == '$') {
            return false;
        } else {
            at = 3;
        }
    }
    return at >= 2;
}

/* What is in a document, with the names, or in an array. */
static bool add_items(ds_buf *out, ds_value v, int depth) {
    bool named = v.type == DS_DOCUMENT, first = true;
    ds__iter it;
    ds_buf_add_byte(out, named ? '{' : '[');
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (!first) {
            add_text(out, ", ");
        }
        first = false;
        if (named) {
            if (strcmp(it.key, "$ref") == 0 && !is_plain_reference(v)) {
                return false;
            }
            if (!add_string(out, it.key, it.key_size)) {
                return false;
            }
            add_text(out, ": ");
        }
        if (!add_value(out, it.value, depth + 1)) {
            return false;
        }
    }
    ds_buf_add_byte(out, named ? '}' : ']');
    return true;
}

/* False: an error is set, or (without one) Python has to write it. */
static bool add_value(ds_buf *out, ds_value v, int depth) {
    char text[BSON_DECIMAL128_STRING];
    bson_decimal128_t decimal;
    if (depth > DEEPEST) {
        return false;
    }
    switch (v.type) {
    case DS_DOUBLE:
        return add_double(out, v.as.f64);
    case DS_STRING:
        return add_string(out, ds__text(v), v.size);
    case DS_DOCUMENT:
    case DS_ARRAY:
        return add_items(out, v, depth);
    case DS_BINARY:
        return add_binary(out, v);
    case DS_OBJECT_ID:
        return add_oid(out, v.as.oid);
    case DS_BOOL:
        add_text(out, v.as.b ? "true" : "false");
        return true;
    case DS_DATE:
        add_number(out, "{\"$date\": ", v.as.i64, "}");
        return true;
    case DS_NULL:
        add_text(out, "null");
        return true;
    case DS_REGEX:
        return add_regex(out, v);
    case DS_CODE_TYPE:
        add_text(out, "{\"$code\": ");
        if (!add_string(out, ds__text(v), v.size)) {
            return false;
        }
        ds_buf_add_byte(out, '}');
        return true;
    case DS_INT32:
        add_number(out, "", v.as.i32, "");
        return true;
    case DS_TIMESTAMP:
        add_number(out, "{\"$timestamp\": {\"t\": ", (int64_t)(v.as.u64 >> 32), ", \"i\": ");
        add_number(out, "", (int64_t)(v.as.u64 & UINT32_MAX), "}}");
        return true;
    case DS_INT64:
        add_number(out, "", v.as.i64, "");
        return true;
    case DS_DECIMAL:
        decimal = (bson_decimal128_t){.low = v.as.dec.low, .high = v.as.dec.high};
        bson_decimal128_to_string(&decimal, text);
        add_text(out, "{\"$numberDecimal\": \"");
        add_text(out, text);
        add_text(out, "\"}");
        return true;
    case DS_MIN_KEY:
        add_text(out, "{\"$minKey\": 1}");
        return true;
    case DS_MAX_KEY:
        add_text(out, "{\"$maxKey\": 1}");
        return true;
    default:
        return false;
    }
}

PyObject *ds__extended_json(ds_value v) {
    ds_buf out = {0};
    bool done = add_value(&out, v, 0);
    PyObject *text = NULL;
    if (done && ds__py_buf_ok(&out)) {
        text = PyUnicode_DecodeASCII((const char *)out.data, (Py_ssize_t)out.size, NULL);
    } else if (!done && !PyErr_Occurred()) {
        text = Py_NewRef(Py_None);
    }
    ds_buf_clear(&out);
    return text;
}
