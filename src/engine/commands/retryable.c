/* SPDX-License-Identifier: Apache-2.0 */
/* A row's bytes: for each entry its ids, the size of what more is answered, its kind, then that. An
 * entry stands for a run of statements of one kind with ids that follow each other, where no more
 * is answered: a batch of inserts is one. */
#include "engine/commands/retryable.h"

#include <stdlib.h>

#include "base/limits.h"
#include "bson/number.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/commands/session_internal.h"
#include "engine/store/retries.h"

enum { HEAD = 13, NO_ID = -1, MAX_MORE_DEPTH = DS_MAX_COMMAND_DEPTH + 10 };

static void write_head(uint8_t *at, int32_t first, int32_t last, uint32_t size, uint8_t kind) {
    memcpy(at, &first, 4);
    memcpy(at + 4, &last, 4);
    memcpy(at + 8, &size, 4);
    at[12] = kind;
}

/* The entry that begins at `*at`, which moves behind it. */
static bool read_entry(const uint8_t *row, size_t row_size, size_t *at, ds__done *out) {
    uint32_t size;
    ds_error ignored = {0};
    if (row_size - *at < HEAD) {
        return false;
    }
    const uint8_t *head = row + *at;
    memcpy(&out->first, head, 4);
    memcpy(&out->last, head + 4, 4);
    memcpy(&size, head + 8, 4);
    out->kind = (ds__done_kind)head[12];
    *at += HEAD;
    if (row_size - *at < size || out->last < out->first ||
        (size && !ds__bson_validate(head + HEAD, size, MAX_MORE_DEPTH, &ignored))) {
        return false;
    }
    out->more = size ? ds__document(head + HEAD) : ds__missing();
    *at += size;
    return out->kind == DS_DONE_INSERT || out->kind == DS_DONE_UPDATE ||
           out->kind == DS_DONE_DELETE;
}

static int by_id(const void *x, const void *y) {
    const ds__done *a = x;
    const ds__done *b = y;
    return (a->first > b->first) - (a->first < b->first);
}

/* Makes `known` of a copy of the row's bytes: the row itself moves when it grows. */
static bool read_known(ds__retry *r, ds_error *err) {
    ds__done entry;
    const size_t size = r->row.size;
    if (size == 0) {
        return true;
    }
    const uint8_t *row = ds_arena_copy(&r->op->arena, r->row.data, size);
    if (row == NULL) {
        return ds__error_oom(err);
    }
    for (size_t at = 0; at < size; r->known_count++) {
        if (!read_entry(row, size, &at, &entry)) {
            return ds__corrupt(err, "what a session has done");
        }
    }
    r->known = ds_arena_alloc(&r->op->arena, r->known_count * sizeof *r->known);
    if (r->known == NULL) {
        return ds__error_oom(err);
    }
    for (size_t at = 0, i = 0; at < size; i++) {
        read_entry(row, size, &at, &r->known[i]);
    }
    qsort(r->known, r->known_count, sizeof *r->known, by_id);
    return true;
}

bool ds__retry_begin(ds__retry *r, ds__op *op, ds_error *err) {
    ds__session *s = op->session;
    ds__retry_row row;
    ds_buf done = {.meter = op->env.meter};
    r->op = op;
    r->on = s != NULL && !op->multi_statement;
    if (!r->on) {
        return true;
    }
    if (r->statements.type == DS_ARRAY) {
        ds__iter_init(&r->ids, r->statements);
    }
    r->id = r->statement.type == DS_INT32 ? r->statement.as.i32 : 0;
    r->row = done;
    if (!ds__retries_get(op->txn, s->id, &row, &r->row, err)) {
        return false;
    }
    if (row.number < s->txn_number) {
        ds_buf_reset(&r->row);
    }
    const int64_t number = s->txn_number;
    ds__session_learn(op, s, row);
    if (!ds__session_check_write(s, number, err)) {
        return false;
    }
    if (row.number == number && row.kind == DS_RETRY_FORGOTTEN) {
        return ds__error_set(err, DS_INCOMPLETE_TRANSACTION_HISTORY, /* not to do it twice */
                             "Incomplete history detected for transaction %lld on the session: the "
                             "write was done, but its reply is no longer held",
                             (long long)number);
    }
    return read_known(r, err);
}

/* The last one that begins at or before the id. */
static const ds__done *find(const ds__retry *r) {
    size_t lo = 0;
    size_t hi = r->known_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (r->known[mid].first <= r->id) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo > 0 && r->id <= r->known[lo - 1].last ? &r->known[lo - 1] : NULL;
}

bool ds__retry_next(ds__retry *r, ds__done *done) {
    if (!r->on) {
        return false;
    }
    if (r->statements.type == DS_ARRAY) {
        r->id = ds__iter_next(&r->ids) ? (int32_t)ds__number_to_int64(r->ids.value) : NO_ID;
    } else if (r->started) {
        r->id = (int32_t)((uint32_t)r->id + 1);
    }
    r->started = true;
    const ds__done *known = r->id == NO_ID ? NULL : find(r);
    if (known == NULL) {
        return false;
    }
    *done = *known;
    ds__write_index(&r->retried, r->retried_count++, ds__int32(r->id));
    return true;
}

void ds__retry_add(ds__retry *r, ds__done_kind kind, ds_value more) {
    uint8_t head[HEAD];
    int32_t first;
    int32_t last;
    if (!r->on || r->id == NO_ID) {
        return;
    }
    const uint32_t size = more.type == DS_MISSING ? 0 : (uint32_t)more.size;
    if (r->added && r->joins && size == 0 && !r->row.failed) {
        uint8_t *at = r->row.data + r->row.size - HEAD;
        memcpy(&first, at, 4);
        memcpy(&last, at + 4, 4);
        if (at[12] == kind && r->id == last + 1LL) {
            write_head(at, first, r->id, 0, (uint8_t)kind);
            return;
        }
    }
    write_head(head, r->id, r->id, size, (uint8_t)kind);
    ds_buf_add(&r->row, head, HEAD);
    ds_buf_add(&r->row, more.as.bytes, size);
    r->added = true;
    r->joins = size == 0;
}

bool ds__retry_end(ds__retry *r, ds_error *err) {
    return !r->added ||
           (ds_buf_ok(&r->row, err) &&
            ds__retries_put(r->op->txn, r->op->session->id,
                            (ds__retry_row){r->op->session->txn_number, DS_RETRY_WRITE}, &r->row,
                            err));
}

void ds__retry_clear(ds__retry *r) {
    ds_buf_clear(&r->row);
    ds_buf_clear(&r->retried);
}
