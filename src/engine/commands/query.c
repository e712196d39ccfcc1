/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that read share: the collection, the words of a query, the arguments of find,
 * and how they become a plan in a cursor. */
#include "engine/commands/query.h"

#include "bson/number.h"
#include "engine/index/spec.h"

enum {
    F_ALLOW_DISK,
    F_PARTIAL,
    F_AWAIT,
    F_BATCH,
    F_COLLATION,
    F_FILTER,
    F_HINT,
    F_CONSTANTS,
    F_OPTIONS,
    F_READ_ONCE,
    F_SPECULATIVE,
    F_LET,
    F_LIMIT,
    F_MAX,
    F_MIN,
    F_NO_TIMEOUT,
    F_NTORETURN,
    F_OPLOG,
    F_PROJECTION,
    F_RESUME,
    F_RESUME_AT,
    F_RETURN_KEY,
    F_SHOW_RID,
    F_SINGLE,
    F_SKIP,
    F_SORT,
    F_TAILABLE,
    F_TERM,
    F_COUNT
};

static const ds__arg find_args[F_COUNT] = {
    [F_ALLOW_DISK] = {"allowDiskUse", DS_ARG_STRICT_BOOL, 0},
    [F_PARTIAL] = {"allowPartialResults", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [F_AWAIT] = {"awaitData", DS_ARG_STRICT_BOOL, 0},
    [F_BATCH] = {"batchSize", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
    [F_COLLATION] = {"collation", DS_ARG_OBJECT, 0},
    [F_FILTER] = {"filter", DS_ARG_OBJECT, 0},
    [F_HINT] = {"hint", DS_ARG_ANY, 0},
    [F_CONSTANTS] = {"runtimeConstants", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [F_OPTIONS] = {"options", DS_ARG_OBJECT, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    [F_READ_ONCE] = {"readOnce", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [F_SPECULATIVE] = {"allowSpeculativeMajorityRead", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [F_LET] = {"let", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [F_LIMIT] = {"limit", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
    [F_MAX] = {"max", DS_ARG_OBJECT, 0},
    [F_MIN] = {"min", DS_ARG_OBJECT, 0},
    [F_NO_TIMEOUT] = {"noCursorTimeout", DS_ARG_STRICT_BOOL, 0},
    [F_NTORETURN] = {"ntoreturn", DS_ARG_NUMBER, DS_ARG_NOT_NEGATIVE | DS_ARG_NULL_IS_MISSING},
    [F_OPLOG] = {"oplogReplay", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
    [F_PROJECTION] = {"projection", DS_ARG_OBJECT, 0},
    [F_RESUME] = {"$_requestResumeToken", DS_ARG_STRICT_BOOL, 0},
    [F_RESUME_AT] = {"$_resumeAfter", DS_ARG_OBJECT, 0},
    [F_RETURN_KEY] = {"returnKey", DS_ARG_STRICT_BOOL, 0},
    [F_SHOW_RID] = {"showRecordId", DS_ARG_STRICT_BOOL, 0},
    [F_SINGLE] = {"singleBatch", DS_ARG_STRICT_BOOL, 0},
    [F_SKIP] = {"skip", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
    [F_SORT] = {"sort", DS_ARG_OBJECT, 0},
    [F_TAILABLE] = {"tailable", DS_ARG_STRICT_BOOL, 0},
    [F_TERM] = {"term", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
};

bool ds__op_find_coll(ds__op *op, const char *name, size_t size, const ds__coll **out) {
    *out = ds__catalog_find(ds__txn_catalog(op->txn), op->db, strlen(op->db), name, size);
    return *out != NULL;
}

bool ds__query_is_id(ds_value filter, ds_value *id) {
    ds__iter it;
    *id = ds__missing();
    if (filter.type != DS_DOCUMENT) {
        return false;
    }
    ds__iter_init(&it, filter);
    if (!ds__iter_next(&it) || strcmp(it.key, "_id") != 0) {
        return false;
    }
    ds_value v = it.value;
    if (ds__iter_next(&it)) {
        return false;
    }
    switch (v.type) {
    case DS_DOUBLE:
    case DS_STRING:
    case DS_BINARY:
    case DS_OBJECT_ID:
    case DS_BOOL:
    case DS_DATE:
    case DS_INT32:
    case DS_INT64:
    case DS_TIMESTAMP:
    case DS_DECIMAL:
        *id = v;
        return true;
    case DS_DOCUMENT:
        ds__iter_init(&it, v);
        if (!ds__iter_next(&it) || it.key[0] != '$') {
            *id = v;
            return true;
        }
        return false;
    default:
        return false;
    }
}

bool ds__query_sort(ds__env *env, ds_value spec, const ds__sort_pattern **plan,
                    const ds__sort_pattern **key, ds_error *err) {
    ds__sort_pattern *both = ds_arena_zalloc(env->arena, 2 * sizeof *both);
    *plan = *key = NULL;
    if (both == NULL) {
        return ds__error_oom(err);
    }
    if (!ds__sort_compile_meta(env, spec, &both[0], err)) {
        return false;
    }
    const size_t count = both[0].count;
    both[1].parts = ds_arena_zalloc(env->arena, (count + 1) * sizeof *both[1].parts);
    if (both[1].parts == NULL) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < count; i++) {
        if (!both[0].parts[i].by_meta) {
            both[1].parts[both[1].count++] = both[0].parts[i];
        }
    }
    *key = &both[0];
    *plan = both[1].count > 0 || count == 0 ? &both[1] : NULL;
    return true;
}

bool ds__check_collation(ds_value collation, ds_error *err) {
    return collation.type != DS_DOCUMENT || ds__doc_empty(collation) ||
           ds__index_check_collation(collation, err);
}

bool ds__check_hint(ds_value hint, ds_error *err) {
    return hint.type == DS_MISSING || hint.type == DS_STRING || hint.type == DS_DOCUMENT ||
           ds__error_set(err, DS_FAILED_TO_PARSE, "Hint must be a string or an object");
}

bool ds__cursor_prepare(ds__cursor *c, const ds__let *let, ds_error *err) {
    if (!ds__eval_init(&c->eval, &c->env, &c->arena, &c->scratch, err)) {
        return false;
    }
    if (let != NULL && !ds__let_eval(let, &c->eval, err)) {
        return false;
    }
    /* Slots are shared with the filter's eval, which keeps its own root and scratch. */
    c->scan_eval = c->eval;
    c->scan_eval.scratch = &c->scan_scratch;
    c->scan_eval.slots =
        ds_arena_copy(&c->arena, c->eval.slots, c->env.slot_count * sizeof *c->eval.slots);
    return c->scan_eval.slots != NULL || ds__error_oom(err);
}

static bool natural_sort(ds_value sort) {
    ds_value v;
    return sort.type == DS_DOCUMENT && ds__doc_get(sort, "$natural", 8, &v);
}

static bool check_objects(const ds_value *v, ds_error *err) {
    static const int objects[] = {F_FILTER, F_PROJECTION, F_SORT, F_MIN, F_MAX, F_COLLATION};
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        ds_value x = v[objects[i]];
        if (x.type != DS_MISSING && x.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_TYPE_MISMATCH, "Expected field %sto be of type object",
                                 find_args[objects[i]].name);
        }
    }
    return true;
}

bool ds__find_parse(ds__op *op, ds_value command, ds__find_request *out, ds_error *err) {
    ds_value v[F_COUNT];
    *out = (ds__find_request){0};
    if (!ds__op_collection(op, &out->coll, &out->coll_size, err) ||
        !ds__args_read("FindCommandRequest", true, command, find_args, F_COUNT, v, err) ||
        !check_objects(v, err) || !ds__check_collation(v[F_COLLATION], err) ||
        !ds__check_hint(v[F_HINT], err)) {
        return false;
    }
    out->filter = v[F_FILTER];
    out->sort =
        v[F_SORT].type == DS_DOCUMENT && ds__doc_empty(v[F_SORT]) ? ds__missing() : v[F_SORT];
    out->projection = v[F_PROJECTION];
    out->hint = v[F_HINT];
    out->min = v[F_MIN].type == DS_DOCUMENT && ds__doc_empty(v[F_MIN]) ? ds__missing() : v[F_MIN];
    out->max = v[F_MAX].type == DS_DOCUMENT && ds__doc_empty(v[F_MAX]) ? ds__missing() : v[F_MAX];
    out->let = v[F_LET];
    out->skip = ds__arg_int64(v[F_SKIP], 0);
    out->limit = ds__arg_int64(v[F_LIMIT], 0);
    out->batch_size = ds__arg_int64(v[F_BATCH], -1);
    out->single_batch = ds__arg_bool(v[F_SINGLE], false);
    out->no_timeout = ds__arg_bool(v[F_NO_TIMEOUT], false);
    out->allow_disk = ds__arg_bool(v[F_ALLOW_DISK], true);
    out->return_key = ds__arg_bool(v[F_RETURN_KEY], false);
    out->show_record_id = ds__arg_bool(v[F_SHOW_RID], false);
    bool tailable = ds__arg_bool(v[F_TAILABLE], false);
    if (ds__arg_bool(v[F_AWAIT], false) && !tailable) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot set 'awaitData' without also setting 'tailable'");
    }
    if (tailable && out->single_batch) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Cannot use tailable option with the 'singleBatch' option");
    }
    if (tailable) {
        return ds__error_set(err, DS_NOT_IMPLEMENTED, "tailable cursors are not implemented");
    }
    if (v[F_NTORETURN].type != DS_MISSING) {
        return ds__error_set(err, 5746102,
                             "the ntoreturn find command parameter is not supported when FCV >= "
                             "5.1");
    }
    if (ds__value_truthy(v[F_RESUME]) ||
        (v[F_RESUME_AT].type == DS_DOCUMENT && !ds__doc_empty(v[F_RESUME_AT]))) {
        return natural_sort(out->hint)
                   ? ds__error_set(err, DS_NOT_IMPLEMENTED, "resume tokens are not implemented")
                   : ds__error_set(err, DS_BAD_VALUE,
                                   "hint must be {$natural:1} if 'requestResumeToken' is enabled");
    }
    if ((out->min.type == DS_DOCUMENT || out->max.type == DS_DOCUMENT) &&
        out->hint.type == DS_MISSING) {
        return ds__error_set(err, 51173,
                             "When using min()/max() a hint of which index to use must "
                             "be provided");
    }
    if (natural_sort(out->sort)) {
        if (out->hint.type != DS_MISSING) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "Sort by $natural cannot be combined with a hint");
        }
        out->hint = out->sort;
        out->sort = ds__missing();
        out->natural_sort = true;
    }
    return true;
}

/* With returnKey only what a projection names {$meta: "sortKey"} is kept of it. */
static bool only_sort_keys(ds__cursor *c, ds_value spec, ds_value *out, ds_error *err) {
    ds_buf buf = {0};
    ds__iter it;
    size_t root = ds__doc_begin(&buf);
    for (ds__iter_init(&it, spec); ds__iter_next(&it);) {
        if (it.value.type == DS_DOCUMENT &&
            ds__is_string(ds__doc_field(it.value, "$meta"), "sortKey")) {
            ds__write_value(&buf, it.key, it.key_size, it.value);
        }
    }
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err) &&
              (ds__buf_to_value(&c->arena, &buf, DS_DOCUMENT, out) || ds__error_oom(err));
    ds_buf_clear(&buf);
    return ok;
}

static bool compile_projection(ds__cursor *c, const ds__find_request *r, const ds__filter *filter,
                               ds_error *err) {
    ds_value spec = r->projection;
    if (spec.type != DS_DOCUMENT || ds__doc_empty(spec)) {
        return true;
    }
    c->env.wanted_meta = 0;
    if (!ds__projection_compile(&c->env, NULL, DS_PROJECT_FIND, spec, filter, &c->projection,
                                err)) {
        return false;
    }
    if ((c->env.wanted_meta & DS_META_BIT(DS_META_SORT_KEY)) && r->sort.type == DS_MISSING &&
        !r->natural_sort) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "cannot use sortKey $meta projection without a sort");
    }
    if (!r->return_key) {
        return true;
    }
    c->projection = NULL;
    c->env.wanted_meta &= DS_META_BIT(DS_META_SORT_KEY);
    return only_sort_keys(c, spec, &spec, err) &&
           (ds__doc_empty(spec) || ds__projection_compile(&c->env, NULL, DS_PROJECT_FIND, spec,
                                                          NULL, &c->projection, err));
}

/* From the request in the cursor's own memory to a plan. */
static bool compile(ds__op *op, ds__cursor *c, const ds__coll *coll, const ds__find_request *r,
                    ds_error *err) {
    ds__query q = ds__query_of(coll, NULL);
    q.hint = r->hint;
    q.min = r->min;
    q.max = r->max;
    q.filter_spec = r->filter;
    q.sort_spec = r->sort;
    q.projection_spec = r->projection;
    q.skip = r->skip;
    q.limit = r->limit;
    q.allow_disk = r->allow_disk;
    q.explain = r->explain;
    q.count = r->count;
    q.distinct = r->distinct;
    ds__let let;
    ds__filter *filter = NULL;
    if (!ds__let_bind(&c->env, r->let, &let, err)) {
        return false;
    }
    bool projected = r->projection.type == DS_DOCUMENT && !ds__doc_empty(r->projection);
    if (r->hint.type != DS_MISSING || r->return_key || !ds__query_is_id(r->filter, &q.id)) {
        q.id = ds__missing();
    }
    /* A projection may point at where the filter matched. */
    if (r->filter.type == DS_DOCUMENT && !ds__doc_empty(r->filter) &&
        (q.id.type == DS_MISSING || projected) &&
        !ds__filter_compile(&c->env, r->filter, NULL, &filter, err)) {
        return false;
    }
    q.filter = filter;
    if (r->sort.type == DS_DOCUMENT &&
        !ds__query_sort(&c->env, r->sort, &q.sort, &q.sort_key, err)) {
        return false;
    }
    if (!compile_projection(c, r, filter, err)) {
        return false;
    }
    q.meta = c->projection != NULL ? c->env.wanted_meta : 0;
    q.meta |= r->show_record_id && !r->return_key ? DS_META_BIT(DS_META_RECORD_ID) : 0;
    q.meta |= r->return_key ? DS_META_BIT(DS_META_INDEX_KEY) : 0;
    ds__plan *plan;
    ds__meta_clear(&c->meta);
    if (!ds__cursor_prepare(c, &let, err) || !ds__plan_choose(op->txn, &c->env, &q, &plan, err) ||
        !ds__exec_open(op->txn, plan, &c->scan_eval, &c->exec, err)) {
        return false;
    }
    c->show_record_id = r->show_record_id && !r->return_key;
    c->return_key = r->return_key;
    c->eval.meta = &c->meta;
    return true;
}

bool ds__find_plan(ds__op *op, ds__cursor *c, const ds__coll *coll, const ds__find_request *r,
                   ds_error *err) {
    c->ns = ds__namespace(&c->arena, op->db, r->coll);
    c->single_batch = r->single_batch;
    c->no_timeout = r->no_timeout;
    return c->ns != NULL ? compile(op, c, coll, r, err) : ds__error_oom(err);
}
