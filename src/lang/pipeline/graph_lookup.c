/* SPDX-License-Identifier: Apache-2.0 */
/* $graphLookup: breadth-first search through a collection, each step an {$in: frontier} the host
 * has an index for or the hash table of a join answers. */
#include "base/map.h"
#include "bson/key.h"
#include "lang/pipeline/join.h"
#include "lang/pipeline/stages.h"

typedef struct graph {
    ds__stage stage;
    /* borrowed */
    const char *from;
    ds__expr *start_with;
    ds__path connect_from;
    ds__path connect_to;
    ds__path as;
    ds__path depth_field; /* count 0: none */
    ds_value restrict_spec;
    /* owned while running */
    ds_arena arena; /* one step's filter */
    ds_map visited; /* keys of _ids seen for this input */
    ds__join join;
    ds_buf frontier; /* the array being searched for */
    ds_buf next_frontier;
    ds_buf array;
    ds_buf row;
    ds_buf key;
    ds_buf out;
    /* plain */
    int64_t max_depth; /* -1: none */
    size_t found;
    bool prepared;
    bool joined;
} graph;

static bool compile_step(graph *g, ds__env *env, bool step, ds__filter **out, ds_error *err) {
    ds_buf buf = {0};
    ds_value spec = ds__missing();
    size_t root = ds__doc_begin(&buf);
    size_t list = ds__write_doc(&buf, "$and", 4, DS_ARRAY);
    size_t i = 0;
    *out = NULL;
    if (step) {
        size_t one = ds__write_index_doc(&buf, i++, DS_DOCUMENT);
        size_t field = ds__write_doc(&buf, g->connect_to.text, g->connect_to.size, DS_DOCUMENT);
        ds__write_value(&buf, "$in", 3, ds__array(g->frontier.data));
        ds__doc_end(&buf, field);
        ds__doc_end(&buf, one);
    }
    if (g->restrict_spec.type == DS_DOCUMENT) {
        ds__write_index(&buf, i++, g->restrict_spec);
    }
    ds__doc_end(&buf, list);
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && i > 0 && !ds__buf_to_value(env->arena, &buf, DS_DOCUMENT, &spec)) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok && (i == 0 || ds__filter_compile(env, spec, NULL, out, err));
}

static bool prepare(graph *g, ds_error *err) {
    const ds__pipeline_host *host = g->stage.env->pipeline_host;
    ds__env env = *g->stage.env;
    ds__filter *filter;
    ds__source *source = NULL;
    bool full = false;
    if (!host) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "$graphLookup may not be used here");
    }
    g->prepared = true;
    if (host->indexed && host->indexed(host, host->db, g->from, g->connect_to.text)) {
        return true;
    }
    env.arena = &g->arena;
    if (!compile_step(g, &env, false, &filter, err) ||
        !host->open(host, &env, host->db, g->from, filter, &source, err)) {
        return false;
    }
    bool ok = ds__join_load(&g->join, source, &g->connect_to, &g->stage, &full, err);
    source->close(source);
    g->joined = ok && !full;
    return ok;
}

/* Takes a document found at `depth`: into the result and, its links, into the next frontier. */
static bool visit(graph *g, ds_value doc, int64_t depth, size_t *links, ds_error *err) {
    ds_buf_reset(&g->key);
    ds__key_add(&g->key, ds__doc_field(doc, "_id"), false, NULL);
    if (!ds_buf_ok(&g->key, err)) {
        return false;
    }
    if (ds_map_get(&g->visited, g->key.data, g->key.size)) {
        return true;
    }
    if (!ds_map_set(&g->visited, g->key.data, g->key.size, g, NULL)) {
        return ds__error_oom(err);
    }
    ds__path_values(doc, &g->connect_from, 0, false, false, &g->next_frontier, links);
    if (g->depth_field.count > 0) {
        ds_buf_reset(&g->row);
        ds__stage_write_with(&g->row, doc, &g->depth_field, ds__int64(depth));
        if (!ds_buf_ok(&g->row, err)) {
            return false;
        }
        doc = ds__document(g->row.data);
    }
    ds__write_index(&g->array, g->found++, doc);
    if (g->array.size > DS_MAX_GROUP_BYTES) {
        return ds__error_set(err, 40099, "$graphLookup reached maximum memory consumption");
    }
    return ds_buf_ok(&g->array, err);
}

/* One step: everything the frontier leads to. */
static bool step(graph *g, int64_t depth, size_t *links, ds_error *err) {
    const ds__pipeline_host *host = g->stage.env->pipeline_host;
    ds__env env = *g->stage.env;
    ds__filter *filter;
    ds_arena_reset(&g->arena);
    env.arena = &g->arena;
    if (!compile_step(g, &env, true, &filter, err)) {
        return false;
    }
    if (g->joined) {
        if (!ds__join_find(&g->join, ds__array(g->frontier.data), env.collator, err)) {
            return false;
        }
        for (size_t i = 0; i < g->join.found_count; i++) {
            ds_value doc = ds__document(g->join.docs.bytes.data + g->join.found[i]);
            bool matched;
            if (!ds__stage_tick(&g->stage, err) ||
                !ds__filter_match(filter, doc, g->stage.eval, &matched, NULL, err) ||
                (matched && !visit(g, doc, depth, links, err))) {
                return false;
            }
        }
        return true;
    }
    ds__source *source = NULL;
    ds_value doc;
    ds_next next;
    if (!host->open(host, &env, host->db, g->from, filter, &source, err)) {
        return false;
    }
    while ((next = source->next(source, &doc, err)) == DS_NEXT_ROW) {
        if (!ds__stage_tick(&g->stage, err) || !visit(g, doc, depth, links, err)) {
            next = DS_NEXT_ERROR;
            break;
        }
    }
    source->close(source);
    return next == DS_NEXT_END;
}

static bool begin(graph *g, ds_value doc, size_t *links, ds_error *err) {
    ds_value start = ds__missing();
    ds_arena_mark mark = ds_arena_save(g->stage.eval->scratch);
    bool ok = ds__stage_eval(&g->stage, g->start_with, doc, &start, err);
    if (ok) {
        ds_buf_reset(&g->next_frontier);
        ds__doc_begin(&g->next_frontier);
        ds__path_values(start, &(ds__path){0}, 0, false, false, &g->next_frontier, links);
    }
    ds_arena_restore(g->stage.eval->scratch, mark);
    return ok;
}

static bool search(graph *g, ds_value doc, ds_error *err) {
    size_t links = 0;
    g->found = 0;
    ds_map_clear(&g->visited);
    ds_buf_reset(&g->array);
    size_t root = ds__doc_begin(&g->array);
    bool ok = begin(g, doc, &links, err);
    for (int64_t depth = 0; ok && links > 0 && (g->max_depth < 0 || depth <= g->max_depth);
         depth++) {
        ds__doc_end(&g->next_frontier, 0);
        ds_buf t = g->frontier;
        g->frontier = g->next_frontier;
        g->next_frontier = t;
        ds_buf_reset(&g->next_frontier);
        ds__doc_begin(&g->next_frontier);
        links = 0;
        ok = ds_buf_ok(&g->frontier, err) && step(g, depth, &links, err);
    }
    ds__doc_end(&g->array, root);
    return ok && ds_buf_ok(&g->array, err);
}

static ds_next graph_next(ds__stage *stage, ds_value *doc, ds_error *err) {
    graph *g = (graph *)stage;
    ds_next next = ds__stage_pull(stage, doc, err);
    if (next != DS_NEXT_ROW) {
        return next;
    }
    if ((!g->prepared && !prepare(g, err)) || !search(g, *doc, err)) {
        return DS_NEXT_ERROR;
    }
    ds_buf_reset(&g->out);
    ds__stage_write_with(&g->out, *doc, &g->as, ds__array(g->array.data));
    if (!ds_buf_ok(&g->out, err)) {
        return DS_NEXT_ERROR;
    }
    *doc = ds__document(g->out.data);
    return DS_NEXT_ROW;
}

static void graph_stop(ds__stage *stage) {
    graph *g = (graph *)stage;
    ds_arena_clear(&g->arena);
    ds_map_clear(&g->visited);
    ds__join_clear(&g->join);
    ds_buf_clear(&g->frontier);
    ds_buf_clear(&g->next_frontier);
    ds_buf_clear(&g->array);
    ds_buf_clear(&g->row);
    ds_buf_clear(&g->key);
    ds_buf_clear(&g->out);
    g->prepared = g->joined = false;
}

static bool graph_keeps_path(const ds__stage *stage, const ds__path *path) {
    return !ds__paths_overlap(&((const graph *)stage)->as, path);
}

static const ds__stage_ops graph_ops = {
    .name = "$graphLookup",
    .next = graph_next,
    .stop = graph_stop,
    .keeps_path = graph_keeps_path,
};

static bool parse_depth(graph *g, ds_value v, ds_error *err) {
    char text[DS_MAX_QUOTED];
    if (!ds__is_number(v)) {
        return ds__error_set(err, 40100, "maxDepth must be numeric, found type: %s",
                             ds__type_name(v.type));
    }
    if (!ds__value_exact_int64(v, &g->max_depth)) {
        return ds__error_set(err, 40102, "maxDepth could not be represented as a long long: %s",
                             ds__value_quote(v, text, sizeof text));
    }
    return g->max_depth >= 0 ||
           ds__error_set(err, 40101, "maxDepth requires a nonnegative argument, found: %lld",
                         (long long)g->max_depth);
}

static bool parse_option(ds__stage_parser *p, graph *g, const ds__iter *it, ds_error *err) {
    ds_value v = it->value;
    ds_arena *arena = p->env->arena;
    if (strcmp(it->key, "startWith") == 0) {
        return ds__expr_compile(p->env, p->scope, v, &g->start_with, err);
    }
    if (strcmp(it->key, "maxDepth") == 0) {
        return parse_depth(g, v, err);
    }
    if (strcmp(it->key, "restrictSearchWithMatch") == 0) {
        if (v.type != DS_DOCUMENT) {
            return ds__error_set(err, 40185, "restrictSearchWithMatch must be an object, found %s",
                                 ds__type_name(v.type));
        }
        ds__filter *checked;
        g->restrict_spec = v;
        return ds__filter_compile(p->env, v, NULL, &checked, err) ||
               ds__error_prefix(err, "Failed to parse 'restrictSearchWithMatch' option to "
                                     "$graphLookup :: caused by :: ");
    }
    if (strcmp(it->key, "from") == 0) {
        if (v.type != DS_STRING) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "$graphLookup 'from' field must be a string, but found %s",
                                 ds__type_name(v.type));
        }
        g->from = ds_arena_strndup(arena, ds__text(v), v.size);
        return g->from || ds__error_oom(err);
    }
    static const char *const names[] = {"as", "connectFromField", "connectToField", "depthField"};
    ds__path *const paths[] = {&g->as, &g->connect_from, &g->connect_to, &g->depth_field};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(it->key, names[i]) == 0) {
            if (v.type != DS_STRING) {
                return ds__error_set(err, 40103, "expected string as argument for %s, found: %s",
                                     it->key, ds__type_name(v.type));
            }
            return ds__stage_field_path(arena, ds__text(v), v.size, paths[i], err);
        }
    }
    return ds__error_set(err, 40104, "Unknown argument to $graphLookup: %s", it->key);
}

bool ds__stage_parse_graph_lookup(ds__stage_parser *p, ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "the $graphLookup stage specification must be an object, but found %s",
                             ds__type_name(arg.type));
    }
    graph *g = ds__stage_add(p, sizeof *g, &graph_ops, err);
    if (!g) {
        return false;
    }
    g->arena.meter = g->row.meter = g->key.meter = g->out.meter = p->env->meter;
    g->frontier.meter = g->next_frontier.meter = g->array.meter = p->env->kept;
    g->join.docs.bytes.meter = g->visited.meter = p->env->kept;
    g->max_depth = -1;
    g->restrict_spec = ds__missing();
    ds__iter it;
    for (ds__iter_init(&it, arg); ds__iter_next(&it);) {
        if (!parse_option(p, g, &it, err)) {
            return false;
        }
    }
    if (!g->from) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "missing 'from' option to $graphLookup stage specification");
    }
    if (!g->start_with || g->as.count == 0 || g->connect_from.count == 0 ||
        g->connect_to.count == 0) {
        return ds__error_set(err, 40105,
                             "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', "
                             "and 'connectToField' to be specified.");
    }
    return true;
}
