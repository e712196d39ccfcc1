/* SPDX-License-Identifier: Apache-2.0 */
/* update: each statement finds its documents first, then changes them one by one. */
#include "engine/commands/handlers.h"
#include "engine/commands/write.h"
#include "lang/pipeline/pipeline.h"

enum {
    U_BYPASS,
    U_LET,
    U_ORDERED,
    U_UPDATES,
    U_CONSTANTS,
    U_ENCRYPTION,
    U_STATEMENT,
    U_STATEMENTS,
    U_COUNT
};
static const ds__arg update_args[U_COUNT] = {
    [U_CONSTANTS] = {"runtimeConstants", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [U_ENCRYPTION] = {"encryptionInformation", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [U_STATEMENT] = {"stmtId", DS_ARG_INT, DS_ARG_NULL_IS_MISSING},
    [U_STATEMENTS] = {"stmtIds", DS_ARG_INTS, 0},
    [U_BYPASS] = {"bypassDocumentValidation", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [U_LET] = {"let", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [U_ORDERED] = {"ordered", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
    [U_UPDATES] = {"updates", DS_ARG_OBJECTS, DS_ARG_REQUIRED},
};

enum {
    S_ARRAY_FILTERS,
    S_C,
    S_COLLATION,
    S_HINT,
    S_MULTI,
    S_Q,
    S_U,
    S_UPSERT,
    S_UPSERT_SUPPLIED,
    S_COUNT
};
static const ds__arg statement_args[S_COUNT] = {
    [S_ARRAY_FILTERS] = {"arrayFilters", DS_ARG_OBJECTS, 0},
    [S_C] = {"c", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [S_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [S_HINT] = {"hint", DS_ARG_ANY, 0},
    [S_MULTI] = {"multi", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
    [S_Q] = {"q", DS_ARG_OBJECT, DS_ARG_REQUIRED | DS_ARG_NULL_IS_MISSING},
    [S_U] = {"u", DS_ARG_ANY, DS_ARG_REQUIRED},
    [S_UPSERT] = {"upsert", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
    [S_UPSERT_SUPPLIED] = {"upsertSupplied", DS_ARG_STRICT_BOOL, 0},
};

static bool parse_statement(ds_value spec, ds_value let, ds__statement_spec *out, ds_error *err) {
    ds_value v[S_COUNT];
    if (!ds__args_read("update.updates", false, spec, statement_args, S_COUNT, v, err) ||
        !ds__check_hint(v[S_HINT], err)) {
        return false;
    }
    if (ds__value_truthy(v[S_UPSERT_SUPPLIED]) && !ds__value_truthy(v[S_UPSERT])) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "cannot specify 'upsertSupplied: true' for a non-upsert operation");
    }
    if (v[S_U].type != DS_DOCUMENT && v[S_U].type != DS_ARRAY) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Update argument must be either an object or an array");
    }
    if (v[S_U].type == DS_ARRAY && !ds__write_check_pipeline(v[S_U], err)) {
        return false;
    }
    *out = (ds__statement_spec){.filter = v[S_Q],
                                .update = v[S_U],
                                .array_filters = v[S_ARRAY_FILTERS],
                                .constants = v[S_C],
                                .let = let,
                                .hint = v[S_HINT],
                                .multi = ds__arg_bool(v[S_MULTI], false),
                                .upsert = ds__arg_bool(v[S_UPSERT], false)};
    return ds__check_collation(v[S_COLLATION], err);
}

static void note_upserted(ds__write *w, ds_value id) {
    size_t item = ds__write_index_doc(&w->upserted, w->upserted_count++, DS_DOCUMENT);
    ds__write_int32(&w->upserted, "index", w->index);
    ds__write_value(&w->upserted, "_id", 3, id);
    ds__doc_end(&w->upserted, item);
    w->n++;
}

static bool upsert(ds__write *w, ds__statement *s, ds_error *err) {
    ds_value doc;
    ds_buf more = {0};
    if (!ds__statement_upsert(w, s, &doc, err)) {
        return false;
    }
    ds_value id = ds__doc_field(doc, "_id");
    note_upserted(w, id);
    if (w->retry.on) {
        size_t root = ds__doc_begin(&more);
        ds__write_value(&more, "_id", 3, id);
        ds__doc_end(&more, root);
        ds_buf_fail_as(&w->retry.row, &more);
        ds__retry_add(&w->retry, DS_DONE_INSERT,
                      more.failed ? ds__missing() : ds__document(more.data));
        ds_buf_clear(&more);
    }
    return true;
}

/* Answers for a statement that was executed before. */
static bool recall(ds__write *w, ds__done done, ds_error *err) {
    if (done.kind == DS_DONE_DELETE) {
        return ds__error_set(err, 40638,
                             "update retry request is not compatible with previous write in the "
                             "transaction of type: d");
    }
    if (done.kind == DS_DONE_INSERT && done.more.type == DS_DOCUMENT) {
        ds_value last = ds__doc_field(done.more, "lastErrorObject"); /* of findAndModify */
        note_upserted(w, last.type == DS_DOCUMENT ? ds__doc_field(last, "upserted")
                                                  : ds__doc_field(done.more, "_id"));
        return true;
    }
    w->n++;
    w->modified += done.kind == DS_DONE_UPDATE;
    return true;
}

static bool run_statement(ds__write *w, const ds__statement_spec *spec, ds_error *err) {
    ds__statement s;
    ds__targets targets = {0};
    ds__target target;
    int64_t n = 0, changed = 0;
    if (!ds__statement_check_retryable(w, spec, "multi=true", err)) {
        return false;
    }
    if (w->op->multi_statement && spec->update.type == DS_ARRAY &&
        !ds__pipeline_check_in_transaction(spec->update, err)) {
        return false;
    }
    bool ok = ds__statement_compile(w, spec, &s, err) &&
              ds__statement_targets(w, &s, spec->multi, &targets, err);
    for (size_t i = 0; ok && ds__targets_next(&targets, &target); i++) {
        bool found, modified;
        ok = ds__statement_update(w, &s, &target, &found, &modified, err);
        n += ok && found;
        changed += ok && modified;
        if (ok && modified) {
            ds__retry_add(&w->retry, DS_DONE_UPDATE, ds__missing());
        }
        if (ok && (i & 1023) == 1023) {
            ok = ds__env_check(&w->op->env, err);
        }
    }
    if (ok && targets.count == 0 && spec->upsert) {
        ok = upsert(w, &s, err);
    }
    /* What a failed statement did stays done, but is not counted. */
    if (ok) {
        w->n += n;
        w->modified += changed;
    }
    ds__targets_clear(&targets);
    ds__statement_clear(w, &s);
    return ok;
}

static bool update_all(ds__write *w, ds_value updates, ds_value let, ds_error *err) {
    ds__iter it;
    bool ok = true;
    bool stop = false;
    ds__iter_init(&it, updates);
    for (; ok && !stop && ds__iter_next(&it); w->index++) {
        ds__statement_spec spec;
        ds__done done;
        if (ds__retry_next(&w->retry, &done)) {
            ok = recall(w, done, err);
            continue;
        }
        /* stages that are none fail the command, as in aggregate */
        ok = parse_statement(it.value, let, &spec, err) &&
             (spec.update.type != DS_ARRAY || ds__pipeline_check_form(spec.update, err));
        if (ok && !run_statement(w, &spec, err)) {
            ok = ds__write_failed(w, err, &stop);
        }
    }
    return ok;
}

/* Every statement is read before the first one runs: a malformed one fails the command. */
static bool check_statements(ds_value updates, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, updates);
    while (ds__iter_next(&it)) {
        ds__statement_spec spec;
        if (!parse_statement(it.value, ds__missing(), &spec, err)) {
            return false;
        }
    }
    return true;
}

bool ds__update_check(ds_value command, ds_error *err) {
    ds_value v[U_COUNT];
    ds__statement_spec spec;
    return ds__args_read("update", true, command, update_args, U_COUNT, v, err) &&
           (ds__doc_empty(v[U_UPDATES]) ||
            parse_statement(ds__array_at(v[U_UPDATES], 0), ds__missing(), &spec, err));
}

static bool parse(ds__op *op, ds__write *w, ds_value *v, ds_error *err) {
    return ds__op_collection(op, &w->coll_name, &w->coll_size, err) &&
           ds__args_read("update", true, op->command, update_args, U_COUNT, v, err) &&
           ds__write_check_count(ds__doc_count(v[U_UPDATES]), v[U_STATEMENT], v[U_STATEMENTS],
                                 err) &&
           check_statements(v[U_UPDATES], err);
}

bool ds__update_parse(ds__op *op, ds_error *err) {
    ds_value v[U_COUNT];
    ds__write w = {0};
    return parse(op, &w, v, err);
}

bool ds__cmd_update(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[U_COUNT];
    ds__write w = {0};
    if (!parse(op, &w, v, err)) {
        return false;
    }
    w.retry.statement = v[U_STATEMENT];
    w.retry.statements = v[U_STATEMENTS];
    w.ordered = ds__arg_bool(v[U_ORDERED], true);
    w.options.bypass_validation = ds__arg_bool(v[U_BYPASS], false);
    return ds__write_begin(&w, op, err) &&
           ds__write_end(&w, update_all(&w, v[U_UPDATES], v[U_LET], err), true, reply, err);
}
