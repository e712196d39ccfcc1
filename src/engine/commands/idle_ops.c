/* SPDX-License-Identifier: Apache-2.0 */
/* What currentOp tells of cursors and transactions that nobody works with now. */
#include <time.h>

#include "base/clock.h"
#include "bson/writer.h"
#include "engine/commands/cursor.h"
#include "engine/commands/handlers.h"
#include "engine/commands/session_internal.h"

typedef struct listing {
    const ds__op *op; /* who asks */
    ds_buf *out;
    size_t *count;
} listing;

static void write_head(const listing *l, const char *type) {
    const ds__engine_peer *peer = l->op->peer;
    ds__write_str(l->out, "type", type);
    ds__write_str(l->out, "host", peer && peer->me ? peer->me : "localhost");
}

static void write_lsid(const listing *l, const uint8_t *session) {
    size_t lsid = ds__write_doc(l->out, "lsid", 4, DS_DOCUMENT);
    ds__write_value(
        l->out, "id", 2,
        (ds_value){
            .type = DS_BINARY, .subtype = 4, .size = DS_SESSION_ID_SIZE, .as.bytes = session});
    ds__doc_end(l->out, lsid);
}

static void write_cursor(const ds__cursor *c, void *ctx) {
    const listing *l = ctx;
    size_t doc = ds__write_index_doc(l->out, (*l->count)++, DS_DOCUMENT);
    write_head(l, "idleCursor");
    ds__write_str(l->out, "ns", c->ns);
    if (c->has_session) {
        write_lsid(l, c->session);
    }
    size_t cursor = ds__write_doc(l->out, "cursor", 6, DS_DOCUMENT);
    ds__write_int64(l->out, "cursorId", c->id);
    ds__write_value(l->out, "createdDate", 11, ds__date(c->made_ms));
    ds__write_value(l->out, "lastAccessDate", 14, ds__date(c->last_used_ms));
    ds__write_int64(l->out, "nDocsReturned", c->returned);
    ds__write_int64(l->out, "nBatchesReturned", c->batches);
    ds__write_bool(l->out, "noCursorTimeout", c->no_timeout);
    ds__write_bool(l->out, "tailable", false);
    ds__write_bool(l->out, "awaitData", false);
    ds__write_command(l->out, "originatingCommand", c->command);
    ds__doc_end(l->out, cursor);
    ds__doc_end(l->out, doc);
}

/* As mongod writes times here: as text. */
static void write_time(ds_buf *out, const char *name, int64_t ms) {
    char text[48];
    char whole[32];
    struct tm parts;
    time_t seconds = (time_t)(ms / 1000);
    gmtime_r(&seconds, &parts);
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text, sizeof text, "%s.%03d+00:00", whole, (int)(ms % 1000));
    ds__write_str(out, name, text);
}

static void write_transaction(const listing *l, const ds__session *s) {
    int64_t open_us = (ds__clock_now_ms() - s->began_ms) * 1000;
    int64_t active_us = s->active_us < open_us ? s->active_us : open_us;
    size_t doc = ds__write_doc(l->out, "transaction", 11, DS_DOCUMENT);
    size_t parameters = ds__write_doc(l->out, "parameters", 10, DS_DOCUMENT);
    ds__write_int64(l->out, "txnNumber", s->txn_number);
    ds__write_bool(l->out, "autocommit", false);
    ds__doc_end(l->out, parameters);
    ds__write_value(l->out, "readTimestamp", 13, (ds_value){.type = DS_TIMESTAMP});
    write_time(l->out, "startWallClockTime", s->began_ms);
    ds__write_int64(l->out, "timeOpenMicros", open_us);
    ds__write_int64(l->out, "timeActiveMicros", active_us);
    ds__write_int64(l->out, "timeInactiveMicros", open_us - active_us);
    write_time(l->out, "expiryTime", s->began_ms + DS_TRANSACTION_MS);
    ds__doc_end(l->out, doc);
}

static void write_session(const listing *l, const ds__session *s) {
    size_t doc = ds__write_index_doc(l->out, (*l->count)++, DS_DOCUMENT);
    write_head(l, "idleSession");
    ds__write_str(l->out, "desc", "inactive transaction");
    if (s->peer >= 0) {
        ds__write_int32(l->out, "connectionId", (int32_t)s->peer);
    }
    write_lsid(l, s->id);
    ds__write_bool(l->out, "active", false);
    write_transaction(l, s);
    ds__write_bool(l->out, "waitingForLock", false);
    ds__doc_end(l->out, doc);
}

void ds__idle_ops(const ds__op *op, ds__idle_listed which, ds_buf *out, size_t *count) {
    listing l = {.op = op, .out = out, .count = count};
    if (which.cursors) {
        ds__cursors_each_idle(op->engine->cursors, write_cursor, &l);
    }
    ds__sessions *sessions = op->engine->sessions;
    void *value;
    size_t at = 0;
    if (which.sessions) {
        pthread_mutex_lock(&sessions->lock);
        while (ds_map_each(&sessions->by_id, &at, NULL, NULL, &value)) {
            const ds__session *s = value;
            if (!s->busy && s->state == TXN_OPEN) {
                write_session(&l, s);
            }
        }
        pthread_mutex_unlock(&sessions->lock);
    }
}
