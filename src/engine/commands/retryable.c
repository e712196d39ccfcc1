/* SPDX-License-Identifier: Apache-2.0 */
/* Retryable writes: what the last one of a session answered. */
#include "engine/commands/session_internal.h"

void ds__session_forget_reply(ds__session *s) {
    s->forgotten = true;
    ds_buf_clear(&s->remembered);
}

bool ds__session_recall(ds__op *op, ds_buf *reply, bool *done, ds_error *err) {
    const ds__session *s = op->session;
    *done = false;
    if (s == NULL || op->multi_statement || s->remembered_number != s->txn_number) {
        return true;
    }
    if (s->forgotten) { /* to do it again would be to do it twice */
        return ds__error_set(err, DS_INCOMPLETE_TRANSACTION_HISTORY,
                             "Incomplete history detected for transaction %lld on the session: the "
                             "write was done, but its reply is no longer held",
                             (long long)s->txn_number);
    }
    ds_buf_add(reply, s->remembered.data, s->remembered.size);
    *done = true;
    return true;
}

void ds__session_remember(ds__op *op, const ds_buf *reply, size_t from, size_t to) {
    ds__session *s = op->session;
    if (s == NULL || op->multi_statement || reply->failed) {
        return;
    }
    const size_t size = to - from;
    if (s->remembered.cap < size || s->remembered.cap / 4 > size) {
        ds_buf_clear(&s->remembered);
    }
    ds_buf_reset(&s->remembered);
    ds_buf_add(&s->remembered, reply->data + from, size);
    s->remembered_number = s->txn_number;
    s->forgotten = s->remembered.failed;
}
