/* SPDX-License-Identifier: Apache-2.0 */
/* The waist of mongodb-rest: open a store, run MongoDB commands, iterate cursors, use sessions.
 *
 * A store is named by a URI. `docstore:///path/file.docstore` and `docstore://:memory:` open the
 * embedded engine; `mongodb://` and `mongodb+srv://` open a MongoDB deployment. Every operation is
 * a command document; a command the store refuses is a reply with `ok: 0`, `code`, `codeName` and
 * `errmsg`, the same from both stores. A function fails (returns false, fills `err`) only when
 * there is no reply at all: no connection, no memory, a closed handle, malformed input. */
#ifndef DOCSTORE_DOCSTORE_H
#define DOCSTORE_DOCSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bson/bson.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DS_API __attribute__((visibility("default")))
#else
#define DS_API
#endif

/* The longest error message, its NUL included. */
#define DS_ERROR_MESSAGE_SIZE 504

/* Why a call failed. `code` is MongoDB's error code where it has one (`src/base/codes.def`).
 * Plain data: nothing to free. Valid only after the call returned false. */
typedef struct ds_error {
    int32_t code;
    char message[DS_ERROR_MESSAGE_SIZE];
} ds_error;

/* A client: pooled connections to one store. Threads: calls may share one client. Fork: the child
 * goes on with the client, on connections of its own; parent and child close it each for itself.
 * fork() waits up to 5 s for calls that run on an embedded store. A child forked later than that,
 * or while a transaction or snapshot was open on the file, gets IllegalOperation from every call.
 */
typedef struct ds_client ds_client;

/* A logical session. Threads: one at a time. Fork: it stays with the parent; in the child it can
 * only be closed, everything else is IllegalOperation. */
typedef struct ds_session ds_session;

/* An open cursor. Threads: one at a time. Fork: as ds_session; what was fetched before can be read
 * on. */
typedef struct ds_cursor ds_cursor;

/* What a step of a cursor found. */
typedef enum ds_next {
    DS_NEXT_ROW,     /* a document (or batch) was delivered */
    DS_NEXT_END,     /* there is no more */
    DS_NEXT_REFUSED, /* the store answered getMore with ok: 0; see ds_cursor_reply */
    DS_NEXT_ERROR    /* no reply at all; err is set */
} ds_next;

/* Which kind of store a client talks to. */
typedef enum ds_kind { DS_KIND_EMBEDDED, DS_KIND_REMOTE } ds_kind;

/* Opens the store that `uri` names. `options` may be NULL; its fields are URI options by name and
 * win over those in the URI (embedded: `durability` "normal" or "full", `busyTimeoutMS`,
 * `idleTransactionMS`,
 * `readOnly`, `create`; remote: every option of a MongoDB connection string). A remote store is not
 * contacted until the first command. Errors: bad URI or option, a file that is no store or is of a
 * newer version, no memory. The caller closes the client. */
DS_API ds_client *ds_client_open(const char *uri, const bson_t *options, ds_error *err);

/* Closes the client. Sessions and cursors of it must be closed before. NULL is allowed. */
DS_API void ds_client_close(ds_client *client);

/* Asked about every 50 ms, by the thread whose call runs, while a command of the embedded store
 * computes or waits; never at a commit nor under a lock. True ends the command: it is undone, and
 * its reply is the refusal Interrupted (11601). The function may run other commands, but one that
 * writes fails at once with LockTimeout (24) when the interrupted command writes. */
typedef bool (*ds_interrupt_fn)(void *ctx);

/* Sets that function, or none (NULL): before the first command. Remote stores never ask: there a
 * command ends with its reply or by the time limits of the connection string. */
DS_API void ds_client_set_interrupt(ds_client *client, ds_interrupt_fn interrupt, void *ctx);

/* Ends the commands of the embedded store that this process runs now, in other threads: their
 * replies are refusals, InterruptedAtShutdown (11600). Nothing for a remote store. Threads: any. */
DS_API void ds_client_interrupt(ds_client *client);

/* A step of one command. Lifetime, of all it points to: the call that is given it. */
typedef enum ds_event_kind { DS_EVENT_STARTED, DS_EVENT_SUCCEEDED, DS_EVENT_FAILED } ds_event_kind;
typedef struct ds_command_event {
    ds_event_kind kind;
    const char *name;      /* the command's first field */
    const char *db;        /* STARTED: the database; NULL otherwise */
    const bson_t *body;    /* STARTED: the command; else the reply, NULL when there is none */
    const ds_error *error; /* FAILED without a reply: why; NULL otherwise */
    const char *host;      /* the server or its socket; NULL for an embedded store */
    uint16_t port;         /* 0: a socket */
    int64_t duration_us;   /* 0 when STARTED */
} ds_command_event;

/* Told of every command that goes to the store, as it is sent and each time it is sent, those of
 * cursors and sessions included: STARTED, then SUCCEEDED or FAILED (a reply with ok: 0 is one), in
 * the thread that runs it and under no lock. The function may run other commands. */
typedef void (*ds_monitor_fn)(void *ctx, const ds_command_event *event);

/* Sets that function, or none (NULL): before the first command. */
DS_API void ds_client_set_monitor(ds_client *client, ds_monitor_fn monitor, void *ctx);

/* The kind of store behind the client. Never fails. */
DS_API ds_kind ds_client_kind(const ds_client *client);

/* The database named in the URI, or NULL. Lifetime: until the client closes. */
DS_API const char *ds_client_default_db(const ds_client *client);

/* Runs one command on database `db`. A refused command is a reply with ok: 0, not a failure.
 * `session` may be NULL; in a transaction the command becomes part of it. On true the caller owns
 * `reply` (bson_destroy); on false it is initialised and empty.
 * Errors: connection, memory, closed client, malformed BSON. Threads: calls may share a client. */
DS_API bool ds_client_run(ds_client *client, ds_session *session, const char *db,
                          const bson_t *command, bson_t *reply, ds_error *err);

/* Runs a command that answers with a cursor (find, aggregate, listCollections, listIndexes) and
 * opens it. When the store refuses the command the call succeeds, `*out` is NULL and `reply` is the
 * refusal; otherwise `reply` is empty. The caller owns both. `session` must outlive the cursor. */
DS_API bool ds_cursor_open(ds_client *client, ds_session *session, const char *db,
                           const bson_t *command, ds_cursor **out, bson_t *reply, ds_error *err);

/* The next document. Lifetime of `*doc`: until the next call on the cursor. `doc` is initialised
 * only on DS_NEXT_ROW and must not be destroyed. */
DS_API ds_next ds_cursor_next(ds_cursor *cursor, bson_t *doc, ds_error *err);

/* The next whole batch, for callers that keep documents longer than one step: `*reply` is the
 * store's reply, owned by the caller (bson_destroy), and `*batch` views the array of documents
 * inside it (Lifetime: that of `*reply`). Not to be mixed with ds_cursor_next within a batch. */
DS_API ds_next ds_cursor_batch(ds_cursor *cursor, bson_t *reply, bson_t *batch, ds_error *err);

/* The refusal after DS_NEXT_REFUSED. Lifetime: until the next call on the cursor. */
DS_API const bson_t *ds_cursor_reply(const ds_cursor *cursor);

/* The size of batches asked for from now on; 0 leaves it to the store. */
DS_API void ds_cursor_set_batch_size(ds_cursor *cursor, int32_t batch_size);

/* Whether the store may have more documents than were delivered. After DS_NEXT_END it is true for
 * a tailable cursor or a change stream: ask again later. */
DS_API bool ds_cursor_alive(const ds_cursor *cursor);

/* Closes the cursor, on the server too. NULL is allowed. */
DS_API void ds_cursor_close(ds_cursor *cursor);

/* Closes the cursor here only; the store closes it when it has been idle for long. For when the
 * cursor's session is closed or in use elsewhere. NULL is allowed. */
DS_API void ds_cursor_abandon(ds_cursor *cursor);

/* Starts a session. `options` may be NULL (`causalConsistency`, `snapshot`,
 * `defaultTransactionOptions`). The caller closes it before its client. */
DS_API ds_session *ds_session_open(ds_client *client, const bson_t *options, ds_error *err);

/* Ends the session; an open transaction is aborted. NULL is allowed. */
DS_API void ds_session_close(ds_session *session);

/* The session's lsid document `{id: UUID}`. Lifetime: the session's. */
DS_API const bson_t *ds_session_lsid(const ds_session *session);

/* Begins a transaction. `options` may be NULL (`readConcern`, `writeConcern`, `maxCommitTimeMS`).
 * Errors: a transaction is already in progress. Nothing is sent. */
DS_API bool ds_session_begin(ds_session *session, const bson_t *options, ds_error *err);

/* Commits. `reply` as in ds_client_run: a refusal (WriteConflict) is a reply with ok: 0 and
 * errorLabels. Errors: no transaction in progress; no reply. */
DS_API bool ds_session_commit(ds_session *session, bson_t *reply, ds_error *err);

/* Aborts. `reply` as in ds_client_run. Errors: no transaction in progress; no reply. */
DS_API bool ds_session_abort(ds_session *session, bson_t *reply, ds_error *err);

/* Whether a transaction is in progress. */
DS_API bool ds_session_in_transaction(const ds_session *session);

typedef enum ds_notice { DS_NOTICE_NONE, DS_NOTICE_INFO, DS_NOTICE_WARNING } ds_notice;

/* The next warning since the client was opened: what nobody asked for but somebody should know, as
 * a damaged log or a process that keeps the log from ending; or what is no reason to worry, as a
 * file that was upgraded (DS_NOTICE_INFO). `*next` is the reader's place: 0 at first, and moved
 * behind the warning. The last few are kept; those that are gone are passed over. DS_NOTICE_NONE
 * (0): there is none yet. Never fails; a remote store has none. */
DS_API ds_notice ds_client_warning(ds_client *client, size_t *next, char *out, size_t size);

/* The library's version, "major.minor.patch". */
DS_API const char *ds_version(void);

#ifdef __cplusplus
}
#endif

#endif
