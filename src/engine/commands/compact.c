/* SPDX-License-Identifier: Apache-2.0 */
/* compact: the whole file's free pages are given back, whichever collection is named. mongod wants
 * force: true on a primary, since there it blocks. */
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"
#include "engine/store/space.h"

static bool check(ds__op *op, ds_error *err) {
    const ds__coll *coll;
    const char *name;
    const ds__wait wait = ds__op_wait(op);
    if (!ds__txn_begin(op->engine->store, DS_TXN_READ, &wait, &op->txn, err)) {
        return false;
    }
    bool ok = ds__ddl_find(op, &coll, &name, err);
    if (ok && !coll) {
        ok = ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "collection does not exist");
    } else if (ok && coll->is_view) {
        ok = ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW, "can't compact a view");
    }
    ds__txn_abort(op->txn);
    op->txn = NULL;
    return ok;
}

bool ds__cmd_compact(ds__op *op, ds_buf *reply, ds_error *err) {
    int64_t freed;
    const ds__wait wait = ds__op_wait(op);
    if (!check(op, err) || !ds__space_compact(op->engine->store, &wait, &freed, err)) {
        return false;
    }
    ds__ddl_write_number(reply, "bytesFreed", freed);
    return true;
}
