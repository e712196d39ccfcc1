/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that ends transactions and snapshots which were left open, since what they read keeps
 * the log from ending, in every process that uses the file; and that deletes expired documents. It
 * runs only while there are such transactions or TTL indexes. */
#ifndef DS_ENGINE_REAPER_H
#define DS_ENGINE_REAPER_H

#include "engine/op.h"

ds__reaper *ds__reaper_new(void);
/* Ends the thread: before what it looks at is freed, outside of operations. NULL is allowed. */
void ds__reaper_stop(ds__reaper *reaper);
/* In a forked child, which has no such thread: it starts its own when it needs one. */
void ds__reaper_forget(ds__reaper *reaper);
void ds__reaper_free(ds__reaper *reaper);
/* Somebody opened a transaction or a snapshot that outlives its command; or there is a TTL index.
 */
void ds__reaper_need(ds_engine *engine);
bool ds__reaper_runs(ds__reaper *reaper);

#endif
