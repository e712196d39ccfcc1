/* SPDX-License-Identifier: Apache-2.0 */
/* What the Python side of a document asks of its C side, and the functions over many documents. */
#include "schema.h"

#include <structmember.h>

#include "extension.h"

static ds__pstate *state_of(ds__model *doc) {
    return ds__pstate_of_type(Py_TYPE(doc));
}

/* The document as one piece of BSON: bytes. */
static PyObject *document_bytes(ds__pstate *state, ds__model *doc) {
    ds_buf buf = {0};
    PyObject *bytes = NULL;
    size_t root = ds__doc_begin(&buf);
    bool ok = ds__document_encode(state, &buf, doc);
    ds__doc_end(&buf, root);
    if (ok && ds__py_buf_ok(&buf)) {
        bytes = PyBytes_FromStringAndSize((char *)buf.data, (Py_ssize_t)buf.size);
    }
    ds_buf_clear(&buf);
    return bytes;
}

/* A field that declares no class reads an embedded document back by its _cls. */
static bool name_class(ds_buf *buf, ds__model *doc) {
    ds_value was;
    if (doc->schema->class_name ||
        (doc->data && ds__doc_get(ds__document(doc->data), "_cls", 4, &was))) {
        return true;
    }
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(doc), "_class_name");
    Py_ssize_t size = 0;
    const char *text = name ? PyUnicode_AsUTF8AndSize(name, &size) : NULL;
    if (text) {
        ds__write_value(buf, "_cls", 4, ds__string(text, (size_t)size));
    }
    Py_XDECREF(name);
    return text != NULL;
}

bool ds__document_hook(ds__pstate *state, ds_buf *buf, const ds__place *place, PyObject *value,
                       bool *handled) {
    if (!ds__is_document(state, value)) {
        return true;
    }
    ds__model *doc = (ds__model *)value;
    *handled = true;
    if (doc->schema->embedded) {
        if (Py_EnterRecursiveCall(" while storing an embedded document")) {
            return false;
        }
        size_t at = ds__write_doc(buf, place->key, place->size, DS_DOCUMENT);
        bool ok = ds__document_encode_at(state, buf, place, doc) && name_class(buf, doc);
        ds__doc_end(buf, at);
        Py_LeaveRecursiveCall();
        return ok;
    }
    PyObject *ref = PyObject_CallMethod(value, "_reference", NULL);
    bool ok = ref && ds__py_encode_at(state, buf, place, ref);
    Py_XDECREF(ref);
    return ok;
}

static PyObject *encode(ds__model *doc, PyObject *unused) {
    ds__pstate *state = state_of(doc);
    return state ? document_bytes(state, doc) : NULL;
}

static PyObject *changes(ds__model *doc, PyObject *unused) {
    ds__pstate *state = state_of(doc);
    return state ? ds__document_changes(state, doc) : NULL;
}

static PyObject *moved(ds__model *doc, PyObject *unused) {
    ds__pstate *state = state_of(doc);
    int is = state ? ds__document_moved(state, doc) : -1;
    return is < 0 ? NULL : PyBool_FromLong(is);
}

static PyObject *stored(ds__model *doc, PyObject *unused) {
    if (!doc->data) {
        Py_RETURN_NONE;
    }
    return PyBytes_FromStringAndSize((const char *)doc->data, ds__load_u32(doc->data));
}

static bool position(ds__model *doc, PyObject *arg, size_t *at) {
    *at = PyLong_AsSize_t(arg);
    if (!PyErr_Occurred() && *at >= doc->schema->count) {
        PyErr_SetString(PyExc_IndexError, "no field has that position");
    }
    return !PyErr_Occurred();
}

static PyObject *get(ds__model *doc, PyObject *arg) {
    ds__pstate *state = state_of(doc);
    size_t at;
    return state && position(doc, arg, &at) ? ds__document_get(state, doc, at) : NULL;
}

static PyObject *set(ds__model *doc, PyObject *args) {
    PyObject *index, *value;
    ds__pstate *state = state_of(doc);
    size_t at;
    if (!state || !PyArg_ParseTuple(args, "OO", &index, &value) || !position(doc, index, &at) ||
        ds__document_set(state, doc, at, value) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* Puts a value that was read, not set: reading it back is no change. */
static PyObject *put(ds__model *doc, PyObject *args) {
    PyObject *index, *value;
    size_t at;
    if (!PyArg_ParseTuple(args, "OO", &index, &value) || !position(doc, index, &at) ||
        !ds__document_open(doc)) {
        return NULL;
    }
    doc->flags[at] = 0;
    Py_XSETREF(doc->values[at], Py_NewRef(value));
    Py_RETURN_NONE;
}

static PyObject *forget(ds__model *doc, PyObject *arg) {
    size_t at;
    if (!position(doc, arg, &at)) {
        return NULL;
    }
    if (doc->values) {
        doc->flags[at] = 0;
        Py_CLEAR(doc->values[at]);
    }
    Py_RETURN_NONE;
}

static void forget_values(ds__model *doc) {
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        doc->flags[i] = 0;
        Py_CLEAR(doc->values[i]);
    }
    Py_CLEAR(doc->extra);
    doc->state |= DS_DOC_RELOADED;
}

/* Values stay readable but no longer count as assigned. */
static void settle_values(ds__model *doc) {
    for (size_t i = 0; doc->values && i < doc->schema->count; i++) {
        doc->flags[i] = doc->flags[i] & DS_VALUE_ASSIGNED ? DS_VALUE_SAVED : doc->flags[i];
    }
}

static PyObject *load(ds__model *doc, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"data", "keep", "trusted", NULL};
    PyObject *data;
    int keep = 0, trusted = 0;
    ds_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "S|pp:_load", DS_KEYWORDS(names), &data, &keep,
                                     &trusted)) {
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(data);
    if (!trusted && !ds__bson_validate(bytes, (size_t)PyBytes_GET_SIZE(data), DS_MAX_DEPTH, &err)) {
        PyErr_SetString(PyExc_ValueError, err.message);
        return NULL;
    }
    if (keep) {
        if (!ds__partial_settle(doc)) {
            return NULL;
        }
        settle_values(doc);
    } else {
        forget_values(doc);
    }
    Py_XSETREF(doc->owner, Py_NewRef(data));
    doc->data = bytes;
    doc->indexed = false;
    doc->state = (uint8_t)(doc->state & ~(DS_DOC_NEW | DS_DOC_HOLLOW));
    Py_RETURN_NONE;
}

/* Takes the bytes of another document of the same fields, which fills a hollow one. */
static PyObject *share(ds__model *doc, PyObject *other) {
    ds__pstate *state = state_of(doc);
    ds__model *from = (ds__model *)other;
    if (!state || !ds__is_document(state, other) || from->schema != doc->schema || !from->data) {
        PyErr_SetString(PyExc_TypeError, "_share() takes a loaded document of the same class");
        return NULL;
    }
    ds__batch_detach(doc);
    doc->data = from->data;
    Py_XSETREF(doc->owner, Py_NewRef(from->owner));
    Py_XSETREF(doc->context, Py_XNewRef(from->context));
    Py_XSETREF(doc->mask, Py_XNewRef(from->mask));
    ds__batch_attach(state, doc);
    doc->indexed = false;
    doc->state = (uint8_t)(from->state & ~DS_DOC_HOLLOW);
    Py_RETURN_NONE;
}

static bool listed(PyObject *replace, const ds__iter *it) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(replace); i++) {
        PyObject *name = PyTuple_GET_ITEM(replace, i);
        if (PyBytes_Check(name) && (size_t)PyBytes_GET_SIZE(name) == it->key_size &&
            memcmp(PyBytes_AS_STRING(name), it->key, it->key_size) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the fields of other bytes that these bytes lack: the rest of a partly loaded document. The
 * fields with the names in `replace` (bytes) are all taken from there. */
/* Whether a stored name is of a field that was loaded, with a value or without one. */
static bool was_loaded(const ds__model *doc, const ds__iter *it) {
    int at = ds__schema_find(doc->schema, it->key, it->key_size);
    return at >= 0 && doc->mask && PyBytes_AS_STRING(doc->mask)[at] != DS_LOADED_NOT;
}

static PyObject *merge(ds__model *doc, PyObject *args) {
    ds_error err;
    PyObject *data, *replace;
    if (!PyArg_ParseTuple(args, "OO!:_merge", &data, &PyTuple_Type, &replace)) {
        return NULL;
    }
    if (!PyBytes_Check(data) || !doc->data ||
        !ds__bson_validate((const uint8_t *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data),
                           DS_MAX_DEPTH, &err)) {
        PyErr_SetString(PyExc_ValueError, "_merge() takes BSON for a loaded document");
        return NULL;
    }
    ds_buf buf = {0};
    ds__iter it;
    ds_value mine = ds__document(doc->data), found;
    size_t root = ds__doc_begin(&buf);
    ds__iter_init(&it, mine);
    while (ds__iter_next(&it)) {
        if (!listed(replace, &it)) {
            ds_buf_add(&buf, it.element, it.element_size);
        }
    }
    ds__iter_init(&it, ds__document((const uint8_t *)PyBytes_AS_STRING(data)));
    while (ds__iter_next(&it)) {
        bool new = !was_loaded(doc, &it) && !ds__doc_get(mine, it.key, it.key_size, &found);
        if (new || listed(replace, &it)) {
            ds_buf_add(&buf, it.element, it.element_size);
        }
    }
    ds__doc_end(&buf, root);
    PyObject *bytes = ds__py_buf_ok(&buf)
                          ? PyBytes_FromStringAndSize((char *)buf.data, (Py_ssize_t)buf.size)
                          : NULL;
    ds_buf_clear(&buf);
    if (!bytes) {
        return NULL;
    }
    Py_XSETREF(doc->owner, bytes);
    doc->data = (const uint8_t *)PyBytes_AS_STRING(bytes);
    doc->indexed = false;
    Py_RETURN_NONE;
}

static PyObject *suspects(ds__model *doc, PyObject *all) {
    ds__pstate *state = state_of(doc);
    return state ? ds__document_suspects(state, doc, PyObject_IsTrue(all) == 1) : NULL;
}

static PyObject *touched(ds__model *doc, PyObject *unused) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < doc->schema->count; i++) {
        if (ds__document_touched(doc, i) && PyList_Append(list, doc->schema->fields[i].name) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

static PyObject *has_stored(ds__model *doc, PyObject *arg) {
    size_t at;
    if (!position(doc, arg, &at) || !ds__document_open(doc)) {
        return NULL;
    }
    return PyBool_FromLong(doc->data && doc->offsets[at] != 0);
}

/* A stored field that the class does not declare; KeyError when there is none. */
static PyObject *unknown(ds__model *doc, PyObject *name) {
    ds__pstate *state = state_of(doc);
    Py_ssize_t size;
    const char *key = PyUnicode_AsUTF8AndSize(name, &size);
    ds_value value = {0};
    if (!state || !key) {
        return NULL;
    }
    if ((doc->state & DS_DOC_HOLLOW) && !ds__document_fill(doc)) {
        return NULL;
    }
    PyObject *known = doc->extra ? PyDict_GetItemWithError(doc->extra, name) : NULL;
    if (known || PyErr_Occurred()) {
        return Py_XNewRef(known);
    }
    if (!doc->data || !ds__doc_get(ds__document(doc->data), key, (size_t)size, &value)) {
        PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    ds__scope scope = {
        .owner = doc->owner, .context = doc->context, .partial = doc->state & DS_DOC_PARTIAL};
    Py_INCREF(scope.owner); /* Python code below may replace the document's bytes */
    PyObject *out = ds__dynamic_decode(state, value, &scope);
    Py_DECREF(scope.owner);
    if (!doc->extra) {
        doc->extra = PyDict_New();
    }
    if (!out || !doc->extra || PyDict_SetItem(doc->extra, name, out) < 0) {
        Py_CLEAR(out);
    }
    return out;
}

static PyObject *unknown_names(ds__model *doc, PyObject *unused) {
    PyObject *list = PyList_New(0);
    ds__iter it;
    if (!list || !doc->data) {
        return list;
    }
    ds__iter_init(&it, ds__document(doc->data));
    while (list && ds__iter_next(&it)) {
        if (ds__schema_find(doc->schema, it.key, it.key_size) < 0) {
            PyObject *name = PyUnicode_DecodeUTF8(it.key, (Py_ssize_t)it.key_size, "strict");
            if (!name || PyList_Append(list, name) < 0) {
                Py_CLEAR(list);
            }
            Py_XDECREF(name);
        }
    }
    return list;
}

PyMethodDef ds__document_methods[] = {
    {"_encode", (PyCFunction)encode, METH_NOARGS, "Return the document as BSON."},
    {"_changes", (PyCFunction)changes, METH_NOARGS,
     "Return {$set, $unset} as BSON, or None when nothing changed."},
    {"_moved", (PyCFunction)moved, METH_NOARGS,
     "Tell whether the primary key is another one than that of the stored document."},
    {"_memento", (PyCFunction)ds__document_memento, METH_NOARGS,
     "Return what _rewind() needs to bring the present state back."},
    {"_rewind", (PyCFunction)ds__document_rewind, METH_VARARGS,
     "Take the state of a memento back, but keep the values that were assigned since."},
    {"_stored", (PyCFunction)stored, METH_NOARGS, "Return the BSON the store gave, or None."},
    {"_get", (PyCFunction)get, METH_O, "Return the value of the field at a position."},
    {"_set", (PyCFunction)set, METH_VARARGS, "Assign the field at a position."},
    {"_put", (PyCFunction)put, METH_VARARGS, "Set a field's value as if it had been read."},
    {"_forget", (PyCFunction)forget, METH_O, "Drop the value of the field at a position."},
    {"_load", (PyCFunction)(void (*)(void))load, METH_VARARGS | METH_KEYWORDS,
     "Take BSON as what the store has."},
    {"_share", (PyCFunction)share, METH_O, "Take the bytes of another document."},
    {"_merge", (PyCFunction)merge, METH_VARARGS, "Add the stored fields that were not loaded."},
    {"_suspects", (PyCFunction)suspects, METH_O, "Return the positions check() has to judge."},
    {"_touched", (PyCFunction)touched, METH_NOARGS, "Return the names that may have changed."},
    {"_has_stored", (PyCFunction)has_stored, METH_O, "Tell whether the store has the field."},
    {"_unknown", (PyCFunction)unknown, METH_O, "Return a stored field outside the class."},
    {"_unknown_names", (PyCFunction)unknown_names, METH_NOARGS,
     "Return the names of stored fields outside the class."},
    {NULL},
};

static PyObject *get_state(ds__model *doc, void *bit) {
    return PyBool_FromLong(doc->state & (uint8_t)(uintptr_t)bit);
}

static int set_state(ds__model *doc, PyObject *value, void *bit) {
    int on = value ? PyObject_IsTrue(value) : 0;
    if (on < 0) {
        return -1;
    }
    uint8_t mask = (uint8_t)(uintptr_t)bit;
    doc->state = (uint8_t)(on ? doc->state | mask : doc->state & ~mask);
    return 0;
}

static PyObject *get_object(ds__model *doc, void *offset) {
    PyObject *value = *(PyObject **)((char *)doc + (size_t)offset);
    return Py_NewRef(value ? value : Py_None);
}

static int set_object(ds__model *doc, PyObject *value, void *offset) {
    PyObject **slot = (PyObject **)((char *)doc + (size_t)offset);
    Py_XSETREF(*slot, value && value != Py_None ? Py_NewRef(value) : NULL);
    return 0;
}

static int set_context(ds__model *doc, PyObject *value, void *offset) {
    ds__pstate *state = state_of(doc);
    if (!state) {
        return -1;
    }
    ds__batch_detach(doc);
    set_object(doc, value, offset);
    ds__batch_attach(state, doc);
    return 0;
}

static int set_extra(ds__model *doc, PyObject *value, void *offset) {
    if (value && value != Py_None && !PyDict_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "_extra is a dict or None");
        return -1;
    }
    return set_object(doc, value, offset);
}

static int set_mask(ds__model *doc, PyObject *value, void *offset) {
    if (value && value != Py_None &&
        (!PyBytes_Check(value) || (size_t)PyBytes_GET_SIZE(value) < doc->schema->count)) {
        PyErr_SetString(PyExc_TypeError, "_mask is bytes, one per field, or None");
        return -1;
    }
    return set_object(doc, value, offset);
}

PyGetSetDef ds__document_getset[] = {
    {"_created", (getter)get_state, (setter)set_state, "not in the store yet", (void *)DS_DOC_NEW},
    {"_reloaded", (getter)get_state, (setter)set_state, "read again since the memento",
     (void *)DS_DOC_RELOADED},
    {"_hollow", (getter)get_state, NULL, "only the primary key is known", (void *)DS_DOC_HOLLOW},
    {"_raw_refs", (getter)get_state, (setter)set_state, "references are read as ids",
     (void *)DS_DOC_RAW_REFS},
    {"_extra", (getter)get_object, (setter)set_extra, "values outside the class",
     (void *)offsetof(ds__model, extra)},
    {"_context", (getter)get_object, (setter)set_context, "the batch it came with",
     (void *)offsetof(ds__model, context)},
    {"_mask", (getter)get_object, (setter)set_mask, "which fields were loaded",
     (void *)offsetof(ds__model, mask)},
    {NULL},
};

/* insert_command(collection, documents, options, start) -> (bytes, end): one insert command with as
 * many of the documents as fit in a message. */
static PyObject *insert_command(PyObject *module, PyObject *args) {
    const char *collection;
    PyObject *docs, *options, *out = NULL;
    Py_ssize_t at, begin;
    ds__pstate *state = ds__pstate_of_module(module);
    if (!PyArg_ParseTuple(args, "sO!O!n", &collection, &PyList_Type, &docs, &PyDict_Type, &options,
                          &begin)) {
        return NULL;
    }
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    ds__write_str(&buf, "insert", collection);
    bool ok = ds__py_encode_fields(state, &buf, options);
    size_t list = ds__write_doc(&buf, "documents", 9, DS_ARRAY);
    for (at = begin; ok && at < PyList_GET_SIZE(docs) && at - begin < 100000; at++) {
        PyObject *one = Py_NewRef(PyList_GET_ITEM(docs, at));
        size_t before = buf.size;
        if (!ds__is_document(state, one)) {
            PyErr_SetString(PyExc_TypeError, "insert takes documents");
            ok = false;
        } else {
            size_t doc = ds__write_index_doc(&buf, (size_t)(at - begin), DS_DOCUMENT);
            ok = ds__document_encode(state, &buf, (ds__model *)one);
            ds__doc_end(&buf, doc);
        }
        Py_DECREF(one);
        if (ok && buf.size > 40u * 1024 * 1024 && at > begin) {
            buf.size = before;
            break;
        }
    }
    ds__doc_end(&buf, list);
    ds__doc_end(&buf, root);
    if (ok && ds__py_buf_ok(&buf)) {
        out = Py_BuildValue("y#n", (char *)buf.data, (Py_ssize_t)buf.size, at);
    }
    ds_buf_clear(&buf);
    return out;
}

/* inserted(documents, start, command): the documents now have the bytes that were sent. */
static PyObject *inserted(PyObject *module, PyObject *args) {
    PyObject *docs, *command;
    Py_ssize_t at;
    ds_value list;
    ds__iter it;
    ds__pstate *state = ds__pstate_of_module(module);
    if (!PyArg_ParseTuple(args, "O!nS", &PyList_Type, &docs, &at, &command)) {
        return NULL;
    }
    ds_value root = ds__document((const uint8_t *)PyBytes_AS_STRING(command));
    if (root.size != (size_t)PyBytes_GET_SIZE(command) ||
        !ds__doc_get(root, "documents", 9, &list)) {
        PyErr_SetString(PyExc_ValueError, "not a command of insert_command()");
        return NULL;
    }
    ds__iter_init(&it, list);
    for (; ds__iter_next(&it) && at < PyList_GET_SIZE(docs); at++) {
        ds__model *doc = (ds__model *)PyList_GET_ITEM(docs, at);
        if (ds__is_document(state, (PyObject *)doc)) {
            settle_values(doc);
            Py_XSETREF(doc->owner, Py_NewRef(command));
            Py_CLEAR(doc->mask);
            doc->data = it.value.as.bytes;
            doc->indexed = false;
            doc->state = (uint8_t)(doc->state & ~(DS_DOC_NEW | DS_DOC_HOLLOW));
        }
    }
    Py_RETURN_NONE;
}

/* document(class, bytes) -> a document of the class, or of the subclass that _cls names. */
static PyObject *document_of(PyObject *module, PyObject *args) {
    ds__pstate *state = ds__pstate_of_module(module);
    PyObject *type, *data;
    ds_error err;
    if (!PyArg_ParseTuple(args, "OS", &type, &data)) {
        return NULL;
    }
    const uint8_t *bytes = (const uint8_t *)PyBytes_AS_STRING(data);
    if (!ds__bson_validate(bytes, (size_t)PyBytes_GET_SIZE(data), DS_MAX_DEPTH, &err)) {
        PyErr_SetString(PyExc_ValueError, err.message);
        return NULL;
    }
    ds__schema *schema = ds__schema_of(state, type);
    PyObject *exact = schema ? ds__schema_class(state, schema, ds__document(bytes)) : NULL;
    return exact ? ds__document_from(state, exact, data, bytes, NULL, NULL, 0) : NULL;
}

/* hollow(class, key, context) -> a document of which only the primary key is known. */
static PyObject *hollow(PyObject *module, PyObject *args) {
    PyObject *type, *key, *context = Py_None;
    if (!PyArg_ParseTuple(args, "OO|O", &type, &key, &context)) {
        return NULL;
    }
    return ds__document_hollow(ds__pstate_of_module(module), type, key,
                               context == Py_None ? NULL : context);
}

/* init_signals(on): whether documents that are loaded run __init__. */
static PyObject *init_signals(PyObject *module, PyObject *on) {
    int truth = PyObject_IsTrue(on);
    if (truth < 0) {
        return NULL;
    }
    ds__pstate_of_module(module)->init_signals = truth;
    Py_RETURN_NONE;
}

static PyObject *object_id(PyObject *module, PyObject *unused) {
    uint8_t oid[12];
    ds__object_id_new(oid);
    return ds__py_object_id(ds__pstate_of_module(module), oid);
}

PyMethodDef ds__document_functions[] = {
    {"init_signals", init_signals, METH_O, "Whether loaded documents run __init__."},
    {"insert_command", insert_command, METH_VARARGS,
     "insert_command(collection, documents, options, start) -> (command, end)"},
    {"inserted", inserted, METH_VARARGS, "inserted(documents, start, command)"},
    {"object_id", object_id, METH_NOARGS, "object_id() -> a new ObjectId"},
    {"document", document_of, METH_VARARGS, "document(cls, data) -> Document"},
    {"take_out", ds__take_out, METH_VARARGS,
     "take_out(documents, name): what is stored below the name becomes attributes."},
    {"hollow", hollow, METH_VARARGS, "hollow(cls, key, context=None) -> Document"},
    {NULL},
};
