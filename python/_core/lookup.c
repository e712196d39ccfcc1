/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords compiled once per schema, and filters made of them. Python parses a keyword the first
 * time it is met; what it means is kept by the keyword's text. */
#include "lookup.h"

#include "extension.h"

#define MAX_KEPT 4096 /* keywords of a schema; names that requests bring must not fill memory */

PyObject *ds__lookup_module(ds__pstate *state) {
    if (!state->lookups) {
        state->lookups = PyImport_ImportModule("mongodb.queryset._keywords");
    }
    return state->lookups;
}

static void lookup_free(ds__lookup *lookup) {
    Py_CLEAR(lookup->parsed);
    Py_CLEAR(lookup->path);
    Py_CLEAR(lookup->group);
    ds__field_free(lookup->field);
    PyMem_Free(lookup);
}

int ds__lookups_visit(ds__schema *schema, visitproc visit, void *arg) {
    for (size_t i = 0; i < schema->lookup_count; i++) {
        ds__lookup *lookup = schema->lookups[i];
        Py_VISIT(lookup->parsed);
        int r = lookup->field ? ds__field_visit(lookup->field, visit, arg) : 0;
        if (r) {
            return r;
        }
    }
    return 0;
}

void ds__lookups_clear(ds__schema *schema) {
    ds__lookup **all = schema->lookups;
    size_t count = schema->lookup_count;
    schema->lookups = NULL;
    schema->lookup_count = schema->lookup_room = 0;
    Py_CLEAR(schema->filter_keys);
    Py_CLEAR(schema->update_keys);
    for (size_t i = 0; i < count; i++) {
        lookup_free(all[i]);
    }
    PyMem_Free(all);
}

/* Puts it on the schema's list, which frees it. */
static bool keep(ds__schema *schema, PyObject *cache, PyObject *name, ds__lookup *lookup) {
    if (schema->lookup_count == schema->lookup_room) {
        size_t room = schema->lookup_room ? schema->lookup_room * 2 : 16;
        ds__lookup **more = PyMem_Realloc(schema->lookups, room * sizeof *more);
        if (!more) {
            PyErr_NoMemory();
            return false;
        }
        schema->lookups = more;
        schema->lookup_room = room;
    }
    PyObject *at = PyLong_FromSize_t(schema->lookup_count);
    bool ok = at && PyDict_SetItem(cache, name, at) == 0;
    if (ok) {
        schema->lookups[schema->lookup_count++] = lookup;
    }
    Py_XDECREF(at);
    return ok;
}

/* From (path, field, op, negated, native, group, parsed). */
static bool lookup_init(ds__lookup *lookup, PyObject *parts) {
    PyObject *path_b, *field_b, *op_b, *group_b, *parsed_b;
    int negated, native;
    Py_ssize_t size = 0;
    if (!PyArg_ParseTuple(parts, "UOUppOO:a parsed keyword", &path_b, &field_b, &op_b, &negated,
                          &native, &group_b, &parsed_b)) {
        return false;
    }
    lookup->path = Py_NewRef(path_b);
    lookup->parsed = Py_NewRef(parsed_b);
    lookup->group = group_b == Py_None ? NULL : Py_NewRef(group_b);
    lookup->negated = negated;
    lookup->native = native;
    lookup->op = group_b == Py_None ? ds__condition_op(op_b) : ds__update_op(op_b);
    lookup->key = PyUnicode_AsUTF8AndSize(path_b, &size);
    lookup->key_size = (size_t)size;
    if (!lookup->key) {
        return false;
    }
    if (memchr(lookup->key, 0, lookup->key_size)) {
        PyErr_Format(PyExc_ValueError, "names of fields must not contain NUL: %R", path_b);
        return false;
    }
    if (native && field_b != Py_None) {
        lookup->field = ds__field_compile(field_b);
        return lookup->field != NULL;
    }
    return true;
}

static ds__lookup *compile(ds__pstate *state, ds__schema *schema, const char *maker,
                           PyObject *name) {
    PyObject *module_b = ds__lookup_module(state);
    if (!module_b || !schema->owner) {
        return NULL;
    }
    PyObject *parts = PyObject_CallMethod(module_b, maker, "OO", schema->owner, name);
    ds__lookup *lookup = parts ? PyMem_Calloc(1, sizeof *lookup) : NULL;
    if (parts && !lookup) {
        PyErr_NoMemory();
    }
    if (lookup && !lookup_init(lookup, parts)) {
        lookup_free(lookup);
        lookup = NULL;
    }
    Py_XDECREF(parts);
    return lookup;
}

ds__lookup *ds__lookup_find(ds__pstate *state, ds__schema *schema, PyObject **cache,
                            const char *maker, PyObject *name) {
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "keywords are strings, not %.200s", Py_TYPE(name)->tp_name);
        return NULL;
    }
    PyObject *at_b = *cache ? PyDict_GetItemWithError(*cache, name) : NULL;
    if (at_b) {
        return schema->lookups[PyLong_AsSize_t(at_b)];
    }
    if (PyErr_Occurred() || (!*cache && !(*cache = PyDict_New()))) {
        return NULL;
    }
    ds__lookup *lookup = compile(state, schema, maker, name);
    if (!lookup) {
        return NULL;
    }
    if (!PyUnicode_CheckExact(name) || schema->lookup_count >= MAX_KEPT) {
        lookup->transient = true;
        return lookup;
    }
    if (!keep(schema, *cache, name, lookup)) {
        lookup_free(lookup);
        return NULL;
    }
    return lookup;
}

void ds__lookup_done(ds__lookup *lookup) {
    if (lookup && lookup->transient) {
        lookup_free(lookup);
    }
}

/* What Python makes of a value that is not of the field's own type. */
static bool python_condition(ds__pstate *state, ds__schema *schema, ds_buf *buf,
                             const ds__lookup *lookup, PyObject *name, PyObject *value) {
    PyObject *module_b = ds__lookup_module(state);
    PyObject *made = module_b ? PyObject_CallMethod(module_b, "condition", "OOOO", schema->owner,
                                                    lookup->parsed, name, value)
                              : NULL;
    bool ok = made && ds__py_encode_value(state, buf, lookup->key, lookup->key_size, made);
    Py_XDECREF(made);
    return ok;
}

static bool write_condition(ds__pstate *state, ds__schema *schema, ds_buf *buf,
                            const ds__lookup *lookup, PyObject *name, PyObject *value) {
    size_t before = buf->size;
    ds__taken result = ds__lookup_condition(state, buf, lookup, value);
    if (result == DS_TAKEN_NO) {
        buf->size = before;
        return python_condition(state, schema, buf, lookup, name, value);
    }
    return result == DS_TAKEN_YES;
}

/* A filter being made: a document without its end, from offset 0. */
static bool add_document(ds_buf *out, ds_value more) {
    ds_buf joined = {0};
    ds__doc_end(out, 0);
    bool ok = ds__py_buf_ok(out) && ds__filter_merge(&joined, ds__document(out->data), more);
    if (ok) {
        ds_buf_clear(out);
        *out = joined;
        out->size--; /* goes on */
    } else {
        ds_buf_clear(&joined);
    }
    return ok;
}

static bool add_raw(ds__pstate *state, ds_buf *out, PyObject *value) {
    PyObject *module_b = ds__lookup_module(state);
    PyObject *document = module_b ? PyObject_CallMethod(module_b, "raw", "(O)", value) : NULL;
    ds_buf piece = {0};
    bool ok = document && ds__py_encode_document(state, &piece, document) &&
              add_document(out, ds__document(piece.data));
    Py_XDECREF(document);
    ds_buf_clear(&piece);
    return ok;
}

static bool add_lookup(ds__pstate *state, ds__schema *schema, ds_buf *out, PyObject *name,
                       PyObject *value) {
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, "__raw__") == 0) {
        return add_raw(state, out, value);
    }
    ds__lookup *lookup = ds__lookup_find(state, schema, &schema->filter_keys, "filter_key", name);
    if (!lookup) {
        return false;
    }
    bool ok;
    if (!ds__lookup_has(out, lookup->key, lookup->key_size)) {
        ok = write_condition(state, schema, out, lookup, name, value);
    } else {
        ds_buf piece = {0};
        size_t root = ds__doc_begin(&piece);
        ok = write_condition(state, schema, &piece, lookup, name, value);
        ds__doc_end(&piece, root);
        ok = ok && ds__py_buf_ok(&piece) && add_document(out, ds__document(piece.data));
        ds_buf_clear(&piece);
    }
    ds__lookup_done(lookup);
    return ok;
}

PyObject *ds__schema_filter(ds__schema *schema, PyObject *lookups) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(schema));
    if (!state) {
        return NULL;
    }
    if (!PyDict_Check(lookups)) {
        PyErr_SetString(PyExc_TypeError, "filter() takes a dict of lookups");
        return NULL;
    }
    ds_buf out = {0};
    ds__doc_begin(&out);
    PyObject *name_b, *value_b;
    Py_ssize_t at = 0, size = PyDict_GET_SIZE(lookups);
    bool ok = true;
    while (ok && PyDict_Next(lookups, &at, &name_b, &value_b)) {
        PyObject *name = Py_NewRef(name_b), *value = Py_NewRef(value_b);
        ok = add_lookup(state, schema, &out, name, value);
        Py_DECREF(name);
        Py_DECREF(value);
        if (ok && PyDict_GET_SIZE(lookups) != size) {
            PyErr_SetString(PyExc_RuntimeError, "the lookups changed while they were read");
            ok = false;
        }
    }
    if (!ok) {
        ds_buf_clear(&out);
        return NULL;
    }
    ds__doc_end(&out, 0);
    return ds__raw_take(state, &out);
}
