/* SPDX-License-Identifier: Apache-2.0 */
/* The mark a file bears: whose it is, and of which format. An empty file is made ours. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/store/internal.h"

/* Retries what SQLite's busy handler is not asked about (changing the journal mode). */
static bool set_wal(ds__conn *conn, ds_error *err) {
    for (;;) {
        int rc = sqlite3_exec(conn->db,
                              "PRAGMA page_size=8192; PRAGMA auto_vacuum=INCREMENTAL;"
                              "PRAGMA journal_mode=WAL",
                              NULL, NULL, NULL);
        if (rc == SQLITE_OK) {
            return true;
        }
        if ((rc & 0xff) != SQLITE_BUSY || ds__clock_mono_us() / 1000 >= conn->deadline_ms) {
            return ds__conn_error(conn, rc, err);
        }
        usleep(2000);
    }
}

const char ds__store_schema[] = "CREATE TABLE ds_meta(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"
                                "INSERT INTO ds_meta VALUES('version', 1), ('next_id', 1);";

static bool make_tables(ds__conn *conn, ds_error *err) {
    const ds__store *store = conn->store;
    bool ok = ds__conn_exec(conn, ds__store_schema, err);
    for (size_t i = 0; ok && i < store->room_count; i++) {
        ok = !store->rooms[i]->schema || ds__conn_exec(conn, store->rooms[i]->schema, err);
    }
    return ok;
}

/* Makes the tables of an empty file; another process may be doing the same. */
static bool initialise(ds__conn *conn, ds_error *err) {
    int reserved = DS_PAGE_RESERVED;
    sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (!set_wal(conn, err) || !ds__conn_exec(conn, "BEGIN IMMEDIATE", err)) {
        return false;
    }
    int64_t id = 0;
    if (!ds__conn_int(conn, "PRAGMA application_id", 0, &id, err)) {
        goto failed;
    }
    if (id == 0) {
        char sql[128];
        snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d",
                 DS_STORE_APPLICATION_ID, DS_STORE_FORMAT);
        if (!make_tables(conn, err) || !ds__conn_exec(conn, sql, err)) {
            goto failed;
        }
    }
    if (ds__conn_exec(conn, "COMMIT", err)) {
        return ds__conn_limit_cache(conn, err);
    }
failed:
    sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

/* As of one moment: another process may be making the tables. */
static bool read_format(ds__conn *conn, int64_t *id, int64_t *version, int64_t *tables,
                        ds_error *err) {
    bool ok = ds__conn_exec(conn, "BEGIN", err) &&
              ds__conn_int(conn, "SELECT count(*) FROM sqlite_schema", 0, tables, err) &&
              ds__conn_int(conn, "PRAGMA application_id", 0, id, err) &&
              ds__conn_int(conn, "PRAGMA user_version", 0, version, err);
    sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

static bool refuse_newer(const ds__store *store, int64_t version, ds_error *err) {
    return version <= DS_STORE_FORMAT ||
           ds__error_set(err, DS_MUST_UPGRADE,
                         "'%s' has format %lld, this program reads formats up to %d: use a newer "
                         "version of it",
                         store->path, (long long)version, DS_STORE_FORMAT);
}

bool ds__store_check_newer(ds__txn *txn, ds_error *err) {
    int64_t version;
    return ds__conn_int(txn->conn, "PRAGMA user_version", 0, &version, err) &&
           refuse_newer(txn->store, version, err);
}

/* Reads the mark of the file; makes an empty one ours. */
bool ds__store_check_format(ds__conn *conn, ds_error *err) {
    const char *path = conn->store->path;
    int64_t id;
    int64_t version;
    int64_t tables;
    if (!read_format(conn, &id, &version, &tables, err)) {
        return false;
    }
    if (id == 0 && version == 0 && tables == 0) {
        if (conn->store->options.read_only) {
            return ds__error_set(err, DS_FILE_NOT_OPEN, "'%s' is empty and read-only", path);
        }
        if (!initialise(conn, err) || !ds__conn_int(conn, "PRAGMA application_id", 0, &id, err) ||
            !ds__conn_int(conn, "PRAGMA user_version", 0, &version, err)) {
            return false;
        }
    }
    if (id != DS_STORE_APPLICATION_ID) {
        return ds__error_set(err, DS_FILE_NOT_OPEN,
                             "'%s' is not a docstore file (it is another program's SQLite "
                             "database)",
                             path);
    }
    if (!refuse_newer(conn->store, version, err)) {
        return false;
    }
    conn->store->format = (int)version;
    return version == DS_STORE_FORMAT || conn->store->options.read_only ||
           ds__store_upgrade(conn, err);
}
