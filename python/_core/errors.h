/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of the store as exceptions of mongodb.errors. */
#ifndef DS_PY_ERRORS_H
#define DS_PY_ERRORS_H

#include "pstate.h"

/* Raises for "no reply": MongoError or the subclass its code calls for (mongodb.errors decides, by
 * `from_error(code, code_name, message)`). Returns NULL. */
PyObject *ds__py_raise_error(ds__pstate *state, const ds_error *err);
/* Raises for a reply with ok: 0 (mongodb.errors' `from_reply(reply)`, a dict). Returns NULL. */
PyObject *ds__py_raise_reply(ds__pstate *state, ds_value reply);

/* A ds_interrupt_fn for clients of the main interpreter: has Python run the handlers of signals
 * that have come, in the thread that runs them. True when one raised; the exception is then set. */
bool ds__py_interrupt(void *ctx);
/* After a call that ran without the GIL: whether a signal's handler raised meanwhile. What the call
 * answered is then of no use. */
static inline bool ds__py_interrupted(void) {
    return PyErr_Occurred() != NULL;
}
/* For an exception of Python code that a command runs by the way: Ctrl-C comes again where the
 * command ends, anything else is printed. */
void ds__py_pass_by(PyObject *where);

#endif
