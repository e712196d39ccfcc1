/* SPDX-License-Identifier: Apache-2.0 */
/* The embedded engine's door: open a file, run commands as they stand on the wire. */
#ifndef DS_ENGINE_ENGINE_H
#define DS_ENGINE_ENGINE_H

#include "base/buf.h"
#include "base/error.h"
#include "bson/value.h"

/* One open store. Threads: ds__engine_run may be called from many at once. Fork: as ds_client in
 * docstore.h; the registries of sessions and cursors are empty in a child. */
typedef struct ds_engine ds_engine;

typedef struct ds__engine_options {
    bool full_durability; /* sync every commit */
    bool read_only;
    bool no_create;              /* fail when the file is not there */
    int32_t busy_timeout_ms;     /* 0: 30 s; how long a writer waits for another */
    int32_t idle_transaction_ms; /* 0: 10 s; how long a transaction that wrote may do nothing while
                                  * others wait to write */
    int32_t scan_threads;        /* as the next one: ds__store_options in store/store.h */
    int32_t share_after;
    int32_t cursor_memory_mb; /* 0: 256; what idle cursors and sessions may hold
                               * together */
} ds__engine_options;

/* Opens `path`, or a private temporary store for ":memory:". Errors: not a store, of a newer
 * version, no permission, locked. */
ds_engine *ds__engine_open(const char *path, const ds__engine_options *options, ds_error *err);
void ds__engine_close(ds_engine *engine);
/* As ds_client_warning. Threads: any. */
ds_notice ds__engine_warning(ds_engine *engine, size_t *next, char *out, size_t size);

/* Who sends a command. NULL, or without `me`, for callers in this process. */
typedef struct ds__engine_peer {
    const char *me;     /* "localhost:27017": the address clients came in on */
    const char *client; /* "127.0.0.1:51234": where they come from; NULL when not known */
    /* Asked about every 50 ms by the thread that runs the command, without locks: an error code
     * ends the command with it, 0 lets it go on. It may use the engine. May be NULL. */
    int32_t (*interrupt)(void *ctx);
    void *ctx;
    int64_t connection_id;
    bool remember; /* cursors and transactions of this peer end with it */
} ds__engine_peer;

/* Runs a command document ({find: "c", …}; `$db` wins over `db`; lsid, txnNumber, autocommit,
 * startTransaction as on the wire). The command must be validated BSON. Always writes a reply
 * document when it returns true, ok: 0 replies included. False: no memory, closed. */
bool ds__engine_run(ds_engine *engine, const ds__engine_peer *peer, const char *db,
                    ds_value command, ds_buf *reply, ds_error *err);

/* Gives memory back to the system that idle connections to the file keep as caches. */
void ds__engine_trim(ds_engine *engine);

/* Ends the commands of callers in this process that run now, with InterruptedAtShutdown. */
void ds__engine_interrupt(ds_engine *engine);

#endif
