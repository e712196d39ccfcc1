/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions left open by clients that went away. An open transaction may hold the store's one
 * writer, so it is aborted as soon as the connection that carried it last has ended, not only when
 * its time is up. Drivers may carry one transaction over several connections of their pool. */
#include "wire/internal.h"

#include <string.h>

#include "base/mem.h"
#include "bson/writer.h"

struct ds__wire_transaction {
    ds__wire_transaction *next;
    uint8_t session[16];
    int64_t number;
    int64_t connection;
};

/* The session and number of a command inside a transaction. */
static bool read_names(ds_value command, uint8_t session[16], int64_t *number) {
    ds_value autocommit = ds__doc_field(command, "autocommit");
    if (autocommit.type != DS_BOOL || autocommit.as.b) {
        return false;
    }
    ds_value lsid = ds__doc_field(command, "lsid");
    ds_value id = lsid.type == DS_DOCUMENT ? ds__doc_field(lsid, "id") : ds__missing();
    if (id.type != DS_BINARY || id.size != 16) {
        return false;
    }
    memcpy(session, id.as.bytes, 16);
    return ds__value_exact_int64(ds__doc_field(command, "txnNumber"), number);
}

static bool ends(ds_value command) {
    ds__iter it;
    ds__iter_init(&it, command);
    return ds__iter_next(&it) &&
           (strcmp(it.key, "commitTransaction") == 0 || strcmp(it.key, "abortTransaction") == 0);
}

void ds__wire_note_transaction(ds__wire_connection *connection, ds_value command) {
    ds__wire_server *server = connection->server;
    uint8_t session[16];
    int64_t number = 0;
    if (!read_names(command, session, &number)) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    ds__wire_transaction **at = &server->transactions;
    while (*at && memcmp((*at)->session, session, sizeof session) != 0) {
        at = &(*at)->next;
    }
    if (ends(command)) {
        ds__wire_transaction *gone = *at;
        if (gone) {
            *at = gone->next;
            ds__free(gone);
        }
    } else {
        if (!*at) {
            *at = ds__alloc(sizeof **at); /* without memory: the engine's own time limit is left */
        }
        if (*at) {
            memcpy((*at)->session, session, sizeof session);
            (*at)->number = number;
            (*at)->connection = connection->id;
        }
    }
    pthread_mutex_unlock(&server->lock);
}

static void abort_transaction(ds__wire_server *server, const ds__wire_transaction *t) {
    ds_buf command = {0}, reply = {0};
    ds_error ignored;
    size_t root = ds__doc_begin(&command);
    ds__write_int32(&command, "abortTransaction", 1);
    size_t lsid = ds__write_doc(&command, "lsid", 4, DS_DOCUMENT);
    ds_value id = {.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = t->session};
    ds__write_value(&command, "id", 2, id);
    ds__doc_end(&command, lsid);
    ds__write_int64(&command, "txnNumber", t->number);
    ds__write_bool(&command, "autocommit", false);
    ds__write_str(&command, "$db", "admin");
    ds__doc_end(&command, root);
    if (ds_buf_ok(&command, &ignored)) {
        ds__engine_run(server->engine, NULL, "admin", ds__document(command.data), &reply, &ignored);
    }
    ds_buf_clear(&command);
    ds_buf_clear(&reply);
}

void ds__wire_abandon_transactions(ds__wire_connection *connection) {
    ds__wire_server *server = connection->server;
    ds__wire_transaction *left = NULL;
    pthread_mutex_lock(&server->lock);
    for (ds__wire_transaction **at = &server->transactions; *at;) {
        ds__wire_transaction *t = *at;
        if (t->connection == connection->id) {
            *at = t->next;
            t->next = left;
            left = t;
        } else {
            at = &t->next;
        }
    }
    pthread_mutex_unlock(&server->lock);
    while (left) {
        ds__wire_transaction *t = left;
        left = t->next;
        abort_transaction(server, t);
        ds__free(t);
    }
}
