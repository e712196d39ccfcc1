/* SPDX-License-Identifier: Apache-2.0 */
/* planCacheClear: what races were won by, of a collection or of one shape of query. */
#include "engine/plan/cache.h"

#include "engine/commands/handlers.h"
#include "engine/commands/query.h"

/* An array stands for the document of its positions, as mongod takes it. */
static bool read_object(ds_value v, const char *what, const char *name, ds_value *out,
                        ds_error *err) {
    *out = v;
    if (v.type == DS_ARRAY) {
        out->type = DS_DOCUMENT;
    }
    return out->type == DS_MISSING || out->type == DS_DOCUMENT ||
           ds__error_set(err, DS_BAD_VALUE, "%s field %s must be an object", what, name);
}

/* The query whose shape is meant; its words live in the op's arena. */
static bool read_query(ds__op *op, ds_value filter, ds_value order, ds__query *q, ds_error *err) {
    ds__filter *compiled = NULL;
    if (!ds__doc_empty(filter) && !ds__filter_compile(&op->env, filter, NULL, &compiled, err)) {
        return false;
    }
    q->filter = compiled;
    if (order.type == DS_DOCUMENT && !ds__doc_empty(order)) {
        ds__sort_pattern sort;
        if (!ds__sort_compile(&op->env, order, &sort, err)) {
            return false;
        }
        q->sort = ds_arena_copy(&op->arena, &sort, sizeof sort);
        return q->sort != NULL || ds__error_oom(err);
    }
    return true;
}

bool ds__cmd_plan_cache_clear(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value filter, sort, projection, collation;
    const char *name;
    size_t size;
    const ds__coll *coll;
    (void)reply;
    if (op->target.type != DS_STRING && op->target.type != DS_SYMBOL) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "collection name has invalid type %s",
                             ds__type_name(op->target.type));
    }
    if (!ds__op_collection(op, &name, &size, err) ||
        !read_object(ds__doc_field(op->command, "query"), "required", "query", &filter, err) ||
        !read_object(ds__doc_field(op->command, "sort"), "optional", "sort", &sort, err) ||
        !read_object(ds__doc_field(op->command, "projection"), "optional", "projection",
                     &projection, err) ||
        !read_object(ds__doc_field(op->command, "collation"), "optional", "collation", &collation,
                     err) ||
        !ds__check_collation(collation, err)) {
        return false;
    }
    if (collation.type == DS_DOCUMENT && ds__doc_empty(collation)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "optional field collation cannot be an empty object");
    }
    if (filter.type == DS_MISSING && (sort.type != DS_MISSING || projection.type != DS_MISSING ||
                                      collation.type != DS_MISSING)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "sort, projection, or collation provided without query");
    }
    ds__op_find_coll(op, name, size, &coll);
    ds__query q = ds__query_of(coll, NULL);
    if (filter.type == DS_DOCUMENT && !read_query(op, filter, sort, &q, err)) {
        return false;
    }
    if (coll != NULL && !coll->is_view) {
        ds__plan_cache_clear(coll, filter.type == DS_DOCUMENT ? &q : NULL);
    }
    return true;
}
