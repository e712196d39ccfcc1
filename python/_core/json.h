/* SPDX-License-Identifier: Apache-2.0 */
/* From BSON to the JSON that Django REST Framework would write, without Python objects between. */
#ifndef DS_PY_JSON_H
#define DS_PY_JSON_H

#include "pstate.h"

/* How a stored value is shown. The names are those of plan.py's writers. */
typedef enum ds__json_writer {
    DS_JSON_PYTHON, /* asked in Python */
    DS_JSON_STRING,
    DS_JSON_INT,
    DS_JSON_FLOAT,
    DS_JSON_BOOL,
    DS_JSON_DECIMAL, /* text; argument: decimal places, -1 as stored */
    DS_JSON_DATETIME,
    DS_JSON_DATE,
    DS_JSON_UUID,
    DS_JSON_OBJECT_ID,
    DS_JSON_BINARY,
    DS_JSON_REFERENCE, /* the key, bare or in a DBRef */
    DS_JSON_DYNAMIC,   /* by the type of the value */
    DS_JSON_LIST,
    DS_JSON_DICT,
    DS_JSON_EMBEDDED,
    DS_JSON_COUNT
} ds__json_writer;

typedef struct ds__json_plan ds__json_plan;

typedef struct ds__json_shape {
    /* owned */
    struct ds__json_shape *item; /* LIST, DICT; NULL otherwise */
    ds__json_plan *nested;       /* EMBEDDED: a reference to a JSONPlan */
    /* plain */
    uint8_t writer;
    int argument;
} ds__json_shape;

typedef struct ds__json_entry {
    /* owned */
    PyObject *head;    /* bytes: the JSON name and its colon */
    PyObject *key;     /* bytes: the stored name, or NULL */
    PyObject *missing; /* bytes: what a document without the field shows; NULL: ask Python */
    ds__json_shape shape;
} ds__json_entry;

/* mongodb._core.JSONPlan. Immutable once made. */
struct ds__json_plan {
    PyObject_HEAD
        /* owned */
        ds__json_entry *entries;
    /* plain */
    size_t count;
    bool needs_python; /* some entry is PYTHON or has no answer for a missing field */
};

/* What a write needs to know beside the plan. */
typedef struct ds__json_style {
    /* borrowed for the write */
    ds__pstate *state;
    const char *datetime_suffix; /* "Z" or "" after the stored time */
    PyObject *zone;              /* instead: the tzinfo that dates and times are shown in */
} ds__json_style;

/* Appends a value. False, with the buffer cut back, when only Python can show it (a type the writer
 * does not expect, NaN, invalid UTF-8). No Python error is set. */
bool ds__json_value(ds_buf *out, const ds__json_shape *shape, ds_value value,
                    const ds__json_style *style);
/* Appends an embedded document by its plan; as above. */
bool ds__json_document(ds_buf *out, const ds__json_plan *plan, ds_value doc,
                       const ds__json_style *style);
/* Appends quoted text; false for invalid UTF-8. */
bool ds__json_text(ds_buf *out, const char *text, size_t size);

/* Adds the type JSONPlan. 0 or -1. */
int ds__py_add_json(PyObject *module, ds__pstate *state);

#endif
