/* SPDX-License-Identifier: Apache-2.0 */
/* Plain Python values as JSON text, byte for byte as json.dumps() writes them. Values of other
 * types are given to an encoder in Python; what cannot be written at all is left to it whole. */
#include "rows.h"

#include <math.h>

enum { MAX_NESTED = 200 }; /* below Python's own limit, which stays Python's to report */

typedef struct writing {
    ds_buf out;
    PyObject *encode_b; /* value -> JSON text */
    bool ascii;         /* \u escapes for what is not ASCII */
    bool spaces;        /* after commas and colons */
    bool nan;           /* NaN and Infinity are written */
    int depth;
} writing;

static void add(ds_buf *out, const char *text) {
    ds_buf_add(out, text, strlen(text));
}

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
        add(out, short_forms[c]);
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

/* ASCII in quotes. False, and nothing is written: it needs escapes. */
static bool add_plain(ds_buf *out, const uint8_t *p, size_t size) {
    uint8_t *to = ds_buf_reserve(out, size + 2);
    if (!to) {
        return true; /* told at the end */
    }
    if (!(size < 8 ? put_short(to + 1, p, size) : put_long(to + 1, p, size))) {
        return false;
    }
    to[0] = to[size + 1] = '"';
    out->size += size + 2;
    return true;
}

/* UTF-8 whose special bytes are control characters, quote, backslash, and the first byte of U+2028
 * and U+2029, which scripts take for ends of lines. */
static void add_utf8(ds_buf *out, const uint8_t *p, size_t size) {
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

static void add_ascii(ds_buf *out, PyObject *text) {
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

static bool write_text(writing *w, PyObject *text) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    bool one_byte = !w->ascii && PyUnicode_IS_COMPACT_ASCII(text);
    if (one_byte && add_plain(&w->out, PyUnicode_1BYTE_DATA(text), (size_t)size)) {
        return true;
    }
    ds_buf_add_byte(&w->out, '"');
    if (w->ascii) {
        add_ascii(&w->out, text);
    } else if (one_byte) {
        add_utf8(&w->out, PyUnicode_1BYTE_DATA(text), (size_t)size);
    } else {
        const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
        if (!bytes) {
            return false; /* a lone surrogate */
        }
        add_utf8(&w->out, (const uint8_t *)bytes, (size_t)size);
    }
    ds_buf_add_byte(&w->out, '"');
    return true;
}

static bool write_int(writing *w, PyObject *value) {
    int overflow;
    char text[24], *p = text + sizeof text;
    long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow) {
        PyObject *digits = PyLong_Type.tp_repr(value);
        if (digits) {
            ds_buf_add(&w->out, PyUnicode_1BYTE_DATA(digits), (size_t)PyUnicode_GET_LENGTH(digits));
            Py_DECREF(digits);
        }
        return digits != NULL;
    }
    unsigned long long n = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    if (v < 0) {
        *--p = '-';
    }
    ds_buf_add(&w->out, p, (size_t)(text + sizeof text - p));
    return true;
}

/* A number of few decimals, which are its shortest digits: of 15 digits or fewer no two name the
 * same double. False: it is another number. */
static bool write_short_float(writing *w, double v) {
    static const double tens[] = {1, 10, 100, 1000, 10000, 100000};
    double size = fabs(v);
    if (!(size >= 1e-3 && size < 1e9)) {
        return false;
    }
    for (size_t places = 0; places < sizeof tens / sizeof tens[0]; places++) {
        double whole = (double)(int64_t)(size * tens[places] + 0.5);
        if (whole / tens[places] != size) {
            continue;
        }
        char text[32], *p = text + sizeof text;
        uint64_t n = (uint64_t)whole;
        if (places == 0) {
            *--p = '0';
        }
        for (size_t i = 0; i < places; i++) {
            *--p = (char)('0' + n % 10);
            n /= 10;
        }
        *--p = '.';
        do {
            *--p = (char)('0' + n % 10);
            n /= 10;
        } while (n != 0);
        if (v < 0) {
            *--p = '-';
        }
        ds_buf_add(&w->out, p, (size_t)(text + sizeof text - p));
        return true;
    }
    return false;
}

static bool write_float(writing *w, double v) {
    if (Py_IS_NAN(v) || Py_IS_INFINITY(v)) {
        if (!w->nan) {
            PyErr_SetString(PyExc_ValueError, "JSON has no such number");
            return false;
        }
        add(&w->out, Py_IS_NAN(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return true;
    }
    if (write_short_float(w, v)) {
        return true;
    }
    char *text = PyOS_double_to_string(v, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text) {
        add(&w->out, text);
        PyMem_Free(text);
    }
    return text != NULL;
}

/* By the encoder in Python. */
static bool write_other(writing *w, PyObject *value) {
    PyObject *text = PyObject_CallOneArg(w->encode_b, value);
    Py_ssize_t size = 0;
    const char *bytes = text && PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, &size) : NULL;
    if (bytes) {
        const uint8_t *p = (const uint8_t *)bytes, *end = p + size, *plain = p;
        for (; end - p >= 3; p++) { /* as in add_utf8, of text that is JSON already */
            if (*p == 0xe2 && p[1] == 0x80 && (p[2] & 0xfe) == 0xa8) {
                ds_buf_add(&w->out, plain, (size_t)(p - plain));
                add_escaped(&w->out, 0x2000 | (p[2] & 0x3f));
                p += 2;
                plain = p + 1;
            }
        }
        ds_buf_add(&w->out, plain, (size_t)(end - plain));
    } else if (text && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "an encoder gives text");
    }
    Py_XDECREF(text);
    return bytes != NULL;
}

static bool write_container(writing *w, PyObject *value);

/* Values that are written without a call of Python. */
static bool is_scalar(PyObject *value) {
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyFloat_CheckExact(value) ||
           PyBool_Check(value) || value == Py_None;
}

static bool write_scalar(writing *w, PyObject *value) {
    if (PyUnicode_CheckExact(value)) {
        return write_text(w, value);
    }
    if (PyLong_CheckExact(value)) {
        return write_int(w, value);
    }
    if (PyFloat_CheckExact(value)) {
        return write_float(w, PyFloat_AS_DOUBLE(value));
    }
    add(&w->out, value == Py_None ? "null" : value == Py_True ? "true" : "false");
    return true;
}

static bool write_value(writing *w, PyObject *value) {
    if (is_scalar(value)) {
        return write_scalar(w, value);
    }
    Py_INCREF(value); /* Python may be called, and drop what holds it */
    bool ok = write_container(w, value);
    Py_DECREF(value);
    return ok;
}

static void add_comma(writing *w) {
    ds_buf_add(&w->out, ", ", w->spaces ? 2 : 1);
}

static bool write_list(writing *w, PyObject *list) {
    bool ok = true;
    ds_buf_add_byte(&w->out, '[');
    for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(list); i++) {
        if (i > 0) {
            add_comma(w);
        }
        ok = write_value(w, PySequence_Fast_GET_ITEM(list, i));
    }
    ds_buf_add_byte(&w->out, ']');
    return ok;
}

static bool has_plain_keys(PyObject *dict) {
    PyObject *key;
    Py_ssize_t at = 0;
    while (PyDict_Next(dict, &at, &key, NULL)) {
        if (!PyUnicode_CheckExact(key)) {
            return false;
        }
    }
    return true;
}

/* An exact dict. All its keys are looked at before Python is called for the first of its values:
 * one that is no string makes the whole dict Python's to write. */
static bool write_dict(writing *w, PyObject *dict) {
    PyObject *key, *value;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(dict);
    size_t start = w->out.size;
    bool ok = true, looked = false;
    ds_buf_add_byte(&w->out, '{');
    for (bool first = true; ok && PyDict_Next(dict, &at, &key, &value); first = false) {
        if (!looked && !(PyUnicode_CheckExact(key) && is_scalar(value))) {
            if (!has_plain_keys(dict)) {
                w->out.size = start;
                return write_other(w, dict);
            }
            looked = true;
        }
        if (!first) {
            add_comma(w);
        }
        if (!write_text(w, key)) {
            return false;
        }
        ds_buf_add(&w->out, ": ", w->spaces ? 2 : 1);
        ok = write_value(w, value);
        if (ok && PyDict_GET_SIZE(dict) != size) { /* by an encoder in Python */
            PyErr_SetString(PyExc_RuntimeError, "a dict changed while it was written");
            ok = false;
        }
    }
    ds_buf_add_byte(&w->out, '}');
    return ok;
}

/* Whether iterating gives the storage: also of subclasses that only add attributes. */
static bool is_plain_list(PyObject *value) {
    getiterfunc iter = Py_TYPE(value)->tp_iter;
    return (PyList_Check(value) && iter == PyList_Type.tp_iter) ||
           (PyTuple_Check(value) && iter == PyTuple_Type.tp_iter);
}

static bool write_container(writing *w, PyObject *value) {
    bool ok, dict = PyDict_CheckExact(value);
    if (!dict && !is_plain_list(value)) {
        return write_other(w, value);
    }
    if (++w->depth > MAX_NESTED) {
        PyErr_SetString(PyExc_RecursionError, "nested too deeply for the writer in C");
        ok = false;
    } else {
        ok = dict ? write_dict(w, value) : write_list(w, value);
    }
    w->depth--;
    return ok;
}

PyDoc_STRVAR(dumps_doc, "dumps(value, encode, *, ensure_ascii, compact, allow_nan)\n--\n\n"
                        "The value as JSON, in UTF-8; None: what is wrong with it is json's to\n"
                        "say. encode(value) gives the text of a value that is not plain.");

static PyObject *py_dumps(PyObject *module, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"", "", "ensure_ascii", "compact", "allow_nan", NULL};
    PyObject *value, *result = NULL;
    writing w = {0};
    int ascii, compact, nan;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO$ppp:dumps", DS_KEYWORDS(names), &value,
                                     &w.encode_b, &ascii, &compact, &nan)) {
        return NULL;
    }
    w.ascii = ascii;
    w.spaces = !compact;
    w.nan = nan;
    bool ok = write_value(&w, value);
    if (ok && ds__py_buf_ok(&w.out)) {
        result = PyBytes_FromStringAndSize((const char *)w.out.data, (Py_ssize_t)w.out.size);
    } else if (!ok && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyErr_Clear();
        result = Py_NewRef(Py_None);
    }
    ds_buf_clear(&w.out);
    return result;
}

PyMethodDef ds__json_functions[] = {
    {"dumps", (PyCFunction)(void (*)(void))py_dumps, METH_VARARGS | METH_KEYWORDS, dumps_doc},
    {NULL},
};
