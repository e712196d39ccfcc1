/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Session: transactions. One thread at a time; a second one gets an error. */
#include "handles.h"

#include "extension.h"
#include "errors.h"

bool ds__py_session_is_busy(const ds__py_session *session) {
    return session->busy && session->generation == ds__fork_generation();
}

bool ds__py_session_enter(ds__pstate *state, ds__py_client *client, PyObject *object,
                          ds_session **out) {
    *out = NULL;
    if (object == Py_None) {
        return true;
    }
    if (!Py_IS_TYPE(object, (PyTypeObject *)state->session_type)) {
        PyErr_Format(PyExc_TypeError, "session must be a Session or None, found %.200s",
                     Py_TYPE(object)->tp_name);
        return false;
    }
    ds__py_session *session = (ds__py_session *)object;
    if (!session->session) {
        PyErr_SetString(PyExc_ValueError, "the session is closed");
        return false;
    }
    if (client && session->client != client) {
        PyErr_SetString(PyExc_ValueError, "the session belongs to another client");
        return false;
    }
    if (ds__py_session_is_busy(session)) {
        PyErr_SetString(PyExc_RuntimeError, "the session is in use by another thread");
        return false;
    }
    session->busy = true;
    *out = session->session;
    return true;
}

void ds__py_session_leave(PyObject *object) {
    if (object != Py_None) {
        ((ds__py_session *)object)->busy = false;
    }
}

PyObject *ds__py_session_new(ds__pstate *state, ds__py_client *client, PyObject *options) {
    ds_buf buf = {0};
    bson_t doc;
    bool given = false;
    if (!ds__py_optional_document(state, options, &buf, &doc, &given) ||
        !ds__py_client_enter(state, client)) {
        ds_buf_clear(&buf);
        return NULL;
    }
    ds_error err = {0};
    ds_session *handle;
    Py_BEGIN_ALLOW_THREADS handle = ds_session_open(client->client, given ? &doc : NULL, &err);
    Py_END_ALLOW_THREADS ds_buf_clear(&buf);
    PyTypeObject *type = (PyTypeObject *)state->session_type;
    ds__py_session *self = handle ? (ds__py_session *)type->tp_alloc(type, 0) : NULL;
    if (!self) {
        if (handle) {
            ds_session_close(handle);
        } else {
            ds__py_raise_error(state, &err);
        }
        ds__py_client_leave(client);
        return NULL;
    }
    ds__py_client_hold(client);
    ds__py_client_leave(client);
    self->generation = ds__fork_generation();
    self->session = handle;
    self->client = (ds__py_client *)Py_NewRef(client);
    return (PyObject *)self;
}

static void close_handle(ds__py_session *self) {
    ds_session *handle = self->session;
    if (handle) {
        self->session = NULL;
        Py_BEGIN_ALLOW_THREADS ds_session_close(handle);
        Py_END_ALLOW_THREADS ds__py_client_release(self->client);
    }
}

static PyObject *session_close(ds__py_session *self, PyObject *unused) {
    if (ds__py_session_is_busy(self)) {
        PyErr_SetString(PyExc_RuntimeError, "the session is in use by another thread");
        return NULL;
    }
    close_handle(self);
    Py_RETURN_NONE;
}

static void session_dealloc(ds__py_session *self) {
    PyTypeObject *type = Py_TYPE(self);
    close_handle(self);
    Py_XDECREF(self->client);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *session_begin(ds__py_session *self, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"options", NULL};
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    PyObject *options = Py_None;
    ds_session *handle;
    ds_buf buf = {0};
    bson_t doc;
    bool given = false, ok = false;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:begin", DS_KEYWORDS(names), &options) ||
        !ds__py_session_enter(state, NULL, (PyObject *)self, &handle)) {
        return NULL;
    }
    ds_error err = {0};
    if (ds__py_optional_document(state, options, &buf, &doc, &given)) {
        ok = ds_session_begin(handle, given ? &doc : NULL, &err);
        if (!ok) {
            ds__py_raise_error(state, &err);
        }
    }
    ds_buf_clear(&buf);
    ds__py_session_leave((PyObject *)self);
    return ok ? Py_NewRef(Py_None) : NULL;
}

static PyObject *end(ds__py_session *self, bool commit) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    ds_session *handle;
    if (!state || !ds__py_session_enter(state, NULL, (PyObject *)self, &handle)) {
        return NULL;
    }
    ds_error err = {0};
    bson_t reply;
    bool ok;
    Py_BEGIN_ALLOW_THREADS ok =
        commit ? ds_session_commit(handle, &reply, &err) : ds_session_abort(handle, &reply, &err);
    Py_END_ALLOW_THREADS ds__py_session_leave((PyObject *)self);
    if (!ok) {
        bson_destroy(&reply);
        return ds__py_raise_error(state, &err);
    }
    return ds__py_take_reply(state, &reply, true, NULL);
}

static PyObject *session_commit(ds__py_session *self, PyObject *unused) {
    return end(self, true);
}

static PyObject *session_abort(ds__py_session *self, PyObject *unused) {
    return end(self, false);
}

static PyObject *session_enter(PyObject *self, PyObject *unused) {
    return Py_NewRef(self);
}

static PyObject *session_exit(ds__py_session *self, PyObject *args) {
    return session_close(self, NULL);
}

static PyObject *get_lsid(ds__py_session *self, void *unused) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    if (!state || !self->session) {
        PyErr_SetString(PyExc_ValueError, "the session is closed");
        return NULL;
    }
    const bson_t *lsid = ds_session_lsid(self->session);
    return ds__py_decode_document(state, ds__document(bson_get_data(lsid)), NULL);
}

static PyObject *get_in_transaction(ds__py_session *self, void *unused) {
    return PyBool_FromLong(self->session && ds_session_in_transaction(self->session));
}

static PyObject *get_closed(ds__py_session *self, void *unused) {
    return PyBool_FromLong(!self->session);
}

static PyObject *get_client(ds__py_session *self, void *unused) {
    return Py_NewRef(self->client);
}

static PyMethodDef session_methods[] = {
    {"begin", (PyCFunction)(void (*)(void))session_begin, METH_VARARGS | METH_KEYWORDS,
     "Begin a transaction."},
    {"commit", (PyCFunction)session_commit, METH_NOARGS, "Commit; a refusal raises."},
    {"abort", (PyCFunction)session_abort, METH_NOARGS, "Abort."},
    {"close", (PyCFunction)session_close, METH_NOARGS, "End; an open transaction is aborted."},
    {"__enter__", session_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)session_exit, METH_VARARGS, NULL},
    {NULL},
};

static PyGetSetDef session_getset[] = {
    {"lsid", (getter)get_lsid, NULL, "the session's id as a document", NULL},
    {"in_transaction", (getter)get_in_transaction, NULL, "whether a transaction is open", NULL},
    {"closed", (getter)get_closed, NULL, "whether the session has ended", NULL},
    {"client", (getter)get_client, NULL, "the Client it belongs to", NULL},
    {NULL},
};

static PyType_Slot session_slots[] = {
    {Py_tp_doc, DS_DOC("A session of a Client; made by Client.session().")},
    {Py_tp_dealloc, session_dealloc},
    {Py_tp_methods, session_methods},
    {Py_tp_getset, session_getset},
    {0, NULL},
};

static PyType_Spec session_spec = {
    .name = "mongodb._core.Session",
    .basicsize = sizeof(ds__py_session),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = session_slots,
};

int ds__py_add_session(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &session_spec, &state->session_type);
}
