/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core: what the module is made of. Multi-phase init. No other file needs this one. */
#include "codec.h"

#include "extension.h"
#include "rows.h"
#include "lookup.h"
#include "schema.h"

static PyObject *py_encode(PyObject *module, PyObject *document) {
    ds_buf buf = {0};
    PyObject *out = NULL;
    if (ds__py_encode_document(ds__pstate_of_module(module), &buf, document)) {
        out = PyBytes_FromStringAndSize((const char *)buf.data, (Py_ssize_t)buf.size);
    }
    ds_buf_clear(&buf);
    return out;
}

static PyObject *py_decode(PyObject *module, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "tz_aware", "plain_int", "raw_dbref", NULL};
    ds__pstate *state = ds__pstate_of_module(module);
    Py_buffer view;
    int aware = 0, plain = 0, raw = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|$ppp:decode", DS_KEYWORDS(names), &view,
                                     &aware, &plain, &raw)) {
        return NULL;
    }
    ds__py_options options = {.tz_aware = aware, .plain_int = plain, .raw_dbref = raw};
    PyObject *out = NULL;
    ds_error err = {0};
    if (ds__bson_validate(view.buf, (size_t)view.len, DS_MAX_COMMAND_DEPTH, &err)) {
        out = ds__py_decode_document(state, ds__document(view.buf), &options);
    } else {
        PyErr_SetString(state->invalid_bson, err.message);
    }
    PyBuffer_Release(&view);
    return out;
}

static PyMethodDef methods[] = {
    {"encode", py_encode, METH_O, "encode(document): the document as BSON bytes."},
    {"decode", (PyCFunction)(void (*)(void))py_decode, METH_VARARGS | METH_KEYWORDS,
     "decode(data, *, tz_aware=False, plain_int=False, raw_dbref=False): BSON bytes as a dict."},
    {"join_filters", ds__join_filters, METH_VARARGS,
     "join_filters(op, filters): one Raw of a list of them; op is $and, $or or $nor."},
    {NULL},
};

static int exec_module(PyObject *module) {
    ds__pstate *state = ds__pstate_of_module(module);
    if (ds__pstate_fill(state) != 0 || ds__py_add_client(module, state) != 0 ||
        ds__py_add_session(module, state) != 0 || ds__py_add_cursor(module, state) != 0 ||
        ds__py_add_server(module, state) != 0 || ds__py_add_columns(module, state) != 0 ||
        ds__py_add_documents(module, state) != 0 ||
        PyModule_AddFunctions(module, ds__rows_functions) != 0 ||
        PyModule_AddFunctions(module, ds__seen_functions) != 0 ||
        PyModule_AddFunctions(module, ds__json_functions) != 0 ||
        ds__py_add_raw(module, state) != 0) {
        return -1;
    }
    return PyModule_AddStringConstant(module, "__version__", DS_VERSION);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) {
    ds__module_def.m_methods = methods; /* the same each time */
    ds__module_def.m_slots = slots;
    return PyModuleDef_Init(&ds__module_def);
}
