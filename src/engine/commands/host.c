/* SPDX-License-Identifier: Apache-2.0 */
/* What pipeline stages ask of the engine: documents of collections and views, writes of $out and
 * $merge, statistics. A source keeps the catalog its plan borrows from. */
#include "base/mem.h"
#include "engine/commands/handlers.h"
#include "engine/commands/pipeline.h"
#include "engine/plan/cache.h"
#include "engine/records/records.h"

/* A plan running, or a view's pipeline over one. */
typedef struct engine_source {
    ds__source base;
    /* owned */
    ds__exec *exec;
    ds__pipeline *view; /* NULL: a collection */
    ds__catalog *catalog;
    ds_arena scratch;
    ds_arena view_scratch;
    ds_arena beside; /* what meta holds */
    /* borrowed */
    ds__cursor *cursor;
    const ds__filter *filter; /* views: what is asked of its documents */
    ds__eval eval;
    ds__eval view_eval;
    /* plain */
    ds__meta meta;
    bool paused;
} engine_source;

static ds_next source_next(ds__source *self, ds_value *doc, ds_error *err) {
    engine_source *s = (engine_source *)self;
    if (s->view != NULL) {
        for (;;) {
            ds_next n = ds__pipeline_next(s->view, doc, err);
            bool matched = true;
            if (n != DS_NEXT_ROW || s->filter == NULL) {
                return n;
            }
            if (!ds__filter_match(s->filter, *doc, &s->eval, &matched, NULL, err)) {
                return DS_NEXT_ERROR;
            }
            if (matched) {
                return n;
            }
        }
    }
    ds__row row;
    if (s->paused) {
        if (!ds__cursor_resume(s->cursor, s->exec, err)) {
            return DS_NEXT_ERROR;
        }
        s->paused = false;
    }
    ds_next n = ds__exec_next(s->exec, &row, NULL, err);
    *doc = row.doc;
    if (n == DS_NEXT_ROW && s->base.meta != NULL) {
        ds_arena_reset(&s->beside);
        if (!ds__row_meta(ds__exec_plan(s->exec)->query, &row, s->eval.env->collator, &s->beside,
                          &s->meta, err)) {
            return DS_NEXT_ERROR;
        }
    }
    return n;
}

static void source_pause(ds__source *self) {
    engine_source *s = (engine_source *)self;
    if (s->view != NULL) {
        ds__pipeline_pause(s->view);
    } else if (!s->paused) {
        ds__exec_pause(s->exec);
        s->paused = true;
    }
}

static void source_close(ds__source *self) {
    engine_source *s = (engine_source *)self;
    ds__exec_close(s->exec);
    if (s->view != NULL) {
        ds__pipeline_close(s->view);
    }
    if (s->catalog != NULL) {
        ds__catalog_unref(s->catalog);
    }
    ds_arena_clear(&s->scratch);
    ds_arena_clear(&s->view_scratch);
    ds_arena_clear(&s->beside);
    ds__free(s);
}

static engine_source *new_source(ds__cursor *c, ds_error *err) {
    engine_source *s = ds__alloc(sizeof *s);
    if (s == NULL) {
        ds__error_oom(err);
        return NULL;
    }
    s->base = (ds__source){.next = source_next, .pause = source_pause, .close = source_close};
    s->cursor = c;
    s->scratch.meter = s->view_scratch.meter = s->beside.meter = &c->meter;
    s->catalog = ds__catalog_ref(ds__txn_catalog(c->op->txn));
    return s;
}

/* An eval with the values variables have now; the document's slot is its own. */
static bool copy_eval(ds__eval *out, ds__env *env, const ds__eval *from, ds_arena *scratch,
                      ds_error *err) {
    if (!ds__eval_init(out, env, env->arena, scratch, err)) {
        return false;
    }
    if (from->slots != NULL) {
        uint32_t n =
            from->env->slot_count < env->slot_count ? from->env->slot_count : env->slot_count;
        memcpy(out->slots, from->slots, n * sizeof *out->slots);
    }
    return true;
}

bool ds__source_open(ds__cursor *c, ds__env *env, const ds__query *query, ds__exec **exec,
                     ds__source **out, ds_error *err) {
    engine_source *s = new_source(c, err);
    ds__plan *chosen;
    *out = NULL;
    if (s == NULL) {
        return false;
    }
    ds__query q = *query;
    q.meta = env->wanted_meta;
    s->base.meta = env->wanted_meta != 0 ? &s->meta : NULL;
    if (!copy_eval(&s->eval, env, &c->eval, &s->scratch, err) ||
        !ds__plan_choose(c->op->txn, env, &q, &chosen, err) ||
        !ds__exec_open(c->op->txn, chosen, &s->eval, &s->exec, err)) {
        source_close(&s->base);
        return false;
    }
    if (exec != NULL) {
        *exec = s->exec;
    }
    *out = &s->base;
    return true;
}

static bool open_view(ds__cursor *c, ds__env *env, const ds__coll *view, const ds__filter *filter,
                      ds__source **out, ds_error *err) {
    engine_source *s = new_source(c, err);
    const char *base;
    ds_value stages;
    ds__pipeline_options options = {.allow_disk_use = true, .in_lookup = true};
    ds__pipeline_head head;
    ds__source *inner = NULL;
    ds__query q = ds__query_of(NULL, NULL);
    if (s == NULL) {
        return false;
    }
    q.allow_disk = true;
    s->filter = filter;
    bool ok = ds__view_resolve(c->op, env->arena, view, ds__missing(), &base, &stages, err) &&
              ds__pipeline_compile(env, stages, &options, &s->view, err);
    if (ok && !ds__pipeline_has_own_source(s->view)) {
        ok = ds__pipeline_take_head(s->view, env, false, &head, err);
        if (ok) {
            ds__op_find_coll(c->op, base, strlen(base), &q.coll);
            q.filter = head.filter;
            q.skip = head.skip;
            q.limit = head.limit;
            ok = ds__source_open(c, env, &q, NULL, &inner, err);
        }
    }
    ok = ok && copy_eval(&s->eval, env, &c->eval, &s->scratch, err) &&
         copy_eval(&s->view_eval, env, &c->eval, &s->view_scratch, err);
    if (ok) {
        ok = ds__pipeline_start(s->view, inner, &s->view_eval, err);
        inner = NULL;
    }
    if (!ok) {
        if (inner != NULL) {
            inner->close(inner);
        }
        source_close(&s->base);
        return false;
    }
    *out = &s->base;
    return true;
}

static bool host_open(const ds__pipeline_host *self, ds__env *env, const char *db, const char *coll,
                      const ds__filter *filter, ds__source **out, ds_error *err) {
    ds__cursor *c = ((const ds__host *)self)->cursor;
    const ds__catalog *catalog = ds__txn_catalog(c->op->txn);
    const ds__coll *found = ds__catalog_find(catalog, db, strlen(db), coll, strlen(coll));
    ds__query q = ds__query_of(found, filter);
    q.allow_disk = true;
    *out = NULL;
    if (found != NULL && found->is_view) {
        return open_view(c, env, found, filter, out, err);
    }
    return ds__source_open(c, env, &q, NULL, out, err);
}

/* keyPattern and keyValue of the first write error go beside the outer command's error. */
static void keep_details(ds__op *outer, ds_value reply) {
    static const char *const names[] = {"keyPattern", "keyValue", "errInfo"};
    ds_value errors = ds__doc_field(reply, "writeErrors");
    if (errors.type != DS_ARRAY || ds__doc_empty(errors)) {
        return;
    }
    ds_value first = ds__array_at(errors, 0);
    ds_buf_reset(&outer->details);
    size_t doc = ds__doc_begin(&outer->details);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ds__write_value(&outer->details, names[i], strlen(names[i]),
                        ds__doc_field(first, names[i]));
    }
    ds__doc_end(&outer->details, doc);
}

static bool host_run(const ds__pipeline_host *self, const char *db, ds_value command, ds_buf *reply,
                     ds_error *err) {
    ds__cursor *c = ((const ds__host *)self)->cursor;
    ds__op *outer = c->op;
    ds__op op = *outer;
    ds_error why = {0};
    ds__iter it;
    (void)err;
    op.arena = (ds_arena){.meter = outer->env.meter};
    op.details = (ds_buf){0};
    op.env = outer->env;
    op.env.arena = &op.arena;
    op.env.slot_count = DS_VAR_FIRST_USER;
    op.env.let = NULL;
    op.env.pipeline_host = NULL;
    op.env.interrupt_ctx = outer;
    op.db = db;
    op.command = command;
    op.session = NULL;
    ds__iter_init(&it, command);
    bool ok = ds__iter_next(&it);
    op.row = ok ? ds__command_find(it.key, it.key_size) : NULL;
    op.target = ok ? it.value : ds__missing();
    size_t root = ds__doc_begin(reply);
    size_t start = reply->size;
    ok = op.row != NULL ? op.row->run(&op, reply, &why)
                        : ds__error_set(&why, DS_COMMAND_NOT_FOUND, "no such command");
    if (ok) {
        ds__write_double(reply, "ok", 1);
    } else {
        char name[32];
        ds_value details = ds__txn_error_details(op.txn);
        reply->size = start;
        ds__write_double(reply, "ok", 0);
        ds__write_str(reply, "errmsg", why.message);
        ds__write_int32(reply, "code", why.code);
        ds__write_str(reply, "codeName", ds__code_name(why.code, name));
        if (details.type == DS_DOCUMENT) {
            ds__write_elements(reply, details);
        }
    }
    ds__doc_end(reply, root);
    if (!reply->failed) {
        keep_details(outer, ds__document(reply->data + root));
    }
    ds_buf_clear(&op.details);
    ds_arena_clear(&op.arena);
    return ds_buf_ok(reply, err);
}

static bool host_indexed(const ds__pipeline_host *self, const char *db, const char *coll,
                         const char *path) {
    ds__cursor *c = ((const ds__host *)self)->cursor;
    const ds__catalog *catalog = ds__txn_catalog(c->op->txn);
    const ds__coll *found = ds__catalog_find(catalog, db, strlen(db), coll, strlen(coll));
    if (found == NULL || found->is_view) {
        return false;
    }
    for (size_t i = 0; i < found->index_count; i++) {
        const ds__index *index = &found->indexes[i];
        if (!index->sparse && !index->hidden && index->partial.type == DS_MISSING &&
            strcmp(index->parts[0].path.text, path) == 0) {
            return true;
        }
    }
    return false;
}

/* {$collStats: {count: {}, storageStats: {}}}: made of the command collStats. */
static bool coll_stats(const ds__pipeline_host *self, const char *db, const char *coll,
                       ds_value options, ds_buf *out, ds_error *err) {
    ds__cursor *c = ((const ds__host *)self)->cursor;
    const ds__coll *found =
        ds__catalog_find(ds__txn_catalog(c->op->txn), db, strlen(db), coll, strlen(coll));
    ds_value part;
    if (found != NULL && found->is_view) {
        return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW,
                             "$collStats is not supported on views");
    }
    size_t root = ds__doc_begin(out);
    ds__write_str(out, "ns", ds__namespace(&c->arena, db, coll));
    ds__write_str(out, "host", "localhost");
    ds__write_value(out, "localTime", 9, ds__date(c->env.now_ms));
    if (options.type == DS_DOCUMENT && ds__doc_get(options, "storageStats", 12, &part)) {
        ds_buf command = {0};
        ds_buf reply = {0};
        size_t begin = ds__doc_begin(&command);
        ds__write_str(&command, "collStats", coll);
        ds__doc_end(&command, begin);
        bool ok =
            ds_buf_ok(&command, err) && host_run(self, db, ds__document(command.data), &reply, err);
        if (ok) {
            size_t stats = ds__write_doc(out, "storageStats", 12, DS_DOCUMENT);
            ds__write_elements(out, ds__document(reply.data));
            ds__doc_end(out, stats);
        }
        ds_buf_clear(&command);
        ds_buf_clear(&reply);
        if (!ok) {
            return false;
        }
    }
    if (options.type == DS_DOCUMENT && ds__doc_get(options, "count", 5, &part)) {
        int64_t documents = 0, bytes = 0;
        if (found == NULL) {
            return ds__error_set(err, DS_NAMESPACE_NOT_FOUND,
                                 "Unable to retrieve count in $collStats stage :: caused by :: "
                                 "Collection [%s.%s] not found.",
                                 db, coll);
        }
        if (!ds__record_counts(c->op->txn, found, &documents, &bytes, err)) {
            return false;
        }
        ds__write_int64(out, "count", documents);
    }
    ds__doc_end(out, root);
    return ds_buf_ok(out, err);
}

static bool index_stats(const ds__pipeline_host *self, const char *db, const char *coll,
                        ds_buf *out, ds_error *err) {
    ds__cursor *c = ((const ds__host *)self)->cursor;
    const ds__coll *found =
        ds__catalog_find(ds__txn_catalog(c->op->txn), db, strlen(db), coll, strlen(coll));
    size_t root = ds__doc_begin(out);
    for (size_t i = 0; found != NULL && i < found->index_count; i++) {
        size_t doc = ds__write_index_doc(out, i, DS_DOCUMENT);
        ds__write_str(out, "name", found->indexes[i].name);
        ds__write_value(out, "key", 3, found->indexes[i].key_pattern);
        ds__write_str(out, "host", "localhost");
        size_t accesses = ds__write_doc(out, "accesses", 8, DS_DOCUMENT);
        ds__write_int64(out, "ops", 0);
        ds__write_value(out, "since", 5, ds__date(c->op->engine->started_ms));
        ds__doc_end(out, accesses);
        ds__write_value(out, "spec", 4, found->indexes[i].spec);
        ds__doc_end(out, doc);
    }
    ds__doc_end(out, root);
    return ds_buf_ok(out, err);
}

static bool plan_cache_stats(const ds__pipeline_host *self, const char *db, const char *coll,
                             ds_buf *out, ds_error *err) {
    ds__txn *txn = ((const ds__host *)self)->cursor->op->txn;
    const ds__coll *found =
        ds__catalog_find(ds__txn_catalog(txn), db, strlen(db), coll, strlen(coll));
    if (found == NULL) {
        return ds__error_set(err, 50933, "collection '%s.%s' does not exist", db, coll);
    }
    size_t root = ds__doc_begin(out);
    bool ok = ds__plan_cache_print(found, out, err);
    ds__doc_end(out, root);
    return ok && ds_buf_ok(out, err);
}

static bool host_stats(const ds__pipeline_host *self, const char *db, const char *coll,
                       ds_value request, ds_buf *out, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, request);
    if (!ds__iter_next(&it)) {
        return ds__error_set(err, DS_INTERNAL_ERROR, "an empty stage");
    }
    if (strcmp(it.key, "$collStats") == 0) {
        return coll_stats(self, db, coll, it.value, out, err);
    }
    if (strcmp(it.key, "$indexStats") == 0) {
        return index_stats(self, db, coll, out, err);
    }
    if (strcmp(it.key, "$planCacheStats") == 0) {
        return plan_cache_stats(self, db, coll, out, err);
    }
    if (strcmp(it.key, "$currentOp") == 0) {
        const ds__op *op = ((const ds__host *)self)->cursor->op;
        const ds_value sessions = ds__doc_field(it.value, "idleSessions");
        const ds__idle_listed idle = {
            .cursors = ds__value_truthy(ds__doc_field(it.value, "idleCursors")),
            .sessions = sessions.type == DS_MISSING || ds__value_truthy(sessions)};
        return ds__current_ops(op, false, idle, out, err);
    }
    return ds__error_set(err, DS_NOT_IMPLEMENTED, "%s is not implemented", it.key);
}

bool ds__host_init(ds__cursor *c, const char *db, const char *coll, ds_error *err) {
    ds__host *host = ds_arena_zalloc(&c->arena, sizeof *host);
    if (host == NULL) {
        return ds__error_oom(err);
    }
    host->base.db = ds_arena_strndup(&c->arena, db, strlen(db));
    host->base.coll = ds_arena_strndup(&c->arena, coll, strlen(coll));
    host->base.open = host_open;
    host->base.run = host_run;
    host->base.stats = host_stats;
    host->base.indexed = host_indexed;
    host->cursor = c;
    c->host = host;
    c->env.pipeline_host = &host->base;
    return (host->base.db && host->base.coll) || ds__error_oom(err);
}
