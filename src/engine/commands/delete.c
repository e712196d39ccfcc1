/* SPDX-License-Identifier: Apache-2.0 */
/* delete: limit 0 removes all matches, limit 1 the first. */
#include "bson/number.h"
#include "engine/commands/handlers.h"
#include "engine/commands/write.h"
#include "engine/records/observe.h"

enum {
    D_DELETES,
    D_LET,
    D_ORDERED,
    D_BYPASS,
    D_CONSTANTS,
    D_ENCRYPTION,
    D_STATEMENT,
    D_STATEMENTS,
    D_COUNT
};
static const ds__arg delete_args[D_COUNT] = {
    [D_BYPASS] = {"bypassDocumentValidation", DS_ARG_BOOL,
                  DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING}, /* nothing to validate */
    [D_CONSTANTS] = {"runtimeConstants", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [D_ENCRYPTION] = {"encryptionInformation", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [D_STATEMENT] = {"stmtId", DS_ARG_INT, DS_ARG_NULL_IS_MISSING},
    [D_STATEMENTS] = {"stmtIds", DS_ARG_INTS, 0},
    [D_DELETES] = {"deletes", DS_ARG_OBJECTS, DS_ARG_REQUIRED},
    [D_LET] = {"let", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [D_ORDERED] = {"ordered", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
};

enum { S_COLLATION, S_HINT, S_LIMIT, S_Q, S_COUNT };
static const ds__arg statement_args[S_COUNT] = {
    [S_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [S_HINT] = {"hint", DS_ARG_ANY, 0},
    [S_LIMIT] = {"limit", DS_ARG_ANY, DS_ARG_REQUIRED},
    [S_Q] = {"q", DS_ARG_OBJECT, DS_ARG_REQUIRED | DS_ARG_NULL_IS_MISSING},
};

static bool parse_statement(ds_value spec, ds_value let, ds__statement_spec *out, ds_error *err) {
    ds_value v[S_COUNT];
    if (!ds__args_read("delete.deletes", false, spec, statement_args, S_COUNT, v, err) ||
        !ds__check_hint(v[S_HINT], err)) {
        return false;
    }
    int64_t limit = ds__arg_int64(v[S_LIMIT], 0);
    int64_t exact = 0;
    bool whole = !ds__is_number(v[S_LIMIT]) || ds__value_exact_int64(v[S_LIMIT], &exact);
    if (!whole || (limit != 0 && limit != 1)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The limit field in delete objects must be 0 or 1. Got %lld",
                             (long long)limit);
    }
    *out =
        (ds__statement_spec){.filter = v[S_Q], .let = let, .hint = v[S_HINT], .multi = limit == 0};
    return ds__check_collation(v[S_COLLATION], err);
}

/* Everything, without looking at anything. */
static bool delete_everything(ds__write *w, ds_error *err) {
    int64_t documents, bytes;
    if (!ds__record_counts(w->op->txn, w->coll, &documents, &bytes, err) ||
        !ds__record_truncate(w->op->txn, w->coll, err)) {
        return false;
    }
    w->n += documents;
    return true;
}

static bool run_statement(ds__write *w, const ds__statement_spec *spec, ds_error *err) {
    ds__statement s;
    ds__targets targets = {0};
    ds__target target;
    if (!ds__statement_check_retryable(w, spec, "limit=0", err)) {
        return false;
    }
    if (spec->multi && ds__doc_empty(spec->filter) && spec->hint.type == DS_MISSING &&
        w->coll != NULL && !w->coll->is_view && ds__observe_can_clear()) {
        return delete_everything(w, err);
    }
    bool ok = ds__statement_compile(w, spec, &s, err) &&
              ds__statement_targets(w, &s, spec->multi, &targets, err);
    for (size_t i = 0; ok && ds__targets_next(&targets, &target); i++) {
        bool found;
        ok = ds__statement_delete(w, &s, target.rid, &found, err);
        w->n += ok && found;
        if (ok && found) {
            ds__retry_add(&w->retry, DS_DONE_DELETE, ds__missing());
        }
        if (ok && (i & 1023) == 1023) {
            ok = ds__env_check(&w->op->env, err);
        }
    }
    ds__targets_clear(&targets);
    ds__statement_clear(w, &s);
    return ok;
}

static bool delete_all(ds__write *w, ds_value deletes, ds_value let, ds_error *err) {
    ds__iter it;
    bool ok = true;
    bool stop = false;
    ds__iter_init(&it, deletes);
    for (; ok && !stop && ds__iter_next(&it); w->index++) {
        ds__statement_spec spec;
        ds__done done;
        if (ds__retry_next(&w->retry, &done)) {
            w->n++;
            continue;
        }
        ok = parse_statement(it.value, let, &spec, err);
        if (ok && !run_statement(w, &spec, err)) {
            ok = ds__write_failed(w, err, &stop);
        }
    }
    return ok;
}

bool ds__delete_check(ds_value command, ds_error *err) {
    ds_value v[D_COUNT];
    ds__statement_spec spec;
    return ds__args_read("delete", true, command, delete_args, D_COUNT, v, err) &&
           (ds__doc_empty(v[D_DELETES]) ||
            parse_statement(ds__array_at(v[D_DELETES], 0), ds__missing(), &spec, err));
}

static bool parse(ds__op *op, ds__write *w, ds_value *v, ds_error *err) {
    ds__iter it;
    if (!ds__op_collection(op, &w->coll_name, &w->coll_size, err) ||
        !ds__args_read("delete", true, op->command, delete_args, D_COUNT, v, err) ||
        !ds__write_check_count(ds__doc_count(v[D_DELETES]), v[D_STATEMENT], v[D_STATEMENTS], err)) {
        return false;
    }
    ds__iter_init(&it, v[D_DELETES]);
    while (ds__iter_next(&it)) {
        ds__statement_spec spec;
        if (!parse_statement(it.value, ds__missing(), &spec, err)) {
            return false;
        }
    }
    return true;
}

bool ds__delete_parse(ds__op *op, ds_error *err) {
    ds_value v[D_COUNT];
    ds__write w = {0};
    return parse(op, &w, v, err);
}

bool ds__cmd_delete(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[D_COUNT];
    ds__write w = {0};
    if (!parse(op, &w, v, err)) {
        return false;
    }
    w.retry.statement = v[D_STATEMENT];
    w.retry.statements = v[D_STATEMENTS];
    w.ordered = ds__arg_bool(v[D_ORDERED], true);
    return ds__write_begin(&w, op, err) &&
           ds__write_end(&w, delete_all(&w, v[D_DELETES], v[D_LET], err), false, reply, err);
}
