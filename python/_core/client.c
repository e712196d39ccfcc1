/* SPDX-License-Identifier: Apache-2.0 */
/* mongodb._core.Client: the waist in Python. Commands are copied to BSON first; the store works
 * with the GIL released. */
#include "handles.h"

#include "errors.h"

#include "extension.h"

/* In a forked child: calls of threads that were not copied have ended without a word. */
static void forget_calls(ds__py_client *client) {
    if (client->generation != ds__fork_generation()) {
        client->generation = ds__fork_generation();
        client->users -= client->calls;
        client->calls = 0;
    }
}

bool ds__py_client_enter(ds__pstate *state, ds__py_client *client) {
    if (client->closed || !client->client) {
        ds_error err;
        ds__error_set(&err, DS_SHUTDOWN_IN_PROGRESS, "the connection is closed");
        ds__py_raise_error(state, &err);
        return false;
    }
    forget_calls(client);
    client->users++;
    client->calls++;
    return true;
}

void ds__py_client_leave(ds__py_client *client) {
    if (client->calls > 0) { /* else the call began in the parent, and was forgotten */
        client->calls--;
        ds__py_client_release(client);
    }
}

void ds__py_client_hold(ds__py_client *client) {
    client->users++;
}

void ds__py_client_release(ds__py_client *client) {
    if (--client->users == 0 && client->closed && client->client) {
        ds_client *handle = client->client;
        client->client = NULL;
        Py_BEGIN_ALLOW_THREADS ds_client_close(handle);
        Py_END_ALLOW_THREADS
    }
}

bool ds__py_optional_document(ds__pstate *state, PyObject *object, ds_buf *buf, bson_t *doc,
                              bool *given) {
    *given = object && object != Py_None;
    if (!*given) {
        return true;
    }
    if (!ds__py_encode_document(state, buf, object)) {
        return false;
    }
    if (!bson_init_static(doc, buf->data, buf->size)) {
        PyErr_SetString(PyExc_ValueError, "the document is not valid BSON");
        return false;
    }
    return true;
}

static bool is_ok(ds_value reply) {
    return ds__value_truthy(ds__doc_field(reply, "ok"));
}

PyObject *ds__py_take_reply(ds__pstate *state, bson_t *reply, bool check,
                            const ds__py_options *options) {
    ds_value value = ds__document(bson_get_data(reply));
    PyObject *out = check && !is_ok(value) ? ds__py_raise_reply(state, value)
                                           : ds__py_decode_document(state, value, options);
    bson_destroy(reply);
    return out;
}

/* The arguments that run, run_raw and cursor share. */
typedef struct call {
    const char *db;
    PyObject *command;
    PyObject *session;
    /* owned */
    ds_buf buf;
    /* borrowed */
    bson_t bson;
    ds_session *handle;
} call;

/* The command as BSON. Bytes are used where they are: the caller's arguments keep them, nobody can
 * change them, and the client checks every command. */
static bool take_command(ds__pstate *state, call *c) {
    bool given = false;
    if (PyBytes_CheckExact(c->command)) {
        if (!bson_init_static(&c->bson, (const uint8_t *)PyBytes_AS_STRING(c->command),
                              (size_t)PyBytes_GET_SIZE(c->command))) {
            PyErr_SetString(PyExc_ValueError, "the command is not valid BSON");
            return false;
        }
        return true;
    }
    if (!ds__py_optional_document(state, c->command, &c->buf, &c->bson, &given)) {
        ds_buf_clear(&c->buf);
        return false;
    }
    if (!given) {
        PyErr_SetString(PyExc_TypeError, "a command document is needed");
    }
    return given;
}

static bool call_begin(ds__pstate *state, ds__py_client *self, call *c) {
    if (!take_command(state, c)) {
        return false;
    }
    if (!ds__py_client_enter(state, self)) {
        ds_buf_clear(&c->buf);
        return false;
    }
    if (!ds__py_session_enter(state, self, c->session, &c->handle)) {
        ds__py_client_leave(self);
        ds_buf_clear(&c->buf);
        return false;
    }
    return true;
}

static void call_end(ds__py_client *self, call *c) {
    ds__py_session_leave(c->session);
    ds__py_client_leave(self);
    ds_buf_clear(&c->buf);
}

/* What the store has to say goes to the logger of the package. */
static void log_warnings(ds__py_client *self) {
    char text[512];
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* of a signal's handler, for the call to raise */
    ds_notice notice;
    while ((notice = ds_client_warning(self->client, &self->warned, text, sizeof text))) {
        const char *level = notice == DS_NOTICE_WARNING ? "warning" : "info";
        PyObject *logging = PyImport_ImportModule("logging");
        PyObject *logger =
            logging ? PyObject_CallMethod(logging, "getLogger", "s", "mongodb") : NULL;
        PyObject *done = logger ? PyObject_CallMethod(logger, level, "ss", "%s", text) : NULL;
        if (!done) {
            ds__py_pass_by((PyObject *)self);
        }
        Py_XDECREF(done);
        Py_XDECREF(logger);
        Py_XDECREF(logging);
    }
    PyErr_Restore(type, value, traceback);
}

/* Runs; on true the caller owns reply. */
static bool call_run(ds__pstate *state, ds__py_client *self, call *c, bson_t *reply) {
    ds_error err = {0};
    bool ok;
    if (!call_begin(state, self, c)) {
        return false;
    }
    Py_BEGIN_ALLOW_THREADS ok =
        ds_client_run(self->client, c->handle, c->db, &c->bson, reply, &err);
    Py_END_ALLOW_THREADS log_warnings(self);
    call_end(self, c);
    bool interrupted = ds__py_interrupted();
    if (!ok || interrupted) {
        bson_destroy(reply);
        if (!interrupted) {
            ds__py_raise_error(state, &err);
        }
        return false;
    }
    return true;
}

static PyObject *client_run(ds__py_client *self, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"db",       "command",   "session",   "check",
                                        "tz_aware", "plain_int", "raw_dbref", NULL};
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    call c = {.session = Py_None};
    int check = 1, aware = 0, plain = 0, raw = 0;
    bson_t reply;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "sO|O$pppp:run", DS_KEYWORDS(names), &c.db,
                                     &c.command, &c.session, &check, &aware, &plain, &raw)) {
        return NULL;
    }
    ds__py_options options = {.tz_aware = aware, .plain_int = plain, .raw_dbref = raw};
    return call_run(state, self, &c, &reply) ? ds__py_take_reply(state, &reply, check, &options)
                                             : NULL;
}

static PyObject *client_run_raw(ds__py_client *self, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"db", "command", "session", "check", NULL};
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    call c = {.session = Py_None};
    int check = 1;
    bson_t reply;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "sO|O$p:run_raw", DS_KEYWORDS(names), &c.db,
                                     &c.command, &c.session, &check) ||
        !call_run(state, self, &c, &reply)) {
        return NULL;
    }
    ds_value value = ds__document(bson_get_data(&reply));
    PyObject *out = check && !is_ok(value) ? ds__py_raise_reply(state, value)
                                           : PyBytes_FromStringAndSize((const char *)value.as.bytes,
                                                                       (Py_ssize_t)value.size);
    bson_destroy(&reply);
    return out;
}

static PyObject *client_cursor(ds__py_client *self, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"db",       "command",   "session",   "batch_size",
                                        "tz_aware", "plain_int", "raw_dbref", NULL};
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    call c = {.session = Py_None};
    int batch_size = 0, aware = 0, plain = 0, raw = 0;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "sO|O$ippp:cursor", DS_KEYWORDS(names), &c.db,
                                     &c.command, &c.session, &batch_size, &aware, &plain, &raw) ||
        !call_begin(state, self, &c)) {
        return NULL;
    }
    ds_error err = {0};
    ds_cursor *cursor = NULL;
    bson_t reply;
    bool ok;
    Py_BEGIN_ALLOW_THREADS ok =
        ds_cursor_open(self->client, c.handle, c.db, &c.bson, &cursor, &reply, &err);
    Py_END_ALLOW_THREADS log_warnings(self);
    PyObject *out = NULL;
    if (ds__py_interrupted()) {
        ds_cursor_close(cursor);
    } else if (!ok) {
        ds__py_raise_error(state, &err);
    } else if (!cursor) {
        ds__py_raise_reply(state, ds__document(bson_get_data(&reply)));
    } else {
        if (batch_size > 0) {
            ds_cursor_set_batch_size(cursor, batch_size);
        }
        ds__py_options options = {.tz_aware = aware, .plain_int = plain, .raw_dbref = raw};
        out = ds__py_cursor_new(state, self, c.session, cursor, &options);
    }
    bson_destroy(&reply);
    call_end(self, &c);
    return out;
}

static PyObject *client_session(ds__py_client *self, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"options", NULL};
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(self));
    PyObject *options = Py_None;
    if (!state ||
        !PyArg_ParseTupleAndKeywords(args, kwargs, "|O:session", DS_KEYWORDS(names), &options)) {
        return NULL;
    }
    return ds__py_session_new(state, self, options);
}

static PyObject *client_close(ds__py_client *self, PyObject *unused) {
    if (!self->closed) {
        self->closed = true;
        forget_calls(self);
        if (self->calls > 0) {
            ds_client_interrupt(self->client);
        }
        ds__py_client_hold(self);
        ds__py_client_release(self);
    }
    Py_RETURN_NONE;
}

static PyObject *client_enter(PyObject *self, PyObject *unused) {
    return Py_NewRef(self);
}

static PyObject *client_exit(ds__py_client *self, PyObject *args) {
    return client_close(self, NULL);
}

static PyObject *client_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static const char *const names[] = {"uri", "options", "monitor", "slow_us", NULL};
    ds__pstate *state = ds__pstate_of_type(type);
    const char *uri;
    PyObject *options = Py_None, *monitor = Py_None;
    long long slow_us = -1;
    if (!state || !PyArg_ParseTupleAndKeywords(args, kwargs, "s|O$OL:Client", DS_KEYWORDS(names),
                                               &uri, &options, &monitor, &slow_us)) {
        return NULL;
    }
    bool in_main = PyInterpreterState_Get() == PyInterpreterState_Main();
    if (monitor != Py_None && !in_main) {
        PyErr_SetString(PyExc_RuntimeError, "a monitor works in the main interpreter only");
        return NULL;
    }
    ds_buf buf = {0};
    bson_t doc;
    bool given = false;
    if (!ds__py_optional_document(state, options, &buf, &doc, &given)) {
        ds_buf_clear(&buf);
        return NULL;
    }
    ds_error err = {0};
    ds_client *client;
    Py_BEGIN_ALLOW_THREADS client = ds_client_open(uri, given ? &doc : NULL, &err);
    Py_END_ALLOW_THREADS ds_buf_clear(&buf);
    if (!client) {
        return ds__py_raise_error(state, &err);
    }
    ds__py_client *self = (ds__py_client *)type->tp_alloc(type, 0);
    if (!self) {
        ds_client_close(client);
        return NULL;
    }
    self->client = client;
    self->generation = ds__fork_generation();
    if (in_main) {
        ds_client_set_interrupt(client, ds__py_interrupt, NULL);
    }
    self->slow_us = slow_us;
    if (monitor != Py_None) {
        self->monitor = Py_NewRef(monitor);
        ds_client_set_monitor(client, ds__py_monitor, self);
    }
    return (PyObject *)self;
}

static int client_traverse(ds__py_client *self, visitproc visit, void *arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->monitor);
    return 0;
}

static void client_dealloc(ds__py_client *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->client) {
        Py_BEGIN_ALLOW_THREADS ds_client_close(self->client);
        Py_END_ALLOW_THREADS
    }
    Py_XDECREF(self->monitor);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *get_kind(ds__py_client *self, void *unused) {
    if (!self->client) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(ds_client_kind(self->client) == DS_KIND_EMBEDDED ? "embedded"
                                                                                 : "remote");
}

static PyObject *get_default_db(ds__py_client *self, void *unused) {
    const char *name = self->client ? ds_client_default_db(self->client) : NULL;
    if (!name) {
        Py_RETURN_NONE;
    }
    return PyUnicode_FromString(name);
}

static PyObject *get_closed(ds__py_client *self, void *unused) {
    return PyBool_FromLong(self->closed);
}

#define WITH_KEYWORDS(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef client_methods[] = {
    {"run", WITH_KEYWORDS(client_run), METH_VARARGS | METH_KEYWORDS,
     "Run a command and return the reply; a refusal raises unless check is false."},
    {"run_raw", WITH_KEYWORDS(client_run_raw), METH_VARARGS | METH_KEYWORDS,
     "Run a command and return the reply as BSON bytes."},
    {"cursor", WITH_KEYWORDS(client_cursor), METH_VARARGS | METH_KEYWORDS,
     "Run a command that answers with a cursor and return the Cursor."},
    {"session", WITH_KEYWORDS(client_session), METH_VARARGS | METH_KEYWORDS, "Start a Session."},
    {"close", (PyCFunction)client_close, METH_NOARGS,
     "Close: what other threads run on an embedded store is ended and undone; sessions and cursors "
     "still open keep the store open until they end."},
    {"__enter__", client_enter, METH_NOARGS, NULL},
    {"__exit__", (PyCFunction)client_exit, METH_VARARGS, NULL},
    {NULL},
};

static PyGetSetDef client_getset[] = {
    {"kind", (getter)get_kind, NULL, "\"embedded\" or \"remote\"", NULL},
    {"default_db", (getter)get_default_db, NULL, "the database that the URI names, or None", NULL},
    {"closed", (getter)get_closed, NULL, "whether close() was called", NULL},
    {NULL},
};

static PyType_Slot client_slots[] = {
    {Py_tp_doc,
     DS_DOC("Client(uri, options=None, *, monitor=None, slow_us=-1): a store, embedded or "
            "remote.")},
    {Py_tp_new, client_new},
    {Py_tp_dealloc, client_dealloc},
    {Py_tp_traverse, client_traverse},
    {Py_tp_methods, client_methods},
    {Py_tp_getset, client_getset},
    {0, NULL},
};

static PyType_Spec client_spec = {
    .name = "mongodb._core.Client",
    .basicsize = sizeof(ds__py_client),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = client_slots,
};

int ds__py_add_client(PyObject *module, ds__pstate *state) {
    return ds__py_add_type(module, &client_spec, &state->client_type);
}
