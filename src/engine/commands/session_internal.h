/* SPDX-License-Identifier: Apache-2.0 */
/* Inside sessions: what session.c keeps, session_end.c ends, transaction.c runs and retryable.c
 * asks. */
#ifndef DS_ENGINE_COMMANDS_SESSION_INTERNAL_H
#define DS_ENGINE_COMMANDS_SESSION_INTERNAL_H

#include <pthread.h>

#include "base/map.h"
#include "engine/commands/idle.h"
#include "engine/commands/savepoint.h"
#include "engine/commands/session.h"
#include "engine/commands/session_fields.h"
#include "engine/store/retries.h"

enum { DS_TRANSACTION_MS = 60 * 1000 }; /* how long one may be open */

typedef enum ds__txn_state { TXN_NONE, TXN_OPEN, TXN_COMMITTED, TXN_ABORTED } ds__txn_state;

struct ds__session {
    /* owned */
    ds__txn *txn;
    ds__savepoints savepoints; /* of the open transaction */
    /* borrowed */
    const char *why; /* the end of a message: what aborted the transaction, unasked; or NULL */
    /* plain: the registry's lock guards these. They stand apart from what is its user's while busy:
     * compilers read neighbours at once. */
    bool busy;
    bool trimmed;       /* the open transaction's cache was given back since it was used */
    bool ended;         /* free it when no longer busy */
    bool killed;        /* abort its transaction when no longer busy */
    ds__idle_item idle; /* listed while nobody uses the session */
    /* plain: of who uses it */
    uint8_t id[DS_SESSION_ID_SIZE];
    int64_t txn_number; /* the highest seen; -1: none */
    int64_t made_ms;
    int64_t last_used_ms;
    int64_t began_ms;
    int64_t taken_us;  /* of ds__clock_mono_us: since when a command uses it */
    int64_t active_us; /* how long commands of the transaction have run */
    int64_t peer;      /* connection that opened the transaction; -1: none to watch */
    ds__txn_state state;
    bool doomed;
    bool with_savepoints; /* the transaction was begun with savepoints: true */
    bool strict;          /* … with a read concern that changes of the catalog do not go with */
};

struct ds__sessions {
    /* owned */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    ds_map by_id;
    /* borrowed */
    ds_engine *engine;
    /* plain */
    int64_t reaped_ms; /* atomic */
};

/* session.c */
/* Takes the session of this id for the command; it is made if it is new. Waits while another
 * command uses it. Errors: TooManyLogicalSessions, what ds__op_check says. */
bool ds__session_check_out(ds__op *op, const uint8_t *id, ds__session **out, ds_error *err);
void ds__session_check_in(ds__op *op, ds__session *s);
/* Takes a session that nobody uses, and gives it back: a transaction that is to end by then is
 * ended meanwhile, without the lock. Both under the registry's lock. */
void ds__session_claim(ds__sessions *sessions, ds__session *s);
void ds__session_release(ds__sessions *sessions, ds__session *s);
/* Counts a session that nobody uses for what it holds now; takes one that has no transaction out of
 * the registry. Under the lock. */
void ds__session_count_anew(ds__sessions *sessions, ds__session *s);
void ds__session_drop(ds__sessions *sessions, ds__session *s);

/* transaction.c */
/* Aborts the session's transaction, which is open, and keeps why (see ds__session). By who uses the
 * session, without locks. */
void ds__session_end_transaction(ds_engine *engine, ds__session *s, const char *why);

/* Takes in what the file knows of the session, when that is newer: of another process, of the
 * server before, or of a session that was ended. */
void ds__session_learn(ds__op *op, ds__session *s, ds__retry_row row);
/* Whether a retryable write of this number may run. Errors: TransactionTooOld,
 * IncompleteTransactionHistory. */
bool ds__session_check_write(const ds__session *s, int64_t number, ds_error *err);

#endif
