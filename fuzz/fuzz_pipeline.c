/* SPDX-License-Identifier: Apache-2.0 */
/* Stages, accumulators and expressions: {pipeline: […]} or {expr: …}, then the documents. Other
 * collections are empty. */
#include "fuzz.h"

#include "lang/expr/expr.h"
#include "lang/pipeline/pipeline.h"

enum { MAX_DOCS = 12, MAX_ROWS = 500, MAX_CHECKS = 20000 };

typedef struct list {
    ds__source base;
    const ds_value *docs;
    size_t count;
    size_t at;
} list;

static ds_next list_next(ds__source *self, ds_value *doc, ds_error *err) {
    list *l = (list *)self;
    (void)err;
    if (l->at == l->count) {
        return DS_NEXT_END;
    }
    *doc = l->docs[l->at++];
    return DS_NEXT_ROW;
}

static void list_close(ds__source *self) {
    free(self);
}

static ds__source *make_list(const ds_value *docs, size_t count) {
    list *l = calloc(1, sizeof *l);
    if (!l) {
        abort();
    }
    *l = (list){.base = {.next = list_next, .close = list_close}, .docs = docs, .count = count};
    return &l->base;
}

static bool host_open(const ds__pipeline_host *self, ds__env *env, const char *db, const char *coll,
                      const ds__filter *filter, ds__source **out, ds_error *err) {
    (void)self, (void)env, (void)db, (void)coll, (void)filter, (void)err;
    *out = make_list(NULL, 0);
    return true;
}

static bool host_run(const ds__pipeline_host *self, const char *db, ds_value command, ds_buf *reply,
                     ds_error *err) {
    (void)self, (void)db, (void)command, (void)reply;
    return ds__error_set(err, DS_NOT_IMPLEMENTED, "no commands here");
}

/* Products of nested ranges are slow by right: they are interrupted as by maxTimeMS. */
static bool interrupt(void *ctx, ds_error *err) {
    int *left = ctx;
    return --*left > 0 ||
           ds__error_set(err, DS_MAX_TIME_MS_EXPIRED, "operation exceeded time limit");
}

static void add_path(void *ctx, const ds__path *path) {
    (void)ctx;
    (void)path;
}

static void run_expr(ds__env *env, ds_value spec, const ds_value *docs, size_t count,
                     ds_arena *arena, ds_arena *scratch) {
    ds_error err;
    ds__expr *expr = NULL;
    ds__eval eval;
    if (!ds__expr_compile(env, NULL, spec, &expr, &err) ||
        !ds__eval_init(&eval, env, arena, scratch, &err)) {
        return;
    }
    ds__expr_dependencies(expr, add_path, NULL);
    for (size_t i = 0; i < count; i++) {
        ds_value v;
        ds_buf out = {0};
        eval.slots[DS_VAR_ROOT] = docs[i];
        if (ds__expr_eval(expr, &eval, &v, &err) && v.type != DS_MISSING) {
            size_t root = ds__doc_begin(&out);
            ds__write_value(&out, "v", 1, v);
            ds__doc_end(&out, root);
            fuzz_check(&out);
        }
        ds_buf_clear(&out);
        ds_arena_reset(scratch);
    }
}

static void run_pipeline(ds__env *env, ds_value stages, const ds_value *docs, size_t count,
                         ds_arena *arena, ds_arena *scratch) {
    ds_error err;
    ds__pipeline *pipeline = NULL;
    ds__pipeline_head head = {0};
    ds__eval eval;
    ds_buf out = {0};
    const ds__pipeline_options options = {0};
    if (!ds__pipeline_compile(env, stages, &options, &pipeline, &err)) {
        return;
    }
    size_t root = ds__doc_begin(&out);
    size_t array = ds__write_doc(&out, "stages", 6, DS_ARRAY);
    ds__pipeline_print(pipeline, &out);
    ds__doc_end(&out, array);
    ds__doc_end(&out, root);
    ds_buf_clear(&out);
    bool own = ds__pipeline_has_own_source(pipeline);
    if ((own || ds__pipeline_take_head(pipeline, env, true, &head, &err)) &&
        ds__eval_init(&eval, env, arena, scratch, &err) &&
        ds__pipeline_start(pipeline, own ? NULL : make_list(docs, count), &eval, &err)) {
        ds_value doc;
        for (int i = 0; i < MAX_ROWS && ds__pipeline_next(pipeline, &doc, &err) == DS_NEXT_ROW;
             i++) {
            if (!ds__bson_validate(doc.as.bytes, doc.size, 2 * DS_MAX_COMMAND_DEPTH, &err)) {
                abort();
            }
        }
    }
    ds__pipeline_close(pipeline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_value docs[MAX_DOCS];
    size_t count = fuzz_documents(data, size, docs, MAX_DOCS);
    ds_arena arena = {0}, scratch = {0};
    int left = MAX_CHECKS;
    const ds__pipeline_host host = {.db = "d", .coll = "c", .open = host_open, .run = host_run};
    ds__env env = {.arena = &arena,
                   .slot_count = DS_VAR_FIRST_USER,
                   .interrupt = interrupt,
                   .interrupt_ctx = &left,
                   .pipeline_host = &host};
    fuzz_bounds bounds;
    fuzz_bound(&bounds, &env, &scratch, size);
    if (count > 0) {
        ds_value stages = ds__doc_field(docs[0], "pipeline");
        ds_value expr = ds__doc_field(docs[0], "expr");
        if (stages.type == DS_ARRAY) {
            run_pipeline(&env, stages, docs + 1, count - 1, &arena, &scratch);
        } else if (expr.type != DS_MISSING) {
            run_expr(&env, expr, docs + 1, count - 1, &arena, &scratch);
        }
    }
    ds_arena_clear(&arena);
    ds_arena_clear(&scratch);
    fuzz_free(docs, count);
    return 0;
}
