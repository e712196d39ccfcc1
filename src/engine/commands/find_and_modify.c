/* SPDX-License-Identifier: Apache-2.0 */
/* findAndModify: the first match in the order asked for, changed or removed, before or after. */
#include "engine/commands/handlers.h"
#include "engine/commands/write.h"

enum {
    A_ARRAY_FILTERS,
    A_BYPASS,
    A_COLLATION,
    A_FIELDS,
    A_HINT,
    A_LET,
    A_NEW,
    A_QUERY,
    A_REMOVE,
    A_SORT,
    A_UPDATE,
    A_UPSERT,
    A_CONSTANTS,
    A_STATEMENT,
    A_COUNT
};
static const ds__arg args[A_COUNT] = {
    [A_CONSTANTS] = {"runtimeConstants", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [A_STATEMENT] = {"stmtId", DS_ARG_INT, DS_ARG_NULL_IS_MISSING},
    [A_ARRAY_FILTERS] = {"arrayFilters", DS_ARG_OBJECTS, 0},
    [A_BYPASS] = {"bypassDocumentValidation", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [A_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_FIELDS] = {"fields", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_HINT] = {"hint", DS_ARG_ANY, 0},
    [A_LET] = {"let", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_NEW] = {"new", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [A_QUERY] = {"query", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_REMOVE] = {"remove", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [A_SORT] = {"sort", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_UPDATE] = {"update", DS_ARG_ANY, 0},
    [A_UPSERT] = {"upsert", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
};

/* What happened, for the reply. */
typedef struct outcome {
    ds_value value;    /* DS_MISSING: null */
    ds_value upserted; /* _id */
    bool matched;
    bool modified;
    bool is_update;
} outcome;

static bool check_args(const ds_value *v, ds_error *err) {
    bool remove = ds__arg_bool(v[A_REMOVE], false);
    bool update = v[A_UPDATE].type != DS_MISSING;
    if (!remove && !update) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Either an update or remove=true must be specified");
    }
    if (remove && update) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify both an update and remove=true");
    }
    if (remove && ds__arg_bool(v[A_UPSERT], false)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify both upsert=true and remove=true ");
    }
    if (remove && ds__arg_bool(v[A_NEW], false)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify both new=true and remove=true; 'remove' always "
                             "returns the deleted document");
    }
    if (remove && v[A_ARRAY_FILTERS].type != DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify arrayFilters and remove=true");
    }
    if (update && v[A_UPDATE].type != DS_DOCUMENT && v[A_UPDATE].type != DS_ARRAY) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Update argument must be either an object or an array");
    }
    if (v[A_UPDATE].type == DS_ARRAY && v[A_ARRAY_FILTERS].type != DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify arrayFilters with a pipeline-style update");
    }
    return ds__check_hint(v[A_HINT], err) && ds__check_collation(v[A_COLLATION], err);
}

static bool run(ds__write *w, ds__statement *s, const ds_value *v, outcome *out, ds_error *err) {
    ds__targets targets = {0};
    ds__target target;
    bool found = false;
    bool modified = false;
    bool ok = ds__statement_targets(w, s, false, &targets, err);
    bool any = ok && ds__targets_next(&targets, &target);
    ds__targets_clear(&targets);
    if (any) {
        ok = s->update ? ds__statement_update(w, s, &target, &found, &modified, err)
                       : ds__statement_delete(w, s, target.rid, &found, err);
    }
    if (!ok) {
        return false;
    }
    if (any) {
        out->matched = found;
        out->modified = s->update ? modified : found;
        out->value =
            ds__document(modified && ds__arg_bool(v[A_NEW], false) ? s->changed.data : s->old.data);
        return true;
    }
    if (s->update == NULL || !ds__arg_bool(v[A_UPSERT], false)) {
        return true;
    }
    ds_value doc;
    if (!ds__statement_upsert(w, s, &doc, err)) {
        return false;
    }
    out->upserted = ds__doc_field(doc, "_id");
    if (ds__arg_bool(v[A_NEW], false)) {
        out->value = doc;
    }
    return true;
}

static bool write_value(ds__statement *s, ds__projection *projection, const outcome *o,
                        ds_buf *reply, ds_error *err) {
    if (o->value.type == DS_MISSING) {
        ds__write_value(reply, "value", 5, ds__null());
        return true;
    }
    if (projection == NULL) {
        ds__write_value(reply, "value", 5, o->value);
        return true;
    }
    ds_buf_add_byte(reply, DS_DOCUMENT);
    ds_buf_add(reply, "value", 6);
    ds_arena_reset(&s->scratch);
    ds__meta beside;
    ds__meta_clear(&beside);
    beside.values[DS_META_RECORD_ID] = ds__null(); /* asked for, mongod has none here */
    s->eval.meta = &beside;
    bool ok = ds__projection_apply(projection, o->value, &s->eval, reply, err);
    s->eval.meta = NULL;
    return ok;
}

static bool write_reply(ds__statement *s, ds__projection *projection, const outcome *o,
                        ds_buf *reply, ds_error *err) {
    bool upserted = o->upserted.type != DS_MISSING;
    size_t last = ds__write_doc(reply, "lastErrorObject", 15, DS_DOCUMENT);
    ds__write_int32(reply, "n", o->matched || upserted ? 1 : 0);
    if (o->is_update) {
        ds__write_bool(reply, "updatedExisting", o->matched);
        ds__write_value(reply, "upserted", 8, o->upserted);
    }
    ds__doc_end(reply, last);
    return write_value(s, projection, o, reply, err);
}

/* Keeps the fields of the reply from `from` on, for who asks again. */
static void remember(ds__write *w, const outcome *o, const ds_buf *reply, size_t from) {
    ds_buf more = {0};
    bool upserted = o->upserted.type != DS_MISSING;
    if (!w->retry.on || (!o->modified && !upserted)) {
        return;
    }
    size_t root = ds__doc_begin(&more);
    ds_buf_add(&more, reply->data + from, reply->size - from);
    ds_buf_fail_as(&more, reply);
    ds__doc_end(&more, root);
    ds_buf_fail_as(&w->retry.row, &more);
    ds__retry_add(&w->retry,
                  upserted       ? DS_DONE_INSERT
                  : o->is_update ? DS_DONE_UPDATE
                                 : DS_DONE_DELETE,
                  more.failed ? ds__missing() : ds__document(more.data));
    ds_buf_clear(&more);
}

/* Answers what was executed before, if that goes with what is asked now. */
static bool recall(ds__write *w, ds__done done, const ds_value *v, ds_buf *reply, ds_error *err) {
    const bool remove = ds__arg_bool(v[A_REMOVE], false);
    if ((done.kind == DS_DONE_DELETE && !remove) ||
        (done.kind == DS_DONE_INSERT && !ds__arg_bool(v[A_UPSERT], false))) {
        return ds__error_set(err, done.kind == DS_DONE_DELETE ? 40606 : 40608,
                             "findAndModify retry request is not compatible with previous write in "
                             "the transaction of type: %c",
                             (char)done.kind);
    }
    if (done.more.type != DS_DOCUMENT ||
        ds__doc_field(done.more, "lastErrorObject").type != DS_DOCUMENT) {
        return ds__error_set(err, done.kind == DS_DONE_DELETE ? 40607 : 40612,
                             "findAndModify retry request wants a document, but another command "
                             "did the write and kept none");
    }
    ds__write_elements(reply, done.more);
    ds__write_int32(reply, "retriedStmtId", w->retry.id);
    return true;
}

static bool check_meta(const ds__env *env, ds_error *err) {
    if (env->wanted_meta & DS_META_BIT(DS_META_SORT_KEY)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Cannot use a $meta sortKey projection in findAndModify commands.");
    }
    return !(env->wanted_meta & DS_META_BIT(DS_META_INDEX_KEY)) ||
           ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "$meta: \"indexKey\" is not implemented in findAndModify");
}

static bool modify(ds__write *w, const ds_value *v, ds_buf *reply, ds_error *err) {
    static const uint8_t empty[5] = {5};
    ds__statement s;
    ds__projection *projection = NULL;
    outcome o = {.is_update = v[A_UPDATE].type != DS_MISSING};
    ds__statement_spec spec = {.first = true,
                               .filter =
                                   v[A_QUERY].type == DS_MISSING ? ds__document(empty) : v[A_QUERY],
                               .update = v[A_UPDATE],
                               .array_filters = v[A_ARRAY_FILTERS],
                               .let = v[A_LET],
                               .sort = v[A_SORT],
                               .hint = v[A_HINT],
                               .upsert = ds__arg_bool(v[A_UPSERT], false)};
    o.value = o.upserted = ds__missing();
    bool ok = ds__statement_compile(w, &spec, &s, err);
    if (ok && v[A_FIELDS].type == DS_DOCUMENT && !ds__doc_empty(v[A_FIELDS])) {
        s.env.wanted_meta = 0;
        ok = ds__projection_compile(&s.env, NULL, DS_PROJECT_FIND, v[A_FIELDS], s.filter,
                                    &projection, err) &&
             check_meta(&s.env, err);
    }
    if (ok && !run(w, &s, v, &o, err)) {
        ok = ds__error_prefix(err, "Plan executor error during findAndModify :: caused by :: ");
    }
    size_t from = reply->size;
    ok = ok && write_reply(&s, projection, &o, reply, err);
    if (ok) {
        remember(w, &o, reply, from);
    }
    ds__statement_clear(w, &s);
    return ok;
}

bool ds__find_and_modify_check(ds_value command, ds_error *err) {
    ds_value v[A_COUNT];
    return ds__args_read("findAndModify", true, command, args, A_COUNT, v, err);
}

bool ds__find_and_modify_parse(ds__op *op, ds_error *err) {
    ds_value update = ds__doc_field(op->command, "update");
    return ds__find_and_modify_check(op->command, err) &&
           (update.type != DS_ARRAY || ds__write_check_pipeline(update, err));
}

bool ds__cmd_find_and_modify(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[A_COUNT];
    ds__write w = {0};
    ds__done done;
    if (!ds__op_collection(op, &w.coll_name, &w.coll_size, err) ||
        !ds__args_read("findAndModify", true, op->command, args, A_COUNT, v, err) ||
        !check_args(v, err)) {
        return false;
    }
    w.retry.statement = v[A_STATEMENT];
    w.options.bypass_validation = ds__arg_bool(v[A_BYPASS], false);
    if (!ds__write_begin(&w, op, err)) {
        return false;
    }
    bool ok = ds__retry_next(&w.retry, &done) ? recall(&w, done, v, reply, err)
                                              : modify(&w, v, reply, err);
    ok = ok && ds__retry_end(&w.retry, err) && ds__op_settle(reply, err);
    ok = ds__op_end(op, w.own, ok, err);
    ds__retry_clear(&w.retry);
    return ok;
}
