/* SPDX-License-Identifier: Apache-2.0 */
/* The document an upsert inserts. */
#include "harness.h"

static void test_equalities_come_first_in_path_order(void **state) {
    expect_update(
        "{\"_id\": 1, \"c.z\": 1, \"b\": {\"$in\": [2]}, \"c.a\": 3, \"d\": {\"$gt\": 1}}", NULL,
        "{\"$set\": {\"a\": 0}, \"$setOnInsert\": {\"e\": 1}}", NULL,
        "{ \"_id\" : 1, \"b\" : 2, \"c\" : { \"a\" : 3, \"z\" : 1 }, \"a\" : 0, "
        "\"e\" : 1 }");
}

static void test_replacement_takes_only_id(void **state) {
    expect_update("{\"_id\": 1, \"a\": 1}", NULL, "{\"x\": 1}", NULL, "{ \"_id\" : 1, \"x\" : 1 }");
    expect_update("{\"a\": 1, \"a.b\": 2}", NULL, "{\"x\": 1, \"_id\": 5}", NULL,
                  "{ \"_id\" : 5, \"x\" : 1 }");
}

static void test_id_is_made_and_first(void **state) {
    harness h = {0};
    ds_buf out = {0};
    assert_int_equal(harness_compile(&h, "{\"a\": 1}", "{\"$set\": {\"b\": 1}}", NULL), 0);
    assert_true(ds__update_upsert(h.update, h.filter, &h.eval, &out, &h.err));
    ds__iter it;
    ds__iter_init(&it, ds__document(out.data));
    assert_true(ds__iter_next(&it));
    assert_string_equal(it.key, "_id");
    assert_int_equal(it.value.type, DS_OBJECT_ID);
    ds_buf_clear(&out);
    harness_clear(&h);
}

static void expect_upsert_error(const char *filter, const char *update, int code) {
    harness h = {0};
    ds_buf out = {0};
    if (harness_compile(&h, filter, update, NULL) == 0) {
        assert_false(ds__update_upsert(h.update, h.filter, &h.eval, &out, &h.err));
        assert_int_equal(out.size, 0);
    }
    assert_int_equal(h.err.code, code);
    ds_buf_clear(&out);
    harness_clear(&h);
}

static void test_what_cannot_be_inferred_fails(void **state) {
    expect_upsert_error("{\"a\": 1, \"$and\": [{\"a\": 2}]}", "{\"$set\": {\"b\": 1}}",
                        DS_NOT_SINGLE_VALUE_FIELD);
    expect_upsert_error("{\"a\": 1, \"a.b\": 2}", "{\"$set\": {\"b\": 1}}",
                        DS_NOT_SINGLE_VALUE_FIELD);
    expect_upsert_error("{\"_id.x\": 1}", "{\"b\": 1}", DS_NOT_EXACT_VALUE_FIELD);
    expect_upsert_error("{\"_id\": 1}", "{\"_id\": 2}", DS_IMMUTABLE_FIELD);
    expect_upsert_error("{}", "{\"$set\": {\"_id\": [1]}}", DS_INVALID_ID_FIELD);
    expect_upsert_error("{\"$expr\": true}", "{\"b\": 1}", DS_QUERY_FEATURE_NOT_ALLOWED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equalities_come_first_in_path_order),
        cmocka_unit_test(test_replacement_takes_only_id),
        cmocka_unit_test(test_id_is_made_and_first),
        cmocka_unit_test(test_what_cannot_be_inferred_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
