/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of index: what a stored spec may say, what each row of the table answers. */
#include "engine/index/kind.h"

#include "../store/util.h"
#include "engine/index/index.h"

/* The code of reading a spec as it may stand in a file. */
static int32_t code_of(const char *spec, ds__index *index) {
    static ds_arena arena;
    ds_error err = {0};
    *index = (ds__index){0};
    return ds__index_read_spec(&arena, index, doc_of(spec), &err) ? 0 : err.code;
}

static void an_index_has_the_kind_of_the_part_that_is_not_ordered(void **state) {
    (void)state;
    ds__index index;
    assert_int_equal(code_of("{\"key\": {\"a\": 1, \"b\": -1}, \"name\": \"i\"}", &index), 0);
    assert_ptr_equal(index.kind, ds__index_ordered);
    assert_int_equal(code_of("{\"key\": {\"a\": 1, \"b\": \"hashed\"}, \"name\": \"i\"}", &index),
                     0);
    assert_string_equal(index.kind->name, "hashed");
    assert_true(index.parts[0].kind->ordered);
    assert_false(index.parts[1].kind->ordered);
}

static void kinds_a_newer_program_stored_are_refused(void **state) {
    (void)state;
    static const char *const specs[] = {
        "{\"key\": {\"a\": \"text\"}, \"name\": \"i\"}",
        "{\"key\": {\"a\": \"2dsphere\"}, \"name\": \"i\"}",
        "{\"key\": {\"a.$**\": 1}, \"name\": \"i\"}",
        "{\"key\": {\"a\": \"of tomorrow\"}, \"name\": \"i\"}",
    };
    ds__index index;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        assert_int_equal(code_of(specs[i], &index), DS_MUST_UPGRADE);
    }
}

static void the_version_of_a_collation_is_read_and_is_none_by_default(void **state) {
    (void)state;
    ds__index index;
    assert_int_equal(code_of("{\"key\": {\"a\": 1}, \"name\": \"i\"}", &index), 0);
    assert_string_equal(index.collation_version, "");
    assert_int_equal(code_of("{\"key\": {\"a\": 1}, \"name\": \"i\","
                             " \"collation\": {\"locale\": \"simple\"}}",
                             &index),
                     0);
    assert_string_equal(index.collation_version, "");
    /* this program has no collations: it may not touch such an index, but knows whose it is */
    assert_int_equal(code_of("{\"key\": {\"a\": 1}, \"name\": \"i\","
                             " \"collation\": {\"locale\": \"de\", \"version\": \"57.1\"}}",
                             &index),
                     DS_MUST_UPGRADE);
    assert_string_equal(index.collation_version, "57.1");
}

/* What a file says of an index is believed when the catalog is read, not when it is used. */
static void a_store_with_such_an_index_is_not_read(void **state) {
    (void)state;
    ds_error err = {0};
    const ds__coll *out = NULL;
    ds__store *store = open_store(temp_path());
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1, \"a\": 1}");
    assert_false(ds__ddl_add_index(txn, coll_of(txn),
                                   doc_of("{\"v\": 2, \"key\": {\"a\": \"2d\"}, \"name\": \"g\"}"),
                                   &out, &err));
    assert_int_equal(err.code, DS_MUST_UPGRADE);
    assert_non_null(strstr(err.message, "'g'"));
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void kinds_are_known_by_name_and_mark(void **state) {
    (void)state;
    static const struct {
        const char *field;
        const char *value; /* NULL: a number */
        const char *kind;  /* NULL: none */
        bool there;
    } cases[] = {
        {"a", NULL, "", true},
        {"a", "hashed", "hashed", true},
        {"a", "text", "text", false},
        {"a", "2d", "2d", false},
        {"a", "nonsense", NULL, false},
        {"a", "2dsphere", "2dsphere", false},
        {"a", "", NULL, false},
        {"a.$**", NULL, "wildcard", false},
        {"$**", "text", "wildcard", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ds_error err = {0};
        ds_value v = cases[i].value ? ds__cstring(cases[i].value) : ds__int32(1);
        const ds__index_kind *kind = ds__index_kind_of(cases[i].field, strlen(cases[i].field), v);
        assert_int_equal(kind != NULL, cases[i].kind != NULL);
        if (kind) {
            assert_string_equal(kind->name, cases[i].kind);
            assert_int_equal(ds__index_kind_check(kind, &err), cases[i].there);
            assert_int_equal(err.code, cases[i].there ? 0 : DS_NOT_IMPLEMENTED);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_index_has_the_kind_of_the_part_that_is_not_ordered),
        cmocka_unit_test(kinds_a_newer_program_stored_are_refused),
        cmocka_unit_test(the_version_of_a_collation_is_read_and_is_none_by_default),
        cmocka_unit_test(a_store_with_such_an_index_is_not_read),
        cmocka_unit_test(kinds_are_known_by_name_and_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
