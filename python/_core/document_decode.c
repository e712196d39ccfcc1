/* SPDX-License-Identifier: Apache-2.0 */
/* A field's stored value as Python sees it. What the fast path of a kind does not expect goes
 * through the codec and the field's to_python. */
#include "schema.h"

static const ds__py_options PLAIN = {.plain_int = true};

static PyObject *python_decode(ds__pstate *state, ds__field *field, ds_value value,
                               const ds__scope *scope) {
    bool plain_bson = field->kind == DS_HOLDS_PYTHON || field->kind == DS_HOLDS_POINTER;
    PyObject *raw = plain_bson ? ds__py_decode_value(state, value, NULL)
                               : ds__dynamic_decode(state, value, scope);
    if (!raw) {
        return NULL;
    }
    bool plain = !plain_bson && field->kind != DS_HOLDS_LIST && field->kind != DS_HOLDS_DICT &&
                 field->kind != DS_HOLDS_EMBEDDED;
    PyObject *out =
        PyObject_CallMethod(field->object, plain ? "to_python" : "from_store", "(O)", raw);
    Py_DECREF(raw);
    return out;
}

static PyObject *embedded_decode(ds__pstate *state, ds__field *field, ds_value value,
                                 const ds__scope *scope) {
    PyObject *type = ds__field_target(field);
    ds__schema *schema = type ? ds__schema_of(state, type) : NULL;
    type = schema ? ds__schema_class(state, schema, value) : NULL;
    if (!type) {
        return NULL;
    }
    return ds__document_from(
        state, type, scope->owner, value.as.bytes, scope->context, NULL,
        (uint8_t)((scope->raw_refs ? DS_DOC_RAW_REFS : 0) | (scope->partial ? DS_DOC_PARTIAL : 0)));
}

/* A document of which the stored key is known. */
static PyObject *hollow(ds__pstate *state, PyObject *type, ds_value id, const ds__scope *scope,
                        bool exact) {
    ds__schema *schema = ds__schema_of(state, type);
    if (!schema) {
        return NULL;
    }
    if (schema->primary < 0) {
        PyErr_Format(PyExc_TypeError, "%R has no primary key to refer to", type);
        return NULL;
    }
    PyObject *key = ds__field_decode(state, &schema->fields[schema->primary], id, scope);
    if (!key) {
        return NULL;
    }
    /* A class with subclasses has to be looked up to know which one it is. */
    PyObject *out = schema->class_name && !exact
                        ? PyObject_CallMethod(type, "_resolve_reference", "OO", key,
                                              scope->context ? scope->context : Py_None)
                        : ds__document_hollow(state, type, key, scope->context);
    Py_DECREF(key);
    return out;
}

static PyObject *reference_decode(ds__pstate *state, ds__field *field, ds_value value,
                                  const ds__scope *scope) {
    if (scope->raw_refs) {
        return ds__py_decode_value(state, value, NULL);
    }
    PyObject *type = ds__field_target(field);
    if (!type) {
        return NULL;
    }
    ds_value id = value;
    if (value.type == DS_DOCUMENT) { /* a DBRef, of a subclass perhaps */
        ds_value cls = ds__doc_field(value, "_cls");
        if (!ds__doc_get(value, "$id", 3, &id)) {
            return python_decode(state, field, value, scope);
        }
        ds__schema *schema = cls.type == DS_STRING ? ds__schema_of(state, type) : NULL;
        type = schema ? ds__schema_class(state, schema, value) : type;
        if (!type || PyErr_Occurred()) {
            return NULL;
        }
    }
    return hollow(state, type, id, scope, false);
}

/* What the registry's function says of a stored class name. New reference. */
static PyObject *class_named(ds_value cls, const char *function) {
    PyObject *name = PyUnicode_DecodeUTF8(ds__text(cls), (Py_ssize_t)cls.size, "strict");
    PyObject *registry = name ? PyImport_ImportModule("mongodb._registry") : NULL;
    PyObject *type = registry ? PyObject_CallMethod(registry, function, "O", name) : NULL;
    Py_XDECREF(registry);
    Py_XDECREF(name);
    return type;
}

/* {_cls, _ref: DBRef} names its class; {_id, ...} is of the field's own, with copies of fields. */
static PyObject *pointer_decode(ds__pstate *state, ds__field *field, ds_value value,
                                const ds__scope *scope, bool *handled) {
    ds_value cls = ds__doc_field(value, "_cls"), ref = ds__doc_field(value, "_ref"), id;
    if (scope->raw_refs) {
        return ds__py_decode_value(state, value, NULL);
    }
    if (cls.type == DS_STRING && ref.type == DS_DOCUMENT && ds__doc_get(ref, "$id", 3, &id)) {
        PyObject *type = class_named(cls, "document_class");
        PyObject *out = type ? hollow(state, type, id, scope, true) : NULL;
        Py_XDECREF(type);
        return out;
    }
    PyObject *type = ds__field_target(field);
    if (!type) {
        return NULL;
    }
    if (type != Py_None && ds__doc_get(value, "_id", 3, &id)) {
        return hollow(state, type, id, scope, false);
    }
    *handled = false;
    return NULL;
}

static PyObject *list_decode(ds__pstate *state, ds__field *item, ds_value array,
                             const ds__scope *scope) {
    size_t n = ds__doc_count(array), i = 0;
    PyObject *list = PyList_New((Py_ssize_t)n);
    if (!list || Py_EnterRecursiveCall(" while reading a list")) {
        Py_XDECREF(list);
        return NULL;
    }
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it) && i < n) {
        PyObject *value = item ? ds__field_decode(state, item, it.value, scope)
                               : ds__dynamic_decode(state, it.value, scope);
        if (!value) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i++, value);
    }
    Py_LeaveRecursiveCall();
    return list;
}

static PyObject *dict_decode(ds__pstate *state, ds__field *item, ds_value doc,
                             const ds__scope *scope) {
    PyObject *dict = PyDict_New();
    if (!dict || Py_EnterRecursiveCall(" while reading a dict")) {
        Py_XDECREF(dict);
        return NULL;
    }
    ds__iter it;
    ds__iter_init(&it, doc);
    while (dict && ds__iter_next(&it)) {
        PyObject *key = ds__py_key(state, it.key, it.key_size);
        PyObject *value = !key   ? NULL
                          : item ? ds__field_decode(state, item, it.value, scope)
                                 : ds__dynamic_decode(state, it.value, scope);
        if (!value || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    Py_LeaveRecursiveCall();
    return dict;
}

/* A document with _cls inside a field that declares no class. */
static PyObject *classed_decode(ds__pstate *state, ds_value doc, ds_value cls,
                                const ds__scope *scope) {
    PyObject *type = class_named(cls, "embedded_or_none");
    if (!type || type == Py_None) {
        Py_XDECREF(type);
        return type ? dict_decode(state, NULL, doc, scope) : NULL;
    }
    PyObject *out = ds__document_from(state, type, scope->owner, doc.as.bytes, scope->context, NULL,
                                      scope->partial ? DS_DOC_PARTIAL : 0);
    Py_DECREF(type);
    return out;
}

PyObject *ds__dynamic_decode(ds__pstate *state, ds_value value, const ds__scope *scope) {
    if (value.type == DS_ARRAY) {
        return list_decode(state, NULL, value, scope);
    }
    if (value.type == DS_DOCUMENT) {
        ds_value found;
        if (ds__doc_get(value, "$ref", 4, &found)) {
            return ds__py_decode_value(state, value, NULL);
        }
        if (ds__doc_get(value, "_cls", 4, &found) && found.type == DS_STRING) {
            return classed_decode(state, value, found, scope);
        }
        return dict_decode(state, NULL, value, scope);
    }
    return ds__py_decode_value(state, value, NULL);
}

static PyObject *date_decode(ds__pstate *state, int64_t ms) {
    int64_t days = ms >= 0 ? ms / 86400000 : -((86399999 - ms) / 86400000);
    /* Civil date from days since 1970-01-01, proleptic Gregorian. */
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);
    if (year < 1 || year > 9999) {
        return ds__py_datetime(state, ms, NULL);
    }
    return state->datetime->Date_FromDate(
        (int)year, (int)month, (int)(doy - (153 * mp + 2) / 5 + 1), state->datetime->DateType);
}

/* The fast path; *handled is false when the value is not of the kind's own types. */
static PyObject *fast_decode(ds__pstate *state, ds__field *field, ds_value v,
                             const ds__scope *scope, bool *handled) {
    *handled = true;
    switch ((ds__kind)field->kind) {
    case DS_HOLDS_STRING:
        if (v.type == DS_STRING) {
            return PyUnicode_DecodeUTF8(ds__text(v), (Py_ssize_t)v.size, "strict");
        }
        break;
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
        if (v.type == DS_INT32) {
            return PyLong_FromLong(v.as.i32);
        }
        if (v.type == DS_INT64) {
            return PyLong_FromLongLong(v.as.i64);
        }
        break;
    case DS_HOLDS_FLOAT:
        if (v.type == DS_DOUBLE) {
            return PyFloat_FromDouble(v.as.f64);
        }
        break;
    case DS_HOLDS_BOOL:
        if (v.type == DS_BOOL) {
            return PyBool_FromLong(v.as.b);
        }
        break;
    case DS_HOLDS_DATE:
        if (v.type == DS_DATE) {
            return date_decode(state, v.as.i64);
        }
        break;
    case DS_HOLDS_DECIMAL:
        if (v.type == DS_DECIMAL && !(field->flags & DS_FIELD_LIMITS)) {
            return ds__py_decimal(state, v.as.dec);
        }
        break;
    case DS_HOLDS_DATETIME:
    case DS_HOLDS_OBJECT_ID:
    case DS_HOLDS_UUID:
    case DS_HOLDS_BINARY:
        if (v.type == DS_DATE || v.type == DS_OBJECT_ID) {
            return ds__py_decode_value(state, v, &PLAIN);
        }
        if (v.type == DS_BINARY && field->kind == DS_HOLDS_UUID && v.size == 16 && v.subtype == 4) {
            return ds__py_uuid(state, v.as.bytes);
        }
        break;
    case DS_HOLDS_EMBEDDED:
        if (v.type == DS_DOCUMENT) {
            return embedded_decode(state, field, v, scope);
        }
        break;
    case DS_HOLDS_LIST:
        if (v.type == DS_ARRAY) {
            return list_decode(state, field->item, v, scope);
        }
        break;
    case DS_HOLDS_DICT:
        if (v.type == DS_DOCUMENT) {
            return dict_decode(state, field->item, v, scope);
        }
        break;
    case DS_HOLDS_REFERENCE:
        return reference_decode(state, field, v, scope);
    case DS_HOLDS_POINTER:
        if (v.type == DS_DOCUMENT) {
            return pointer_decode(state, field, v, scope, handled);
        }
        break;
    case DS_HOLDS_DYNAMIC:
        return ds__dynamic_decode(state, v, scope);
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        break;
    }
    *handled = false;
    return NULL;
}

PyObject *ds__field_decode(ds__pstate *state, ds__field *field, ds_value value,
                           const ds__scope *scope) {
    if (value.type == DS_NULL || value.type == DS_UNDEFINED) {
        return Py_NewRef(Py_None);
    }
    if (!(field->flags & DS_FIELD_PY_DECODE)) {
        bool handled;
        PyObject *out = fast_decode(state, field, value, scope, &handled);
        if (handled) {
            return out;
        }
    }
    return python_decode(state, field, value, scope);
}
