/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of expressions share: compiling and evaluating from JSON. */
#ifndef TESTS_LANG_EXPR_BENCH_H
#define TESTS_LANG_EXPR_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bson/writer.h"
#include "lang/expr/internal.h"

typedef struct bench {
    ds_arena arena;
    ds_arena scratch;
    ds__env env;
    ds__eval eval;
    ds_error err;
} bench;

static inline void bench_open(bench *b) {
    *b = (bench){0};
    b->env = (ds__env){.arena = &b->arena, .slot_count = DS_VAR_FIRST_USER, .now_ms = 1000};
}

static inline void bench_close(bench *b) {
    ds_arena_clear(&b->arena);
    ds_arena_clear(&b->scratch);
}

/* Single quotes stand for double ones. Lifetime: the bench's. */
static inline ds_value json(bench *b, const char *text) {
    bson_error_t error;
    char *quoted = ds_arena_strndup(&b->arena, text, strlen(text));
    for (char *p = quoted; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    bson_t *doc = bson_new_from_json((const uint8_t *)quoted, -1, &error);
    assert_non_null(doc);
    uint8_t *copy = ds_arena_copy(&b->arena, bson_get_data(doc), doc->len);
    bson_destroy(doc);
    return ds__document(copy);
}

/* Compiles the field e of `text`. NULL: b->err says why. */
static inline ds__expr *compile(bench *b, const char *text) {
    ds__expr *expr = NULL;
    b->err = (ds_error){0};
    (void)ds__expr_compile(&b->env, NULL, ds__doc_field(json(b, text), "e"), &expr, &b->err);
    return expr;
}

/* Evaluates on `doc`; DS_MISSING with b->err set when it fails. */
static inline ds_value run(bench *b, const ds__expr *expr, const char *doc) {
    ds_value out = ds__missing();
    b->err = (ds_error){0};
    assert_true(ds__eval_init(&b->eval, &b->env, &b->arena, &b->scratch, &b->err));
    b->eval.slots[DS_VAR_ROOT] = json(b, doc);
    if (!ds__expr_eval(expr, &b->eval, &out, &b->err)) {
        return ds__missing();
    }
    return out;
}

#endif
