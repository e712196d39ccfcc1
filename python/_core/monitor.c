/* SPDX-License-Identifier: Apache-2.0 */
/* Tells a client's Python monitor of its commands: monitor(kind, name, db, body, host, port,
 * duration_us, error). It is called in the middle of a command, so nothing it does ends that.
 *
 * With a threshold it is told only the end of commands that took as long, with the command as the
 * body: nothing else takes the GIL or makes an object. */
#include "errors.h"
#include "handles.h"

#include "extension.h"

/* A document as a dict, None for none. NULL: an error is set. */
static PyObject *body_of(ds__pstate *state, const bson_t *body) {
    return body ? ds__py_decode_document(state, ds__document(bson_get_data(body)), NULL)
                : Py_NewRef(Py_None);
}

/* (code, name, message), None for none. NULL: an error is set. */
static PyObject *error_of(const ds_error *error) {
    char buf[32];
    if (!error) {
        return Py_NewRef(Py_None);
    }
    PyObject *message =
        PyUnicode_DecodeUTF8(error->message, (Py_ssize_t)strlen(error->message), "replace");
    return message
               ? Py_BuildValue("(isN)", (int)error->code, ds__code_name(error->code, buf), message)
               : NULL;
}

static void call(ds__py_client *client, const ds_command_event *event) {
    ds__pstate *state = ds__pstate_of_type(Py_TYPE(client));
    PyObject *body = state ? body_of(state, event->body) : NULL;
    if (!body) { /* what Python cannot hold (a date beyond its years): the event comes without */
        ds__py_pass_by(client->monitor);
        body = Py_NewRef(Py_None);
    }
    PyObject *error = error_of(event->error);
    PyObject *done =
        error ? PyObject_CallFunction(client->monitor, "iszOziLO", (int)event->kind, event->name,
                                      event->db, body, event->host, (int)event->port,
                                      (long long)event->duration_us, error)
              : NULL;
    Py_XDECREF(error);
    Py_DECREF(body);
    if (!done) {
        ds__py_pass_by(client->monitor);
    }
    Py_XDECREF(done);
}

enum { KEPT_BYTES = 4096 };

/* A command from its beginning to its end. */
typedef struct begun {
    char db[64];
    uint32_t size; /* 0: too large to keep */
    uint8_t body[];
} begun;

/* What this thread runs; listeners of such a client run no others between. Freed at its end. */
static _Thread_local begun *running;

static void keep(const ds_command_event *event) {
    const uint32_t size = event->body && event->body->len <= KEPT_BYTES ? event->body->len : 0;
    ds__free(running); /* its end was not told */
    running = ds__alloc(sizeof *running + size);
    if (running) {
        running->size = size;
        if (size) {
            memcpy(running->body, bson_get_data(event->body), size);
        }
        (void)snprintf(running->db, sizeof running->db, "%s", event->db ? event->db : "");
    }
}

static void tell(ds__py_client *client, const ds_command_event *event) {
    PyObject *type, *value, *traceback;
    if (!Py_IsInitialized()) {
        return;
    }
    PyGILState_STATE held = PyGILState_Ensure();
    PyErr_Fetch(&type, &value, &traceback); /* of a signal's handler, for the call to raise */
    call(client, event);
    PyErr_Restore(type, value, traceback);
    PyGILState_Release(held);
}

static void tell_slow(ds__py_client *client, const ds_command_event *event, const begun *ended) {
    bson_t body;
    ds_command_event slow = *event;
    slow.db = ended ? ended->db : "";
    slow.body =
        ended && ended->size && bson_init_static(&body, ended->body, ended->size) ? &body : NULL;
    tell(client, &slow);
}

void ds__py_monitor(void *ctx, const ds_command_event *event) {
    ds__py_client *client = ctx;
    if (client->slow_us < 0) {
        tell(client, event);
    } else if (event->kind == DS_EVENT_STARTED) {
        keep(event);
    } else {
        begun *ended = running;
        running = NULL;
        if (event->duration_us >= client->slow_us) {
            tell_slow(client, event, ended);
        }
        ds__free(ended);
    }
}
