/* SPDX-License-Identifier: Apache-2.0 */
/* Whether objects that were looked at are as they were then: that the very same objects are a
 * list's items, a dict's keys and values, an object's or class's own attributes. The snapshots own
 * them, so no other object can have their address. */
#include "rows.h"

/* Borrowed: a class whose bases change gets another one. */
static PyObject *mro_of(PyObject *type) {
    PyObject *mro_b = ((PyTypeObject *)type)->tp_mro;
    return mro_b ? mro_b : Py_None;
}

static PyObject *list_of_dict(PyObject *dict) {
    PyObject *list = PyList_New(0), *key, *value;
    Py_ssize_t at = 0;
    while (list && PyDict_Next(dict, &at, &key, &value)) {
        if (PyList_Append(list, key) < 0 || PyList_Append(list, value) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

/* A dict, or that of an object's or class's own attributes. New reference. */
static PyObject *dict_of(PyObject *object) {
    if (PyType_Check(object)) {
        return Py_XNewRef(((PyTypeObject *)object)->tp_dict);
    }
    return PyDict_CheckExact(object) ? Py_NewRef(object) : PyObject_GenericGetDict(object, NULL);
}

static PyObject *py_snapshot(PyObject *module, PyObject *object) {
    (void)module;
    if (PyList_CheckExact(object)) {
        return PyList_AsTuple(object);
    }
    PyObject *dict = dict_of(object);
    PyObject *list = dict && PyDict_CheckExact(dict) ? list_of_dict(dict) : NULL;
    if (list && PyType_Check(object) && PyList_Append(list, mro_of(object)) < 0) {
        Py_CLEAR(list);
    }
    PyObject *made = list ? PyList_AsTuple(list) : NULL;
    if (!made && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "no snapshot is made of such an object");
    }
    Py_XDECREF(list);
    Py_XDECREF(dict);
    return made;
}

static bool same_list(PyObject *list, PyObject *snapshot) {
    Py_ssize_t count = PyList_GET_SIZE(list);
    bool same = PyTuple_GET_SIZE(snapshot) == count;
    for (Py_ssize_t i = 0; same && i < count; i++) {
        same = PyList_GET_ITEM(list, i) == PyTuple_GET_ITEM(snapshot, i);
    }
    return same;
}

/* DRF counts the fields that were made in a class attribute. */
static bool is_counter(PyObject *key, PyObject *value) {
    return PyLong_CheckExact(value) && PyUnicode_CheckExact(key) &&
           PyUnicode_CompareWithASCIIString(key, "_creation_counter") == 0;
}

/* How many objects of the snapshot are those of the dict; -1: some are others. */
static Py_ssize_t same_items(PyObject *dict, PyObject *snapshot) {
    PyObject *key, *value;
    Py_ssize_t at = 0, i = 0;
    bool same = PyTuple_GET_SIZE(snapshot) >= 2 * PyDict_GET_SIZE(dict);
    while (same && PyDict_Next(dict, &at, &key, &value)) {
        same = PyTuple_GET_ITEM(snapshot, i) == key &&
               (PyTuple_GET_ITEM(snapshot, i + 1) == value || is_counter(key, value));
        i += 2;
    }
    return same ? i : -1;
}

static bool is_same(PyObject *object, PyObject *snapshot) {
    if (!PyTuple_CheckExact(snapshot)) {
        return false;
    }
    if (PyList_CheckExact(object)) {
        return same_list(object, snapshot);
    }
    PyObject *dict = dict_of(object);
    Py_ssize_t size = PyTuple_GET_SIZE(snapshot), type = PyType_Check(object) ? 1 : 0;
    bool same = dict && PyDict_CheckExact(dict) && same_items(dict, snapshot) == size - type;
    Py_XDECREF(dict);
    return same && (!type || PyTuple_GET_ITEM(snapshot, size - 1) == mro_of(object));
}

static PyObject *py_unchanged(PyObject *module, PyObject *seen) {
    (void)module;
    if (!PyTuple_CheckExact(seen)) {
        PyErr_SetString(PyExc_TypeError, "what was seen is a tuple");
        return NULL;
    }
    bool same = true;
    for (Py_ssize_t i = 0; same && i + 1 < PyTuple_GET_SIZE(seen); i += 2) {
        same = is_same(PyTuple_GET_ITEM(seen, i), PyTuple_GET_ITEM(seen, i + 1));
    }
    PyErr_Clear(); /* an object that lost its attributes is not the same */
    return PyBool_FromLong(same);
}

/* The interpreter gives a class another number whenever one of its attributes, or of its bases',
 * was set since it was last read. */
static PyObject *py_version(PyObject *module, PyObject *type) {
    (void)module;
    if (!PyType_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "only classes have a version");
        return NULL;
    }
    PyObject *read = PyObject_GetAttrString(type, "__doc__");
    if (!read) {
        return NULL;
    }
    Py_DECREF(read);
    return PyLong_FromUnsignedLong(((PyTypeObject *)type)->tp_version_tag);
}

PyDoc_STRVAR(version_doc,
             "version(cls)\n--\n\n"
             "A number that a class had never before an attribute of it was set; 0: none is left.");
PyDoc_STRVAR(snapshot_doc, "snapshot(object)\n--\n\n"
                           "What a class, list, dict or object is like now, for unchanged().");
PyDoc_STRVAR(unchanged_doc,
             "unchanged(seen)\n--\n\n"
             "Whether each object is as its snapshot, which follows it in the tuple.");

PyMethodDef ds__seen_functions[] = {
    {"snapshot", py_snapshot, METH_O, snapshot_doc},
    {"version", py_version, METH_O, version_doc},
    {"unchanged", py_unchanged, METH_O, unchanged_doc},
    {NULL},
};
