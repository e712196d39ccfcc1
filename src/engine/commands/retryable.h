/* SPDX-License-Identifier: Apache-2.0 */
/* Retryable writes: commands with a txnNumber outside of transactions. Which of their statements
 * were executed is kept with what they changed (store/retries.h); who sends the command again has
 * those answered and the others executed, in whatever process. */
#ifndef DS_ENGINE_COMMANDS_RETRYABLE_H
#define DS_ENGINE_COMMANDS_RETRYABLE_H

#include "engine/op.h"

typedef enum ds__done_kind {
    DS_DONE_INSERT = 'i', /* by an upsert too */
    DS_DONE_UPDATE = 'u',
    DS_DONE_DELETE = 'd'
} ds__done_kind;

/* Statements that were executed, with ids from first to last. */
typedef struct ds__done {
    int32_t first;
    int32_t last;
    ds__done_kind kind;
    ds_value more; /* what else is answered, a document: an upsert's {_id}, findAndModify's fields;
                    * or DS_MISSING. Lifetime: the op's */
} ds__done;

/* Of one write. Zero-initialise; set `statement` and `statements` before ds__retry_begin. */
typedef struct ds__retry {
    /* borrowed */
    ds_value statement;  /* the argument stmtId: the first statement's id */
    ds_value statements; /* the argument stmtIds: everyone's */
    ds__op *op;
    ds__done *known; /* in the op's arena, in the order of their ids */
    /* owned */
    ds_buf row;     /* what was known, then what is added */
    ds_buf retried; /* elements of retriedStmtIds */
    /* plain */
    ds__iter ids;
    size_t known_count;
    size_t retried_count;
    int32_t id;   /* of the statement now */
    bool on;      /* it is a retryable write */
    bool started; /* there is such a statement */
    bool added;
    bool joins; /* the last addition may take in the next id */
} ds__retry;

/* At the beginning of the write's transaction: reads what was done before. Nothing for other
 * commands. Errors: TransactionTooOld, IncompleteTransactionHistory. */
bool ds__retry_begin(ds__retry *r, ds__op *op, ds_error *err);
/* Goes to the next statement. Whether it was executed before; it is then among the retried. */
bool ds__retry_next(ds__retry *r, ds__done *done);
/* The statement has changed something. `more` as in ds__done. */
void ds__retry_add(ds__retry *r, ds__done_kind kind, ds_value more);
/* At the end of the transaction: keeps what was added. */
bool ds__retry_end(ds__retry *r, ds_error *err);
void ds__retry_clear(ds__retry *r);

#endif
