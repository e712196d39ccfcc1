/* SPDX-License-Identifier: Apache-2.0 */
/* What a document was before a transaction, and the way back to it. A memento is a second document
 * of the class that shares the values; it has no attributes and is never shown. */
#include "schema.h"

PyObject *ds__document_memento(ds__model *doc, PyObject *unused) {
    PyTypeObject *type = Py_TYPE(doc);
    if (!ds__document_open(doc)) {
        return NULL;
    }
    ds__model *copy = (ds__model *)type->tp_alloc(type, 0);
    if (!copy) {
        return NULL;
    }
    copy->schema = (ds__schema *)Py_NewRef((PyObject *)doc->schema);
    if (!ds__document_open(copy)) {
        Py_DECREF(copy);
        return NULL;
    }
    for (size_t i = 0; i < doc->schema->count; i++) {
        copy->values[i] = Py_XNewRef(doc->values[i]);
        copy->flags[i] = doc->flags[i];
    }
    copy->owner = Py_XNewRef(doc->owner);
    copy->context = Py_XNewRef(doc->context);
    copy->mask = Py_XNewRef(doc->mask);
    copy->data = doc->data;
    doc->state = (uint8_t)(doc->state & ~DS_DOC_RELOADED);
    copy->state = doc->state;
    copy->extra = doc->extra ? PyDict_Copy(doc->extra) : NULL;
    if (doc->extra && !copy->extra) {
        Py_CLEAR(copy);
    }
    return (PyObject *)copy;
}

static void take_value(ds__model *doc, const ds__model *was, size_t at) {
    doc->flags[at] = was->flags[at];
    Py_XSETREF(doc->values[at], Py_XNewRef(was->values[at]));
}

/* _rewind(memento, bytes): a byte per field; of those that are not 0 the value goes back too. */
PyObject *ds__document_rewind(ds__model *doc, PyObject *args) {
    PyObject *memento, *back;
    if (!PyArg_ParseTuple(args, "O!S:_rewind", Py_TYPE(doc), &memento, &back)) {
        return NULL;
    }
    ds__model *was = (ds__model *)memento;
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(doc));
    if (!state) {
        return NULL;
    }
    if (was->schema != doc->schema || (size_t)PyBytes_GET_SIZE(back) != doc->schema->count) {
        PyErr_SetString(PyExc_TypeError, "_rewind() takes a memento of the document");
        return NULL;
    }
    if (!ds__document_open(doc) || !ds__document_open(was)) {
        return NULL;
    }
    bool reloaded = doc->state & DS_DOC_RELOADED;
    for (size_t i = 0; i < doc->schema->count; i++) {
        bool assigned = doc->flags[i] & (DS_VALUE_ASSIGNED | DS_VALUE_SAVED);
        if (PyBytes_AS_STRING(back)[i] || !doc->values[i] || (reloaded && !assigned)) {
            take_value(doc, was, i);
        } else if (doc->values[i] == was->values[i]) {
            doc->flags[i] = was->flags[i];
        } else if (assigned) {
            doc->flags[i] = DS_VALUE_ASSIGNED;
        }
    }
    if (reloaded) {
        Py_XSETREF(doc->extra, was->extra ? PyDict_Copy(was->extra) : NULL);
    }
    ds__batch_detach(doc);
    doc->data = was->data;
    Py_XSETREF(doc->owner, Py_XNewRef(was->owner));
    Py_XSETREF(doc->context, Py_XNewRef(was->context));
    Py_XSETREF(doc->mask, Py_XNewRef(was->mask));
    ds__batch_attach(state, doc);
    doc->indexed = false;
    doc->state = was->state;
    Py_RETURN_NONE;
}
