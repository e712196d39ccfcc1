/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Cursor: documents as dicts, or whole batches as buffers that other parts of the
 * extension read in place. */
#include "handles.h"

#include "extension.h"
#include "columns.h"
#include "errors.h"
#include "json.h"

/* RawBatch: one reply; its buffer is the BSON array of documents. Validated, so readers trust it.
 */
typedef struct raw_batch {
    PyObject_HEAD
        /* owned */
        bson_t *reply; /* apart: it asks for more alignment than objects have */
    /* borrowed from reply */
    const uint8_t *bytes;
    /* plain */
    uint32_t size;
} raw_batch;

typedef struct cursor {
    PyObject_HEAD
        /* owned */
        ds_cursor *handle; /* NULL once closed */
    ds__py_client *client;
    PyObject *session; /* None or a Session */
    raw_batch *batch;  /* the batch that __next__ reads, or NULL */
    /* borrowed from batch */
    ds__iter at;
    /* plain */
    ds__py_options options;
    uint32_t generation; /* of the process that opened it */
    bool busy;
} cursor;

/* Whether a thread is in a call with it; those of a parent process are not here. */
static bool is_busy(const cursor *self) {
    return self->busy && self->generation == ds__fork_generation();
}

PyObject *ds__py_cursor_new(ds__pstate *state, ds__py_client *client, PyObject *session,
                            ds_cursor *handle, const ds__py_options *options) {
    PyTypeObject *type = (PyTypeObject *)state->cursor_type;
    cursor *self = (cursor *)type->tp_alloc(type, 0);
    if (!self) {
        ds_cursor_close(handle);
        return NULL;
    }
    self->handle = handle;
    self->client = (ds__py_client *)Py_NewRef(client);
    self->session = Py_NewRef(session);
    self->options = *options;
    self->generation = ds__fork_generation();
    ds__py_client_hold(client); /* until the cursor closes */
    return (PyObject *)self;
}

static void close_handle(cursor *self) {
    ds_cursor *handle = self->handle;
    if (handle) {
        self->handle = NULL;
        /* killCursors must not run beside another thread's command in the same session */
        ds__py_session *session = self->session == Py_None ? NULL : (void *)self->session;
        bool shared = session && (ds__py_session_is_busy(session) || !session->session);
        if (self->busy) {
            /* a thread of the parent process is in the middle of it: left as it is */
        } else if (shared) {
            ds_cursor_abandon(handle);
        } else {
            if (session) {
                session->busy = true;
            }
            Py_BEGIN_ALLOW_THREADS ds_cursor_close(handle);
            Py_END_ALLOW_THREADS ds__py_session_leave(self->session);
        }
        ds__py_client_release(self->client);
    }
    self->at = (ds__iter){0};
    Py_CLEAR(self->batch);
}

static void cursor_dealloc(cursor *self) {
    PyTypeObject *type = Py_TYPE(self);
    close_handle(self);
    Py_XDECREF(self->client);
    Py_XDECREF(self->session);
    type->tp_free(self);
    Py_DECREF(type);
}

/* The next batch, NULL without an error at the end. */
static raw_batch *fetch(ds__pstate *state, cursor *self) {
    ds_session *unused;
    if (!self->handle) {
        return NULL;
    }
    if (is_busy(self)) {
        PyErr_SetString(PyExc_RuntimeError, "the cursor is in use by another thread");
        return NULL;
    }
    if (!ds__py_session_enter(state, NULL, self->session, &unused)) {
        return NULL;
    }
    PyTypeObject *type = (PyTypeObject *)state->batches_type;
    raw_batch *batch = (raw_batch *)type->tp_alloc(type, 0);
    if (!batch || !(batch->reply = DS_ALLOC_AS(bson_t))) {
        ds__py_session_leave(self->session);
        Py_XDECREF(batch);
        return (raw_batch *)PyErr_NoMemory();
    }
    ds_error err = {0};
    bson_t view;
    ds_next found;
    self->busy = true;
    Py_BEGIN_ALLOW_THREADS found = ds_cursor_batch(self->handle, batch->reply, &view, &err);
    Py_END_ALLOW_THREADS self->busy = false;
    ds__py_session_leave(self->session);
    if (found == DS_NEXT_ROW) {
        batch->bytes = bson_get_data(&view);
        batch->size = view.len;
        if (!ds__py_interrupted()) {
            return batch;
        }
        self->batch = batch; /* for those who go on after the exception */
        ds__iter_init(&self->at, ds__array(batch->bytes));
        return NULL;
    }
    Py_DECREF(batch);
    if (ds__py_interrupted()) {
        return NULL;
    }
    if (found == DS_NEXT_REFUSED) {
        ds__py_raise_reply(state, ds__document(bson_get_data(ds_cursor_reply(self->handle))));
    } else if (found == DS_NEXT_ERROR) {
        ds__py_raise_error(state, &err);
    } else if (!ds_cursor_alive(self->handle)) {
        close_handle(self); /* gives the connection back without waiting for the collector */
    }
    return NULL;
}

static PyObject *cursor_next(cursor *self) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    if (!state) {
        return NULL;
    }
    while (!self->batch || !ds__iter_next(&self->at)) {
        Py_CLEAR(self->batch);
        raw_batch *batch = fetch(state, self);
        if (!batch) {
            return NULL;
        }
        self->batch = batch;
        ds__iter_init(&self->at, ds__array(batch->bytes));
    }
    /* decoding may run Python code: keep the batch */
    raw_batch *batch = (raw_batch *)Py_NewRef(self->batch);
    PyObject *out = ds__py_decode_document(state, self->at.value, &self->options);
    Py_DECREF(batch);
    return out;
}

static PyObject *cursor_next_batch(cursor *self, PyObject *unused) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    if (!state) {
        return NULL;
    }
    if (self->batch && self->at.at < self->at.end) {
        PyErr_SetString(PyExc_ValueError,
                        "some documents of this batch were read one by one; read the rest so too");
        return NULL;
    }
    Py_CLEAR(self->batch);
    PyObject *batch = (PyObject *)fetch(state, self);
    if (!batch && !PyErr_Occurred()) {
        Py_RETURN_NONE;
    }
    return batch;
}

static PyObject *cursor_rows(cursor *self, PyObject *const *args, Py_ssize_t count) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    if (!state) {
        return NULL;
    }
    if (count != 2 || !Py_IS_TYPE(args[0], (PyTypeObject *)state->columns_type)) {
        PyErr_SetString(PyExc_TypeError, "rows() takes Columns and how many rows at most");
        return NULL;
    }
    Py_ssize_t many = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
    PyObject *out = many == -1 && PyErr_Occurred() ? NULL : PyList_New(0);
    while (out && PyList_GET_SIZE(out) < many) {
        if (!self->batch || !ds__iter_next(&self->at)) {
            Py_CLEAR(self->batch);
            raw_batch *batch = fetch(state, self);
            if (!batch) {
                break;
            }
            self->batch = batch;
            ds__iter_init(&self->at, ds__array(batch->bytes));
            continue;
        }
        /* making rows may run Python code: keep the batch */
        raw_batch *batch = (raw_batch *)Py_NewRef(self->batch);
        PyObject *row = ds__columns_row(state, args[0], &self->at.value, &self->options);
        Py_DECREF(batch);
        if (!row || PyList_Append(out, row) != 0) {
            Py_CLEAR(out);
        }
        Py_XDECREF(row);
    }
    if (out && PyErr_Occurred()) {
        Py_CLEAR(out);
    }
    return out;
}

static PyObject *cursor_raw_batches(cursor *self, PyObject *unused) {
    PyObject *step = PyObject_GetAttrString((PyObject *)self, "next_batch");
    PyObject *out = step ? PyCallIter_New(step, Py_None) : NULL;
    Py_XDECREF(step);
    return out;
}

static PyObject *cursor_close(cursor *self, PyObject *unused) {
    if (is_busy(self)) {
        PyErr_SetString(PyExc_RuntimeError, "the cursor is in use by another thread");
        return NULL;
    }
    close_handle(self);
    Py_RETURN_NONE;
}

static PyObject *cursor_enter(PyObject *self, PyObject *unused) {
    return Py_NewRef(self);
}

static PyObject *cursor_exit(cursor *self, PyObject *args) {
    return cursor_close(self, NULL);
}

static PyObject *cursor_set_batch_size(cursor *self, PyObject *size) {
    long n = PyLong_AsLong(size);
    if (n == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (n < 0 || n > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "batch_size must be 0 or more, and fit in 32 bits");
        return NULL;
    }
    if (self->handle) {
        ds_cursor_set_batch_size(self->handle, (int32_t)n);
    }
    Py_RETURN_NONE;
}

static PyObject *get_alive(cursor *self, void *unused) {
    return PyBool_FromLong((self->batch && self->at.at < self->at.end) ||
                           (self->handle && ds_cursor_alive(self->handle)));
}

static PyMethodDef cursor_methods[] = {
    {"next_batch", (PyCFunction)cursor_next_batch, METH_NOARGS,
     "Return the next RawBatch, or None at the end."},
    {"rows", (PyCFunction)(void (*)(void))cursor_rows, METH_FASTCALL,
     "rows(columns, many): the next rows, fewer than `many` at the end only."},
    {"raw_batches", (PyCFunction)cursor_raw_batches, METH_NOARGS, "Iterate RawBatch objects."},
    {"set_batch_size", (PyCFunction)cursor_set_batch_size, METH_O,
     "Ask for batches of this size from now on; 0 leaves it to the store."},
    {"close", (PyCFunction)cursor_close, METH_NOARGS, "Close, on the server too."},
    {"__enter__", cursor_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)cursor_exit, METH_VARARGS, NULL},
    {NULL},
};

static PyGetSetDef cursor_getset[] = {
    {"alive", (getter)get_alive, NULL, "whether there may be more documents", NULL},
    {NULL},
};

static PyType_Slot cursor_slots[] = {
    {Py_tp_doc, DS_DOC("Documents of a reply and those that follow; made by Client.cursor().")},
    {Py_tp_dealloc, cursor_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, cursor_next},
    {Py_tp_methods, cursor_methods},
    {Py_tp_getset, cursor_getset},
    {0, NULL},
};

static PyType_Spec cursor_spec = {
    .name = "mongodb._core.Cursor",
    .basicsize = sizeof(cursor),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = cursor_slots,
};

static void batch_dealloc(raw_batch *self) {
    PyTypeObject *type = Py_TYPE(self);
    if (self->reply) {
        bson_destroy(self->reply);
        ds__free(self->reply);
    }
    type->tp_free(self);
    Py_DECREF(type);
}

static int batch_buffer(raw_batch *self, Py_buffer *view, int flags) {
    return PyBuffer_FillInfo(view, (PyObject *)self, (void *)(uintptr_t)self->bytes,
                             (Py_ssize_t)self->size, 1, flags);
}

static Py_ssize_t batch_length(raw_batch *self) {
    return (Py_ssize_t)ds__doc_count(ds__array(self->bytes));
}

static PyObject *batch_documents(raw_batch *self, PyObject *unused) {
    ds_value array = ds__array(self->bytes);
    ds__iter it;
    Py_ssize_t size = 0;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        size += (Py_ssize_t)it.value.size;
    }
    PyObject *out = PyBytes_FromStringAndSize(NULL, size);
    char *to = out ? PyBytes_AS_STRING(out) : NULL;
    ds__iter_init(&it, array);
    while (to && ds__iter_next(&it)) {
        memcpy(to, it.value.as.bytes, it.value.size);
        to += it.value.size;
    }
    return out;
}

static PyObject *batch_json(raw_batch *self, PyObject *unused) {
    return ds__extended_json(ds__array(self->bytes));
}

static PyMethodDef batch_methods[] = {
    {"json", (PyCFunction)batch_json, METH_NOARGS,
     "Return legacy extended JSON, a list; None when it is left to json_util."},
    {"documents", (PyCFunction)batch_documents, METH_NOARGS,
     "Return the documents' BSON, one behind another, as mongodump writes files."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot batch_slots[] = {
    {Py_tp_doc, DS_DOC("One batch of a cursor; its buffer is a BSON array of documents.")},
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_methods, batch_methods},
    {Py_bf_getbuffer, batch_buffer},
    {Py_sq_length, batch_length},
    {0, NULL},
};

static PyType_Spec batch_spec = {
    .name = "mongodb._core.RawBatch",
    .basicsize = sizeof(raw_batch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = batch_slots,
};

int ds__py_add_cursor(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &batch_spec, &state->batches_type) == 0
               ? ds__py_add_type(module, &cursor_spec, &state->cursor_type)
               : -1;
}
