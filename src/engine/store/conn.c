/* SPDX-License-Identifier: Apache-2.0 */
/* One SQLite connection: its settings, its cache of prepared statements, and SQLite's result codes
 * told as MongoDB's errors. Statements are cached by what they do and the table they do it on. */
#include "engine/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/system.h"

/* The idle statements of one name; kept until the connection closes. */
struct ds__stmt_list {
    ds__stmt *idle;
    uint64_t name;
};

enum { MAX_PREPARED = 512, STEPS_BETWEEN_CHECKS = 2000 };

/* A page whose checksum does not fit, or what SQLite found wrong itself. */
static bool damaged(ds__conn *conn, const char *text, ds_error *err) {
    bool in_log = false;
    const uint32_t page = conn ? ds__vfs_bad_page(conn->db, &in_log) : 0;
    const char *path = conn ? conn->store->path : "";
    if (!page) {
        return ds__error_set(err, DS_DATA_CORRUPTION_DETECTED, "the store '%s' is damaged: %s",
                             path, text);
    }
    return ds__error_set(err, DS_DATA_CORRUPTION_DETECTED,
                         "the store '%s' is damaged: page %u%s is not as it was written", path,
                         page, in_log ? " in its log" : "");
}

/* SQLite says the same for every reason not to open a file; the system knows which. */
static const char *open_reason(ds__conn *conn, const char *text) {
    int reason = conn && conn->db ? sqlite3_system_errno(conn->db) : 0;
    if (reason == ENOENT) {
        return "its folder does not exist";
    }
    return reason ? ds__system_error(reason) : text;
}

bool ds__conn_error(ds__conn *conn, int rc, ds_error *err) {
    const char *text = conn && conn->db ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc);
    const char *path = conn ? conn->store->path : "";
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return ds__error_oom(err);
    case SQLITE_FULL:
        return ds__error_set(err, DS_OUT_OF_DISK_SPACE,
                             "no space left on the device of '%s'; the operation was undone", path);
    case SQLITE_CORRUPT:
        return damaged(conn, text, err);
    case SQLITE_NOTADB:
        return ds__error_set(err, DS_FILE_NOT_OPEN, "'%s' is not a docstore file", path);
    case SQLITE_BUSY:
        if (conn && conn->stopped.code) {
            *err = conn->stopped;
            return false;
        }
        if (rc == SQLITE_BUSY_SNAPSHOT) {
            return ds__error_set(err, DS_WRITE_CONFLICT,
                                 "WriteConflict error: this operation conflicted with another "
                                 "operation. Please retry your operation or multi-document "
                                 "transaction.");
        }
        return ds__error_set(err, DS_LOCK_TIMEOUT,
                             "Unable to acquire the write lock of '%s': another writer held it "
                             "all the time allowed",
                             path);
    case SQLITE_LOCKED:
        return ds__error_set(err, DS_LOCK_TIMEOUT, "'%s' is in use by this operation: %s", path,
                             text);
    case SQLITE_READONLY:
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "the store '%s' is read-only", path);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", path,
                             open_reason(conn, text));
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM) {
            return ds__error_oom(err);
        }
        if (conn && conn->db && sqlite3_system_errno(conn->db) == ENOSPC) {
            return ds__error_set(err, DS_OUT_OF_DISK_SPACE,
                                 "no space left on the device of '%s'; the operation was undone",
                                 path);
        }
        return ds__error_set(err, DS_FILE_STREAM_FAILED, "reading or writing '%s' failed: %s", path,
                             text);
    case SQLITE_INTERRUPT:
        if (conn && conn->stopped.code) {
            *err = conn->stopped;
            return false;
        }
        return ds__error_set(err, DS_INTERRUPTED, "operation was interrupted");
    case SQLITE_TOOBIG:
        return ds__error_set(err, DS_BSON_OBJECT_TOO_LARGE, "the document is too large to store");
    default:
        return ds__error_set(err, DS_INTERNAL_ERROR, "storage of '%s' failed: %s (%d)", path, text,
                             rc);
    }
}

/* Whether the command that uses the connection may go on. */
static bool wanted(ds__conn *conn) {
    return !conn->wait.interrupt || conn->wait.interrupt(conn->wait.ctx, &conn->stopped);
}

/* SQLite's progress handler: other than 0 ends the statement. */
static int on_progress(void *arg) {
    return !wanted(arg);
}

/* Until the deadline or a fork. */
bool ds__conn_may_wait(ds__conn *conn) {
    const int64_t now = ds__clock_mono_us() / 1000;
    conn->yielded = conn->yields && ds__fork_pending();
    if (now >= conn->deadline_ms || conn->yielded || !wanted(conn)) {
        return false;
    }
    if (conn->to_write && conn->yields) {
        ds__shared_tell_waiting(conn->db, now);
    }
    return true;
}

/* Waits in the queue of writers, or a little longer each time. */
static int on_busy(void *arg, int count) {
    static const int delays_us[] = {50, 100, 200, 500, 1000, 2000, 5000};
    const int last = (int)(sizeof delays_us / sizeof delays_us[0]) - 1;
    ds__conn *conn = arg;
    if (!ds__conn_may_wait(conn)) {
        return 0;
    }
    if (conn->to_write) {
        ds__queue_wait(conn);
    } else {
        usleep((useconds_t)delays_us[count < last ? count : last]);
    }
    return 1;
}

bool ds__conn_exec(ds__conn *conn, const char *sql, ds_error *err) {
    int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || ds__conn_error(conn, sqlite3_extended_errcode(conn->db), err);
}

bool ds__conn_int(ds__conn *conn, const char *sql, int64_t fallback, int64_t *out, ds_error *err) {
    sqlite3_stmt *stmt = NULL;
    *out = fallback;
    int rc = sqlite3_prepare_v2(conn->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            *out = sqlite3_column_int64(stmt, 0);
            rc = SQLITE_OK;
        } else if (rc == SQLITE_DONE) {
            rc = SQLITE_OK;
        }
    }
    bool ok = rc == SQLITE_OK || ds__conn_error(conn, sqlite3_extended_errcode(conn->db), err);
    sqlite3_finalize(stmt);
    return ok;
}

bool ds__conn_changes(ds__conn *conn, uint32_t *out) {
    return sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_DATA_VERSION, out) == SQLITE_OK;
}

/* SQLite counts the cache in pages of the size it knows when it is told. */
bool ds__conn_limit_cache(ds__conn *conn, ds_error *err) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%d", conn->cache_kib);
    return ds__conn_exec(conn, sql, err);
}

/* What recovery left out of the log was acknowledged once, or was damaged. */
static void warn_of_rest(ds__conn *conn) {
    ds__log_rest rest;
    if (ds__vfs_take_rest(conn->db, &rest)) {
        ds__store_warn(conn->store,
                       "the log '%s-wal' is damaged at frame %lld: the commits from there on are "
                       "lost, at least %lld of them%s",
                       conn->store->path, (long long)rest.frame, (long long)rest.commits + 1,
                       rest.kept ? "; a copy is kept as ...-wal-damaged" : "");
    }
}

ds__conn *ds__conn_open(ds__store *store, ds_error *err) {
    if (!ds__store_check_fork(store->path, err)) {
        return NULL;
    }
    ds__conn *conn = ds__alloc(sizeof *conn);
    if (!conn) {
        ds__error_oom(err);
        return NULL;
    }
    conn->store = store;
    conn->generation = ds__fork_generation();
    conn->cache_kib = DS_CACHE_KIB;
    conn->deadline_ms = ds__clock_mono_us() / 1000 + store->options.busy_timeout_ms;
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    if (store->options.read_only) {
        flags |= SQLITE_OPEN_READONLY;
    } else {
        flags |= SQLITE_OPEN_READWRITE;
        flags |= store->options.no_create ? 0 : SQLITE_OPEN_CREATE;
    }
    int rc = sqlite3_open_v2(store->path, &conn->db, flags, ds__vfs_name());
    if (rc != SQLITE_OK) {
        ds__conn_error(conn, rc, err);
        goto failed;
    }
    sqlite3_busy_handler(conn->db, on_busy, conn);
    sqlite3_wal_hook(conn->db, ds__log_hook, conn);
    sqlite3_progress_handler(conn->db, STEPS_BETWEEN_CHECKS, on_progress, conn);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    sqlite3_db_config(conn->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 1200, 100);
    char sql[256];
    snprintf(sql, sizeof sql,
             "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY;"
             "PRAGMA synchronous=%s; PRAGMA journal_size_limit=%" PRId64,
             store->in_memory ? "OFF" : (store->options.full_durability ? "FULL" : "NORMAL"),
             store->log_limit / 2); /* below what ds__store_log_pressure takes for a long log */
    if (!ds__conn_exec(conn, sql, err)) {
        goto failed;
    }
    rc = sqlite3_prepare_v3(conn->db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &conn->commit, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v3(conn->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT,
                                &conn->rollback, NULL);
    }
    if (rc != SQLITE_OK) {
        ds__conn_error(conn, rc, err);
        goto failed;
    }
    /* Reads the size of pages, where the file has one; what is wrong with it is told later. */
    sqlite3_exec(conn->db, "PRAGMA schema_version", NULL, NULL, NULL);
    warn_of_rest(conn);
    if (!ds__conn_limit_cache(conn, err)) {
        goto failed;
    }
    return conn;
failed:
    ds__conn_close(conn);
    return NULL;
}

bool ds__conn_is_foreign(const ds__conn *conn) {
    return conn->generation != ds__fork_generation();
}

void ds__conn_flush(ds__conn *conn) {
    size_t at = 0;
    const void *key;
    size_t size;
    void *value;
    while (ds_map_each(&conn->lists, &at, &key, &size, &value)) {
        ds__stmt_list *list = value;
        while (list->idle) {
            ds__stmt *stmt = list->idle;
            list->idle = stmt->next;
            sqlite3_finalize(stmt->raw);
            ds__free(stmt);
            conn->prepared--;
        }
    }
}

void ds__conn_close(ds__conn *conn) {
    if (!conn) {
        return;
    }
    ds__txn_free(conn->txn);
    ds__conn_flush(conn);
    size_t at = 0;
    const void *key;
    size_t size;
    void *value;
    while (ds_map_each(&conn->lists, &at, &key, &size, &value)) {
        ds__free(value);
    }
    ds_map_clear(&conn->lists);
    sqlite3_finalize(conn->commit);
    sqlite3_finalize(conn->rollback);
    sqlite3_close(conn->db);
    ds__free(conn);
}

/* DS_KEYS_AT_ONCE rows. Those before one that fails stay: nothing has to be kept to undo them. */
#define TWO_ROWS "(?, ?), (?, ?)"
#define EIGHT_ROWS TWO_ROWS ", " TWO_ROWS ", " TWO_ROWS ", " TWO_ROWS
#define MANY_KEYS                                                                                  \
    "INSERT OR FAIL INTO i%i(k, r) VALUES" EIGHT_ROWS ", " EIGHT_ROWS ", " EIGHT_ROWS              \
    ", " EIGHT_ROWS

/* SQL of each kind; %c: the collection's table, %i: the index's. `plain` for indexes whose table is
 * keyed by (k, r), `unique` for those keyed by k alone. */
static const struct {
    const char *plain;
    const char *unique;
} texts[DS_STMT_KINDS] = {
    [DS_STMT_BEGIN_READ] = {"BEGIN", NULL},
    [DS_STMT_BEGIN_WRITE] = {"BEGIN IMMEDIATE", NULL},
    [DS_STMT_VERSION] = {"SELECT v FROM ds_meta WHERE k='version'", NULL},
    [DS_STMT_TAIL] = {"INSERT OR REPLACE INTO c%c(rid, doc) VALUES(9223372036854775807, ?1)", NULL},
    [DS_STMT_RETRY_GET] = {"SELECT number, kind, size, done FROM ds_retry WHERE session=?1", NULL},
    [DS_STMT_RETRY_PUT] = {"INSERT OR REPLACE INTO ds_retry(session, number, at, kind, size, done) "
                           "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                           NULL},
    [DS_STMT_INSERT] = {"INSERT INTO c%c(rid, doc) VALUES(?2, ?1)", NULL},
    [DS_STMT_REPLACE] = {"UPDATE c%c SET doc=?2 WHERE rid=?1", NULL},
    [DS_STMT_DELETE] = {"DELETE FROM c%c WHERE rid=?1", NULL},
    [DS_STMT_GET] = {"SELECT doc FROM c%c WHERE rid=?1", NULL},
    [DS_STMT_SCAN] = {"SELECT rid, doc FROM c%c WHERE rid>=?1 ORDER BY rid", NULL},
    [DS_STMT_SCAN_BACK] = {"SELECT rid, doc FROM c%c WHERE rid<=?1 ORDER BY rid DESC", NULL},
    [DS_STMT_KEY_INSERT] = {"INSERT INTO i%i(k, r) VALUES(?1, ?2)",
                            "INSERT INTO i%i(k, r) VALUES(?1, ?2)"},
    [DS_STMT_KEYS_INSERT] = {MANY_KEYS, MANY_KEYS},
    [DS_STMT_KEY_DELETE] = {"DELETE FROM i%i WHERE k=?1 AND r=?2",
                            "DELETE FROM i%i WHERE k=?1 AND r=?2"},
    [DS_STMT_GET_BY_KEY] = {NULL, "SELECT c.rid, c.doc FROM i%i i CROSS JOIN c%c c ON c.rid=i.r "
                                  "WHERE i.k=?1"},
    [DS_STMT_KEYS] = {"SELECT r, k FROM i%i WHERE (k, r)>=(?1, ?2) ORDER BY k, r",
                      "SELECT r, k FROM i%i WHERE k>=?1 ORDER BY k"},
    [DS_STMT_KEYS_BACK] = {"SELECT r, k FROM i%i WHERE (k, r)<=(?1, ?2) ORDER BY k DESC, r DESC",
                           "SELECT r, k FROM i%i WHERE k<=?1 ORDER BY k DESC"},
    [DS_STMT_KEYS_DOC] = {"SELECT i.r, i.k, c.doc FROM i%i i CROSS JOIN c%c c ON c.rid=i.r "
                          "WHERE (i.k, i.r)>=(?1, ?2) ORDER BY i.k, i.r",
                          "SELECT i.r, i.k, c.doc FROM i%i i CROSS JOIN c%c c ON c.rid=i.r "
                          "WHERE i.k>=?1 ORDER BY i.k"},
    [DS_STMT_KEYS_DOC_BACK] = {"SELECT i.r, i.k, c.doc FROM i%i i CROSS JOIN c%c c ON c.rid=i.r "
                               "WHERE (i.k, i.r)<=(?1, ?2) ORDER BY i.k DESC, i.r DESC",
                               "SELECT i.r, i.k, c.doc FROM i%i i CROSS JOIN c%c c ON c.rid=i.r "
                               "WHERE i.k<=?1 ORDER BY i.k DESC"},
};

/* Writes SQL with its ids filled in. */
static void fill_text(char *out, size_t size, const char *text, int64_t id, int64_t coll) {
    size_t n = 0;
    for (const char *p = text; *p && n + 24 < size; p++) {
        if (p[0] == '%' && (p[1] == 'c' || p[1] == 'i')) {
            n += (size_t)snprintf(out + n, size - n, "%" PRId64, p[1] == 'c' ? coll : id);
            p++;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
}

uint64_t ds__stmt_name(ds__stmt_kind kind, int64_t id) {
    return (uint64_t)kind << 56 | (uint64_t)id;
}

bool ds__stmt_is(const ds__stmt *stmt, uint64_t name) {
    return stmt->list->name == name;
}

static ds__stmt_list *find_list(ds__conn *conn, uint64_t name) {
    ds__stmt_list *list = ds_map_get(&conn->lists, &name, sizeof name);
    if (!list && (list = ds__alloc(sizeof *list)) &&
        !ds_map_set(&conn->lists, &name, sizeof name, list, NULL)) {
        ds__free(list);
        list = NULL;
    }
    if (list) {
        list->name = name;
    }
    return list;
}

ds__stmt *ds__conn_take(ds__conn *conn, ds__stmt_kind kind, int64_t id, bool unique, int64_t coll,
                        ds_error *err) {
    ds__stmt_list *list = find_list(conn, ds__stmt_name(kind, id));
    ds__stmt *stmt = list ? list->idle : NULL;
    if (stmt) {
        list->idle = stmt->next;
        return stmt;
    }
    if (conn->prepared >= MAX_PREPARED) {
        ds__conn_flush(conn);
    }
    stmt = list ? ds__alloc(sizeof *stmt) : NULL;
    if (!stmt) {
        ds__error_oom(err);
        return NULL;
    }
    char sql[512];
    const char *text = unique ? texts[kind].unique : texts[kind].plain;
    ds_assert(text);
    fill_text(sql, sizeof sql, text, id, coll);
    int rc = sqlite3_prepare_v3(conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->raw, NULL);
    if (rc != SQLITE_OK) {
        ds__conn_error(conn, sqlite3_extended_errcode(conn->db), err);
        ds__free(stmt);
        return NULL;
    }
    stmt->list = list;
    conn->prepared++;
    return stmt;
}

void ds__conn_give(ds__conn *conn, ds__stmt *stmt) {
    (void)conn;
    if (stmt) {
        sqlite3_reset(stmt->raw);
        stmt->next = stmt->list->idle;
        stmt->list->idle = stmt;
    }
}
