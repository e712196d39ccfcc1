/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of documents as lists of dicts. A serializer is compiled for one list, from its fields as
 * they are then; what its plan says of a class of documents is looked up when the first comes. */
#include "rows.h"

enum { MAX_SMALL = 64 };

typedef struct entry {
    /* owned */
    PyObject *name;
    PyObject *field;     /* of the serializer */
    PyObject *attribute; /* of the document; NULL: only Python knows */
    ds__shape shape;
} entry;

/* What a plan means for one class of documents. */
typedef struct ds__bound {
    /* owned */
    struct ds__bound *next;
    PyTypeObject *type;
    /* borrowed from the class */
    ds__schema *schema; /* NULL: the class has none */
    /* plain */
    bool python; /* some entry is shown by Python */
    int at[];    /* per entry: position in the schema, -1: by Python */
} ds__bound;

typedef struct ds__plan {
    /* owned */
    entry *entries;
    PyObject *blank; /* dict of all names */
    ds__bound *bounds;
    /* plain */
    size_t count;
} ds__plan;

static void plan_free(ds__plan *plan);

static void shape_clear(ds__shape *shape) {
    if (shape->item) {
        shape_clear(shape->item);
        PyMem_Free(shape->item);
    }
    Py_CLEAR(shape->detail);
    plan_free(shape->plan);
}

static void plan_free(ds__plan *plan) {
    if (!plan) {
        return;
    }
    for (size_t i = 0; i < plan->count; i++) {
        Py_CLEAR(plan->entries[i].name);
        Py_CLEAR(plan->entries[i].field);
        Py_CLEAR(plan->entries[i].attribute);
        shape_clear(&plan->entries[i].shape);
    }
    for (ds__bound *b = plan->bounds, *next; b; b = next) {
        next = b->next;
        Py_DECREF(b->type);
        PyMem_Free(b);
    }
    PyMem_Free(plan->entries);
    Py_CLEAR(plan->blank);
    PyMem_Free(plan);
}

/* (how, detail, digits, places, nulls, item) */
static bool shape_init(ds__shape *shape, PyObject *spec) {
    int how, nulls;
    PyObject *detail, *item;
    if (!PyArg_ParseTuple(spec, "iOiipO;a shape", &how, &detail, &shape->digits, &shape->places,
                          &nulls, &item)) {
        return false;
    }
    if (how < 0 || how >= DS_SHOW_COUNT) {
        PyErr_SetString(PyExc_ValueError, "there is no such way to show a value");
        return false;
    }
    shape->how = (uint8_t)how;
    shape->nulls = nulls;
    shape->detail = detail == Py_None ? NULL : Py_NewRef(detail);
    if (how != DS_SHOW_LIST && how != DS_SHOW_DICT) {
        return true;
    }
    shape->item = PyMem_Calloc(1, sizeof *shape->item);
    if (!shape->item) {
        PyErr_NoMemory();
        return false;
    }
    return shape_init(shape->item, item);
}

/* (name, field, attribute or None, shape or None) */
static bool entry_init(entry *e, PyObject *spec) {
    PyObject *name, *field, *attribute, *shape;
    if (!PyArg_ParseTuple(spec, "UOOO;an entry", &name, &field, &attribute, &shape)) {
        return false;
    }
    e->name = Py_NewRef(name);
    e->field = Py_NewRef(field);
    if (shape == Py_None || attribute == Py_None) {
        return true;
    }
    e->attribute = Py_NewRef(attribute);
    return shape_init(&e->shape, shape);
}

static ds__plan *plan_new(PyObject *entries) {
    if (!PyList_Check(entries)) {
        PyErr_SetString(PyExc_TypeError, "a plan is a list of entries");
        return NULL;
    }
    size_t count = (size_t)PyList_GET_SIZE(entries);
    ds__plan *plan = PyMem_Calloc(1, sizeof *plan);
    if (plan) {
        plan->entries = PyMem_Calloc(count + 1, sizeof *plan->entries);
        plan->blank = PyDict_New();
    }
    if (!plan || !plan->entries || !plan->blank) {
        plan_free(plan);
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        plan->count++;
        if (!entry_init(&plan->entries[i], PyList_GET_ITEM(entries, (Py_ssize_t)i)) ||
            PyDict_SetItem(plan->blank, plan->entries[i].name, Py_None) < 0) {
            plan_free(plan);
            return NULL;
        }
    }
    return plan;
}

/* Whether each field has a name of its own. */
static bool is_distinct(const ds__plan *plan) {
    return (size_t)PyDict_GET_SIZE(plan->blank) == plan->count;
}

/* Makes the serializer's plan. False: an error is set; NULL plan: Python shows its documents. */
static bool compiled(ds__rows *rows, ds__shape *shape) {
    if (shape->compiled) {
        return true;
    }
    PyObject *entries = PyObject_CallOneArg(rows->compile, shape->detail);
    rows->fresh = false;
    if (entries && entries != Py_None) {
        shape->plan = plan_new(entries);
        if (shape->plan && !is_distinct(shape->plan)) {
            plan_free(shape->plan);
            shape->plan = NULL;
        }
    }
    shape->compiled = entries && !PyErr_Occurred();
    Py_XDECREF(entries);
    return shape->compiled;
}

/* What the class and its bases have under a name. Borrowed, no error is set. */
static PyObject *class_attribute(PyTypeObject *type, PyObject *name) {
    PyObject *mro_b = type->tp_mro;
    for (Py_ssize_t i = 0; mro_b && i < PyTuple_GET_SIZE(mro_b); i++) {
        PyObject *dict_b = ((PyTypeObject *)PyTuple_GET_ITEM(mro_b, i))->tp_dict;
        PyObject *found_b = dict_b ? PyDict_GetItemWithError(dict_b, name) : NULL;
        if (found_b || PyErr_Occurred()) {
            PyErr_Clear();
            return found_b;
        }
    }
    return NULL;
}

int ds__attribute_field(const ds__rows *rows, PyTypeObject *type, PyObject *name) {
    ds__schema *schema = ds__schema_of(rows->state, (PyObject *)type);
    PyObject *found_b = schema ? class_attribute(type, name) : NULL;
    if (!schema) {
        PyErr_Clear();
        return -1;
    }
    if (found_b && found_b == rows->pk && schema->primary >= 0) {
        name = schema->fields[schema->primary].name;
        found_b = class_attribute(type, name);
    }
    PyObject *at_b = found_b ? PyDict_GetItemWithError(schema->by_name, name) : NULL;
    int at = at_b ? (int)PyLong_AsLong(at_b) : -1;
    PyErr_Clear();
    if (at < 0 || (!Py_IS_TYPE(found_b, (PyTypeObject *)rows->state->slot_type) &&
                   !(schema->fields[at].object == found_b &&
                     Py_IS_TYPE(found_b, (PyTypeObject *)rows->own)))) {
        return -1;
    }
    return at;
}

static PyObject *class_attribute_named(PyTypeObject *type, const char *name) {
    PyObject *text = PyUnicode_InternFromString(name);
    PyObject *found_b = text ? class_attribute(type, text) : NULL;
    Py_XDECREF(text);
    return found_b;
}

/* Reading an attribute runs no code of the class. */
static bool reads_plainly(PyTypeObject *type) {
    return class_attribute_named(type, "__getattribute__") ==
           class_attribute_named(&PyBaseObject_Type, "__getattribute__");
}

/* Whether DRF's related fields could get a key by another way than the attribute. */
static bool has_serializable_value(PyTypeObject *type, const ds__schema *schema) {
    return schema->dynamic || class_attribute_named(type, "serializable_value");
}

/* NULL: an error is set. */
static const ds__bound *bind(ds__rows *rows, ds__plan *plan, PyTypeObject *type) {
    for (const ds__bound *b = plan->bounds; b; b = b->next) {
        if (b->type == type) {
            return b;
        }
    }
    ds__bound *made = PyMem_Calloc(1, sizeof *made + plan->count * sizeof made->at[0]);
    if (!made) {
        PyErr_NoMemory();
        return NULL;
    }
    ds__schema *schema = ds__schema_of(rows->state, (PyObject *)type);
    PyErr_Clear(); /* a class without a schema has no documents; Python may say so */
    bool plain = schema && reads_plainly(type);
    for (size_t i = 0; i < plan->count; i++) {
        entry *e = &plan->entries[i];
        int at = plain && e->attribute ? ds__attribute_field(rows, type, e->attribute) : -1;
        if (at >= 0 &&
            (!ds__shape_fits(&e->shape, &schema->fields[at]) ||
             (e->shape.how == DS_SHOW_REFERENCE && has_serializable_value(type, schema)))) {
            at = -1;
        }
        made->at[i] = at;
        made->python |= at < 0;
    }
    made->type = (PyTypeObject *)Py_NewRef((PyObject *)type);
    made->schema = schema;
    made->next = plan->bounds;
    plan->bounds = made;
    return made;
}

/* The stored values by position in the schema. */
static void scan(const ds__schema *schema, ds_value doc, ds_value *values) {
    size_t expected = 0;
    ds__iter it;
    for (size_t i = 0; i < schema->count; i++) {
        values[i] = (ds_value){.type = DS_MISSING};
    }
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        const ds__field *f = expected < schema->count ? &schema->fields[expected] : NULL;
        bool next = f && f->key_size == it.key_size && memcmp(f->key, it.key, it.key_size) == 0;
        int at = next ? (int)expected : ds__schema_find(schema, it.key, it.key_size);
        if (at >= 0) {
            values[at] = it.value;
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
    PyObject *type_b = ds__field_target(field);
    ds__schema *schema = type_b ? ds__schema_of(rows->state, type_b) : NULL;
    bool alone = schema && !schema->class_name;
    type_b = schema ? ds__schema_class(rows->state, schema, v) : NULL;
    schema = type_b ? ds__schema_of(rows->state, type_b) : NULL;
    if (!schema || schema->own_init || rows->state->init_signals) {
        PyErr_Clear(); /* reading the document raises the same */
        return NULL;
    }
    if (!compiled(rows, shape) || !shape->plan) {
        return NULL;
    }
    const ds__bound *b = bind(rows, shape->plan, (PyTypeObject *)type_b);
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
        entry *e = &plan->entries[i];
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

static ds__shown show_entry(ds__rows *rows, entry *e, int at, reading *r, PyObject **out) {
    if (at < 0 || !is_as_stored(r, (size_t)at)) {
        return DS_SHOWN_PASS;
    }
    if (r->data != r->doc->data) { /* also after Python saved or loaded the document */
        Py_XSETREF(r->owner, Py_XNewRef(r->doc->owner));
        r->data = r->doc->data;
        scan(r->doc->schema, ds__document(r->data), r->values);
    }
    ds__shown done = show_stored(rows, &e->shape, &r->doc->schema->fields[at], r->values[at], out);
    if (done == DS_SHOWN_PASS && r->values[at].type != DS_NULL) {
        done = show_objects(rows, &e->shape, r->doc, (size_t)at, out);
    }
    return done;
}

static int show_field(ds__rows *rows, entry *e, int at, reading *r, PyObject *row) {
    PyObject *value = NULL;
    ds__shown done = show_entry(rows, e, at, r, &value);
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
    const ds__bound *b = bind(rows, plan, Py_TYPE(doc));
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
    if (!compiled(rows, shape)) {
        return NULL;
    }
    if (shape->plan && ds__is_document(rows->state, document)) {
        return show_row(rows, shape->plan, (ds__model *)document);
    }
    rows->fresh = false;
    return PyObject_CallMethod(shape->detail, "to_representation", "(O)", document);
}

PyDoc_STRVAR(rows_doc, "rows(serializer, documents, tools)\n--\n\n"
                       "List what the serializer shows of each document.\n\n"
                       "tools: (compile, field, skip, style, own, pk); see plan.py.");

static PyObject *py_rows(PyObject *module, PyObject *args) {
    PyObject *serializer, *documents;
    ds__rows rows = {.state = ds__pstate_of_module(module)};
    if (!PyArg_ParseTuple(args, "OO(OOOOO!O)", &serializer, &documents, &rows.compile, &rows.field,
                          &rows.skip, &rows.style, &PyType_Type, &rows.own, &rows.pk)) {
        return NULL;
    }
    ds__shape shape = {.how = DS_SHOW_NESTED, .detail = Py_NewRef(serializer)};
    rows.pk_name = PyUnicode_InternFromString("pk");
    PyObject *list = rows.pk_name ? PyList_New(0) : NULL;
    PyObject *items = list ? PyObject_GetIter(documents) : NULL, *document;
    bool ok = items != NULL, quiet = PyList_CheckExact(documents);
    while (ok && (document = PyIter_Next(items))) {
        rows.fresh &= quiet;
        PyObject *row = show_document(&rows, &shape, document);
        ok = row && PyList_Append(list, row) == 0;
        Py_XDECREF(row);
        Py_DECREF(document);
    }
    if (!ok || PyErr_Occurred()) {
        Py_CLEAR(list);
    }
    Py_XDECREF(items);
    Py_XDECREF(rows.zone);
    Py_XDECREF(rows.pk_name);
    shape_clear(&shape);
    return list;
}

PyMethodDef ds__rows_functions[] = {
    {"rows", py_rows, METH_VARARGS, rows_doc},
    {NULL},
};
