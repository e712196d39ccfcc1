/* SPDX-License-Identifier: Apache-2.0 */
/* The update parser and its operators: {q, u, arrayFilters, c, multi, upsert} as in a statement of
 * the command, then the documents it is applied to. */
#include "fuzz.h"

#include "lang/update/update.h"

enum { MAX_DOCS = 8 };

static void add_path(void *ctx, const ds__path *path) {
    (void)ctx;
    (void)path;
}

static void apply(const ds__update *update, const ds__filter *filter, ds__eval *eval,
                  ds_value doc) {
    ds_buf out = {0};
    ds_error err;
    ds__match_info match = {0};
    bool matched = false, modified = false;
    eval->slots[DS_VAR_ROOT] = doc;
    if (ds__filter_match(filter, doc, eval, &matched, &match, &err) &&
        ds__update_apply(update, doc, &match, eval, &out, &modified, &err)) {
        fuzz_check(&out);
    }
    ds_buf_clear(&out);
    ds_arena_reset(eval->scratch);
}

static void run(const ds_value *docs, size_t count, ds_arena *arena, ds_arena *scratch,
                fuzz_bounds *bounds, size_t size) {
    ds_error err;
    ds__env env = {.arena = arena, .slot_count = DS_VAR_FIRST_USER};
    fuzz_bound(bounds, &env, scratch, size);
    ds__filter *filter = NULL;
    ds__update *update = NULL;
    ds__eval eval;
    ds_value q = ds__doc_field(docs[0], "q");
    ds__update_spec spec = {
        .update = ds__doc_field(docs[0], "u"),
        .array_filters = ds__doc_field(docs[0], "arrayFilters"),
        .constants = ds__doc_field(docs[0], "c"),
        .multi = ds__value_truthy(ds__doc_field(docs[0], "multi")),
        .upsert = ds__value_truthy(ds__doc_field(docs[0], "upsert")),
    };
    if ((q.type != DS_DOCUMENT && q.type != DS_MISSING) ||
        (spec.update.type != DS_DOCUMENT && spec.update.type != DS_ARRAY) ||
        (spec.array_filters.type != DS_ARRAY && spec.array_filters.type != DS_MISSING) ||
        (spec.constants.type != DS_DOCUMENT && spec.constants.type != DS_MISSING)) {
        return; /* the command's own checks */
    }
    static const uint8_t empty[] = {5, 0, 0, 0, 0};
    if (!ds__filter_compile(&env, q.type == DS_MISSING ? ds__document(empty) : q, NULL, &filter,
                            &err)) {
        return;
    }
    spec.filter = filter;
    if (!ds__update_compile(&env, &spec, &update, &err) ||
        !ds__eval_init(&eval, &env, arena, scratch, &err)) {
        return;
    }
    ds__update_paths(update, add_path, NULL);
    for (size_t i = 1; i < count; i++) {
        apply(update, filter, &eval, docs[i]);
    }
    ds_buf out = {0};
    if (ds__update_upsert(update, filter, &eval, &out, &err)) {
        fuzz_check(&out);
    }
    ds_buf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_value docs[MAX_DOCS];
    size_t count = fuzz_documents(data, size, docs, MAX_DOCS);
    ds_arena arena = {0}, scratch = {0};
    fuzz_bounds bounds;
    if (count > 0) {
        run(docs, count, &arena, &scratch, &bounds, size);
    }
    ds_arena_clear(&arena);
    ds_arena_clear(&scratch);
    fuzz_free(docs, count);
    return 0;
}
