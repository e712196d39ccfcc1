/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Columns: how a document becomes a row, a tuple of the values at some paths. */
#ifndef DS_PY_COLUMNS_H
#define DS_PY_COLUMNS_H

#include "codec.h"

/* The row of a document. `columns` is a Columns. New reference; NULL: an error is set. */
PyObject *ds__columns_row(ds__pstate *state, PyObject *columns, const ds_value *document,
                          const ds__py_options *options);

#endif
