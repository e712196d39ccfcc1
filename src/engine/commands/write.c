/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the writing commands. Documents are found before the first one changes, so that no
 * scan meets its own writes. */
#include "engine/commands/write.h"

#include "base/limits.h"
#include "bson/number.h"
#include "engine/records/ddl.h"

bool ds__write_check_count(size_t n, ds_value id, ds_value ids, ds_error *err) {
    if (id.type != DS_MISSING && ids.type == DS_ARRAY) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "May not specify both stmtId and stmtIds in write command.");
    }
    if (ids.type == DS_ARRAY && ds__doc_count(ids) != n) {
        return ds__error_set(err, DS_INVALID_LENGTH,
                             "Number of statement ids must match the number of batch entries. Got "
                             "%zu statement ids but %zu operations",
                             ds__doc_count(ids), n);
    }
    return (n >= 1 && n <= DS_MAX_WRITE_BATCH) ||
           ds__error_set(err, DS_INVALID_LENGTH,
                         "Write batch sizes must be between 1 and %d. Got %zu operations.",
                         DS_MAX_WRITE_BATCH, n);
}

bool ds__write_check_pipeline(ds_value stages, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, stages);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "Each element of the 'pipeline' array must be an object");
        }
    }
    return true;
}

bool ds__write_begin(ds__write *w, ds__op *op, ds_error *err) {
    w->op = op;
    if (!ds__op_begin(op, DS_TXN_WRITE, &w->own, err)) {
        return false;
    }
    if (!ds__retry_begin(&w->retry, op, err)) {
        ds__retry_clear(&w->retry);
        return ds__op_end(op, w->own, false, err);
    }
    ds__op_find_coll(op, w->coll_name, w->coll_size, &w->coll);
    return true;
}

static bool on_view(const ds__write *w, ds_error *err) {
    return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW,
                         "Namespace %s.%s is a view, not a collection", w->op->db, w->coll_name);
}

bool ds__write_need_coll(ds__write *w, ds_error *err) {
    if (w->coll != NULL) {
        return !w->coll->is_view || on_view(w, err);
    }
    return ds__ddl_find_or_create(w->op->txn, w->op->db, w->coll_name, &w->coll, err);
}

/* Failures that leave nothing to say about single statements. */
static bool fatal(const ds__write *w, int32_t code) {
    switch (code) {
    case DS_WRITE_CONFLICT:
    case DS_LOCK_TIMEOUT:
    case DS_OUT_OF_DISK_SPACE:
    case DS_DATA_CORRUPTION_DETECTED:
    case DS_FILE_STREAM_FAILED: /* an index may be changed halfway */
    case DS_EXCEEDED_MEMORY_LIMIT:
        return true;
    default:
        return ds__is_interruption(code) || ds__txn_is_broken(w->op->txn);
    }
}

bool ds__write_failed(ds__write *w, ds_error *err, bool *stop) {
    if (fatal(w, err->code)) {
        return false;
    }
    ds_value details = ds__txn_error_details(w->op->txn);
    bool has = details.type == DS_DOCUMENT &&
               (err->code == DS_DUPLICATE_KEY || err->code == DS_DOCUMENT_VALIDATION_FAILURE);
    ds__reply_write_error(&w->errors, w->error_count++, w->index, err,
                          has ? details : ds__missing());
    *stop = w->ordered;
    if (w->op->multi_statement) {
        ds__session_doom(w->op);
        *stop = true;
    }
    return true;
}

static void add_array(ds_buf *reply, const char *name, const ds_buf *elements) {
    size_t array = ds__write_doc(reply, name, strlen(name), DS_ARRAY);
    ds_buf_add(reply, elements->data, elements->size);
    ds_buf_fail_as(reply, elements);
    ds__doc_end(reply, array);
}

/* {w: 0}: nobody waits for what the write did. */
static bool unacknowledged(const ds__op *op) {
    ds_value w;
    return op->write_concern.type == DS_DOCUMENT && ds__doc_get(op->write_concern, "w", 1, &w) &&
           ds__is_number(w) && ds__number_to_int64(w) == 0;
}

bool ds__write_end(ds__write *w, bool ok, bool with_modified, ds_buf *reply, ds_error *err) {
    if (ok) { /* before the commit: after it nothing may fail */
        ds__write_int32(reply, "n", unacknowledged(w->op) ? 0 : (int32_t)w->n);
        if (w->upserted_count > 0) {
            add_array(reply, "upserted", &w->upserted);
        }
        if (w->error_count > 0) {
            add_array(reply, "writeErrors", &w->errors);
        }
        if (w->retry.retried_count > 0) {
            add_array(reply, "retriedStmtIds", &w->retry.retried);
        }
        if (with_modified) {
            ds__write_int32(reply, "nModified", (int32_t)w->modified);
        }
        ok = ds__retry_end(&w->retry, err) && ds__op_settle(reply, err);
    }
    ok = ds__op_end(w->op, w->own, ok, err);
    ds__retry_clear(&w->retry);
    ds_buf_clear(&w->errors);
    ds_buf_clear(&w->upserted);
    return ok;
}

static bool compile_parts(ds__write *w, const ds__statement_spec *spec, ds__statement *s,
                          ds_error *err) {
    ds__let let;
    ds__query q = ds__query_of(w->coll, NULL);
    q.hint = spec->hint;
    q.filter_spec = spec->filter;
    q.sort_spec = spec->sort;
    q.positions = true;
    q.first = spec->first;
    q.limit = spec->multi || spec->first ? 0 : 1;
    if (!ds__let_bind(&s->env, spec->let, &let, err)) {
        return false;
    }
    bool plain_id = ds__query_is_id(spec->filter, &q.id);
    /* Updates take equalities for upserts and positions for `$` from the compiled filter. */
    if (!plain_id || spec->update.type != DS_MISSING) {
        if (!ds__filter_compile(&s->env, spec->filter, NULL, &s->filter, err)) {
            return false;
        }
    }
    if (spec->update.type != DS_MISSING) {
        ds__update_spec us = {.update = spec->update,
                              .array_filters = spec->array_filters,
                              .constants = spec->constants,
                              .multi = spec->multi,
                              .upsert = spec->upsert,
                              .filter = s->filter};
        if (!ds__update_compile(&s->env, &us, &s->update, err)) {
            return false;
        }
    }
    if (spec->sort.type == DS_DOCUMENT && !ds__doc_empty(spec->sort)) {
        ds__sort_pattern sort;
        if (!ds__sort_compile(&s->env, spec->sort, &sort, err)) {
            return false;
        }
        s->sort = ds_arena_copy(s->env.arena, &sort, sizeof sort);
        if (s->sort == NULL) {
            return ds__error_oom(err);
        }
    }
    if (!ds__eval_init(&s->eval, &s->env, s->env.arena, &s->scratch, err) ||
        !ds__let_eval(&let, &s->eval, err)) {
        return false;
    }
    s->scan_eval = s->eval;
    s->scan_eval.scratch = &s->scan_scratch;
    s->scan_eval.slots =
        ds_arena_copy(s->env.arena, s->eval.slots, s->env.slot_count * sizeof *s->eval.slots);
    if (s->scan_eval.slots == NULL) {
        return ds__error_oom(err);
    }
    q.filter = s->filter;
    q.sort = s->sort;
    if (w->coll != NULL && w->coll->is_view) {
        return on_view(w, err);
    }
    return ds__plan_choose(w->op->txn, &s->env, &q, &s->plan, err);
}

bool ds__statement_check_retryable(const ds__write *w, const ds__statement_spec *spec,
                                   const char *option, ds_error *err) {
    bool retryable = w->op->session != NULL && !w->op->multi_statement;
    return !retryable || !spec->multi ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "Cannot use (or request) retryable writes with %s", option);
}

bool ds__statement_compile(ds__write *w, const ds__statement_spec *spec, ds__statement *s,
                           ds_error *err) {
    *s = (ds__statement){.env = w->op->env, .mark = ds_arena_save(&w->op->arena)};
    s->env.arena = &w->op->arena;
    s->scratch.meter = s->scan_scratch.meter = s->env.meter;
    s->old.meter = s->changed.meter = s->fixed.meter = s->env.meter;
    if (w->coll != NULL) { /* the statement before may have made one of its indexes multikey */
        ds__op_find_coll(w->op, w->coll_name, w->coll_size, &w->coll);
    }
    return compile_parts(w, spec, s, err);
}

void ds__statement_clear(ds__write *w, ds__statement *s) {
    ds_arena_clear(&s->scratch);
    ds_arena_clear(&s->scan_scratch);
    ds_buf_clear(&s->old);
    ds_buf_clear(&s->changed);
    ds_buf_clear(&s->fixed);
    ds_arena_restore(&w->op->arena, s->mark);
}

bool ds__statement_targets(ds__write *w, ds__statement *s, bool multi, ds__targets *out,
                           ds_error *err) {
    ds__exec *x = NULL;
    ds__row row;
    ds__target found = {0};
    ds_next n = DS_NEXT_END;
    ds__targets_init(out, s->env.meter);
    if (!ds__exec_open(w->op->txn, s->plan, &s->scan_eval, &x, err)) {
        return false;
    }
    while ((multi || out->count == 0) &&
           (n = ds__exec_next(x, &row, &found.match, err)) == DS_NEXT_ROW) {
        found.rid = row.rid;
        if (!ds__targets_add(out, &found, err)) {
            n = DS_NEXT_ERROR;
            break;
        }
    }
    ds__exec_close(x);
    ds__targets_rewind(out);
    return n != DS_NEXT_ERROR;
}

/* The document as it is now, copied into s->old. */
static bool fetch(ds__write *w, ds__statement *s, int64_t rid, bool *found, ds_error *err) {
    ds_value doc;
    *found = false;
    if (!ds__record_get(w->op->txn, w->coll, rid, &doc, err)) {
        return false;
    }
    if (doc.type == DS_MISSING) {
        return true;
    }
    ds_buf_reset(&s->old);
    ds_buf_add(&s->old, doc.as.bytes, doc.size);
    *found = true;
    return ds_buf_ok(&s->old, err);
}

bool ds__statement_update(ds__write *w, ds__statement *s, const ds__target *target, bool *found,
                          bool *modified, ds_error *err) {
    *modified = false;
    if (!fetch(w, s, target->rid, found, err)) {
        return false;
    }
    if (!*found) {
        return true;
    }
    ds_value old = ds__document(s->old.data);
    ds_arena_reset(&s->scratch);
    ds_buf_reset(&s->changed);
    return ds__update_apply(s->update, old, &target->match, &s->eval, &s->changed, modified, err) &&
           ds_buf_ok(&s->changed, err) &&
           (!*modified || ds__record_replace(w->op->txn, w->coll, target->rid, old,
                                             ds__document(s->changed.data), &w->options, err));
}

bool ds__statement_delete(ds__write *w, ds__statement *s, int64_t rid, bool *found, ds_error *err) {
    return fetch(w, s, rid, found, err) &&
           (!*found || ds__record_delete(w->op->txn, w->coll, rid, ds__document(s->old.data), err));
}

bool ds__statement_upsert(ds__write *w, ds__statement *s, ds_value *doc, ds_error *err) {
    ds_arena_reset(&s->scratch);
    ds_buf_reset(&s->changed);
    ds_buf_reset(&s->fixed);
    return ds__update_upsert(s->update, s->filter, &s->eval, &s->changed, err) &&
           ds_buf_ok(&s->changed, err) && ds__write_need_coll(w, err) &&
           ds__record_fix(ds__document(s->changed.data), &s->fixed, doc, err) &&
           ds__record_insert(w->op->txn, w->coll, *doc, &w->options, NULL, err);
}
