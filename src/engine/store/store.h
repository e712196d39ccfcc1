/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite as an ordered store of bytes: one file, a pool of connections, transactions, savepoints.
 * It knows tables by numbers (rows.h, scan.h) and nothing of what is in them; the rooms above are
 * told of transactions by hooks. */
#ifndef DS_ENGINE_STORE_STORE_H
#define DS_ENGINE_STORE_STORE_H

#include "base/buf.h"
#include "base/error.h"
#include "bson/value.h"
#include "lang/env.h"

/* An open file. Threads: transactions may begin on many at once. Fork: idle connections are closed
 * before it; parent and child open their own at the next begin. A child forked while a transaction
 * was open cannot use the file (IllegalOperation). Threads that call these functions while others
 * fork do so between ds__fork_enter and ds__fork_exit (base/fork.h). */
typedef struct ds__store ds__store;

/* A transaction on one connection: a snapshot, and the right to write when begun or upgraded so.
 * Threads: one at a time; may move between threads. */
typedef struct ds__txn ds__txn;

typedef struct ds__store_options {
    bool full_durability; /* sync every commit */
    bool read_only;
    bool no_create;
    int32_t busy_timeout_ms; /* 0: 30 s */
    int32_t scan_threads;    /* of one scan at most; 0: as many as there are idle processors */
    int32_t share_after;     /* rows; a scan that goes on for longer has helpers; 0: 10,000 */
} ds__store_options;

/* The file's format, kept in user_version; application_id marks the file as ours. 1: pages without
 * checksums. 2: counts of collections in a table. Older ones are upgraded when they are opened by
 * who may write (docs/decisions/0012-format.md). */
enum { DS_STORE_FORMAT = 4, DS_STORE_APPLICATION_ID = 0x44535452 };

/* What a room above keeps in every transaction, and is told of it. Functions may be NULL. They are
 * called by who uses the transaction, in the order in which the rooms stand on the store; `end` and
 * `free` in the opposite one. */
typedef struct ds__txn_hooks {
    const char *schema; /* SQL of the tables it keeps, made in an empty file; or NULL */
    size_t size;        /* bytes of its state: zeroed when first used, kept between transactions */
    /* A snapshot was taken. When it fails the transaction ends at once. */
    bool (*begin)(ds__txn *txn, ds_error *err);
    /* A savepoint: `*mark` (NULL at first) is what to go back to. */
    bool (*mark)(ds__txn *txn, void **mark, ds_error *err);
    /* What was done since the mark is undone. When it fails the transaction is lost. */
    bool (*back)(ds__txn *txn, void *mark, ds_error *err);
    void (*forget)(void *mark);
    /* A writing one is about to be committed: the last moment to write. */
    bool (*commit)(ds__txn *txn, ds_error *err);
    void (*end)(ds__txn *txn, bool committed);
    void (*free)(void *state);
    /* Whether both tables are there in the transaction's snapshot (keys: 0 for none); asked of one
     * room. Errors: QueryPlanKilled. */
    bool (*has_tables)(ds__txn *txn, int64_t rows, int64_t keys, ds_error *err);
    void (*close)(void *shared); /* the store closes */
} ds__txn_hooks;
enum { DS_STORE_ROOMS = 2 }; /* at most */

/* Opens `path` or, for ":memory:", a private temporary file. Errors: FileNotOpen (missing with
 * no_create, no permission, not a docstore file), MustUpgrade (a newer format), LockTimeout,
 * OutOfDiskSpace, DataCorruptionDetected. `rooms` must live as long as the store. */
ds__store *ds__store_open(const char *path, const ds__store_options *options,
                          const ds__txn_hooks *const *rooms, size_t room_count, ds_error *err);
/* Transactions must have ended. NULL is allowed. */
void ds__store_close(ds__store *store);
/* The file's path. Lifetime: the store's. */
const char *ds__store_path(const ds__store *store);
bool ds__store_read_only(const ds__store *store);
/* The file's format: this program's, or an older one that may only be read. */
int ds__store_format(const ds__store *store);

typedef enum ds__txn_kind { DS_TXN_READ, DS_TXN_WRITE } ds__txn_kind;

/* How long somebody waits, and who may end that sooner. Zero-initialised: for nobody. The functions
 * may be NULL and are called without locks. */
typedef struct ds__wait {
    int64_t deadline_ms;        /* of ds__clock_mono_us / 1000; 0: none */
    ds__interrupt_fn interrupt; /* asked every few milliseconds, and within long statements */
    ds__interrupt_fn blocked;   /* asked while another transaction of this process writes */
    void (*writer)(void *ctx, bool taken); /* the right to write was taken, or given back */
    /* told how far long work has come; `what` is a constant, NULL at its end */
    void (*progress)(void *ctx, const char *what, int64_t done, int64_t total);
    void *ctx;
} ds__wait;

/* Begins; the snapshot is taken now. A write transaction waits for other writers up to the busy
 * timeout, or until the deadline of `wait` (NULL: none) if that is sooner. `wait` is then the
 * transaction's until ds__txn_watch. Errors: LockTimeout, MaxTimeMSExpired, what `wait` says,
 * OutOfDiskSpace, DataCorruptionDetected, IllegalOperation (writing to a read-only store). */
bool ds__txn_begin(ds__store *store, ds__txn_kind kind, const ds__wait *wait, ds__txn **out,
                   ds_error *err);
/* Who may interrupt the transaction's statements from now on; NULL: nobody. Nobody interrupts its
 * end. */
void ds__txn_watch(ds__txn *txn, const ds__wait *wait);
/* Tells who uses the transaction how far work within it has come. */
void ds__txn_progress(ds__txn *txn, const char *what, int64_t done, int64_t total);
/* The meter of the operation that uses the transaction now; NULL when none does. Validators,
 * partial indexes and index builds ask it. Borrowed until the next call. */
void ds__txn_bound(ds__txn *txn, ds_meter *meter);
/* Makes a read transaction a writing one, on the same snapshot; nothing when it is one already.
 * Errors: WriteConflict when another writer came in between (the transaction stays readable, and
 * can only be aborted by those who wanted to write). */
bool ds__txn_upgrade(ds__txn *txn, ds_error *err);
/* Commits and frees in every case. `sync`: the commit is on the disk before this returns (write
 * concern j: true). A failed commit has undone everything, unless that sync alone is what failed.
 * Errors: OutOfDiskSpace, … */
bool ds__txn_commit(ds__txn *txn, bool sync, ds_error *err);
/* Undoes everything and frees. NULL is allowed. The parent's, in a forked child, is left alone. */
void ds__txn_abort(ds__txn *txn);
/* For one read of a row, which is its own transaction: nothing is begun, no room is told. NULL: not
 * on a connection of today's. Who is to wait for others is not served; `wait` as above. */
ds__txn *ds__lone_open(ds__store *store, const ds__wait *wait);
/* Lets go of the row, and of the connection. */
void ds__lone_close(ds__txn *txn);
bool ds__txn_is_write(const ds__txn *txn);
/* Whether it writes and somebody, in whatever process, waits for that. By who uses the transaction.
 */
bool ds__txn_is_awaited(const ds__txn *txn);
/* Takes a turn of work that one process does for all: false when another took it less than
 * `every_ms` ago. 0: the turn goes on. */
bool ds__txn_claim(ds__txn *txn, int64_t every_ms);
/* Whether the transaction is lost: SQLite rolled it back (disk full, I/O), or a change that belongs
 * together was made in part (no memory). It can only be aborted. */
bool ds__txn_is_broken(const ds__txn *txn);
/* SQLite undoes a transaction at some failures, and would commit each later statement by itself:
 * none of them is run. NoSuchTransaction. */
bool ds__txn_can_write(const ds__txn *txn, ds_error *err);
/* Notes that what belongs together was changed in part: it can only be aborted from then on.
 * Returns false. */
bool ds__txn_break(ds__txn *txn);
ds__store *ds__txn_store(const ds__txn *txn);
/* The state of the room of that number. */
void *ds__txn_room(const ds__txn *txn, size_t room);
/* As ds__txn_bound gave it. */
ds_meter *ds__txn_meter(const ds__txn *txn);
/* Bytes of memory the transaction's connection takes, about; gives back what can be read again. By
 * who uses the transaction. */
size_t ds__txn_bytes(const ds__txn *txn);
void ds__txn_trim(ds__txn *txn);

/* Savepoints nest like brackets; the number names one (1 is the outermost). Write transactions
 * only. */
bool ds__txn_savepoint(ds__txn *txn, int *out, ds_error *err);
/* Keeps what was done since. */
bool ds__txn_release(ds__txn *txn, int savepoint, ds_error *err);
/* Undoes what was done since and removes the savepoint. */
bool ds__txn_rollback(ds__txn *txn, int savepoint, ds_error *err);

/* More to say about the last failure in this transaction: a document whose fields belong beside
 * code and errmsg, or DS_MISSING. Lifetime: until the next call with the transaction. */
ds_value ds__txn_error_details(const ds__txn *txn);
/* Where it is written by who fails: a document, or empty. */
ds_buf *ds__txn_details(ds__txn *txn);

/* What the room of that number shares between transactions, under the store's lock: held for a
 * moment, nothing is called meanwhile. */
void **ds__store_lock_shared(ds__store *store, size_t room);
void ds__store_unlock_shared(ds__store *store);

/* Gives back the page caches of connections that nobody uses now. */
void ds__store_trim(ds__store *store);

/* As ds_client_warning. Threads: any. */
ds_notice ds__store_warning(ds__store *store, size_t *next, char *out, size_t size);
enum { DS_WARNING_SIZE = 400 };

/* How many times as long as it may be the log is: 0, or more when something keeps it from ending.
 * Threads: any. */
int ds__store_log_pressure(const ds__store *store);

#endif
