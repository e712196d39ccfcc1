/* SPDX-License-Identifier: Apache-2.0 */
/* The conditions of filters: comparisons, lists of values, string patterns. Values of other types
 * than a field's own are left to the field in Python. */
#include "lookup.h"

#include "extension.h"

typedef enum family { IS_VALUE, IS_COMPARISON, IS_MANY, IS_EXISTS, IS_SIZE, IS_TEXT } family;

/* Lookups that are written here; the others are Python's. */
static const struct {
    const char *name;
    family family;
    const char *before; /* MongoDB's operator, or what precedes the text in a pattern */
    const char *after;
} OPS[] = {
    {"", IS_VALUE, NULL, NULL},           {"exact", IS_VALUE, NULL, NULL},
    {"eq", IS_VALUE, NULL, NULL},         {"ne", IS_COMPARISON, "$ne", NULL},
    {"gt", IS_COMPARISON, "$gt", NULL},   {"gte", IS_COMPARISON, "$gte", NULL},
    {"lt", IS_COMPARISON, "$lt", NULL},   {"lte", IS_COMPARISON, "$lte", NULL},
    {"in", IS_MANY, "$in", NULL},         {"nin", IS_MANY, "$nin", NULL},
    {"all", IS_MANY, "$all", NULL},       {"exists", IS_EXISTS, "$exists", NULL},
    {"size", IS_SIZE, "$size", NULL},     {"contains", IS_TEXT, "", ""},
    {"icontains", IS_TEXT, "", ""},       {"startswith", IS_TEXT, "^", ""},
    {"istartswith", IS_TEXT, "^", ""},    {"endswith", IS_TEXT, "", "$"},
    {"iendswith", IS_TEXT, "", "$"},      {"iexact", IS_TEXT, "^", "$"},
    {"wholeword", IS_TEXT, "\\b", "\\b"}, {"iwholeword", IS_TEXT, "\\b", "\\b"},
};
#define OP_COUNT ((uint8_t)(sizeof OPS / sizeof OPS[0]))

uint8_t ds__condition_op(PyObject *name) {
    for (uint8_t i = 0; i < OP_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, OPS[i].name) == 0) {
            return i;
        }
    }
    return OP_COUNT;
}

ds__taken ds__lookup_failed(void) {
    if (PyErr_ExceptionMatches(PyExc_MemoryError) || !PyErr_ExceptionMatches(PyExc_Exception)) {
        return DS_TAKEN_ERROR;
    }
    PyErr_Clear();
    return DS_TAKEN_NO;
}

static ds__taken taken(bool ok) {
    return ok ? DS_TAKEN_YES : ds__lookup_failed();
}

/* Whether a value holds something that fields in Python store in their own way. */
static bool holds_more(ds__pstate *state, PyObject *value, int depth) {
    if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); i++) {
            if (depth > 100 || holds_more(state, PySequence_Fast_GET_ITEM(value, i), depth + 1)) {
                return true;
            }
        }
        return false;
    }
    if (PyDict_CheckExact(value)) {
        PyObject *key_b, *one_b;
        Py_ssize_t at = 0;
        while (PyDict_Next(value, &at, &key_b, &one_b)) {
            if (depth > 100 || holds_more(state, one_b, depth + 1)) {
                return true;
            }
        }
        return false;
    }
    return ds__is_document(state, value);
}

/* A value that no field converts. */
static ds__taken plain_value(ds__pstate *state, ds_buf *buf, const char *key, size_t key_size,
                             PyObject *value) {
    if (holds_more(state, value, 0) || PyObject_TypeCheck(value, (PyTypeObject *)state->pattern) ||
        PyObject_TypeCheck(value, (PyTypeObject *)state->regex)) {
        return DS_TAKEN_NO;
    }
    return taken(ds__py_encode_value(state, buf, key, key_size, value));
}

static ds__taken scalar_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                              size_t key_size, PyObject *value) {
    ds_value scalar = {0};
    bool handled = false;
    if (!ds__field_scalar(state, field, value, &scalar, &handled)) {
        return ds__lookup_failed();
    }
    if (handled) {
        ds__write_value(buf, key, key_size, scalar);
    }
    return handled ? DS_TAKEN_YES : DS_TAKEN_NO;
}

/* Numbers of the other kind are compared as they are, or as a double. */
static ds__taken number_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                              size_t key_size, PyObject *value) {
    bool whole = field->kind != DS_HOLDS_FLOAT;
    if (whole && PyFloat_CheckExact(value)) {
        ds__write_value(buf, key, key_size, ds__double(PyFloat_AS_DOUBLE(value)));
        return DS_TAKEN_YES;
    }
    if (!whole && PyLong_CheckExact(value)) {
        double n = PyLong_AsDouble(value);
        if (n == -1 && PyErr_Occurred()) {
            return ds__lookup_failed();
        }
        ds__write_value(buf, key, key_size, ds__double(n));
        return DS_TAKEN_YES;
    }
    return scalar_value(state, buf, field, key, key_size, value);
}

/* A document stands for its primary key; a key is written as the target's key field stores it. */
static ds__taken reference_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                                 size_t key_size, PyObject *value) {
    if (field->flags & DS_FIELD_DBREF) {
        return DS_TAKEN_NO;
    }
    PyObject *target_b = ds__field_target(field);
    ds__schema *schema = target_b ? ds__schema_of(state, target_b) : NULL;
    if (!schema) {
        return ds__lookup_failed();
    }
    PyObject *id = NULL;
    if (ds__is_document(state, value)) {
        ds__model *doc = (ds__model *)value;
        schema = doc->schema;
        if (schema->primary < 0) {
            return DS_TAKEN_NO;
        }
        id = ds__document_get(state, doc, (size_t)schema->primary);
        if (!id) {
            return ds__lookup_failed();
        }
    }
    ds__taken result = DS_TAKEN_NO;
    ds__field *own = schema->primary >= 0 ? &schema->fields[schema->primary] : NULL;
    if (own && !(own->flags & DS_FIELD_PY_ENCODE) && id != Py_None) {
        result = scalar_value(state, buf, own, key, key_size, id ? id : value);
    }
    Py_XDECREF(id);
    return result;
}

static bool is_sequence(PyObject *value) {
    return PyList_CheckExact(value) || PyTuple_CheckExact(value);
}

/* Items by position and length each time: converting one may run Python that changes the list. */
static ds__taken write_list(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                            size_t key_size, PyObject *list) {
    size_t array = ds__write_doc(buf, key, key_size, DS_ARRAY);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list); i++) {
        char name[24];
        size_t size = ds__index_text((size_t)i, name);
        PyObject *one = Py_NewRef(PySequence_Fast_GET_ITEM(list, i));
        ds__taken result = ds__lookup_value(state, buf, field, name, size, one);
        Py_DECREF(one);
        if (result != DS_TAKEN_YES) {
            return result;
        }
    }
    ds__doc_end(buf, array);
    return DS_TAKEN_YES;
}

/* A list's item is compared with the items; a list with the whole list. */
static ds__taken list_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                            size_t key_size, PyObject *value) {
    if (!field->item) {
        return plain_value(state, buf, key, key_size, value);
    }
    if (is_sequence(value)) {
        return field->item->kind == DS_HOLDS_LIST
                   ? DS_TAKEN_NO
                   : write_list(state, buf, field->item, key, key_size, value);
    }
    if (PyAnySet_Check(value)) {
        return DS_TAKEN_NO;
    }
    return ds__lookup_value(state, buf, field->item, key, key_size, value);
}

ds__taken ds__lookup_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                           size_t key_size, PyObject *value) {
    if (value == Py_None) {
        ds__write_value(buf, key, key_size, ds__null());
        return DS_TAKEN_YES;
    }
    switch (field ? (ds__kind)field->kind : DS_HOLDS_DYNAMIC) {
    case DS_HOLDS_DYNAMIC:
        return plain_value(state, buf, key, key_size, value);
    case DS_HOLDS_DICT:
        return field->item ? DS_TAKEN_NO : plain_value(state, buf, key, key_size, value);
    case DS_HOLDS_LIST:
        return list_value(state, buf, field, key, key_size, value);
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
    case DS_HOLDS_FLOAT:
        return number_value(state, buf, field, key, key_size, value);
    case DS_HOLDS_STRING:
    case DS_HOLDS_BOOL:
    case DS_HOLDS_DATETIME:
    case DS_HOLDS_OBJECT_ID:
        return scalar_value(state, buf, field, key, key_size, value);
    case DS_HOLDS_REFERENCE:
        return reference_value(state, buf, field, key, key_size, value);
    case DS_HOLDS_DECIMAL:
    case DS_HOLDS_DATE:
    case DS_HOLDS_UUID:
    case DS_HOLDS_BINARY:
    case DS_HOLDS_EMBEDDED:
    case DS_HOLDS_POINTER:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        break;
    }
    return DS_TAKEN_NO;
}

static bool takes_text(const ds__field *field) {
    while (field && field->kind == DS_HOLDS_LIST && field->item) {
        field = field->item;
    }
    return field && (field->kind == DS_HOLDS_STRING || field->kind == DS_HOLDS_DYNAMIC ||
                     field->kind == DS_HOLDS_DICT || field->kind == DS_HOLDS_LIST);
}

/* The text as a pattern that matches just it, in the words of Python's re.escape(). */
static void add_escaped(ds_buf *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", text[i])) {
            ds_buf_add_byte(out, '\\');
        }
        ds_buf_add_byte(out, (uint8_t)text[i]);
    }
}

static ds__taken text_condition(ds_buf *buf, const ds__lookup *lookup, const char *key,
                                size_t key_size, PyObject *value) {
    if (!PyUnicode_CheckExact(value) || !takes_text(lookup->field)) {
        return DS_TAKEN_NO;
    }
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(value, &size);
    if (!text) {
        return ds__lookup_failed();
    }
    if (memchr(text, 0, (size_t)size)) {
        return DS_TAKEN_NO; /* BSON's patterns have no NUL: Python says so */
    }
    ds_buf pattern = {0};
    ds_buf_add(&pattern, OPS[lookup->op].before, strlen(OPS[lookup->op].before));
    add_escaped(&pattern, text, (size_t)size);
    ds_buf_add(&pattern, OPS[lookup->op].after, strlen(OPS[lookup->op].after) + 1);
    bool any_case = OPS[lookup->op].name[0] == 'i';
    ds_buf_add(&pattern, any_case ? "i" : "", any_case ? 2 : 1);
    ds__taken result = taken(ds__py_buf_ok(&pattern));
    if (result == DS_TAKEN_YES) {
        ds_value v = {.type = DS_REGEX, .size = (uint32_t)pattern.size};
        v.as.bytes = pattern.data;
        ds__write_value(buf, key, key_size, v);
    }
    ds_buf_clear(&pattern);
    return result;
}

static ds__taken many_condition(ds__pstate *state, ds_buf *buf, ds__field *field, const char *op,
                                PyObject *value) {
    if (is_sequence(value)) {
        return write_list(state, buf, field, op, strlen(op), value);
    }
    if (!PyAnySet_CheckExact(value)) {
        return DS_TAKEN_NO; /* a queryset, a generator: asked once, by Python */
    }
    PyObject *list = PySequence_List(value);
    ds__taken result =
        list ? write_list(state, buf, field, op, strlen(op), list) : ds__lookup_failed();
    Py_XDECREF(list);
    return result;
}

/* A size of a list; Python refuses others. */
static bool is_size(PyObject *value) {
    int overflow = 0;
    return PyLong_CheckExact(value) && PyLong_AsLongLongAndOverflow(value, &overflow) >= 0 &&
           !overflow;
}

/* {op: operand} under `key`. */
static ds__taken operator_condition(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                                    const char *key, size_t key_size, PyObject *value) {
    const char *op = OPS[lookup->op].before;
    size_t at = ds__write_doc(buf, key, key_size, DS_DOCUMENT);
    ds__taken result = DS_TAKEN_NO;
    switch (OPS[lookup->op].family) {
    case IS_COMPARISON:
        result = ds__lookup_value(state, buf, lookup->field, op, strlen(op), value);
        break;
    case IS_MANY:
        result = many_condition(state, buf, lookup->field, op, value);
        break;
    case IS_EXISTS:
    case IS_SIZE: {
        bool fits = OPS[lookup->op].family == IS_SIZE ? is_size(value) : PyBool_Check(value);
        if (fits) {
            result = taken(ds__py_encode_value(state, buf, op, strlen(op), value));
        }
        break;
    }
    case IS_VALUE:
    case IS_TEXT:
        break;
    }
    ds__doc_end(buf, at);
    return result;
}

static ds__taken condition(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                           const char *key, size_t key_size, PyObject *value) {
    switch (OPS[lookup->op].family) {
    case IS_VALUE:
        return ds__lookup_value(state, buf, lookup->field, key, key_size, value);
    case IS_TEXT:
        return text_condition(buf, lookup, key, key_size, value);
    case IS_COMPARISON:
        /* a list is compared whole, which only some operators do: Python knows */
        if (lookup->op != 3 && (PyList_Check(value) || PyTuple_Check(value))) {
            return DS_TAKEN_NO;
        }
        break;
    case IS_MANY:
    case IS_EXISTS:
    case IS_SIZE:
        break;
    }
    return operator_condition(state, buf, lookup, key, key_size, value);
}

ds__taken ds__lookup_condition(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                               PyObject *value) {
    if (!lookup->native || lookup->op >= OP_COUNT) {
        return DS_TAKEN_NO;
    }
    if (!lookup->negated) {
        return condition(state, buf, lookup, lookup->key, lookup->key_size, value);
    }
    size_t at = ds__write_doc(buf, lookup->key, lookup->key_size, DS_DOCUMENT);
    bool plain = OPS[lookup->op].family == IS_VALUE;
    ds__taken result = condition(state, buf, lookup, plain ? "$ne" : "$not", plain ? 3 : 4, value);
    ds__doc_end(buf, at);
    return result;
}
