/* SPDX-License-Identifier: Apache-2.0 */
/* The two stores behind one client: what src/remote and the embedded adapter implement. */
#ifndef DS_CLIENT_BACKEND_H
#define DS_CLIENT_BACKEND_H

#include "base/error.h"

typedef struct ds__backend ds__backend;
typedef struct ds__backend_session ds__backend_session;

typedef struct ds__backend_vtable {
    void (*close)(ds__backend *self);
    /* As ds_client_run. `cursor_reply`: the command opens a cursor (the remote store pins it). */
    bool (*run)(ds__backend *self, ds__backend_session *session, const char *db,
                const bson_t *command, bson_t *reply, ds_error *err);
    ds__backend_session *(*session_open)(ds__backend *self, const bson_t *options, ds_error *err);
    void (*session_close)(ds__backend_session *session);
    const bson_t *(*session_lsid)(const ds__backend_session *session);
    bool (*session_begin)(ds__backend_session *session, const bson_t *options, ds_error *err);
    bool (*session_end)(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err);
    bool (*session_in_transaction)(const ds__backend_session *session);
} ds__backend_vtable;

struct ds__backend {
    const ds__backend_vtable *vtable;
};

/* mongodb:// and mongodb+srv://, through libmongoc. */
ds__backend *ds__remote_open(const char *uri, const bson_t *options, char **default_db,
                             ds_error *err);
/* docstore://, the embedded engine. */
ds__backend *ds__embedded_open(const char *uri, const bson_t *options, char **default_db,
                               ds_error *err);

#endif
