/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and bytes of collections: they change in memory and are written once, at the commit. */
#include "base/mem.h"
#include "engine/records/internal.h"
#include "engine/records/records.h"

/* The deltas as they were, in one piece. */
typedef struct saved_deltas {
    size_t count;
    ds__count_delta deltas[];
} saved_deltas;

bool ds__counts_mark(ds__txn *txn, void **mark, ds_error *err) {
    const ds__records_txn *own = ds__records_of(txn);
    if (own->delta_count == 0) {
        return true; /* no mark: nothing was counted */
    }
    size_t size = own->delta_count * sizeof *own->deltas;
    saved_deltas *saved = ds__alloc(sizeof *saved + size);
    if (!saved) {
        return ds__error_oom(err);
    }
    saved->count = own->delta_count;
    memcpy(saved->deltas, own->deltas, size);
    *mark = saved;
    return true;
}

void ds__counts_back(ds__txn *txn, const void *mark) {
    ds__records_txn *own = ds__records_of(txn);
    const saved_deltas *saved = mark;
    own->delta_count = saved ? saved->count : 0;
    if (saved) {
        memcpy(own->deltas, saved->deltas, saved->count * sizeof *own->deltas);
    }
}

bool ds__counts_write(ds__txn *txn, ds_error *err) {
    const ds__records_txn *own = ds__records_of(txn);
    bool ok = true;
    for (size_t i = 0; ok && i < own->delta_count; i++) {
        const ds__count_delta *delta = &own->deltas[i];
        ok = (delta->documents == 0 && delta->bytes == 0) ||
             ds__table_add_counts(txn, delta->coll, delta->documents, delta->bytes, err);
    }
    return ok;
}

static ds__count_delta *find(const ds__records_txn *own, int64_t coll) {
    for (size_t i = 0; i < own->delta_count; i++) {
        if (own->deltas[i].coll == coll) {
            return &own->deltas[i];
        }
    }
    return NULL;
}

static bool add(ds__txn *txn, int64_t coll, int64_t documents, int64_t bytes, ds_error *err) {
    ds__records_txn *own = ds__records_of(txn);
    ds__count_delta *delta = find(own, coll);
    if (delta) {
        delta->documents += documents;
        delta->bytes += bytes;
        return true;
    }
    if (own->delta_count == own->delta_cap) {
        size_t cap = own->delta_cap ? own->delta_cap * 2 : 8;
        ds__count_delta *grown = ds__realloc(own->deltas, cap * sizeof *grown);
        if (!grown) {
            return ds__error_oom(err);
        }
        own->deltas = grown;
        own->delta_cap = cap;
    }
    own->deltas[own->delta_count++] = (ds__count_delta){coll, documents, bytes};
    return true;
}

static bool wrote(ds__txn *txn, const ds__change *w, ds_error *err) {
    const bool was = w->before.type == DS_DOCUMENT;
    const bool is = w->after.type == DS_DOCUMENT;
    int64_t bytes = (is ? (int64_t)w->after.size : 0) - (was ? (int64_t)w->before.size : 0);
    return add(txn, w->coll->id, is - was, bytes, err);
}

static bool cleared(ds__txn *txn, const ds__coll *coll, int64_t documents, int64_t bytes,
                    ds_error *err) {
    return add(txn, coll->id, -documents, -bytes, err);
}

/* What was counted of a collection that is gone is written nowhere. */
static bool changed(ds__txn *txn, const ds__ddl *ddl, const ds__coll *after, ds_error *err) {
    (void)after;
    (void)err;
    ds__count_delta *delta =
        ddl->kind == DS_DDL_DROP ? find(ds__records_of(txn), ddl->coll->id) : NULL;
    if (delta) {
        delta->documents = delta->bytes = 0;
    }
    return true;
}

const ds__observer ds__counts_observer = {.wrote = wrote, .cleared = cleared, .changed = changed};

bool ds__record_counts(ds__txn *txn, const ds__coll *coll, int64_t *documents, int64_t *bytes,
                       ds_error *err) {
    const ds__count_delta *delta = find(ds__records_of(txn), coll->id);
    if (!ds__table_counts(txn, coll->id, documents, bytes, err)) {
        return false;
    }
    *documents += delta ? delta->documents : 0;
    *bytes += delta ? delta->bytes : 0;
    return true;
}
