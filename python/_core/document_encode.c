/* SPDX-License-Identifier: Apache-2.0 */
/* A field's Python value as it is stored, and a whole document. A field that nobody touched is
 * copied as the bytes it came as. */
#include "schema.h"

#include "extension.h"

static bool python_encode(ds__pstate *state, ds_buf *buf, ds__field *field, const ds__place *place,
                          PyObject *value) {
    PyObject *raw = PyObject_CallMethod(field->object, "to_mongo", "(O)", value);
    bool ok = raw && ds__py_encode_at(state, buf, place, raw);
    Py_XDECREF(raw);
    return ok;
}

static bool embedded_encode(ds__pstate *state, ds_buf *buf, const ds__place *place,
                            ds__model *doc) {
    if (Py_EnterRecursiveCall(" while storing an embedded document")) {
        return false;
    }
    size_t at = ds__write_doc(buf, place->key, place->size, DS_DOCUMENT);
    bool ok = ds__document_encode_at(state, buf, place, doc);
    ds__doc_end(buf, at);
    Py_LeaveRecursiveCall();
    return ok;
}

/* The same inside of what is being encoded. */
static bool encode_field_at(ds__pstate *state, ds_buf *buf, ds__field *field, const ds__place *at,
                            PyObject *value);

static bool list_encode(ds__pstate *state, ds_buf *buf, ds__field *item, const ds__place *place,
                        PyObject *value) {
    PyObject *fast = PySequence_Fast(value, "a list field holds a list");
    if (!fast || Py_EnterRecursiveCall(" while storing a list")) {
        Py_XDECREF(fast);
        return false;
    }
    size_t at = ds__write_doc(buf, place->key, place->size, DS_ARRAY);
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PySequence_Fast_GET_SIZE(fast); i++) {
        PyObject *one = Py_NewRef(PySequence_Fast_GET_ITEM(fast, i));
        char key[24];
        ds__place child = ds__place_of(place, key, ds__index_text((size_t)i, key));
        ok = item ? encode_field_at(state, buf, item, &child, one)
                  : ds__py_encode_at(state, buf, &child, one);
        Py_DECREF(one);
    }
    ds__doc_end(buf, at);
    Py_LeaveRecursiveCall();
    Py_DECREF(fast);
    return ok;
}

static bool map_encode(ds__pstate *state, ds_buf *buf, ds__field *item, const ds__place *place,
                       PyObject *value) {
    PyObject *items = PyMapping_Items(value); /* a snapshot: encoding may run Python */
    if (!items || Py_EnterRecursiveCall(" while storing a map")) {
        Py_XDECREF(items);
        return false;
    }
    size_t at = ds__write_doc(buf, place->key, place->size, DS_DOCUMENT);
    bool ok = true;
    for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i);
        PyObject *name = PyTuple_GET_ITEM(pair, 0), *one = PyTuple_GET_ITEM(pair, 1);
        Py_ssize_t size = 0;
        const char *text = PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
        if (!text || strlen(text) != (size_t)size) {
            if (!PyErr_Occurred()) {
                PyErr_Format(PyExc_TypeError, "the keys of %R must be strings without NUL",
                             item->object);
            }
            ok = false;
        } else if (one == Py_None) {
            ds__write_value(buf, text, (size_t)size, ds__null());
        } else {
            ds__place child = ds__place_of(place, text, (size_t)size);
            ok = encode_field_at(state, buf, item, &child, one);
        }
    }
    ds__doc_end(buf, at);
    Py_LeaveRecursiveCall();
    Py_DECREF(items);
    return ok;
}

/* A document stands for its primary key. */
static bool reference_encode(ds__pstate *state, ds_buf *buf, ds__field *field,
                             const ds__place *place, ds__model *doc, bool *handled) {
    int at = doc->schema->primary;
    *handled = at >= 0 && !(field->flags & DS_FIELD_DBREF);
    if (!*handled) {
        return true;
    }
    PyObject *id = ds__document_get(state, doc, (size_t)at);
    if (!id) {
        return false;
    }
    *handled = id != Py_None;
    bool ok = id == Py_None || encode_field_at(state, buf, &doc->schema->fields[at], place, id);
    Py_DECREF(id);
    return ok;
}

bool ds__field_scalar(ds__pstate *state, ds__field *field, PyObject *value, ds_value *out,
                      bool *handled) {
    *handled = false;
    switch ((ds__kind)field->kind) {
    case DS_HOLDS_STRING:
        if (PyUnicode_CheckExact(value)) {
            Py_ssize_t size;
            const char *text = PyUnicode_AsUTF8AndSize(value, &size);
            if (!text) {
                PyErr_Clear(); /* the encoder of any value says where */
                break;
            }
            *handled = true;
            *out = ds__string(text, (size_t)size);
            return true;
        }
        break;
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
        if (PyLong_CheckExact(value)) {
            int overflow;
            long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
            *handled = !overflow;
            bool small = n >= INT32_MIN && n <= INT32_MAX && field->kind == DS_HOLDS_INT;
            *out = small ? ds__int32((int32_t)n) : ds__int64(n);
        }
        break;
    case DS_HOLDS_FLOAT:
        if (PyFloat_CheckExact(value)) {
            *handled = true;
            *out = ds__double(PyFloat_AS_DOUBLE(value));
        }
        break;
    case DS_HOLDS_BOOL:
        if (PyBool_Check(value)) {
            *handled = true;
            *out = ds__bool(value == Py_True);
        }
        break;
    case DS_HOLDS_DATETIME:
        if (Py_IS_TYPE(value, state->datetime->DateTimeType)) {
            int64_t ms;
            *handled = true;
            if (!ds__py_datetime_ms(state, value, &ms)) {
                return false;
            }
            *out = ds__date(ms);
        }
        break;
    case DS_HOLDS_OBJECT_ID: {
        int is = ds__py_object_id_bytes(state, value, out->as.oid);
        out->type = DS_OBJECT_ID;
        *handled = is == 1;
        return is >= 0;
    }
    default:
        break;
    }
    return true;
}

static bool encode_field_at(ds__pstate *state, ds_buf *buf, ds__field *field, const ds__place *at,
                            PyObject *value) {
    if (value == Py_None) {
        ds__write_value(buf, at->key, at->size, ds__null());
        return true;
    }
    if (!ds__py_depth_ok(at)) {
        return false;
    }
    if (field->flags & DS_FIELD_PY_ENCODE) {
        return python_encode(state, buf, field, at, value);
    }
    bool handled = false;
    ds_value scalar = {0};
    if (!ds__field_scalar(state, field, value, &scalar, &handled)) {
        return false;
    }
    if (handled) {
        ds__write_value(buf, at->key, at->size, scalar);
        return true;
    }
    if (field->kind == DS_HOLDS_EMBEDDED && ds__is_document(state, value)) {
        return embedded_encode(state, buf, at, (ds__model *)value);
    }
    if (field->kind == DS_HOLDS_LIST && (PyList_Check(value) || PyTuple_Check(value))) {
        return list_encode(state, buf, field->item, at, value);
    }
    if (field->kind == DS_HOLDS_DICT && field->item && PyDict_Check(value)) {
        return map_encode(state, buf, field->item, at, value);
    }
    if (field->kind == DS_HOLDS_DYNAMIC || field->kind == DS_HOLDS_DICT) {
        return ds__py_encode_at(state, buf, at, value);
    }
    if (field->kind == DS_HOLDS_REFERENCE && ds__is_document(state, value)) {
        if (!reference_encode(state, buf, field, at, (ds__model *)value, &handled)) {
            return false;
        }
        if (handled) {
            return true;
        }
    }
    return python_encode(state, buf, field, at, value);
}

bool ds__field_encode(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                      size_t key_size, PyObject *value) {
    ds__place at = ds__place_of(NULL, key, key_size);
    return encode_field_at(state, buf, field, &at, value);
}

/* The present value of one field, if it has one to store. */
static bool encode_field(ds__pstate *state, ds_buf *buf, const ds__place *place, ds__model *doc,
                         size_t at) {
    ds__field *f = &doc->schema->fields[at];
    PyObject *value = Py_XNewRef(doc->values[at]);
    bool ok = true;
    if (!value) {
        ds_value stored = ds__document_stored(doc, at);
        if (stored.type != DS_MISSING || doc->data) {
            ds__write_value(buf, f->key, f->key_size, stored);
            return true;
        }
        value = ds__document_get(state, doc, at);
        if (!value) {
            return false;
        }
    }
    if (value != Py_None || (f->flags & DS_FIELD_NULL)) {
        ds__place child = ds__place_of(place, f->key, f->key_size);
        ok = encode_field_at(state, buf, f, &child, value);
    }
    Py_DECREF(value);
    return ok;
}

static bool encode_extra(ds__pstate *state, ds_buf *buf, const ds__place *place, ds__model *doc) {
    Py_ssize_t at = 0;
    PyObject *key, *value;
    PyObject *copy = doc->extra ? PyDict_Copy(doc->extra) : NULL;
    bool ok = !doc->extra || copy;
    while (copy && ok && PyDict_Next(copy, &at, &key, &value)) {
        Py_ssize_t size;
        const char *text = PyUnicode_AsUTF8AndSize(key, &size);
        ds_value was = {0};
        if (text && doc->data && ds__doc_get(ds__document(doc->data), text, (size_t)size, &was)) {
            continue; /* written in its place */
        }
        ds__place child = ds__place_of(place, text, (size_t)size);
        ok = text && (value == Py_None || ds__py_encode_at(state, buf, &child, value));
    }
    Py_XDECREF(copy);
    return ok;
}

/* Fields in the order they were stored; those that are new follow in the class's order. */
static bool encode_stored(ds__pstate *state, ds_buf *buf, const ds__place *place, ds__model *doc) {
    ds__iter it;
    ds__iter_init(&it, ds__document(doc->data));
    while (ds__iter_next(&it)) {
        int at = ds__schema_find(doc->schema, it.key, it.key_size);
        if (at >= 0) {
            if (!ds__document_touched(doc, (size_t)at) || ds__document_default(doc, (size_t)at)) {
                ds_buf_add(buf, it.element, it.element_size);
            } else if (!encode_field(state, buf, place, doc, (size_t)at)) {
                return false;
            }
            continue;
        }
        PyObject *name = doc->extra ? ds__py_key(state, it.key, it.key_size) : NULL;
        PyObject *value = name ? PyDict_GetItemWithError(doc->extra, name) : NULL;
        Py_XDECREF(name);
        if (PyErr_Occurred()) {
            return false;
        }
        if (!value) {
            ds_buf_add(buf, it.element, it.element_size);
        } else if (value != Py_None) {
            ds__place child = ds__place_of(place, it.key, it.key_size);
            if (!ds__py_encode_at(state, buf, &child, value)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < doc->schema->count; i++) {
        if (!doc->offsets[i] && ds__document_touched(doc, i) && !ds__document_default(doc, i) &&
            !encode_field(state, buf, place, doc, i)) {
            return false;
        }
    }
    return encode_extra(state, buf, place, doc);
}

bool ds__document_encode(ds__pstate *state, ds_buf *buf, ds__model *doc) {
    return ds__document_encode_at(state, buf, NULL, doc);
}

bool ds__document_encode_at(ds__pstate *state, ds_buf *buf, const ds__place *at, ds__model *doc) {
    if ((doc->state & DS_DOC_HOLLOW) && !ds__document_fill(doc)) {
        return false;
    }
    if (doc->data && !doc->values && !doc->extra) {
        ds__write_elements(buf, ds__document(doc->data));
        return true;
    }
    if (!ds__document_open(doc)) {
        return false;
    }
    if (doc->data) {
        PyObject *owner = Py_NewRef(doc->owner); /* to_mongo() may replace the document's bytes */
        bool ok = encode_stored(state, buf, at, doc);
        Py_DECREF(owner);
        return ok;
    }
    ds__schema *schema = doc->schema;
    if (schema->primary >= 0 && !encode_field(state, buf, at, doc, (size_t)schema->primary)) {
        return false;
    }
    if (schema->class_name) {
        const char *name = PyUnicode_AsUTF8(schema->class_name);
        if (!name) {
            return false;
        }
        ds__write_str(buf, "_cls", name);
    }
    for (size_t i = 0; i < schema->count; i++) {
        if ((int)i != schema->primary && !encode_field(state, buf, at, doc, i)) {
            return false;
        }
    }
    return encode_extra(state, buf, at, doc);
}
