/* SPDX-License-Identifier: Apache-2.0 */
/* Projections applied. */
#include "../bench.h"
#include "lang/projection/projection.h"

static ds__projection *compile(bench *b, ds__projection_kind kind, const char *text,
                               const char *filter) {
    ds__projection *p = NULL;
    ds__filter *f = NULL;
    if (filter != NULL) {
        assert_true(ds__filter_compile(&b->env, json(b, filter), NULL, &f, &b->err));
    }
    assert_true(ds__projection_compile(&b->env, NULL, kind, json(b, text), f, &p, &b->err));
    return p;
}

static void gives(bench *b, const ds__projection *p, const char *doc, const char *want) {
    ds_buf out = {0};
    assert_true(ds__projection_apply(p, json(b, doc), &b->eval, &out, &b->err));
    assert_same(ds__document(out.data), json(b, want));
    ds_buf_clear(&out);
}

static void inclusions_keep_the_documents_order(void **state) {
    bench b;
    bench_open(&b);
    ds__projection *p = compile(&b, DS_PROJECT_FIND, "{'z': 1, 'a.x': 1}", NULL);
    assert_true(ds__projection_is_simple(p));
    gives(&b, p, "{'a': [{'x': 1, 'y': 2}, 5], 'b': 1, '_id': 7, 'z': 3}",
          "{'a': [{'x': 1}], '_id': 7, 'z': 3}");
    gives(&b, p, "{}", "{}");
    gives(&b, compile(&b, DS_PROJECT_FIND, "{'_id': 0, 'b': 1}", NULL),
          "{'_id': 1, 'b': 2, 'c': 3}", "{'b': 2}");
    gives(&b, compile(&b, DS_PROJECT_FIND, "{'b': 0}", NULL), "{'_id': 1, 'b': 2, 'c': 3}",
          "{'_id': 1, 'c': 3}");
    bench_close(&b);
}

static void computed_fields_read_the_original(void **state) {
    bench b;
    bench_open(&b);
    ds__projection *p =
        compile(&b, DS_PROJECT_ADD_FIELDS, "{'a': '$c', 'c': '$a', 'n.x': 1}", NULL);
    assert_false(ds__projection_is_simple(p));
    gives(&b, p, "{'a': 1, 'b': 2, 'c': 3}", "{'a': 3, 'b': 2, 'c': 1, 'n': {'x': 1}}");
    bench_close(&b);
}

static void positional_needs_a_match_in_the_array(void **state) {
    bench b;
    bench_open(&b);
    ds_buf out = {0};
    gives(&b, compile(&b, DS_PROJECT_FIND, "{'a.$': 1}", "{'a': {'$gt': 1}}"),
          "{'a': [1, 2, 3], 'b': 1}", "{'a': [2]}");
    ds__projection *p = compile(&b, DS_PROJECT_FIND, "{'a.$': 1}", "{'b': 1}");
    assert_false(ds__projection_apply(p, json(&b, "{'a': [1], 'b': 1}"), &b.eval, &out, &b.err));
    assert_int_equal(b.err.code, 51246);
    ds_buf_clear(&out);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inclusions_keep_the_documents_order),
        cmocka_unit_test(computed_fields_read_the_original),
        cmocka_unit_test(positional_needs_a_match_in_the_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
