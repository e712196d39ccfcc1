/* SPDX-License-Identifier: Apache-2.0 */
/* The client of either store: chooses the backend by the URI's scheme and guards its door. Callers'
 * BSON is checked for shape here, once; a backend may trust it. */
#include "client/client.h"

#include <string.h>

#include "base/fork.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bson/validate.h"

/* A database's name as MongoDB takes it on every platform. */
static bool check_db(const char *db, ds_error *err) {
    if (!db || !*db) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "a database name is needed");
    }
    size_t size = strlen(db);
    if (size > 63) {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "database name '%.32s...' has %zu bytes; at most 63 are allowed", db,
                             size);
    }
    size_t bad = strcspn(db, "/\\. \"$");
    if (bad < size && strcmp(db, "$external") != 0) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "database name '%s' must not contain '%c'",
                             db, db[bad]);
    }
    return true;
}

static bool check_command(const bson_t *command, ds_error *err) {
    if (!command) {
        return ds__error_set(err, DS_BAD_VALUE, "a command document is needed");
    }
    const uint8_t *bytes = bson_get_data(command);
    if (!ds__bson_validate(bytes, command->len, DS_MAX_COMMAND_DEPTH, err)) {
        return ds__error_prefix(err, "the command is not valid BSON: ");
    }
    if (command->len <= 5) {
        return ds__error_set(err, DS_BAD_VALUE, "the command document is empty");
    }
    return true;
}

static bool has_prefix(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static ds__backend *open_backend(const char *uri, const bson_t *options, char **default_db,
                                 ds_error *err) {
    if (has_prefix(uri, "docstore:")) {
        return ds__embedded_open(uri, options, default_db, err);
    }
    if (has_prefix(uri, "mongodb://") || has_prefix(uri, "mongodb+srv://")) {
        return ds__remote_open(uri, options, default_db, err);
    }
    size_t scheme = strcspn(uri, ":/?@");
    if (scheme > 24) {
        scheme = 24;
    }
    ds__error_set(err, DS_FAILED_TO_PARSE,
                  "unknown kind of store '%.*s': a URI begins with docstore://, mongodb:// or "
                  "mongodb+srv://",
                  (int)scheme, uri);
    return NULL;
}

DS_API ds_client *ds_client_open(const char *uri, const bson_t *options, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    if (!uri) {
        ds__error_set(err, DS_BAD_VALUE, "a URI is needed");
        return NULL;
    }
    ds_client *client = ds__alloc(sizeof *client);
    if (!client) {
        ds__error_oom(err);
        return NULL;
    }
    client->backend = open_backend(uri, options, &client->default_db, err);
    if (!client->backend) {
        ds_client_close(client);
        return NULL;
    }
    return client;
}

DS_API void ds_client_close(ds_client *client) {
    if (!client) {
        return;
    }
    if (client->backend) {
        client->backend->vtable->close(client->backend);
    }
    ds__free(client->default_db);
    ds__free(client);
}

DS_API ds_kind ds_client_kind(const ds_client *client) {
    return client->backend->kind;
}

DS_API void ds_client_set_interrupt(ds_client *client, ds_interrupt_fn interrupt, void *ctx) {
    if (client->backend->vtable->set_interrupt) {
        client->backend->vtable->set_interrupt(client->backend, interrupt, ctx);
    }
}

DS_API void ds_client_set_monitor(ds_client *client, ds_monitor_fn monitor, void *ctx) {
    client->backend->monitor = monitor;
    client->backend->monitor_ctx = ctx;
}

DS_API void ds_client_interrupt(ds_client *client) {
    if (client->backend->vtable->interrupt) {
        client->backend->vtable->interrupt(client->backend);
    }
}

DS_API const char *ds_client_default_db(const ds_client *client) {
    return client->default_db;
}

bool ds__client_check_fork(uint32_t generation, const char *what, ds_error *err) {
    return generation == ds__fork_generation()
               ? true
               : ds__error_set(err, DS_ILLEGAL_OPERATION,
                               "the %s was opened before fork() and stays with the parent process; "
                               "open another in the child",
                               what);
}

bool ds__client_run_pinned(ds_client *client, ds_session *session, ds__backend_pin **pin,
                           const char *db, const bson_t *command, bson_t *reply, ds_error *err) {
    *err = (ds_error){0};
    if (!check_db(db, err) || !check_command(command, err)) {
        bson_init(reply);
        return false;
    }
    if (session && session->client != client) {
        bson_init(reply);
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "the session belongs to another client; open one on this client");
    }
    if (session && !ds__client_check_fork(session->generation, "session", err)) {
        bson_init(reply);
        return false;
    }
    return client->backend->vtable->run(client->backend, session ? session->backend_session : NULL,
                                        pin, db, command, reply, err);
}

DS_API bool ds_client_run(ds_client *client, ds_session *session, const char *db,
                          const bson_t *command, bson_t *reply, ds_error *err) {
    ds_error local = {0};
    return ds__client_run_pinned(client, session, NULL, db, command, reply, err ? err : &local);
}

DS_API ds_notice ds_client_warning(ds_client *client, size_t *next, char *out, size_t size) {
    ds__backend *backend = client->backend;
    return backend->vtable->warning ? backend->vtable->warning(backend, next, out, size)
                                    : DS_NOTICE_NONE;
}

DS_API const char *ds_version(void) {
    return DS_VERSION;
}
