/* SPDX-License-Identifier: Apache-2.0 */
/* What a pipeline computed beside a document's fields becomes attributes of the object. */
#include "extension.h"
#include "schema.h"

static bool set_attributes(ds__pstate *state, PyObject *object, ds_value computed) {
    PyObject *attributes = PyObject_GetAttrString(object, "__dict__");
    bool ok = attributes && PyDict_Check(attributes);
    ds__iter it;
    ds__iter_init(&it, computed);
    while (ok && ds__iter_next(&it)) {
        PyObject *name = PyUnicode_DecodeUTF8(it.key, (Py_ssize_t)it.key_size, "strict");
        PyObject *value = name ? ds__py_decode_value(state, it.value, NULL) : NULL;
        ok = value && PyDict_SetItem(attributes, name, value) == 0;
        Py_XDECREF(name);
        Py_XDECREF(value);
    }
    if (!ok && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "the object has no attributes");
    }
    Py_XDECREF(attributes);
    return ok;
}

/* The document's bytes without one element. */
static bool leave_out(ds__model *doc, const char *key, size_t size) {
    ds_buf buf = {0};
    ds__iter it;
    size_t root = ds__doc_begin(&buf);
    ds__iter_init(&it, ds__document(doc->data));
    while (ds__iter_next(&it)) {
        if (it.key_size != size || memcmp(it.key, key, size) != 0) {
            ds_buf_add(&buf, it.element, it.element_size);
        }
    }
    ds__doc_end(&buf, root);
    PyObject *bytes = ds__py_buf_ok(&buf)
                          ? PyBytes_FromStringAndSize((char *)buf.data, (Py_ssize_t)buf.size)
                          : NULL;
    ds_buf_clear(&buf);
    if (!bytes) {
        return false;
    }
    doc->data = (const uint8_t *)PyBytes_AS_STRING(bytes);
    doc->indexed = false;
    Py_XSETREF(doc->owner, bytes);
    return true;
}

PyObject *ds__take_out(PyObject *module, PyObject *args) {
    ds__pstate *state = ds__pstate_of_module(module);
    PyObject *documents, *name;
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(args, "O!U:take_out", &PyList_Type, &documents, &name)) {
        return NULL;
    }
    const char *key = PyUnicode_AsUTF8AndSize(name, &size);
    for (Py_ssize_t i = 0; key && i < PyList_GET_SIZE(documents); i++) {
        PyObject *object = PyList_GET_ITEM(documents, i);
        ds__model *doc = (ds__model *)object;
        ds_value computed;
        if (!ds__is_document(state, object) || !doc->data ||
            !ds__doc_get(ds__document(doc->data), key, (size_t)size, &computed) ||
            computed.type != DS_DOCUMENT) {
            continue;
        }
        PyObject *owner = Py_NewRef(doc->owner); /* `computed` is a part of it */
        Py_INCREF(object);
        bool ok = set_attributes(state, object, computed) && leave_out(doc, key, (size_t)size);
        Py_DECREF(object);
        Py_DECREF(owner);
        if (!ok) {
            return NULL;
        }
    }
    if (!key) {
        return NULL;
    }
    Py_RETURN_NONE;
}
