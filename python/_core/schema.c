/* SPDX-License-Identifier: Apache-2.0 */
/* Compiles the fields of a Document class. The Python field says what it is by `spec()`: the name
 * of its kind, its flags, its limits and its item. */
#include "schema.h"

#include "lookup.h"

#include <structmember.h>

static const char *const KINDS[DS_HOLDS_COUNT] = {
    [DS_HOLDS_DYNAMIC] = "dynamic",   [DS_HOLDS_STRING] = "string",
    [DS_HOLDS_INT] = "int",           [DS_HOLDS_LONG] = "long",
    [DS_HOLDS_FLOAT] = "float",       [DS_HOLDS_DECIMAL] = "decimal",
    [DS_HOLDS_BOOL] = "bool",         [DS_HOLDS_DATETIME] = "datetime",
    [DS_HOLDS_DATE] = "date",         [DS_HOLDS_OBJECT_ID] = "objectid",
    [DS_HOLDS_UUID] = "uuid",         [DS_HOLDS_BINARY] = "binary",
    [DS_HOLDS_EMBEDDED] = "embedded", [DS_HOLDS_LIST] = "list",
    [DS_HOLDS_DICT] = "dict",         [DS_HOLDS_REFERENCE] = "reference",
    [DS_HOLDS_POINTER] = "pointer",   [DS_HOLDS_PYTHON] = "python",
};

static uint32_t hash_name(const char *key, size_t size) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ (uint8_t)key[i]) * 16777619u;
    }
    return h;
}

int ds__schema_find(const ds__schema *schema, const char *key, size_t size) {
    for (uint32_t h = hash_name(key, size);; h++) {
        uint16_t at = schema->table[h & schema->mask];
        if (at == 0) {
            return -1;
        }
        const ds__field *f = &schema->fields[at - 1];
        if (f->key_size == size && memcmp(f->key, key, size) == 0) {
            return at - 1;
        }
    }
}

static void field_clear(ds__field *field) {
    Py_CLEAR(field->name);
    Py_CLEAR(field->db_name);
    Py_CLEAR(field->object);
    Py_CLEAR(field->default_value);
    Py_CLEAR(field->target);
    if (field->item) {
        field_clear(field->item);
        PyMem_Free(field->item);
        field->item = NULL;
    }
}

int ds__field_visit(ds__field *field, visitproc visit, void *arg) {
    Py_VISIT(field->object);
    Py_VISIT(field->default_value);
    Py_VISIT(field->target);
    return field->item ? ds__field_visit(field->item, visit, arg) : 0;
}

static bool kind_named(const char *name, uint8_t *out) {
    for (int i = 0; i < DS_HOLDS_COUNT; i++) {
        if (strcmp(KINDS[i], name) == 0) {
            *out = (uint8_t)i;
            return true;
        }
    }
    PyErr_Format(PyExc_ValueError, "a field's kind cannot be %s", name);
    return false;
}

/* Reads spec() -> (kind, flags, min, max, item). Depth guards against a field inside itself. */
static bool field_init(ds__field *field, PyObject *object, int depth) {
    bool ok = false;
    PyObject *spec = NULL;
    const char *kind;
    int flags;
    PyObject *item_b;
    if (depth > 32) {
        PyErr_SetString(PyExc_ValueError, "fields are nested more than 32 deep");
        return false;
    }
    field->object = Py_NewRef(object);
    spec = PyObject_CallMethod(object, "spec", NULL);
    if (!spec || !PyArg_ParseTuple(spec, "siddO;a field's spec()", &kind, &flags, &field->min,
                                   &field->max, &item_b)) {
        goto done;
    }
    field->flags = (uint16_t)flags;
    if (!kind_named(kind, &field->kind)) {
        goto done;
    }
    if (item_b != Py_None) {
        field->item = PyMem_Calloc(1, sizeof *field->item);
        if (!field->item) {
            PyErr_NoMemory();
            goto done;
        }
        ok = field_init(field->item, item_b, depth + 1);
    } else {
        ok = true;
    }
done:
    Py_XDECREF(spec);
    return ok;
}

void ds__field_free(ds__field *field) {
    if (field) {
        field_clear(field);
        PyMem_Free(field);
    }
}

ds__field *ds__field_compile(PyObject *object) {
    ds__field *field = PyMem_Calloc(1, sizeof *field);
    if (!field) {
        PyErr_NoMemory();
    } else if (!field_init(field, object, 0)) {
        ds__field_free(field);
        field = NULL;
    }
    return field;
}

static bool field_names(ds__field *field) {
    PyObject *name = PyObject_GetAttrString(field->object, "name");
    PyObject *db_name = PyObject_GetAttrString(field->object, "db_field");
    PyObject *def = PyObject_GetAttrString(field->object, "default");
    bool ok = name && db_name && def && PyUnicode_Check(name) && PyUnicode_Check(db_name);
    if (ok) {
        Py_ssize_t size;
        PyUnicode_InternInPlace(&name);
        PyUnicode_InternInPlace(&db_name);
        field->name = Py_NewRef(name);
        field->db_name = Py_NewRef(db_name);
        field->key = PyUnicode_AsUTF8AndSize(db_name, &size);
        field->key_size = (size_t)size;
        field->default_value = def == Py_None ? NULL : Py_NewRef(def);
        ok = field->key != NULL;
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "a field's name and db_field must be strings");
    }
    Py_XDECREF(name);
    Py_XDECREF(db_name);
    Py_XDECREF(def);
    return ok;
}

static bool build_table(ds__schema *self) {
    uint32_t size = 8;
    while (size < self->count * 2 + 2) {
        size *= 2;
    }
    self->mask = size - 1;
    self->table = PyMem_Calloc(size, sizeof *self->table);
    if (!self->table) {
        PyErr_NoMemory();
        return false;
    }
    for (size_t i = 0; i < self->count; i++) {
        ds__field *f = &self->fields[i];
        if (ds__schema_find(self, f->key, f->key_size) >= 0) {
            PyErr_Format(PyExc_ValueError, "two fields are stored as %R", f->db_name);
            return false;
        }
        uint32_t h = hash_name(f->key, f->key_size);
        while (self->table[h & self->mask]) {
            h++;
        }
        self->table[h & self->mask] = (uint16_t)(i + 1);
    }
    return true;
}

static bool fill_fields(ds__schema *self, PyObject *list) {
    Py_ssize_t n = PyList_GET_SIZE(list);
    if (n > 4096) {
        PyErr_SetString(PyExc_ValueError, "a Document class can have at most 4096 fields");
        return false;
    }
    self->fields = PyMem_Calloc((size_t)n + 1, sizeof *self->fields);
    self->by_name = PyDict_New();
    self->subclasses = PyDict_New();
    if (!self->fields || !self->by_name || !self->subclasses) {
        PyErr_NoMemory();
        return false;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        ds__field *f = &self->fields[i];
        self->count++;
        if (!field_init(f, PyList_GET_ITEM(list, i), 0) || !field_names(f)) {
            return false;
        }
        PyObject *at = PyLong_FromSsize_t(i);
        if (!at || PyDict_SetItem(self->by_name, f->name, at) < 0) {
            Py_XDECREF(at);
            return false;
        }
        Py_DECREF(at);
        if (f->flags & DS_FIELD_PRIMARY) {
            self->primary = (int)i;
        }
        self->warm = self->warm || (f->flags & DS_FIELD_WARM);
    }
    return build_table(self);
}

static PyObject *schema_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"owner",  "class_name", "fields",    "dynamic", "embedded",
                                        "strict", "own_init",   "own_check", NULL};
    PyObject *owner, *class_name, *fields;
    int dynamic = 0, embedded = 0, strict = 1, own_init = 0, own_check = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO!|ppppp:Schema", DS_KEYWORDS(names), &owner,
                                     &class_name, &PyList_Type, &fields, &dynamic, &embedded,
                                     &strict, &own_init, &own_check)) {
        return NULL;
    }
    ds__schema *self = (ds__schema *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    self->owner = Py_NewRef(owner);
    self->class_name = class_name == Py_None ? NULL : Py_NewRef(class_name);
    self->dynamic = dynamic;
    self->embedded = embedded;
    self->strict = strict;
    self->own_init = own_init;
    self->own_check = own_check;
    self->primary = -1;
    if (!fill_fields(self, fields)) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static int schema_traverse(ds__schema *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->owner);
    Py_VISIT(self->by_name);
    Py_VISIT(self->subclasses);
    for (size_t i = 0; i < self->count; i++) {
        int r = ds__field_visit(&self->fields[i], visit, arg);
        if (r) {
            return r;
        }
    }
    return ds__lookups_visit(self, visit, arg);
}

static int schema_clear(ds__schema *self) {
    /* The fields stay until deallocation: documents of the class may still look at them. */
    ds__lookups_clear(self);
    Py_CLEAR(self->owner);
    Py_CLEAR(self->subclasses);
    return 0;
}

static void schema_dealloc(ds__schema *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    schema_clear(self);
    Py_CLEAR(self->by_name);
    Py_CLEAR(self->class_name);
    for (size_t i = 0; i < self->count; i++) {
        field_clear(&self->fields[i]);
    }
    PyMem_Free(self->fields);
    PyMem_Free(self->table);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *describe(ds__field *f) {
    PyObject *item = f->item ? describe(f->item) : Py_NewRef(Py_None);
    if (!item) {
        return NULL;
    }
    return Py_BuildValue("{s:O,s:O,s:s,s:i,s:O,s:N}", "name", f->name ? f->name : Py_None,
                         "db_field", f->db_name ? f->db_name : Py_None, "kind", KINDS[f->kind],
                         "flags", (int)f->flags, "field", f->object, "item", item);
}

static PyObject *schema_describe(ds__schema *self, PyObject *unused) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < self->count; i++) {
        PyObject *one = describe(&self->fields[i]);
        if (!one || PyList_Append(list, one) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(one);
    }
    return list;
}

static PyObject *schema_index(ds__schema *self, PyObject *name) {
    PyObject *at = PyDict_GetItemWithError(self->by_name, name);
    if (!at && !PyErr_Occurred()) {
        PyErr_SetObject(PyExc_KeyError, name);
    }
    return Py_XNewRef(at);
}

static PyMethodDef schema_methods[] = {
    {"describe", (PyCFunction)schema_describe, METH_NOARGS,
     "Return each field's name, db_field, kind, flags, Python field and item."},
    {"index", (PyCFunction)schema_index, METH_O, "Return the position of a field by its name."},
    {"filter", (PyCFunction)ds__schema_filter, METH_O,
     "Return the filter for a dict of lookups, as Raw."},
    {"update", (PyCFunction)ds__schema_update, METH_O,
     "Return the update for a dict of changes, as Raw; None: Python has to make it."},
    {NULL},
};

static PyMemberDef schema_members[] = {
    {"owner", T_OBJECT, offsetof(ds__schema, owner), READONLY, "the Document class"},
    {"class_name", T_OBJECT, offsetof(ds__schema, class_name), READONLY, "the value of _cls"},
    {"by_name", T_OBJECT, offsetof(ds__schema, by_name), READONLY, "positions by name"},
    {NULL},
};

static PyType_Slot schema_slots[] = {
    {Py_tp_doc, DS_DOC("The fields of a Document class, compiled.")},
    {Py_tp_new, schema_new},
    {Py_tp_dealloc, schema_dealloc},
    {Py_tp_traverse, schema_traverse},
    {Py_tp_clear, schema_clear},
    {Py_tp_methods, schema_methods},
    {Py_tp_members, schema_members},
    {0, NULL},
};

PyType_Spec ds__schema_spec = {
    .name = "mongodb._core.Schema",
    .basicsize = sizeof(ds__schema),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = schema_slots,
};

ds__schema *ds__schema_of(ds__pstate *state, PyObject *type) {
    if (!PyType_Check(type) ||
        !PyType_IsSubtype((PyTypeObject *)type, (PyTypeObject *)state->document_type)) {
        PyErr_Format(PyExc_TypeError, "%R is no Document class", type);
        return NULL;
    }
    PyObject *schema = PyObject_GetAttr(type, state->schema_name);
    if (!schema) {
        return NULL;
    }
    Py_DECREF(schema); /* the class keeps it */
    if (!Py_IS_TYPE(schema, (PyTypeObject *)state->schema_type)) {
        PyErr_Format(PyExc_TypeError, "%R is abstract: it has no documents", type);
        return NULL;
    }
    return (ds__schema *)schema;
}

PyObject *ds__class_attribute(PyTypeObject *type, PyObject *name) {
    PyObject *mro_b = type->tp_mro;
    for (Py_ssize_t i = 0; mro_b && i < PyTuple_GET_SIZE(mro_b); i++) {
        PyObject *dict_b = ((PyTypeObject *)PyTuple_GET_ITEM(mro_b, i))->tp_dict;
        PyObject *found_b = dict_b ? PyDict_GetItemWithError(dict_b, name) : NULL;
        if (found_b || PyErr_Occurred()) {
            PyErr_Clear();
            return found_b;
        }
    }
    return NULL;
}

PyObject *ds__schema_class(ds__pstate *state, ds__schema *schema, ds_value doc) {
    ds_value cls;
    if (!schema->class_name || !ds__doc_get(doc, "_cls", 4, &cls) || cls.type != DS_STRING) {
        return schema->owner;
    }
    PyObject *name = ds__py_key(state, ds__text(cls), cls.size);
    if (!name) {
        return NULL;
    }
    PyObject *found = PyDict_GetItemWithError(schema->subclasses, name);
    if (!found && !PyErr_Occurred()) {
        PyObject *loaded = PyObject_CallMethod(schema->owner, "_class_named", "O", name);
        if (loaded && PyDict_SetItem(schema->subclasses, name, loaded) == 0) {
            found = loaded; /* the dict keeps it */
        }
        Py_XDECREF(loaded);
    }
    Py_DECREF(name);
    return found;
}

PyObject *ds__field_target(ds__field *field) {
    if (!field->target) {
        field->target = PyObject_GetAttrString(field->object, "document_type");
    }
    return field->target;
}
