/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the language share: an environment, and documents from JSON. */
#ifndef TESTS_LANG_BENCH_H
#define TESTS_LANG_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bson/writer.h"
#include "lang/filter/filter.h"

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
    assert_true(ds__eval_init(&b->eval, &b->env, &b->arena, &b->scratch, &b->err));
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

static inline void assert_same(ds_value got, ds_value want) {
    bson_t a, b;
    assert_true(bson_init_static(&a, got.as.bytes, got.size));
    assert_true(bson_init_static(&b, want.as.bytes, want.size));
    char *x = bson_as_canonical_extended_json(&a, NULL);
    char *y = bson_as_canonical_extended_json(&b, NULL);
    assert_string_equal(x, y);
    bson_free(x);
    bson_free(y);
}

#endif
