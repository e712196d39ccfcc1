/* SPDX-License-Identifier: Apache-2.0 */
/* insert: one transaction for the batch; documents that fail are reported, the others stay. */
#include "engine/commands/handlers.h"
#include "engine/commands/write.h"

enum {
    I_BYPASS,
    I_DOCUMENTS,
    I_ORDERED,
    I_ENCRYPTION,
    I_STATEMENT,
    I_STATEMENTS,
    I_TIME_SERIES,
    I_UUID,
    I_COUNT
};
static const ds__arg insert_args[I_COUNT] = {
    [I_ENCRYPTION] = {"encryptionInformation", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [I_STATEMENT] = {"stmtId", DS_ARG_INT, DS_ARG_NULL_IS_MISSING},
    [I_STATEMENTS] = {"stmtIds", DS_ARG_INTS, 0},
    [I_TIME_SERIES] = {"isTimeseriesNamespace", DS_ARG_STRICT_BOOL, 0},
    [I_UUID] = {"collectionUUID", DS_ARG_UUID, DS_ARG_NULL_IS_MISSING},
    [I_BYPASS] = {"bypassDocumentValidation", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [I_DOCUMENTS] = {"documents", DS_ARG_OBJECTS, DS_ARG_REQUIRED},
    [I_ORDERED] = {"ordered", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
};

static bool insert_all(ds__write *w, ds_value documents, ds_error *err) {
    ds_buf fixed = {0};
    ds__iter it;
    bool ok = true;
    bool stop = false;
    ds__iter_init(&it, documents);
    for (; ok && !stop && ds__iter_next(&it); w->index++) {
        ds_value doc;
        ds__done done;
        if (ds__retry_next(&w->retry, &done)) {
            w->n++;
            continue;
        }
        ds_buf_reset(&fixed);
        if (ds__record_fix(it.value, &fixed, &doc, err) && ds__write_need_coll(w, err) &&
            ds__record_insert(w->op->txn, w->coll, doc, &w->options, NULL, err)) {
            ds__retry_add(&w->retry, DS_DONE_INSERT, ds__missing());
            w->n++;
        } else {
            ok = ds__write_failed(w, err, &stop);
        }
        if (ok && (w->index & 1023) == 1023) {
            ok = ds__env_check(&w->op->env, err);
        }
    }
    ds_buf_clear(&fixed);
    return ok;
}

static bool parse(ds__op *op, ds__write *w, ds_value *v, ds_error *err) {
    return ds__op_collection(op, &w->coll_name, &w->coll_size, err) &&
           ds__args_read("insert", true, op->command, insert_args, I_COUNT, v, err) &&
           ds__write_check_count(ds__doc_count(v[I_DOCUMENTS]), v[I_STATEMENT], v[I_STATEMENTS],
                                 err);
}

bool ds__insert_parse(ds__op *op, ds_error *err) {
    ds_value v[I_COUNT];
    ds__write w = {0};
    return parse(op, &w, v, err);
}

bool ds__cmd_insert(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[I_COUNT];
    ds__write w = {0};
    if (!parse(op, &w, v, err)) {
        return false;
    }
    if (ds__value_truthy(v[I_TIME_SERIES])) {
        return ds__error_set(err, 5916400,
                             "'isTimeseriesNamespace' parameter can only be set when the request "
                             "is sent on system.buckets namespace");
    }
    w.retry.statement = v[I_STATEMENT];
    w.retry.statements = v[I_STATEMENTS];
    w.ordered = ds__arg_bool(v[I_ORDERED], true);
    w.options.bypass_validation = ds__arg_bool(v[I_BYPASS], false);
    return ds__write_begin(&w, op, err) && ds__write_end(&w,
                                                         ds__check_uuid(w.coll, v[I_UUID], err) &&
                                                             insert_all(&w, v[I_DOCUMENTS], err),
                                                         false, reply, err);
}
