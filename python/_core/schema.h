/* SPDX-License-Identifier: Apache-2.0 */
/* A Document class compiled: its fields by position, with what C needs to decode, encode and check
 * them, and the objects that hold a document's bytes. All functions need the GIL; on failure a
 * Python error is set.
 *
 * Each kind has a fast path in C for the types it expects. Anything else goes to the field object
 * in Python: `to_python(value)`, `to_mongo(value)`, `check(value)`; so a field class that overrides
 * one of them costs Python for that field only (DS_FIELD_PY_*). */
#ifndef DS_PY_SCHEMA_H
#define DS_PY_SCHEMA_H

#include "codec.h"

/* Python's interfaces take these as char * though they only read them. */
#define DS_KEYWORDS(names) ((char **)(uintptr_t)(names))
#define DS_DOC(text) ((void *)(uintptr_t)(text))

/* What a field holds. The order is that of the names in schema.c. */
typedef enum ds__kind {
    DS_HOLDS_DYNAMIC, /* anything */
    DS_HOLDS_STRING,
    DS_HOLDS_INT,
    DS_HOLDS_LONG,
    DS_HOLDS_FLOAT,
    DS_HOLDS_DECIMAL,
    DS_HOLDS_BOOL,
    DS_HOLDS_DATETIME,
    DS_HOLDS_DATE,
    DS_HOLDS_OBJECT_ID,
    DS_HOLDS_UUID,
    DS_HOLDS_BINARY,
    DS_HOLDS_EMBEDDED,
    DS_HOLDS_LIST,
    DS_HOLDS_DICT, /* with an item: a map */
    DS_HOLDS_REFERENCE,
    DS_HOLDS_POINTER, /* a reference that is stored as a document */
    DS_HOLDS_PYTHON,  /* no fast path */
    DS_HOLDS_COUNT
} ds__kind;

enum {
    DS_FIELD_REQUIRED = 1,
    DS_FIELD_NULL = 2,      /* None is stored as null */
    DS_FIELD_PY_DECODE = 4, /* to_python is overridden */
    DS_FIELD_PY_ENCODE = 8, /* to_mongo is overridden */
    DS_FIELD_PY_CHECK = 16, /* validate is overridden, or choices, validation, regex are set */
    DS_FIELD_CALL_DEFAULT = 32,
    DS_FIELD_PRIMARY = 64,
    DS_FIELD_DBREF = 128,
    DS_FIELD_LIMITS = 256, /* min and max are set */
    DS_FIELD_WARM = 512,   /* the default of a new document is taken when it is made */
    DS_FIELD_EMAIL = 1024  /* a string that must be an e-mail address */
};

/* A field, or the item of a list or map (name and db_name empty). */
typedef struct ds__field {
    /* owned */
    PyObject *name;          /* interned */
    PyObject *db_name;       /* interned; its UTF-8 is `key` */
    PyObject *object;        /* the field in Python */
    PyObject *default_value; /* NULL: none */
    PyObject *target; /* the class of an embedded document or reference; NULL until looked up */
    struct ds__field *item;
    /* borrowed from db_name */
    const char *key;
    /* plain */
    size_t key_size;
    uint8_t kind;
    bool plain; /* for ds__schema.plain_version: the class has the field's slot under its name */
    uint16_t flags;
    double min; /* length, or value; for DS_FIELD_LIMITS */
    double max;
} ds__field;

/* mongodb._core.Schema. Immutable once made, but for the keywords it has met. */
typedef struct ds__schema {
    PyObject_HEAD
        /* owned */
        PyObject *owner;  /* the Document class */
    PyObject *class_name; /* the value of _cls, or NULL without inheritance */
    PyObject *by_name;    /* dict: name -> position */
    PyObject *subclasses; /* dict: _cls -> class, filled as they are met */
    ds__field *fields;
    uint16_t *table;             /* positions + 1 by hash of the stored name */
    struct ds__lookup **lookups; /* keywords of filters and updates that were compiled */
    PyObject *filter_keys;       /* dict: keyword -> position in lookups, or NULL */
    PyObject *update_keys;       /* the same for updates */
    /* plain */
    size_t count;
    size_t lookup_count;
    size_t lookup_room;
    uint32_t mask;          /* of table */
    uint32_t plain_version; /* the class's version that ds__field.plain is of, 0: none */
    int primary;            /* position of the primary key, -1: none */
    bool dynamic;           /* keeps unknown fields as attributes */
    bool embedded;
    bool strict;    /* unknown names in the constructor are errors */
    bool warm;      /* some field is DS_FIELD_WARM */
    bool own_init;  /* the class overrides __init__ */
    bool own_check; /* the class overrides clean or validate */
} ds__schema;

enum {
    DS_DOC_NEW = 1,      /* not in the store yet */
    DS_DOC_HOLLOW = 2,   /* only the primary key is known; the rest is fetched when read */
    DS_DOC_PARTIAL = 4,  /* embedded: what is missing here may be in the store */
    DS_DOC_RAW_REFS = 8, /* references are read as ids */
    DS_DOC_RELOADED = 16 /* values were dropped for what the store had, since the last memento */
};

/* SAVED: was assigned, and then stored. */
enum { DS_VALUE_ASSIGNED = 1, DS_VALUE_DEFAULT = 2, DS_VALUE_SAVED = 4 };

/* A field's byte in the mask. PARTLY: some of its paths, or elements of an array. Behind these
 * bytes the mask lists the projection's paths (document_partial.c). */
enum { DS_LOADED_NOT = 0, DS_LOADED = 1, DS_LOADED_PARTLY = 2 };

/* mongodb._core.Document, the base of every document class. */
typedef struct ds__model {
    PyObject_HEAD
        /* owned */
        ds__schema *schema;
    PyObject *owner;   /* keeps `data` alive: bytes or a reply; NULL without data */
    PyObject **values; /* one block: values, offsets, flags; NULL until a field is touched */
    PyObject *extra;   /* dict of fields outside the schema that were set or read, or NULL */
    PyObject *context; /* what loads a hollow document: a Batch or NULL */
    PyObject *mask;    /* bytes, one per field: loaded; or NULL */
    /* borrowed from owner */
    const uint8_t *data; /* the document as the store has it; NULL for a new one */
    /* borrowed; of the list of the batch that is `context` */
    struct ds__batch *home; /* NULL: not on it */
    struct ds__model *before;
    struct ds__model *after;
    /* borrowed from values */
    uint32_t *offsets; /* of elements in data, 0: absent */
    uint8_t *flags;    /* DS_VALUE_* */
    /* plain */
    uint8_t state; /* DS_DOC_* */
    bool indexed;  /* offsets are filled */
} ds__model;

/* mongodb._core.Batch: documents that came in one reply, and what was fetched for their references.
 */
typedef struct ds__batch {
    PyObject_HEAD
        /* owned */
        Py_buffer view;
    PyObject *mask;
    PyObject *refs;   /* dict: (class, id) -> Document or None */
    PyObject *origin; /* what the Python side wants to know of where it came from */
    uint32_t *starts; /* offsets of the documents in view */
    ds__schema *schema;
    /* borrowed */
    ds__model *first; /* of the living documents made from it, embedded ones too */
    /* plain */
    size_t count;
    size_t members; /* on the list */
    size_t few;     /* with so many or fewer they take copies of the reply, which goes */
    uint8_t state;  /* DS_DOC_* of the documents made from it */
} ds__batch;

/* Types of these objects: pstate's schema_type, document_type, batch_type, slot_type. */
int ds__py_add_documents(PyObject *module, ds__pstate *state);

bool ds__is_document(ds__pstate *state, PyObject *object);
/* The schema of a Document class: borrowed. */
ds__schema *ds__schema_of(ds__pstate *state, PyObject *type);
/* Position of the stored name; -1: none. */
int ds__schema_find(const ds__schema *schema, const char *key, size_t size);
/* The class a stored document belongs to, by its _cls. Borrowed. */
PyObject *ds__schema_class(ds__pstate *state, ds__schema *schema, ds_value doc);
/* A field object compiled by itself, without its names; freed with ds__field_free. */
ds__field *ds__field_compile(PyObject *object);
void ds__field_free(ds__field *field);
int ds__field_visit(ds__field *field, visitproc visit, void *arg);
/* The class of an embedded document or reference field. Borrowed. */
PyObject *ds__field_target(ds__field *field);

/* Where decoded references look for their documents. */
typedef struct ds__scope {
    PyObject *owner;   /* of the bytes */
    PyObject *context; /* a Batch or NULL */
    bool raw_refs;
    bool partial; /* embedded documents below may lack what is stored */
} ds__scope;

/* The value of a field in Python. New reference. */
PyObject *ds__field_decode(ds__pstate *state, ds__field *field, ds_value value,
                           const ds__scope *scope);
/* Any value, embedded documents with _cls included. */
PyObject *ds__dynamic_decode(ds__pstate *state, ds_value value, const ds__scope *scope);
/* A scalar of exactly the type its kind stores; *handled stays false for any other. */
bool ds__field_scalar(ds__pstate *state, ds__field *field, PyObject *value, ds_value *out,
                      bool *handled);
/* Writes a value that is not None. */
bool ds__field_encode(ds__pstate *state, ds_buf *buf, ds__field *field, const char *key,
                      size_t key_size, PyObject *value);
/* 1: the value is fine; 0: ask the field's `check`; -1: error. */
int ds__field_check(ds__pstate *state, ds__field *field, PyObject *value);

/* A document over bytes that were validated. New reference. */
PyObject *ds__document_from(ds__pstate *state, PyObject *type, PyObject *owner, const uint8_t *data,
                            PyObject *context, PyObject *mask, uint8_t flags);
/* batch_members.c: puts a document on the list of its context; takes it off. */
void ds__batch_attach(ds__pstate *state, ds__model *doc);
void ds__batch_detach(ds__model *doc);
/* All documents of the batch were made: it is not asked for others. */
void ds__batch_made(ds__batch *batch);
PyObject *ds__batch_lacking(ds__batch *batch, PyObject *name);
PyObject *ds__batch_fill(ds__batch *batch, PyObject *args);
/* The document at a position in the batch. New reference. */
PyObject *ds__batch_document(ds__batch *batch, Py_ssize_t at);
/* A document of which only the primary key is known. */
PyObject *ds__document_hollow(ds__pstate *state, PyObject *type, PyObject *key, PyObject *context);
/* The value of the field at `at`. New reference. */
PyObject *ds__document_get(ds__pstate *state, ds__model *doc, size_t at);
int ds__document_set(ds__pstate *state, ds__model *doc, size_t at, PyObject *value);
/* tp_new and tp_init of documents (document_build.c). */
PyObject *ds__document_new(PyTypeObject *type, PyObject *args, PyObject *kwargs);
int ds__document_init(PyObject *doc, PyObject *args, PyObject *kwargs);
/* Whether it is the descriptor of the field at `at` of the schema's own documents. */
bool ds__is_slot(ds__pstate *state, PyObject *object, const ds__schema *schema, size_t at);
/* What the class and its bases have under a name. Borrowed, no error is set. */
PyObject *ds__class_attribute(PyTypeObject *type, PyObject *name);
/* Makes room for values and finds the offsets. */
bool ds__document_open(ds__model *doc);
/* Fetches a hollow document. */
bool ds__document_fill(ds__model *doc);
/* Whether the field can have been changed since it was read. */
bool ds__document_touched(const ds__model *doc, size_t at);
/* Whether the field is missing in the store and still has the default it was read as: such a value
 * is not stored. */
bool ds__document_default(const ds__model *doc, size_t at);
/* The stored value of the field, DS_MISSING when there is none. Call ds__document_open before. */
ds_value ds__document_stored(const ds__model *doc, size_t at);
/* The fields as they would be stored, without the document's frame. */
bool ds__document_encode(ds__pstate *state, ds_buf *buf, ds__model *doc);
/* The same for a document that is the value at `at`, NULL at the top. */
bool ds__document_encode_at(ds__pstate *state, ds_buf *buf, const ds__place *at, ds__model *doc);
/* {$set, $unset} that bring the stored document to the present one: bytes, or None. */
PyObject *ds__document_changes(ds__pstate *state, ds__model *doc);
/* 1: the primary key is another one than that of the stored document; -1: error. */
int ds__document_moved(ds__pstate *state, ds__model *doc);
/* Appends to `set` and `unset` what turns `before` into `after` at `path`. */
bool ds__diff_value(ds_buf *set, ds_buf *unset, ds_buf *path, ds_value before, ds_value after);

/* Whether only a part of the field was loaded. */
bool ds__document_partly(const ds__model *doc, size_t at);
/* ds__diff_value for such a field; OperationError when what was not loaded could be lost. */
bool ds__partial_diff(ds__pstate *state, ds__model *doc, size_t at, ds_buf *set, ds_buf *unset,
                      ds_buf *path, ds_value before, ds_value after);
/* The same for a field outside the class; whether it was assigned is not known. */
bool ds__partial_diff_extra(ds__pstate *state, ds__model *doc, PyObject *name, ds_buf *set,
                            ds_buf *unset, ds_buf *path, ds_value before, ds_value after);
/* After a save: fields loaded in part that were assigned are known whole. */
bool ds__partial_settle(ds__model *doc);

/* Tables that the files of this family share. */
extern PyType_Spec ds__schema_spec, ds__slot_spec, ds__batch_spec;
extern PyMethodDef ds__document_methods[], ds__document_functions[];
/* annotations.c: take_out(documents, name): the fields below this one become attributes. */
PyObject *ds__take_out(PyObject *module, PyObject *args);
/* document_state.c: what a rolled-back transaction gives back. */
PyObject *ds__document_memento(ds__model *doc, PyObject *unused);
PyObject *ds__document_rewind(ds__model *doc, PyObject *args);
extern PyGetSetDef ds__document_getset[];
/* The codec's hook: an embedded document is a document, any other is a DBRef to it. */
bool ds__document_hook(ds__pstate *state, ds_buf *buf, const ds__place *place, PyObject *value,
                       bool *handled);
/* Positions of the fields whose values `check` has to judge, as a list. With `all`, fields that
 * were not touched too. */
PyObject *ds__document_suspects(ds__pstate *state, ds__model *doc, bool all);

#endif
