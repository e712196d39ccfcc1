/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core: the module's life. Multi-phase init; everything it knows is in its state, so that
 * several interpreters can each have their own. */
#include "codec.h"

#include <structmember.h>

#include "base/limits.h"
#include "bson/validate.h"
#include "rows.h"
#include "lookup.h"
#include "schema.h"

static PyModuleDef module_def;

ds__pstate *ds__pstate_of_type(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &module_def);
    return module ? ds__pstate_of_module(module) : NULL;
}

int ds__py_add_type(PyObject *module, PyType_Spec *spec, PyObject **slot) {
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (!type) {
        return -1;
    }
    Py_XSETREF(*slot, type);
    return PyModule_AddType(module, (PyTypeObject *)type);
}

/* Where instances of `type` keep the attribute `name` of a __slots__; 0 when unknown. */
static Py_ssize_t slot_offset(PyObject *type, const char *name) {
    PyObject *found = PyObject_GetAttrString(type, name);
    Py_ssize_t offset = 0;
    if (found && Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        offset = member->type == T_OBJECT_EX ? member->offset : 0;
    }
    PyErr_Clear();
    Py_XDECREF(found);
    return offset;
}

static PyObject *import_from(const char *module, const char *name) {
    PyObject *from = PyImport_ImportModule(module);
    PyObject *found = from ? PyObject_GetAttrString(from, name) : NULL;
    Py_XDECREF(from);
    return found;
}

static int import_all(ds__pstate *state) {
#define DS_IMPORT(field, module, attribute)                                                        \
    if (!(state->field = import_from(module, attribute))) {                                        \
        return -1;                                                                                 \
    }
#define DS_OBJECT(field)
#include "pstate.def"
#undef DS_IMPORT
#undef DS_OBJECT
    state->datetime = PyCapsule_Import(PyDateTime_CAPSULE_NAME, 0);
    if (!state->datetime) {
        return -1;
    }
    state->object_id_at = slot_offset(state->object_id, "_ObjectId__id");
    state->decimal_high_at = slot_offset(state->decimal128, "_Decimal128__high");
    state->decimal_low_at = slot_offset(state->decimal128, "_Decimal128__low");
    state->uuid_int_at = slot_offset(state->uuid, "int");
    state->uuid_safe_at = slot_offset(state->uuid, "is_safe");
    state->uuid_unknown = PyObject_GetAttrString(state->uuid_safety, "unknown");
    if (!state->uuid_unknown) {
        return -1;
    }
    return 0;
}

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
    if (import_all(state) != 0 || ds__py_add_client(module, state) != 0 ||
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

static int traverse_module(PyObject *module, visitproc visit, void *arg) {
    ds__pstate *state = ds__pstate_of_module(module);
#define DS_IMPORT(field, from, attribute) Py_VISIT(state->field);
#define DS_OBJECT(field) Py_VISIT(state->field);
#include "pstate.def"
#undef DS_IMPORT
#undef DS_OBJECT
    return 0;
}

static int clear_module(PyObject *module) {
    ds__pstate *state = ds__pstate_of_module(module);
#define DS_IMPORT(field, from, attribute) Py_CLEAR(state->field);
#define DS_OBJECT(field) Py_CLEAR(state->field);
#include "pstate.def"
#undef DS_IMPORT
#undef DS_OBJECT
    for (size_t i = 0; i < DS__PY_KEYS; i++) {
        Py_CLEAR(state->keys[i]);
    }
    return 0;
}

static void free_module(void *module) {
    clear_module(module);
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, exec_module},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mongodb._core",
    .m_doc = "The C core of mongodb: stores, documents, BSON.",
    .m_size = sizeof(ds__pstate),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) {
    return PyModuleDef_Init(&module_def);
}
