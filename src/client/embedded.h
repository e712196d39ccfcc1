/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine as a backend, and its sessions. */
#ifndef DS_CLIENT_EMBEDDED_H
#define DS_CLIENT_EMBEDDED_H

#include "bson/value.h"
#include "client/client.h"
#include "engine/engine.h"

typedef struct ds__embedded {
    ds__backend base;
    /* owned */
    ds_engine *engine;
    /* borrowed from the caller */
    ds_interrupt_fn interrupt; /* may be NULL */
    void *interrupt_ctx;
} ds__embedded;

/* Every command of the client comes by here: as ds_client_run without a session. */
bool ds__embedded_run(ds__embedded *store, const char *db, ds_value command, bson_t *reply,
                      ds_error *err);
/* As ds_client_run, in this session. */
bool ds__embedded_run_in(ds__backend_session *session, const char *db, ds_value command,
                         bson_t *reply, ds_error *err);

/* What the table of a backend names (see backend.h). */
ds__backend_session *ds__embedded_session_open(ds__backend *self, const bson_t *options,
                                               ds_error *err);
void ds__embedded_session_close(ds__backend_session *session, bool inherited);
const bson_t *ds__embedded_session_lsid(const ds__backend_session *session);
bool ds__embedded_begin(ds__backend_session *session, const bson_t *options, ds_error *err);
bool ds__embedded_end(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err);
bool ds__embedded_in_transaction(const ds__backend_session *session);

#endif
