/* SPDX-License-Identifier: Apache-2.0 */
/* A layer over SQLite's own files. A page written to the database gets a checksum into its reserved
 * bytes; one read from there or from the log is compared with its own. SQLite sees those bytes as
 * zeros, so that they are zeros in the log, which has checksums of its own and is also copied into
 * the database by programs that do not know ours. */
#include "engine/store/vfs.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "engine/store/checksum.h"

/* Behind the checksum in every page that has one. */
static const uint8_t mark[4] = {'D', 'S', 'p', '1'};

/* SQLite's lock of the one who writes to the log, or recovers it. */
enum { LOG_WRITE_LOCK = 0 };

enum { SQLITE_HEAD = 100 }; /* of the first page */

/* SQLite's locks of readers: the first for those who read nothing of the log. */
enum { READ_LOCK = 3 };

/* Words of the log's index: how many frames are committed, of how many pages the database is. */
enum { FRAMES_WORD = 4, PAGES_WORD = 5 };

typedef struct ds__file ds__file;
struct ds__file {
    sqlite3_file base;
    /* owned: follows in the same memory */
    sqlite3_file *real;
    /* borrowed */
    const char *name;
    ds__file *log; /* of a database */
    ds__file *db;  /* of a log */
    /* plain */
    uint32_t bad_page;
    bool bad_in_log;
    int page_size; /* a database */
    bool sums;     /* a database: its pages have room for checksums */
    bool read_only;
    bool rewritten;        /* a log: frames of the running transaction have changed since */
    bool recovering;       /* a log: its head was read */
    bool rest_found;       /* a database: see rest */
    const uint32_t *index; /* a database: the first part of the log's index, once it is mapped */
    int reads;             /* a database: 1 and more with SQLite's lock of that reader; 0: none */
    uint32_t view_frames;  /* what the index said when the lock was taken: SQLite takes another */
    uint32_t view_pages;   /* lock unless that is the snapshot it chose */
    int64_t head_at;       /* a log: where the last frame's head was written */
    int64_t recovered;     /* a log: the last frame recovery has read */
    ds__log_rest rest;
};

static const sqlite3_io_methods db_methods;
static const sqlite3_io_methods log_methods;

static ds__file *file_of(sqlite3_file *file) {
    return (ds__file *)file;
}

/* The first page says how large pages are and what room they have at their end. */
static void read_head(ds__file *f, const uint8_t *page, int size, int64_t at) {
    if (at == 0 && size >= SQLITE_HEAD) {
        f->page_size = page[16] << 8 | page[17] << 16;
        f->sums = page[20] == DS_PAGE_RESERVED;
    }
}

/* The first page may be in the log alone when another process has just given pages that room. */
static void read_head_in_log(ds__file *db, const uint8_t *page, int size) {
    static const char first[16] = "SQLite format 3";
    if (db && memcmp(page, first, sizeof first) == 0) {
        read_head(db, page, size, 0);
    }
}

static uint32_t whole_sum(const uint8_t *page, int size, int64_t at) {
    const uint32_t number = (uint32_t)(at / size) + 1;
    return ds__checksum(page, (size_t)(size - DS_PAGE_RESERVED)) ^ number * 0x9e3779b1u;
}

/* Of the first page all but what SQLite's backup writes anew in a copy: the counter of changes, the
 * schema's, and, from 92, when and by which version of SQLite that was. */
static uint32_t page_sum(const uint8_t *page, int size, int64_t at) {
    if (at != 0) {
        return whole_sum(page, size, at);
    }
    uint8_t head[SQLITE_HEAD];
    memcpy(head, page, sizeof head);
    memset(head + 24, 0, 4);
    memset(head + 40, 0, 4);
    memset(head + 92, 0, 8);
    const uint8_t *rest = page + sizeof head;
    const uint32_t sum = ds__checksum(rest, (size_t)size - sizeof head - DS_PAGE_RESERVED);
    return sum ^ ds__checksum(head, sizeof head) * 0x9e3779b1u;
}

/* First pages had the sum of all their bytes once. */
static bool sum_fits(const uint8_t *page, int size, int64_t at) {
    const uint32_t sum = ds__load_u32(page + size - DS_PAGE_RESERVED);
    return sum == page_sum(page, size, at) || (at == 0 && sum == whole_sum(page, size, at));
}

/* Not an I/O error: SQLite would undo a transaction that only reads. */
static int tell_bad(ds__file *db, uint32_t page, bool in_log) {
    if (db) {
        db->bad_page = page;
        db->bad_in_log = in_log;
    }
    return SQLITE_CORRUPT;
}

ds__page_state ds__vfs_page_state(const uint8_t *page, int size, int64_t at) {
    static const uint8_t none[DS_PAGE_RESERVED];
    const uint8_t *tail = page + size - DS_PAGE_RESERVED;
    if (memcmp(tail, none, sizeof none) == 0) {
        return DS_PAGE_UNKNOWN;
    }
    return memcmp(tail + 4, mark, sizeof mark) == 0 && sum_fits(page, size, at) ? DS_PAGE_SOUND
                                                                                : DS_PAGE_BAD;
}

static int db_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
    ds__file *f = file_of(file);
    uint8_t *page = out;
    int rc = f->real->pMethods->xRead(f->real, out, size, at);
    if (rc != SQLITE_OK) {
        return rc;
    }
    read_head(f, page, size, at);
    if (!f->sums || size != f->page_size) {
        return SQLITE_OK;
    }
    if (ds__vfs_page_state(page, size, at) == DS_PAGE_BAD) {
        return tell_bad(f, (uint32_t)(at / size) + 1, false);
    }
    memset(page + size - DS_PAGE_RESERVED, 0, DS_PAGE_RESERVED);
    return SQLITE_OK;
}

static int db_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    ds__file *f = file_of(file);
    read_head(f, bytes, size, at);
    if (!f->sums || size != f->page_size) {
        return f->real->pMethods->xWrite(f->real, bytes, size, at);
    }
    /* SQLite's buffers of pages may be written to; what it sees in them stays as it was. */
    uint8_t *tail = (uint8_t *)(uintptr_t)bytes + size - DS_PAGE_RESERVED;
    uint8_t before[DS_PAGE_RESERVED];
    const uint32_t sum = page_sum(bytes, size, at);
    memcpy(before, tail, sizeof before);
    memcpy(tail, &sum, sizeof sum);
    memcpy(tail + sizeof sum, mark, sizeof mark);
    int rc = f->real->pMethods->xWrite(f->real, bytes, size, at);
    memcpy(tail, before, sizeof before);
    return rc;
}

/* The frame a read or write of `size` bytes at `at` is the page of, from 1; 0: it is none. */
static int64_t frame_of(int size, int64_t at) {
    const int64_t step = (int64_t)size + DS_LOG_FRAME_HEAD;
    const int64_t first = DS_LOG_HEAD + DS_LOG_FRAME_HEAD;
    const bool page = size >= 512 && (size & (size - 1)) == 0;
    return page && at >= first && (at - first) % step == 0 ? (at - first) / step + 1 : 0;
}

static int log_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
    ds__file *f = file_of(file);
    int rc = f->real->pMethods->xRead(f->real, out, size, at);
    if (rc != SQLITE_OK) {
        return rc;
    }
    if (size == DS_LOG_HEAD && at == 0) {
        f->recovering = true;
        f->recovered = 0;
        return SQLITE_OK;
    }
    if (frame_of(size, at)) {
        read_head_in_log(f->db, out, size);
    }
    const int64_t whole = frame_of(size - DS_LOG_FRAME_HEAD, at + DS_LOG_FRAME_HEAD);
    if (whole) {
        f->recovered = whole;
    } else if (!f->rewritten && frame_of(size, at)) {
        bool fits;
        rc = ds__log_verify(f->real, at, out, size, &fits);
        if (rc == SQLITE_OK && !fits) {
            uint8_t head[4] = {0};
            f->real->pMethods->xRead(f->real, head, sizeof head, at - DS_LOG_FRAME_HEAD);
            rc = tell_bad(f->db,
                          (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 |
                              (uint32_t)head[2] << 8 | head[3],
                          true);
        }
    }
    return rc;
}

static int log_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    ds__file *f = file_of(file);
    if (size == DS_LOG_FRAME_HEAD) {
        f->head_at = at;
    } else if (frame_of(size, at) && f->head_at != at - DS_LOG_FRAME_HEAD) {
        f->rewritten = true; /* a page spilled twice: its checksums follow at the commit */
    }
    return f->real->pMethods->xWrite(f->real, bytes, size, at);
}

/* The log was recovered and is still ours alone: is there more than was taken? */
static void inspect(ds__file *db) {
    char kept[1200];
    ds__log_rest rest;
    if (ds__log_inspect(db->log->real, db->log->recovered, (uint32_t)db->page_size, &rest)) {
        db->rest = rest;
        db->rest_found = true;
        int n = snprintf(kept, sizeof kept, "%s-wal-damaged", db->name);
        if (!db->read_only && n > 0 && (size_t)n < sizeof kept) {
            db->rest.kept = ds__log_keep(db->log->real, kept);
        }
    }
}

static int db_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    ds__file *f = file_of(file);
    if (f->log && offset == LOG_WRITE_LOCK && (flags & SQLITE_SHM_UNLOCK)) {
        if (f->log->recovering) {
            inspect(f);
        }
        f->log->recovering = f->log->rewritten = false;
    }
    int rc = f->real->pMethods->xShmLock(f->real, offset, n, flags);
    if (rc == SQLITE_OK && offset >= READ_LOCK && (flags & SQLITE_SHM_SHARED)) {
        f->reads = flags & SQLITE_SHM_LOCK ? offset - READ_LOCK + 1 : 0;
        if (f->reads && f->index) {
            f->view_frames = __atomic_load_n(f->index + FRAMES_WORD, __ATOMIC_RELAXED);
            f->view_pages = __atomic_load_n(f->index + PAGES_WORD, __ATOMIC_RELAXED);
        }
    }
    return rc;
}

static int file_close(sqlite3_file *file) {
    ds__file *f = file_of(file);
    if (f->db) {
        f->db->log = NULL;
    }
    if (f->log) {
        f->log->db = NULL;
    }
    return f->real->pMethods->xClose(f->real);
}

/* The rest is the system's. */
static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xTruncate(real, size);
}
static int file_sync(sqlite3_file *file, int flags) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xSync(real, flags);
}
static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xFileSize(real, size);
}
static int file_lock(sqlite3_file *file, int level) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xLock(real, level);
}
static int file_unlock(sqlite3_file *file, int level) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xUnlock(real, level);
}
static int file_reserved(sqlite3_file *file, int *out) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xCheckReservedLock(real, out);
}
static int file_control(sqlite3_file *file, int op, void *arg) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xFileControl(real, op, arg);
}
static int file_sector(sqlite3_file *file) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xSectorSize(real);
}
static int file_device(sqlite3_file *file) {
    sqlite3_file *real = file_of(file)->real;
    return real->pMethods->xDeviceCharacteristics(real);
}
static int db_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
    ds__file *f = file_of(file);
    int rc = f->real->pMethods->xShmMap(f->real, region, size, extend, out);
    if (region == 0) { /* it stays where it is */
        f->index = rc == SQLITE_OK ? (const uint32_t *)(uintptr_t)*out : NULL;
    }
    return rc;
}
static void db_shm_barrier(sqlite3_file *file) {
    sqlite3_file *real = file_of(file)->real;
    real->pMethods->xShmBarrier(real);
}
static int db_shm_unmap(sqlite3_file *file, int drop) {
    ds__file *f = file_of(file);
    f->index = NULL;
    f->reads = 0;
    return f->real->pMethods->xShmUnmap(f->real, drop);
}

/* What both kinds of files have the system do. */
#define FILE_METHODS                                                                               \
    .xClose = file_close, .xTruncate = file_truncate, .xSync = file_sync, .xFileSize = file_size,  \
    .xLock = file_lock, .xUnlock = file_unlock, .xCheckReservedLock = file_reserved,               \
    .xFileControl = file_control, .xSectorSize = file_sector,                                      \
    .xDeviceCharacteristics = file_device

/* Version 2 has no mapped pages: those could not be compared. */
static const sqlite3_io_methods db_methods = {
    .iVersion = 2,
    .xRead = db_read,
    .xWrite = db_write,
    FILE_METHODS,
    .xShmMap = db_shm_map,
    .xShmLock = db_shm_lock,
    .xShmBarrier = db_shm_barrier,
    .xShmUnmap = db_shm_unmap,
};

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xRead = log_read,
    .xWrite = log_write,
    FILE_METHODS,
};

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                    int *out_flags) {
    sqlite3_vfs *system = vfs->pAppData;
    ds__file *f = file_of(file);
    int opened = 0;
    if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL))) {
        return system->xOpen(system, name, file, flags, out_flags);
    }
    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *)(f + 1);
    int rc = system->xOpen(system, name, f->real, flags, &opened);
    if (out_flags) {
        *out_flags = opened;
    }
    if (rc != SQLITE_OK) {
        return rc; /* the system's own has let go of everything */
    }
    f->name = name;
    f->read_only = (opened & SQLITE_OPEN_READONLY) != 0;
    f->base.pMethods = flags & SQLITE_OPEN_WAL ? &log_methods : &db_methods;
    if (flags & SQLITE_OPEN_WAL) {
        sqlite3_file *db = sqlite3_database_file_object(name);
        if (db && db->pMethods == &db_methods) {
            f->db = file_of(db);
            f->db->log = f;
        }
    }
    return SQLITE_OK;
}

/* SQLite's list of such layers belongs to the process, so what is put on it does too. */
static sqlite3_vfs layer = {.zName = "docstore", .xOpen = vfs_open};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void register_layer(void) {
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (system) {
        const char *name = layer.zName;
        layer = *system;
        layer.zName = name;
        layer.pNext = NULL;
        layer.pAppData = system;
        layer.szOsFile = (int)sizeof(ds__file) + system->szOsFile;
        layer.xOpen = vfs_open;
        sqlite3_vfs_register(&layer, 0);
    }
}

const char *ds__vfs_name(void) {
    pthread_once(&once, register_layer);
    return sqlite3_vfs_find(layer.zName) ? layer.zName : NULL;
}

static ds__file *file_of_db(sqlite3 *db) {
    sqlite3_file *file = NULL;
    if (!db || sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        !file || file->pMethods != &db_methods) {
        return NULL;
    }
    return file_of(file);
}

uint32_t ds__vfs_bad_page(sqlite3 *db, bool *in_log) {
    ds__file *f = file_of_db(db);
    const uint32_t page = f ? f->bad_page : 0;
    *in_log = f && f->bad_in_log;
    if (f) {
        f->bad_page = 0;
    }
    return page;
}

int ds__vfs_page_size(sqlite3 *db) {
    const ds__file *f = file_of_db(db);
    return f ? f->page_size : 0;
}

uint8_t *ds__vfs_index(sqlite3 *db) {
    ds__file *f = file_of_db(db);
    void volatile *index = NULL;
    if (!f || f->real->pMethods->iVersion < 2 ||
        f->real->pMethods->xShmMap(f->real, 0, DS_INDEX_REGION, 0, &index) != SQLITE_OK) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)index;
}

bool ds__vfs_read_index(sqlite3 *db, size_t at, void *out, size_t size) {
    const uint8_t *index = at + size <= DS_INDEX_REGION ? ds__vfs_index(db) : NULL;
    if (index) {
        memcpy(out, index + at, size);
    }
    return index != NULL;
}

bool ds__vfs_take_rest(sqlite3 *db, ds__log_rest *out) {
    ds__file *f = file_of_db(db);
    if (!f || !f->rest_found) {
        return false;
    }
    *out = f->rest;
    f->rest_found = false;
    return true;
}

int ds__vfs_tell_bad(sqlite3 *db, uint32_t page, bool in_log) {
    return tell_bad(file_of_db(db), page, in_log);
}

bool ds__vfs_view_now(sqlite3 *db, ds__vfs_view *out) {
    const ds__file *f = file_of_db(db);
    sqlite3_int64 size = 0;
    *out = (ds__vfs_view){0};
    if (!f || !f->reads || !f->index || !f->sums || !f->log ||
        f->real->pMethods->xFileSize(f->real, &size) != SQLITE_OK) {
        return false;
    }
    out->file = f->real;
    out->page_size = f->page_size;
    out->pages = f->view_pages ? f->view_pages : (uint32_t)(size / f->page_size);
    if (f->reads > 1) {
        out->log = f->log->real;
        out->frames = f->view_frames;
    }
    return true;
}
