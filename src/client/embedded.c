/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine as a backend: docstore:// URIs and their options. */
#include "client/embedded.h"

#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "client/uri.h"

enum { LARGE = 64 * 1024 };

/* The reply's own memory, which its buffer writes to. libbson ends the process where it finds
 * none, so it is asked for before. */
static uint8_t *grow_reply(void *ctx, size_t size) {
    bson_t *reply = ctx;
    if (size > INT32_MAX) {
        return NULL; /* libbson would end the program */
    }
    if (size > LARGE) {
        void *probe = ds__realloc(NULL, size);
        if (!probe) {
            return NULL;
        }
        ds__free(probe);
    }
    reply->len = 0; /* libbson adds it to the size */
    return bson_reserve_buffer(reply, (uint32_t)size);
}

static int32_t ask_caller(void *ctx) {
    const ds__embedded *store = ctx;
    return store->interrupt(store->interrupt_ctx) ? DS_INTERRUPTED : 0;
}

/* What tidies up is not interrupted: it takes no time, and nobody would do it again. */
static bool tidies(ds_value command) {
    static const char *const names[] = {"abortTransaction", "commitTransaction", "endSessions",
                                        "killCursors"};
    ds__iter it;
    ds__iter_init(&it, command);
    bool found = false;
    if (ds__iter_next(&it)) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            found = found || strcmp(names[i], it.key) == 0;
        }
    }
    return found;
}

static bool run_unheard(ds__embedded *store, const char *db, ds_value command, bson_t *reply,
                        ds_error *err) {
    bool asks = store->interrupt && !tidies(command);
    const ds__engine_peer caller = {.interrupt = asks ? ask_caller : NULL, .ctx = store};
    bson_init(reply);
    ds_buf buf;
    ds_buf_init(&buf, DS_MAX_MESSAGE_SIZE + DS_MAX_INTERNAL_SIZE);
    buf.grow = grow_reply;
    buf.ctx = reply;
    bool ok =
        ds__engine_run(store->engine, &caller, db, command, &buf, err) && ds_buf_ok(&buf, err);
    if (ok) {
        reply->len = (uint32_t)buf.size;
    } else {
        bson_destroy(reply);
        bson_init(reply);
    }
    return ok;
}

/* Every command of the client comes by here. */
bool ds__embedded_run(ds__embedded *store, const char *db, ds_value command, bson_t *reply,
                      ds_error *err) {
    if (!store->base.monitor) {
        return run_unheard(store, db, command, reply, err);
    }
    bson_t view;
    ds__iter it;
    ds__iter_init(&it, command);
    if (!ds__iter_next(&it) || !bson_init_static(&view, command.as.bytes, command.size)) {
        bson_init(reply);
        return ds__error_set(err, DS_BAD_VALUE, "the command document is empty");
    }
    ds_command_event event = {.kind = DS_EVENT_STARTED, .name = it.key, .db = db, .body = &view};
    store->base.monitor(store->base.monitor_ctx, &event);
    int64_t begun = ds__clock_mono_us();
    bool ran = run_unheard(store, db, command, reply, err);
    bool ok = ran && ds__value_truthy(ds__doc_field(ds__document(bson_get_data(reply)), "ok"));
    event = (ds_command_event){.kind = ok ? DS_EVENT_SUCCEEDED : DS_EVENT_FAILED,
                               .name = it.key,
                               .body = ran ? reply : NULL,
                               .error = ran ? NULL : err,
                               .duration_us = ds__clock_mono_us() - begun};
    store->base.monitor(store->base.monitor_ctx, &event);
    return ran;
}

static bool embedded_run(ds__backend *self, ds__backend_session *session, ds__backend_pin **pin,
                         const char *db, const bson_t *command, bson_t *reply, ds_error *err) {
    ds__embedded *store = (ds__embedded *)self;
    ds_value value = ds__document(bson_get_data(command));
    if (session) {
        return ds__embedded_run_in(session, db, value, reply, err);
    }
    return ds__embedded_run(store, db, value, reply, err);
}

static ds_notice embedded_warning(ds__backend *self, size_t *next, char *out, size_t size) {
    return ds__engine_warning(((ds__embedded *)self)->engine, next, out, size);
}

static void embedded_close(ds__backend *self) {
    ds__embedded *store = (ds__embedded *)self;
    ds__engine_close(store->engine);
    ds__free(store);
}

static void set_interrupt(ds__backend *self, ds_interrupt_fn interrupt, void *ctx) {
    ds__embedded *store = (ds__embedded *)self;
    store->interrupt = interrupt;
    store->interrupt_ctx = ctx;
}

static void interrupt(ds__backend *self) {
    ds__engine_interrupt(((ds__embedded *)self)->engine);
}

static const ds__backend_vtable vtable = {
    .close = embedded_close,
    .run = embedded_run,
    .set_interrupt = set_interrupt,
    .interrupt = interrupt,
    .session_open = ds__embedded_session_open,
    .session_close = ds__embedded_session_close,
    .session_lsid = ds__embedded_session_lsid,
    .session_begin = ds__embedded_begin,
    .session_end = ds__embedded_end,
    .session_in_transaction = ds__embedded_in_transaction,
    .warning = embedded_warning,
};

typedef struct settings {
    ds__engine_options options;
    /* owned */
    char *database;
} settings;

/* One option of the URI or the options document. */
static bool set_option(settings *out, const char *name, size_t size, ds_value v, ds_error *err) {
    int64_t n = 0;
    bool flag = false;
    if (ds__uri_is(name, size, "durability")) {
        if (!ds__is_string(v, "normal") && !ds__is_string(v, "full")) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "option 'durability' must be \"normal\" or \"full\"");
        }
        out->options.full_durability = ds__is_string(v, "full");
        return true;
    }
    if (ds__uri_is(name, size, "busyTimeoutMS")) {
        if (!ds__option_int("busyTimeoutMS", v, 1, INT32_MAX, &n, err)) {
            return false;
        }
        out->options.busy_timeout_ms = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "cursorMemoryMB")) {
        if (!ds__option_int("cursorMemoryMB", v, 1, 1024 * 1024, &n, err)) {
            return false;
        }
        out->options.cursor_memory_mb = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "idleTransactionMS")) {
        if (!ds__option_int("idleTransactionMS", v, 1, INT32_MAX, &n, err)) {
            return false;
        }
        out->options.idle_transaction_ms = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "scanThreads")) {
        if (!ds__option_int("scanThreads", v, 1, 8, &n, err)) {
            return false;
        }
        out->options.scan_threads = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "scanShareAfter")) {
        if (!ds__option_int("scanShareAfter", v, 1, INT32_MAX, &n, err)) {
            return false;
        }
        out->options.share_after = (int32_t)n;
        return true;
    }
    if (ds__uri_is(name, size, "readOnly")) {
        return ds__option_bool("readOnly", v, &out->options.read_only, err);
    }
    if (ds__uri_is(name, size, "create")) {
        if (!ds__option_bool("create", v, &flag, err)) {
            return false;
        }
        out->options.no_create = !flag;
        return true;
    }
    if (ds__uri_is(name, size, "database")) {
        if (v.type != DS_STRING || v.size == 0) {
            return ds__error_set(err, DS_BAD_VALUE, "option 'database' must be a name");
        }
        ds__free(out->database);
        out->database = ds__strndup(ds__text(v), v.size);
        return out->database ? true : ds__error_oom(err);
    }
    return ds__error_set(err, DS_INVALID_OPTIONS,
                         "the embedded store has no option '%.*s'; it has busyTimeoutMS, create, "
                         "cursorMemoryMB, database, durability, idleTransactionMS, readOnly, "
                         "scanShareAfter and scanThreads",
                         (int)(size > 60 ? 60 : size), name);
}

static bool read_query(settings *out, const char *query, ds_error *err) {
    ds__uri_pair pair;
    ds_buf text = {0};
    bool found = false, ok = true;
    while ((ok = ds__uri_next(&query, &pair, &found, err)) && found) {
        ds_buf_reset(&text);
        ok = ds__uri_decode(&text, pair.value, pair.value_size, err) &&
             set_option(out, pair.name, pair.name_size,
                        ds__string((const char *)text.data, text.size), err);
        if (!ok) {
            break;
        }
    }
    ds_buf_clear(&text);
    return ok;
}

static bool read_options(settings *out, const bson_t *options, ds_error *err) {
    ds__iter it;
    if (!options) {
        return true;
    }
    ds__iter_init(&it, ds__document(bson_get_data(options)));
    while (ds__iter_next(&it)) {
        if (!set_option(out, it.key, it.key_size, it.value, err)) {
            return false;
        }
    }
    return true;
}

/* docstore:///abs/file, docstore://relative/file, docstore://:memory: */
static bool read_uri(const char *uri, const bson_t *options, settings *out, char **path,
                     ds_error *err) {
    const char *at = uri + strlen("docstore:");
    if (at[0] != '/' || at[1] != '/') {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "write docstore:///path/to/file.docstore, or docstore://:memory:");
    }
    at += 2;
    size_t size = strcspn(at, "?");
    ds_buf text = {0};
    bool ok = ds__uri_decode(&text, at, size, err);
    if (ok && text.size == 0) {
        ok = ds__error_set(err, DS_FAILED_TO_PARSE, "the URI '%.80s' names no file", uri);
    }
    ok =
        ok && (!at[size] || read_query(out, at + size + 1, err)) && read_options(out, options, err);
    if (ok) {
        *path = ds__strndup((const char *)text.data, text.size);
        ok = *path ? true : ds__error_oom(err);
    }
    ds_buf_clear(&text);
    return ok;
}

ds__backend *ds__embedded_open(const char *uri, const bson_t *options, char **default_db,
                               ds_error *err) {
    settings wanted = {0};
    char *path = NULL;
    ds__embedded *store = NULL;
    if (!read_uri(uri, options, &wanted, &path, err)) {
        goto done;
    }
    store = ds__alloc(sizeof *store);
    if (!store) {
        ds__error_oom(err);
        goto done;
    }
    store->base = (ds__backend){.vtable = &vtable, .kind = DS_KIND_EMBEDDED};
    store->engine = ds__engine_open(path, &wanted.options, err);
    if (!store->engine) {
        ds__free(store);
        store = NULL;
        goto done;
    }
    *default_db = wanted.database;
    wanted.database = NULL;
done:
    ds__free(wanted.database);
    ds__free(path);
    return store ? &store->base : NULL;
}

struct ds_engine *ds__client_engine(const ds_client *client) {
    return client->backend->kind == DS_KIND_EMBEDDED ? ((ds__embedded *)client->backend)->engine
                                                     : NULL;
}
