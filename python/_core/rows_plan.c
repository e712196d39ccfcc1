/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: what Python said of a serializer's fields. A plan of live fields is made for one list; a
 * kept one names no field. */
#include "rows.h"

static void plan_free(ds__plan *plan);

void ds__shape_clear(ds__shape *shape) {
    if (shape->item) {
        ds__shape_clear(shape->item);
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
        ds__shape_clear(&plan->entries[i].shape);
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
static bool entry_init(ds__entry *e, PyObject *spec) {
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

/* `names` is a dict of all names, or NULL. */
static ds__plan *plan_new(PyObject *entries, PyObject *names) {
    if (!PyList_Check(entries)) {
        PyErr_SetString(PyExc_TypeError, "a plan is a list of entries");
        return NULL;
    }
    size_t count = (size_t)PyList_GET_SIZE(entries);
    ds__plan *plan = PyMem_Calloc(1, sizeof *plan);
    if (plan) {
        plan->entries = PyMem_Calloc(count + 1, sizeof *plan->entries);
        plan->blank = names ? Py_NewRef(names) : PyDict_New();
    }
    if (!plan || !plan->entries || !plan->blank) {
        plan_free(plan);
        PyErr_NoMemory();
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        ds__entry *e = &plan->entries[plan->count++];
        if (!entry_init(e, PyList_GET_ITEM(entries, (Py_ssize_t)i)) ||
            (!names && PyDict_SetItem(plan->blank, e->name, Py_None) < 0)) {
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

bool ds__shape_keep(ds__shape *shape, PyObject *kept) {
    PyObject *entries_b, *names_b;
    if (!PyArg_ParseTuple(kept, "OO!;a kept plan", &entries_b, &PyDict_Type, &names_b)) {
        return false;
    }
    shape->plan = plan_new(entries_b, names_b);
    shape->compiled = shape->plan != NULL;
    return shape->compiled;
}

bool ds__shape_compile(ds__rows *rows, ds__shape *shape) {
    if (shape->compiled) {
        return true;
    }
    if (PyTuple_Check(shape->detail)) {
        return ds__shape_keep(shape, shape->detail);
    }
    PyObject *entries = PyObject_CallOneArg(rows->compile, shape->detail);
    rows->fresh = false;
    if (entries && entries != Py_None) {
        shape->plan = plan_new(entries, NULL);
        if (shape->plan && !is_distinct(shape->plan)) {
            plan_free(shape->plan);
            shape->plan = NULL;
        }
    }
    shape->compiled = entries && !PyErr_Occurred();
    Py_XDECREF(entries);
    return shape->compiled;
}
