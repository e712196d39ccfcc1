/* SPDX-License-Identifier: Apache-2.0 */
/* A page's last frame within the snapshot, else the file's page: what SQLite reads too. A mapped
 * page is touched only after the system was asked for it, so that a disk's failure is an error of
 * reading and no signal. */
#include "engine/store/pages.h"

#include <string.h>

#include "base/mem.h"
#include "base/system.h"

/* The index is in parts of so many frames' pages, the first with a head before them. */
enum { INDEX_HEAD = 136 / 4, INDEX_FRAMES = 4096 };

/* SQLite wants some bytes more than it is asked for in a mapped file. */
enum { MAP_MARGIN = 256 };

/* Longer logs are SQLite's to read. */
enum { MAX_FRAMES = 1 << 20 };

/* Asked of the system at once: at first, and when pages follow each other. */
enum { AHEAD = 64 * 1024, MAX_AHEAD = 1024 * 1024 };

static void open_map(ds__pages *pages) {
    const ds__vfs_view *view = &pages->view;
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB;
    sqlite3_file *file = ds__alloc((size_t)view->system->szOsFile);
    pages->map_file = file;
    if (!file || view->system->xOpen(view->system, view->name, file, flags, NULL) != SQLITE_OK ||
        file->pMethods->iVersion < 3) {
        return;
    }
    sqlite3_int64 size = 0;
    sqlite3_int64 limit = INT64_MAX;
    void *last = NULL;
    file->pMethods->xFileControl(file, SQLITE_FCNTL_MMAP_SIZE, &limit);
    limit = -1; /* asks for what SQLite made of it */
    file->pMethods->xFileControl(file, SQLITE_FCNTL_MMAP_SIZE, &limit);
    if (file->pMethods->xFileSize(file, &size) != SQLITE_OK || limit <= 0) {
        return;
    }
    size = (limit < size ? limit : size) - MAP_MARGIN;
    if (size > 0 && file->pMethods->xFetch(file, size - 1, 1, &last) == SQLITE_OK && last) {
        pages->map_size = size;
        pages->map = (const uint8_t *)last - (size - 1);
    }
}

static void close_map(ds__pages *pages) {
    sqlite3_file *file = pages->map_file;
    if (file && file->pMethods) {
        if (pages->map) {
            const uint8_t *last = pages->map + pages->map_size - 1;
            file->pMethods->xUnfetch(file, pages->map_size - 1, (void *)(uintptr_t)last);
        }
        file->pMethods->xClose(file);
    }
    ds__free(file);
}

static uint32_t *slot_of(const ds__pages *pages, uint32_t page) {
    uint32_t at = page * 0x9e3779b1u & pages->frame_mask;
    while (pages->frames[2 * at] && pages->frames[2 * at] != page) {
        at = (at + 1) & pages->frame_mask;
    }
    return &pages->frames[2 * at];
}

/* Of the frames that a page has the last one counts. */
static bool load_frames(ds__pages *pages) {
    const ds__vfs_view *view = &pages->view;
    uint32_t slots = 16;
    if (view->frames > MAX_FRAMES) {
        return false;
    }
    while (slots < 2 * view->frames) {
        slots *= 2;
    }
    pages->frame_mask = slots - 1;
    pages->frames = ds__alloc(2 * (size_t)slots * sizeof *pages->frames);
    uint32_t frame = 0;
    for (int part = 0; pages->frames && frame < view->frames; part++) {
        void volatile *region = NULL;
        const int head = part == 0 ? INDEX_HEAD : 0;
        if (view->file->pMethods->xShmMap(view->file, part, DS_INDEX_REGION, 0, &region) !=
                SQLITE_OK ||
            !region) {
            return false;
        }
        const uint32_t *words = (const uint32_t *)(uintptr_t)region;
        for (int i = head; i < INDEX_FRAMES && frame < view->frames; i++) {
            const uint32_t page = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
            if (page == 0) {
                return false;
            }
            uint32_t *slot = slot_of(pages, page);
            slot[0] = page;
            slot[1] = ++frame;
        }
    }
    return pages->frames != NULL;
}

bool ds__pages_open(ds__pages *pages, sqlite3 *db) {
    *pages = (ds__pages){0};
    if (!ds__vfs_view_now(db, &pages->view) || !load_frames(pages)) {
        ds__pages_close(pages);
        return false;
    }
    open_map(pages);
    return true;
}

void ds__pages_close(ds__pages *pages) {
    close_map(pages);
    ds__free(pages->frames);
    *pages = (ds__pages){0};
}

static int read_frame(const ds__pages *pages, uint32_t frame, uint8_t *room, ds__page *out) {
    const int size = pages->view.page_size;
    const int64_t at = DS_LOG_HEAD + DS_LOG_FRAME_HEAD +
                       (int64_t)(frame - 1) * ((int64_t)size + DS_LOG_FRAME_HEAD);
    static const uint8_t none[DS_PAGE_RESERVED];
    sqlite3_file *log = pages->view.log;
    bool fits = false;
    int rc = log->pMethods->xRead(log, room, size, at);
    if (rc == SQLITE_OK) {
        rc = ds__log_verify(log, at, room, size, &fits);
    }
    /* another program's page may have kept the checksum of before: its documents are asked */
    out->sound = memcmp(room + size - DS_PAGE_RESERVED, none, sizeof none) == 0;
    out->bytes = room;
    return rc == SQLITE_OK && !fits ? SQLITE_CORRUPT : rc;
}

/* Whether the page at `at` is in the map, and in memory. */
static bool in_map(ds__page_reader *reader, int64_t at, int size) {
    const ds__pages *pages = reader->pages;
    if (!pages->map || at + size > pages->map_size) {
        return false;
    }
    if (at >= reader->from && at + size <= reader->to) {
        return true;
    }
    const int64_t from = at / AHEAD * AHEAD;
    int64_t ahead = AHEAD;
    if (from == reader->to && reader->from < from) {
        ahead = 2 * (from - reader->from);
    }
    int64_t to = from + (ahead < MAX_AHEAD ? ahead : MAX_AHEAD);
    to = to < pages->map_size ? to : pages->map_size;
    if (!ds__populate(pages->map + from, (size_t)(to - from))) {
        return false;
    }
    reader->from = from;
    reader->to = to;
    return true;
}

int ds__page_read(ds__page_reader *reader, uint32_t number, uint8_t *room, ds__page *out,
                  bool *in_log) {
    const ds__pages *pages = reader->pages;
    const int size = pages->view.page_size;
    const int64_t at = (int64_t)(number - 1) * size;
    *out = (ds__page){0};
    *in_log = false;
    if (number == 0 || number > pages->view.pages) {
        return SQLITE_CORRUPT;
    }
    const uint32_t *slot = slot_of(pages, number);
    if (slot[0]) {
        *in_log = true;
        return read_frame(pages, slot[1], room, out);
    }
    if (in_map(reader, at, size)) {
        out->bytes = pages->map + at;
    } else {
        int rc = pages->view.file->pMethods->xRead(pages->view.file, room, size, at);
        if (rc != SQLITE_OK) {
            return rc == SQLITE_IOERR_SHORT_READ ? SQLITE_CORRUPT : rc;
        }
        out->bytes = room;
    }
    const ds__page_state state = ds__vfs_page_state(out->bytes, size, at);
    out->sound = state == DS_PAGE_SOUND;
    return state == DS_PAGE_BAD ? SQLITE_CORRUPT : SQLITE_OK;
}
