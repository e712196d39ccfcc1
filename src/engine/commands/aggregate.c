/* SPDX-License-Identifier: Apache-2.0 */
/* aggregate: the pipeline's head becomes a plan, the rest pulls from it. */
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"

bool ds__aggregate_check(ds__op *op, ds_error *err) {
    ds__aggregate_request r;
    bool explain;
    return ds__aggregate_parse(op, op->command, false, &r, &explain, err) &&
           ds__pipeline_check_form(r.pipeline, err);
}

static bool last_stage_is(ds_value pipeline, const char *name) {
    ds__iter it, stage;
    bool is = false;
    if (pipeline.type != DS_ARRAY) {
        return false;
    }
    ds__iter_init(&it, pipeline);
    while (ds__iter_next(&it)) {
        is = false;
        if (it.value.type == DS_DOCUMENT) {
            ds__iter_init(&stage, it.value);
            is = ds__iter_next(&stage) && strcmp(stage.key, name) == 0;
        }
    }
    return is;
}

bool ds__cmd_aggregate(ds__op *op, ds_buf *reply, ds_error *err) {
    ds__aggregate_request r;
    bool kept = false;
    bool own;
    bool explain;
    ds__cursor *c = ds__cursor_new(op, err);
    if (c == NULL) {
        return false;
    }
    if (!ds__aggregate_parse(op, c->command, false, &r, &explain, err)) {
        ds__cursor_free(c);
        return false;
    }
    bool merges = last_stage_is(r.pipeline, "$merge");
    bool writes = merges || last_stage_is(r.pipeline, "$out");
    if (op->multi_statement && !ds__pipeline_check_in_transaction(r.pipeline, err)) {
        ds__cursor_free(c);
        return false;
    }
    if (writes && op->snapshot) {
        ds__cursor_free(c);
        return ds__error_set(err, DS_NOT_IMPLEMENTED,
                             "$out and $merge with readConcern level snapshot are not implemented");
    }
    if (!writes) {
        op->unmet_concern = 0; /* nothing was written */
    }
    bool ok = ds__op_begin(op, writes && !explain ? DS_TXN_WRITE : DS_TXN_READ, &own, err);
    if (ok) {
        ok = explain ? ds__explain_aggregate(op, c, &r, "queryPlanner", reply, err)
                     : ds__aggregate_start(op, c, &r, err) &&
                           ds__aggregate_reply(op, c, &r, reply, &kept, err);
    }
    if (!kept) {
        ds__cursor_free(c);
    }
    if (!ok && own && merges && !ds__txn_is_broken(op->txn) && !ds__is_interruption(err->code)) {
        /* What $merge has written stays when a later document fails. */
        ds_error ignored;
        ds__op_end(op, own, true, &ignored);
        return false;
    }
    ok = ok && ds__op_settle(reply, err);
    return op->txn != NULL ? ds__op_end(op, own, ok, err) : ok;
}
