/* SPDX-License-Identifier: Apache-2.0 */
/* Logical sessions and their transactions of several commands. What they have done is kept by
 * retryable.h. */
#ifndef DS_ENGINE_COMMANDS_SESSION_H
#define DS_ENGINE_COMMANDS_SESSION_H

#include "engine/op.h"

/* The id within a document {id: UUID}. */
bool ds__session_read_id(ds_value lsid, uint8_t id[DS_SESSION_ID_SIZE]);
/* The session id of a command; false when it has no lsid. */
bool ds__session_id(const ds__op *op, uint8_t id[DS_SESSION_ID_SIZE]);

/* A statement inside a transaction failed although its command answers ok: the transaction ends
 * when the command does. */
void ds__session_doom(ds__op *op);

/* The fields lsid, txnNumber and autocommit of the running command. */
bool ds__session_commit(ds__op *op, ds_error *err);
bool ds__session_abort(ds__op *op, ds_error *err);

/* Refuses a change of the catalog in a transaction whose read concern is majority or snapshot.
 * Errors: InvalidOptions. */
bool ds__session_check_change(const ds__op *op, ds_error *err);

/* Ends the sessions listed: [{id: UUID}, …], or all. Their transactions are aborted; what they last
 * wrote is still known. */
void ds__sessions_end(ds_engine *engine, ds_value list, bool kill);
void ds__sessions_kill_all(ds_engine *engine);

#endif
