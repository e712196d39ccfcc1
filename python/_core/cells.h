/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of columns makes of BSON. */
#ifndef DS_PY_CELLS_H
#define DS_PY_CELLS_H

#include "codec.h"

/* The order is that of KINDS in mongodb/backend/cells.py. */
typedef enum cell_kind {
    CELL_ANY,
    CELL_PLAIN, /* decimal128 as decimal.Decimal; the function sees no other type */
    CELL_INT,
    CELL_FLOAT,
    CELL_BOOL,
    CELL_DATETIME, /* aware, UTC */
    CELL_DATE,
    CELL_TIME,
    CELL_DECIMAL, /* with `places` digits after the point; -1: as stored */
    CELL_UUID,    /* from 32 hexadecimal digits */
    CELL_NAIVE,   /* a date and time without a zone, UTC */
    CELL_BESIDE,  /* no column of the row: microseconds of the date in the column `places` */
    CELL_COUNT
} cell_kind;

/* What the kind makes of a value; NULL without an error: it does not know its type. */
PyObject *ds__cell(ds__pstate *state, cell_kind kind, int places, const ds_value *value);
/* What the kind makes of a date; NULL without an error: nothing. */
PyObject *ds__cell_moment(ds__pstate *state, cell_kind kind, int64_t ms, int us);
/* Whether a value is a whole number, which `n` is then. */
bool ds__cell_whole(const ds_value *value, int64_t *n);

#endif
