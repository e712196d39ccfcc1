/* SPDX-License-Identifier: Apache-2.0 */
/* New documents of given values. A value of its field's own type is taken, and a dict becomes an
 * embedded document, without Python being asked; any other value is for the field's to_python. */
#include "schema.h"

#include "extension.h"

PyObject *ds__document_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    ds__pstate *state = ds__pstate_of_type(type);
    ds__schema *schema = state ? ds__schema_of(state, (PyObject *)type) : NULL;
    if (!schema) {
        return NULL;
    }
    ds__model *doc = (ds__model *)type->tp_alloc(type, 0);
    if (!doc) {
        return NULL;
    }
    doc->schema = (ds__schema *)Py_NewRef((PyObject *)schema);
    doc->state = DS_DOC_NEW;
    return (PyObject *)doc;
}

/* Whether setting the field's attribute on a document of the class is ds__document_set. What is
 * known of the class is kept for as long as Python says that the class is the same. */
static bool sets_plainly(ds__pstate *state, ds__model *doc, size_t at) {
    ds__schema *schema = doc->schema;
    PyTypeObject *type = Py_TYPE(doc);
    if (type->tp_setattro != PyObject_GenericSetAttr || (PyObject *)type != schema->owner) {
        return false;
    }
    if (type->tp_version_tag == 0 || schema->plain_version != type->tp_version_tag) {
        for (size_t i = 0; i < schema->count; i++) {
            PyObject *found_b = ds__class_attribute(type, schema->fields[i].name);
            schema->fields[i].plain = found_b && ds__is_slot(state, found_b, schema, i);
        }
        schema->plain_version = type->tp_version_tag;
    }
    return schema->fields[at].plain;
}

static PyObject *convert(ds__pstate *state, ds__field *f, PyObject *value);

static bool set_value(ds__pstate *state, ds__model *doc, size_t at, PyObject *value) {
    ds__field *f = &doc->schema->fields[at];
    PyObject *kept = value == Py_None ? Py_NewRef(value) : NULL;
    if (!kept) {
        /* at the top these two are kept as they are given */
        bool as_is = !(f->flags & DS_FIELD_PY_DECODE) &&
                     (f->kind == DS_HOLDS_DATETIME ||
                      (f->kind == DS_HOLDS_OBJECT_ID && !PyUnicode_Check(value)));
        kept = as_is ? Py_NewRef(value) : convert(state, f, value);
    }
    int set = -1;
    if (kept && sets_plainly(state, doc, at)) {
        set = ds__document_set(state, doc, at, kept);
    } else if (kept) {
        set = PyObject_SetAttr((PyObject *)doc, f->name, kept);
    }
    Py_XDECREF(kept);
    return set == 0;
}

static bool warm_defaults(ds__pstate *state, ds__model *doc) {
    for (size_t i = 0; i < doc->schema->count; i++) {
        if ((doc->schema->fields[i].flags & DS_FIELD_WARM) && !(doc->values && doc->values[i])) {
            PyObject *value = ds__document_get(state, doc, i);
            if (!value) {
                return false;
            }
            Py_DECREF(value);
        }
    }
    return true;
}

/* Sets the fields that `values` names; *unknown gets the rest. */
static bool set_values(ds__pstate *state, ds__model *doc, PyObject *values, PyObject **unknown) {
    PyObject *name, *value;
    Py_ssize_t next = 0;
    bool ok = true;
    while (ok && PyDict_Next(values, &next, &name, &value)) {
        Py_INCREF(name); /* Python code below may change the dict */
        Py_INCREF(value);
        PyObject *at_b = PyDict_GetItemWithError(doc->schema->by_name, name);
        if (at_b) {
            ok = set_value(state, doc, (size_t)PyLong_AsSsize_t(at_b), value);
        } else if (PyErr_Occurred() || (!*unknown && !(*unknown = PyDict_New()))) {
            ok = false;
        } else {
            ok = PyDict_SetItem(*unknown, name, value) == 0;
        }
        Py_DECREF(name);
        Py_DECREF(value);
    }
    return ok;
}

static bool fill(ds__pstate *state, ds__model *doc, PyObject *values) {
    PyObject *unknown = NULL;
    bool ok = !values || set_values(state, doc, values, &unknown);
    if (ok && unknown) {
        PyObject *done = PyObject_CallMethod((PyObject *)doc, "_init_unknown", "O", unknown);
        ok = done != NULL;
        Py_XDECREF(done);
    }
    Py_XDECREF(unknown);
    if (ok && doc->schema->warm && !doc->data && (doc->state & DS_DOC_NEW)) {
        ok = warm_defaults(state, doc);
    }
    return ok;
}

static bool takes_keywords(ds__model *doc, PyObject *args) {
    if (PyTuple_GET_SIZE(args) > 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes its fields as keywords: %s(name=value)",
                     Py_TYPE(doc)->tp_name, Py_TYPE(doc)->tp_name);
        return false;
    }
    return true;
}

/* The constructor while somebody listens to it: who hears pre_init may change the values. */
static bool fill_announced(ds__pstate *state, ds__model *doc, PyObject *args, PyObject *kwargs) {
    PyObject *values = kwargs ? PyDict_Copy(kwargs) : PyDict_New();
    PyObject *told = values ? PyObject_CallMethod((PyObject *)doc, "_announce", "O", values) : NULL;
    bool ok = told && takes_keywords(doc, args) && fill(state, doc, values);
    Py_XDECREF(told);
    Py_XDECREF(values);
    told = ok ? PyObject_CallMethod((PyObject *)doc, "_announce_made", NULL) : NULL;
    Py_XDECREF(told);
    return told != NULL;
}

int ds__document_init(PyObject *object, PyObject *args, PyObject *kwargs) {
    ds__model *doc = (ds__model *)object;
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(doc));
    bool ok = state != NULL;
    if (ok && state->init_signals) {
        ok = fill_announced(state, doc, args, kwargs);
    } else if (ok) {
        ok = takes_keywords(doc, args) && fill(state, doc, kwargs);
    }
    return ok ? 0 : -1;
}

/* Whether calling the class runs nothing but the functions above. */
static bool is_made_plainly(ds__pstate *state, PyTypeObject *type) {
    return type->tp_new == ds__document_new && type->tp_init == ds__document_init &&
           Py_TYPE(type)->tp_call == PyType_Type.tp_call && !state->init_signals;
}

/* Whether all keys are names of fields: no `_cls`, no stored names, nothing unknown. -1: error. */
static int names_fields(const ds__schema *schema, PyObject *values) {
    PyObject *name, *value;
    Py_ssize_t next = 0;
    while (PyDict_Next(values, &next, &name, &value)) {
        if (!PyUnicode_CheckExact(name) || !PyDict_GetItemWithError(schema->by_name, name)) {
            return PyErr_Occurred() ? -1 : 0;
        }
    }
    return 1;
}

/* The class's schema when a dict of given values can be made a document of it here, else NULL.
 * Borrowed; an error may be set. */
static ds__schema *buildable(ds__pstate *state, PyObject *type) {
    PyObject *stored = NULL;
    if (PyContextVar_Get(state->from_store, NULL, &stored) < 0) {
        return NULL;
    }
    Py_DECREF(stored); /* True or False */
    if (stored == Py_True || !PyType_Check(type) || !is_made_plainly(state, (PyTypeObject *)type)) {
        return NULL;
    }
    PyObject *schema = PyObject_GetAttr(type, state->schema_name);
    Py_XDECREF(schema); /* the class keeps it */
    bool found = schema && Py_IS_TYPE(schema, (PyTypeObject *)state->schema_type);
    return found ? (ds__schema *)schema : NULL;
}

/* A dict given for an embedded document. *made stays NULL when the field has to be asked. */
static bool embed(ds__pstate *state, ds__field *f, PyObject *values, PyObject **made) {
    PyObject *type_b = ds__field_target(f);
    ds__schema *schema = type_b ? buildable(state, type_b) : NULL;
    int named = schema ? names_fields(schema, values) : 0;
    if (named != 1) {
        return !PyErr_Occurred();
    }
    PyObject *doc = ds__document_new((PyTypeObject *)type_b, NULL, NULL);
    if (!doc || Py_EnterRecursiveCall(" while making an embedded document")) {
        Py_XDECREF(doc);
        return false;
    }
    bool ok = fill(state, (ds__model *)doc, values);
    Py_LeaveRecursiveCall();
    if (!ok) {
        Py_CLEAR(doc);
    }
    *made = doc;
    return ok;
}

/* Items of a copy, which nobody else sees. */
static PyObject *convert_list(ds__pstate *state, ds__field *item, PyObject *value) {
    PyObject *out = PyList_GetSlice(value, 0, PyList_GET_SIZE(value));
    for (Py_ssize_t i = 0; out && item && i < PyList_GET_SIZE(out); i++) {
        PyObject *one_b = PyList_GET_ITEM(out, i);
        PyObject *made = one_b == Py_None ? Py_NewRef(one_b) : convert(state, item, one_b);
        if (!made || PyList_SetItem(out, i, made) < 0) {
            Py_CLEAR(out);
        }
    }
    return out;
}

static PyObject *convert_dict(ds__pstate *state, ds__field *item, PyObject *value) {
    PyObject *out = PyDict_Copy(value), *key, *one;
    Py_ssize_t next = 0;
    while (out && item && PyDict_Next(out, &next, &key, &one)) {
        PyObject *made = one == Py_None ? Py_NewRef(one) : convert(state, item, one);
        if (!made || PyDict_SetItem(out, key, made) < 0) {
            Py_CLEAR(out);
        }
        Py_XDECREF(made);
    }
    return out;
}

/* Whether to_python gives back a value of exactly this type. */
static bool is_own_type(ds__pstate *state, const ds__field *f, PyObject *value) {
    PyTypeObject *type = Py_TYPE(value);
    switch ((ds__kind)f->kind) {
    case DS_HOLDS_DYNAMIC:
        return true;
    case DS_HOLDS_STRING:
        return type == &PyUnicode_Type;
    case DS_HOLDS_INT:
    case DS_HOLDS_LONG:
        return type == &PyLong_Type;
    case DS_HOLDS_FLOAT:
        return type == &PyFloat_Type;
    case DS_HOLDS_BOOL:
        return type == &PyBool_Type;
    case DS_HOLDS_DATETIME:
        return type == state->datetime->DateTimeType;
    case DS_HOLDS_OBJECT_ID:
        return (PyObject *)type == state->object_id;
    case DS_HOLDS_UUID:
        return (PyObject *)type == state->uuid;
    case DS_HOLDS_BINARY:
        return type == &PyBytes_Type;
    case DS_HOLDS_EMBEDDED:
        return ds__is_document(state, value);
    case DS_HOLDS_DECIMAL: /* may be rounded */
    case DS_HOLDS_DATE:
    case DS_HOLDS_LIST:
    case DS_HOLDS_DICT:
    case DS_HOLDS_REFERENCE:
    case DS_HOLDS_POINTER:
    case DS_HOLDS_PYTHON:
    case DS_HOLDS_COUNT:
        break;
    }
    return false;
}

/* to_python of a value that is not None. */
static PyObject *convert(ds__pstate *state, ds__field *f, PyObject *value) {
    PyObject *made = NULL;
    if (!(f->flags & DS_FIELD_PY_DECODE)) {
        if (is_own_type(state, f, value)) {
            return Py_NewRef(value);
        }
        if (f->kind == DS_HOLDS_LIST && PyList_CheckExact(value)) {
            return convert_list(state, f->item, value);
        }
        if (f->kind == DS_HOLDS_DICT && PyDict_CheckExact(value)) {
            return convert_dict(state, f->item, value);
        }
        if (f->kind == DS_HOLDS_EMBEDDED && PyDict_CheckExact(value)) {
            if (!embed(state, f, value, &made)) {
                return NULL;
            }
            if (made) {
                return made;
            }
        }
    }
    return PyObject_CallMethod(f->object, "to_python", "(O)", value);
}
