/* SPDX-License-Identifier: Apache-2.0 */
/* explain: the plan a command would run, and for other verbosities what running it looked at.
 * Writes are planned but never carried out. */
#include "bson/number.h"
#include "engine/commands/explained.h"
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"

static bool explain_query(ds__op *op, ds__cursor *c, ds__explained *x, const char *verbosity,
                          ds_value command, ds_buf *reply, ds_error *err) {
    if (!ds__find_plan(op, c, x->coll, &x->find, err)) {
        return false;
    }
    ds__write_str(reply, "explainVersion", "1");
    if (!ds__explain_planner(c, x, reply, err)) {
        return false;
    }
    if (strcmp(verbosity, "queryPlanner") != 0 &&
        !ds__explain_execution(c, x, strcmp(verbosity, "allPlansExecution") == 0, reply, err)) {
        return false;
    }
    ds__explain_tail(op, command, reply);
    return true;
}

/* distinct's key. */
static bool read_path(ds__cursor *c, ds_value command, ds__explained *x, ds_error *err) {
    ds_value key = ds__doc_field(command, "key");
    ds__path *path = ds_arena_zalloc(&c->arena, sizeof *path);
    if (path == NULL ||
        (key.type == DS_STRING && !ds__path_parse(&c->arena, ds__text(key), key.size, path))) {
        return ds__error_oom(err);
    }
    x->find.distinct = path;
    return true;
}

/* A query made of the parts another command names by its own words. */
static bool query_of(ds__op *op, ds__cursor *c, ds_value command, ds__explained *x, ds_error *err) {
    static const struct {
        const char *name;
        const char *list; /* the array whose first element is the statement */
        const char *filter;
        const char *on_top;
    } shapes[] = {
        {"count", NULL, "query", NULL},
        {"distinct", NULL, "query", NULL},
        {"findAndModify", NULL, "query", "UPDATE"},
        {"findandmodify", NULL, "query", "UPDATE"},
        {"update", "updates", "q", "UPDATE"},
        {"delete", "deletes", "q", "DELETE"},
    };
    ds__iter it;
    ds__iter_init(&it, command);
    ds__iter_next(&it);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, it.key) != 0) {
            continue;
        }
        ds_value from = command;
        if (!ds__command_find(it.key, it.key_size)->check(command, err)) {
            return false;
        }
        if (shapes[i].list != NULL) {
            ds_value list = ds__doc_field(command, shapes[i].list);
            from = list.type == DS_ARRAY ? ds__array_at(list, 0) : ds__missing();
            if (from.type != DS_DOCUMENT) {
                return ds__error_set(err, 40414,
                                     "BSON field '%s.%s' is missing but a required field", it.key,
                                     shapes[i].list);
            }
        }
        x->on_top = shapes[i].on_top;
        x->find.count = strcmp(it.key, "count") == 0;
        if (strcmp(it.key, "distinct") == 0 && !read_path(c, command, x, err)) {
            return false;
        }
        if (ds__value_truthy(ds__doc_field(command, "remove"))) {
            x->on_top = "DELETE";
        }
        x->find.filter = ds__doc_field(from, shapes[i].filter);
        x->find.hint = ds__doc_field(from, "hint");
        x->find.sort = ds__doc_field(from, "sort");
        x->find.skip = ds__arg_int64(ds__doc_field(from, "skip"), 0);
        int64_t limit = ds__arg_int64(ds__doc_field(from, "limit"), 0);
        x->find.limit = limit < 0 ? -limit : limit;
        return ds__op_collection(op, &x->find.coll, &x->find.coll_size, err);
    }
    return ds__error_set(err, DS_COMMAND_NOT_FOUND, "Explain failed due to unknown command: %s",
                         it.key);
}

static bool valid_verbosity(ds_value v, const char **out, ds_error *err) {
    static const char *const names[] = {"queryPlanner", "executionStats", "allPlansExecution"};
    *out = "allPlansExecution";
    if (v.type == DS_MISSING) {
        return true;
    }
    for (size_t i = 0; i < 3; i++) {
        if (ds__is_string(v, names[i])) {
            *out = names[i];
            return true;
        }
    }
    return ds__error_set(err, DS_BAD_VALUE,
                         "Enumeration value '%.*s' for field 'explain.verbosity' is not a valid "
                         "value.",
                         v.type == DS_STRING ? (int)(v.size < 100 ? v.size : 100) : 0,
                         v.type == DS_STRING ? ds__text(v) : "");
}

static bool explain_inner(ds__op *op, ds__cursor *c, ds_value command, const char *verbosity,
                          ds_buf *reply, ds_error *err) {
    ds__iter it;
    ds__explained x = {0};
    ds__iter_init(&it, command);
    if (!ds__iter_next(&it)) {
        return ds__error_set(err, DS_BAD_VALUE, "Explain failed due to an empty command");
    }
    op->target = it.value;
    if (strcmp(it.key, "aggregate") == 0) {
        ds__aggregate_request r;
        bool explain;
        return ds__aggregate_parse(op, command, true, &r, &explain, err) &&
               ds__explain_aggregate(op, c, &r, verbosity, reply, err);
    }
    x.find.projection = x.find.sort = x.find.min = x.find.max = x.find.let = ds__missing();
    x.find.allow_disk = true;
    bool ok = strcmp(it.key, "find") == 0 ? ds__find_parse(op, command, &x.find, err)
                                          : query_of(op, c, command, &x, err);
    if (!ok) {
        return false;
    }
    x.find.explain = true;
    ds__op_find_coll(op, x.find.coll, x.find.coll_size, &x.coll);
    if (x.coll != NULL && x.coll->is_view) {
        return ds__error_set(err, DS_NOT_IMPLEMENTED, "explain of %s on a view is not implemented",
                             it.key);
    }
    return explain_query(op, c, &x, verbosity, command, reply, err);
}

bool ds__cmd_explain(ds__op *op, ds_buf *reply, ds_error *err) {
    const char *verbosity;
    if (op->target.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'explain.explain' is the wrong type '%s', expected type "
                             "'object'",
                             ds__type_name(op->target.type));
    }
    static const ds__arg args[] = {{"verbosity", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING}};
    ds_value v;
    if (!ds__args_read("explain", true, op->command, args, 1, &v, err) ||
        !valid_verbosity(v, &verbosity, err)) {
        return false;
    }
    ds__cursor *c = ds__cursor_new(op, err);
    if (c == NULL) {
        return false;
    }
    bool ok = explain_inner(op, c, ds__doc_field(c->command, "explain"), verbosity, reply, err);
    ds__cursor_free(c);
    return ok;
}
