/* SPDX-License-Identifier: Apache-2.0 */
/* The two stores behind one client: what src/remote and the embedded adapter implement. */
#ifndef DS_CLIENT_BACKEND_H
#define DS_CLIENT_BACKEND_H

#include "base/error.h"

typedef struct ds__backend ds__backend;
typedef struct ds__backend_session ds__backend_session;
/* What must stay the same between a cursor's commands: the server, the connection, the session. */
typedef struct ds__backend_pin ds__backend_pin;

typedef struct ds__backend_vtable {
    void (*close)(ds__backend *self);
    /* As ds_client_run. `pin` is NULL for a plain command; otherwise the command belongs to a
     * cursor: `*pin` is NULL when it opens one (the backend may set it), and what was set then for
     * the getMore and killCursors that follow. The caller hands it back to `unpin`. */
    bool (*run)(ds__backend *self, ds__backend_session *session, ds__backend_pin **pin,
                const char *db, const bson_t *command, bson_t *reply, ds_error *err);
    /* As ds_client_set_interrupt and ds_client_interrupt; NULL when the backend does neither. */
    void (*set_interrupt)(ds__backend *self, ds_interrupt_fn interrupt, void *ctx);
    void (*interrupt)(ds__backend *self);
    /* NULL when the backend never pins. `inherited`, here and below: opened by the parent of this
     * process; only memory is freed, and nothing else of the vtable is called with it. */
    void (*unpin)(ds__backend *self, ds__backend_pin *pin, bool inherited);
    ds__backend_session *(*session_open)(ds__backend *self, const bson_t *options, ds_error *err);
    void (*session_close)(ds__backend_session *session, bool inherited);
    const bson_t *(*session_lsid)(const ds__backend_session *session);
    bool (*session_begin)(ds__backend_session *session, const bson_t *options, ds_error *err);
    bool (*session_end)(ds__backend_session *session, bool commit, bson_t *reply, ds_error *err);
    bool (*session_in_transaction)(const ds__backend_session *session);
    /* As ds_client_warning; NULL when the backend has none. */
    ds_notice (*warning)(ds__backend *self, size_t *next, char *out, size_t size);
} ds__backend_vtable;

struct ds__backend {
    const ds__backend_vtable *vtable;
    ds_kind kind;
    /* borrowed from the caller: see ds_client_set_monitor */
    ds_monitor_fn monitor; /* may be NULL */
    void *monitor_ctx;
};

/* mongodb:// and mongodb+srv://, through libmongoc. `*default_db` is the caller's (ds__free). */
ds__backend *ds__remote_open(const char *uri, const bson_t *options, char **default_db,
                             ds_error *err);
/* docstore://, the embedded engine. */
ds__backend *ds__embedded_open(const char *uri, const bson_t *options, char **default_db,
                               ds_error *err);

#endif
