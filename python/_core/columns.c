/* SPDX-License-Identifier: Apache-2.0 */
/* Rows straight from BSON. A column's kind makes some types of BSON what its reader wants; every
 * other value is decoded as anywhere else, and given to the column's function if it has one. */
#include "columns.h"

#include "cells.h"
#include "handles.h"

typedef struct column {
    /* owned */
    PyObject *path; /* tuple of str, one at least */
    PyObject *make; /* what is called with the values that the kind does not know, or NULL */
    /* borrowed from path */
    const char *key; /* the first of it */
    size_t key_size;
    /* plain */
    Py_ssize_t next; /* column of the same first key, or -1 */
    Py_ssize_t late; /* among the dates whose microseconds stand beside them, or -1 */
    int places;
    uint8_t kind;
    bool leads; /* no column before it has its key */
} column;

typedef struct columns {
    PyObject_HEAD
        /* owned */
        column *all;
    /* plain */
    Py_ssize_t count;
    Py_ssize_t visible; /* those of the row; the others are beside them */
    Py_ssize_t lates;
} columns;

/* A date that is made when the whole document was read. */
typedef struct late {
    ds_value date;
    int us;
    bool made; /* by Python */
} late;

enum { FEW_LATES = 8 };

static const ds_value missing = {.type = DS_MISSING};

/* Goes down the path below its first key. False: something on the way is no plain document, so that
 * only Python's own values tell. */
static bool descend(const column *c, ds_value *value) {
    for (Py_ssize_t i = 1; i < PyTuple_GET_SIZE(c->path); i++) {
        if (value->type != DS_DOCUMENT) {
            *value = missing;
            return true;
        }
        Py_ssize_t size = 0;
        const char *key = PyUnicode_AsUTF8AndSize(PyTuple_GET_ITEM(c->path, i), &size);
        ds_value found = missing;
        ds__iter it;
        ds__iter_init(&it, *value);
        while (ds__iter_next(&it)) {
            if (it.key[0] == '$') {
                return false; /* a DBRef, maybe */
            }
            if (it.key_size == (size_t)size && memcmp(it.key, key, it.key_size) == 0) {
                found = it.value;
            }
        }
        *value = found;
    }
    return true;
}

/* What is below the first key in a value of Python's. Takes it. */
static PyObject *walk(const column *c, PyObject *value) {
    for (Py_ssize_t i = 1; value && i < PyTuple_GET_SIZE(c->path); i++) {
        PyObject *inner_b = NULL;
        if (PyDict_Check(value)) {
            inner_b = PyDict_GetItemWithError(value, PyTuple_GET_ITEM(c->path, i));
        }
        PyObject *inner = PyErr_Occurred() ? NULL : Py_NewRef(inner_b ? inner_b : Py_None);
        Py_DECREF(value);
        value = inner;
    }
    return value;
}

static PyObject *made(const column *c, PyObject *value) {
    if (!value || !c->make) {
        return value;
    }
    PyObject *out = PyObject_CallOneArg(c->make, value);
    Py_DECREF(value);
    return out;
}

/* A column's value from what is at its path. */
static PyObject *cell_of(ds__pstate *state, const column *c, ds_value value,
                         const ds__py_options *options) {
    if (c->kind != CELL_ANY) {
        if (value.type == DS_NULL || value.type == DS_MISSING) {
            Py_RETURN_NONE;
        }
        PyObject *out = ds__cell(state, (cell_kind)c->kind, c->places, &value);
        if (out || PyErr_Occurred()) {
            return out;
        }
        if (c->kind == CELL_PLAIN && value.type != DS_DECIMAL) {
            return ds__py_decode_value(state, value, options);
        }
    }
    return made(c, ds__py_decode_value(state, value, options));
}

static PyObject *cell(ds__pstate *state, const column *c, ds_value value,
                      const ds__py_options *options) {
    ds_value top = value;
    if (PyTuple_GET_SIZE(c->path) > 1 && !descend(c, &value)) {
        return made(c, walk(c, ds__py_decode_value(state, top, options)));
    }
    return cell_of(state, c, value, options);
}

static bool set(ds__pstate *state, const columns *self, PyObject *row, Py_ssize_t at,
                ds_value value, const ds__py_options *options) {
    PyObject *out = cell(state, &self->all[at], value, options);
    if (!out) {
        return false;
    }
    PyObject *before = PyTuple_GET_ITEM(row, at); /* a key that is there twice: the last counts */
    PyTuple_SET_ITEM(row, at, out);
    Py_XDECREF(before);
    return true;
}

/* The first column of a key, or -1. Fields mostly come in the columns' order: `from` is tried
 * first. */
static Py_ssize_t find(const columns *self, const char *key, size_t size, Py_ssize_t from) {
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_ssize_t at = from + i < self->count ? from + i : from + i - self->count;
        const column *c = &self->all[at];
        if (c->leads && c->key_size == size && memcmp(c->key, key, size) == 0) {
            return at;
        }
    }
    return -1;
}

/* Keeps a date for later, or its microseconds. False: an error. */
static bool keep(ds__pstate *state, const columns *self, PyObject *row, Py_ssize_t at,
                 ds_value value, late *lates, const ds__py_options *options) {
    const column *c = &self->all[at];
    late *one = &lates[c->late];
    ds_value top = value;
    if (PyTuple_GET_SIZE(c->path) > 1 && !descend(c, &value)) {
        if (c->kind == CELL_BESIDE) {
            return true;
        }
        one->made = true;
        return set(state, self, row, at, top, options);
    }
    int64_t n;
    if (c->kind != CELL_BESIDE) {
        one->date = value;
    } else if (ds__cell_whole(&value, &n) && n > 0 && n < 1000) {
        one->us = (int)n;
    }
    return true;
}

/* The value of a date whose microseconds are known by now. */
static PyObject *later(ds__pstate *state, const column *c, const late *one,
                       const ds__py_options *options) {
    if (one->date.type != DS_DATE || one->us == 0) {
        return cell_of(state, c, one->date, options);
    }
    PyObject *out = ds__cell_moment(state, (cell_kind)c->kind, one->date.as.i64, one->us);
    if (out || PyErr_Occurred()) {
        return out;
    }
    return made(c, ds__py_datetime_us(state, one->date.as.i64, one->us, options));
}

/* Reads the document's fields into the row. */
static bool fill(ds__pstate *state, const columns *self, PyObject *row, const ds_value *document,
                 late *lates, const ds__py_options *options) {
    ds__iter it;
    Py_ssize_t from = 0;
    ds__iter_init(&it, *document);
    while (ds__iter_next(&it)) {
        Py_ssize_t at = find(self, it.key, it.key_size, from);
        from = at < 0 || at + 1 == self->count ? 0 : at + 1;
        for (; at >= 0; at = self->all[at].next) {
            bool is_late = self->all[at].late >= 0;
            if (is_late ? !keep(state, self, row, at, it.value, lates, options)
                        : !set(state, self, row, at, it.value, options)) {
                return false;
            }
        }
    }
    for (Py_ssize_t i = 0; i < self->visible; i++) {
        const column *c = &self->all[i];
        if (c->late >= 0 && !lates[c->late].made) {
            PyObject *out = later(state, c, &lates[c->late], options);
            if (!out) {
                return false;
            }
            PyTuple_SET_ITEM(row, i, out);
        } else if (!PyTuple_GET_ITEM(row, i) && !set(state, self, row, i, missing, options)) {
            return false;
        }
    }
    return true;
}

PyObject *ds__columns_row(ds__pstate *state, PyObject *object, const ds_value *document,
                          const ds__py_options *options) {
    const columns *self = (const columns *)object;
    late few[FEW_LATES], *lates = few;
    if (self->lates > FEW_LATES) {
        lates = PyMem_Malloc((size_t)self->lates * sizeof *lates);
        if (!lates) {
            return PyErr_NoMemory();
        }
    }
    for (Py_ssize_t i = 0; i < self->lates; i++) {
        lates[i] = (late){.date = missing};
    }
    PyObject *row = PyTuple_New(self->visible);
    if (row && !fill(state, self, row, document, lates, options)) {
        Py_CLEAR(row);
    }
    if (lates != few) {
        PyMem_Free(lates);
    }
    return row;
}

/* One (path, kind, places, make). */
static bool take(column *c, PyObject *one) {
    PyObject *path_b, *make_b;
    int kind, places;
    if (!PyTuple_Check(one)) {
        PyErr_SetString(PyExc_TypeError, "a column is a tuple (path, kind, places, make)");
        return false;
    }
    if (!PyArg_ParseTuple(one, "O!iiO", &PyTuple_Type, &path_b, &kind, &places, &make_b)) {
        return false;
    }
    if (kind < 0 || kind >= CELL_COUNT || PyTuple_GET_SIZE(path_b) == 0) {
        PyErr_SetString(PyExc_ValueError, "a column has a path and a kind that is known");
        return false;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(path_b); i++) {
        Py_ssize_t size;
        PyObject *key_b = PyTuple_GET_ITEM(path_b, i);
        const char *key = PyUnicode_Check(key_b) ? PyUnicode_AsUTF8AndSize(key_b, &size) : NULL;
        if (!key) {
            if (!PyErr_Occurred()) {
                PyErr_SetString(PyExc_TypeError, "the path of a column is a tuple of str");
            }
            return false;
        }
        if (i == 0) {
            c->key = key;
            c->key_size = (size_t)size;
        }
    }
    c->path = Py_NewRef(path_b);
    c->make = make_b == Py_None ? NULL : Py_NewRef(make_b);
    c->kind = (uint8_t)kind;
    c->places = places;
    c->late = -1;
    return true;
}

/* Joins what stands beside a column to it. */
static bool pair(columns *self, Py_ssize_t at) {
    column *c = &self->all[at];
    if (c->kind != CELL_BESIDE) {
        if (self->visible != at) {
            PyErr_SetString(PyExc_ValueError, "what is beside columns comes after them all");
            return false;
        }
        self->visible = at + 1;
        return true;
    }
    if (c->places < 0 || c->places >= self->visible || self->all[c->places].late >= 0) {
        PyErr_SetString(PyExc_ValueError, "what is beside a column names it by its place");
        return false;
    }
    c->late = self->all[c->places].late = self->lates++;
    return true;
}

/* Joins a column to those before it that have its first key. */
static void chain(columns *self, Py_ssize_t at) {
    column *c = &self->all[at];
    c->next = -1;
    c->leads = true;
    for (Py_ssize_t i = at - 1; i >= 0 && c->leads; i--) {
        column *before = &self->all[i];
        if (before->key_size == c->key_size && memcmp(before->key, c->key, c->key_size) == 0) {
            before->next = at;
            c->leads = false;
        }
    }
}

static PyObject *columns_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"", NULL};
    PyObject *list_b;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!:Columns", DS_KEYWORDS(names), &PyList_Type,
                                     &list_b)) {
        return NULL;
    }
    columns *self = (columns *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    Py_ssize_t count = PyList_GET_SIZE(list_b);
    self->all = PyMem_Calloc((size_t)count + 1, sizeof *self->all);
    if (!self->all) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!take(&self->all[i], PyList_GET_ITEM(list_b, i))) {
            Py_DECREF(self);
            return NULL;
        }
        self->count = i + 1;
        chain(self, i);
        if (!pair(self, i)) {
            Py_DECREF(self);
            return NULL;
        }
    }
    return (PyObject *)self;
}

static void columns_dealloc(columns *self) {
    PyTypeObject *type = Py_TYPE(self);
    for (Py_ssize_t i = 0; i < self->count; i++) {
        Py_XDECREF(self->all[i].path);
        Py_XDECREF(self->all[i].make);
    }
    PyMem_Free(self->all);
    type->tp_free(self);
    Py_DECREF(type);
}

static Py_ssize_t columns_length(columns *self) {
    return self->visible;
}

static PyType_Slot columns_slots[] = {
    {Py_tp_doc, DS_DOC("Columns([(path, kind, places, make), ...]): how documents become rows.")},
    {Py_tp_new, columns_new},
    {Py_tp_dealloc, columns_dealloc},
    {Py_sq_length, columns_length},
    {0, NULL},
};

static PyType_Spec columns_spec = {
    .name = "mongodb._core.Columns",
    .basicsize = sizeof(columns),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = columns_slots,
};

int ds__py_add_columns(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &columns_spec, &state->columns_type);
}
