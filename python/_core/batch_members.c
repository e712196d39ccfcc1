/* SPDX-License-Identifier: Apache-2.0 */
/* The living documents of a batch: a list through the documents, which holds no references. When
 * few are left they take copies of their bytes, so that a kept document keeps no whole reply. */
#include "extension.h"
#include "schema.h"

#define SMALL_REPLY 16384 /* bytes that are not worth the copies */
#define FEW 8             /* one part of so many is left */

void ds__batch_attach(ds__pstate *state, ds__model *doc) {
    if (!doc->context || !Py_IS_TYPE(doc->context, (PyTypeObject *)state->batch_type)) {
        return;
    }
    ds__batch *batch = (ds__batch *)doc->context;
    doc->home = batch;
    doc->before = NULL;
    doc->after = batch->first;
    if (batch->first) {
        batch->first->before = doc;
    }
    batch->first = doc;
    batch->members++;
}

/* Copies for all that read from the reply, which is given back. */
static void leave_reply(ds__batch *batch) {
    PyObject *reply = batch->view.obj;
    size_t bytes = 0;
    for (ds__model *doc = batch->first; doc; doc = doc->after) {
        bytes += doc->owner == reply ? ds__load_u32(doc->data) : 0;
    }
    if (bytes > (size_t)batch->view.len / FEW) {
        batch->few = batch->members / 2;
        return;
    }
    PyObject *type, *value, *trace; /* it happens where documents go, whatever failed there */
    PyErr_Fetch(&type, &value, &trace);
    bool ok = true;
    for (ds__model *doc = batch->first; ok && doc; doc = doc->after) {
        if (doc->owner != reply) {
            continue;
        }
        PyObject *copy =
            PyBytes_FromStringAndSize((const char *)doc->data, ds__load_u32(doc->data));
        ok = copy != NULL;
        if (ok) {
            doc->data = (const uint8_t *)PyBytes_AS_STRING(copy);
            doc->owner = copy;
            Py_DECREF(reply); /* the view keeps it */
        }
    }
    PyErr_Clear();
    PyErr_Restore(type, value, trace);
    batch->few = 0;
    if (ok) {
        PyMem_Free(batch->starts);
        batch->starts = NULL;
        batch->count = 0;
        PyBuffer_Release(&batch->view);
    }
}

void ds__batch_detach(ds__model *doc) {
    ds__batch *batch = doc->home;
    if (!batch) {
        return;
    }
    if (doc->before) {
        doc->before->after = doc->after;
    } else {
        batch->first = doc->after;
    }
    if (doc->after) {
        doc->after->before = doc->before;
    }
    doc->home = NULL;
    doc->before = doc->after = NULL;
    batch->members--;
    if (batch->members && batch->members <= batch->few) {
        leave_reply(batch);
    }
}

void ds__batch_made(ds__batch *batch) {
    if (batch->view.len >= SMALL_REPLY && batch->count >= FEW) {
        batch->few = batch->count / FEW;
    }
}

/* A member that is no part of another document; one that is just going is none. */
static bool is_whole(const ds__model *doc) {
    return !doc->schema->embedded && doc->data && Py_REFCNT((PyObject *)doc) > 0;
}

static bool lacks(const ds__model *doc, int at) {
    return is_whole(doc) && at >= 0 && doc->mask && !PyBytes_AS_STRING(doc->mask)[at];
}

static ds_value stored_key(const ds__model *doc) {
    return ds__doc_field(ds__document(doc->data), "_id");
}

/* lacking(name) -> the keys of living documents that have not loaded this stored name */
PyObject *ds__batch_lacking(ds__batch *batch, PyObject *name) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(batch));
    Py_ssize_t size = 0;
    const char *key = state ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    ds_buf keys = {0}; /* first as BSON: Python's objects may make documents go */
    size_t root = ds__doc_begin(&keys), n = 0;
    for (ds__model *doc = batch->first; key && doc; doc = doc->after) {
        if (lacks(doc, ds__schema_find(doc->schema, key, (size_t)size))) {
            ds__write_index(&keys, n++, stored_key(doc));
        }
    }
    ds__doc_end(&keys, root);
    PyObject *list = key && ds__py_buf_ok(&keys) ? PyList_New(0) : NULL;
    ds__iter it;
    if (list) {
        ds__iter_init(&it, ds__array(keys.data));
    }
    while (list && ds__iter_next(&it)) {
        PyObject *one = ds__py_decode_value(state, it.value, NULL);
        if (!one || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    ds_buf_clear(&keys);
    return list;
}

static PyObject *key_bytes(ds_value key) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    ds__write_value(&buf, "", 0, key);
    ds__doc_end(&buf, root);
    PyObject *bytes = ds__py_buf_ok(&buf)
                          ? PyBytes_FromStringAndSize((char *)buf.data, (Py_ssize_t)buf.size)
                          : NULL;
    ds_buf_clear(&buf);
    return bytes;
}

/* dict: key as BSON -> the living documents with it that lack the field; new references */
static PyObject *waiting(ds__batch *batch, const char *key, size_t size) {
    PyObject *all = PyList_New(0), *by_key = all ? PyDict_New() : NULL;
    for (ds__model *doc = batch->first; by_key && doc; doc = doc->after) {
        if (lacks(doc, ds__schema_find(doc->schema, key, size)) &&
            PyList_Append(all, (PyObject *)doc) < 0) {
            Py_CLEAR(by_key);
        }
    }
    for (Py_ssize_t i = 0; by_key && i < PyList_GET_SIZE(all); i++) {
        ds__model *doc = (ds__model *)PyList_GET_ITEM(all, i);
        PyObject *found = key_bytes(stored_key(doc));
        PyObject *same_b = found ? PyDict_GetItemWithError(by_key, found) : NULL;
        PyObject *same = same_b ? Py_NewRef(same_b) : found ? PyList_New(0) : NULL;
        if (!same || PyList_Append(same, (PyObject *)doc) < 0 ||
            PyDict_SetItem(by_key, found, same) < 0) {
            Py_CLEAR(by_key);
        }
        Py_XDECREF(found);
        Py_XDECREF(same);
    }
    Py_XDECREF(all);
    return by_key;
}

/* The document's bytes with one field more, and the mask that knows it. */
static bool add_field(ds__model *doc, const char *key, size_t size, ds_value value) {
    int at = ds__schema_find(doc->schema, key, size);
    if (!lacks(doc, at)) {
        return true; /* loaded meanwhile */
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    ds__write_elements(&buf, ds__document(doc->data));
    if (value.type != DS_MISSING) {
        ds__write_value(&buf, key, size, value);
    }
    ds__doc_end(&buf, root);
    bool ok = ds__py_buf_ok(&buf);
    PyObject *data = ok ? PyBytes_FromStringAndSize((char *)buf.data, (Py_ssize_t)buf.size) : NULL;
    PyObject *mask =
        data ? PyBytes_FromStringAndSize(PyBytes_AS_STRING(doc->mask), PyBytes_GET_SIZE(doc->mask))
             : NULL;
    ds_buf_clear(&buf);
    if (!mask) {
        Py_XDECREF(data);
        return false;
    }
    PyBytes_AS_STRING(mask)[at] = DS_LOADED;
    doc->data = (const uint8_t *)PyBytes_AS_STRING(data);
    doc->indexed = false;
    Py_XSETREF(doc->mask, mask);
    Py_XSETREF(doc->owner, data);
    return true;
}

/* fill(name, data): what a reply has of the field, to the documents that lack it */
PyObject *ds__batch_fill(ds__batch *batch, PyObject *args) {
    PyObject *name, *data;
    Py_buffer view;
    Py_ssize_t size = 0, filled = 0;
    if (!PyArg_ParseTuple(args, "UO:fill", &name, &data) ||
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const char *key = PyUnicode_AsUTF8AndSize(name, &size);
    PyObject *by_key = key ? waiting(batch, key, (size_t)size) : NULL;
    bool ok = by_key != NULL;
    ds__iter it;
    ds__iter_init(&it, ds__array(view.buf));
    while (ok && ds__iter_next(&it)) {
        PyObject *found = key_bytes(ds__doc_field(it.value, "_id"));
        PyObject *same_b = found ? PyDict_GetItemWithError(by_key, found) : NULL;
        ds_value value = ds__missing();
        ds__doc_get(it.value, key, (size_t)size, &value);
        ok = found != NULL && !PyErr_Occurred();
        for (Py_ssize_t i = 0; ok && same_b && i < PyList_GET_SIZE(same_b); i++, filled++) {
            ok = add_field((ds__model *)PyList_GET_ITEM(same_b, i), key, (size_t)size, value);
        }
        Py_XDECREF(found);
    }
    Py_XDECREF(by_key);
    PyBuffer_Release(&view);
    return ok ? PyLong_FromSsize_t(filled) : NULL;
}
