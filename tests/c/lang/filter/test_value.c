/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of single values: $pull's conditions and array filters. */
#include "../bench.h"

/* Both texts are documents whose field v holds what is meant. */
static bool pulls(bench *b, const char *condition, const char *value) {
    ds__filter *f = NULL;
    bool matched = false;
    assert_true(
        ds__filter_compile_value(&b->env, ds__doc_field(json(b, condition), "v"), &f, &b->err));
    assert_true(
        ds__filter_match_value(f, ds__doc_field(json(b, value), "v"), &b->eval, &matched, &b->err));
    return matched;
}

static void conditions_of_pull(void **state) {
    bench b;
    bench_open(&b);
    assert_true(pulls(&b, "{'v': 5}", "{'v': 5.0}"));
    assert_false(pulls(&b, "{'v': 5}", "{'v': [5]}"));
    assert_true(pulls(&b, "{'v': null}", "{'v': null}"));
    assert_true(pulls(&b, "{'v': {'$gt': 4}}", "{'v': 5}"));
    assert_true(pulls(&b, "{'v': {'$gt': 4}}", "{'v': [1, 5]}"));
    assert_true(pulls(&b, "{'v': {'x': 1}}", "{'v': {'x': 1, 'y': 2}}"));
    assert_false(pulls(&b, "{'v': {'x': 1}}", "{'v': 1}"));
    assert_true(pulls(&b, "{'v': {'$in': [1, 2]}}", "{'v': 2}"));
    assert_true(pulls(&b, "{'v': {'$regularExpression': {'pattern': '^a', 'options': ''}}}",
                      "{'v': 'ab'}"));
    assert_true(pulls(&b, "{'v': {'$or': [{'x': 1}, {'x': 2}]}}", "{'v': {'x': 2}}"));
    assert_true(pulls(&b, "{'v': [1, 2]}", "{'v': [1, 2]}"));
    bench_close(&b);
}

static bool array_filter(bench *b, const char *filter, const char *value, const char *name) {
    ds__filter *f = NULL;
    const char *identifier = NULL;
    bool matched = false;
    assert_true(
        ds__filter_compile_array_filter(&b->env, json(b, filter), &f, &identifier, &b->err));
    assert_string_equal(identifier, name);
    assert_true(
        ds__filter_match_value(f, ds__doc_field(json(b, value), "v"), &b->eval, &matched, &b->err));
    return matched;
}

static void array_filters_start_at_the_element(void **state) {
    bench b;
    bench_open(&b);
    assert_true(array_filter(&b, "{'e': {'$gte': 5}}", "{'v': 5}", "e"));
    assert_false(array_filter(&b, "{'e': {'$gte': 5}}", "{'v': 4}", "e"));
    assert_true(array_filter(&b, "{'e.x': 1, 'e.y': {'$lt': 3}}", "{'v': {'x': 1, 'y': 2}}", "e"));
    assert_false(array_filter(&b, "{'e.x': 1}", "{'v': 1}", "e"));
    assert_true(array_filter(&b, "{'e': 5}", "{'v': [5]}", "e"));
    assert_true(array_filter(&b, "{'$or': [{'e': 1}, {'e.x': 2}]}", "{'v': {'x': 2}}", "e"));
    assert_true(array_filter(&b, "{'e.x': null}", "{'v': 1}", "e"));
    bench_close(&b);
}

static void array_filters_need_one_identifier(void **state) {
    bench b;
    bench_open(&b);
    const struct {
        const char *filter;
        int code;
    } cases[] = {{"{}", DS_FAILED_TO_PARSE},
                 {"{'a': 1, 'b': 1}", DS_FAILED_TO_PARSE},
                 {"{'A': 1}", DS_BAD_VALUE},
                 {"{'': 1}", DS_BAD_VALUE},
                 {"{'$expr': 1}", DS_QUERY_FEATURE_NOT_ALLOWED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ds__filter *f;
        const char *name;
        assert_false(
            ds__filter_compile_array_filter(&b.env, json(&b, cases[i].filter), &f, &name, &b.err));
        assert_int_equal(b.err.code, cases[i].code);
    }
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_of_pull),
        cmocka_unit_test(array_filters_start_at_the_element),
        cmocka_unit_test(array_filters_need_one_identifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
