/* SPDX-License-Identifier: Apache-2.0 */
/* insert: one transaction for the batch; documents that fail are reported, the others stay. */
#include "bson/key.h"
#include "engine/commands/handlers.h"
#include "engine/commands/write.h"
#include "engine/store/scan.h"

enum {
    I_BYPASS,
    I_DOCUMENTS,
    I_GIVEN,
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
    [I_GIVEN] = {"given", DS_ARG_OBJECT, 0},
    [I_ORDERED] = {"ordered", DS_ARG_STRICT_BOOL, DS_ARG_NULL_IS_MISSING},
};

/* {given: {above: 7, present: [{coll: "c", _id: 1}]}} is this engine's own: the batch is written
 * when no number above 7 is a document's _id and when the other documents are there. */
enum { G_ABOVE, G_PRESENT, G_COUNT };
static const ds__arg given_args[G_COUNT] = {
    [G_ABOVE] = {"above", DS_ARG_NUMBER, 0},
    [G_PRESENT] = {"present", DS_ARG_OBJECTS, 0},
};
enum { P_COLL, P_ID, P_COUNT };
static const ds__arg present_args[P_COUNT] = {
    [P_COLL] = {"coll", DS_ARG_STRING, DS_ARG_REQUIRED},
    [P_ID] = {"_id", DS_ARG_ANY, DS_ARG_REQUIRED},
};

static bool is_present(ds__write *w, ds_value spec, ds_error *err) {
    ds_value v[P_COUNT];
    ds_value doc = ds__missing();
    const ds__coll *coll;
    if (!ds__args_read("insert.given.present", false, spec, present_args, P_COUNT, v, err)) {
        return false;
    }
    ds__op_find_coll(w->op, ds__text(v[P_COLL]), v[P_COLL].size, &coll);
    if (coll != NULL && !coll->is_view &&
        !ds__record_get_by_id(w->op->txn, coll, v[P_ID], NULL, &doc, err)) {
        return false;
    }
    return doc.type != DS_MISSING ||
           ds__error_set(err, DS_ILLEGAL_OPERATION,
                         "insert: given.present names a document that is not in '%s'",
                         ds__text(v[P_COLL]));
}

static bool none_above(ds__write *w, ds_value most, ds_error *err) {
    if (w->coll == NULL || w->coll->is_view) {
        return true;
    }
    ds_buf lo = {0};
    ds_buf hi = {0};
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds__key_add(&lo, most, false, NULL);
    ds__key_add_rank(&hi, ds__type_rank(DS_INT32), true, false);
    ds_next next = DS_NEXT_ERROR;
    if (ds_buf_ok(&lo, err) && ds_buf_ok(&hi, err)) {
        ds__interval above = {.lo = lo.data, .lo_size = lo.size, .hi = hi.data, .hi_size = hi.size};
        if (ds__scan_keys(w->op->txn, ds__coll_keys(w->coll, ds__coll_id_index(w->coll)), &above, 1,
                          false, false, &scan, err)) {
            next = ds__scan_next(scan, &row, err);
        }
    }
    ds__scan_close(scan);
    ds_buf_clear(&lo);
    ds_buf_clear(&hi);
    return next != DS_NEXT_ROW ? next == DS_NEXT_END
                               : ds__error_set(err, DS_ILLEGAL_OPERATION,
                                               "insert: an _id is greater than given.above");
}

static bool check_given(ds__write *w, ds_value given, ds_error *err) {
    ds_value v[G_COUNT];
    if (given.type == DS_MISSING) {
        return true;
    }
    if (!ds__args_read("insert.given", false, given, given_args, G_COUNT, v, err) ||
        (v[G_ABOVE].type != DS_MISSING && !none_above(w, v[G_ABOVE], err))) {
        return false;
    }
    ds__iter it;
    if (v[G_PRESENT].type != DS_MISSING) {
        for (ds__iter_init(&it, v[G_PRESENT]); ds__iter_next(&it);) {
            if (!is_present(w, it.value, err)) {
                return false;
            }
        }
    }
    return true;
}

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
                                                             check_given(&w, v[I_GIVEN], err) &&
                                                             insert_all(&w, v[I_DOCUMENTS], err),
                                                         false, reply, err);
}
