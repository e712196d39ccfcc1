/* SPDX-License-Identifier: Apache-2.0 */
/* Update keywords: set__name="x", inc__n=1, push__tags="a". Each operator's changes gather in a
 * buffer of their own; a name that comes twice and __raw__ leave the whole update to Python. */
#include "lookup.h"

#include "extension.h"

typedef enum change {
    CHANGE_VALUE,  /* the value as the field stores it */
    CHANGE_STORED, /* the same, if a document could be saved with it */
    CHANGE_ITEM,   /* the same for a list's item; `field` is the item */
    CHANGE_NUMBER, /* a plain number */
    CHANGE_LESS,   /* a plain number, negated */
    CHANGE_UNSET,
    CHANGE_NOW,
    CHANGE_COUNT
} change;

static const char *const CHANGES[CHANGE_COUNT] = {"value", "stored", "item", "number",
                                                  "less",  "unset",  "now"};

uint8_t ds__update_op(PyObject *name) {
    uint8_t i = 0;
    while (i < CHANGE_COUNT && PyUnicode_CompareWithASCIIString(name, CHANGES[i]) != 0) {
        i++;
    }
    return i;
}

static ds__taken number_change(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                               PyObject *value) {
    if (!PyLong_CheckExact(value) && !PyFloat_CheckExact(value)) {
        return DS_TAKEN_NO;
    }
    PyObject *number = lookup->op == CHANGE_LESS ? PyNumber_Negative(value) : Py_NewRef(value);
    bool ok = number && ds__py_encode_value(state, buf, lookup->key, lookup->key_size, number);
    Py_XDECREF(number);
    return ok ? DS_TAKEN_YES : ds__lookup_failed();
}

/* Whether a value may be stored is judged as for a saved document; doubts are Python's. */
static ds__taken stored_change(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                               PyObject *value) {
    bool checked = lookup->field && value != Py_None;
    if (checked) {
        switch ((ds__kind)lookup->field->kind) {
        case DS_HOLDS_DYNAMIC:
        case DS_HOLDS_DICT:
        case DS_HOLDS_REFERENCE:
            checked = false;
            break;
        default:
            break;
        }
    }
    int fine = checked ? ds__field_check(state, lookup->field, value) : 1;
    if (fine < 0) {
        return ds__lookup_failed();
    }
    return fine ? ds__lookup_value(state, buf, lookup->field, lookup->key, lookup->key_size, value)
                : DS_TAKEN_NO;
}

static ds__taken write_change(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                              PyObject *value) {
    if (!lookup->native) {
        return DS_TAKEN_NO;
    }
    switch ((change)lookup->op) {
    case CHANGE_VALUE:
        return ds__lookup_value(state, buf, lookup->field, lookup->key, lookup->key_size, value);
    case CHANGE_STORED:
        return stored_change(state, buf, lookup, value);
    case CHANGE_ITEM:
        if (PyList_Check(value) || PyTuple_Check(value) || PyAnySet_Check(value)) {
            return DS_TAKEN_NO;
        }
        return stored_change(state, buf, lookup, value);
    case CHANGE_NUMBER:
    case CHANGE_LESS:
        return number_change(state, buf, lookup, value);
    case CHANGE_UNSET:
        ds__write_value(buf, lookup->key, lookup->key_size, ds__int32(1));
        return DS_TAKEN_YES;
    case CHANGE_NOW:
        if (value == Py_True) {
            ds__write_value(buf, lookup->key, lookup->key_size, ds__bool(true));
            return DS_TAKEN_YES;
        }
        break;
    case CHANGE_COUNT:
        break;
    }
    return DS_TAKEN_NO;
}

/* The changes of one operator, a document without its end. */
typedef struct group {
    /* owned */
    PyObject *name;
    ds_buf buf;
} group;

#define MAX_GROUPS 16 /* more than there are update operators */

typedef struct groups {
    group items[MAX_GROUPS];
    size_t count;
} groups;

static group *group_named(groups *all, PyObject *name) {
    for (size_t i = 0; i < all->count; i++) {
        if (PyUnicode_Compare(all->items[i].name, name) == 0) {
            return &all->items[i];
        }
    }
    if (all->count == MAX_GROUPS) {
        PyErr_SetString(PyExc_ValueError, "too many different update operators");
        return NULL;
    }
    group *made = &all->items[all->count++];
    made->name = Py_NewRef(name);
    ds__doc_begin(&made->buf);
    return made;
}

static void groups_clear(groups *all) {
    for (size_t i = 0; i < all->count; i++) {
        Py_CLEAR(all->items[i].name);
        ds_buf_clear(&all->items[i].buf);
    }
    all->count = 0;
}

/* One keyword in Python: {"$op": {path: value}}. */
static ds__taken python_change(ds__pstate *state, ds__schema *schema, groups *all, PyObject *name,
                               PyObject *value) {
    PyObject *module_b = ds__lookup_module(state);
    PyObject *made =
        module_b ? PyObject_CallMethod(module_b, "change", "OOO", schema->owner, name, value)
                 : NULL;
    PyObject *op_b, *path_b, *stored_b;
    ds__taken result = DS_TAKEN_ERROR;
    if (made && PyArg_ParseTuple(made, "UUO:a change", &op_b, &path_b, &stored_b)) {
        Py_ssize_t size = 0;
        const char *key = PyUnicode_AsUTF8AndSize(path_b, &size);
        group *into = key ? group_named(all, op_b) : NULL;
        if (into && memchr(key, 0, (size_t)size)) {
            PyErr_Format(PyExc_ValueError, "names of fields must not contain NUL: %R", path_b);
        } else if (into && ds__lookup_has(&into->buf, key, (size_t)size)) {
            result = DS_TAKEN_NO;
        } else if (into && ds__py_encode_value(state, &into->buf, key, (size_t)size, stored_b)) {
            result = DS_TAKEN_YES;
        }
    }
    Py_XDECREF(made);
    return result;
}

static ds__taken add_change(ds__pstate *state, ds__schema *schema, groups *all, PyObject *name,
                            PyObject *value) {
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__raw__") == 0) {
        return DS_TAKEN_NO;
    }
    ds__lookup *lookup = ds__lookup_find(state, schema, &schema->update_keys, "update_key", name);
    if (!lookup) {
        return DS_TAKEN_ERROR;
    }
    ds__taken result = DS_TAKEN_NO;
    if (lookup->op < CHANGE_COUNT) {
        group *into = group_named(all, lookup->group);
        size_t before = into ? into->buf.size : 0;
        if (!into || ds__lookup_has(&into->buf, lookup->key, lookup->key_size)) {
            result = into ? DS_TAKEN_NO : DS_TAKEN_ERROR;
            ds__lookup_done(lookup);
            return result;
        }
        result = write_change(state, &into->buf, lookup, value);
        if (result == DS_TAKEN_NO) {
            into->buf.size = before;
        }
    }
    ds__lookup_done(lookup);
    return result == DS_TAKEN_NO ? python_change(state, schema, all, name, value) : result;
}

static PyObject *finish(ds__pstate *state, groups *all) {
    ds_buf out = {0};
    size_t root = ds__doc_begin(&out);
    for (size_t i = 0; i < all->count; i++) {
        group *one = &all->items[i];
        const char *op = PyUnicode_AsUTF8(one->name);
        ds__doc_end(&one->buf, 0);
        if (!op || !ds__py_buf_ok(&one->buf)) {
            ds_buf_clear(&out);
            return NULL;
        }
        ds__write_value(&out, op, strlen(op), ds__document(one->buf.data));
    }
    ds__doc_end(&out, root);
    return ds__raw_take(state, &out);
}

PyObject *ds__schema_update(ds__schema *schema, PyObject *changes) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(schema));
    if (!state) {
        return NULL;
    }
    if (!PyDict_Check(changes)) {
        PyErr_SetString(PyExc_TypeError, "update() takes a dict of changes");
        return NULL;
    }
    groups all = {.count = 0};
    PyObject *name_b, *value_b, *out = NULL;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(changes);
    ds__taken result = size ? DS_TAKEN_YES : DS_TAKEN_NO;
    while (result == DS_TAKEN_YES && PyDict_Next(changes, &at, &name_b, &value_b)) {
        PyObject *name = Py_NewRef(name_b), *value = Py_NewRef(value_b);
        result = add_change(state, schema, &all, name, value);
        Py_DECREF(name);
        Py_DECREF(value);
        if (result == DS_TAKEN_YES && PyDict_GET_SIZE(changes) != size) {
            PyErr_SetString(PyExc_RuntimeError, "the changes changed while they were read");
            result = DS_TAKEN_ERROR;
        }
    }
    if (result == DS_TAKEN_YES) {
        out = finish(state, &all);
    } else if (result == DS_TAKEN_NO) {
        out = Py_NewRef(Py_None);
    }
    groups_clear(&all);
    return out;
}
