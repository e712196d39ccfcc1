/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a reader's snapshot, read past SQLite from the file and the log. While SQLite holds
 * the snapshot's lock nobody changes what of both belongs to it
 * (docs/decisions/0013-reading-past-sqlite.md). */
#ifndef DS_ENGINE_STORE_PAGES_H
#define DS_ENGINE_STORE_PAGES_H

#include "base/error.h"
#include "engine/store/vfs.h"

/* Threads: many at a time, each with a ds__page_reader of its own. */
typedef struct ds__pages {
    /* owned */
    uint32_t *frames; /* pairs of a page and its last frame, by the page's hash; page 0: none */
    /* plain */
    ds__vfs_view view;
    uint32_t frame_mask;
} ds__pages;

/* Where a thread reads. Pages of the file that follow each other come into its window, many at a
 * time; all zero but `pages` it has none, and each is read by itself. */
typedef struct ds__page_reader {
    /* owned */
    uint8_t *window;
    /* borrowed */
    const ds__pages *pages;
    /* plain */
    int64_t from; /* bytes of the file that are in the window */
    int64_t to;
} ds__page_reader;

typedef struct ds__page {
    const uint8_t *bytes;
    bool sound; /* a checksum says that the bytes are as they were written */
} ds__page;

/* The snapshot the connection reads now. False when it cannot be read this way. */
bool ds__pages_open(ds__pages *pages, sqlite3 *db);
void ds__pages_close(ds__pages *pages);
/* With a window, unless memory is out. */
void ds__page_reader_open(ds__page_reader *reader, const ds__pages *pages);
void ds__page_reader_close(ds__page_reader *reader);
/* Page `number`, into `room` of a page's size where it is not in the window. SQLite's code:
 * SQLITE_CORRUPT when its checksum does not fit, `*in_log` telling where it was read. Lifetime:
 * that of `room`, and until the reader reads another page. */
int ds__page_read(ds__page_reader *reader, uint32_t number, uint8_t *room, ds__page *out,
                  bool *in_log);

#endif
