/* SPDX-License-Identifier: Apache-2.0 */
/* Keywords such as age__gte=18 and inc__n=1 as BSON. What a keyword means is worked out once and
 * kept in the schema; values of the fields' own types are written here, any other value is the
 * Python field's to convert. All functions need the GIL. */
#ifndef DS_PY_LOOKUP_H
#define DS_PY_LOOKUP_H

#include "raw.h"
#include "schema.h"

/* What a function that may leave the work to Python answers. */
typedef enum ds__taken {
    DS_TAKEN_ERROR = -1, /* a Python error is set */
    DS_TAKEN_NO = 0,     /* for Python; the buffer may hold a part, which the caller cuts off */
    DS_TAKEN_YES = 1
} ds__taken;

/* A keyword of filter() or update(). */
typedef struct ds__lookup {
    /* owned */
    PyObject *parsed; /* what Python made of it, for values that Python converts */
    PyObject *path;   /* where it is stored */
    PyObject *group;  /* an update's operator: "$set"; NULL for a filter */
    ds__field *field; /* NULL: any value goes, as it is */
    /* borrowed from path */
    const char *key;
    size_t key_size;
    /* plain */
    uint8_t op; /* an index of the family's table */
    bool negated;
    bool native;    /* the field's conversions are not overridden */
    bool transient; /* the schema does not keep it: ds__lookup_done frees it */
} ds__lookup;

/* The compiled keyword; `maker` is the Python function that parses, called as maker(class, name).
 * Call ds__lookup_done after use. NULL: an error is set. */
ds__lookup *ds__lookup_find(ds__pstate *state, ds__schema *schema, PyObject **cache,
                            const char *maker, PyObject *name);
void ds__lookup_done(ds__lookup *lookup);
/* mongodb.queryset._keywords. Borrowed. */
PyObject *ds__lookup_module(ds__pstate *state);
int ds__lookups_visit(ds__schema *schema, visitproc visit, void *arg);
void ds__lookups_clear(ds__schema *schema);

/* Writes a value as a query or update compares or stores it. */
ds__taken ds__lookup_value(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                           size_t key_size, PyObject *value);
/* Turns an error that Python may word better into DS_TAKEN_NO. */
ds__taken ds__lookup_failed(void);
/* Writes {"$op": ...} or the plain value for a filter's keyword, named by its path. */
ds__taken ds__lookup_condition(ds__pstate *state, ds_buf *buf, const ds__lookup *lookup,
                               PyObject *value);
/* The position of an operator in the table of conditions. */
uint8_t ds__condition_op(PyObject *name);
/* The same for an update's keywords. */
uint8_t ds__update_op(PyObject *name);

/* Appends one document: both filters hold. */
bool ds__filter_merge(ds_buf *out, ds_value first, ds_value second);
/* Whether an unfinished document of `buf` has the field. */
bool ds__lookup_has(const ds_buf *buf, const char *key, size_t key_size);

/* Methods of Schema and of the module. */
PyObject *ds__schema_filter(ds__schema *schema, PyObject *lookups);
PyObject *ds__schema_update(ds__schema *schema, PyObject *changes);
PyObject *ds__join_filters(PyObject *module, PyObject *args);

#endif
