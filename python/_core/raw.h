/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Raw: a document that is BSON already; commands take it as a value. */
#ifndef DS_PY_RAW_H
#define DS_PY_RAW_H

#include "codec.h"

typedef struct ds__raw {
    PyObject_HEAD
        /* owned */
        PyObject *bytes; /* one whole document that was checked */
} ds__raw;

/* A Raw with a copy of the finished document in buf. Clears buf. NULL: an error is set. */
PyObject *ds__raw_take(ds__pstate *state, ds_buf *buf);
/* The document of a Raw. Lifetime: the Raw. */
static inline ds_value ds__raw_view(PyObject *raw) {
    return ds__document((const uint8_t *)PyBytes_AS_STRING(((ds__raw *)raw)->bytes));
}
int ds__py_add_raw(PyObject *module, ds__pstate *state);

#endif
