/* SPDX-License-Identifier: Apache-2.0 */
/* A frame's checksum goes on from that of the frame before, so a frame is checked with two small
 * reads beside its page. The sum is linear: what a wrong byte adds to it depends on its place only,
 * so that one wrong byte is told from a page that was never written. */
#include "engine/store/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { MAX_PAGE = 65536, COPY = 65536 };

typedef struct sum {
    uint32_t a;
    uint32_t b;
} sum;

typedef struct log_head {
    int64_t size; /* of the file */
    uint32_t page;
    uint8_t salts[8];
    bool swapped; /* words of the other byte order */
    bool valid;
    bool damaged; /* not valid, though the first frame belongs to it */
} log_head;

static uint32_t load_be(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static sum load_sum(const uint8_t *p) {
    return (sum){load_be(p), load_be(p + 4)};
}

static sum add_bytes(sum s, const uint8_t *p, size_t size, bool swapped) {
    for (size_t i = 0; i < size; i += 8) {
        uint32_t x;
        uint32_t y;
        memcpy(&x, p + i, 4);
        memcpy(&y, p + i + 4, 4);
        if (swapped) {
            x = __builtin_bswap32(x);
            y = __builtin_bswap32(y);
        }
        s.a += x + s.b;
        s.b += y + s.a;
    }
    return s;
}

static bool same(sum x, sum y) {
    return x.a == y.a && x.b == y.b;
}

static int read_at(sqlite3_file *log, void *out, int size, int64_t at) {
    return log->pMethods->xRead(log, out, size, at);
}

/* Where the checksum stands that a frame's goes on from: the frame's before, or the log's. */
static int64_t seed_at(int64_t head_at, int64_t page) {
    return head_at == DS_LOG_HEAD ? 24 : head_at - page - DS_LOG_FRAME_HEAD + 16;
}

int ds__log_verify(sqlite3_file *log, int64_t at, const uint8_t *page, int size, bool *fits) {
    uint8_t head[DS_LOG_FRAME_HEAD];
    uint8_t seed[8];
    uint8_t magic[12];
    *fits = true;
    int rc = read_at(log, head, sizeof head, at - DS_LOG_FRAME_HEAD);
    if (rc == SQLITE_OK) {
        rc = read_at(log, seed, sizeof seed, seed_at(at - DS_LOG_FRAME_HEAD, size));
    }
    if (rc == SQLITE_OK) {
        rc = read_at(log, magic, sizeof magic, 0);
    }
    if (rc == SQLITE_OK) {
        const bool swapped = (magic[3] & 1) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
        sum s = add_bytes(load_sum(seed), head, 8, swapped);
        /* who opened the file when it was empty first reads as much as it thinks a page has */
        *fits = same(add_bytes(s, page, (size_t)size, swapped), load_sum(head + 16)) ||
                load_be(magic + 8) != (uint32_t)size;
    }
    return rc;
}

/* Reads the log's head; where that is damaged, what can be known from the first frame. */
static bool read_head(sqlite3_file *log, uint32_t page, log_head *out) {
    uint8_t head[DS_LOG_HEAD];
    sqlite3_int64 size = 0;
    *out = (log_head){0};
    if (log->pMethods->xFileSize(log, &size) != SQLITE_OK ||
        size < DS_LOG_HEAD + DS_LOG_FRAME_HEAD || read_at(log, head, sizeof head, 0) != SQLITE_OK) {
        return false;
    }
    out->size = size;
    out->swapped = (head[3] & 1) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    out->page = load_be(head + 8);
    memcpy(out->salts, head + 16, 8);
    out->valid = (load_be(head) & ~1u) == 0x377f0682 &&
                 same(add_bytes((sum){0}, head, 24, out->swapped), load_sum(head + 24));
    if (!out->valid) {
        out->swapped = false; /* this machine wrote it */
        out->page = page;
        if (read_at(log, out->salts, 8, DS_LOG_HEAD + 8) != SQLITE_OK) {
            return false;
        }
        out->damaged = memcmp(out->salts, head + 16, 8) == 0;
    }
    return out->page >= 512 && out->page <= MAX_PAGE && (out->page & (out->page - 1)) == 0;
}

static bool one_byte(uint32_t x) {
    return (x & 0xffffff00) == 0 || (x & 0xffff00ff) == 0 || (x & 0xff00ffff) == 0 ||
           (x & 0x00ffffff) == 0;
}

/* Whether the stored checksum is another one's by one byte, or one byte of the words it was made of
 * explains the difference. `words`: how many, the last counts first. */
static bool one_byte_off(sum stored, sum computed, size_t words) {
    const uint32_t da = stored.a - computed.a;
    const uint32_t db = stored.b - computed.b;
    if ((da == 0 && one_byte(stored.b ^ computed.b)) ||
        (db == 0 && one_byte(stored.a ^ computed.a))) {
        return true;
    }
    /* A word of a pair's first place adds (1, 1) to the sums, one of its second (0, 1); every later
     * pair maps (a, b) to (a + b, a + 2 b). */
    sum first = {1, 1};
    sum second = {0, 1};
    for (size_t i = 0; i < words / 2; i++) {
        for (int shift = 0; shift < 32; shift += 8) {
            for (int byte = -255; byte <= 255; byte++) {
                const uint32_t by = (uint32_t)byte << shift;
                if ((first.a * by == da && first.b * by == db) ||
                    (second.a * by == da && second.b * by == db)) {
                    return true;
                }
            }
        }
        first = (sum){first.a + first.b, first.a + 2 * first.b};
        second = (sum){second.a + second.b, second.a + 2 * second.b};
    }
    return false;
}

/* One frame: whether it is whole in itself, and whether one byte keeps it from being. */
static bool look_at(sqlite3_file *log, const log_head *h, int64_t at, uint8_t *frame, bool *whole,
                    bool *nearly) {
    uint8_t seed[8];
    const size_t size = DS_LOG_FRAME_HEAD + h->page;
    if (read_at(log, frame, (int)size, at) != SQLITE_OK ||
        read_at(log, seed, sizeof seed, seed_at(at, h->page)) != SQLITE_OK) {
        return false;
    }
    const bool current = memcmp(frame + 8, h->salts, 8) == 0;
    const sum stored = load_sum(frame + 16);
    sum s = add_bytes(load_sum(seed), frame, 8, h->swapped);
    s = add_bytes(s, frame + DS_LOG_FRAME_HEAD, h->page, h->swapped);
    *whole = current && same(s, stored);
    *nearly = *whole || (current ? one_byte_off(stored, s, (8 + h->page) / 4) : same(s, stored));
    return true;
}

bool ds__log_inspect(sqlite3_file *log, int64_t from, uint32_t page, ds__log_rest *rest) {
    log_head h;
    *rest = (ds__log_rest){0};
    if (!read_head(log, page, &h)) {
        return false;
    }
    const int64_t step = DS_LOG_FRAME_HEAD + (int64_t)h.page;
    uint8_t *frame = ds__alloc((size_t)step);
    if (!h.valid || from < 1) {
        from = 1;
    }
    for (int64_t n = from; frame && DS_LOG_HEAD + n * step <= h.size; n++) {
        bool whole = false;
        bool nearly = false;
        if (!look_at(log, &h, DS_LOG_HEAD + (n - 1) * step, frame, &whole, &nearly)) {
            break;
        }
        if (whole && h.valid && !rest->frame) {
            continue; /* recovery took it */
        }
        if (!rest->frame) {
            rest->frame = n;
            rest->damaged = nearly || h.damaged;
        }
        rest->commits += whole && load_be(frame + 4) != 0;
    }
    ds__free(frame);
    return rest->damaged || rest->commits > 0;
}

/* Whether all of the log is in the file `fd`. */
static bool copy(sqlite3_file *log, int fd) {
    sqlite3_int64 size = 0;
    uint8_t *bytes = ds__alloc(COPY);
    bool ok = bytes && log->pMethods->xFileSize(log, &size) == SQLITE_OK;
    for (int64_t at = 0; ok && at < size; at += COPY) {
        const int n = size - at < COPY ? (int)(size - at) : COPY;
        ok = read_at(log, bytes, n, at) == SQLITE_OK && write(fd, bytes, (size_t)n) == n;
    }
    ds__free(bytes);
    return ok && fsync(fd) == 0;
}

bool ds__log_keep(sqlite3_file *log, const char *path) {
    char temp[1200];
    int n = snprintf(temp, sizeof temp, "%s-new", path);
    if (access(path, F_OK) == 0) {
        return true;
    }
    int fd = n > 0 && (size_t)n < sizeof temp
                 ? open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                 : -1;
    if (fd < 0) {
        return false;
    }
    bool ok = copy(log, fd);
    ok = close(fd) == 0 && ok && rename(temp, path) == 0;
    if (!ok) {
        unlink(temp);
    }
    return ok;
}
