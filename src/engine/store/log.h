/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite's write-ahead log, read by ourselves: its frames' checksums, and what recovery left out.
 * The format is documented in SQLite's "Database File Format", section 4. */
#ifndef DS_ENGINE_STORE_LOG_H
#define DS_ENGINE_STORE_LOG_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

enum { DS_LOG_HEAD = 32, DS_LOG_FRAME_HEAD = 24 };

/* Whether the page of the frame whose data begin at `at` is what the frame's checksum was made of.
 * SQLite's code when the log cannot be read. */
int ds__log_verify(sqlite3_file *log, int64_t at, const uint8_t *page, int size, bool *fits);

/* What stands in a log behind the place where recovery ended. */
typedef struct ds__log_rest {
    int64_t frame;   /* the first that was not taken, from 1 */
    int64_t commits; /* whole ones behind it */
    bool damaged;    /* it is a whole frame but for one byte, or the log's head is */
    bool kept;       /* a copy of the log is kept; set by who finds the rest */
} ds__log_rest;

/* Looks behind the end that recovery found, at or after frame `from`. A tail that was being written
 * when the power went has neither whole commits nor frames that one byte is wrong in: then false.
 * `page` is the database's size of pages, should the log's own head be damaged. Nobody may write
 * meanwhile. */
bool ds__log_inspect(sqlite3_file *log, int64_t from, uint32_t page, ds__log_rest *rest);

/* Copies the log to `path` unless that is there. Whether it is there then, whole: what a full disk
 * cuts short is taken away. */
bool ds__log_keep(sqlite3_file *log, const char *path);

#endif
