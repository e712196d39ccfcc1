/* SPDX-License-Identifier: Apache-2.0 */
/* A document: the bytes the store gave, and the Python values of the fields that were touched. A
 * field is decoded when it is first read. */
#include "schema.h"

#include "extension.h"

bool ds__is_document(ds__pstate *state, PyObject *object) {
    return PyObject_TypeCheck(object, (PyTypeObject *)state->document_type);
}

static bool find_offsets(ds__model *doc) {
    ds__schema *schema = doc->schema;
    size_t expected = 0;
    ds__iter it;
    ds__iter_init(&it, ds__document(doc->data));
    while (ds__iter_next(&it)) {
        int at;
        const ds__field *f = expected < schema->count ? &schema->fields[expected] : NULL;
        if (f && f->key_size == it.key_size && memcmp(f->key, it.key, it.key_size) == 0) {
            at = (int)expected;
        } else {
            at = ds__schema_find(schema, it.key, it.key_size);
        }
        if (at >= 0) {
            doc->offsets[at] = (uint32_t)(it.element - doc->data);
            expected = (size_t)at + 1;
        }
    }
    return true;
}

bool ds__document_open(ds__model *doc) {
    size_t n = doc->schema->count;
    if (!doc->values) {
        size_t size = n * (sizeof(PyObject *) + sizeof(uint32_t) + 1);
        doc->values = PyMem_Calloc(1, size + 1);
        if (!doc->values) {
            PyErr_NoMemory();
            return false;
        }
        doc->offsets = (uint32_t *)(doc->values + n);
        doc->flags = (uint8_t *)(doc->offsets + n);
        doc->indexed = false;
    }
    if (doc->data && !doc->indexed) {
        memset(doc->offsets, 0, n * sizeof *doc->offsets);
        doc->indexed = find_offsets(doc);
    }
    return true;
}

ds_value ds__document_stored(const ds__model *doc, size_t at) {
    ds_value value = {0};
    if (doc->data && doc->offsets[at]) {
        const uint8_t *p = doc->data + doc->offsets[at];
        ds__value_read(p[0], p + 1 + doc->schema->fields[at].key_size + 1, &value);
    }
    return value;
}

bool ds__document_touched(const ds__model *doc, size_t at) {
    if (!doc->values || !doc->values[at]) {
        return false;
    }
    if (doc->flags[at] & DS_VALUE_ASSIGNED) {
        return true;
    }
    const ds__field *f = &doc->schema->fields[at];
    PyObject *v = doc->values[at];
    switch ((ds__kind)f->kind) {
    case DS_HOLDS_DYNAMIC:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_LIST:
    case DS_HOLDS_DICT:
    case DS_HOLDS_EMBEDDED:
        break;
    default:
        if (!(f->flags & DS_FIELD_PY_DECODE)) {
            return false;
        }
        break;
    }
    return !(v == Py_None || PyBool_Check(v) || PyUnicode_CheckExact(v) || PyLong_CheckExact(v) ||
             PyFloat_CheckExact(v) || PyBytes_CheckExact(v));
}

PyObject *ds__document_from(ds__pstate *state, PyObject *type, PyObject *owner, const uint8_t *data,
                            PyObject *context, PyObject *mask, uint8_t flags) {
    ds__schema *schema = ds__schema_of(state, type);
    if (!schema) {
        return NULL;
    }
    ds__model *doc = (ds__model *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (!doc) {
        return NULL;
    }
    doc->schema = (ds__schema *)Py_NewRef((PyObject *)schema);
    doc->owner = Py_NewRef(owner);
    doc->context = Py_XNewRef(context);
    doc->mask = Py_XNewRef(mask);
    doc->data = data;
    doc->state = flags;
    ds__batch_attach(state, doc);
    if (schema->own_init || state->init_signals) {
        PyObject *done = PyObject_CallMethod((PyObject *)doc, "_after_load", NULL);
        if (!done) {
            Py_DECREF(doc);
            return NULL;
        }
        Py_DECREF(done);
    }
    return (PyObject *)doc;
}

PyObject *ds__document_hollow(ds__pstate *state, PyObject *type, PyObject *key, PyObject *context) {
    ds__schema *schema = ds__schema_of(state, type);
    if (!schema) {
        return NULL;
    }
    if (schema->primary < 0) {
        PyErr_Format(PyExc_TypeError, "%R has no primary key to refer to", type);
        return NULL;
    }
    ds__model *doc = (ds__model *)((PyTypeObject *)type)->tp_alloc((PyTypeObject *)type, 0);
    if (!doc) {
        return NULL;
    }
    doc->schema = (ds__schema *)Py_NewRef((PyObject *)schema);
    doc->context = Py_XNewRef(context);
    doc->state = DS_DOC_HOLLOW;
    if (!ds__document_open(doc)) {
        Py_DECREF(doc);
        return NULL;
    }
    doc->values[schema->primary] = Py_NewRef(key);
    return (PyObject *)doc;
}

/* Calls the class to give a hollow document its bytes. */
bool ds__document_fill(ds__model *doc) {
    PyObject *done = PyObject_CallMethod((PyObject *)doc, "_fetch", NULL);
    Py_XDECREF(done);
    if (done && (doc->state & DS_DOC_HOLLOW)) {
        PyErr_SetString(PyExc_RuntimeError, "_fetch() did not load the document");
        return false;
    }
    return done != NULL;
}

/* A stored null of a field that has a default and does not take null shows the default. */
static bool shows_default(const ds__model *doc, size_t at, ds_value stored) {
    const ds__field *f = &doc->schema->fields[at];
    return stored.type == DS_NULL && f->default_value && !(f->flags & DS_FIELD_NULL);
}

/* Defaults are compared with a fresh one, since lists and dicts may have been changed in place. */
bool ds__document_default(const ds__model *doc, size_t at) {
    if (doc->flags[at] != DS_VALUE_DEFAULT) {
        return false;
    }
    ds_value stored = ds__document_stored(doc, at);
    if (stored.type != DS_MISSING && !shows_default(doc, at, stored)) {
        return false;
    }
    PyObject *value = Py_NewRef(doc->values[at]);
    PyObject *fresh = PyObject_CallMethod(doc->schema->fields[at].object, "get_default", NULL);
    int same = fresh ? PyObject_RichCompareBool(fresh, value, Py_EQ) : -1;
    Py_XDECREF(fresh);
    Py_DECREF(value);
    if (same < 0) {
        PyErr_Clear(); /* not comparable: taken as changed */
    }
    return same == 1;
}

static PyObject *make_default(ds__model *doc, size_t at) {
    ds__field *f = &doc->schema->fields[at];
    if (!f->default_value) {
        return Py_NewRef(Py_None);
    }
    doc->flags[at] |= DS_VALUE_DEFAULT;
    if (f->flags & DS_FIELD_CALL_DEFAULT) {
        if (f->default_value == (PyObject *)&PyList_Type) {
            return PyList_New(0);
        }
        if (f->default_value == (PyObject *)&PyDict_Type) {
            return PyDict_New();
        }
        return PyObject_CallNoArgs(f->default_value);
    }
    return Py_NewRef(f->default_value);
}

PyObject *ds__document_get(ds__pstate *state, ds__model *doc, size_t at) {
    if (doc->values && doc->values[at]) {
        return Py_NewRef(doc->values[at]);
    }
    if ((doc->state & DS_DOC_HOLLOW) && !ds__document_fill(doc)) {
        return NULL;
    }
    if (doc->mask && !PyBytes_AS_STRING(doc->mask)[at]) {
        PyObject *done = PyObject_CallMethod((PyObject *)doc, "_fetch_field", "n", (Py_ssize_t)at);
        if (!done) {
            return NULL;
        }
        Py_DECREF(done);
    }
    if (!ds__document_open(doc)) {
        return NULL;
    }
    ds_value stored = ds__document_stored(doc, at);
    PyObject *value;
    if (doc->values[at]) { /* set while it was fetched */
        return Py_NewRef(doc->values[at]);
    }
    if (stored.type == DS_MISSING || shows_default(doc, at, stored)) {
        value = make_default(doc, at);
    } else {
        ds__scope scope = {.owner = doc->owner,
                           .context = doc->context,
                           .raw_refs = doc->state & DS_DOC_RAW_REFS,
                           .partial =
                               (doc->state & DS_DOC_PARTIAL) || ds__document_partly(doc, at)};
        Py_INCREF(scope.owner); /* Python code below may replace the document's bytes */
        value = ds__field_decode(state, &doc->schema->fields[at], stored, &scope);
        Py_DECREF(scope.owner);
    }
    if (value) {
        Py_XSETREF(doc->values[at], Py_NewRef(value));
    }
    return value;
}

int ds__document_set(ds__pstate *state, ds__model *doc, size_t at, PyObject *value) {
    if (!ds__document_open(doc)) {
        return -1;
    }
    ds__field *f = &doc->schema->fields[at];
    PyObject *kept = NULL;
    /* What is changed has to be known to be saved. */
    if ((doc->state & DS_DOC_HOLLOW) && doc->values[at] != value &&
        (!ds__document_fill(doc) || !ds__document_open(doc))) {
        return -1;
    }
    /* `x.tags += [...]` of a list that was loaded in part stays a change in place. */
    if (doc->values[at] == value && doc->data && !(doc->flags[at] & DS_VALUE_ASSIGNED) &&
        ((doc->state & DS_DOC_PARTIAL) || ds__document_partly(doc, at))) {
        return 0;
    }
    if (value == Py_None && f->default_value && !(f->flags & DS_FIELD_NULL)) {
        kept = make_default(doc, at);
        if (!kept) {
            return -1;
        }
    } else {
        kept = Py_NewRef(value);
    }
    doc->flags[at] = DS_VALUE_ASSIGNED;
    Py_XSETREF(doc->values[at], kept);
    return 0;
}

static int document_traverse(ds__model *doc, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(doc));
    Py_VISIT(doc->schema);
    Py_VISIT(doc->owner);
    Py_VISIT(doc->extra);
    Py_VISIT(doc->context);
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        Py_VISIT(doc->values[i]);
    }
    return 0;
}

static int document_clear(ds__model *doc) {
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        Py_CLEAR(doc->values[i]);
    }
    Py_CLEAR(doc->extra);
    ds__batch_detach(doc);
    Py_CLEAR(doc->context);
    return 0;
}

static void document_dealloc(ds__model *doc) {
    PyTypeObject *type = Py_TYPE(doc);
    PyObject_GC_UnTrack(doc);
    ds__batch_detach(doc);
    document_clear(doc);
    PyMem_Free(doc->values);
    Py_CLEAR(doc->owner);
    Py_CLEAR(doc->mask);
    Py_CLEAR(doc->schema);
    type->tp_free(doc);
    Py_DECREF(type);
}

static PyType_Slot document_slots[] = {
    {Py_tp_doc, DS_DOC("The base of documents: bytes of the store, decoded when read.")},
    {Py_tp_new, ds__document_new},
    {Py_tp_init, ds__document_init},
    {Py_tp_dealloc, document_dealloc},
    {Py_tp_traverse, document_traverse},
    {Py_tp_clear, document_clear},
    {Py_tp_methods, ds__document_methods},
    {Py_tp_getset, ds__document_getset},
    {0, NULL},
};

static PyType_Spec document_spec = {
    .name = "mongodb._core.Document",
    .basicsize = sizeof(ds__model),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = document_slots,
};

int ds__py_add_documents(PyObject *module, ds__pstate *state) {
    state->encode_hook = ds__document_hook;
    state->from_store = PyContextVar_New("mongodb_from_store", Py_False);
    state->schema_name = PyUnicode_InternFromString("_schema");
    if (!state->from_store || !state->schema_name ||
        PyModule_AddObjectRef(module, "FROM_STORE", state->from_store) < 0 ||
        ds__py_add_type(module, &ds__schema_spec, &state->schema_type) < 0 ||
        ds__py_add_type(module, &document_spec, &state->document_type) < 0 ||
        ds__py_add_type(module, &ds__slot_spec, &state->slot_type) < 0 ||
        ds__py_add_type(module, &ds__batch_spec, &state->batch_type) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, ds__document_functions);
}
