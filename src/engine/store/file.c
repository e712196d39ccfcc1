/* SPDX-License-Identifier: Apache-2.0 */
/* The file's place: whether it can be a store, made when it is not there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "engine/store/internal.h"

/* Makes an empty file that only its owner reads: SQLite would leave that to the umask, and gives
 * the files beside it the same mode. Made aside and linked, so that no descriptor of the file is
 * closed here: that would drop the locks another store of this process has on it by then. */
static bool make_file(const char *path, ds_error *err) {
    char temp[1100];
    int n = snprintf(temp, sizeof temp, "%s-new-XXXXXX", path);
    int fd = n > 0 && (size_t)n < sizeof temp ? ds__make_temp(temp) : -1;
    if (fd < 0) {
        int why = n > 0 && (size_t)n < sizeof temp ? errno : ENAMETOOLONG;
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", path,
                             why == ENOENT ? "its folder does not exist" : ds__system_error(why));
    }
    close(fd);
    bool ok = link(temp, path) == 0 || errno == EEXIST || ds__rename_new(temp, path) == 0 ||
              errno == EEXIST;
    int why = errno;
    unlink(temp);
    return ok || ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': %s", path,
                               ds__system_error(why));
}

bool ds__store_check_path(const ds__store *store, ds_error *err) {
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
                             ds__system_error(errno));
    }
    if (store->options.no_create || store->options.read_only) {
        return ds__error_set(err, DS_FILE_NOT_OPEN, "cannot open '%s': no such file", store->path);
    }
    return make_file(store->path, err);
}
