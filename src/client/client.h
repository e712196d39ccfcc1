/* SPDX-License-Identifier: Apache-2.0 */
/* What the public handles hold; shared by client.c, session.c and cursor.c. */
#ifndef DS_CLIENT_CLIENT_H
#define DS_CLIENT_CLIENT_H

#include "client/backend.h"

struct ds_client {
    /* owned */
    ds__backend *backend;
    char *default_db;
};

struct ds_session {
    /* owned */
    ds__backend_session *backend_session;
    /* borrowed from the caller, who closes it later */
    ds_client *client;
    /* plain */
    uint32_t generation; /* of the process that opened it */
};

/* Whether a session or cursor of this generation belongs to this process; else the error says that
 * it is the parent's. */
bool ds__client_check_fork(uint32_t generation, const char *what, ds_error *err);

struct ds_engine;

/* The engine behind an embedded client, for rooms that serve it; NULL for a remote client. */
struct ds_engine *ds__client_engine(const ds_client *client);

/* As ds_client_run with a cursor's pin (see backend.h). */
bool ds__client_run_pinned(ds_client *client, ds_session *session, ds__backend_pin **pin,
                           const char *db, const bson_t *command, bson_t *reply, ds_error *err);

#endif
