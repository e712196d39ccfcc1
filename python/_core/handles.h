/* SPDX-License-Identifier: Apache-2.0 */
/* Client, Session and Cursor as Python sees them. A handle lent to a call that runs without the GIL
 * is counted, so that close() from another thread waits for the last of them. */
#ifndef DS_PY_HANDLES_H
#define DS_PY_HANDLES_H

#include "codec.h"

/* Python's interfaces take these as char * or void * though they only read them. */
#ifndef DS_KEYWORDS
#define DS_KEYWORDS(names) ((char **)(uintptr_t)(names))
#endif
#ifndef DS_DOC
#define DS_DOC(text) ((void *)(uintptr_t)(text))
#endif

typedef struct ds__py_client {
    PyObject_HEAD
        /* owned */
        ds_client *client; /* NULL once closed and no longer used */
    PyObject *monitor;     /* told of every command, or NULL */
    /* plain */
    Py_ssize_t users;    /* calls, sessions and cursors that need `client` */
    Py_ssize_t calls;    /* those of them that are calls: their threads are not in a forked child */
    uint32_t generation; /* of the process that counted the calls */
    int64_t slow_us;     /* the monitor hears of commands that took as long; -1: of all */
    size_t warned;       /* up to which warnings of the store were logged */
    bool closed;
} ds__py_client;

typedef struct ds__py_session {
    PyObject_HEAD
        /* owned */
        ds_session *session; /* NULL once closed */
    ds__py_client *client;
    /* plain */
    uint32_t generation; /* of the process that opened it */
    bool busy;           /* a thread is in a call with it */
} ds__py_session;

/* Whether a thread is in a call with it; those of a parent process are not here. */
bool ds__py_session_is_busy(const ds__py_session *session);

/* Takes the client for a call; false and an error when it is closed. */
bool ds__py_client_enter(ds__pstate *state, ds__py_client *client);
void ds__py_client_leave(ds__py_client *client);
/* The same for as long as a session, cursor or server lives; within a call. */
void ds__py_client_hold(ds__py_client *client);
void ds__py_client_release(ds__py_client *client);
/* `object` is None or a Session of this client that no other call uses; marks it busy. False: an
 * error is set. */
bool ds__py_session_enter(ds__pstate *state, ds__py_client *client, PyObject *object,
                          ds_session **out);
void ds__py_session_leave(PyObject *object);
/* Makes a Cursor for Client.cursor. */
PyObject *ds__py_cursor_new(ds__pstate *state, ds__py_client *client, PyObject *session,
                            ds_cursor *cursor, const ds__py_options *options);
PyObject *ds__py_session_new(ds__pstate *state, ds__py_client *client, PyObject *options);
/* A document from None or a mapping: *doc views buf. *given tells whether there is one. */
bool ds__py_optional_document(ds__pstate *state, PyObject *object, ds_buf *buf, bson_t *doc,
                              bool *given);
/* The ds_monitor_fn of a client: calls its callable. */
void ds__py_monitor(void *ctx, const ds_command_event *event);
/* The reply as a dict; with `check` a refusal is raised. Destroys the reply. */
PyObject *ds__py_take_reply(ds__pstate *state, bson_t *reply, bool check,
                            const ds__py_options *options);

#endif
