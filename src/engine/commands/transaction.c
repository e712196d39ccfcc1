/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions of several commands: how a command enters its session's, and how one ends. */
#include "base/clock.h"
#include "engine/commands/cursor.h"
#include "engine/commands/handlers.h"
#include "engine/commands/session_internal.h"
#include "engine/reaper.h"

enum { TURN_WAIT_MS = 1000 };

void ds__session_end_transaction(ds_engine *engine, ds__session *s, const char *why) {
    ds__cursors_end_transaction(engine, s->id, s->txn_number);
    ds__txn_abort(s->txn);
    ds__savepoints_clear(&s->savepoints);
    s->txn = NULL;
    s->state = TXN_ABORTED;
    s->why = why;
}

static void abort_open(ds__op *op, ds__session *s) {
    if (s->state == TXN_OPEN) {
        ds__session_end_transaction(op->engine, s, NULL);
    }
}

static bool is_write(const char *name) {
    return strcmp(name, "insert") == 0 || strcmp(name, "update") == 0 ||
           strcmp(name, "delete") == 0 || strcmp(name, "findAndModify") == 0 ||
           strcmp(name, "aggregate") == 0;
}

/* Commands that are sure to write. */
static bool writes(const ds__op *op) {
    return (op->row->flags & DS_CMD_WRITE) ||
           (is_write(op->row->name) && strcmp(op->row->name, "aggregate") != 0);
}

/* A transaction that writes from the first has no snapshot to lose: it waits for its turn. Not for
 * long: who it waits for may be the same thread, in another session. */
static bool begin_writing(ds__op *op, ds__txn **txn, ds_error *err) {
    int64_t until = ds__clock_mono_us() / 1000 + TURN_WAIT_MS;
    bool shorter = op->deadline_ms != 0 && op->deadline_ms < until;
    ds__wait wait = ds__op_wait(op);
    wait.deadline_ms = shorter ? op->deadline_ms : until;
    if (ds__txn_begin(op->engine->store, DS_TXN_WRITE, &wait, txn, err)) {
        return true;
    }
    if (!shorter && (err->code == DS_MAX_TIME_MS_EXPIRED || err->code == DS_LOCK_TIMEOUT)) {
        *err = (ds_error){0};
        ds__error_set(err, DS_WRITE_CONFLICT,
                      "WriteConflict error: this operation conflicted with another operation. "
                      "Please retry your operation or multi-document transaction.");
    }
    return false;
}

static bool reads_strictly(const ds__op *op) {
    ds_value concern = ds__doc_field(op->command, "readConcern");
    ds_value level = concern.type == DS_DOCUMENT ? ds__doc_field(concern, "level") : ds__missing();
    return ds__is_string(level, "majority") || ds__is_string(level, "snapshot");
}

bool ds__session_check_change(const ds__op *op, ds_error *err) {
    return !op->multi_statement || op->with_savepoints || !op->session->strict ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "Command %s does not support this transaction's readConcern: only the "
                         "levels local and available go with it",
                         op->row->name);
}

void ds__session_learn(ds__op *op, ds__session *s, ds__retry_row row) {
    if (row.number > s->txn_number) {
        abort_open(op, s);
        s->txn_number = row.number;
        s->state = TXN_NONE;
    }
    if (row.number == s->txn_number && row.kind == DS_RETRY_COMMITTED) {
        s->state = TXN_COMMITTED;
    }
}

/* What the file knows, asked when the session itself does not know of the transaction. */
static bool look_up(ds__op *op, ds__session *s, ds_error *err) {
    const ds__wait wait = ds__op_wait(op);
    ds__retry_row row;
    ds__txn *txn;
    if (!ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &txn, err)) {
        return false;
    }
    bool ok = ds__retries_get(txn, s->id, &row, NULL, err);
    ds__txn_abort(txn);
    if (ok) {
        ds__session_learn(op, s, row);
    }
    return ok;
}

static bool check_begin(const ds__session *s, int64_t number, ds_error *err) {
    if (number < s->txn_number) {
        return ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                             "Cannot start transaction with { txnNumber: %lld } on session because "
                             "a newer transaction with txnNumber { txnNumber: %lld } has already "
                             "started",
                             (long long)number, (long long)s->txn_number);
    }
    return number > s->txn_number ||
           ds__error_set(err, DS_CONFLICTING_OPERATION_IN_PROGRESS,
                         "Only servers in a sharded cluster can start a new transaction at the "
                         "active transaction number");
}

/* Another process may know of a newer number. */
static bool check_begun(ds__op *op, ds__session *s, int64_t number, ds_error *err) {
    ds__retry_row row;
    bool ok = ds__retries_get(s->txn, s->id, &row, NULL, err);
    if (ok && row.number < number) {
        return true;
    }
    ds__txn_abort(s->txn);
    s->txn = NULL;
    if (ok) {
        ds__session_learn(op, s, row);
    }
    return ok && check_begin(s, number, err);
}

static bool begin(ds__op *op, ds__session *s, int64_t number, ds_error *err) {
    if (!check_begin(s, number, err)) {
        return false;
    }
    abort_open(op, s);
    s->txn_number = number;
    s->doomed = false;
    s->why = NULL;
    s->state = TXN_ABORTED;
    const ds__wait wait = ds__op_wait(op);
    bool begun = writes(op) ? begin_writing(op, &s->txn, err)
                            : ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &s->txn, err);
    if (!begun || (ds__op_is_remote(op) && !check_begun(op, s, number, err))) {
        return false;
    }
    s->with_savepoints = op->with_savepoints;
    s->strict = reads_strictly(op);
    s->savepoints.count = 0;
    s->state = TXN_OPEN;
    ds__reaper_need(op->engine);
    s->began_ms = s->last_used_ms;
    s->active_us = 0;
    s->peer = op->peer && op->peer->remember ? op->peer->connection_id : -1;
    return true;
}

/* The transaction the command names must be the session's open one. */
static bool proceed(ds__op *op, ds__session *s, int64_t number, bool ending, ds_error *err) {
    if (number > s->txn_number && ds__op_is_remote(op) && !look_up(op, s, err)) {
        return false;
    }
    if (number < s->txn_number) {
        return ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                             "Cannot continue transaction with { txnNumber: %lld }: a newer "
                             "transaction with { txnNumber: %lld } has started",
                             (long long)number, (long long)s->txn_number);
    }
    if (number > s->txn_number || s->state == TXN_NONE) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Given transaction number %lld does not match any in-progress "
                             "transactions. The active transaction number is %lld",
                             (long long)number, (long long)s->txn_number);
    }
    if (s->state == TXN_COMMITTED && !ending) {
        return ds__error_set(err, DS_TRANSACTION_COMMITTED, "Transaction %lld has been committed.",
                             (long long)number);
    }
    if (s->state == TXN_ABORTED) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Transaction with { txnNumber: %lld } has been aborted%s.",
                             (long long)number, s->why ? s->why : "");
    }
    return true;
}

static bool read_number(ds__session_fields f, int64_t *number, ds_error *err) {
    *number = f.number.as.i64;
    return *number >= 0 ||
           ds__error_set(err, DS_INVALID_OPTIONS, "Transaction number cannot be negative");
}

static bool enter_transaction(ds__op *op, ds__session_fields f, int64_t number, ds_error *err) {
    const char *name = op->row->name;
    bool ending = strcmp(name, "commitTransaction") == 0 || strcmp(name, "abortTransaction") == 0;
    ds__session *s = op->session;
    op->with_savepoints =
        f.start.type != DS_MISSING ? ds__value_truthy(f.savepoints) : s->with_savepoints;
    bool extended = op->with_savepoints && (op->row->flags & (DS_CMD_READ | DS_CMD_WRITE));
    if (!(op->row->flags & DS_CMD_IN_TXN) && !extended) {
        return ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                             strcmp(name, "count") == 0
                                 ? "Cannot run '%s' in a multi-document transaction. Please see "
                                   "http://dochub.mongodb.org/core/transaction-count for a "
                                   "recommended alternative."
                                 : "Cannot run '%s' in a multi-document transaction.",
                             name);
    }
    ds_value concern;
    if (!ending && ds__doc_get(op->command, "writeConcern", 12, &concern)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "writeConcern is not allowed within a multi-statement transaction");
    }
    if (f.start.type != DS_MISSING && (ending || strcmp(name, "killCursors") == 0)) {
        return ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                             "Cannot run %s as the first operation in a multi-document "
                             "transaction.",
                             name);
    }
    if (f.start.type == DS_MISSING && ds__doc_get(op->command, "readConcern", 11, &concern)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Only the first command in a transaction may specify a readConcern");
    }
    op->multi_statement = true;
    bool ok = f.start.type != DS_MISSING ? begin(op, s, number, err)
                                         : proceed(op, s, number, ending, err);
    if (ok && s->txn != NULL) {
        const ds__wait wait = ds__op_wait(op);
        op->txn = s->txn;
        ds__txn_watch(op->txn, &wait);
        if (s->with_savepoints && writes(op) && strcmp(name, "savepoint") != 0 &&
            !ds__statement_begin(op, &s->savepoints, err)) {
            ds__txn_watch(s->txn, NULL);
            abort_open(op, s);
            return false;
        }
    }
    return ok;
}

bool ds__session_check_write(const ds__session *s, int64_t number, ds_error *err) {
    if (number < s->txn_number) {
        return ds__error_set(err, DS_TRANSACTION_TOO_OLD,
                             "Retryable write with txnNumber %lld is prohibited on session because "
                             "a newer retryable write with txnNumber %lld has already started on "
                             "this session.",
                             (long long)number, (long long)s->txn_number);
    }
    return number > s->txn_number || s->state == TXN_NONE ||
           ds__error_set(err, DS_INCOMPLETE_TRANSACTION_HISTORY,
                         "Cannot retry a retryable write that has been converted into a "
                         "transaction");
}

static bool parses(ds__op *op, ds_error *err) {
    return op->row->parse == NULL || op->row->parse(op, err);
}

bool ds__session_enter(ds__op *op, ds_error *err) {
    ds__session_fields f;
    uint8_t id[DS_SESSION_ID_SIZE];
    int64_t number = -1;
    op->session = NULL;
    op->multi_statement = false;
    if (op->lone) {
        return true;
    }
    if (!ds__session_fields_read(op, &f, err)) {
        return false;
    }
    if (f.number.type == DS_MISSING) {
        return true; /* nothing is kept for commands that only carry a session's id */
    }
    if (!parses(op, err)) {
        return false;
    }
    ds__session_read_id(f.lsid, id);
    if (!read_number(f, &number, err)) {
        return false;
    }
    if (f.autocommit.type == DS_MISSING && !is_write(op->row->name)) {
        bool ending = strcmp(op->row->name, "commitTransaction") == 0 ||
                      strcmp(op->row->name, "abortTransaction") == 0;
        return ds__error_set(err, ending ? DS_INVALID_OPTIONS : 50768,
                             "txnNumber may only be provided for multi-document transactions and "
                             "retryable write commands. autocommit:false was not provided, and %s "
                             "is not a retryable write command.",
                             op->row->name);
    }
    ds__session *s = NULL;
    if (!ds__session_check_out(op, id, &s, err)) {
        return false;
    }
    op->session = s;
    bool ok = true;
    if (f.autocommit.type != DS_MISSING) {
        ok = enter_transaction(op, f, number, err);
    } else if (!ds__session_check_write(s, number, err)) {
        ok = false;
    } else if (number > s->txn_number) {
        abort_open(op, s);
        s->txn_number = number;
        s->state = TXN_NONE;
    }
    if (!ok) {
        op->session = NULL;
        op->txn = NULL;
        ds__session_check_in(op, s);
    }
    return ok;
}

void ds__session_leave(ds__op *op, bool ok) {
    ds__session *s = op->session;
    if (s == NULL) {
        return;
    }
    if (op->multi_statement && op->txn != NULL && s->txn == op->txn) {
        bool good = ok && !s->doomed;
        if (s->with_savepoints ? !ds__statement_end(op, &s->savepoints, good) : !good) {
            abort_open(op, s);
        }
        s->doomed = false;
    }
    if (s->txn != NULL) {
        ds__txn_watch(s->txn, NULL);
    }
    op->session = NULL;
    op->txn = op->multi_statement ? NULL : op->txn;
    ds__session_check_in(op, s);
}

ds__savepoints *ds__session_savepoints(ds__op *op) {
    return op->session != NULL && op->multi_statement && op->session->with_savepoints
               ? &op->session->savepoints
               : NULL;
}

void ds__session_doom(ds__op *op) {
    if (op->session != NULL && op->multi_statement) {
        op->session->doomed = true;
    }
}

/* A client that gets no answer asks the server started next. One inside of this process ends with
 * it. */
static bool keep_commit(const ds__op *op, const ds__session *s, ds__txn *txn, ds_error *err) {
    ds__retry_row row;
    if (!ds__op_is_remote(op) || !ds__txn_is_write(txn)) {
        return true;
    }
    if (!ds__retries_get(txn, s->id, &row, NULL, err)) {
        return false;
    }
    if (row.number >= s->txn_number) {
        return ds__error_set(err, DS_NO_SUCH_TRANSACTION,
                             "Transaction with { txnNumber: %lld } has been aborted: the session "
                             "has gone on with number %lld elsewhere",
                             (long long)s->txn_number, (long long)row.number);
    }
    return ds__retries_put(txn, s->id, (ds__retry_row){s->txn_number, DS_RETRY_COMMITTED}, NULL,
                           err);
}

bool ds__session_commit(ds__op *op, ds_error *err) {
    ds__session *s = op->session;
    if (s == NULL || !op->multi_statement) {
        return ds__error_set(err, 125, "commitTransaction must be run within a transaction");
    }
    if (s->state == TXN_COMMITTED) {
        return true;
    }
    ds__cursors_end_transaction(op->engine, s->id, s->txn_number);
    ds__txn *txn = s->txn;
    ds__savepoints_clear(&s->savepoints);
    s->txn = NULL;
    op->txn = NULL;
    s->state = TXN_ABORTED;
    if (!keep_commit(op, s, txn, err)) {
        ds__txn_abort(txn);
        return false;
    }
    if (!ds__txn_commit(txn, op->sync, err)) {
        return false;
    }
    s->state = TXN_COMMITTED;
    return true;
}

bool ds__session_abort(ds__op *op, ds_error *err) {
    ds__session *s = op->session;
    if (s == NULL || !op->multi_statement) {
        return ds__error_set(err, 125, "abortTransaction must be run within a transaction");
    }
    if (s->state == TXN_COMMITTED) {
        return ds__error_set(err, DS_TRANSACTION_COMMITTED, "Transaction %lld has been committed.",
                             (long long)s->txn_number);
    }
    abort_open(op, s);
    op->txn = NULL;
    return true;
}
