/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of one reply, made when they are asked for; and the descriptor through which a
 * class's fields are read. */
#include "schema.h"

#include <structmember.h>

#include "extension.h"

/* Slot: the descriptor of one field of one class. */
typedef struct slot {
    PyObject_HEAD
        /* owned */
        PyObject *field; /* what the class itself answers */
    ds__schema *schema;
    /* borrowed from the module */
    ds__pstate *state;
    /* plain */
    size_t at;
} slot;

static PyObject *slot_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *field, *schema;
    Py_ssize_t at;
    ds__pstate *state = ds__pstate_of_type(type);
    if (!state || !PyArg_ParseTuple(args, "OO!n:Slot", &field, state->schema_type, &schema, &at)) {
        return NULL;
    }
    if (at < 0 || (size_t)at >= ((ds__schema *)schema)->count) {
        PyErr_SetString(PyExc_IndexError, "no field has that position");
        return NULL;
    }
    slot *self = (slot *)type->tp_alloc(type, 0);
    if (self) {
        self->field = Py_NewRef(field);
        self->schema = (ds__schema *)Py_NewRef(schema);
        self->state = state;
        self->at = (size_t)at;
    }
    return (PyObject *)self;
}

bool ds__is_slot(ds__pstate *state, PyObject *object, const ds__schema *schema, size_t at) {
    return Py_IS_TYPE(object, (PyTypeObject *)state->slot_type) &&
           ((slot *)object)->schema == schema && ((slot *)object)->at == at;
}

static ds__model *slot_document(slot *self, PyObject *object) {
    if (!ds__is_document(self->state, object) || (((ds__model *)object)->schema != self->schema)) {
        PyErr_Format(PyExc_TypeError, "%R is not a document of this field's class", object);
        return NULL;
    }
    return (ds__model *)object;
}

static PyObject *slot_get(slot *self, PyObject *object, PyObject *type) {
    if (!object) {
        return Py_NewRef(self->field);
    }
    ds__model *doc = slot_document(self, object);
    if (doc && doc->values && doc->values[self->at]) {
        return Py_NewRef(doc->values[self->at]);
    }
    return doc ? ds__document_get(self->state, doc, self->at) : NULL;
}

static int slot_set(slot *self, PyObject *object, PyObject *value) {
    ds__model *doc = slot_document(self, object);
    return doc ? ds__document_set(self->state, doc, self->at, value ? value : Py_None) : -1;
}

static int slot_traverse(slot *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->field);
    Py_VISIT(self->schema);
    return 0;
}

static int slot_clear(slot *self) {
    Py_CLEAR(self->field);
    return 0;
}

static void slot_dealloc(slot *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    slot_clear(self);
    Py_CLEAR(self->schema);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMemberDef slot_members[] = {
    {"field", T_OBJECT, offsetof(slot, field), READONLY, "the field"},
    {NULL},
};

static PyType_Slot slot_slots[] = {
    {Py_tp_doc, DS_DOC("Reads and sets one field of a document.")},
    {Py_tp_new, slot_new},
    {Py_tp_dealloc, slot_dealloc},
    {Py_tp_traverse, slot_traverse},
    {Py_tp_clear, slot_clear},
    {Py_tp_descr_get, slot_get},
    {Py_tp_descr_set, slot_set},
    {Py_tp_members, slot_members},
    {0, NULL},
};

PyType_Spec ds__slot_spec = {
    .name = "mongodb._core.Slot",
    .basicsize = sizeof(slot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slot_slots,
};

/* Batch */
static bool batch_index(ds__batch *self, bool trusted) {
    const uint8_t *bytes = self->view.buf;
    ds_error err;
    if (self->view.len < 5 ||
        (!trusted && !ds__bson_validate(bytes, (size_t)self->view.len, DS_MAX_DEPTH, &err))) {
        PyErr_SetString(PyExc_ValueError, self->view.len < 5 ? "no BSON array" : err.message);
        return false;
    }
    size_t n = ds__doc_count(ds__array(bytes));
    self->starts = PyMem_Calloc(n + 1, sizeof *self->starts);
    if (!self->starts) {
        PyErr_NoMemory();
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, ds__array(bytes));
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            PyErr_SetString(PyExc_ValueError, "a batch holds documents only");
            return false;
        }
        self->starts[self->count++] = (uint32_t)(it.value.as.bytes - bytes);
    }
    return true;
}

static PyObject *batch_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"schema",   "data",    "mask", "origin",
                                        "raw_refs", "trusted", NULL};
    PyObject *schema, *data, *mask = Py_None, *origin = Py_None;
    int raw_refs = 0, trusted = 0;
    ds__pstate *state = ds__pstate_of_type(type);
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!O|OOpp:Batch", DS_KEYWORDS(names),
                                               state->schema_type, &schema, &data, &mask, &origin,
                                               &raw_refs, &trusted)) {
        return NULL;
    }
    ds__batch *self = (ds__batch *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->schema = (ds__schema *)Py_NewRef(schema);
    self->origin = Py_NewRef(origin);
    self->state = raw_refs ? DS_DOC_RAW_REFS : 0;
    self->refs = PyDict_New();
    if (mask != Py_None) {
        if (!PyBytes_Check(mask) || (size_t)PyBytes_GET_SIZE(mask) < self->schema->count) {
            PyErr_SetString(PyExc_TypeError, "the mask is bytes, one per field");
            Py_DECREF(self);
            return NULL;
        }
        self->mask = Py_NewRef(mask);
    }
    if (!self->refs || PyObject_GetBuffer(data, &self->view, PyBUF_SIMPLE) < 0 ||
        !batch_index(self, trusted)) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int batch_traverse(ds__batch *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->view.obj);
    Py_VISIT(self->refs);
    Py_VISIT(self->origin);
    Py_VISIT(self->schema);
    return 0;
}

static int batch_clear(ds__batch *self) {
    Py_CLEAR(self->refs);
    Py_CLEAR(self->origin);
    return 0;
}

static void batch_dealloc(ds__batch *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    batch_clear(self);
    Py_CLEAR(self->mask);
    Py_CLEAR(self->schema);
    PyMem_Free(self->starts);
    if (self->view.obj) {
        PyBuffer_Release(&self->view);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t batch_length(ds__batch *self) {
    return (Py_ssize_t)self->count;
}

PyObject *ds__batch_document(ds__batch *self, Py_ssize_t i) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    if (i < 0 || (size_t)i >= self->count) {
        PyErr_SetString(PyExc_IndexError, "the batch has no such document");
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)self->view.buf + self->starts[i];
    PyObject *type = state ? ds__schema_class(state, self->schema, ds__document(data)) : NULL;
    if (!type) {
        return NULL;
    }
    PyObject *mask = self->mask;
    if (mask && type != self->schema->owner) {
        mask = NULL; /* positions of a subclass differ: Python translates */
    }
    PyObject *doc =
        ds__document_from(state, type, self->view.obj, data, (PyObject *)self, mask, self->state);
    if (doc && self->mask && !mask) {
        PyObject *done = PyObject_CallMethod(doc, "_translate_mask", "O", self->mask);
        if (!done) {
            Py_CLEAR(doc);
        }
        Py_XDECREF(done);
    }
    return doc;
}

/* documents() -> list; once, for afterwards the batch may have given the reply away */
static PyObject *batch_documents(ds__batch *self, PyObject *unused) {
    PyObject *list = PyList_New((Py_ssize_t)self->count);
    for (size_t i = 0; list && i < self->count; i++) {
        PyObject *doc = ds__batch_document(self, (Py_ssize_t)i);
        if (!doc) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, (Py_ssize_t)i, doc);
        }
    }
    if (list) {
        ds__batch_made(self);
    }
    return list;
}

static PyObject *batch_raw(ds__batch *self, PyObject *index) {
    size_t i = PyLong_AsSize_t(index);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (i >= self->count) {
        PyErr_SetString(PyExc_IndexError, "the batch has no such document");
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)self->view.buf + self->starts[i];
    return PyBytes_FromStringAndSize((const char *)data, ds__load_u32(data));
}

static bool collect(ds__pstate *state, ds_value v, const char *path, PyObject *list) {
    if (v.type == DS_ARRAY || (v.type == DS_DOCUMENT && *path)) {
        ds__iter it;
        const char *dot = ds__find_or_end(path, '.');
        size_t size = (size_t)(dot - path);
        bool any = size == 1 && *path == '*';
        ds__iter_init(&it, v);
        while (ds__iter_next(&it)) {
            if (v.type == DS_ARRAY) {
                if (!collect(state, it.value, path, list)) {
                    return false;
                }
            } else if ((any || (it.key_size == size && memcmp(it.key, path, size) == 0)) &&
                       !collect(state, it.value, *dot ? dot + 1 : dot, list)) {
                return false;
            }
        }
        return true;
    }
    ds_value id;
    if (v.type == DS_DOCUMENT && ds__doc_get(v, "$id", 3, &id)) {
        v = id;
    }
    if (*path || v.type == DS_NULL) {
        return true;
    }
    PyObject *one = ds__py_decode_value(state, v, NULL);
    bool ok = one && PyList_Append(list, one) == 0;
    Py_XDECREF(one);
    return ok;
}

/* The same of the documents that are left when the reply was given away. */
static bool collect_of_members(ds__pstate *state, ds__batch *self, const char *path,
                               PyObject *list) {
    ds_buf all = {0}; /* a copy: Python's objects may make documents go */
    size_t root = ds__doc_begin(&all), n = 0;
    for (ds__model *doc = self->first; doc; doc = doc->after) {
        if (!doc->schema->embedded && doc->data) {
            ds__write_index(&all, n++, ds__document(doc->data));
        }
    }
    ds__doc_end(&all, root);
    bool ok = ds__py_buf_ok(&all);
    ds__iter it;
    ds__iter_init(&it, ds__array(all.data));
    while (ok && ds__iter_next(&it)) {
        ok = collect(state, it.value, path, list);
    }
    ds_buf_clear(&all);
    return ok;
}

/* collect(path) -> every value at a dotted path of stored names, arrays flattened, ids of DBRefs;
 * `*` is any name */
static PyObject *batch_collect(ds__batch *self, PyObject *path) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    const char *text = state ? PyUnicode_AsUTF8(path) : NULL;
    PyObject *list = text ? PyList_New(0) : NULL;
    for (size_t i = 0; list && i < self->count; i++) {
        ds_value doc = ds__document((const uint8_t *)self->view.buf + self->starts[i]);
        if (!collect(state, doc, text, list)) {
            Py_CLEAR(list);
        }
    }
    if (list && !self->view.obj && !collect_of_members(state, self, text, list)) {
        Py_CLEAR(list);
    }
    return list;
}

/* keys() -> the _id of every document, null too */
static PyObject *batch_keys(ds__batch *self, PyObject *unused) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    PyObject *list = state ? PyList_New(0) : NULL;
    for (size_t i = 0; list && i < self->count; i++) {
        ds_value doc = ds__document((const uint8_t *)self->view.buf + self->starts[i]);
        PyObject *one = ds__py_decode_value(state, ds__doc_field(doc, "_id"), NULL);
        if (!one || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    return list;
}

static PyMethodDef batch_methods[] = {
    {"documents", (PyCFunction)batch_documents, METH_NOARGS, "Return the documents."},
    {"raw", (PyCFunction)batch_raw, METH_O, "Return the BSON of the document at a position."},
    {"keys", (PyCFunction)batch_keys, METH_NOARGS, "Return the primary keys as they are stored."},
    {"lacking", (PyCFunction)ds__batch_lacking, METH_O,
     "Return the keys of living documents that have not loaded a stored name."},
    {"fill", (PyCFunction)ds__batch_fill, METH_VARARGS, "Add what a reply has of a stored name."},
    {"collect", (PyCFunction)batch_collect, METH_O, "Return all values at a dotted path."},
    {NULL},
};

static PyMemberDef batch_members[] = {
    {"refs", T_OBJECT, offsetof(ds__batch, refs), READONLY, "documents fetched for references"},
    {"origin", T_OBJECT, offsetof(ds__batch, origin), READONLY, "where the batch came from"},
    {"schema", T_OBJECT, offsetof(ds__batch, schema), READONLY, "of its documents"},
    {NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_doc,
     DS_DOC("Batch(schema, data, mask=None, origin=None, raw_refs=False): documents of a reply")},
    {Py_tp_new, batch_new},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_traverse, batch_traverse},
    {Py_tp_clear, batch_clear},
    {Py_sq_length, batch_length},
    {Py_sq_item, ds__batch_document},
    {Py_tp_methods, batch_methods},
    {Py_tp_members, batch_members},
    {0, NULL},
};

PyType_Spec ds__batch_spec = {
    .name = "mongodb._core.Batch",
    .basicsize = sizeof(ds__batch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = batch_slots,
};
