/* SPDX-License-Identifier: Apache-2.0 */
/* ":memory:" is a file too, in a directory of its own that goes away with the last process that
 * uses it (docs/decisions/0001-memory-store.md). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/system.h"
#include "engine/store/internal.h"

enum { STALE_AFTER_S = 60 };

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

bool ds__store_make_temp(ds__store *store, ds_error *err) {
    const char *parent = getenv("SQLITE_TMPDIR");
    parent = parent && *parent ? parent : getenv("TMPDIR");
    parent = parent && *parent ? parent : "/tmp";
    remove_stale(parent);
    char dir[900];
    int n = snprintf(dir, sizeof dir, "%s/%s%ld-XXXXXX", parent, temp_prefix, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof dir || !mkdtemp(dir)) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot make a temporary directory in '%s': %s",
                             parent, ds__system_error(errno));
    }
    char path[1000];
    snprintf(path, sizeof path, "%s/lock", dir);
    store->temp_dir = ds__strdup(dir);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0 || flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot lock '%s': %s", path,
                             ds__system_error(errno));
    }
    snprintf(path, sizeof path, "%s/store", dir);
    store->path = ds__strdup(path);
    return (store->path && store->temp_dir) || ds__error_oom(err);
}

/* The directory goes with the last process that uses it: forked ones hold the lock through their
 * copies of its descriptor. */
void ds__store_leave_temp(ds__store *store) {
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
