/* SPDX-License-Identifier: Apache-2.0 */
/* The module's state: everything it knows, so that several interpreters can each have their own. */
#include "pstate.h"

#include <structmember.h>

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

int ds__pstate_fill(ds__pstate *state) {
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

PyModuleDef ds__module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "mongodb._core",
    .m_doc = "The C core of mongodb: stores, documents, BSON.",
    .m_size = sizeof(ds__pstate),
    .m_traverse = traverse_module,
    .m_clear = clear_module,
    .m_free = free_module,
};

ds__pstate *ds__pstate_of_type(PyTypeObject *type) {
    PyObject *module = PyType_GetModuleByDef(type, &ds__module_def);
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
