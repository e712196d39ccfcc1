/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of documents as lists of dicts, by the serializer's plan: one of its fields as they are
 * now, or a kept one, for as long as no document needs Python. */
#include "rows.h"

enum { MAX_SMALL = 64 };

/* The stored values by position in the schema. They are mostly in its order. */
static void scan(const ds__schema *schema, ds_value doc, ds_value *values) {
    const uint8_t *p = doc.as.bytes + 4, *end = doc.as.bytes + doc.size - 1;
    size_t expected = 0;
    for (size_t i = 0; i < schema->count; i++) {
        values[i] = (ds_value){.type = DS_MISSING};
    }
    while (p < end) {
        uint8_t type = *p++;
        const ds__field *f = expected < schema->count ? &schema->fields[expected] : NULL;
        size_t size = f && (size_t)(end - p) > f->key_size ? f->key_size : 0;
        int at = (int)expected;
        if (size == 0 || memcmp(f->key, p, size + 1) != 0) {
            size = strlen((const char *)p);
            at = ds__schema_find(schema, (const char *)p, size);
        }
        p += size + 1;
        if (at < 0) {
            p += ds__value_skip(type, p);
        } else {
            p += ds__value_read(type, p, &values[at]);
            expected = (size_t)at + 1;
        }
    }
}

/* A missing field shows its default, and so does a null that the field does not take. */
static ds__shown show_stored(ds__rows *rows, ds__shape *shape, ds__field *field, ds_value v,
                             PyObject **out) {
    if (v.type != DS_MISSING && v.type != DS_NULL && v.type != DS_UNDEFINED) {
        return ds__show_value(rows, shape, field, v, out);
    }
    if (field->default_value && v.type != DS_UNDEFINED &&
        (v.type == DS_MISSING || !(field->flags & DS_FIELD_NULL))) {
        if (shape->how == DS_SHOW_LIST && field->default_value == (PyObject *)&PyList_Type) {
            *out = PyList_New(0);
        } else if (shape->how == DS_SHOW_DICT && field->default_value == (PyObject *)&PyDict_Type) {
            *out = PyDict_New();
        } else {
            return DS_SHOWN_PASS;
        }
        return *out ? DS_SHOWN : DS_SHOWN_ERROR;
    }
    *out = Py_NewRef(Py_None);
    return DS_SHOWN;
}

static ds_value *room(size_t count, ds_value *small) {
    ds_value *values = count <= MAX_SMALL ? small : PyMem_Malloc(count * sizeof *values);
    if (!values) {
        PyErr_NoMemory();
    }
    return values;
}

/* What the plan of an embedded document's class means for it: NULL, perhaps with an error. */
static const ds__bound *bind_nested(ds__rows *rows, ds__shape *shape, ds__field *field,
                                    ds_value v) {
    if (shape->last == field) {
        return shape->last_as;
    }
    if (rows->kept && !field->target) {
        return NULL; /* Python looks it up */
    }
    PyObject *type_b = ds__field_target(field);
    ds__schema *schema = type_b ? ds__schema_of(rows->state, type_b) : NULL;
    bool alone = schema && !schema->class_name;
    type_b = schema ? ds__schema_class(rows->state, schema, v) : NULL;
    schema = type_b ? ds__schema_of(rows->state, type_b) : NULL;
    if (!schema || schema->own_init || rows->state->init_signals) {
        PyErr_Clear(); /* reading the document raises the same */
        return NULL;
    }
    if (!ds__shape_compile(rows, shape) || !shape->plan) {
        return NULL;
    }
    const ds__bound *b = ds__bind(rows, shape->plan, (PyTypeObject *)type_b);
    if (b && alone) {
        shape->last = field;
        shape->last_as = b;
    }
    return b;
}

static ds__shown show_embedded(ds__rows *rows, ds__plan *plan, const ds__bound *b, ds_value v,
                               ds_value *values, PyObject *row) {
    ds__shown done = DS_SHOWN;
    scan(b->schema, v, values);
    for (size_t i = 0; done == DS_SHOWN && i < plan->count; i++) {
        ds__entry *e = &plan->entries[i];
        PyObject *value = NULL;
        done = show_stored(rows, &e->shape, &b->schema->fields[b->at[i]], values[b->at[i]], &value);
        if (done == DS_SHOWN && PyDict_SetItem(row, e->name, value) < 0) {
            done = DS_SHOWN_ERROR;
        }
        Py_XDECREF(value);
    }
    return done;
}

/* An embedded document that nobody has read is shown from its bytes, without an object. */
ds__shown ds__show_nested(ds__rows *rows, ds__shape *shape, ds__field *field, ds_value v,
                          PyObject **out) {
    ds_value small[MAX_SMALL];
    const ds__bound *b = bind_nested(rows, shape, field, v);
    if (!b || b->python) {
        return PyErr_Occurred() ? DS_SHOWN_ERROR : DS_SHOWN_PASS;
    }
    ds_value *values = room(b->schema->count, small);
    PyObject *row = values ? PyDict_Copy(shape->plan->blank) : NULL;
    ds__shown done = DS_SHOWN_ERROR;
    if (row && !Py_EnterRecursiveCall(" while showing an embedded document")) {
        done = show_embedded(rows, shape->plan, b, v, values, row);
        Py_LeaveRecursiveCall();
    }
    if (values != small) {
        PyMem_Free(values);
    }
    if (done != DS_SHOWN) {
        Py_CLEAR(row);
    }
    *out = row;
    return done;
}

static PyObject *show_document(ds__rows *rows, ds__shape *shape, PyObject *document);

/* Embedded documents as the objects they are, for the fields that Python shows. */
static ds__shown show_objects(ds__rows *rows, ds__shape *shape, ds__model *doc, size_t at,
                              PyObject **out) {
    bool many = shape->how == DS_SHOW_LIST;
    if (many ? shape->item->how != DS_SHOW_NESTED : shape->how != DS_SHOW_NESTED) {
        return DS_SHOWN_PASS;
    }
    PyObject *value = ds__document_get(rows->state, doc, at);
    rows->fresh = false;
    if (!value) { /* the serializer's field may have an answer to that */
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return DS_SHOWN_ERROR;
        }
        PyErr_Clear();
        return DS_SHOWN_PASS;
    }
    if (!many && ds__is_document(rows->state, value)) {
        *out = show_document(rows, shape, value);
    } else if (many && PyList_CheckExact(value)) {
        *out = PyList_New(0);
        for (Py_ssize_t i = 0; *out && i < PyList_GET_SIZE(value); i++) {
            PyObject *one = Py_NewRef(PyList_GET_ITEM(value, i));
            PyObject *row = one == Py_None && shape->nulls ? Py_NewRef(one)
                                                           : show_document(rows, shape->item, one);
            if (!row || PyList_Append(*out, row) < 0) {
                Py_CLEAR(*out);
            }
            Py_XDECREF(row);
            Py_DECREF(one);
        }
    } else {
        Py_DECREF(value);
        return DS_SHOWN_PASS;
    }
    Py_DECREF(value);
    return *out ? DS_SHOWN : DS_SHOWN_ERROR;
}

/* A document being shown, and what was scanned of it. */
typedef struct reading {
    ds__model *doc;
    PyObject *owner; /* of the bytes */
    const uint8_t *data;
    ds_value *values;
} reading;

/* Whether the stored value at a position is all there is to know. */
static bool is_as_stored(const reading *r, size_t at) {
    const ds__model *doc = r->doc;
    return doc->data && !(doc->state & (DS_DOC_HOLLOW | DS_DOC_PARTIAL | DS_DOC_RAW_REFS)) &&
           !(doc->values && doc->values[at]) &&
           (!doc->mask || PyBytes_AS_STRING(doc->mask)[at] == DS_LOADED);
}

static ds__shown show_entry(ds__rows *rows, ds__entry *e, int at, reading *r, PyObject **out) {
    if (at < 0 || !is_as_stored(r, (size_t)at)) {
        return DS_SHOWN_PASS;
    }
    if (r->data != r->doc->data) { /* also after Python saved or loaded the document */
        Py_XSETREF(r->owner, Py_XNewRef(r->doc->owner));
        r->data = r->doc->data;
        scan(r->doc->schema, ds__document(r->data), r->values);
    }
    ds__shown done = show_stored(rows, &e->shape, &r->doc->schema->fields[at], r->values[at], out);
    if (done == DS_SHOWN_PASS && r->values[at].type != DS_NULL && !rows->kept) {
        done = show_objects(rows, &e->shape, r->doc, (size_t)at, out);
    }
    return done;
}

static int show_field(ds__rows *rows, ds__entry *e, int at, reading *r, PyObject *row) {
    PyObject *value = NULL;
    ds__shown done = show_entry(rows, e, at, r, &value);
    if (done == DS_SHOWN_PASS && rows->kept) {
        return -1; /* without an error */
    }
    if (done == DS_SHOWN_PASS) {
        PyObject *args[] = {e->field, (PyObject *)r->doc};
        value = PyObject_Vectorcall(rows->field, args, 2, NULL);
        rows->fresh = false;
        if (value == rows->skip) {
            Py_DECREF(value);
            return PyDict_DelItem(row, e->name);
        }
    }
    int set = value ? PyDict_SetItem(row, e->name, value) : -1;
    Py_XDECREF(value);
    return set;
}

static PyObject *show_row(ds__rows *rows, ds__plan *plan, ds__model *doc) {
    ds_value small[MAX_SMALL];
    const ds__bound *b = ds__bind(rows, plan, Py_TYPE(doc));
    reading r = {.doc = doc, .values = b ? room(doc->schema->count, small) : NULL};
    PyObject *row = r.values ? PyDict_Copy(plan->blank) : NULL;
    if (row && Py_EnterRecursiveCall(" while showing a document")) {
        Py_CLEAR(row);
    } else if (row) {
        for (size_t i = 0; row && i < plan->count; i++) {
            if (show_field(rows, &plan->entries[i], b->at[i], &r, row) < 0) {
                Py_CLEAR(row);
            }
        }
        Py_LeaveRecursiveCall();
    }
    Py_XDECREF(r.owner);
    if (r.values != small) {
        PyMem_Free(r.values);
    }
    return row;
}

static PyObject *show_document(ds__rows *rows, ds__shape *shape, PyObject *document) {
    if (!ds__shape_compile(rows, shape)) {
        return NULL;
    }
    if (shape->plan && ds__is_document(rows->state, document)) {
        return show_row(rows, shape->plan, (ds__model *)document);
    }
    rows->fresh = false;
    return PyObject_CallMethod(shape->detail, "to_representation", "(O)", document);
}

static void wake(ds__rows *rows) {
    if (rows->resting) {
        rows->resting = false;
        PyGC_Enable();
    }
}

/* NULL: an error is set. */
static PyObject *show_next(ds__rows *rows, ds__shape *shape, PyObject *document) {
    PyObject *row = show_document(rows, shape, document);
    if (!row && rows->kept && !PyErr_Occurred()) { /* what is needed is a live field */
        ds__shape_clear(shape);
        *shape = (ds__shape){.how = DS_SHOW_NESTED, .detail = Py_NewRef(rows->serializer)};
        wake(rows);
        rows->kept = false;
        rows->compile = rows->live;
        row = show_document(rows, shape, document);
    }
    return row;
}

static bool add_row(ds__rows *rows, ds__shape *shape, PyObject *document, PyObject *list) {
    PyObject *row = document ? show_next(rows, shape, document) : NULL;
    bool ok = row && PyList_Append(list, row) == 0;
    Py_XDECREF(row);
    return ok;
}

/* Documents that nobody has yet: each is made for its row only. */
static bool add_batch(ds__rows *rows, ds__shape *shape, ds__batch *batch, PyObject *list) {
    const ds__schema *schema = batch->schema;
    bool quiet = !schema->class_name && !schema->own_init && !rows->state->init_signals &&
                 !((PyTypeObject *)schema->owner)->tp_finalize;
    bool ok = true;
    if (!quiet) {
        wake(rows);
    }
    for (size_t i = 0; ok && i < batch->count; i++) {
        PyObject *document = ds__batch_document(batch, (Py_ssize_t)i);
        rows->fresh &= quiet;
        ok = add_row(rows, shape, document, list);
        Py_XDECREF(document);
    }
    return ok;
}

static bool show_all(ds__rows *rows, PyObject *kept, PyObject *documents, PyObject *list) {
    ds__shape shape = {.how = DS_SHOW_NESTED, .detail = Py_NewRef(rows->serializer)};
    bool quiet = PyList_CheckExact(documents);
    rows->kept = quiet && rows->live && kept != Py_None;
    rows->resting = rows->kept && PyGC_Disable();
    bool ok = !rows->kept || ds__shape_keep(&shape, kept);
    PyObject *items = ok ? PyObject_GetIter(documents) : NULL, *item;
    while (ok && items && (item = PyIter_Next(items))) {
        rows->fresh &= quiet;
        ok = Py_IS_TYPE(item, (PyTypeObject *)rows->state->batch_type)
                 ? add_batch(rows, &shape, (ds__batch *)item, list)
                 : add_row(rows, &shape, item, list);
        Py_DECREF(item);
    }
    wake(rows);
    Py_XDECREF(items);
    ds__shape_clear(&shape);
    return ok && !PyErr_Occurred();
}

PyDoc_STRVAR(rows_doc,
             "rows(serializer, documents, tools, kept=None, live=None)\n--\n\n"
             "List what the serializer shows of each document, also of those in batches.\n\n"
             "tools: (compile, field, skip, style, own, pk); see plan.py.\n"
             "kept: its plan, when that is known without its fields, and what makes the\n"
             "one to go on with when that is not enough.");

static PyObject *py_rows(PyObject *module, PyObject *args) {
    PyObject *documents, *kept = Py_None;
    ds__rows rows = {.state = ds__pstate_of_module(module)};
    if (!PyArg_ParseTuple(args, "OO(OOOOO!O)|OO", &rows.serializer, &documents, &rows.compile,
                          &rows.field, &rows.skip, &rows.style, &PyType_Type, &rows.own, &rows.pk,
                          &kept, &rows.live)) {
        return NULL;
    }
    rows.pk_name = PyUnicode_InternFromString("pk");
    PyObject *list = rows.pk_name ? PyList_New(0) : NULL;
    if (list && !show_all(&rows, kept, documents, list)) {
        Py_CLEAR(list);
    }
    Py_XDECREF(rows.zone);
    Py_XDECREF(rows.styled);
    Py_XDECREF(rows.pk_name);
    return list;
}

PyMethodDef ds__rows_functions[] = {
    {"rows", py_rows, METH_VARARGS, rows_doc},
    {NULL},
};
