/* SPDX-License-Identifier: Apache-2.0 */
/* The one way to change what exists. */
#include "engine/records/ddl.h"

#include "engine/catalog/change.h"
#include "engine/records/build.h"

static bool add_index(ds__txn *txn, const ds__ddl *ddl, ds_error *err) {
    const ds__coll *fresh = NULL;
    return ds__catalog_add_index(txn, ddl->coll, ddl->spec, &fresh, err) &&
           ds__index_build(txn, fresh, &fresh->indexes[fresh->index_count - 1], err);
}

static bool carry_out(ds__txn *txn, const ds__ddl *ddl, int64_t *id, ds_error *err) {
    const ds__coll *made = NULL;
    *id = ddl->coll ? ddl->coll->id : 0;
    switch (ddl->kind) {
    case DS_DDL_CREATE:
        if (!ds__catalog_create(txn, ddl->db, ddl->name, ddl->spec, &made, err)) {
            return false;
        }
        *id = made->id;
        return true;
    case DS_DDL_DROP:
        return ds__catalog_drop(txn, ddl->coll, err);
    case DS_DDL_RENAME:
        return ds__catalog_rename(txn, ddl->coll, ddl->db, ddl->name, err);
    case DS_DDL_SET_OPTIONS:
        return ds__catalog_set_options(txn, ddl->coll, ddl->spec, err);
    case DS_DDL_ADD_INDEX:
        return add_index(txn, ddl, err);
    case DS_DDL_DROP_INDEX:
        return ds__catalog_drop_index(txn, ddl->coll, ddl->index, err);
    case DS_DDL_SET_INDEX:
        return ds__catalog_set_index(txn, ddl->coll, ddl->index, ddl->spec, err);
    }
    return false;
}

bool ds__ddl_run(ds__txn *txn, const ds__ddl *ddl, const ds__coll **out, ds_error *err) {
    int64_t id = 0;
    const ds__coll *after = NULL;
    bool ok = carry_out(txn, ddl, &id, err);
    if (ok) {
        after = ds__catalog_find_id(ds__txn_catalog(txn), id);
        ok = ds__observe_ddl(txn, ddl, after, err);
    }
    if (out) {
        *out = ok ? after : NULL;
    }
    return ok;
}

bool ds__ddl_find_or_create(ds__txn *txn, const char *db, const char *name, const ds__coll **out,
                            ds_error *err) {
    *out = ds__catalog_find(ds__txn_catalog(txn), db, strlen(db), name, strlen(name));
    if (!*out) {
        return ds__catalog_check_db_name(db, strlen(db), err) &&
               ds__catalog_check_coll_name(db, name, strlen(name), err) &&
               ds__ddl_create(txn, db, name, ds__missing(), out, err);
    }
    if ((*out)->is_view) {
        return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW,
                             "Namespace %s.%s is a view, not a collection", db, name);
    }
    return true;
}
