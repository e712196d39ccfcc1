/* SPDX-License-Identifier: Apache-2.0 */
/* explain: the plan a command would run, and for other verbosities what running it looked at.
 * Writes are planned but never carried out. */
#include <unistd.h>

#include "base/clock.h"
#include "bson/number.h"
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"
#include "engine/plan/cache.h"

/* What is explained: a query under a few words about what is done with it. */
typedef struct explained {
    ds__find_request find;
    const char *on_top; /* "UPDATE", "DELETE" or NULL */
    const ds__coll *coll;
} explained;

static void write_parsed_query(ds__cursor *c, ds_value filter, ds_buf *reply) {
    ds__filter *parsed = NULL;
    ds_error ignored;
    ds_buf text = {0};
    static const uint8_t empty[5] = {5};
    ds__env env = c->env;
    if (filter.type == DS_DOCUMENT && !ds__doc_empty(filter) &&
        ds__filter_compile(&env, filter, NULL, &parsed, &ignored)) {
        ds__filter_print(parsed, &text);
    }
    ds__write_value(reply, "parsedQuery", 11,
                    ds__document(text.size > 4 && !text.failed ? text.data : empty));
    ds_buf_clear(&text);
}

/* PROJECTION_SIMPLE for plain inclusions and exclusions of top-level fields. */
static const char *projection_stage(const ds__cursor *c, ds_value spec) {
    ds__iter it;
    if (c->projection == NULL || c->return_key) {
        return NULL;
    }
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        if (memchr(it.key, '.', it.key_size) != NULL ||
            (!ds__is_number(it.value) && it.value.type != DS_BOOL)) {
            return "PROJECTION_DEFAULT";
        }
    }
    return "PROJECTION_SIMPLE";
}

static ds__explain words_of(const ds__cursor *c, const explained *x) {
    return (ds__explain){.projection = projection_stage(c, x->find.projection),
                         .transform = x->find.projection,
                         .sort_spec = x->find.sort};
}

static void write_plan(const ds__cursor *c, const explained *x, bool counts, ds_buf *reply) {
    const ds__explain words = words_of(c, x);
    const ds__exec *exec = c->exec != NULL ? c->exec : c->head_exec;
    const char *on_top = x->find.return_key ? "RETURN_KEY" : x->on_top;
    if (on_top == NULL) {
        ds__exec_print(exec, &words, counts, reply);
        return;
    }
    ds__write_str(reply, "stage", on_top);
    size_t input = ds__write_doc(reply, "inputStage", 10, DS_DOCUMENT);
    ds__exec_print(exec, &words, counts, reply);
    ds__doc_end(reply, input);
}

/* queryHash and planCacheKey, of what may be in the cache of plans. */
static bool write_hashes(const ds__exec *exec, ds_buf *reply, ds_error *err) {
    const ds__plan *plan = ds__exec_plan(exec);
    char query_hash[DS_HASH_TEXT];
    char cache_key[DS_HASH_TEXT];
    if (plan->kind == DS_PLAN_EMPTY || plan->kind == DS_PLAN_ID) {
        return true;
    }
    if (!ds__plan_hashes(plan->query, query_hash, cache_key, err)) {
        return false;
    }
    ds__write_str(reply, "queryHash", query_hash);
    ds__write_str(reply, "planCacheKey", cache_key);
    return true;
}

static bool write_query_planner(ds__cursor *c, const explained *x, ds_buf *reply, ds_error *err) {
    const ds__explain words = words_of(c, x);
    const ds__exec *exec = c->exec != NULL ? c->exec : c->head_exec;
    size_t planner = ds__write_doc(reply, "queryPlanner", 12, DS_DOCUMENT);
    ds__write_str(reply, "namespace", c->ns);
    ds__write_bool(reply, "indexFilterSet", false);
    write_parsed_query(c, x->find.filter, reply);
    if (!write_hashes(exec, reply, err)) {
        return false;
    }
    ds__write_bool(reply, "maxIndexedOrSolutionsReached", false);
    ds__write_bool(reply, "maxIndexedAndSolutionsReached", false);
    ds__write_bool(reply, "maxScansToExplodeReached", false);
    size_t winning = ds__write_doc(reply, "winningPlan", 11, DS_DOCUMENT);
    write_plan(c, x, false, reply);
    ds__doc_end(reply, winning);
    size_t rejected = ds__write_doc(reply, "rejectedPlans", 13, DS_ARRAY);
    bool ok = ds__exec_print_rivals(exec, &words, false, reply, err);
    ds__doc_end(reply, rejected);
    ds__doc_end(reply, planner);
    return ok;
}

static bool write_execution(ds__cursor *c, const explained *x, bool all, ds_buf *reply,
                            ds_error *err) {
    ds__exec_stats stats = {0};
    ds__exec *exec = c->exec != NULL ? c->exec : c->head_exec;
    ds__row row;
    ds_next n;
    int64_t began = ds__clock_mono_us();
    while ((n = ds__exec_next(exec, &row, NULL, err)) == DS_NEXT_ROW) {
    }
    ds__exec_stats_get(exec, &stats);
    if (n != DS_NEXT_END) {
        return false;
    }
    bool writes = x->on_top != NULL;
    size_t doc = ds__write_doc(reply, "executionStats", 14, DS_DOCUMENT);
    ds__write_bool(reply, "executionSuccess", true);
    ds__write_int32(reply, "nReturned", writes ? 0 : (int32_t)stats.returned);
    ds__write_int32(reply, "executionTimeMillis", (int32_t)((ds__clock_mono_us() - began) / 1000));
    ds__write_int32(reply, "totalKeysExamined", (int32_t)stats.keys_examined);
    ds__write_int32(reply, "totalDocsExamined", (int32_t)stats.docs_examined);
    size_t stages = ds__write_doc(reply, "executionStages", 15, DS_DOCUMENT);
    write_plan(c, x, true, reply);
    ds__doc_end(reply, stages);
    bool ok = true;
    if (all) {
        const ds__explain words = words_of(c, x);
        size_t plans = ds__write_doc(reply, "allPlansExecution", 17, DS_ARRAY);
        ok = ds__exec_print_rivals(exec, &words, true, reply, err);
        ds__doc_end(reply, plans);
    }
    ds__doc_end(reply, doc);
    return ok;
}

static void write_tail(ds__op *op, ds_value command, ds_buf *reply) {
    char host[256] = "localhost";
    size_t doc = ds__write_doc(reply, "command", 7, DS_DOCUMENT);
    ds__write_elements(reply, command);
    if (ds__doc_field(command, "$db").type == DS_MISSING) {
        ds__write_str(reply, "$db", op->db);
    }
    ds__doc_end(reply, doc);
    gethostname(host, sizeof host - 1);
    doc = ds__write_doc(reply, "serverInfo", 10, DS_DOCUMENT);
    ds__write_str(reply, "host", host);
    ds__write_int32(reply, "port", 27017);
    ds__write_str(reply, "version", "6.0.5");
    ds__write_str(reply, "gitVersion", "docstore-" DS_VERSION);
    ds__doc_end(reply, doc);
}

static bool explain_query(ds__op *op, ds__cursor *c, explained *x, const char *verbosity,
                          ds_value command, ds_buf *reply, ds_error *err) {
    if (!ds__find_plan(op, c, x->coll, &x->find, err)) {
        return false;
    }
    ds__write_str(reply, "explainVersion", "1");
    if (!write_query_planner(c, x, reply, err)) {
        return false;
    }
    if (strcmp(verbosity, "queryPlanner") != 0 &&
        !write_execution(c, x, strcmp(verbosity, "allPlansExecution") == 0, reply, err)) {
        return false;
    }
    write_tail(op, command, reply);
    return true;
}

/* distinct's key. */
static bool read_path(ds__cursor *c, ds_value command, explained *x, ds_error *err) {
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
static bool query_of(ds__op *op, ds__cursor *c, ds_value command, explained *x, ds_error *err) {
    static const struct {
        const char *name;
        const char *list; /* the array whose first element is the statement */
        const char *filter;
        const char *on_top;
        bool (*check)(ds_value command, ds_error *err);
    } shapes[] = {
        {"count", NULL, "query", NULL, ds__count_check},
        {"distinct", NULL, "query", NULL, ds__distinct_check},
        {"findAndModify", NULL, "query", "UPDATE", ds__find_and_modify_check},
        {"findandmodify", NULL, "query", "UPDATE", ds__find_and_modify_check},
        {"update", "updates", "q", "UPDATE", ds__update_check},
        {"delete", "deletes", "q", "DELETE", ds__delete_check},
    };
    ds__iter it;
    ds__iter_init(&it, command);
    ds__iter_next(&it);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, it.key) != 0) {
            continue;
        }
        ds_value from = command;
        if (!shapes[i].check(command, err)) {
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

bool ds__explain_aggregate(ds__op *op, ds__cursor *c, const ds__aggregate_request *r,
                           const char *verbosity, ds_buf *reply, ds_error *err) {
    explained x = {0};
    ds_buf stages = {0};
    if (!ds__aggregate_start(op, c, r, err)) {
        return false;
    }
    x.find.projection = x.find.filter = x.find.sort = ds__missing();
    if (c->head_filter.type == DS_DOCUMENT) {
        x.find.filter = c->head_filter;
    }
    x.find.sort = c->head_sort;
    ds__write_str(reply, "explainVersion", "1");
    if (ds__pipeline_is_empty(c->pipeline) && c->head_exec != NULL) {
        bool all = strcmp(verbosity, "allPlansExecution") == 0;
        if (!write_query_planner(c, &x, reply, err) ||
            (strcmp(verbosity, "queryPlanner") != 0 && !write_execution(c, &x, all, reply, err))) {
            return false;
        }
        write_tail(op, r->command, reply);
        return true;
    }
    size_t list = ds__write_doc(reply, "stages", 6, DS_ARRAY);
    size_t n = 0;
    if (c->head_exec != NULL) {
        size_t first = ds__write_index_doc(reply, n++, DS_DOCUMENT);
        size_t cursor = ds__write_doc(reply, "$cursor", 7, DS_DOCUMENT);
        if (!write_query_planner(c, &x, reply, err)) {
            return false;
        }
        ds__doc_end(reply, cursor);
        ds__doc_end(reply, first);
    }
    ds__pipeline_print(c->pipeline, &stages);
    if (ds_buf_ok(&stages, err) && stages.size > 4) {
        ds__iter it;
        ds__iter_init(&it, ds__array(stages.data));
        while (ds__iter_next(&it)) {
            ds__write_index(reply, n++, it.value);
        }
    }
    ds_buf_clear(&stages);
    ds__doc_end(reply, list);
    write_tail(op, r->command, reply);
    return true;
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
    explained x = {0};
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
