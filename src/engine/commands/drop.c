/* SPDX-License-Identifier: Apache-2.0 */
/* drop, dropDatabase, renameCollection: what takes names away. */
#include "base/limits.h"
#include "bson/number.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"

bool ds__cmd_drop(ds__op *op, ds_buf *reply, ds_error *err) {
    const ds__coll *coll;
    const char *name;
    static const ds__arg args[] = {{"collectionUUID", DS_ARG_UUID, DS_ARG_NULL_IS_MISSING}};
    ds_value uuid;
    if (!ds__args_read("drop", true, op->command, args, 1, &uuid, err) ||
        !ds__ddl_find(op, &coll, &name, err) || !ds__check_uuid(coll, uuid, err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "ns not found");
    }
    if (!ds__ddl_drop(op->txn, coll, err)) {
        return false;
    }
    if (!coll->is_view) {
        bool bare = ds__doc_field(coll->options, "clusteredIndex").type == DS_DOCUMENT ||
                    strcmp(name, "system.profile") == 0; /* these show no index on _id */
        ds__write_int32(reply, "nIndexesWas", (int32_t)coll->index_count - bare);
    }
    ds__write_str(reply, "ns", coll->ns);
    return true;
}

bool ds__cmd_drop_database(ds__op *op, ds_buf *reply, ds_error *err) {
    (void)reply;
    if (!ds__args_read("dropDatabase", true, op->command, NULL, 0, NULL, err)) {
        return false;
    }
    if (!ds__is_number(op->target)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'dropDatabase.dropDatabase' is the wrong type '%s', "
                             "expected types '[long, int, decimal, double']",
                             ds__type_name(op->target.type));
    }
    if (ds__number_to_double(op->target) != 1) {
        return ds__error_set(err, 5255100, "Have to pass 1 as 'dropDatabase' parameter");
    }
    if (strcmp(op->db, "admin") == 0 || strcmp(op->db, "config") == 0 ||
        strcmp(op->db, "local") == 0) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "Dropping the '%s' database is prohibited.",
                             op->db);
    }
    for (;;) {
        size_t at = 0;
        const ds__coll *coll;
        do {
            coll = ds__catalog_each(ds__txn_catalog(op->txn), &at);
        } while (coll && strcmp(coll->db, op->db) != 0);
        if (!coll) {
            return true;
        }
        if (!ds__ddl_drop(op->txn, coll, err)) {
            return false;
        }
    }
}

/* "db.coll" cut at the first dot. */
static bool split(ds__op *op, ds_value ns, char **db, char **coll, ds_error *err) {
    *db = ds_arena_strndup(&op->arena, ds__text(ns), ns.size);
    if (!*db) {
        return ds__error_oom(err);
    }
    *coll = strchr(*db, '.');
    if (!*coll || strlen(*db) != ns.size || !(*coll)[1] || *coll == *db) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid namespace specified '%s'", *db);
    }
    *(*coll)++ = 0;
    return true;
}

static bool check_target(const char *db, const char *coll, ds_error *err) {
    if (!ds__catalog_check_db_name(db, strlen(db), err) ||
        !ds__catalog_check_coll_name(db, coll, strlen(coll), err)) {
        err->code = DS_ILLEGAL_OPERATION;
        return ds__error_prefix(err, "error with target namespace: ");
    }
    if (strncmp(coll, "system.", 7) == 0) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION,
                             "error with target namespace: Invalid system namespace: %s.%s", db,
                             coll);
    }
    return true;
}

/* A boolean, or the UUID of what may be dropped. */
static bool check_drop_target(ds_value v, ds_error *err) {
    if (v.type == DS_MISSING || v.type == DS_BOOL) {
        return true;
    }
    if (v.type != DS_BINARY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'renameCollection.dropTarget' is the wrong type '%s', "
                             "expected types '[bool, binData]",
                             ds__type_name(v.type));
    }
    return (v.subtype == 4 && v.size == 16) ||
           ds__error_set(err, DS_INVALID_UUID,
                         "uuid must be a 16-byte binary field with UUID (4) subtype");
}

bool ds__cmd_rename_collection(ds__op *op, ds_buf *reply, ds_error *err) {
    enum { TO, DROP_TARGET, STAY_TEMP, UUID, ARGS };
    static const ds__arg args[ARGS] = {
        [TO] = {"to", DS_ARG_STRING, DS_ARG_REQUIRED | DS_ARG_NULL_IS_MISSING},
        [DROP_TARGET] = {"dropTarget", DS_ARG_ANY, 0},
        [STAY_TEMP] = {"stayTemp", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        [UUID] = {"collectionUUID", DS_ARG_UUID, DS_ARG_NULL_IS_MISSING},
    };
    ds_value v[ARGS];
    char *db = NULL;
    char *name = NULL;
    char *to_db = NULL;
    char *to_name = NULL;
    (void)reply;
    if (!ds__args_read("renameCollection", true, op->command, args, ARGS, v, err)) {
        return false;
    }
    if (op->target.type != DS_STRING) {
        return ds__error_set(err, DS_BAD_VALUE, "collection name has invalid type %s",
                             ds__type_name(op->target.type));
    }
    if (!check_drop_target(v[DROP_TARGET], err)) {
        return false;
    }
    if (!split(op, op->target, &db, &name, err)) {
        return false;
    }
    if (!split(op, v[TO], &to_db, &to_name, err)) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid target namespace: %.*s",
                             (int)(v[TO].size < DS_MAX_QUOTED ? v[TO].size : DS_MAX_QUOTED),
                             ds__text(v[TO]));
    }
    const ds__catalog *catalog = ds__txn_catalog(op->txn);
    const ds__coll *from = ds__catalog_find(catalog, db, strlen(db), name, strlen(name));
    const ds__coll *to = ds__catalog_find(catalog, to_db, strlen(to_db), to_name, strlen(to_name));
    if (!check_target(to_db, to_name, err)) {
        return false;
    }
    if (strcmp(db, to_db) == 0 && strcmp(name, to_name) == 0) {
        return ds__error_set(err, DS_ILLEGAL_OPERATION, "Can't rename a collection to itself");
    }
    if (!from) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "Source collection %s.%s does not exist",
                             db, name);
    }
    if (!ds__check_uuid(from, v[UUID], err) ||
        (v[DROP_TARGET].type == DS_BINARY && !ds__check_uuid(to, v[DROP_TARGET], err))) {
        return false;
    }
    if (from->is_view) {
        return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW, "cannot rename view: %s",
                             from->ns);
    }
    if (to && to->is_view) {
        return ds__error_set(err, DS_NAMESPACE_EXISTS, "a view already exists with that name: %s",
                             to->ns);
    }
    if (to && !ds__value_truthy(v[DROP_TARGET])) {
        return ds__error_set(err, DS_NAMESPACE_EXISTS, "target namespace exists");
    }
    return (!to || ds__ddl_drop(op->txn, to, err)) &&
           ds__ddl_rename(op->txn, from, to_db, to_name, err);
}
