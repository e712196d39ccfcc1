/* SPDX-License-Identifier: Apache-2.0 */
/* libmongoc's failures as MongoDB's codes. Its messages name the address and the reason already. */
#include "remote/internal.h"

#include <stdio.h>
#include <string.h>

static bool mentions(const char *message, const char *word) {
    return strcasestr(message, word) != NULL;
}

static int32_t by_message(const char *message) {
    if (mentions(message, "authentication failed") || mentions(message, "auth failed")) {
        return DS_AUTHENTICATION_FAILED;
    }
    if (mentions(message, "failed to resolve")) {
        return DS_HOST_NOT_FOUND;
    }
    return DS_HOST_UNREACHABLE;
}

static int32_t stream_code(const bson_error_t *from) {
    if (from->code == MONGOC_ERROR_STREAM_NAME_RESOLUTION) {
        return DS_HOST_NOT_FOUND;
    }
    bool timeout = mentions(from->message, "timeout") || mentions(from->message, "timed out");
    return timeout ? DS_NETWORK_TIMEOUT : DS_HOST_UNREACHABLE;
}

static int32_t client_code(const bson_error_t *from) {
    switch (from->code) {
    case MONGOC_ERROR_CLIENT_AUTHENTICATE:
        return DS_AUTHENTICATION_FAILED;
    case MONGOC_ERROR_CLIENT_TOO_BIG:
        return DS_BSON_OBJECT_TOO_LARGE;
    case MONGOC_ERROR_CLIENT_SESSION_FAILURE:
        return by_message(from->message);
    default:
        return DS_ILLEGAL_OPERATION;
    }
}

static int32_t code_of(const bson_error_t *from) {
    switch (from->domain) {
    case MONGOC_ERROR_STREAM:
        return stream_code(from);
    case MONGOC_ERROR_SERVER_SELECTION:
        return by_message(from->message);
    case MONGOC_ERROR_CLIENT:
        return client_code(from);
    case MONGOC_ERROR_TRANSACTION:
        return from->code == MONGOC_ERROR_TRANSACTION_INVALID_STATE ? DS_NO_SUCH_TRANSACTION
                                                                    : DS_ILLEGAL_OPERATION;
    case MONGOC_ERROR_PROTOCOL:
        return from->code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION ? DS_INCOMPATIBLE_VERSION
                                                                    : DS_PROTOCOL_ERROR;
    case MONGOC_ERROR_BSON:
        return DS_INVALID_BSON;
    case MONGOC_ERROR_COMMAND:
    case MONGOC_ERROR_CURSOR:
        return DS_BAD_VALUE;
    case MONGOC_ERROR_SERVER:
        return from->code ? (int32_t)from->code : DS_UNKNOWN_ERROR;
    default:
        return DS_UNKNOWN_ERROR;
    }
}

/* Whom we talked to, when libmongoc does not say. */
static void add_hosts(ds_error *err, const mongoc_uri_t *uri) {
    const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri);
    const char *set = mongoc_uri_get_replica_set(uri);
    bool known = false;
    for (const mongoc_host_list_t *h = host; h; h = h->next) {
        known = known || mentions(err->message, h->host_and_port);
    }
    for (int i = 0; host && !known && i < 3; i++, host = host->next) {
        size_t at = strlen(err->message);
        snprintf(err->message + at, sizeof err->message - at, "%s%s%s%s", i ? ", " : " - ",
                 host->host_and_port, set ? ", as a member of replica set " : "", set ? set : "");
        set = NULL;
    }
}

bool ds__remote_error(ds_error *err, const bson_error_t *from, const mongoc_uri_t *uri) {
    ds__error_set(err, code_of(from), "%s",
                  from->message[0] ? from->message : "the server did not answer");
    if (uri && mentions(from->message, "failed to connect to")) {
        ds__remote_explain(err, uri);
    } else if (uri && (from->domain == MONGOC_ERROR_SERVER_SELECTION ||
                       err->code == DS_AUTHENTICATION_FAILED)) {
        add_hosts(err, uri);
    }
    return false;
}

bool ds__remote_is_network_error(const bson_error_t *from) {
    return from->domain == MONGOC_ERROR_STREAM;
}
