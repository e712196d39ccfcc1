/* SPDX-License-Identifier: Apache-2.0 */
/* JSONPlan: a serializer's fields compiled, and lists of documents written by it. */
#include "json.h"

#include "errors.h"
#include "schema.h"

static const char *const WRITERS[DS_JSON_COUNT] = {
    [DS_JSON_PYTHON] = "python",     [DS_JSON_STRING] = "string",
    [DS_JSON_INT] = "int",           [DS_JSON_FLOAT] = "float",
    [DS_JSON_BOOL] = "bool",         [DS_JSON_DECIMAL] = "decimal",
    [DS_JSON_DATETIME] = "datetime", [DS_JSON_DATE] = "date",
    [DS_JSON_UUID] = "uuid",         [DS_JSON_OBJECT_ID] = "objectid",
    [DS_JSON_BINARY] = "binary",     [DS_JSON_REFERENCE] = "reference",
    [DS_JSON_DYNAMIC] = "dynamic",   [DS_JSON_LIST] = "list",
    [DS_JSON_DICT] = "dict",         [DS_JSON_EMBEDDED] = "embedded",
};

enum { MAX_ENTRIES = 1024 };

static void shape_clear(ds__json_shape *shape) {
    if (shape->item) {
        shape_clear(shape->item);
        PyMem_Free(shape->item);
        shape->item = NULL;
    }
    Py_CLEAR(shape->nested);
}

/* (writer, argument, nested plan); a list's or dict's argument is the shape of its items. */
static bool shape_init(ds__pstate *state, ds__json_shape *shape, PyObject *name, PyObject *argument,
                       PyObject *nested) {
    const char *text = PyUnicode_AsUTF8(name);
    if (text == NULL) {
        return false;
    }
    shape->writer = DS_JSON_COUNT;
    for (int i = 0; i < DS_JSON_COUNT; i++) {
        if (strcmp(WRITERS[i], text) == 0) {
            shape->writer = (uint8_t)i;
        }
    }
    if (shape->writer == DS_JSON_COUNT) {
        PyErr_Format(PyExc_ValueError, "there is no JSON writer %R", name);
        return false;
    }
    if (shape->writer == DS_JSON_EMBEDDED) {
        if (!PyObject_TypeCheck(nested, (PyTypeObject *)state->json_plan_type)) {
            PyErr_SetString(PyExc_TypeError, "an embedded document needs a JSONPlan");
            return false;
        }
        shape->nested = (ds__json_plan *)Py_NewRef(nested);
        return true;
    }
    if (shape->writer == DS_JSON_LIST || shape->writer == DS_JSON_DICT) {
        PyObject *inner, *inner_argument, *inner_nested;
        if (!PyArg_ParseTuple(argument, "OOO", &inner, &inner_argument, &inner_nested)) {
            return false;
        }
        shape->item = PyMem_Calloc(1, sizeof *shape->item);
        if (shape->item == NULL) {
            PyErr_NoMemory();
            return false;
        }
        return shape_init(state, shape->item, inner, inner_argument, inner_nested);
    }
    if (PyLong_Check(argument)) {
        shape->argument = (int)PyLong_AsLong(argument);
    }
    return true;
}

/* (head, key, writer, argument, nested, missing) */
static bool entry_init(ds__pstate *state, ds__json_entry *entry, PyObject *spec) {
    PyObject *head, *key, *writer, *argument, *nested, *missing;
    if (!PyArg_ParseTuple(spec, "SOUOOO", &head, &key, &writer, &argument, &nested, &missing)) {
        return false;
    }
    entry->head = Py_NewRef(head);
    if (PyUnicode_Check(key)) {
        entry->key = PyUnicode_AsUTF8String(key);
        if (entry->key == NULL) {
            return false;
        }
    }
    if (PyBytes_Check(missing)) {
        entry->missing = Py_NewRef(missing);
    }
    return shape_init(state, &entry->shape, writer, argument, nested);
}

static void plan_dealloc(ds__json_plan *plan) {
    PyTypeObject *type = Py_TYPE(plan);
    for (size_t i = 0; i < plan->count; i++) {
        Py_CLEAR(plan->entries[i].head);
        Py_CLEAR(plan->entries[i].key);
        Py_CLEAR(plan->entries[i].missing);
        shape_clear(&plan->entries[i].shape);
    }
    PyMem_Free(plan->entries);
    type->tp_free((PyObject *)plan);
    Py_DECREF(type);
}

static PyObject *plan_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *list_b;
    static const char *const names[] = {"entries", NULL};
    ds__pstate *state = ds__pstate_of_type(type);
    if (state == NULL || !PyArg_ParseTupleAndKeywords(args, kwargs, "O!", (char **)(uintptr_t)names,
                                                      &PyList_Type, &list_b)) {
        return NULL;
    }
    size_t count = (size_t)PyList_GET_SIZE(list_b);
    if (count > MAX_ENTRIES) {
        PyErr_Format(PyExc_ValueError, "a serializer has at most %d fields", MAX_ENTRIES);
        return NULL;
    }
    ds__json_plan *plan = (ds__json_plan *)type->tp_alloc(type, 0);
    if (plan == NULL) {
        return NULL;
    }
    plan->entries = PyMem_Calloc(count ? count : 1, sizeof *plan->entries);
    if (plan->entries == NULL) {
        Py_DECREF(plan);
        return PyErr_NoMemory();
    }
    plan->count = count;
    for (size_t i = 0; i < count; i++) {
        ds__json_entry *e = &plan->entries[i];
        if (!entry_init(state, e, PyList_GET_ITEM(list_b, (Py_ssize_t)i))) {
            Py_DECREF(plan);
            return NULL;
        }
        plan->needs_python |= e->shape.writer == DS_JSON_PYTHON || e->missing == NULL;
    }
    return (PyObject *)plan;
}

/* Finds each entry's value in one pass; documents are mostly in the order of the plan. */
static void collect(const ds__json_plan *plan, ds_value doc, ds_value *values) {
    ds__iter it;
    size_t next = 0;
    for (size_t i = 0; i < plan->count; i++) {
        values[i] = ds__missing();
    }
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        for (size_t tried = 0; tried < plan->count; tried++) {
            size_t at = next + tried < plan->count ? next + tried : next + tried - plan->count;
            const ds__json_entry *e = &plan->entries[at];
            if (e->key && (size_t)PyBytes_GET_SIZE(e->key) == it.key_size &&
                memcmp(PyBytes_AS_STRING(e->key), it.key, it.key_size) == 0) {
                values[at] = it.value;
                next = at + 1 < plan->count ? at + 1 : 0;
                if (e->shape.writer != DS_JSON_PYTHON) {
                    break;
                }
            }
        }
    }
}

static void add_head(ds_buf *out, const ds__json_entry *e, bool *first) {
    if (!*first) {
        ds_buf_add_byte(out, ',');
    }
    *first = false;
    ds_buf_add(out, PyBytes_AS_STRING(e->head), (size_t)PyBytes_GET_SIZE(e->head));
}

bool ds__json_document(ds_buf *out, const ds__json_plan *plan, ds_value doc,
                       const ds__json_style *style) {
    ds_value small[64];
    ds_value *values = small;
    bool ok = true, first = true;
    if (plan->needs_python) {
        return false;
    }
    if (plan->count > 64) {
        values = PyMem_Malloc(plan->count * sizeof *values);
        if (values == NULL) {
            return false;
        }
    }
    collect(plan, doc, values);
    ds_buf_add_byte(out, '{');
    for (size_t i = 0; ok && i < plan->count; i++) {
        const ds__json_entry *e = &plan->entries[i];
        add_head(out, e, &first);
        if (values[i].type == DS_MISSING) {
            ds_buf_add(out, PyBytes_AS_STRING(e->missing), (size_t)PyBytes_GET_SIZE(e->missing));
        } else {
            ok = ds__json_value(out, &e->shape, values[i], style);
        }
    }
    ds_buf_add_byte(out, '}');
    if (values != small) {
        PyMem_Free(values);
    }
    return ok;
}

/* Appends the bytes a Python callback returned; None leaves the field out. */
static int add_answer(ds_buf *out, PyObject *answer) {
    int result = -1;
    if (answer == Py_None) {
        result = 0;
    } else if (answer && PyBytes_Check(answer)) {
        ds_buf_add(out, PyBytes_AS_STRING(answer), (size_t)PyBytes_GET_SIZE(answer));
        result = 1;
    } else if (answer) {
        PyErr_SetString(PyExc_TypeError, "a field's JSON must be bytes or None");
    }
    Py_XDECREF(answer);
    return result;
}

typedef struct writing {
    ds__pstate *state;
    const ds__json_plan *plan;
    ds_buf *out;
    ds_value *values;
    PyObject *row_b;   /* document -> bytes */
    PyObject *field_b; /* (position, document) -> bytes or None */
    ds__json_style style;
} writing;

static bool write_field(writing *w, size_t at, PyObject *document, bool *first) {
    const ds__json_entry *e = &w->plan->entries[at];
    size_t start = w->out->size;
    bool was_first = *first;
    add_head(w->out, e, first);
    if (e->shape.writer != DS_JSON_PYTHON) {
        if (w->values[at].type == DS_MISSING && e->missing) {
            ds_buf_add(w->out, PyBytes_AS_STRING(e->missing), (size_t)PyBytes_GET_SIZE(e->missing));
            return true;
        }
        if (w->values[at].type != DS_MISSING &&
            ds__json_value(w->out, &e->shape, w->values[at], &w->style)) {
            return true;
        }
    }
    int added =
        add_answer(w->out, PyObject_CallFunction(w->field_b, "nO", (Py_ssize_t)at, document));
    if (added == 0) {
        w->out->size = start;
        *first = was_first;
    }
    return added >= 0;
}

/* Whether all that the plan shows was loaded whole (see ds__model.mask). */
static bool is_loaded(const ds__json_plan *plan, const ds__model *doc) {
    for (size_t i = 0; doc->mask != NULL && i < plan->count; i++) {
        PyObject *key_b = plan->entries[i].key;
        if (key_b == NULL) {
            continue;
        }
        int at =
            ds__schema_find(doc->schema, PyBytes_AS_STRING(key_b), (size_t)PyBytes_GET_SIZE(key_b));
        if (at < 0 || PyBytes_AS_STRING(doc->mask)[at] != DS_LOADED) {
            return false;
        }
    }
    return true;
}

/* Whether the document's bytes say all there is to show. */
static bool is_as_stored(const ds__json_plan *plan, const ds__model *doc) {
    if (doc->data == NULL || doc->state & (DS_DOC_NEW | DS_DOC_HOLLOW | DS_DOC_PARTIAL) ||
        !is_loaded(plan, doc)) {
        return false;
    }
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        if (ds__document_touched(doc, i)) {
            return false;
        }
    }
    return doc->extra == NULL;
}

static bool write_document(writing *w, PyObject *document) {
    if (!ds__is_document(w->state, document) || !is_as_stored(w->plan, (ds__model *)document)) {
        int added = add_answer(w->out, PyObject_CallOneArg(w->row_b, document));
        if (added == 0) {
            PyErr_SetString(PyExc_TypeError, "a document's JSON must be bytes");
        }
        return added == 1;
    }
    bool ok = true, first = true;
    /* a field asked in Python may save the document, which gives it new bytes */
    PyObject *owner = Py_XNewRef(((ds__model *)document)->owner);
    collect(w->plan, ds__document(((ds__model *)document)->data), w->values);
    ds_buf_add_byte(w->out, '{');
    for (size_t i = 0; ok && i < w->plan->count; i++) {
        ok = write_field(w, i, document, &first);
    }
    ds_buf_add_byte(w->out, '}');
    Py_XDECREF(owner);
    return ok;
}

PyDoc_STRVAR(dumps_doc, "dumps(documents, row, field, zone)\n--\n\n"
                        "Write a list of documents as a JSON array in UTF-8.\n\n"
                        "row(document) gives the JSON of a document that was changed or is not\n"
                        "stored; field(position, document) that of a field only Python can show,\n"
                        "or None to leave it out. zone: the tzinfo in which dates and times are\n"
                        "shown, or the text that ends them as they are stored.");

static PyObject *plan_dumps(ds__json_plan *plan, PyObject *args) {
    PyObject *list_b, *row_b, *field_b, *zone_b, *result = NULL;
    const char *suffix = NULL;
    if (!PyArg_ParseTuple(args, "O!OOO", &PyList_Type, &list_b, &row_b, &field_b, &zone_b)) {
        return NULL;
    }
    if (PyUnicode_Check(zone_b)) {
        suffix = PyUnicode_AsUTF8(zone_b);
        if (suffix == NULL || strlen(suffix) > 8) {
            return suffix ? PyErr_Format(PyExc_ValueError, "the suffix %R is too long", zone_b)
                          : NULL;
        }
        zone_b = NULL;
    }
    ds_buf out = {0};
    writing w = {.state = ds__pstate_of_type(Py_TYPE(plan)),
                 .plan = plan,
                 .out = &out,
                 .row_b = row_b,
                 .field_b = field_b,
                 .style = {.datetime_suffix = suffix, .zone = zone_b}};
    w.style.state = w.state;
    w.values = PyMem_Malloc((plan->count ? plan->count : 1) * sizeof *w.values);
    if (w.values == NULL) {
        return PyErr_NoMemory();
    }
    bool ok = w.state != NULL;
    ds_buf_add_byte(&out, '[');
    for (Py_ssize_t i = 0; ok && i < PyList_GET_SIZE(list_b); i++) {
        if (i > 0) {
            ds_buf_add_byte(&out, ',');
        }
        PyObject *document = Py_NewRef(PyList_GET_ITEM(list_b, i));
        ok = write_document(&w, document);
        Py_DECREF(document);
    }
    ds_buf_add_byte(&out, ']');
    if (ok && ds__py_buf_ok(&out)) {
        result = PyBytes_FromStringAndSize((const char *)out.data, (Py_ssize_t)out.size);
    }
    PyMem_Free(w.values);
    ds_buf_clear(&out);
    return result;
}

static PyObject *plan_needs_python(ds__json_plan *plan, void *closure) {
    return PyBool_FromLong(plan->needs_python);
}

static PyMethodDef plan_methods[] = {
    {"dumps", (PyCFunction)plan_dumps, METH_VARARGS, dumps_doc},
    {NULL},
};

static PyGetSetDef plan_getset[] = {
    {"needs_python", (getter)plan_needs_python, NULL, "Whether some field must be asked in Python.",
     NULL},
    {NULL},
};

static PyType_Slot plan_slots[] = {
    {Py_tp_doc, (void *)(uintptr_t) "A serializer's fields, compiled: JSONPlan(entries)."},
    {Py_tp_new, plan_new},
    {Py_tp_dealloc, plan_dealloc},
    {Py_tp_methods, plan_methods},
    {Py_tp_getset, plan_getset},
    {0, NULL},
};

static PyType_Spec plan_spec = {
    .name = "mongodb._core.JSONPlan",
    .basicsize = sizeof(ds__json_plan),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = plan_slots,
};

int ds__py_add_json(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &plan_spec, &state->json_plan_type);
}
