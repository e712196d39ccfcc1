/* SPDX-License-Identifier: Apache-2.0 */
/* Runs updates on documents given as extended JSON. */
#ifndef TESTS_UPDATE_HARNESS_H
#define TESTS_UPDATE_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lang/update/internal.h"

typedef struct harness {
    ds_arena arena;
    ds_arena scratch;
    ds__env env;
    ds__eval eval;
    ds__filter *filter;
    ds__update *update;
    ds_error err;
    bson_t *kept[16]; /* documents made from JSON, freed at the end */
    size_t kept_count;
} harness;

static inline ds_value harness_json(harness *h, const char *json) {
    bson_error_t e;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &e);
    if (!b) {
        fail_msg("%s in %s", e.message, json);
    }
    h->kept[h->kept_count++] = b;
    return ds__document(bson_get_data(b));
}

/* Compiles; the error's code, 0 when it worked. */
static inline int harness_compile(harness *h, const char *filter, const char *update,
                                  const char *array_filters) {
    h->env = (ds__env){.arena = &h->arena, .slot_count = DS_VAR_FIRST_USER};
    ds__update_spec spec = {.update = harness_json(h, update), .upsert = true};
    if (array_filters) {
        spec.array_filters = harness_json(h, array_filters);
        spec.array_filters.type = DS_ARRAY;
    }
    assert_true(ds__filter_compile(&h->env, harness_json(h, filter), NULL, &h->filter, &h->err));
    spec.filter = h->filter;
    if (!ds__update_compile(&h->env, &spec, &h->update, &h->err)) {
        return h->err.code;
    }
    assert_true(ds__eval_init(&h->eval, &h->env, &h->arena, &h->scratch, &h->err));
    return 0;
}

static inline void harness_clear(harness *h) {
    for (size_t i = 0; i < h->kept_count; i++) {
        bson_destroy(h->kept[i]);
    }
    ds_arena_clear(&h->arena);
    ds_arena_clear(&h->scratch);
}

static inline void harness_check(const ds_buf *out, const char *want) {
    bson_t b;
    assert_true(bson_init_static(&b, out->data, out->size));
    char *json = bson_as_relaxed_extended_json(&b, NULL);
    assert_string_equal(json, want);
    bson_free(json);
}

/* The update of `doc`, or of no document when NULL, is `want`, NULL: unchanged. */
static inline void expect_update(const char *filter, const char *doc, const char *update,
                                 const char *array_filters, const char *want) {
    harness h = {0};
    ds_buf out = {0};
    bool modified = false, matched = false;
    ds__match_info info = {0};
    assert_int_equal(harness_compile(&h, filter, update, array_filters), 0);
    if (!doc) {
        assert_true(ds__update_upsert(h.update, h.filter, &h.eval, &out, &h.err));
        harness_check(&out, want);
    } else {
        ds_value d = harness_json(&h, doc);
        assert_true(ds__filter_match(h.filter, d, &h.eval, &matched, &info, &h.err));
        assert_true(matched);
        if (!ds__update_apply(h.update, d, &info, &h.eval, &out, &modified, &h.err)) {
            fail_msg("%d %s", h.err.code, h.err.message);
        }
        assert_int_equal(modified, want != NULL);
        if (want) {
            harness_check(&out, want);
        } else {
            assert_int_equal(out.size, 0);
        }
    }
    ds_buf_clear(&out);
    harness_clear(&h);
}

/* The update fails, compiling or applied, with the code and leaves nothing written. */
static inline void expect_error(const char *doc, const char *update, int code,
                                const char *message) {
    harness h = {0};
    ds_buf out = {0};
    bool modified = true;
    if (harness_compile(&h, "{}", update, NULL) == 0) {
        assert_false(ds__update_apply(h.update, harness_json(&h, doc), NULL, &h.eval, &out,
                                      &modified, &h.err));
        assert_int_equal(out.size, 0);
        assert_false(modified);
    }
    assert_int_equal(h.err.code, code);
    if (message) {
        assert_string_equal(h.err.message, message);
    }
    ds_buf_clear(&out);
    harness_clear(&h);
}

#endif
