/* SPDX-License-Identifier: Apache-2.0 */
/* The extension's per-module state. Nothing of it is static: each interpreter has its own. */
#ifndef DS_PY_PSTATE_H
#define DS_PY_PSTATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
/* datetime.h defines a static variable; the state's own pointer is used instead */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#include <datetime.h>
#pragma GCC diagnostic pop

#include "extension.h"

#define DS__PY_KEYS 512 /* slots of the cache of field names; a power of two */

typedef struct ds__pstate ds__pstate;

/* Where in a document an encoder is; the chain lives on the stack of its calls. It names the field
 * in errors and counts the nesting, through documents and plain values alike. */
typedef struct ds__place {
    const struct ds__place *parent; /* NULL at the top */
    const char *key;
    size_t size;
    int depth;
} ds__place;

/* Lets a file of the extension encode its own types (documents, embedded documents). Writes the
 * field and sets *handled, or leaves both alone. False: a Python error is set. */
typedef bool (*ds__py_encode_hook)(ds__pstate *state, ds_buf *buf, const ds__place *at,
                                   PyObject *value, bool *handled);

struct ds__pstate {
    /* owned */
#define DS_IMPORT(field, module, attribute) PyObject *field;
#define DS_OBJECT(field) PyObject *field;
#include "pstate.def"
#undef DS_IMPORT
#undef DS_OBJECT
    PyObject *keys[DS__PY_KEYS]; /* names of fields seen lately, by hash */
    /* borrowed from the datetime module, which is never unloaded */
    PyDateTime_CAPI *datetime;
    /* plain */
    ds__py_encode_hook encode_hook;
    bool init_signals;          /* loaded documents run __init__, for those who listen */
    Py_ssize_t object_id_at;    /* where ObjectId keeps its bytes; 0: unknown */
    Py_ssize_t decimal_high_at; /* where Decimal128 keeps its halves */
    Py_ssize_t decimal_low_at;
    Py_ssize_t uuid_int_at; /* where UUID keeps its number */
    Py_ssize_t uuid_safe_at;
};

/* The state of the module that defines `type` or one of its bases. Borrowed; NULL and TypeError
 * when there is none. */
ds__pstate *ds__pstate_of_type(PyTypeObject *type);
/* The state of a module object. */
static inline ds__pstate *ds__pstate_of_module(PyObject *module) {
    return (ds__pstate *)PyModule_GetState(module);
}

/* The module as the interpreter knows it; module.c adds its functions and what runs first. */
extern PyModuleDef ds__module_def;
/* Looks up what the state imports. 0 or -1. */
int ds__pstate_fill(ds__pstate *state);

/* Each file with types adds them: called once by the module's exec slot. 0 or -1. */
int ds__py_add_client(PyObject *module, ds__pstate *state);
int ds__py_add_session(PyObject *module, ds__pstate *state);
int ds__py_add_cursor(PyObject *module, ds__pstate *state);
int ds__py_add_columns(PyObject *module, ds__pstate *state);
int ds__py_add_server(PyObject *module, ds__pstate *state);

/* Makes a heap type of the module from its spec, keeps it in *slot and adds it under its name. */
int ds__py_add_type(PyObject *module, PyType_Spec *spec, PyObject **slot);

#endif
