/* SPDX-License-Identifier: Apache-2.0 */
/* count: from the collection's counters, an index, or by looking. */
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"
#include "engine/records/records.h"

enum { C_COLLATION, C_FIELDS, C_HINT, C_LIMIT, C_QUERY, C_SKIP, C_ENCRYPTION, C_COUNT };
static const ds__arg args[C_COUNT] = {
    [C_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [C_FIELDS] = {"fields", DS_ARG_ANY, DS_ARG_IGNORED},
    [C_HINT] = {"hint", DS_ARG_ANY, 0},
    [C_LIMIT] = {"limit", DS_ARG_ANY, 0},
    [C_ENCRYPTION] = {"encryptionInformation", DS_ARG_SERVERS, DS_ARG_NULL_IS_MISSING},
    [C_QUERY] = {"query", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [C_SKIP] = {"skip", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING | DS_ARG_NOT_NEGATIVE},
};

static bool count_all(ds__op *op, const ds__coll *coll, int64_t skip, int64_t limit, int64_t *n,
                      ds_error *err) {
    int64_t bytes;
    if (!ds__record_counts(op->txn, coll, n, &bytes, err)) {
        return false;
    }
    *n = *n > skip ? *n - skip : 0;
    *n = limit > 0 && *n > limit ? limit : *n;
    return true;
}

static bool count_matches(ds__op *op, const ds__coll *coll, const ds_value *v, int64_t skip,
                          int64_t limit, int64_t *n, ds_error *err) {
    ds__filter *filter = NULL;
    ds__plan *plan;
    ds__eval eval;
    ds_arena scratch = {.meter = op->env.meter};
    ds__query q = ds__query_of(coll, NULL);
    q.hint = v[C_HINT];
    q.filter_spec = v[C_QUERY];
    q.skip = skip;
    q.limit = limit;
    q.count = true;
    if (v[C_QUERY].type == DS_DOCUMENT && !ds__query_is_id(v[C_QUERY], &q.id) &&
        !ds__filter_compile(&op->env, v[C_QUERY], NULL, &filter, err)) {
        return false;
    }
    if (q.id.type != DS_MISSING && q.hint.type != DS_MISSING) {
        q.id = ds__missing();
        if (!ds__filter_compile(&op->env, v[C_QUERY], NULL, &filter, err)) {
            return false;
        }
    }
    q.filter = filter;
    bool ok = ds__eval_init(&eval, &op->env, &op->arena, &scratch, err) &&
              ds__plan_choose(op->txn, &op->env, &q, &plan, err) &&
              ds__exec_count(op->txn, plan, &eval, n, err);
    ds_arena_clear(&scratch);
    return ok;
}

static bool check_limit(ds_value v, ds_error *err) {
    int64_t n;
    if (v.type == DS_MISSING) {
        return true;
    }
    if (!ds__is_number(v)) {
        return ds__error_set(err, DS_BAD_VALUE, "limit value is not a valid number");
    }
    return ds__value_exact_int64(v, &n) ||
           ds__error_set(err, DS_FAILED_TO_PARSE, "Expected an integer: limit");
}

static void take_count(void *ctx, ds_value v) {
    ds__value_exact_int64(v, ctx);
}

static bool count_in_view(ds__op *op, const ds__coll *view, ds_value query, int64_t skip,
                          int64_t limit, int64_t *n, ds_error *err) {
    ds_value stages;
    return ds__view_count(&op->arena, query, skip, limit, &stages, err) &&
           ds__aggregate_value(op, view, stages, "count", take_count, n, err);
}

bool ds__count_check(ds_value command, ds_error *err) {
    ds_value v[C_COUNT];
    return ds__args_read("count", true, command, args, C_COUNT, v, err);
}

bool ds__cmd_count(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[C_COUNT];
    const char *name;
    size_t size;
    const ds__coll *coll;
    int64_t n = 0;
    if (op->target.type != DS_STRING && op->target.type != DS_SYMBOL) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "collection name has invalid type %s",
                             ds__type_name(op->target.type));
    }
    if (!ds__op_collection(op, &name, &size, err) ||
        !ds__args_read("count", true, op->command, args, C_COUNT, v, err) ||
        !check_limit(v[C_LIMIT], err) || !ds__check_collation(v[C_COLLATION], err) ||
        !ds__check_hint(v[C_HINT], err)) {
        return false;
    }
    int64_t skip = ds__arg_int64(v[C_SKIP], 0);
    int64_t limit = ds__arg_int64(v[C_LIMIT], 0);
    limit = limit < 0 ? -limit : limit;
    bool all = v[C_QUERY].type == DS_MISSING || ds__doc_empty(v[C_QUERY]);
    ds__op_find_coll(op, name, size, &coll);
    bool ok;
    if (coll != NULL && coll->is_view) {
        ok = count_in_view(op, coll, v[C_QUERY], skip, limit, &n, err);
    } else if (coll != NULL && all && v[C_HINT].type == DS_MISSING) {
        ok = count_all(op, coll, skip, limit, &n, err);
    } else {
        ok = count_matches(op, coll, v, skip, limit, &n, err);
    }
    if (!ok) {
        return false;
    }
    if (n <= INT32_MAX) {
        ds__write_int32(reply, "n", (int32_t)n);
    } else {
        ds__write_int64(reply, "n", n);
    }
    if (coll != NULL && coll->is_view) { /* mongod's reply is made of an aggregation's */
        ds__write_int32(reply, "ok", 1);
        op->ok_written = true;
    }
    return true;
}
