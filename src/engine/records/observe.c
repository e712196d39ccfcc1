/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told of changes, in this order. */
#include "engine/records/observe.h"

#include "engine/records/internal.h"

static const ds__observer *const observers[] = {&ds__counts_observer, &ds__capped_observer};

enum { COUNT = sizeof observers / sizeof *observers };

bool ds__observe_change(ds__txn *txn, const ds__change *write, ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT; i++) {
        ok = !observers[i]->wrote || observers[i]->wrote(txn, write, err);
    }
    return ok || ds__txn_break(txn);
}

bool ds__observe_clear(ds__txn *txn, const ds__coll *coll, int64_t documents, int64_t bytes,
                       ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT; i++) {
        ok = !observers[i]->cleared || observers[i]->cleared(txn, coll, documents, bytes, err);
    }
    return ok || ds__txn_break(txn);
}

bool ds__observe_ddl(ds__txn *txn, const ds__ddl *ddl, const ds__coll *after, ds_error *err) {
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT; i++) {
        ok = !observers[i]->changed || observers[i]->changed(txn, ddl, after, err);
    }
    return ok || ds__txn_break(txn);
}

bool ds__observe_can_clear(void) {
    bool can = true;
    for (size_t i = 0; can && i < COUNT; i++) {
        can = !observers[i]->wrote || observers[i]->cleared;
    }
    return can;
}
