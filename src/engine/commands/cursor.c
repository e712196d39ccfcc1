/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of open cursors and how their batches are filled. */
#include "engine/commands/cursor.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"

enum { CURSOR_TIMEOUT_MS = 10 * 60 * 1000, REAP_EVERY_MS = 10 * 1000 };

struct ds__cursors {
    /* owned */
    pthread_mutex_t lock;
    ds_map by_id;
    /* plain */
    int64_t reaped_ms;
};

ds__cursors *ds__cursors_new(void) {
    ds__cursors *c = ds__alloc(sizeof *c);
    if (c != NULL) {
        pthread_mutex_init(&c->lock, NULL);
    }
    return c;
}

void ds__cursors_forget(ds__cursors *cursors) {
    cursors->by_id = (ds_map){0};
    pthread_mutex_init(&cursors->lock, NULL);
}

void ds__cursors_free(ds__cursors *cursors) {
    const void *key;
    size_t at = 0;
    size_t size;
    void *value;
    if (cursors == NULL) {
        return;
    }
    while (ds_map_each(&cursors->by_id, &at, &key, &size, &value)) {
        ds__cursor_free(value);
    }
    ds_map_clear(&cursors->by_id);
    pthread_mutex_destroy(&cursors->lock);
    ds__free(cursors);
}

/* The cursor may be killed, or the command that runs now may have to end. */
static bool interrupted(void *ctx, ds_error *err) {
    ds__cursor *cursor = ctx;
    if (__atomic_load_n(&cursor->killed, __ATOMIC_RELAXED)) {
        return ds__error_set(err, DS_CURSOR_KILLED, "cursor was killed");
    }
    return cursor->op == NULL || ds__op_check(cursor->op, err);
}

/* The door explains what the cursor's own meters refuse. */
static void tell(ds__cursor *c, ds__op *op) {
    c->meter.told = op ? &op->meter : NULL;
    c->kept.told = op ? &op->kept : NULL;
}

ds__cursor *ds__cursor_new(ds__op *op, ds_error *err) {
    ds__cursor *c = ds__alloc(sizeof *c);
    if (c == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    c->op = op;
    c->env = op->env;
    c->env.arena = &c->arena;
    c->env.interrupt = interrupted;
    c->env.interrupt_ctx = c;
    ds__env_bound(&c->env, &c->meter, &c->kept, op->command.size);
    tell(c, op);
    c->arena.meter = c->scratch.meter = c->scan_scratch.meter = c->stash.meter = &c->meter;
    if (!ds__value_copy(&c->arena, op->command, &c->command)) {
        ds__error_oom(err);
        ds__cursor_free(c);
        return NULL;
    }
    c->txn_number = -1;
    c->peer = -1;
    return c;
}

void ds__cursor_free(ds__cursor *c) {
    if (c == NULL) {
        return;
    }
    ds__exec_close(c->exec);
    if (c->pipeline != NULL) {
        ds__pipeline_close(c->pipeline);
    }
    ds_buf_clear(&c->stash);
    if (c->catalog != NULL) {
        ds__catalog_unref(c->catalog);
    }
    ds_arena_clear(&c->scan_scratch);
    ds_arena_clear(&c->scratch);
    ds_arena_clear(&c->arena);
    ds__free(c);
}

static ds_next next_document(ds__cursor *c, ds_value *doc, ds_error *err) {
    static const uint8_t empty[5] = {5};
    if (c->exec == NULL) {
        return ds__pipeline_next(c->pipeline, doc, err);
    }
    ds__row row;
    const ds__query *query = ds__exec_plan(c->exec)->query;
    ds_next n = ds__exec_next(c->exec, &row, NULL, err);
    *doc = row.doc;
    if (n != DS_NEXT_ROW || query->meta == 0) {
        return n;
    }
    ds_arena_reset(&c->scratch);
    if (!ds__row_meta(query, &row, c->env.collator, &c->scratch, &c->meta, err)) {
        return DS_NEXT_ERROR;
    }
    if (c->return_key) {
        *doc = c->meta.values[DS_META_INDEX_KEY];
        *doc = doc->type == DS_MISSING ? ds__document(empty) : *doc;
    }
    return n;
}

/* Puts $recordId at the end of the document written from `start` on. */
static void append_record_id(ds_buf *buf, size_t start, int64_t rid) {
    if (buf->failed) {
        return;
    }
    buf->size--;
    ds__write_int64(buf, "$recordId", rid);
    ds__doc_end(buf, start);
}

static bool check_size(size_t size, ds_error *err) {
    if (size <= DS_MAX_INTERNAL_SIZE) {
        return true;
    }
    return ds__error_set(
        err, DS_BSON_OBJECT_TOO_LARGE,
        "BSONObj size: %zu (0x%zX) is invalid. Size must be between 0 and %d(16MB)", size, size,
        DS_MAX_INTERNAL_SIZE);
}

/* Adds a document, or keeps it for the next batch when this one is full. */
static bool add_document(ds__cursor *c, ds__batch *batch, ds_value doc, bool *full, ds_error *err) {
    size_t before = batch->buf->size;
    *full = false;
    if (c->projection == NULL && !c->show_record_id) {
        if (!check_size(doc.size, err)) {
            return false;
        }
        if (batch->count > 0 && ds__batch_bytes(batch) + doc.size > DS_MAX_BATCH_BYTES) {
            ds_buf_reset(&c->stash);
            ds_buf_add(&c->stash, doc.as.bytes, doc.size);
            *full = true;
            return ds_buf_ok(&c->stash, err);
        }
        ds__batch_add(batch, doc);
        return true;
    }
    char name[12];
    size_t n = ds__index_text(batch->count, name);
    name[n] = 0;
    ds_buf_add_byte(batch->buf, DS_DOCUMENT);
    ds_buf_add(batch->buf, name, n + 1);
    size_t start = batch->buf->size;
    ds_arena_mark mark = ds_arena_save(&c->scratch);
    if (c->projection == NULL) {
        ds_buf_add(batch->buf, doc.as.bytes, doc.size);
    } else if (!ds__projection_apply(c->projection, doc, &c->eval, batch->buf, err)) {
        return false;
    }
    ds_arena_restore(&c->scratch, mark);
    if (c->show_record_id) {
        append_record_id(batch->buf, start, c->meta.values[DS_META_RECORD_ID].as.i64);
    }
    if (!batch->buf->failed && !check_size(batch->buf->size - start, err)) {
        return false;
    }
    if (batch->count > 0 && ds__batch_bytes(batch) > DS_MAX_BATCH_BYTES) {
        ds_buf_reset(&c->stash);
        ds_buf_add(&c->stash, batch->buf->data + start, batch->buf->size - start);
        batch->buf->size = before;
        *full = true;
        return ds_buf_ok(&c->stash, err);
    }
    batch->count++;
    return true;
}

static bool fill(ds__cursor *c, ds__batch *batch, int64_t batch_size, ds_error *err) {
    bool full = false;
    if (c->has_stash && batch_size != 0) {
        ds__batch_add(batch, ds__document(c->stash.data));
        c->has_stash = false;
    }
    while (!full && (batch_size < 0 || (int64_t)batch->count < batch_size)) {
        ds_value doc;
        ds_next n = next_document(c, &doc, err);
        if (n == DS_NEXT_END) {
            c->exhausted = true;
            return ds_buf_ok(batch->buf, err);
        }
        if (n != DS_NEXT_ROW || !add_document(c, batch, doc, &full, err)) {
            return false;
        }
        if (batch->buf->failed) {
            return ds_buf_ok(batch->buf, err);
        }
    }
    c->has_stash = full;
    if (!full && c->exec != NULL && batch_size != 0 && ds__exec_at_end(c->exec)) {
        c->exhausted = true;
    }
    return ds_buf_ok(batch->buf, err);
}

bool ds__cursor_fill(ds__cursor *c, ds__batch *batch, int64_t batch_size, ds_error *err) {
    bool ok = fill(c, batch, batch_size, err);
    c->returned += (int64_t)batch->count;
    c->batches++;
    return ok;
}

static void pause_cursor(ds__cursor *c) {
    if (c->exec != NULL) {
        ds__exec_pause(c->exec);
    } else if (c->pipeline != NULL) {
        ds__pipeline_pause(c->pipeline);
    }
    if (c->today != NULL) {
        ds__catalog_unref(c->today);
        c->today = NULL;
    }
    c->op = NULL;
    tell(c, NULL);
}

static void list_idle(ds_engine *engine, ds__cursor *c) {
    ds__idle_add(engine->idle, &c->idle, DS_IDLE_CURSOR, sizeof *c + c->meter.held + c->kept.held,
                 c->last_used_ms);
}

/* Takes a cursor out of the registry and frees it. Under the lock. */
static void drop(ds_engine *engine, ds__cursor *c) {
    ds__idle_remove(engine->idle, &c->idle);
    ds_map_remove(&engine->cursors->by_id, &c->id, sizeof c->id);
    ds__cursor_free(c);
}

void ds__cursors_drop_oldest(ds_engine *engine, int64_t now_ms) {
    pthread_mutex_lock(&engine->cursors->lock);
    ds__idle_item *item = ds__idle_oldest(engine->idle, DS_IDLE_CURSOR, now_ms);
    if (item) {
        drop(engine, (ds__cursor *)((char *)item - offsetof(ds__cursor, idle)));
    }
    pthread_mutex_unlock(&engine->cursors->lock);
}

/* Closes what nobody asked for in ten minutes. Under the lock. */
static void reap(ds_engine *engine, int64_t now) {
    ds__cursors *cursors = engine->cursors;
    const void *key;
    size_t size;
    void *value;
    if (now - cursors->reaped_ms < REAP_EVERY_MS) {
        return;
    }
    cursors->reaped_ms = now;
    size_t at = 0; /* what is removed leaves its place empty */
    while (ds_map_each(&cursors->by_id, &at, &key, &size, &value)) {
        ds__cursor *c = value;
        if (!c->busy && !c->no_timeout && now - c->last_used_ms > CURSOR_TIMEOUT_MS) {
            drop(engine, c);
        }
    }
}

bool ds__cursors_keep(ds__op *op, ds__cursor *c, int64_t *id, ds_error *err) {
    ds__cursors *cursors = op->engine->cursors;
    c->catalog = c->catalog ? c->catalog : ds__catalog_ref(ds__txn_catalog(op->txn));
    c->has_session = ds__session_id(op, c->session);
    c->txn_number = -1;
    c->at_cluster_time = op->at_cluster_time;
    ds_value number;
    if (op->multi_statement && ds__doc_get(op->command, "txnNumber", 9, &number)) {
        ds__value_exact_int64(number, &c->txn_number);
    }
    c->peer = op->peer && op->peer->remember ? op->peer->connection_id : -1;
    c->made_ms = c->last_used_ms = ds__clock_now_ms();
    pause_cursor(c);
    do {
        ds__random_bytes(&c->id, sizeof c->id);
        c->id &= INT64_MAX;
    } while (c->id == 0);
    pthread_mutex_lock(&cursors->lock);
    reap(op->engine, c->last_used_ms);
    bool ok = ds_map_set(&cursors->by_id, &c->id, sizeof c->id, c, NULL);
    *id = ok ? c->id : 0;
    if (ok) {
        list_idle(op->engine, c);
    }
    pthread_mutex_unlock(&cursors->lock);
    if (ok) {
        ds__idle_shrink(op->engine, ds__clock_now_ms());
    }
    return ok || ds__error_oom(err);
}

bool ds__cursors_take(ds__op *op, int64_t id, ds__cursor **out, ds_error *err) {
    ds__cursors *cursors = op->engine->cursors;
    bool ok = true;
    *out = NULL;
    pthread_mutex_lock(&cursors->lock);
    ds__cursor *c = ds_map_get(&cursors->by_id, &id, sizeof id);
    if (c == NULL || c->killed) {
        ok = ds__error_set(err, DS_CURSOR_NOT_FOUND, "cursor id %lld not found", (long long)id);
    } else if (c->busy) {
        ok =
            ds__error_set(err, DS_CURSOR_IN_USE, "cursor id %lld is already in use", (long long)id);
    } else {
        c->busy = true;
        ds__idle_remove(op->engine->idle, &c->idle);
        c->op = op;
        tell(c, op);
        *out = c;
    }
    pthread_mutex_unlock(&cursors->lock);
    return ok;
}

void ds__cursors_give(ds__op *op, ds__cursor *c) {
    ds__cursors *cursors = op->engine->cursors;
    pause_cursor(c);
    pthread_mutex_lock(&cursors->lock);
    ds_assert(c->busy); /* ds__cursors_take gave it to one alone */
    c->busy = false;
    c->last_used_ms = ds__clock_now_ms();
    bool gone = c->exhausted || c->killed;
    if (gone) {
        ds_map_remove(&cursors->by_id, &c->id, sizeof c->id);
    } else {
        list_idle(op->engine, c);
    }
    pthread_mutex_unlock(&cursors->lock);
    if (gone) {
        ds__cursor_free(c);
    } else {
        ds__idle_shrink(op->engine, ds__clock_now_ms());
    }
}

/* Frees a cursor, or marks it when a command works with it. Under the lock. */
static void end_cursor(ds_engine *engine, ds__cursor *c) {
    if (c->busy) {
        __atomic_store_n(&c->killed, true, __ATOMIC_RELAXED);
        return;
    }
    drop(engine, c);
}

bool ds__cursors_kill(ds_engine *engine, int64_t id) {
    ds__cursors *cursors = engine->cursors;
    pthread_mutex_lock(&cursors->lock);
    ds__cursor *c = ds_map_get(&cursors->by_id, &id, sizeof id);
    bool found = c != NULL && !c->killed;
    if (found) {
        end_cursor(engine, c);
    }
    pthread_mutex_unlock(&cursors->lock);
    return found;
}

static void end_matching(ds_engine *engine, const uint8_t *id, int64_t txn_number) {
    ds__cursors *cursors = engine->cursors;
    const void *key;
    size_t size;
    void *value;
    size_t at = 0;
    pthread_mutex_lock(&cursors->lock);
    while (cursors->by_id.count > 0 && ds_map_each(&cursors->by_id, &at, &key, &size, &value)) {
        ds__cursor *c = value;
        bool named = !id || memcmp(c->session, id, DS_SESSION_ID_SIZE) == 0;
        if (c->has_session && !c->killed && named &&
            (txn_number < 0 || c->txn_number == txn_number)) {
            end_cursor(engine, c);
        }
    }
    pthread_mutex_unlock(&cursors->lock);
}

void ds__cursors_end_session(ds_engine *engine, const uint8_t *id) {
    end_matching(engine, id, -1);
}

void ds__cursors_end_transaction(ds_engine *engine, const uint8_t id[DS_SESSION_ID_SIZE],
                                 int64_t txn_number) {
    end_matching(engine, id, txn_number);
}

void ds__cursors_each_idle(ds__cursors *cursors, void (*each)(const ds__cursor *cursor, void *ctx),
                           void *ctx) {
    void *value;
    size_t at = 0;
    pthread_mutex_lock(&cursors->lock);
    while (ds_map_each(&cursors->by_id, &at, NULL, NULL, &value)) {
        if (!((ds__cursor *)value)->busy) {
            each(value, ctx);
        }
    }
    pthread_mutex_unlock(&cursors->lock);
}

size_t ds__cursors_count(ds__cursors *cursors) {
    pthread_mutex_lock(&cursors->lock);
    size_t n = cursors->by_id.count;
    pthread_mutex_unlock(&cursors->lock);
    return n;
}

bool ds__op_begin(ds__op *op, ds__txn_kind kind, bool *own, ds_error *err) {
    *own = false;
    if (op->txn != NULL) {
        return kind == DS_TXN_READ || ds__txn_upgrade(op->txn, err);
    }
    const ds__wait wait = ds__op_wait(op);
    if (!ds__txn_begin(op->engine->store, kind, &wait, &op->txn, err)) {
        return false;
    }
    ds__txn_bound(op->txn, op->env.meter);
    *own = true;
    return true;
}

bool ds__op_end(ds__op *op, bool own, bool ok, ds_error *err) {
    if (!own) {
        return ok;
    }
    ds__txn *txn = op->txn;
    op->txn = NULL;
    if (!ok) {
        ds_value details = ds__txn_error_details(txn);
        if (details.type == DS_DOCUMENT && op->details.size == 0) {
            ds_buf_add(&op->details, details.as.bytes, details.size);
        }
        ds__txn_abort(txn);
        return false;
    }
    return ds__txn_commit(txn, op->sync, err);
}

bool ds__cursor_resume(ds__cursor *c, ds__exec *exec, ds_error *err) {
    return (c->today == NULL || ds__exec_check(exec, c->today, c->op->snapshot, err)) &&
           ds__exec_resume(exec, c->op->txn, err);
}
