/* SPDX-License-Identifier: Apache-2.0 */
/* A page's last frame within the snapshot, else the file's page: what SQLite reads too. The file is
 * read and not mapped: where another program cuts it off, or its disk fails, that is an error, and
 * no signal that ends the process. */
#include "engine/store/pages.h"

#include <string.h>

#include "base/mem.h"

/* The index is in parts of so many frames' pages, the first with a head before them. */
enum { INDEX_HEAD = 136 / 4, INDEX_FRAMES = 4096 };

/* Longer logs are SQLite's to read. */
enum { MAX_FRAMES = 1 << 20 };

/* A window holds twice as much each time that pages follow each other, leaving out few. */
enum { WINDOW = 64 * 1024, PAGES_BETWEEN = 4 };

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
    return true;
}

void ds__pages_close(ds__pages *pages) {
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

void ds__page_reader_open(ds__page_reader *reader, const ds__pages *pages) {
    *reader = (ds__page_reader){.pages = pages, .window = ds__alloc(WINDOW)};
}

void ds__page_reader_close(ds__page_reader *reader) {
    ds__free(reader->window);
    reader->window = NULL;
}

/* Whether the page at `at` is in the window now. */
static bool in_window(ds__page_reader *reader, int64_t at, int size) {
    const ds__vfs_view *view = &reader->pages->view;
    const int64_t end = (int64_t)view->pages * size;
    int64_t ahead = size;
    if (!reader->window) {
        return false;
    }
    if (at >= reader->from && at + size <= reader->to) {
        return true;
    }
    if (at >= reader->to && at - reader->to <= PAGES_BETWEEN * (int64_t)size) {
        ahead = 2 * (reader->to - reader->from);
        ahead = ahead < WINDOW ? ahead : WINDOW;
        ahead = ahead < size ? size : ahead < end - at ? ahead : end - at;
    }
    reader->from = at;
    reader->to = at + ahead;
    if (view->file->pMethods->xRead(view->file, reader->window, (int)ahead, at) == SQLITE_OK) {
        return true;
    }
    reader->to = at; /* the file may end before the snapshot, whose last pages are in the log */
    return false;
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
    if (in_window(reader, at, size)) {
        out->bytes = reader->window + (at - reader->from);
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
