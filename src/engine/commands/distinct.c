/* SPDX-License-Identifier: Apache-2.0 */
/* distinct: the different values a path has; arrays on the way and at its end are opened. */
#include "base/limits.h"
#include "base/map.h"
#include "bson/key.h"
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"

enum { D_COLLATION, D_KEY, D_QUERY, D_COUNT };
static const ds__arg args[D_COUNT] = {
    [D_COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [D_KEY] = {"key", DS_ARG_STRING, DS_ARG_REQUIRED | DS_ARG_NULL_IS_MISSING},
    [D_QUERY] = {"query", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
};

enum { VALUE_STEPS = 4 }; /* of the meter */

typedef struct collector {
    ds_buf *reply;
    ds_buf key;
    ds_map seen;
    size_t count;
    size_t start;
    const ds__path *path;
    const ds__env *env;
    ds_error *err;
} collector;

static bool add_value(collector *c, ds_value v) {
    ds_buf_reset(&c->key);
    ds__key_add(&c->key, v, false, NULL);
    if (c->key.failed) {
        return ds_buf_ok(&c->key, c->err);
    }
    if (ds_map_get(&c->seen, c->key.data, c->key.size) != NULL) {
        return true;
    }
    if (!ds_map_set(&c->seen, c->key.data, c->key.size, c, NULL)) {
        return ds__error_oom(c->err);
    }
    ds__write_index(c->reply, c->count++, v);
    return c->reply->size - c->start <= DS_MAX_DOC_SIZE ||
           ds__error_set(c->err, 17217, "distinct too big, 16mb cap");
}

static bool walk(collector *c, ds_value at, uint32_t i) {
    const ds__path_part *part = &c->path->parts[i];
    ds__iter it;
    ds_value v;
    if (!ds__doc_get(at, part->name, part->size, &v)) {
        return true;
    }
    bool last = i + 1 == c->path->count;
    if (v.type == DS_ARRAY && (last || c->path->parts[i + 1].index < 0)) {
        ds__iter_init(&it, v);
        while (ds__iter_next(&it)) {
            bool ok = last ? add_value(c, it.value)
                           : it.value.type != DS_DOCUMENT || walk(c, it.value, i + 1);
            if (!ok || !ds__env_step(c->env, VALUE_STEPS, c->err)) {
                return false;
            }
        }
        return true;
    }
    if (last) {
        return add_value(c, v);
    }
    return (v.type != DS_DOCUMENT && v.type != DS_ARRAY) || walk(c, v, i + 1);
}

static bool run(ds__op *op, const ds__coll *coll, const ds_value *v, collector *c, ds_error *err) {
    ds__filter *filter = NULL;
    ds__plan *plan;
    ds__exec *x;
    ds__eval eval;
    ds_arena scratch = {.meter = op->env.meter};
    ds__row row;
    ds_next n;
    ds__query q = ds__query_of(coll, NULL);
    q.filter_spec = v[D_QUERY];
    q.distinct = c->path;
    if (v[D_QUERY].type == DS_DOCUMENT && !ds__doc_empty(v[D_QUERY]) &&
        !ds__filter_compile(&op->env, v[D_QUERY], NULL, &filter, err)) {
        return false;
    }
    q.filter = filter;
    bool ok = ds__eval_init(&eval, &op->env, &op->arena, &scratch, err) &&
              ds__plan_choose(op->txn, &op->env, &q, &plan, err) &&
              ds__exec_open(op->txn, plan, &eval, &x, err);
    if (ok) {
        while ((n = ds__exec_next(x, &row, NULL, err)) == DS_NEXT_ROW) {
            if (!walk(c, row.doc, 0)) {
                n = DS_NEXT_ERROR;
                break;
            }
        }
        ds__exec_close(x);
        ok = n == DS_NEXT_END;
    }
    ds_arena_clear(&scratch);
    return ok;
}

static void take_values(void *ctx, ds_value v) {
    ds_buf *reply = ctx;
    if (v.type == DS_ARRAY) {
        ds__write_value(reply, "values", 6, v);
    } else {
        ds__doc_end(reply, ds__write_doc(reply, "values", 6, DS_ARRAY));
    }
}

static bool distinct_in_view(ds__op *op, const ds__coll *view, ds_value query, const char *key,
                             ds_buf *reply, ds_error *err) {
    ds_value stages;
    if (!ds__view_distinct(&op->arena, query, key, &stages, err) ||
        !ds__aggregate_value(op, view, stages, "distinct", take_values, reply, err)) {
        return false;
    }
    ds__write_int32(reply, "ok", 1);
    op->ok_written = true;
    return true;
}

bool ds__distinct_check(ds_value command, ds_error *err) {
    ds_value v[D_COUNT];
    return ds__args_read("distinct", true, command, args, D_COUNT, v, err);
}

bool ds__cmd_distinct(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[D_COUNT];
    const char *name;
    size_t size;
    const ds__coll *coll;
    ds__path path;
    if (!ds__op_collection(op, &name, &size, err) ||
        !ds__args_read("distinct", true, op->command, args, D_COUNT, v, err) ||
        !ds__check_collation(v[D_COLLATION], err)) {
        return false;
    }
    if (v[D_KEY].size == 0) {
        return ds__error_set(err, 40352, "FieldPath cannot be constructed with empty string");
    }
    if (!ds__path_parse(&op->arena, ds__text(v[D_KEY]), v[D_KEY].size, &path)) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < path.count; i++) {
        if (path.parts[i].size == 0) {
            return ds__error_set(err, i + 1 == path.count ? 40353 : 15998,
                                 i + 1 == path.count
                                     ? "FieldPath must not end with a '.'."
                                     : "FieldPath field names may not be empty strings.");
        }
        if (path.parts[i].name[0] == '$') {
            return ds__error_set(err, 16410,
                                 "FieldPath field names may not start with '$'. Consider using "
                                 "$getField or $setField.");
        }
    }
    ds__op_find_coll(op, name, size, &coll);
    if (coll != NULL && coll->is_view) {
        bool viewed = distinct_in_view(op, coll, v[D_QUERY], path.text, reply, err);
        ds__reply_snapshot(reply, op->at_cluster_time);
        return viewed;
    }
    collector c = {.reply = reply, .path = &path, .env = &op->env, .err = err};
    size_t values = ds__write_doc(reply, "values", 6, DS_ARRAY);
    c.start = reply->size;
    bool ok = run(op, coll, v, &c, err);
    ds__doc_end(reply, values);
    ds__reply_snapshot(reply, op->at_cluster_time);
    ds_buf_clear(&c.key);
    ds_map_clear(&c.seen);
    return ok;
}
