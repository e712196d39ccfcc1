/* SPDX-License-Identifier: Apache-2.0 */
/* Expiry of documents by TTL indexes: by a thread, once a second, in one of the processes that use
 * the file. Commands only see to it that there is the thread when there are such indexes. */
#ifndef DS_ENGINE_TTL_H
#define DS_ENGINE_TTL_H

#include "engine/op.h"

/* After a command (NULL: after opening): starts the thread when the store has TTL indexes and it
 * does not run. Looks every few seconds, and after every change of the catalog. */
void ds__ttl_tick(ds_engine *engine, const ds__op *op);

/* In the thread, outside of operations: deletes what has expired, in short transactions, until
 * `*stop`. Whether there are TTL indexes. Failures (another writer, no space) are left to the next
 * turn. */
bool ds__ttl_turn(ds_engine *engine, const bool *stop);

#endif
