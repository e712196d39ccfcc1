/* SPDX-License-Identifier: Apache-2.0 */
/* Plain Python values as JSON text, byte for byte as json.dumps() writes them. Values of other
 * types are given to an encoder in Python; what cannot be written at all is left to it whole. */
#include "json.h"
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

static bool write_text(writing *w, PyObject *text) {
    Py_ssize_t size = PyUnicode_GET_LENGTH(text);
    bool one_byte = !w->ascii && PyUnicode_IS_COMPACT_ASCII(text);
    if (one_byte && ds__json_plain(&w->out, 0, PyUnicode_1BYTE_DATA(text), (size_t)size, 0)) {
        return true;
    }
    ds_buf_add_byte(&w->out, '"');
    if (w->ascii) {
        ds__json_ascii(&w->out, text);
    } else if (one_byte) {
        ds__json_utf8(&w->out, PyUnicode_1BYTE_DATA(text), (size_t)size);
    } else {
        const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
        if (!bytes) {
            return false; /* a lone surrogate */
        }
        ds__json_utf8(&w->out, (const uint8_t *)bytes, (size_t)size);
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
        double scaled = size * tens[places], whole = (double)(int64_t)(scaled + 0.5);
        if (fabs(scaled - whole) > scaled * 1e-15 || whole / tens[places] != size) {
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
        ds__json_lines(&w->out, (const uint8_t *)bytes, (size_t)size);
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

/* A comma or colon. */
static void add_mark(writing *w, uint8_t mark) {
    ds_buf_add_byte(&w->out, mark);
    if (w->spaces) {
        ds_buf_add_byte(&w->out, ' ');
    }
}

/* A string with its colon, and the comma before. */
static bool write_key(writing *w, PyObject *key, bool first) {
    if (!w->ascii && !w->spaces && PyUnicode_IS_COMPACT_ASCII(key) &&
        ds__json_plain(&w->out, first ? 0 : ',', PyUnicode_1BYTE_DATA(key),
                       (size_t)PyUnicode_GET_LENGTH(key), ':')) {
        return true;
    }
    if (!first) {
        add_mark(w, ',');
    }
    bool ok = write_text(w, key);
    add_mark(w, ':');
    return ok;
}

static bool write_list(writing *w, PyObject *list) {
    bool ok = true;
    ds_buf_add_byte(&w->out, '[');
    for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(list); i++) {
        if (i > 0) {
            add_mark(w, ',');
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
        ok = write_key(w, key, first) && write_value(w, value);
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
