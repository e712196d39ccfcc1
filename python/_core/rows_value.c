/* SPDX-License-Identifier: Apache-2.0 */
/* Stored values as a serializer's fields show them. */
#include "rows.h"

static ds__shown shown(PyObject *made, PyObject **out) {
    *out = made;
    return made ? DS_SHOWN : DS_SHOWN_ERROR;
}

static bool is_ascii(const uint8_t *p, size_t size) {
    uint64_t seen = 0, v;
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        memcpy(&v, p + i, sizeof v);
        seen |= v;
    }
    for (; i < size; i++) {
        seen |= p[i];
    }
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* Text that is not valid UTF-8 is Python's to refuse. */
static ds__shown text(ds_value v, PyObject **out) {
    if (v.size > 1 && is_ascii(v.as.bytes, v.size)) { /* the interpreter has those of one */
        *out = PyUnicode_New((Py_ssize_t)v.size, 127);
        if (*out) {
            memcpy(PyUnicode_1BYTE_DATA(*out), v.as.bytes, v.size);
        }
        return *out ? DS_SHOWN : DS_SHOWN_ERROR;
    }
    *out = PyUnicode_DecodeUTF8(ds__text(v), (Py_ssize_t)v.size, NULL);
    if (!*out && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        return DS_SHOWN_PASS;
    }
    return *out ? DS_SHOWN : DS_SHOWN_ERROR;
}

static ds__shown integer(ds_value v, PyObject **out) {
    if (v.type == DS_INT32) {
        return shown(PyLong_FromLong(v.as.i32), out);
    }
    return v.type == DS_INT64 ? shown(PyLong_FromLongLong(v.as.i64), out) : DS_SHOWN_PASS;
}

/* What any value of BSON is shown as without a field. */
static ds__shown show_dynamic(ds__rows *rows, ds_value value, PyObject **out);

/* An item of a list or dict. */
static ds__shown show_item(ds__rows *rows, const ds__shape *shape, ds__field *field, ds_value v,
                           PyObject **out) {
    if (!shape) {
        return show_dynamic(rows, v, out);
    }
    if (v.type == DS_NULL || v.type == DS_UNDEFINED) {
        return shown(Py_NewRef(Py_None), out);
    }
    return ds__show_value(rows, shape->item, field ? field->item : NULL, v, out);
}

static ds__shown show_list(ds__rows *rows, const ds__shape *shape, ds__field *field, ds_value v,
                           PyObject **out) {
    ds__shown done = DS_SHOWN;
    ds__iter it;
    PyObject *list = PyList_New((Py_ssize_t)ds__doc_count(v));
    if (!list || Py_EnterRecursiveCall(" while showing a list")) {
        Py_XDECREF(list);
        return DS_SHOWN_ERROR;
    }
    ds__iter_init(&it, v);
    for (Py_ssize_t i = 0; done == DS_SHOWN && ds__iter_next(&it); i++) {
        PyObject *one = NULL;
        bool null = it.value.type == DS_NULL || it.value.type == DS_UNDEFINED;
        done = shape && null && !shape->nulls ? DS_SHOWN_PASS
                                              : show_item(rows, shape, field, it.value, &one);
        if (done == DS_SHOWN) {
            PyList_SET_ITEM(list, i, one);
        }
    }
    Py_LeaveRecursiveCall();
    if (done != DS_SHOWN) {
        Py_CLEAR(list);
    }
    *out = list;
    return done;
}

static ds__shown show_dict(ds__rows *rows, const ds__shape *shape, ds__field *field, ds_value v,
                           PyObject **out) {
    ds__shown done = DS_SHOWN;
    ds__iter it;
    PyObject *dict = PyDict_New();
    if (!dict || Py_EnterRecursiveCall(" while showing a dict")) {
        Py_XDECREF(dict);
        return DS_SHOWN_ERROR;
    }
    ds__iter_init(&it, v);
    while (done == DS_SHOWN && ds__iter_next(&it)) {
        PyObject *one = NULL, *key = ds__py_key(rows->state, it.key, it.key_size);
        if (!key) { /* no UTF-8 */
            PyErr_Clear();
            done = DS_SHOWN_PASS;
            break;
        }
        done = show_item(rows, shape, field, it.value, &one);
        if (done == DS_SHOWN && PyDict_SetItem(dict, key, one) < 0) {
            done = DS_SHOWN_ERROR;
        }
        Py_DECREF(key);
        Py_XDECREF(one);
    }
    Py_LeaveRecursiveCall();
    if (done != DS_SHOWN) {
        Py_CLEAR(dict);
    }
    *out = dict;
    return done;
}

static ds__shown show_dynamic(ds__rows *rows, ds_value v, PyObject **out) {
    ds_value found;
    switch ((ds_type)v.type) {
    case DS_DOUBLE:
        return shown(PyFloat_FromDouble(v.as.f64), out);
    case DS_STRING:
        return text(v, out);
    case DS_DOCUMENT: /* a reference, or an embedded document that names its class: not plain */
        if (ds__doc_get(v, "$ref", 4, &found) || ds__doc_get(v, "_cls", 4, &found)) {
            return DS_SHOWN_PASS;
        }
        return show_dict(rows, NULL, NULL, v, out);
    case DS_ARRAY:
        return show_list(rows, NULL, NULL, v, out);
    case DS_BINARY:
        if (v.subtype == 4 && v.size == 16) {
            return shown(ds__text_uuid(v.as.bytes), out);
        }
        return v.subtype == 0 ? shown(ds__text_base64(v.as.bytes, v.size), out) : DS_SHOWN_PASS;
    case DS_OBJECT_ID:
        return shown(ds__text_object_id(v.as.oid), out);
    case DS_BOOL:
        return shown(PyBool_FromLong(v.as.b), out);
    case DS_DATE:
        return ds__text_datetime(rows, v.as.i64, out);
    case DS_NULL:
        return shown(Py_NewRef(Py_None), out);
    case DS_INT32:
    case DS_INT64:
        return integer(v, out);
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
    case DS_CODE_W_SCOPE:
    case DS_TIMESTAMP:
    case DS_DECIMAL: /* its text depends on the exponent: Python's to decide */
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        return DS_SHOWN_PASS;
    }
    return DS_SHOWN_PASS;
}

/* The key a reference shows: that of the document which reading the field would give. */
static ds__shown reference(ds__rows *rows, ds__field *field, ds_value v, PyObject **out) {
    PyObject *target_b = ds__field_target(field);
    ds__schema *schema = target_b ? ds__schema_of(rows->state, target_b) : NULL;
    if (!schema) {
        PyErr_Clear(); /* reading it raises the same */
        return DS_SHOWN_PASS;
    }
    int at = schema->class_name
                 ? -1
                 : ds__attribute_field(rows, (PyTypeObject *)target_b, rows->pk_name);
    if (at < 0 || schema->fields[at].flags & DS_FIELD_PY_DECODE) {
        return DS_SHOWN_PASS;
    }
    const ds__field *key = &schema->fields[at];
    if (key->kind == DS_HOLDS_OBJECT_ID && v.type == DS_OBJECT_ID) {
        return shown(ds__text_object_id(v.as.oid), out);
    }
    if (key->kind == DS_HOLDS_STRING && v.type == DS_STRING) {
        return text(v, out);
    }
    return key->kind == DS_HOLDS_INT || key->kind == DS_HOLDS_LONG ? integer(v, out)
                                                                   : DS_SHOWN_PASS;
}

/* As ChoiceField: the choice with the value's text, or the value. */
static ds__shown choice(ds__rows *rows, const ds__shape *shape, ds_value v, PyObject **out) {
    PyObject *value = NULL;
    ds__shown done = v.type == DS_STRING ? text(v, &value) : integer(v, &value);
    if (done != DS_SHOWN || (v.type == DS_STRING && v.size == 0)) {
        *out = value;
        return done;
    }
    PyObject *name = PyObject_Str(value);
    PyObject *found_b = name ? PyDict_GetItemWithError(shape->detail, name) : NULL;
    Py_XDECREF(name);
    if (PyErr_Occurred()) {
        Py_DECREF(value);
        return DS_SHOWN_ERROR;
    }
    if (found_b) {
        Py_SETREF(value, Py_NewRef(found_b));
    }
    *out = value;
    return DS_SHOWN;
}

static ds__shown raw(ds_value v, PyObject **out) {
    switch ((ds_type)v.type) {
    case DS_STRING:
        return text(v, out);
    case DS_INT32:
        return integer(v, out);
    case DS_DOUBLE:
        return shown(PyFloat_FromDouble(v.as.f64), out);
    case DS_BOOL:
        return shown(PyBool_FromLong(v.as.b), out);
    default:
        return DS_SHOWN_PASS;
    }
}

/* Whether the stored type is one that the kind reads without conversion. */
static bool is_native(const ds__field *field, ds_value v) {
    switch (field ? (ds__kind)field->kind : DS_HOLDS_DYNAMIC) {
    case DS_HOLDS_STRING:
        return v.type == DS_STRING;
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
        return v.type == DS_INT32 || v.type == DS_INT64;
    case DS_HOLDS_FLOAT:
        return v.type == DS_DOUBLE;
    case DS_HOLDS_BOOL:
        return v.type == DS_BOOL;
    case DS_HOLDS_DECIMAL:
        return v.type == DS_DECIMAL;
    case DS_HOLDS_DATETIME:
    case DS_HOLDS_DATE:
        return v.type == DS_DATE;
    case DS_HOLDS_OBJECT_ID:
        return v.type == DS_OBJECT_ID;
    case DS_HOLDS_UUID:
        return v.type == DS_BINARY && v.subtype == 4 && v.size == 16;
    case DS_HOLDS_BINARY:
        return v.type == DS_BINARY && v.subtype == 0;
    case DS_HOLDS_EMBEDDED:
    case DS_HOLDS_DICT:
        return v.type == DS_DOCUMENT;
    case DS_HOLDS_LIST:
        return v.type == DS_ARRAY;
    case DS_HOLDS_REFERENCE:
    case DS_HOLDS_DYNAMIC:
        return true;
    case DS_HOLDS_POINTER:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        return false;
    }
    return false;
}

ds__shown ds__show_value(ds__rows *rows, ds__shape *shape, ds__field *field, ds_value v,
                         PyObject **out) {
    if (!is_native(field, v)) {
        return DS_SHOWN_PASS;
    }
    switch ((ds__show)shape->how) {
    case DS_SHOW_TEXT:
        if (v.type == DS_OBJECT_ID) {
            return shown(ds__text_object_id(v.as.oid), out);
        }
        return v.type == DS_STRING ? text(v, out) : DS_SHOWN_PASS;
    case DS_SHOW_INT:
        return integer(v, out);
    case DS_SHOW_FLOAT:
        return v.type == DS_DOUBLE ? shown(PyFloat_FromDouble(v.as.f64), out) : DS_SHOWN_PASS;
    case DS_SHOW_BOOL:
        return v.type == DS_BOOL ? shown(PyBool_FromLong(v.as.b), out) : DS_SHOWN_PASS;
    case DS_SHOW_DECIMAL:
        return ds__text_decimal(rows, shape, v.as.dec, out);
    case DS_SHOW_DATETIME:
        return v.type == DS_DATE ? ds__text_datetime(rows, v.as.i64, out) : DS_SHOWN_PASS;
    case DS_SHOW_DATE:
        return ds__text_date(v.as.i64, out);
    case DS_SHOW_UUID:
        return shown(ds__text_uuid(v.as.bytes), out);
    case DS_SHOW_OBJECT_ID:
        return v.type == DS_OBJECT_ID ? shown(ds__text_object_id(v.as.oid), out) : DS_SHOWN_PASS;
    case DS_SHOW_BINARY:
        return shown(ds__text_base64(v.as.bytes, v.size), out);
    case DS_SHOW_REFERENCE:
        return reference(rows, field, v, out);
    case DS_SHOW_DYNAMIC:
        return show_dynamic(rows, v, out);
    case DS_SHOW_RAW:
        return raw(v, out);
    case DS_SHOW_CHOICE:
        return choice(rows, shape, v, out);
    case DS_SHOW_LIST:
        return show_list(rows, shape, field, v, out);
    case DS_SHOW_DICT:
        return show_dict(rows, shape, field, v, out);
    case DS_SHOW_NESTED:
        return ds__show_nested(rows, shape, field, v, out);
    case DS_SHOW_PYTHON:
    case DS_SHOW_COUNT:
        return DS_SHOWN_PASS;
    }
    return DS_SHOWN_PASS;
}

/* What DYNAMIC reads as the shape's own kind does. */
static bool fits_dynamic(ds__show how) {
    return how == DS_SHOW_TEXT || how == DS_SHOW_INT || how == DS_SHOW_FLOAT ||
           how == DS_SHOW_BOOL || how == DS_SHOW_OBJECT_ID || how == DS_SHOW_DATETIME ||
           how == DS_SHOW_DYNAMIC || how == DS_SHOW_RAW;
}

bool ds__shape_fits(const ds__shape *shape, const ds__field *field) {
    ds__show how = (ds__show)shape->how;
    if (!field) {
        return fits_dynamic(how);
    }
    if (field->flags & DS_FIELD_PY_DECODE) {
        return false;
    }
    switch ((ds__kind)field->kind) {
    case DS_HOLDS_DYNAMIC:
        return fits_dynamic(how);
    case DS_HOLDS_STRING:
        return how == DS_SHOW_TEXT || how == DS_SHOW_RAW || how == DS_SHOW_CHOICE;
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
        return how == DS_SHOW_INT || how == DS_SHOW_RAW || how == DS_SHOW_CHOICE;
    case DS_HOLDS_FLOAT:
        return how == DS_SHOW_FLOAT || how == DS_SHOW_RAW;
    case DS_HOLDS_BOOL:
        return how == DS_SHOW_BOOL || how == DS_SHOW_RAW;
    case DS_HOLDS_DECIMAL:
        return how == DS_SHOW_DECIMAL && !(field->flags & DS_FIELD_LIMITS);
    case DS_HOLDS_DATETIME:
        return how == DS_SHOW_DATETIME;
    case DS_HOLDS_DATE:
        return how == DS_SHOW_DATE;
    case DS_HOLDS_OBJECT_ID:
        return how == DS_SHOW_OBJECT_ID || how == DS_SHOW_TEXT;
    case DS_HOLDS_UUID:
        return how == DS_SHOW_UUID;
    case DS_HOLDS_BINARY:
        return how == DS_SHOW_BINARY;
    case DS_HOLDS_EMBEDDED:
        return how == DS_SHOW_NESTED;
    case DS_HOLDS_LIST:
        return how == DS_SHOW_LIST && ds__shape_fits(shape->item, field->item);
    case DS_HOLDS_DICT:
        return how == DS_SHOW_DICT && ds__shape_fits(shape->item, field->item);
    case DS_HOLDS_REFERENCE:
        return how == DS_SHOW_REFERENCE;
    case DS_HOLDS_POINTER:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        return false;
    }
    return false;
}
