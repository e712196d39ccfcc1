/* SPDX-License-Identifier: Apache-2.0 */
/* What cursors and sessions hold while no command works with them, counted together. When it is
 * more than the store's cursorMemoryMB, what was unused longest goes first: a cursor is closed, a
 * transaction forgets what it has read of the file. When that is not enough, transactions end. What
 * is left of a session, its number, goes after a minute. */
#ifndef DS_ENGINE_COMMANDS_IDLE_H
#define DS_ENGINE_COMMANDS_IDLE_H

#include "engine/op.h"

typedef enum ds__idle_kind {
    DS_IDLE_CURSOR,
    DS_IDLE_SESSION,     /* with a transaction and what it has read */
    DS_IDLE_TRANSACTION, /* a session with a transaction alone */
    DS_IDLE_RECORD,      /* a session with nothing but its number */
    DS_IDLE_KINDS
} ds__idle_kind;

/* Part of a cursor or a session; guarded by the lock of ds__idle. Zero-initialise to start. */
typedef struct ds__idle_item ds__idle_item;
struct ds__idle_item {
    ds__idle_item *before;
    ds__idle_item *after;
    size_t bytes;
    uint64_t order; /* greater: put down later; 0: it is not listed */
    int64_t since_ms;
    ds__idle_kind kind;
};

ds__idle *ds__idle_new(size_t limit);
void ds__idle_free(ds__idle *idle);
void ds__idle_forget(ds__idle *idle); /* as ds__sessions_forget */

/* Lists what nobody works with any more, as the newest; takes it off the list. With the lock of the
 * cursors or the sessions it belongs to. Times are of ds__clock_now_ms. */
void ds__idle_add(ds__idle *idle, ds__idle_item *item, ds__idle_kind kind, size_t bytes,
                  int64_t now_ms);
void ds__idle_remove(ds__idle *idle, ds__idle_item *item);
/* It is listed, and holds something else now: it keeps its turn. */
void ds__idle_change(ds__idle *idle, ds__idle_item *item, ds__idle_kind kind, size_t bytes);

/* Lets go until what is left fits, or is all too new. Without locks. */
void ds__idle_shrink(ds_engine *engine, int64_t now_ms);
/* What is to go now, if it is of this kind; else NULL. With the lock of its owners: it stays listed
 * as long as that is held. */
ds__idle_item *ds__idle_oldest(ds__idle *idle, ds__idle_kind kind, int64_t now_ms);
/* Whether sessions' numbers alone are too much, and none may go yet. */
bool ds__idle_is_full(ds__idle *idle, int64_t now_ms);

/* By the owners, for ds__idle_shrink: let go of what ds__idle_oldest names, if anything. */
void ds__cursors_drop_oldest(ds_engine *engine, int64_t now_ms);
void ds__sessions_drop_oldest(ds_engine *engine, ds__idle_kind kind, int64_t now_ms);

#endif
