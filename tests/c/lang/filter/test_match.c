/* SPDX-License-Identifier: Apache-2.0 */
/* Matching, the position it finds, printing and what an upsert takes over. */
#include "../bench.h"

static ds__filter *compile(bench *b, const char *text) {
    ds__filter *f = NULL;
    assert_true(ds__filter_compile(&b->env, json(b, text), NULL, &f, &b->err));
    return f;
}

static bool matches(bench *b, const char *filter, const char *doc, ds__match_info *info) {
    bool matched = false;
    assert_true(
        ds__filter_match(compile(b, filter), json(b, doc), &b->eval, &matched, info, &b->err));
    return matched;
}

static void numbers_compare_across_types(void **state) {
    bench b;
    bench_open(&b);
    assert_true(matches(&b, "{'a': {'$gt': 5}}", "{'a': 5.5}", NULL));
    assert_true(matches(&b, "{'a': {'$gte': 5.0}}", "{'a': {'$numberLong': '5'}}", NULL));
    assert_true(matches(&b, "{'a': 5}", "{'a': {'$numberDecimal': '5.0'}}", NULL));
    assert_false(matches(&b, "{'a': {'$numberLong': '9007199254740993'}}",
                         "{'a': 9007199254740992.0}", NULL));
    assert_false(matches(&b, "{'a': {'$lt': 5}}", "{'a': {'$numberDouble': 'NaN'}}", NULL));
    assert_false(matches(&b, "{'a': {'$lt': 5}}", "{'a': '1'}", NULL));
    bench_close(&b);
}

static void position_is_of_the_outermost_array(void **state) {
    bench b;
    bench_open(&b);
    ds__match_info info;
    assert_true(matches(&b, "{'a.b': 3}", "{'a': [{'b': 1}, {'b': [2, 3]}]}", &info));
    assert_true(info.has_position);
    assert_int_equal(info.position, 1);
    assert_true(matches(&b, "{'a': {'$elemMatch': {'$gt': 1}}}", "{'a': [0, 1, 2]}", &info));
    assert_int_equal(info.position, 2);
    assert_true(matches(&b, "{'a': {'$not': {'$eq': 9}}}", "{'a': [0, 1]}", &info));
    assert_false(info.has_position);
    assert_true(matches(&b, "{'a': 1}", "{'a': 1}", &info));
    assert_false(info.has_position);
    bench_close(&b);
}

static void wide_documents_find_their_last_field(void **state) {
    bench b;
    bench_open(&b);
    ds_buf doc = {0};
    bool matched = false;
    size_t root = ds__doc_begin(&doc);
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "field_with_a_long_name_%d", i);
        ds__write_int32(&doc, name, i);
    }
    ds__doc_end(&doc, root);
    ds__filter *f = compile(&b, "{'field_with_a_long_name_299': 299}");
    assert_true(ds__filter_match(f, ds__document(doc.data), &b.eval, &matched, NULL, &b.err));
    assert_true(matched);
    ds_buf_clear(&doc);
    bench_close(&b);
}

static void deep_filters_are_refused(void **state) {
    bench b;
    bench_open(&b);
    ds_buf inner = {0}, outer = {0};
    ds__filter *f;
    size_t root = ds__doc_begin(&inner);
    ds__write_int32(&inner, "a", 1);
    ds__doc_end(&inner, root);
    for (int i = 0; i < 150; i++) {
        ds_buf_reset(&outer);
        root = ds__doc_begin(&outer);
        size_t list = ds__write_doc(&outer, "$and", 4, DS_ARRAY);
        ds__write_index(&outer, 0, ds__document(inner.data));
        ds__doc_end(&outer, list);
        ds__doc_end(&outer, root);
        ds_buf_reset(&inner);
        ds_buf_add(&inner, outer.data, outer.size);
    }
    assert_false(ds__filter_compile(&b.env, ds__document(inner.data), NULL, &f, &b.err));
    assert_int_equal(b.err.code, DS_BAD_VALUE);
    ds_buf_clear(&inner);
    ds_buf_clear(&outer);
    bench_close(&b);
}

static void prints(bench *b, const char *filter, const char *want) {
    ds_buf out = {0};
    ds__filter_print(compile(b, filter), &out);
    assert_same(ds__document(out.data), json(b, want));
    ds_buf_clear(&out);
}

static void prints_as_explain_does(void **state) {
    bench b;
    bench_open(&b);
    prints(&b, "{}", "{}");
    prints(&b, "{'a': 1}", "{'a': {'$eq': 1}}");
    prints(&b, "{'z': 1, 'a': 2, 'm': {'$gt': 1}}",
           "{'$and': [{'a': {'$eq': 2}}, {'z': {'$eq': 1}}, {'m': {'$gt': 1}}]}");
    prints(&b, "{'a': {'$ne': 1}}", "{'a': {'$not': {'$eq': 1}}}");
    prints(&b, "{'a': {'$nin': [3, 1, 3]}}", "{'a': {'$not': {'$in': [1, 3]}}}");
    prints(&b, "{'a': {'$exists': false}}", "{'a': {'$not': {'$exists': true}}}");
    prints(&b, "{'a': {'$elemMatch': {'b': 1}}}", "{'a': {'$elemMatch': {'b': {'$eq': 1}}}}");
    prints(&b, "{'$nor': [{'a': 1}]}", "{'a': {'$not': {'$eq': 1}}}");
    prints(&b, "{'$or': [{'a': 2}, {'a': 1}]}", "{'a': {'$in': [1, 2]}}");
    prints(&b, "{'a': {'$in': [1]}}", "{'a': {'$eq': 1}}");
    bench_close(&b);
}

static bool note(void *ctx, const ds__path *path, ds_value v, ds_error *err) {
    ds_buf_printf(ctx, "%s;", path->text);
    return true;
}

static void equalities_come_in_the_order_of_paths(void **state) {
    bench b;
    bench_open(&b);
    ds_buf out = {0};
    ds__filter *f = compile(&b, "{'z': 1, '$and': [{'c.d': 2}, {'b': {'$in': [3]}}], "
                                "'x': {'$gt': 1}, '$or': [{'q': 1}, {'r': 2}]}");
    assert_true(ds__filter_equalities(f, note, &out, &b.err));
    ds_buf_add_byte(&out, 0);
    assert_string_equal((char *)out.data, "b;c.d;z;");
    ds_buf_clear(&out);
    bench_close(&b);
}

static void regex_prefix_stops_at_what_has_a_meaning(void **state) {
    bench b;
    bench_open(&b);
    const struct {
        const char *filter;
        const char *prefix;
        bool exact;
    } cases[] = {
        {"{'a': {'$regex': '^abc'}}", "abc", true},
        {"{'a': {'$regex': '^ab.c'}}", "ab", false},
        {"{'a': {'$regex': '^abc*'}}", "ab", false},
        {"{'a': {'$regex': '^a+'}}", "a", false},
        {"{'a': {'$regex': '^a\\\\.b'}}", "a.b", true},
        {"{'a': {'$regex': '^ab|c'}}", NULL, false},
        {"{'a': {'$regex': 'abc'}}", NULL, false},
        {"{'a': {'$regex': '^abc', '$options': 'i'}}", NULL, false},
        {"{'a': {'$regex': '^abc', '$options': 'm'}}", NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ds__filter *f = compile(&b, cases[i].filter);
        if (cases[i].prefix == NULL) {
            assert_null(f->regex_prefix);
        } else {
            assert_string_equal(f->regex_prefix, cases[i].prefix);
        }
        assert_int_equal(f->regex_prefix_exact, cases[i].exact);
    }
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_compare_across_types),
        cmocka_unit_test(position_is_of_the_outermost_array),
        cmocka_unit_test(wide_documents_find_their_last_field),
        cmocka_unit_test(deep_filters_are_refused),
        cmocka_unit_test(prints_as_explain_does),
        cmocka_unit_test(equalities_come_in_the_order_of_paths),
        cmocka_unit_test(regex_prefix_stops_at_what_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
