/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of a file tell each other, in twelve bytes of the log's index: SQLite maps it
 * in all of them, locks eight of these bytes and never reads or writes them, and keeps four for
 * later. Times are of ds__clock_mono_us / 1000, which processes share. Where there is no log
 * nothing is told. Threads: any. */
#ifndef DS_ENGINE_STORE_SHARED_H
#define DS_ENGINE_STORE_SHARED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

/* Tells that somebody waits to write, now; and whether that was told a moment ago: who waits tells
 * it every few milliseconds. */
enum { DS_AWAITED_MS = 1000 };
void ds__shared_tell_waiting(sqlite3 *db, int64_t now_ms);
bool ds__shared_is_awaited(sqlite3 *db, int64_t now_ms);

/* Takes a turn of work that one process does for all: false when another one took it less than
 * `every_ms` ago. True where there is no log. */
bool ds__shared_claim(sqlite3 *db, int64_t now_ms, int64_t every_ms);

/* Asks new readers to wait until then, at most DS_GATE_MS from now; `until_ms` 0: no more. And for
 * how many milliseconds they are to wait now. */
enum { DS_GATE_MS = 1000 };
void ds__shared_close_gate(sqlite3 *db, int64_t until_ms);
int ds__shared_gate(sqlite3 *db, int64_t now_ms);

/* The word of the queue of writers (queue.c); NULL: there is no log. */
uint32_t *ds__shared_queue(sqlite3 *db);

#endif
