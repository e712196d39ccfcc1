/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Server: an embedded store on a socket, for drivers in this process or others. */
#include "handles.h"

#include "errors.h"
#include "extension.h"

typedef struct server {
    PyObject_HEAD
        /* owned */
        ds__wire_server *handle; /* NULL once stopped */
    ds__py_client *client;
    PyObject *address;
    PyObject *uri;
} server;

static PyObject *server_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {
        "client",          "socket",        "host",     "port",    "allow_remote",
        "max_connections", "max_memory_mb", "stall_ms", "idle_ms", NULL};
    ds__pstate *state = ds__pstate_of_type(type);
    PyObject *client;
    const char *socket = NULL, *host = NULL;
    ds__wire_options options = {0};
    int allow_remote = 0;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "O!|z$zHpiiii:Server", DS_KEYWORDS(names),
                                     state->client_type, &client, &socket, &host, &options.port,
                                     &allow_remote, &options.max_connections,
                                     &options.max_memory_mb, &options.stall_ms, &options.idle_ms)) {
        return NULL;
    }
    if (socket && host) {
        PyErr_SetString(PyExc_TypeError, "give a socket or a host, not both");
        return NULL;
    }
    if (options.max_connections < 0 || options.max_memory_mb < 0 || options.stall_ms < 0 ||
        options.idle_ms < -1) {
        PyErr_SetString(PyExc_ValueError, "limits are 0 (the default) or more");
        return NULL;
    }
    server *self = (server *)type->tp_alloc(type, 0);
    if (!self) {
        return NULL;
    }
    ds__py_client *owner = (ds__py_client *)client;
    if (!ds__py_client_enter(state, owner)) {
        Py_DECREF(self);
        return NULL;
    }
    self->client = (ds__py_client *)Py_NewRef(client);
    options.host = host;
    options.socket = host ? NULL : (socket ? socket : "");
    options.allow_remote = allow_remote;
    ds_error err = {0};
    Py_BEGIN_ALLOW_THREADS self->handle = ds__wire_start(owner->client, &options, &err);
    Py_END_ALLOW_THREADS if (!self->handle) {
        ds__py_client_leave(owner);
        Py_DECREF(self);
        return ds__py_raise_error(state, &err);
    }
    ds__py_client_hold(owner);
    ds__py_client_leave(owner);
    self->address = PyUnicode_DecodeFSDefault(ds__wire_address(self->handle));
    self->uri = PyUnicode_FromString(ds__wire_uri(self->handle));
    if (!self->address || !self->uri) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void stop(server *self) {
    ds__wire_server *handle = self->handle;
    if (handle) {
        self->handle = NULL;
        Py_BEGIN_ALLOW_THREADS ds__wire_stop(handle);
        Py_END_ALLOW_THREADS ds__py_client_release(self->client);
    }
}

static void server_dealloc(server *self) {
    PyTypeObject *type = Py_TYPE(self);
    stop(self);
    Py_XDECREF(self->client);
    Py_XDECREF(self->address);
    Py_XDECREF(self->uri);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *server_stop(server *self, PyObject *unused) {
    stop(self);
    Py_RETURN_NONE;
}

static PyObject *server_enter(PyObject *self, PyObject *unused) {
    return Py_NewRef(self);
}

static PyObject *server_exit(server *self, PyObject *args) {
    return server_stop(self, NULL);
}

static PyObject *get_address(server *self, void *unused) {
    return Py_NewRef(self->address);
}

static PyObject *get_uri(server *self, void *unused) {
    return Py_NewRef(self->uri);
}

static PyObject *get_running(server *self, void *unused) {
    return PyBool_FromLong(self->handle && ds__wire_is_running(self->handle));
}

static PyObject *get_connections(server *self, void *unused) {
    return PyLong_FromLong(self->handle ? ds__wire_connections(self->handle) : 0);
}

static PyMethodDef server_methods[] = {
    {"stop", (PyCFunction)server_stop, METH_NOARGS,
     "End every connection, wait for running commands and remove the socket."},
    {"__enter__", server_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)server_exit, METH_VARARGS, NULL},
    {NULL},
};

static PyGetSetDef server_getset[] = {
    {"address", (getter)get_address, NULL, "the socket's path, or host:port", NULL},
    {"uri", (getter)get_uri, NULL, "a connection string for PyMongo", NULL},
    {"running", (getter)get_running, NULL,
     "whether it serves: not stopped, and not the copy in a forked process", NULL},
    {"connections", (getter)get_connections, NULL, "how many connections are open", NULL},
    {NULL},
};

static PyType_Slot server_slots[] = {
    {Py_tp_doc, DS_DOC("Server(client, socket=None, *, host=None, port=0): serve an embedded store "
                       "over MongoDB's wire protocol; by default on a private Unix socket.")},
    {Py_tp_new, server_new},
    {Py_tp_dealloc, server_dealloc},
    {Py_tp_methods, server_methods},
    {Py_tp_getset, server_getset},
    {0, NULL},
};

static PyType_Spec server_spec = {
    .name = "mongodb._core.Server",
    .basicsize = sizeof(server),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = server_slots,
};

int ds__py_add_server(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &server_spec, &state->server_type);
}
