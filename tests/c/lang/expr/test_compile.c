/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling expressions: folding, paths, variables, dependencies, errors. */
#include "bench.h"

static void constants_are_folded(void **state) {
    bench b;
    bench_open(&b);
    const ds_value *v =
        ds__expr_constant(compile(&b, "{'e': {'$add': [1, {'$multiply': [2, 3]}]}}"));
    assert_non_null(v);
    assert_int_equal(v->type, DS_INT32);
    assert_int_equal(v->as.i32, 7);
    assert_null(ds__expr_constant(compile(&b, "{'e': {'$add': [1, '$a']}}")));
    assert_null(ds__expr_constant(compile(&b, "{'e': {'$rand': {}}}")));
    bench_close(&b);
}

static void syntax_errors_come_before_folding_errors(void **state) {
    bench b;
    bench_open(&b);
    assert_null(compile(&b, "{'e': [{'$divide': [1, 0]}, {'$nope': 1}]}"));
    assert_int_equal(b.err.code, 168);
    assert_null(compile(&b, "{'e': [{'$divide': [1, 0]}]}"));
    assert_int_equal(b.err.code, 2);
    bench_close(&b);
}

static void constants_of_commutative_operators_come_last(void **state) {
    bench b;
    bench_open(&b);
    ds__expr *sum = compile(&b, "{'e': {'$add': [null, '$s']}}");
    run(&b, sum, "{'s': 'x'}");
    assert_int_equal(b.err.code, 16554);
    ds__expr *either = compile(&b, "{'e': {'$or': [{'$divide': ['$a', 0]}, 1]}}");
    assert_true(run(&b, either, "{'a': 1}").as.b);
    bench_close(&b);
}

static void plain_paths_are_told(void **state) {
    bench b;
    bench_open(&b);
    const ds__path *path = ds__expr_field_path(compile(&b, "{'e': '$a.b'}"));
    assert_non_null(path);
    assert_string_equal(path->text, "a.b");
    assert_null(ds__expr_field_path(compile(&b, "{'e': '$$ROOT'}")));
    assert_null(ds__expr_field_path(compile(&b, "{'e': '$$NOW'}")));
    assert_null(ds__expr_field_path(compile(&b, "{'e': {'$abs': '$a'}}")));
    bench_close(&b);
}

static void paths_enter_arrays_but_not_positions(void **state) {
    bench b;
    bench_open(&b);
    ds__expr *path = compile(&b, "{'e': '$a.b'}");
    ds_value v = run(&b, path, "{'a': [{'b': 1}, 5, {'c': 2}, {'b': [3]}]}");
    assert_int_equal(v.type, DS_ARRAY);
    assert_int_equal(ds__doc_count(v), 2);
    v = run(&b, compile(&b, "{'e': '$a.0'}"), "{'a': [7]}");
    assert_int_equal(v.type, DS_ARRAY);
    assert_int_equal(ds__doc_count(v), 0);
    assert_int_equal(run(&b, path, "{'a': 1}").type, DS_MISSING);
    bench_close(&b);
}

static void inner_variables_hide_outer_ones(void **state) {
    bench b;
    bench_open(&b);
    ds__expr *expr = compile(&b, "{'e': {'$let': {'vars': {'x': 1}, 'in': {'$add': ["
                                 "{'$let': {'vars': {'x': 10}, 'in': '$$x'}}, '$$x']}}}}");
    assert_int_equal(run(&b, expr, "{}").as.i32, 11);
    assert_null(compile(&b, "{'e': {'$let': {'vars': {'x': 1, 'y': '$$x'}, 'in': 1}}}"));
    assert_int_equal(b.err.code, 17276);
    bench_close(&b);
}

typedef struct seen {
    size_t paths;
    size_t whole;
} seen;

static void count(void *ctx, const ds__path *path) {
    seen *s = ctx;
    if (path == NULL) {
        s->whole++;
    } else {
        s->paths++;
    }
}

static void dependencies_name_each_path_read(void **state) {
    bench b;
    bench_open(&b);
    seen s = {0};
    ds__expr_dependencies(compile(&b, "{'e': {'$map': {'input': '$a', 'in': "
                                      "{'$add': ['$$this.x', '$b', 1]}}}}"),
                          count, &s);
    assert_int_equal(s.paths, 2);
    assert_int_equal(s.whole, 0);
    ds__expr_dependencies(compile(&b, "{'e': {'k': '$$ROOT'}}"), count, &s);
    assert_int_equal(s.whole, 1);
    bench_close(&b);
}

static void nesting_has_a_limit(void **state) {
    bench b;
    bench_open(&b);
    ds_value spec = ds__int32(1);
    for (int i = 0; i < 300; i++) {
        ds__expr_field field = {.name = "$abs", .name_size = 4, .value = spec};
        assert_true(ds__expr_make_document(&b.arena, &field, 1, &spec, &b.err));
    }
    ds__expr *expr = NULL;
    assert_false(ds__expr_compile(&b.env, NULL, spec, &expr, &b.err));
    assert_int_equal(b.err.code, DS_OVERFLOW);
    assert_null(expr);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_are_folded),
        cmocka_unit_test(syntax_errors_come_before_folding_errors),
        cmocka_unit_test(constants_of_commutative_operators_come_last),
        cmocka_unit_test(plain_paths_are_told),
        cmocka_unit_test(paths_enter_arrays_but_not_positions),
        cmocka_unit_test(inner_variables_hide_outer_ones),
        cmocka_unit_test(dependencies_name_each_path_read),
        cmocka_unit_test(nesting_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
