/* SPDX-License-Identifier: Apache-2.0 */
/* Logical sessions: transactions of several commands, and the replies of retryable writes. */
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

/* Retryable writes (txnNumber without autocommit: false). Copies the remembered reply's fields to
 * `reply` when this very write was done before: *done. Errors: TransactionTooOld. */
bool ds__session_recall(ds__op *op, ds_buf *reply, bool *done, ds_error *err);
/* Remembers what the write answered: the fields in bytes [from, to) of `reply`. */
void ds__session_remember(ds__op *op, const ds_buf *reply, size_t from, size_t to);

/* The fields lsid, txnNumber and autocommit of the running command. */
bool ds__session_commit(ds__op *op, ds_error *err);
bool ds__session_abort(ds__op *op, ds_error *err);

/* Refuses a change of the catalog in a transaction whose read concern is majority or snapshot.
 * Errors: InvalidOptions. */
bool ds__session_check_change(const ds__op *op, ds_error *err);

/* Ends the sessions listed: [{id: UUID}, …], or all. Their transactions are aborted; what they last
 * wrote is still known of those that were killed. */
void ds__sessions_end(ds_engine *engine, ds_value list, bool kill);
void ds__sessions_kill_all(ds_engine *engine);

#endif
