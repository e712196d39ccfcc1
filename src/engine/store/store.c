/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file, its mark of format, and the pool of connections. ":memory:" is a file too, in a
 * directory of its own that goes away with the last process that uses it
 * (docs/decisions/0001-memory-store.md). */
#include "engine/store/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

enum { LOG_LIMIT = 64 * 1024 * 1024, MAX_POOLED = 16, DEFAULT_BUSY_MS = 30000, STALE_AFTER_S = 60 };

static const char temp_prefix[] = "docstore-memory-";

/* Removes what a ":memory:" store had in its directory, and that. */
static void remove_temp_dir(const char *dir) {
    static const char *const names[] = {"store", "store-wal", "store-shm", "store-journal", "lock"};
    char path[1200];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Directories whose process is gone: nobody holds the lock file's lock. */
static void remove_stale(const char *parent) {
    DIR *dir = opendir(parent);
    if (!dir) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[1024];
        char lock[1100];
        struct stat st;
        if (strncmp(entry->d_name, temp_prefix, sizeof temp_prefix - 1) != 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
            time(NULL) - st.st_ctime < STALE_AFTER_S) {
            continue;
        }
        snprintf(lock, sizeof lock, "%s/lock", path);
        int fd = open(lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) {
            if (errno == ENOENT) {
                remove_temp_dir(path);
            }
            continue;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            remove_temp_dir(path);
        }
        close(fd);
    }
    closedir(dir);
}

static bool make_temp(ds__store *store, ds_error *err) {
    const char *parent = getenv("SQLITE_TMPDIR");
    parent = parent && *parent ? parent : getenv("TMPDIR");
    parent = parent && *parent ? parent : "/tmp";
    remove_stale(parent);
    char dir[900];
    int n = snprintf(dir, sizeof dir, "%s/%s%ld-XXXXXX", parent, temp_prefix, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof dir || !mkdtemp(dir)) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot make a temporary directory in '%s': %s",
                             parent, strerror(errno));
    }
    char path[1000];
    snprintf(path, sizeof path, "%s/lock", dir);
    store->temp_dir = ds__strdup(dir);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0 || flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot lock '%s': %s", path, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/store", dir);
    store->path = ds__strdup(path);
    return (store->path && store->temp_dir) || ds__error_oom(err);
}

/* The directory goes with the last process that uses it: forked ones hold the lock through their
 * copies of its descriptor. */
static void leave_temp(ds__store *store) {
    char path[1000];
    snprintf(path, sizeof path, "%s/lock", store->temp_dir);
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
    }
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) {
        remove_temp_dir(store->temp_dir);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* Retries what SQLite's busy handler is not asked about (changing the journal mode). */
static bool set_wal(ds__conn *conn, ds_error *err) {
    for (;;) {
        int rc = sqlite3_exec(conn->db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL", NULL,
                              NULL, NULL);
        if (rc == SQLITE_OK) {
            return true;
        }
        if ((rc & 0xff) != SQLITE_BUSY || ds__clock_mono_us() / 1000 >= conn->deadline_ms) {
            return ds__conn_error(conn, rc, err);
        }
        usleep(2000);
    }
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
        if (!ds__conn_exec(conn, ds__catalog_schema, err) || !ds__conn_exec(conn, sql, err)) {
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

/* Reads the mark of the file; makes an empty one ours. */
static bool check_format(ds__conn *conn, ds_error *err) {
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
    if (version > DS_STORE_FORMAT) {
        return ds__error_set(err, DS_MUST_UPGRADE,
                             "'%s' has format %lld, this program reads formats up to %d: use a "
                             "newer version of it",
                             path, (long long)version, DS_STORE_FORMAT);
    }
    return true;
}

/* Makes an empty file that only its owner reads: SQLite would leave that to the umask, and gives
 * the files beside it the same mode. Made aside and linked, so that no descriptor of the file is
 * closed here: that would drop the locks another store of this process has on it by then. */
static bool make_file(const char *path, ds_error *err) {
    char temp[1100];
    int n = snprintf(temp, sizeof temp, "%s-new-XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof temp ? mkostemp(temp, O_CLOEXEC) : -1;
    if (fd < 0) {
        int why = n > 0 && (size_t)n < sizeof temp ? errno : ENAMETOOLONG;
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", path,
                             why == ENOENT ? "its folder does not exist" : strerrordesc_np(why));
    }
    close(fd);
    bool ok = link(temp, path) == 0 || errno == EEXIST ||
              renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0 || errno == EEXIST;
    int why = errno;
    unlink(temp);
    return ok ||
           ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", path, strerrordesc_np(why));
}

static bool check_path(const ds__store *store, ds_error *err) {
    struct stat st;
    if (stat(store->path, &st) == 0) {
        if (S_ISREG(st.st_mode) && (st.st_size == 0 || st.st_size >= 512)) {
            return true;
        }
        if (S_ISREG(st.st_mode)) {
            /* SQLite takes anything shorter than its smallest page for an empty file */
            return ds__error_set(err, DS_FILE_NOT_OPEN, "'%s' is not a docstore file", store->path);
        }
        return ds__error_set(err, DS_FILE_NOT_OPEN,
                             "'%s' is not a docstore file (not a regular "
                             "file)",
                             store->path);
    }
    if (errno != ENOENT) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", store->path,
                             strerror(errno));
    }
    if (store->options.no_create || store->options.read_only) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': no such file", store->path);
    }
    return make_file(store->path, err);
}

/* An absolute path, so that chdir does not matter. */
static char *absolute(const char *path) {
    if (path[0] == '/') {
        return ds__strdup(path);
    }
    char *cwd = getcwd(NULL, 0);
    char *out = NULL;
    if (cwd) {
        size_t size = strlen(cwd) + strlen(path) + 2;
        out = ds__alloc(size);
        if (out) {
            snprintf(out, size, "%s/%s", cwd, path);
        }
        free(cwd);
    }
    return out;
}

ds__store *ds__store_open(const char *path, const ds__store_options *options, ds_error *err) {
    ds__store *store = ds__alloc(sizeof *store);
    if (!store) {
        ds__error_oom(err);
        return NULL;
    }
    ds__cond_init(&store->lock, &store->idle_writer);
    store->lock_fd = -1;
    store->log_limit = LOG_LIMIT;
    if (options) {
        store->options = *options;
    }
    if (store->options.busy_timeout_ms <= 0) {
        store->options.busy_timeout_ms = DEFAULT_BUSY_MS;
    }
    store->in_memory = strcmp(path, ":memory:") == 0;
    if (store->in_memory) {
        if (!make_temp(store, err)) {
            goto failed;
        }
    } else {
        store->path = absolute(path);
        if (!store->path) {
            ds__error_oom(err);
            goto failed;
        }
        if (!check_path(store, err)) {
            goto failed;
        }
    }
    ds__conn *conn = ds__conn_open(store, err);
    if (!conn) {
        goto failed;
    }
    if (!check_format(conn, err)) {
        ds__conn_close(conn);
        goto failed;
    }
    store->pool = conn;
    store->pooled = 1;
    ds__store_join_forks(store);
    return store;
failed:
    ds__store_close(store);
    return NULL;
}

void ds__store_close(ds__store *store) {
    if (!store) {
        return;
    }
    ds__fork_leave(&store->fork);
    while (store->pool) {
        ds__conn *conn = store->pool;
        store->pool = conn->next;
        ds__conn_close(conn);
    }
    ds__catalog_unref(store->catalog);
    if (store->temp_dir) {
        leave_temp(store);
    }
    pthread_cond_destroy(&store->idle_writer);
    pthread_mutex_destroy(&store->lock);
    ds__free(store->temp_dir);
    ds__free(store->path);
    ds__free(store);
}

const char *ds__store_path(const ds__store *store) {
    return store->in_memory ? ":memory:" : store->path;
}

bool ds__store_read_only(const ds__store *store) {
    return store->options.read_only;
}

int64_t ds__store_file_size(ds__store *store) {
    struct stat st;
    return stat(store->path, &st) == 0 ? (int64_t)st.st_size : 0;
}

ds__conn *ds__store_take_conn(ds__store *store, ds_error *err) {
    pthread_mutex_lock(&store->lock);
    ds__conn *conn = store->pool;
    if (conn) {
        store->pool = conn->next;
        store->pooled--;
    }
    store->active++;
    pthread_mutex_unlock(&store->lock);
    if (!conn && !(conn = ds__conn_open(store, err))) {
        pthread_mutex_lock(&store->lock);
        store->active--;
        pthread_mutex_unlock(&store->lock);
    }
    return conn;
}

void ds__store_give_conn(ds__store *store, ds__conn *conn, bool damaged) {
    pthread_mutex_lock(&store->lock);
    store->active--;
    bool keep = !damaged && store->pooled < MAX_POOLED;
    if (keep) {
        conn->next = store->pool;
        store->pool = conn;
        store->pooled++;
    }
    pthread_mutex_unlock(&store->lock);
    if (!keep) {
        ds__conn_close(conn);
    }
}

void ds__store_trim(ds__store *store) {
    pthread_mutex_lock(&store->lock);
    for (ds__conn *conn = store->pool; conn; conn = conn->next) {
        sqlite3_db_release_memory(conn->db);
    }
    pthread_mutex_unlock(&store->lock);
}
