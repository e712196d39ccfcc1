/* SPDX-License-Identifier: Apache-2.0 */
/* The path tree: conflicts, order of application, merging of `$`, `$[]` and names. */
#include "harness.h"

static void test_conflicts_name_the_place(void **state) {
    expect_error("{}", "{\"$set\": {\"a.b.c\": 1, \"a.b\": 2}}", DS_CONFLICTING_UPDATE_OPERATORS,
                 "Updating the path 'a.b' would create a conflict at 'a.b'");
    expect_error("{}", "{\"$set\": {\"a\": 1}, \"$inc\": {\"a.b\": 2}}",
                 DS_CONFLICTING_UPDATE_OPERATORS,
                 "Updating the path 'a.b' would create a conflict at 'a'");
    expect_error("{}", "{\"$set\": {\"l.$[]\": 1, \"l.0\": 1}}", DS_CONFLICTING_UPDATE_OPERATORS,
                 "Updating the path 'l.0' would create a conflict at 'l'");
}

static void test_new_fields_appear_in_tree_order(void **state) {
    expect_update("{}", "{\"_id\": 1}",
                  "{\"$set\": {\"b\": 1, \"10\": 1, \"9\": 1, \"a.z\": 1, \"a.c\": 1}}", NULL,
                  "{ \"_id\" : 1, \"9\" : 1, \"10\" : 1, \"a\" : { \"c\" : 1, \"z\" : 1 }, "
                  "\"b\" : 1 }");
}

static void test_positional_merges_with_names(void **state) {
    expect_update("{\"l.b\": 2}", "{\"_id\": 1, \"l\": [{\"b\": 1}, {\"b\": 2}]}",
                  "{\"$set\": {\"l.$.x\": 5, \"l.1.b\": 7, \"l.0.b\": 0}}", NULL,
                  "{ \"_id\" : 1, \"l\" : [ { \"b\" : 0 }, { \"b\" : 7, \"x\" : 5 } ] }");
}

static void test_array_filters_merge(void **state) {
    expect_update("{}", "{\"_id\": 1, \"l\": [{\"b\": 1}, {\"b\": 2}]}",
                  "{\"$set\": {\"l.$[].b\": 7, \"l.$[e].a\": 1}}", "[{\"e.b\": 2}]",
                  "{ \"_id\" : 1, \"l\" : [ { \"b\" : 7 }, { \"b\" : 7, \"a\" : 1 } ] }");
}

static void test_paths_are_checked(void **state) {
    expect_error("{}", "{\"$set\": {\"\": 1}}", DS_EMPTY_FIELD_NAME,
                 "An empty update path is not valid.");
    expect_error("{}", "{\"$set\": {\"a..b\": 1}}", DS_EMPTY_FIELD_NAME, NULL);
    expect_error("{}", "{\"$set\": {\"a.$.b.$\": 1}}", DS_BAD_VALUE,
                 "Too many positional (i.e. '$') elements found in path 'a.$.b.$'");
    expect_error("{}", "{\"$set\": {\"a.$[x]\": 1}}", DS_BAD_VALUE,
                 "No array filter found for identifier 'x' in path 'a.$[x]'");
}

static void add_path(void *ctx, const ds__path *path) {
    strcat(ctx, path ? path->text : "*");
    strcat(ctx, " ");
}

static void test_paths_end_before_array_positions(void **state) {
    harness h = {0};
    char text[128] = "";
    assert_int_equal(harness_compile(&h, "{}",
                                     "{\"$set\": {\"a.b\": 1, \"c.0.d\": 1, \"e.$[].f\": 1},"
                                     " \"$rename\": {\"x\": \"y.z\"}}",
                                     NULL),
                     0);
    ds__update_paths(h.update, add_path, text);
    assert_string_equal(text, "a.b c e x y.z ");
    harness_clear(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conflicts_name_the_place),
        cmocka_unit_test(test_new_fields_appear_in_tree_order),
        cmocka_unit_test(test_positional_merges_with_names),
        cmocka_unit_test(test_array_filters_merge),
        cmocka_unit_test(test_paths_are_checked),
        cmocka_unit_test(test_paths_end_before_array_positions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
