/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the store: connections, their statements, the fields of a transaction. The one header that
 * shows SQLite, to store/ and, for its own tables, catalog/. */
#ifndef DS_ENGINE_STORE_INTERNAL_H
#define DS_ENGINE_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>
#include <sys/types.h>

#include "base/fork.h"
#include "base/map.h"
#include "engine/store/queue.h"
#include "engine/store/scan.h"
#include "engine/store/shared.h"
#include "engine/store/store.h"
#include "engine/store/vfs.h"

/* What a statement does; with the id of a table or index it names one in a connection's cache. */
typedef enum ds__stmt_kind {
    DS_STMT_BEGIN_READ,
    DS_STMT_BEGIN_WRITE,
    DS_STMT_VERSION,     /* the catalog's version */
    DS_STMT_TAIL,        /* the tail's bytes */
    DS_STMT_RETRY_GET,   /* session */
    DS_STMT_RETRY_PUT,   /* session and its row */
    DS_STMT_INSERT,      /* doc, rid */
    DS_STMT_REPLACE,     /* doc, rid */
    DS_STMT_DELETE,      /* rid */
    DS_STMT_GET,         /* rid */
    DS_STMT_SCAN,        /* from rid, upwards */
    DS_STMT_SCAN_BACK,   /* from rid, downwards */
    DS_STMT_KEY_INSERT,  /* key, rid */
    DS_STMT_KEYS_INSERT, /* the same, DS_KEYS_AT_ONCE of them */
    DS_STMT_KEY_DELETE,  /* key, rid */
    DS_STMT_GET_BY_KEY,  /* key: rid, doc (unique indexes) */
    DS_STMT_KEYS,        /* key, rid: from there upwards */
    DS_STMT_KEYS_BACK,
    DS_STMT_KEYS_DOC, /* the same with documents */
    DS_STMT_KEYS_DOC_BACK,
    DS_STMT_KINDS
} ds__stmt_kind;

typedef struct ds__stmt ds__stmt;
typedef struct ds__stmt_list ds__stmt_list;
struct ds__stmt {
    sqlite3_stmt *raw;
    ds__stmt *next;      /* idle, of the same name */
    ds__stmt_list *list; /* where it belongs */
};

/* One connection: used by one transaction, so by one thread, at a time. */
struct ds__conn {
    /* owned */
    sqlite3 *db;
    sqlite3_stmt *commit; /* both prepared: a transaction's end needs no memory */
    sqlite3_stmt *rollback;
    ds_map lists;   /* name -> ds__stmt_list */
    ds__conn *next; /* in the pool */
    ds__txn *txn;   /* its one transaction, running or to be used again */
    /* borrowed */
    ds__store *store;
    /* plain */
    uint32_t generation; /* of the process that opened it */
    size_t prepared;     /* statements alive, idle or not */
    int64_t deadline_ms; /* busy handler: until when to wait */
    ds__place place;     /* among those who wait to write */
    ds__wait wait;       /* of the command that uses it now; its context is borrowed */
    ds_error stopped;    /* what ended a wait or a statement, when `code` is set */
    size_t cached;       /* bytes its page cache held when it was put down */
    int cache_kib;       /* what its page cache may grow to */
    bool yields;         /* busy handler: gives up when the process forks, */
    bool yielded;        /* and has done so; */
    bool to_write;       /* it waits for the right to write */
    bool has_retries;    /* it has seen the table ds_retry */
};

enum { DS_STORE_WARNINGS = 8, DS_CACHE_KIB = 32 * 1024 };

struct ds__store {
    ds__fork_member fork; /* first: fork.c finds the store by it */
    /* owned */
    char *path;
    char *temp_dir; /* ":memory:": the directory the file is in */
    ds__conn *pool;
    void *shared[DS_STORE_ROOMS]; /* what the rooms above share between transactions */
    pthread_mutex_t lock;         /* pool, shared, writing, counters */
    pthread_cond_t idle_writer;
    /* borrowed */
    const ds__txn_hooks *const *rooms;
    /* plain */
    size_t room_count;
    ds__store_options options;
    int format; /* the file's, when it was opened or upgraded */
    bool in_memory;
    bool writing;         /* a transaction of this process writes */
    int64_t slice_us;     /* by who writes: since when it does not queue behind other processes */
    int64_t log_limit;    /* bytes of the log from which on something keeps it from ending */
    int64_t log_warned;   /* atomic: its size at the last warning */
    bool log_busy;        /* atomic: a thread ends it; the next three are its own */
    int log_tried;        /* atomic: its frames when ending it was tried last, */
    int64_t log_tried_ms; /* when it was written back last */
    uint32_t log_stuck;   /* how many of them were in the file when that failed, */
    int log_wait_ms;      /* how long readers were waited for; 0: not yet */
    size_t warning_count; /* atomic */
    char warnings[DS_STORE_WARNINGS][DS_WARNING_SIZE]; /* the last ones, */
    ds_notice notices[DS_STORE_WARNINGS];              /* and what they are */
    size_t retry_bytes;      /* these two by who writes: since retry_pruned_ms, about */
    int64_t retry_pruned_ms; /* of ds__clock_mono_us / 1000 */
    size_t pooled;
    size_t pool_cached; /* bytes, of the connections in the pool */
    size_t active;      /* transactions running */
    size_t helpers;     /* threads of scans, beside those of transactions */
    int lock_fd;        /* ":memory:": flock of the directory's lock file */
};

/* What the rooms above keep of a savepoint. */
typedef struct ds__savepoint {
    void *marks[DS_STORE_ROOMS];
} ds__savepoint;

/* The greatest record id: of no document. */
#define DS_TAIL_RID INT64_MAX

/* The last row of a table of rows, as a transaction knows it; see tails.c. */
typedef struct ds__tail {
    int64_t rows; /* the table */
    int64_t count;
    int64_t bytes;
    int64_t next;      /* never lowered, not by going back to a savepoint either */
    uint32_t inserted; /* in this transaction */
    bool changed;      /* to be written */
    bool doubted;      /* the table may be gone: dropped, or not made by what was undone */
} ds__tail;

/* How many collections' rows of ds__row_get live at a time. */
enum { DS_STORE_GETS = 16 };

struct ds__txn {
    /* borrowed */
    ds__conn *conn;
    ds__store *store;
    ds_meter *meter; /* see ds__txn_bound */
    /* owned */
    void *rooms[DS_STORE_ROOMS]; /* the state of each room above */
    ds__scan *scans;             /* open and not paused */
    ds__savepoint *savepoints;
    ds__tail *tails;
    ds_buf details;
    ds_buf stored;                 /* a document as it is written: with its checksum */
    ds__stmt *gets[DS_STORE_GETS]; /* rows of the last ds__row_get per table */
    /* plain */
    size_t get_at; /* the slot of gets to give up next */
    size_t savepoint_count;
    size_t savepoint_cap;
    size_t tail_count;
    size_t tail_cap;
    uint32_t tails_at; /* see ds__conn_changes: when they were as in the file */
    bool tails_kept;   /* they were at the end of the last transaction, or are of this one */
    bool write;
    bool broken;
};

/* file.c: whether the path names a store or may become one; makes an empty file. */
bool ds__store_check_path(const ds__store *store, ds_error *err);
/* format.c: reads the mark of the file; makes an empty one ours. */
bool ds__store_check_format(ds__conn *conn, ds_error *err);
/* Whether a newer program has upgraded the file meanwhile, as of the transaction. An upgrade raises
 * the catalog's version, so whoever finds another one asks. Errors: MustUpgrade. */
bool ds__store_check_newer(ds__txn *txn, ds_error *err);
/* upgrade.c: makes a file of an older format one of this, whole or not at all, and says so. */
bool ds__store_upgrade(ds__conn *conn, ds_error *err);
/* SQL of the store's own tables in an empty file. */
extern const char ds__store_schema[];
/* memory.c: the directory of a ":memory:" store. */
bool ds__store_make_temp(ds__store *store, ds_error *err);
void ds__store_leave_temp(ds__store *store);

/* pool.c */
/* A connection from the pool, or a new one; NULL with an error. */
ds__conn *ds__store_take_conn(ds__store *store, ds_error *err);
/* Gives it back; a damaged one is closed. */
void ds__store_give_conn(ds__store *store, ds__conn *conn, bool damaged);

/* fork.c */
void ds__store_join_forks(ds__store *store);
/* Whether SQLite may open the file in this process. Errors: IllegalOperation in a child forked at a
 * moment that left SQLite's state of the file to it. */
bool ds__store_check_fork(const char *path, ds_error *err);

/* readers.c: SQLite's hook after each commit. Writes the log back into the file, and warns of who
 * keeps it from ending. */
int ds__log_hook(void *conn, sqlite3 *db, const char *name, int frames);
/* Waits while the log is being ended, in whatever process; before a transaction that reads. False,
 * with conn->stopped, when its command is ended. */
bool ds__log_wait(ds__conn *conn);

/* warnings.c */
void ds__store_warn(ds__store *store, const char *fmt, ...) DS_PRINTF(2, 3);
/* Says what is no reason to worry. */
void ds__store_inform(ds__store *store, const char *fmt, ...) DS_PRINTF(2, 3);

/* conn.c */
ds__conn *ds__conn_open(ds__store *store, ds_error *err);
void ds__conn_close(ds__conn *conn);
/* Whether who waits with it for SQLite may go on doing so; when not, conn->stopped may say why. */
bool ds__conn_may_wait(ds__conn *conn);
/* Whether it was opened by the parent of this process: nothing may be done with it. */
bool ds__conn_is_foreign(const ds__conn *conn);
/* Sets the size of the page cache; anew once the file has its own size of pages. DS_CACHE_KIB is
 * what one may have at most. */
bool ds__conn_limit_cache(ds__conn *conn, ds_error *err);
/* A statement by name, prepared or taken from the cache; give it back with ds__conn_give. */
ds__stmt *ds__conn_take(ds__conn *conn, ds__stmt_kind kind, int64_t id, bool unique, int64_t coll,
                        ds_error *err);
uint64_t ds__stmt_name(ds__stmt_kind kind, int64_t id);
bool ds__stmt_is(const ds__stmt *stmt, uint64_t name);
/* Resets it. */
void ds__conn_give(ds__conn *conn, ds__stmt *stmt);
/* Forgets cached statements: after a table was dropped. */
void ds__conn_flush(ds__conn *conn);
/* Runs SQL without results. */
bool ds__conn_exec(ds__conn *conn, const char *sql, ds_error *err);
/* One integer of a query without parameters; `fallback` when there is no row. */
bool ds__conn_int(ds__conn *conn, const char *sql, int64_t fallback, int64_t *out, ds_error *err);
/* A number that is another one after each change of the file, whoever made it, as the snapshot has
 * it that was read last. */
bool ds__conn_changes(ds__conn *conn, uint32_t *out);
/* The error for SQLite's result code in MongoDB's terms. */
bool ds__conn_error(ds__conn *conn, int rc, ds_error *err);

/* As ds__conn_error, and notes when the transaction is lost. */
bool ds__txn_fail(ds__txn *txn, int rc, ds_error *err);
/* Runs a statement that gives no rows, then gives it back. */
bool ds__txn_step_done(ds__txn *txn, ds__stmt *stmt, ds_error *err);
/* rows.c */
/* The document in a row's bytes, as long as it says it is; `doubted`: its checksum is asked. */
bool ds__row_read(const uint8_t *bytes, size_t size, bool doubted, ds_value *out);
/* A row's document, its checksum asked. */
bool ds__row_document(ds__txn *txn, sqlite3_stmt *raw, int column, ds_value *out, ds_error *err);
/* Lets go of the rows of ds__row_get. */
void ds__rows_detach(ds__txn *txn);
void ds__stmt_bind_key(sqlite3_stmt *raw, const uint8_t *key, size_t size);

/* txn.c, for conn.c */
void ds__txn_free(ds__txn *txn);

/* tails.c */
/* The tail of a table just made. */
bool ds__tail_make(ds__txn *txn, int64_t rows, ds_error *err);
/* The record id of a new row. */
bool ds__tail_next(ds__txn *txn, int64_t rows, int64_t *rid, ds_error *err);
/* Has it written at the commit: before all rows are removed. */
bool ds__tail_keep(ds__txn *txn, int64_t rows, ds_error *err);
/* The table may be gone (0: all may be). */
void ds__tails_doubt(ds__txn *txn, int64_t rows);
/* Writes those that changed: the last thing before a commit. */
bool ds__tails_write(ds__txn *txn, ds_error *err);
/* A transaction has its snapshot: it goes on with the tails of the last one on the connection when
 * nobody else has committed since. And it has ended. */
void ds__tails_begin(ds__txn *txn);
void ds__tails_end(ds__txn *txn, bool committed);
/* The row's bytes, with their checksum. */
bool ds__tail_bytes(const ds__tail *tail, ds_buf *out, ds_error *err);

#endif
