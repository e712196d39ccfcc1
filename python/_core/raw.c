/* SPDX-License-Identifier: Apache-2.0 */
/* A document that is BSON already. It is immutable, so that querysets can share it. */
#include "raw.h"

#include "handles.h"
#include "json.h"

PyObject *ds__raw_take(ds__pstate *state, ds_buf *buf) {
    PyTypeObject *type = (PyTypeObject *)state->raw_type;
    PyObject *bytes = ds__py_buf_ok(buf) ? PyBytes_FromStringAndSize((const char *)buf->data,
                                                                     (Py_ssize_t)buf->size)
                                         : NULL;
    ds__raw *self = bytes ? (ds__raw *)type->tp_alloc(type, 0) : NULL;
    ds_buf_clear(buf);
    if (!self) {
        Py_XDECREF(bytes);
        return NULL;
    }
    self->bytes = bytes;
    return (PyObject *)self;
}

static PyObject *raw_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"", NULL};
    ds__pstate *state = ds__pstate_of_type(type);
    PyObject *document_b;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O:Raw", DS_KEYWORDS(names), &document_b)) {
        return NULL;
    }
    if (Py_IS_TYPE(document_b, type)) {
        return Py_NewRef(document_b);
    }
    ds_buf buf = {0};
    if (!ds__py_encode_document(state, &buf, document_b)) {
        ds_buf_clear(&buf);
        return NULL;
    }
    return ds__raw_take(state, &buf);
}

static void raw_dealloc(ds__raw *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_CLEAR(self->bytes);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *raw_decode(PyObject *self, PyObject *unused) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    return state ? ds__py_decode_document(state, ds__raw_view(self), NULL) : NULL;
}

static PyObject *raw_bytes(ds__raw *self, PyObject *unused) {
    return Py_NewRef(self->bytes);
}

static int raw_bool(PyObject *self) {
    return !ds__doc_empty(ds__raw_view(self));
}

static PyObject *raw_repr(PyObject *self) {
    PyObject *document = raw_decode(self, NULL);
    PyObject *text = document ? PyUnicode_FromFormat("Raw(%R)", document) : NULL;
    Py_XDECREF(document);
    return text;
}

static PyObject *raw_json(PyObject *self, PyObject *unused) {
    return ds__extended_json(ds__raw_view(self));
}

static PyMethodDef raw_methods[] = {
    {"decode", raw_decode, METH_NOARGS, "Return the document as a dict."},
    {"json", raw_json, METH_NOARGS,
     "Return legacy extended JSON, or None when it is left to json_util."},
    {"__bytes__", (PyCFunction)raw_bytes, METH_NOARGS, "Return the BSON."},
    {NULL},
};

static PyType_Slot raw_slots[] = {
    {Py_tp_doc, DS_DOC("Raw(document): a document as BSON; commands take it as a value.")},
    {Py_tp_new, raw_new},
    {Py_tp_dealloc, raw_dealloc},
    {Py_tp_repr, raw_repr},
    {Py_nb_bool, raw_bool},
    {Py_tp_methods, raw_methods},
    {0, NULL},
};

static PyType_Spec raw_spec = {
    .name = "mongodb._core.Raw",
    .basicsize = sizeof(ds__raw),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = raw_slots,
};

int ds__py_add_raw(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &raw_spec, &state->raw_type);
}
