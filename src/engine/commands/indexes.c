/* SPDX-License-Identifier: Apache-2.0 */
/* createIndexes, listIndexes, dropIndexes. All indexes of one command are made in one transaction:
 * all or none. */
#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"
#include "engine/commands/session.h"
#include "engine/records/records.h"
#include "engine/index/spec.h"

/* Adds the index of one spec unless it is there. */
static bool add_one(ds__op *op, ds_value spec, const ds__coll **coll, size_t *added,
                    ds_error *err) {
    ds_buf normal = {0};
    ds__index_match match;
    bool ok = ds__index_normalise(&op->env, spec, &normal, err) &&
              ds__coll_match_index(*coll, ds__document(normal.data), &match, err);
    if (ok && match == DS_INDEX_NEW) {
        ds_value v = ds__document(normal.data);
        if ((*coll)->index_count >= DS_MAX_INDEXES) {
            char quoted[DS_MAX_QUOTED + 8];
            ok = ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                               "add index fails, too many indexes for %s key:%s", (*coll)->ns,
                               ds__value_quote(ds__doc_field(v, "key"), quoted, sizeof quoted));
        } else if ((*coll)->capped && ds__doc_field(v, "expireAfterSeconds").type != DS_MISSING) {
            ok = ds__error_set(err, DS_CANNOT_CREATE_INDEX,
                               "Cannot create TTL index on a capped "
                               "collection");
        } else {
            ok = ds__ddl_add_index(op->txn, *coll, v, coll, err);
            (*added)++;
        }
    }
    ds_buf_clear(&normal);
    return ok;
}

/* The same index twice in one command, which is not there yet. */
static bool check_twice(const ds__coll *coll, ds_value specs, size_t at, ds_value normal,
                        ds_error *err) {
    ds__iter it;
    ds_value name = ds__doc_field(normal, "name");
    if (coll && ds__coll_find_index(coll, ds__text(name), name.size)) {
        return true;
    }
    ds__iter_init(&it, specs);
    for (size_t i = 0; i < at && ds__iter_next(&it); i++) {
        if (ds__value_equal(ds__doc_field(it.value, "name"), name, NULL) &&
            ds__value_equal(ds__doc_field(it.value, "key"), ds__doc_field(normal, "key"), NULL)) {
            return ds__error_set(err, coll ? DS_OPERATION_FAILED : DS_INDEX_ALREADY_EXISTS,
                                 "Identical index already exists: %.*s",
                                 (int)(name.size < DS_MAX_QUOTED ? name.size : DS_MAX_QUOTED),
                                 ds__text(name));
        }
    }
    return true;
}

/* Checks every spec before the first index is made. */
static bool check_all(ds__op *op, const ds__coll *coll, ds_value specs, ds_error *err) {
    ds__iter it;
    ds_buf normal = {0};
    bool ok = true;
    ds__iter_init(&it, specs);
    for (size_t i = 0; ok && ds__iter_next(&it); i++) {
        ds_buf_reset(&normal);
        ok = ds__index_normalise(&op->env, it.value, &normal, err) &&
             check_twice(coll, specs, i, ds__document(normal.data), err);
    }
    ds_buf_clear(&normal);
    return ok;
}

/* How many members must have built the index: there is one. */
static bool check_quorum(ds_value v, ds_error *err) {
    if (v.type == DS_MISSING || ds__is_string(v, "votingMembers") || ds__is_string(v, "majority")) {
        return true;
    }
    if (v.type == DS_STRING && v.size > 0) {
        return ds__error_set(
            err, DS_UNKNOWN_REPL_WRITE_CONCERN,
            "No write concern mode named '%.*s' found in replica set configuration",
            v.size < 100 ? (int)v.size : 100, ds__text(v));
    }
    if (v.type != DS_STRING && !ds__is_number(v)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'createIndexes.commitQuorum' is the wrong type '%s', "
                             "expected types '[long, int, decimal, double, string']",
                             ds__type_name(v.type));
    }
    int64_t n = ds__arg_int64(v, -1);
    if (n < 0 || n > 50) {
        return ds__error_set(
            err, DS_FAILED_TO_PARSE,
            "commitQuorum has to be a non-negative number and not greater than 50");
    }
    return n <= 1 ||
           ds__error_set(err, 278, "Not enough data-bearing nodes to satisfy commit quorum");
}

/* The specs without what nobody knows, in the op's arena. */
static bool forget_unknown(ds__op *op, ds_value *specs, ds_error *err) {
    ds_buf out = {0};
    ds_buf one = {0};
    ds__iter it;
    size_t n = 0;
    bool ok = true;
    size_t array = ds__doc_begin(&out);
    ds__iter_init(&it, *specs);
    while (ok && ds__iter_next(&it)) {
        ds_buf_reset(&one);
        ok = ds__index_forget_unknown(it.value, &one, err);
        if (ok) {
            ds__write_index(&out, n++, ds__document(one.data));
        }
    }
    ds__doc_end(&out, array);
    ok = ok && ds_buf_ok(&out, err);
    void *kept = ok ? ds_arena_copy(&op->arena, out.data, out.size) : NULL;
    if (ok && kept == NULL) {
        ok = ds__error_oom(err);
    }
    if (ok) {
        *specs = ds__array(kept);
    }
    ds_buf_clear(&one);
    ds_buf_clear(&out);
    return ok;
}

enum { INDEXES, QUORUM, IGNORE_UNKNOWN, VERSION, CREATE_ARGS };
static const ds__arg create_args[CREATE_ARGS] = {
    [INDEXES] = {"indexes", DS_ARG_OBJECTS, DS_ARG_REQUIRED},
    [QUORUM] = {"commitQuorum", DS_ARG_ANY, DS_ARG_NULL_IS_MISSING},
    [IGNORE_UNKNOWN] = {"ignoreUnknownIndexOptions", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [VERSION] = {"v", DS_ARG_NUMBER, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
};

bool ds__create_indexes_parse(ds__op *op, ds_error *err) {
    ds_value v[CREATE_ARGS];
    return ds__args_read("createIndexes", true, op->command, create_args, CREATE_ARGS, v, err);
}

bool ds__cmd_create_indexes(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[CREATE_ARGS];
    const ds__coll *coll;
    const char *name;
    if (!ds__session_check_change(op, err) ||
        !ds__args_read("createIndexes", true, op->command, create_args, CREATE_ARGS, v, err) ||
        !ds__ddl_find(op, &coll, &name, err) || !check_quorum(v[QUORUM], err)) {
        return false;
    }
    if (ds__value_truthy(v[IGNORE_UNKNOWN]) && !forget_unknown(op, &v[INDEXES], err)) {
        return false;
    }
    if (ds__doc_empty(v[INDEXES])) {
        return ds__error_set(err, DS_BAD_VALUE, "Must specify at least one index to create");
    }
    if (!ds__ddl_refuse_view(coll, err) || !check_all(op, coll, v[INDEXES], err)) {
        return false;
    }
    bool made = coll == NULL;
    if (made && !ds__ddl_create(op->txn, op->db, name, ds__missing(), &coll, err)) {
        return false;
    }
    int32_t before = (int32_t)coll->index_count;
    size_t added = 0;
    ds__iter it;
    ds__iter_init(&it, v[INDEXES]);
    while (ds__iter_next(&it)) {
        if (!add_one(op, it.value, &coll, &added, err)) {
            return false;
        }
    }
    int64_t documents = 0, bytes = 0;
    if (op->multi_statement && !op->with_savepoints && added > 0 && !made &&
        !ds__record_counts(op->txn, coll, &documents, &bytes, err)) {
        return false;
    }
    if (documents > 0) {
        return ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                             "Cannot create new indexes on existing collection %s in a "
                             "multi-document transaction.",
                             coll->ns);
    }
    ds__write_int32(reply, "numIndexesBefore", before);
    ds__write_int32(reply, "numIndexesAfter", (int32_t)coll->index_count);
    if (added > 0 || made) {
        ds__write_bool(reply, "createdCollectionAutomatically", made);
        ds__write_value(reply, "commitQuorum", 12,
                        v[QUORUM].type == DS_MISSING ? ds__cstring("votingMembers") : v[QUORUM]);
    }
    if (added == 0) {
        ds__write_str(reply, "note", "all indexes already exist");
    }
    return true;
}

static void write_index(ds__list_batch *batch, const ds__coll *coll, const ds__index *index) {
    ds_value clustered = ds__doc_field(coll->options, "clusteredIndex");
    if (!index->is_id || clustered.type != DS_DOCUMENT) {
        ds__list_add(batch, index->spec);
        return;
    }
    size_t doc = ds__write_index_doc(batch->reply, batch->count++, DS_DOCUMENT);
    ds__write_elements(batch->reply, clustered);
    ds__write_bool(batch->reply, "clustered", true);
    ds__doc_end(batch->reply, doc);
}

bool ds__cmd_list_indexes(ds__op *op, ds_buf *reply, ds_error *err) {
    enum { CURSOR, BUILD_UUIDS, BUILD_INFO, TIME_SERIES, ARGS };
    static const ds__arg args[ARGS] = {
        [CURSOR] = {"cursor", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
        [BUILD_UUIDS] = {"includeBuildUUIDs", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        [BUILD_INFO] = {"includeIndexBuildInfo", DS_ARG_REFUSED, 0},
        [TIME_SERIES] = {"isTimeseriesNamespace", DS_ARG_STRICT_BOOL,
                         DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    };
    ds_value v[ARGS];
    const ds__coll *coll;
    const char *name;
    if (!ds__args_read("listIndexes", true, op->command, args, ARGS, v, err) ||
        !ds__list_check_cursor(v[CURSOR], "listIndexes", err) ||
        !ds__ddl_find(op, &coll, &name, err) || !ds__ddl_refuse_view(coll, err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "ns does not exist: %s.%s", op->db, name);
    }
    ds__list_batch batch;
    ds__list_begin(&batch, reply, coll->ns);
    for (size_t i = 0; i < coll->index_count; i++) {
        write_index(&batch, coll, &coll->indexes[i]);
    }
    ds__list_end(&batch);
    return true;
}

/* The index one argument of dropIndexes means. */
static bool find_index(const ds__coll *coll, ds_value which, const ds__index **out, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    *out = NULL;
    if (which.type == DS_STRING) {
        *out = ds__coll_find_index(coll, ds__text(which), which.size);
        if (!*out) {
            return ds__error_set(err, DS_INDEX_NOT_FOUND, "index not found with name [%.*s]",
                                 (int)(which.size < DS_MAX_QUOTED ? which.size : DS_MAX_QUOTED),
                                 ds__text(which));
        }
    } else {
        size_t found = 0;
        for (size_t i = 0; i < coll->index_count; i++) {
            if (ds__value_equal(coll->indexes[i].key_pattern, which, NULL)) {
                *out = &coll->indexes[i];
                found++;
            }
        }
        ds__value_quote(which, quoted, sizeof quoted);
        if (found > 1) {
            return ds__error_set(err, DS_AMBIGUOUS_INDEX_KEY_PATTERN,
                                 "%zu indexes found for key: %s, identify by name instead.", found,
                                 quoted);
        }
        if (!*out) {
            return ds__error_set(err, DS_INDEX_NOT_FOUND, "can't find index with key: %s", quoted);
        }
    }
    return !(*out)->is_id || ds__error_set(err, DS_INVALID_OPTIONS, "cannot drop _id index");
}

static bool drop_all(ds__op *op, const ds__coll *coll, ds_buf *reply, ds_error *err) {
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!coll->indexes[i].is_id && !ds__ddl_drop_index(op->txn, coll, &coll->indexes[i], err)) {
            return false;
        }
    }
    ds__write_str(reply, "msg", "non-_id indexes dropped for collection");
    return true;
}

static bool check_index_argument(ds_value index, ds_error *err) {
    ds__iter it;
    if (index.type != DS_STRING && index.type != DS_DOCUMENT && index.type != DS_ARRAY) {
        return ds__error_set(
            err, DS_TYPE_MISMATCH,
            "BSON field 'dropIndexes.index' is the wrong type '%s', expected types "
            "'[string, object, array]'",
            ds__type_name(index.type));
    }
    if (index.type != DS_ARRAY) {
        return true;
    }
    ds__iter_init(&it, index);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_STRING) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field 'dropIndexes.index.%s' is the wrong type '%s', "
                                 "expected type 'string'",
                                 it.key, ds__type_name(it.value.type));
        }
    }
    return true;
}

bool ds__cmd_drop_indexes(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {
        {"index", DS_ARG_ANY, DS_ARG_REQUIRED},
        {"isTimeseriesNamespace", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING}};
    ds_value v[2];
    ds_value index;
    const ds__coll *coll;
    const ds__index *found;
    const char *name;
    ds__iter it;
    if (!ds__args_read("dropIndexes", true, op->command, args, 2, v, err)) {
        return false;
    }
    index = v[0];
    if (!check_index_argument(index, err) || !ds__ddl_find(op, &coll, &name, err) ||
        !ds__ddl_refuse_view(coll, err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "ns not found %s.%s", op->db, name);
    }
    ds__write_int32(reply, "nIndexesWas", (int32_t)coll->index_count);
    if (ds__is_string(index, "*")) {
        return drop_all(op, coll, reply, err);
    }
    if (index.type != DS_ARRAY) {
        return find_index(coll, index, &found, err) &&
               ds__ddl_drop_index(op->txn, coll, found, err);
    }
    if (ds__doc_count(index) == 1 && ds__is_string(ds__array_at(index, 0), "*")) {
        return drop_all(op, coll, reply, err);
    }
    ds__iter_init(&it, index);
    while (ds__iter_next(&it)) {
        if (!find_index(coll, it.value, &found, err)) {
            return false;
        }
    }
    ds__iter_init(&it, index);
    while (ds__iter_next(&it)) {
        coll = ds__catalog_find_id(ds__txn_catalog(op->txn), coll->id);
        found = ds__coll_find_index(coll, ds__text(it.value), it.value.size);
        if (found && !ds__ddl_drop_index(op->txn, coll, found, err)) {
            return false;
        }
    }
    return true;
}
