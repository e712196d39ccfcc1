/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions have done, kept in the file: one row for each session, of its newest transaction
 * number. It is written in the transaction that does it, so that a client which got no answer may
 * ask again, of whatever process has the file open then. */
#ifndef DS_ENGINE_STORE_RETRIES_H
#define DS_ENGINE_STORE_RETRIES_H

#include "engine/store/store.h"

enum {
    DS_RETRY_SESSION = 16,            /* bytes of a session's id */
    DS_RETRY_MS = 30 * 60 * 1000,     /* how long a row is kept */
    DS_RETRY_BYTES = 64 * 1024 * 1024 /* of all rows; then the oldest go, see retries.c */
};

typedef enum ds__retry_kind {
    DS_RETRY_WRITE,     /* `done` says which statements were executed */
    DS_RETRY_COMMITTED, /* a transaction of several commands */
    DS_RETRY_FORGOTTEN  /* a write whose `done` took too much room */
} ds__retry_kind;

typedef struct ds__retry_row {
    int64_t number; /* -1: nothing is known of the session */
    ds__retry_kind kind;
} ds__retry_row;

/* The row of a session as the transaction sees it; its bytes are appended to `done`, which may be
 * NULL. */
bool ds__retries_get(ds__txn *txn, const uint8_t *session, ds__retry_row *row, ds_buf *done,
                     ds_error *err);
/* Puts the row in the place of the session's last one. For a transaction that writes, at its end:
 * scans are paused. `done` may be NULL. */
bool ds__retries_put(ds__txn *txn, const uint8_t *session, ds__retry_row row, const ds_buf *done,
                     ds_error *err);

#endif
