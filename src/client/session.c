/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and transactions of either store. */
#include "client/client.h"

#include "base/fork.h"
#include "base/mem.h"

DS_API ds_session *ds_session_open(ds_client *client, const bson_t *options, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    ds_session *session = ds__alloc(sizeof *session);
    if (!session) {
        ds__error_oom(err);
        return NULL;
    }
    session->client = client;
    session->generation = ds__fork_generation();
    session->backend_session = client->backend->vtable->session_open(client->backend, options, err);
    if (!session->backend_session) {
        ds__free(session);
        return NULL;
    }
    return session;
}

static bool inherited(const ds_session *session) {
    return session->generation != ds__fork_generation();
}

DS_API void ds_session_close(ds_session *session) {
    if (!session) {
        return;
    }
    session->client->backend->vtable->session_close(session->backend_session, inherited(session));
    ds__free(session);
}

DS_API const bson_t *ds_session_lsid(const ds_session *session) {
    return session->client->backend->vtable->session_lsid(session->backend_session);
}

DS_API bool ds_session_begin(ds_session *session, const bson_t *options, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    if (!ds__client_check_fork(session->generation, "session", err)) {
        return false;
    }
    if (ds_session_in_transaction(session)) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "Transaction already in progress");
    }
    return session->client->backend->vtable->session_begin(session->backend_session, options, err);
}

static bool end(ds_session *session, bool commit, bson_t *reply, ds_error *err) {
    ds_error local = {0};
    err = err ? err : &local;
    *err = (ds_error){0};
    if (!ds__client_check_fork(session->generation, "session", err)) {
        bson_init(reply);
        return false;
    }
    return session->client->backend->vtable->session_end(session->backend_session, commit, reply,
                                                         err);
}

DS_API bool ds_session_commit(ds_session *session, bson_t *reply, ds_error *err) {
    return end(session, true, reply, err);
}

DS_API bool ds_session_abort(ds_session *session, bson_t *reply, ds_error *err) {
    return end(session, false, reply, err);
}

DS_API bool ds_session_in_transaction(const ds_session *session) {
    return !inherited(session) &&
           session->client->backend->vtable->session_in_transaction(session->backend_session);
}
