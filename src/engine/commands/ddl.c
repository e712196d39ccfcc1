/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups and checks that the commands on collections and indexes share. */
#include "engine/commands/ddl.h"

#include "base/limits.h"
#include "lang/pipeline/pipeline.h"

enum { MAX_VIEW_DEPTH = 20 };

bool ds__ddl_find(ds__op *op, const ds__coll **out, const char **name, ds_error *err) {
    size_t size;
    *out = NULL;
    if (!ds__op_collection(op, name, &size, err)) {
        return false;
    }
    *out = ds__catalog_find(ds__txn_catalog(op->txn), op->db, strlen(op->db), *name, size);
    return true;
}

bool ds__ddl_refuse_view(const ds__coll *coll, ds_error *err) {
    return !coll || !coll->is_view ||
           ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW,
                         "Namespace %s is a view, not a collection", coll->ns);
}

bool ds__list_check_cursor(ds_value cursor, const char *command, ds_error *err) {
    static const ds__arg args[] = {
        {"batchSize", DS_ARG_NUMBER, DS_ARG_NOT_NEGATIVE | DS_ARG_NULL_IS_MISSING}};
    ds_value size;
    return cursor.type == DS_MISSING || ds__args_read(command, false, cursor, args, 1, &size, err);
}

void ds__list_begin(ds__list_batch *batch, ds_buf *reply, const char *ns) {
    batch->reply = reply;
    batch->count = 0;
    batch->cursor = ds__write_doc(reply, "cursor", 6, DS_DOCUMENT);
    ds__write_int64(reply, "id", 0);
    ds__write_str(reply, "ns", ns);
    batch->array = ds__write_doc(reply, "firstBatch", 10, DS_ARRAY);
}

void ds__list_add(ds__list_batch *batch, ds_value doc) {
    ds__write_index(batch->reply, batch->count++, doc);
}

void ds__list_end(ds__list_batch *batch) {
    ds__doc_end(batch->reply, batch->array);
    ds__doc_end(batch->reply, batch->cursor);
}

void ds__ddl_write_number(ds_buf *out, const char *name, int64_t v) {
    if (v > -((int64_t)1 << 30) && v < (int64_t)1 << 30) {
        ds__write_int32(out, name, (int32_t)v);
    } else if (v > -((int64_t)1 << 40) && v < (int64_t)1 << 40) {
        ds__write_double(out, name, (double)v);
    } else {
        ds__write_int64(out, name, v);
    }
}

static bool check_enum(const char *field, ds_value v, const char *const *allowed, size_t count,
                       ds_error *err) {
    if (v.type == DS_MISSING) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (ds__is_string(v, allowed[i])) {
            return true;
        }
    }
    return ds__error_set(
        err, DS_BAD_VALUE, "Enumeration value '%.*s' for field '%s' is not a valid value.",
        (int)(v.size < DS_MAX_QUOTED ? v.size : DS_MAX_QUOTED), ds__text(v), field);
}

bool ds__ddl_check_validation(ds__op *op, const char *coll, ds_value validator, ds_value level,
                              ds_value action, ds_error *err) {
    static const char *const levels[] = {"off", "moderate", "strict"};
    static const char *const actions[] = {"error", "warn"};
    ds__filter *filter = NULL;
    if (!check_enum("create.validationLevel", level, levels, 3, err) ||
        !check_enum("create.validationAction", action, actions, 2, err)) {
        return false;
    }
    if (validator.type != DS_DOCUMENT || ds__doc_empty(validator)) {
        return true;
    }
    bool own = strcmp(op->db, "admin") == 0 || strcmp(op->db, "local") == 0 ||
               strcmp(op->db, "config") == 0;
    if (own || strncmp(coll, "system.", 7) == 0) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Document validators are not allowed on %s.%s in the %s database",
                             op->db, coll, own ? "internal" : "system");
    }
    return ds__filter_compile(&op->env, validator, NULL, &filter, err) ||
           ds__error_prefix(err, "Parsing of collection validator failed :: caused by :: ");
}

static bool check_no_cycle(ds__op *op, const char *name, ds_value view_on, ds_error *err) {
    const ds__catalog *catalog = ds__txn_catalog(op->txn);
    const char *at = ds__text(view_on);
    size_t size = view_on.size;
    for (int depth = 1;; depth++) {
        if (size == strlen(name) && memcmp(at, name, size) == 0) {
            return ds__error_set(err, DS_GRAPH_CONTAINS_CYCLE,
                                 "View cycle detected: %s.%s => "
                                 "%s.%.*s",
                                 op->db, name, op->db, (int)view_on.size, ds__text(view_on));
        }
        if (depth > MAX_VIEW_DEPTH) {
            return ds__error_set(err, DS_VIEW_DEPTH_LIMIT_EXCEEDED,
                                 "View depth limit exceeded; maximum depth is %d", MAX_VIEW_DEPTH);
        }
        const ds__coll *next = ds__catalog_find(catalog, op->db, strlen(op->db), at, size);
        if (!next || !next->is_view) {
            return true;
        }
        at = next->view_on;
        size = strlen(at);
    }
}

bool ds__ddl_check_view(ds__op *op, const char *name, ds_value view_on, ds_value pipeline,
                        ds_error *err) {
    static const uint8_t none[5] = {5, 0, 0, 0, 0};
    if (view_on.size == 0) {
        return ds__error_set(err, DS_BAD_VALUE, "'viewOn' cannot be empty");
    }
    if (memchr(ds__text(view_on), 0, view_on.size) ||
        !ds__catalog_check_coll_name(op->db, ds__text(view_on), view_on.size, err)) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid name for 'viewOn'");
    }
    if (!check_no_cycle(op, name, view_on, err)) {
        return false;
    }
    if (pipeline.type != DS_ARRAY) {
        pipeline = ds__array(none);
    }
    ds__iter it;
    ds__iter stage;
    ds__iter_init(&it, pipeline);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "Each element of the 'pipeline' array must be an object");
        }
        ds__iter_init(&stage, it.value);
        if (ds__iter_next(&stage) && (!strcmp(stage.key, "$out") || !strcmp(stage.key, "$merge"))) {
            return ds__error_set(err, DS_OPTION_NOT_SUPPORTED_ON_VIEW,
                                 "Invalid pipeline for view %s.%s :: caused by :: The aggregation "
                                 "stage %s in location %zu of the pipeline cannot be used in the "
                                 "view definition of %s.%s because it writes to disk",
                                 op->db, name, stage.key, i, op->db, name);
        }
    }
    ds__pipeline *compiled = NULL;
    ds__pipeline_options options = {0};
    if (!ds__pipeline_compile(&op->env, pipeline, &options, &compiled, err)) {
        return false;
    }
    ds__pipeline_close(compiled);
    return true;
}

/* {enabled: boolean}, of create and collMod. */
bool ds__ddl_check_pre_images(ds_value v, ds_error *err) {
    static const ds__arg only[] = {{"enabled", DS_ARG_STRICT_BOOL, DS_ARG_REQUIRED}};
    ds_value enabled;
    return v.type == DS_MISSING ||
           ds__args_read("changeStreamPreAndPostImages", false, v, only, 1, &enabled, err);
}
