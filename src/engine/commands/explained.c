/* SPDX-License-Identifier: Apache-2.0 */
/* What explain says of a plan: what find's and aggregate's explanations share. */
#include "engine/commands/explained.h"

#include <unistd.h>

#include "base/clock.h"
#include "bson/number.h"
#include "engine/commands/pipeline.h"
#include "engine/plan/cache.h"

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

static ds__explain words_of(const ds__cursor *c, const ds__explained *x) {
    return (ds__explain){.projection = projection_stage(c, x->find.projection),
                         .transform = x->find.projection,
                         .sort_spec = x->find.sort};
}

static void write_plan(const ds__cursor *c, const ds__explained *x, bool counts, ds_buf *reply) {
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

bool ds__explain_planner(ds__cursor *c, const ds__explained *x, ds_buf *reply, ds_error *err) {
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

bool ds__explain_execution(ds__cursor *c, const ds__explained *x, bool all, ds_buf *reply,
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

void ds__explain_tail(ds__op *op, ds_value command, ds_buf *reply) {
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

bool ds__explain_aggregate(ds__op *op, ds__cursor *c, const ds__aggregate_request *r,
                           const char *verbosity, ds_buf *reply, ds_error *err) {
    ds__explained x = {0};
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
        if (!ds__explain_planner(c, &x, reply, err) ||
            (strcmp(verbosity, "queryPlanner") != 0 &&
             !ds__explain_execution(c, &x, all, reply, err))) {
            return false;
        }
        ds__explain_tail(op, r->command, reply);
        return true;
    }
    size_t list = ds__write_doc(reply, "stages", 6, DS_ARRAY);
    size_t n = 0;
    if (c->head_exec != NULL) {
        size_t first = ds__write_index_doc(reply, n++, DS_DOCUMENT);
        size_t cursor = ds__write_doc(reply, "$cursor", 7, DS_DOCUMENT);
        if (!ds__explain_planner(c, &x, reply, err)) {
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
    ds__explain_tail(op, r->command, reply);
    return true;
}
