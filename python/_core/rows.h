/* SPDX-License-Identifier: Apache-2.0 */
/* From BSON to what Django REST Framework's serializers show: lists of dicts. Whatever C does not
 * know to show just as the serializer's own fields would is left to them, field by field. */
#ifndef DS_PY_ROWS_H
#define DS_PY_ROWS_H

#include "schema.h"

/* How a value is shown. The order is that of SHOWN in plan.py. */
typedef enum ds__show {
    DS_SHOW_PYTHON, /* by the serializer's field */
    DS_SHOW_TEXT,
    DS_SHOW_INT,
    DS_SHOW_FLOAT,
    DS_SHOW_BOOL,
    DS_SHOW_DECIMAL, /* text */
    DS_SHOW_DATETIME,
    DS_SHOW_DATE,
    DS_SHOW_UUID,
    DS_SHOW_OBJECT_ID,
    DS_SHOW_BINARY,
    DS_SHOW_REFERENCE, /* the key */
    DS_SHOW_DYNAMIC,   /* by the type of the value */
    DS_SHOW_RAW,       /* the value itself */
    DS_SHOW_CHOICE,    /* as `detail` has it by its text */
    DS_SHOW_LIST,
    DS_SHOW_DICT,
    DS_SHOW_NESTED, /* by the serializer `detail` */
    DS_SHOW_COUNT
} ds__show;

/* PASS: nothing was made, only Python can show it; no Python error is set. */
typedef enum ds__shown { DS_SHOWN_ERROR = -1, DS_SHOWN_PASS, DS_SHOWN } ds__shown;

struct ds__plan;

typedef struct ds__shape {
    /* owned */
    struct ds__shape *item; /* LIST, DICT */
    PyObject *detail;       /* NESTED: a serializer or its kept plan; CHOICE: a dict; else NULL */
    struct ds__plan *plan;  /* of the serializer: made when first needed */
    /* borrowed */
    const ds__field *last;           /* NESTED: the field it showed last, of a class without */
    const struct ds__bound *last_as; /* subclasses, and what the plan means for that class */
    /* plain */
    uint8_t how;
    bool nulls;    /* LIST: null items are shown as None */
    bool compiled; /* the plan was asked for; NULL then: Python shows the whole document */
    int digits;    /* DECIMAL: at most; -1: as the context has it */
    int places;    /* DECIMAL: just as many; -1: as stored */
} ds__shape;

/* A field of a serializer. */
typedef struct ds__entry {
    /* owned */
    PyObject *name;
    PyObject *field;     /* of the serializer; None in a kept plan */
    PyObject *attribute; /* of the document; NULL: only Python knows */
    ds__shape shape;
} ds__entry;

/* What a plan means for one class of documents. */
typedef struct ds__bound {
    /* owned */
    struct ds__bound *next;
    PyTypeObject *type;
    /* borrowed from the class */
    ds__schema *schema; /* NULL: the class has none */
    /* plain */
    bool python; /* some entry is shown by Python */
    int at[];    /* per entry: position in the schema, -1: by Python */
} ds__bound;

/* A serializer compiled. */
typedef struct ds__plan {
    /* owned */
    ds__entry *entries;
    PyObject *blank; /* dict of all names */
    ds__bound *bounds;
    /* plain */
    size_t count;
} ds__plan;

/* One list being made. */
typedef struct ds__rows {
    /* borrowed for the call */
    ds__pstate *state;
    PyObject *serializer;
    PyObject *compile; /* serializer -> entries or None */
    PyObject *live;    /* the same, when a kept plan was not enough */
    PyObject *field;   /* (field, document) -> what it shows, or `skip` */
    PyObject *skip;
    PyObject *style; /* styled or None -> (zone, precision, styled), or None: as it was */
    PyObject *own;   /* the class of fields that are their own descriptor and read as a list */
    PyObject *pk;    /* the property of that name that documents have unless they override it */
    /* owned */
    PyObject *pk_name;
    PyObject *zone;   /* in which times are shown; None: Python's to say */
    PyObject *styled; /* what zone and precision follow from */
    /* plain */
    const char *suffix; /* instead: what ends times that are shown as stored */
    int precision;      /* of the decimal context */
    bool kept;          /* the plan is a kept one: of no live field, so Python shows nothing */
    bool resting;       /* no garbage is looked for: all that is made is used, and no Python runs */
    bool fresh;         /* zone and precision are those of now: false after any call of Python */
} ds__rows;

/* Whether the shape shows what the field holds, given the types its kind stores. NULL: a value of
 * no declared field. */
bool ds__shape_fits(const ds__shape *shape, const ds__field *field);
/* The stored value, which is neither missing nor null. */
ds__shown ds__show_value(ds__rows *rows, ds__shape *shape, ds__field *field, ds_value value,
                         PyObject **out);
/* An embedded document from its bytes. */
ds__shown ds__show_nested(ds__rows *rows, ds__shape *shape, ds__field *field, ds_value value,
                          PyObject **out);
/* Position of the field that reading the attribute of a document of this class gives; -1: it runs
 * other code. */
int ds__attribute_field(const ds__rows *rows, PyTypeObject *type, PyObject *name);

void ds__shape_clear(ds__shape *shape);
/* Makes the serializer's plan. False: an error is set; NULL plan: Python shows its documents. */
bool ds__shape_compile(ds__rows *rows, ds__shape *shape);
/* Makes the plan of (entries, dict of all names). */
bool ds__shape_keep(ds__shape *shape, PyObject *kept);
/* What the plan means for a class of documents. NULL: an error is set. */
const ds__bound *ds__bind(ds__rows *rows, ds__plan *plan, PyTypeObject *type);

/* Texts of values, by DRF's formats. */
PyObject *ds__text_object_id(const uint8_t oid[12]);
PyObject *ds__text_uuid(const uint8_t bytes[16]);
PyObject *ds__text_base64(const uint8_t *bytes, size_t size);
ds__shown ds__text_date(int64_t ms, PyObject **out);
ds__shown ds__text_datetime(ds__rows *rows, int64_t ms, PyObject **out);
ds__shown ds__text_decimal(ds__rows *rows, const ds__shape *shape, ds_decimal value,
                           PyObject **out);

extern PyMethodDef ds__rows_functions[], ds__json_functions[], ds__seen_functions[];

#endif
