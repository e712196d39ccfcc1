/* SPDX-License-Identifier: Apache-2.0 */
/* Failures and refusals as the exceptions that mongodb.errors chooses. */
#include "errors.h"

#include "codec.h"

/* mongodb.errors, imported at the first error: it imports nothing of ours. Borrowed. */
static PyObject *errors_module(ds__pstate *state) {
    if (!state->errors) {
        state->errors = PyImport_ImportModule("mongodb.errors");
    }
    return state->errors;
}

static PyObject *raise_it(PyObject *error) {
    if (error) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return NULL;
}

PyObject *ds__py_raise_error(ds__pstate *state, const ds_error *err) {
    char buf[32];
    PyObject *errors_b = errors_module(state);
    if (!errors_b) {
        return NULL;
    }
    if (err->code == DS_EXCEEDED_MEMORY_LIMIT && strcmp(err->message, "out of memory") == 0) {
        return PyErr_NoMemory();
    }
    PyObject *message =
        PyUnicode_DecodeUTF8(err->message, (Py_ssize_t)strlen(err->message), "replace");
    if (!message) {
        return NULL;
    }
    return raise_it(PyObject_CallMethod(errors_b, "from_error", "isN", (int)err->code,
                                        ds__code_name(err->code, buf), message));
}

PyObject *ds__py_raise_reply(ds__pstate *state, ds_value reply) {
    PyObject *errors_b = errors_module(state);
    PyObject *dict = errors_b ? ds__py_decode_document(state, reply, NULL) : NULL;
    if (!dict) {
        return NULL;
    }
    return raise_it(PyObject_CallMethod(errors_b, "from_reply", "N", dict));
}

bool ds__py_interrupt(void *ctx) {
    (void)ctx;
    if (!ds__is_first_thread() || !Py_IsInitialized()) {
        return false; /* handlers run in the main thread only */
    }
    PyGILState_STATE state = PyGILState_Ensure();
    bool raised = PyErr_Occurred() || PyErr_CheckSignals() != 0;
    PyGILState_Release(state);
    return raised;
}

void ds__py_pass_by(PyObject *where) {
    if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
        PyErr_Clear();
        PyErr_SetInterrupt();
    } else {
        PyErr_WriteUnraisable(where);
    }
}
