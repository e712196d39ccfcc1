/* SPDX-License-Identifier: Apache-2.0 */
/* What stores are opened through: the system's files with a checksum in every page
 * (docs/decisions/0009-pages-and-log.md). */
#ifndef DS_ENGINE_STORE_VFS_H
#define DS_ENGINE_STORE_VFS_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/store/log.h"

/* Bytes at the end of a page that SQLite leaves alone: a checksum and a mark. All zero: not known,
 * as in pages that another program has written. */
enum { DS_PAGE_RESERVED = 8 };

/* The name for sqlite3_open_v2, registered at first use; NULL when that fails. Threads: any. */
const char *ds__vfs_name(void);

/* The page whose checksum did not fit, the last this connection met, told once; 0: none. *in_log:
 * it was read from the log. */
uint32_t ds__vfs_bad_page(sqlite3 *db, bool *in_log);

/* Bytes of a page of the database. */
int ds__vfs_page_size(sqlite3 *db);

/* Where the pages of the snapshot stand that a connection reads now. Lifetime of `file` and `log`:
 * the connection's. */
typedef struct ds__vfs_view {
    sqlite3_file *file; /* the system's */
    sqlite3_file *log;  /* the same of the log; NULL: the snapshot has nothing in it */
    uint32_t frames;    /* of the log that belong to the snapshot */
    uint32_t pages;     /* of the snapshot */
    int page_size;
} ds__vfs_view;

/* False when it reads none, or that is not known: SQLite alone can read it then. */
bool ds__vfs_view_now(sqlite3 *db, ds__vfs_view *out);
/* What a page of the file says of itself by its checksum. */
typedef enum ds__page_state { DS_PAGE_SOUND, DS_PAGE_UNKNOWN, DS_PAGE_BAD } ds__page_state;
ds__page_state ds__vfs_page_state(const uint8_t *page, int size, int64_t at);
/* Notes it for ds__vfs_bad_page. SQLITE_CORRUPT. */
int ds__vfs_tell_bad(sqlite3 *db, uint32_t page, bool in_log);

/* Bytes of one part of the log's index. */
enum { DS_INDEX_REGION = 32768 };
/* The first part of the log's index, which processes share; NULL: there is no log. Lifetime: until
 * the connection closes. */
uint8_t *ds__vfs_index(sqlite3 *db);
/* Reads `size` bytes at `at` of it. */
bool ds__vfs_read_index(sqlite3 *db, size_t at, void *out, size_t size);

/* What this connection found behind the log's end when it recovered it, told once. */
bool ds__vfs_take_rest(sqlite3 *db, ds__log_rest *out);

#endif
