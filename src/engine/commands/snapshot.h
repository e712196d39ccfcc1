/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots that outlive a command: what readConcern {level: "snapshot"} read is read again by the
 * commands that name its atClusterTime. Each holds a read transaction of the store. */
#ifndef DS_ENGINE_COMMANDS_SNAPSHOT_H
#define DS_ENGINE_COMMANDS_SNAPSHOT_H

#include "engine/op.h"

/* How long one is held after its first read, and how many at once; the oldest goes first. */
enum { DS_SNAPSHOT_MS = 60 * 1000, DS_MAX_SNAPSHOTS = 32 };

/* Takes the snapshot op->at_cluster_time names for this command, or makes one when that is 0; sets
 * op->txn and op->at_cluster_time. Errors: InvalidOptions (a time to come), SnapshotTooOld
 * (released), SnapshotUnavailable (never held). */
bool ds__snapshot_enter(ds__op *op, ds_error *err);
/* Gives it back; it is kept for later commands. */
void ds__snapshot_leave(ds__op *op);

/* Releases those of a session (of all, when `session` is NULL), or those that are too old. */
void ds__snapshots_end_session(ds_engine *engine, const uint8_t *session);
void ds__snapshots_reap(ds_engine *engine, int64_t now_ms);
/* The same; when the log is too long, those that are older than idle_transaction_ms. Whether others
 * are held. Threads: any. */
bool ds__snapshots_end_old(ds_engine *engine, int64_t now_ms, int log_pressure);

/* Made before the store is opened. A fork releases what nobody reads. */
ds__snapshots *ds__snapshots_new(void);
void ds__snapshots_free(ds__snapshots *snapshots);
/* In a forked child: what the parent held stays the parent's. */
void ds__snapshots_forget(ds__snapshots *snapshots);

#endif
