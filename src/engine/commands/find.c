/* SPDX-License-Identifier: Apache-2.0 */
/* find: the first batch, of a collection or a view. */
#include "base/limits.h"
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"

static bool run(ds__op *op, const ds__find_request *r, const ds__coll *coll, ds__cursor *c,
                ds_buf *reply, bool *kept, ds_error *err) {
    ds__batch batch;
    int64_t id = 0;
    int64_t size = r->batch_size >= 0 ? r->batch_size : DS_DEFAULT_FIRST_BATCH;
    *kept = false;
    if (!ds__find_plan(op, c, coll, r, err)) {
        return false;
    }
    ds__batch_begin(&batch, reply, true);
    if (!ds__cursor_fill(c, &batch, size, err)) {
        if (err->code == DS_NOT_IMPLEMENTED || err->code == DS_OK) {
            return false;
        }
        return ds__error_prefix(err, "Executor error during find command :: caused by :: ");
    }
    /* a cursor that is kept may be ended by others at once */
    const char *ns = ds_arena_strndup(&op->arena, c->ns, strlen(c->ns));
    if (ns == NULL) {
        return ds__error_oom(err);
    }
    /* of no collection there is nothing to wait for, not even with batches of 0 */
    if (!c->exhausted && !c->single_batch && coll != NULL) {
        if (!ds__cursors_keep(op, c, &id, err)) {
            return false;
        }
        *kept = true;
    }
    ds__batch_end(&batch, id, ns, op->at_cluster_time);
    return true;
}

/* On a view it is an aggregation. */
static bool find_in_view(ds__op *op, const ds__coll *view, const ds__find_request *r, ds_buf *reply,
                         ds_error *err) {
    ds__aggregate_request a = {.coll = view->name,
                               .coll_size = strlen(view->name),
                               .hint = r->hint,
                               .let = r->let,
                               .batch_size = r->batch_size,
                               .allow_disk = r->allow_disk};
    return ds__view_find(&op->arena, r, &a.pipeline, err) &&
           ds__aggregate_instead(op, &a, reply, err);
}

bool ds__cmd_find(ds__op *op, ds_buf *reply, ds_error *err) {
    ds__find_request r;
    const ds__coll *coll;
    bool kept = false;
    ds__cursor *c = ds__cursor_new(op, err);
    if (c == NULL) {
        return false;
    }
    bool ok = ds__find_parse(op, c->command, &r, err);
    if (ok) {
        ds__op_find_coll(op, r.coll, r.coll_size, &coll);
        ok = coll != NULL && coll->is_view ? find_in_view(op, coll, &r, reply, err)
                                           : run(op, &r, coll, c, reply, &kept, err);
    }
    if (!kept) {
        ds__cursor_free(c);
    }
    return ok;
}
