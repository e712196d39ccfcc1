/* SPDX-License-Identifier: Apache-2.0 */
/* From the arguments of an aggregation to a pipeline that runs in a cursor: its head becomes a
 * plan, the rest pulls from it. */
#include "engine/commands/pipeline.h"

#include "base/limits.h"

enum {
    A_ALLOW_DISK,
    A_BYPASS,
    A_COLLATION,
    A_CURSOR,
    A_EXPLAIN,
    A_HINT,
    A_LET,
    A_LEGACY,
    A_PIPELINE,
    A_FROM_MONGOS,
    A_NEEDS_MERGE,
    A_EXCHANGE,
    A_MAP_REDUCE,
    A_UUID,
    A_ENCRYPTION,
    A_COUNT
};
static const ds__arg args[A_COUNT] = {
    [A_ALLOW_DISK] = {"allowDiskUse", DS_ARG_STRICT_BOOL, 0},
    [A_BYPASS] = {"bypassDocumentValidation", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [A_FROM_MONGOS] = {"fromMongos", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [A_NEEDS_MERGE] = {"needsMerge", DS_ARG_STRICT_BOOL, 0},
    [A_EXCHANGE] = {"exchange", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [A_MAP_REDUCE] = {"isMapReduceCommand", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [A_UUID] = {"collectionUUID", DS_ARG_UUID, DS_ARG_NULL_IS_MISSING},
    [A_ENCRYPTION] = {"encryptionInformation", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [A_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_CURSOR] = {"cursor", DS_ARG_ANY, 0},
    [A_EXPLAIN] = {"explain", DS_ARG_STRICT_BOOL, 0},
    [A_HINT] = {"hint", DS_ARG_ANY, 0},
    [A_LET] = {"let", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [A_LEGACY] = {"runtimeConstants", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [A_PIPELINE] = {"pipeline", DS_ARG_ANY, DS_ARG_REQUIRED},
};

static const ds__arg cursor_args[1] = {
    {"batchSize", DS_ARG_NUMBER, DS_ARG_NOT_NEGATIVE | DS_ARG_NULL_IS_MISSING}};

static bool parse_target(ds__op *op, ds__aggregate_request *r, ds_error *err) {
    int64_t one;
    if (ds__is_number(op->target)) {
        if (!ds__value_exact_int64(op->target, &one) || one != 1) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Invalid command format: the 'aggregate' field must specify a "
                                 "collection name or 1");
        }
        r->coll = "";
        r->coll_size = 0;
        return true;
    }
    if (op->target.type != DS_STRING) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "collection name has invalid type %s",
                             ds__type_name(op->target.type));
    }
    return ds__op_collection(op, &r->coll, &r->coll_size, err);
}

bool ds__aggregate_parse(ds__op *op, ds_value command, bool explain, ds__aggregate_request *r,
                         bool *wants_explain, ds_error *err) {
    ds_value v[A_COUNT];
    *r = (ds__aggregate_request){.batch_size = -1};
    if (!parse_target(op, r, err) ||
        !ds__args_read("aggregate", true, command, args, A_COUNT, v, err)) {
        return false;
    }
    if (v[A_NEEDS_MERGE].type != DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot specify 'needsMerge' without 'fromMongos'");
    }
    r->uuid = v[A_UUID];
    r->explain = *wants_explain = explain || ds__arg_bool(v[A_EXPLAIN], false);
    if (v[A_PIPELINE].type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "'pipeline' option must be specified as an "
                             "array");
    }
    if (v[A_CURSOR].type == DS_MISSING && !*wants_explain) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "The 'cursor' option is required, except for aggregate with the "
                             "explain argument");
    }
    if (v[A_CURSOR].type != DS_MISSING) {
        ds_value size;
        if (v[A_CURSOR].type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "cursor field must be missing or an object");
        }
        if (!ds__args_read("cursor", false, v[A_CURSOR], cursor_args, 1, &size, err)) {
            return false;
        }
        r->batch_size = ds__arg_int64(size, -1);
    }
    r->command = command;
    r->pipeline = v[A_PIPELINE];
    r->hint = v[A_HINT];
    r->let = v[A_LET];
    r->allow_disk = ds__arg_bool(v[A_ALLOW_DISK], true);
    r->bypass_validation = ds__arg_bool(v[A_BYPASS], false);
    return ds__check_hint(r->hint, err) && ds__check_collation(v[A_COLLATION], err);
}

/* The first stage's name, for messages. */
static const char *first_stage(ds_value pipeline) {
    ds__iter it, stage;
    ds__iter_init(&it, pipeline);
    if (ds__iter_next(&it) && it.value.type == DS_DOCUMENT) {
        ds__iter_init(&stage, it.value);
        if (ds__iter_next(&stage)) {
            return stage.key;
        }
    }
    return "";
}

static bool start_on_collection(ds__cursor *c, const ds__aggregate_request *r, const ds__coll *coll,
                                const ds__pipeline_head *head, ds_error *err) {
    ds__query q = ds__query_of(coll, head->filter);
    q.hint = r->hint;
    q.filter_spec = head->filter_spec;
    q.sort_spec = head->sort;
    q.skip = head->skip;
    q.limit = head->limit;
    q.allow_disk = r->allow_disk;
    q.explain = r->explain;
    ds__source *source;
    c->head_filter = head->filter_spec;
    c->head_sort = head->sort;
    if (ds__query_is_id(head->filter_spec, &q.id)) {
        q.filter = head->filter;
    }
    if (head->sort.type == DS_DOCUMENT &&
        !ds__query_sort(&c->env, head->sort, &q.sort, &q.sort_key, err)) {
        return false;
    }
    return ds__source_open(c, &c->env, &q, &c->head_exec, &source, err) &&
           ds__pipeline_start(c->pipeline, source, &c->eval, err);
}

bool ds__aggregate_start(ds__op *op, ds__cursor *c, const ds__aggregate_request *r, ds_error *err) {
    ds__let let;
    const ds__coll *coll = NULL;
    const char *base = r->coll;
    ds_value stages = r->pipeline;
    ds__pipeline_head head;
    ds__pipeline_options options = {.allow_disk_use = r->allow_disk};
    if (r->coll_size > 0) {
        ds__op_find_coll(op, r->coll, r->coll_size, &coll);
        if (!ds__check_uuid(coll, r->uuid, err)) {
            return false;
        }
    }
    c->ns = r->coll_size > 0 ? ds__namespace(&c->arena, op->db, r->coll)
                             : ds__namespace(&c->arena, op->db, "$cmd.aggregate");
    if (c->ns == NULL) {
        return ds__error_oom(err);
    }
    if (coll != NULL && coll->is_view) {
        if (!ds__view_resolve(op, &c->arena, coll, r->pipeline, &base, &stages, err)) {
            return false;
        }
        ds__op_find_coll(op, base, strlen(base), &coll);
    }
    if (!ds__host_init(c, op->db, base, err) || !ds__let_bind(&c->env, r->let, &let, err) ||
        !ds__pipeline_compile(&c->env, stages, &options, &c->pipeline, err)) {
        return false;
    }
    bool own = ds__pipeline_has_own_source(c->pipeline);
    if (r->coll_size == 0 && !own) {
        return ds__error_set(err, DS_INVALID_NAMESPACE,
                             "{aggregate: 1} is not valid for '%s'; a collection is required.",
                             first_stage(r->pipeline));
    }
    if (own) {
        return ds__cursor_prepare(c, &let, err) &&
               ds__pipeline_start(c->pipeline, NULL, &c->eval, err);
    }
    return ds__pipeline_take_head(c->pipeline, &c->env, true, &head, err) &&
           ds__cursor_prepare(c, &let, err) && start_on_collection(c, r, coll, &head, err);
}

bool ds__aggregate_reply(ds__op *op, ds__cursor *c, const ds__aggregate_request *r, ds_buf *reply,
                         bool *kept, ds_error *err) {
    ds__batch batch;
    int64_t id = 0;
    /* a cursor that is kept may be ended by others at once */
    const char *ns = ds_arena_strndup(&op->arena, c->ns, strlen(c->ns));
    *kept = false;
    if (ns == NULL) {
        return ds__error_oom(err);
    }
    bool writes = ds__pipeline_writes(c->pipeline);
    ds__batch_begin(&batch, reply, true);
    if (!ds__cursor_fill(c, &batch,
                         writes               ? -1
                         : r->batch_size >= 0 ? r->batch_size
                                              : DS_DEFAULT_FIRST_BATCH,
                         err)) {
        return false;
    }
    if (!c->exhausted) {
        if (!ds__cursors_keep(op, c, &id, err)) {
            return false;
        }
        *kept = true;
    }
    ds__batch_end(&batch, id, ns, op->at_cluster_time);
    return true;
}

bool ds__aggregate_instead(ds__op *op, const ds__aggregate_request *r, ds_buf *reply,
                           ds_error *err) {
    bool kept = false;
    ds__cursor *c = ds__cursor_new(op, err);
    if (c == NULL) {
        return false;
    }
    bool ok =
        ds__aggregate_start(op, c, r, err) && ds__aggregate_reply(op, c, r, reply, &kept, err);
    if (!kept) {
        ds__cursor_free(c);
    }
    return ok;
}

bool ds__aggregate_value(ds__op *op, const ds__coll *view, ds_value stages, const char *field,
                         void (*take)(void *ctx, ds_value v), void *ctx, ds_error *err) {
    ds__aggregate_request r = {.coll = view->name,
                               .coll_size = strlen(view->name),
                               .pipeline = stages,
                               .hint = ds__missing(),
                               .let = ds__missing(),
                               .batch_size = -1,
                               .allow_disk = true};
    ds_value doc;
    ds_next n = DS_NEXT_ERROR;
    ds__cursor *c = ds__cursor_new(op, err);
    if (c == NULL) {
        return false;
    }
    if (ds__aggregate_start(op, c, &r, err)) {
        n = ds__pipeline_next(c->pipeline, &doc, err);
    }
    if (n != DS_NEXT_ERROR) {
        take(ctx, n == DS_NEXT_ROW ? ds__doc_field(doc, field) : ds__missing());
    }
    ds__cursor_free(c);
    return n != DS_NEXT_ERROR;
}
