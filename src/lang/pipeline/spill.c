/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files for sorts and groups that outgrow their memory. The file has no name, so it is
 * gone when the process is. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/system.h"
#include "lang/pipeline/internal.h"

enum { SPILL_BUFFER = 256 * 1024 };

static bool failed(ds_error *err, const char *what) {
    return ds__error_set(err, 16814, "temporary file: %s: %s", what, ds__system_error(errno));
}

bool ds__spill_open(ds__spill *spill, ds_error *err) {
    const char *dir = getenv("TMPDIR");
    *spill = (ds__spill){.fd = -1};
    if (!dir || !*dir || strlen(dir) > 400) {
        dir = "/tmp";
    }
    spill->fd = ds__open_unnamed(dir);
    return spill->fd >= 0 || failed(err, "open");
}

bool ds__spill_flush(ds__spill *spill, ds_error *err) {
    size_t done = 0;
    if (!ds_buf_ok(&spill->out, err)) {
        return false;
    }
    while (done < spill->out.size) {
        ssize_t n = write(spill->fd, spill->out.data + done, spill->out.size - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return failed(err, "write");
        }
        done += (size_t)n;
    }
    ds_buf_reset(&spill->out);
    return true;
}

bool ds__spill_write(ds__spill *spill, const void *bytes, size_t size, ds_error *err) {
    ds_buf_add(&spill->out, bytes, size);
    spill->size += size;
    return spill->out.size < SPILL_BUFFER || ds__spill_flush(spill, err);
}

bool ds__spill_read(const ds__spill *spill, uint64_t at, void *bytes, size_t size, ds_error *err) {
    uint8_t *to = bytes;
    while (size > 0) {
        ssize_t n = pread(spill->fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return failed(err, "read");
        }
        if (n == 0) {
            return ds__error_set(err, 16816, "temporary file: ends too early");
        }
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

void ds__spill_close(ds__spill *spill) {
    if (spill->fd >= 0) {
        close(spill->fd);
    }
    ds_buf_clear(&spill->out);
    *spill = (ds__spill){.fd = -1};
}
