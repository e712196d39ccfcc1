/* SPDX-License-Identifier: Apache-2.0 */
/* The quick part of validation: values whose exact type and limits are plainly fine. Everything
 * else is for the field's `check` in Python, which also has the words for what is wrong. */
#include "schema.h"

static bool within(const ds__field *f, double x) {
    return !(f->flags & DS_FIELD_LIMITS) || (x >= f->min && x <= f->max);
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Labels of letters, digits and inner hyphens, two or more, the last of two or more letters. */
static bool is_plain_domain(const char *p, const char *end) {
    size_t labels = 0, size = 0, letters = 0;
    for (; p <= end; p++) {
        if (p == end || *p == '.') {
            if (size == 0 || size > 63 || p[-1] == '-') {
                return false;
            }
            labels++;
            if (p == end) {
                break;
            }
            size = letters = 0;
        } else if (is_alnum(*p) || (*p == '-' && size > 0)) {
            size++;
            letters += is_alnum(*p) && (*p < '0' || *p > '9');
        } else {
            return false;
        }
    }
    return labels >= 2 && size >= 2 && letters == size;
}

/* An address that every EmailField takes; stranger ones are for the field to judge. */
static bool is_plain_email(PyObject *text) {
    if (!PyUnicode_IS_COMPACT_ASCII(text)) {
        return false;
    }
    const char *p = (const char *)PyUnicode_1BYTE_DATA(text);
    const char *end = p + PyUnicode_GET_LENGTH(text);
    const char *at = memchr(p, '@', (size_t)(end - p));
    if (!at || at == p || at[-1] == '.' || *p == '.') {
        return false;
    }
    for (; p < at; p++) {
        bool dot = *p == '.' && p[1] != '.';
        if (!is_alnum(*p) && !dot && *p != '-' && *p != '_' && *p != '+') {
            return false;
        }
    }
    return is_plain_domain(at + 1, end);
}

static int list_check(ds__pstate *state, ds__field *field, PyObject *value) {
    if (!within(field, (double)PyList_GET_SIZE(value))) {
        return 0;
    }
    for (Py_ssize_t i = 0; field->item && i < PyList_GET_SIZE(value); i++) {
        PyObject *one = Py_NewRef(PyList_GET_ITEM(value, i));
        int fine = ds__field_check(state, field->item, one);
        Py_DECREF(one);
        if (fine != 1) {
            return fine;
        }
    }
    return 1;
}

static int embedded_check(ds__pstate *state, ds__field *field, PyObject *value) {
    if (!ds__is_document(state, value)) {
        return 0;
    }
    PyObject *type = ds__field_target(field);
    ds__model *doc = (ds__model *)value;
    if (!type) {
        return -1;
    }
    if (!PyObject_TypeCheck(value, (PyTypeObject *)type)) {
        return 0;
    }
    if (doc->schema->own_check) {
        return 0;
    }
    if (doc->data && !doc->values && !doc->extra) {
        return 1; /* as it came from the store */
    }
    PyObject *suspects = ds__document_suspects(state, doc, false);
    int fine = suspects ? PyList_GET_SIZE(suspects) == 0 : -1;
    Py_XDECREF(suspects);
    return fine;
}

static int reference_check(ds__pstate *state, ds__field *field, PyObject *value) {
    uint8_t oid[12];
    if (!ds__is_document(state, value)) {
        return ds__py_object_id_bytes(state, value, oid);
    }
    PyObject *type = ds__field_target(field);
    if (!type) {
        return -1;
    }
    ds__model *doc = (ds__model *)value;
    int at = doc->schema->primary;
    if (at < 0 || !PyObject_TypeCheck(value, (PyTypeObject *)type)) {
        return 0;
    }
    PyObject *id = ds__document_get(state, doc, (size_t)at);
    int fine = !id ? -1 : id != Py_None;
    if (fine == 1 && (doc->state & DS_DOC_HOLLOW)) { /* made of a key that somebody assigned */
        fine = ds__field_check(state, &doc->schema->fields[at], id);
    }
    Py_XDECREF(id);
    return fine;
}

int ds__field_check(ds__pstate *state, ds__field *field, PyObject *value) {
    PyTypeObject *type = Py_TYPE(value);
    uint8_t oid[12];
    if (field->flags & DS_FIELD_PY_CHECK) {
        return 0;
    }
    switch ((ds__kind)field->kind) {
    case DS_HOLDS_STRING:
        return type == &PyUnicode_Type && within(field, (double)PyUnicode_GET_LENGTH(value)) &&
               (!(field->flags & DS_FIELD_EMAIL) || is_plain_email(value));
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG: {
        int overflow;
        if (type != &PyLong_Type) {
            return 0;
        }
        long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
        return !overflow && within(field, (double)n) && n < (1LL << 53) && n > -(1LL << 53);
    }
    case DS_HOLDS_FLOAT:
        return type == &PyFloat_Type && within(field, PyFloat_AS_DOUBLE(value));
    case DS_HOLDS_BOOL:
        return type == &PyBool_Type;
    case DS_HOLDS_DATETIME:
        return type == state->datetime->DateTimeType;
    case DS_HOLDS_DATE:
        return type == state->datetime->DateType;
    case DS_HOLDS_OBJECT_ID:
        return ds__py_object_id_bytes(state, value, oid);
    case DS_HOLDS_UUID:
        return (PyObject *)type == state->uuid;
    case DS_HOLDS_BINARY:
        return type == &PyBytes_Type && within(field, (double)PyBytes_GET_SIZE(value));
    case DS_HOLDS_LIST:
        return PyList_Check(value) ? list_check(state, field, value) : 0;
    case DS_HOLDS_EMBEDDED:
        return embedded_check(state, field, value);
    case DS_HOLDS_REFERENCE:
        return reference_check(state, field, value);
    case DS_HOLDS_DYNAMIC:
        return 1;
    case DS_HOLDS_DICT:
    case DS_HOLDS_DECIMAL:
    case DS_HOLDS_POINTER:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        break;
    }
    return 0;
}

static PyObject *suspects(ds__pstate *state, ds__model *doc, bool all) {
    PyObject *list = PyList_New(0);
    if (!list || !ds__document_open(doc)) {
        Py_XDECREF(list);
        return NULL;
    }
    for (size_t i = 0; i < doc->schema->count; i++) {
        ds__field *f = &doc->schema->fields[i];
        if (!all && doc->data && !ds__document_touched(doc, i)) {
            continue;
        }
        PyObject *value = ds__document_get(state, doc, i);
        int fine = -1;
        if (value == Py_None) {
            fine = !(f->flags & DS_FIELD_REQUIRED) ||
                   ((f->flags & DS_FIELD_PRIMARY) && f->kind == DS_HOLDS_OBJECT_ID);
        } else if (value && (f->flags & DS_FIELD_REQUIRED) &&
                   ((PyList_Check(value) && PyList_GET_SIZE(value) == 0) ||
                    (PyDict_Check(value) && PyDict_GET_SIZE(value) == 0))) {
            fine = 0;
        } else if (value) {
            fine = ds__field_check(state, f, value);
        }
        Py_XDECREF(value);
        PyObject *at = fine == 0 ? PyLong_FromSize_t(i) : NULL;
        if (fine < 0 || (fine == 0 && (!at || PyList_Append(list, at) < 0))) {
            Py_XDECREF(at);
            Py_DECREF(list);
            return NULL;
        }
        Py_XDECREF(at);
    }
    return list;
}

PyObject *ds__document_suspects(ds__pstate *state, ds__model *doc, bool all) {
    if (Py_EnterRecursiveCall(" while validating a document")) {
        return NULL;
    }
    PyObject *list = suspects(state, doc, all);
    Py_LeaveRecursiveCall();
    return list;
}
