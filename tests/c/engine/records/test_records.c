/* SPDX-License-Identifier: Apache-2.0 */
/* Writing documents: uniqueness, undoing, multikey, partial and sparse indexes, savepoints,
 * conflicts, scans that pause. */
#include "../store/util.h"

#include "bson/key.h"
#include "engine/records/check.h"
#include "engine/store/internal.h"

/* Entries of an index. */
static int64_t entries(ds__txn *txn, const char *name) {
    ds_error err = {0};
    int64_t n = -1;
    const ds__index *index = ds__coll_find_index(coll_of(txn), name, strlen(name));
    assert_non_null(index);
    ds__interval all = {0};
    assert_true(ds__scan_count(txn, ds__coll_keys(coll_of(txn), index), &all, 1, &n, &err));
    return n;
}

static void find_and_replace(ds__txn *txn, const char *id, const char *json, bool expected) {
    ds_error err = {0};
    ds_value doc;
    int64_t rid;
    ds_value key = ds__doc_field(doc_of(id), "_id");
    assert_true(ds__record_get_by_id(txn, coll_of(txn), key, &rid, &doc, &err));
    assert_int_equal(doc.type, DS_DOCUMENT);
    assert_int_equal(ds__record_replace(txn, coll_of(txn), rid, doc, doc_of(json), NULL, &err),
                     expected);
}

static void a_duplicate_is_told_with_pattern_and_value(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"a\": 1}, \"name\": \"a_1\", \"unique\": true}", &err));
    insert_ok(txn, "{\"_id\": 1, \"a\": 1}");
    assert_false(insert(txn, "{\"_id\": 2, \"a\": 1.0}", &err));
    assert_int_equal(err.code, DS_DUPLICATE_KEY);
    assert_string_equal(err.message, "E11000 duplicate key error collection: db.c index: a_1 dup "
                                     "key: { a: 1.0 }");
    ds_value details = ds__txn_error_details(txn);
    assert_int_equal(details.type, DS_DOCUMENT);
    assert_int_equal(ds__doc_field(ds__doc_field(details, "keyPattern"), "a").as.i32, 1);
    assert_int_equal(ds__doc_field(ds__doc_field(details, "keyValue"), "a").type, DS_DOUBLE);
    assert_false(insert(txn, "{\"_id\": 1}", &err));
    assert_non_null(strstr(err.message, "index: _id_ dup key: { _id: 1 }"));
    commit(txn);
    assert_int_equal(count(store), 1);
    assert_int_equal(count_rows(store), 1);
    ds__store_close(store);
}

static void a_refused_insert_leaves_no_index_entries(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"t\": 1}, \"name\": \"t\"}", &err));
    assert_true(add_index(txn, "{\"key\": {\"a\": 1}, \"name\": \"a\", \"unique\": true}", &err));
    insert_ok(txn, "{\"_id\": 1, \"t\": [1, 2, 3], \"a\": [5, 7]}");
    assert_false(insert(txn, "{\"_id\": 2, \"t\": [3, 4], \"a\": [4, 6, 7]}", &err));
    assert_int_equal(entries(txn, "t"), 3);
    assert_int_equal(entries(txn, "a"), 2);
    assert_int_equal(entries(txn, "_id_"), 1);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void a_refused_replace_keeps_the_old_keys(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"t\": 1}, \"name\": \"t\"}", &err));
    assert_true(add_index(txn, "{\"key\": {\"a\": 1}, \"name\": \"a\", \"unique\": true}", &err));
    insert_ok(txn, "{\"_id\": 1, \"t\": 1, \"a\": [5, 7]}");
    insert_ok(txn, "{\"_id\": 2, \"t\": 2, \"a\": [1, 2]}");
    find_and_replace(txn, "{\"_id\": 2}", "{\"_id\": 2, \"t\": [8, 9], \"a\": [2, 3, 7]}", false);
    assert_int_equal(entries(txn, "t"), 2);
    assert_int_equal(entries(txn, "a"), 4);
    find_and_replace(txn, "{\"_id\": 2}", "{\"_id\": 2, \"t\": [8, 9], \"a\": [2, 3]}", true);
    assert_int_equal(entries(txn, "t"), 3);
    assert_int_equal(entries(txn, "a"), 4);
    assert_false(insert(txn, "{\"_id\": 3, \"a\": 3}", &err));
    insert_ok(txn, "{\"_id\": 3, \"a\": 1}");
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void sparse_and_partial_indexes_leave_documents_out(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"s\": 1}, \"name\": \"s\", \"sparse\": true}", &err));
    assert_true(add_index(txn,
                          "{\"key\": {\"p\": 1}, \"name\": \"p\", \"unique\": true, "
                          "\"partialFilterExpression\": {\"p\": {\"$type\": \"string\"}}}",
                          &err));
    insert_ok(txn, "{\"_id\": 1}");
    insert_ok(txn, "{\"_id\": 2, \"s\": null, \"p\": null}");
    insert_ok(txn, "{\"_id\": 3, \"p\": \"x\"}");
    assert_false(insert(txn, "{\"_id\": 4, \"p\": \"x\"}", &err));
    assert_int_equal(entries(txn, "s"), 1);
    assert_int_equal(entries(txn, "p"), 1);
    find_and_replace(txn, "{\"_id\": 3}", "{\"_id\": 3, \"p\": 5}", true);
    assert_int_equal(entries(txn, "p"), 0);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void multikey_components_are_remembered(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"a.b\": 1, \"c\": 1}, \"name\": \"m\"}", &err));
    insert_ok(txn, "{\"_id\": 1, \"a\": {\"b\": 1}, \"c\": 1}");
    assert_false(ds__coll_find_index(coll_of(txn), "m", 1)->multikey);
    int savepoint;
    assert_true(ds__txn_savepoint(txn, &savepoint, &err));
    insert_ok(txn, "{\"_id\": 2, \"a\": [{\"b\": 1}, {\"b\": 2}], \"c\": 1}");
    assert_int_equal(ds__coll_find_index(coll_of(txn), "m", 1)->parts[0].multikey, 1);
    assert_true(ds__txn_rollback(txn, savepoint, &err));
    assert_false(ds__coll_find_index(coll_of(txn), "m", 1)->multikey);
    insert_ok(txn, "{\"_id\": 2, \"a\": [{\"b\": [1, 3]}, {\"b\": 2}], \"c\": 1}");
    assert_int_equal(ds__coll_find_index(coll_of(txn), "m", 1)->parts[0].multikey, 3);
    assert_int_equal(ds__coll_find_index(coll_of(txn), "m", 1)->parts[1].multikey, 0);
    commit(txn);
    txn = begin(store, DS_TXN_READ);
    assert_int_equal(ds__coll_find_index(coll_of(txn), "m", 1)->parts[0].multikey, 3);
    ds__txn_abort(txn);
    txn = begin(store, DS_TXN_WRITE);
    assert_false(insert(txn, "{\"_id\": 4, \"a\": [{\"b\": 1}], \"c\": [1, 2]}", &err));
    assert_int_equal(err.code, DS_CANNOT_INDEX_PARALLEL_ARRAYS);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void counts_follow_savepoints_and_transactions(void **state) {
    (void)state;
    ds_error err = {0};
    int savepoint;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    assert_true(ds__txn_savepoint(txn, &savepoint, &err));
    insert_ok(txn, "{\"_id\": 2}");
    assert_true(ds__txn_rollback(txn, savepoint, &err));
    assert_true(ds__txn_savepoint(txn, &savepoint, &err));
    insert_ok(txn, "{\"_id\": 3}");
    assert_true(ds__txn_release(txn, savepoint, &err));
    commit(txn);
    assert_int_equal(count(store), 2);
    txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 4}");
    ds__txn_abort(txn);
    assert_int_equal(count(store), 2);
    txn = begin(store, DS_TXN_WRITE);
    assert_true(ds__record_truncate(txn, coll_of(txn), &err));
    commit(txn);
    assert_int_equal(count(store), 0);
    ds__store_close(store);
}

static void an_upgrade_after_another_write_conflicts(void **state) {
    (void)state;
    ds_error err = {0};
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    ds__txn *reader = begin(store, DS_TXN_READ);
    assert_true(ds__txn_upgrade(reader, &err));
    insert_ok(reader, "{\"_id\": 2}");
    commit(reader);
    reader = begin(store, DS_TXN_READ);
    txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 3}");
    assert_false(ds__txn_upgrade(reader, &err));
    assert_int_equal(err.code, DS_WRITE_CONFLICT);
    commit(txn);
    assert_false(ds__txn_upgrade(reader, &err));
    assert_int_equal(err.code, DS_WRITE_CONFLICT);
    ds__txn_abort(reader);
    txn = begin(store, DS_TXN_WRITE); /* the failed upgrade let go of the write lock */
    insert_ok(txn, "{\"_id\": 4}");
    commit(txn);
    ds__store_close(store);
}

static void key_of(ds_buf *buf, int v) {
    ds_buf_reset(buf);
    ds__key_add(buf, ds__int32(v), false, NULL);
}

/* Collects values of `a` through an index, pausing after each row when told so. */
static void walk(ds__store *store, const char *name, bool backward, bool pause, const int *lo_hi,
                 size_t intervals, char *out) {
    ds_error err = {0};
    ds_buf keys[8] = {0};
    ds__interval in[4];
    for (size_t i = 0; i < intervals; i++) {
        key_of(&keys[2 * i], lo_hi[2 * i]);
        key_of(&keys[2 * i + 1], lo_hi[2 * i + 1]);
        in[i] = (ds__interval){
            keys[2 * i].data, keys[2 * i + 1].data, keys[2 * i].size, keys[2 * i + 1].size, true,
            i % 2 == 0};
    }
    ds__txn *txn = begin(store, DS_TXN_READ);
    const ds__coll *coll = coll_of(txn);
    const ds__index *index = ds__coll_find_index(coll, name, strlen(name));
    ds__scan *scan;
    ds__scan_row row;
    *out = 0;
    assert_true(
        ds__scan_keys(txn, ds__coll_keys(coll, index), in, intervals, backward, true, &scan, &err));
    while (ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
        sprintf(out + strlen(out), "%d ", ds__doc_field(row.doc, "a").as.i32);
        if (pause) {
            ds__scan_pause(scan);
            ds__txn_abort(txn);
            txn = begin(store, DS_TXN_READ);
            assert_true(ds__scan_resume(scan, txn, &err));
        }
    }
    ds__scan_close(scan);
    ds__txn_abort(txn);
    for (size_t i = 0; i < 8; i++) {
        ds_buf_clear(&keys[i]);
    }
}

static void scans_keep_their_place_when_paused(void **state) {
    (void)state;
    ds_error err;
    char text[200];
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"a\": 1}, \"name\": \"plain\"}", &err));
    for (int i = 0; i < 10; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"_id\": %d, \"a\": %d}", i, i / 2);
        insert_ok(txn, json);
    }
    commit(txn);
    static const int up[] = {1, 2, 3, 4};
    static const int down[] = {3, 4, 1, 2};
    for (int pause = 0; pause < 2; pause++) {
        walk(store, "plain", false, pause, up, 2, text);
        assert_string_equal(text, "1 1 2 2 3 3 ");
        walk(store, "plain", true, pause, down, 2, text);
        assert_string_equal(text, "4 4 3 3 1 1 ");
        walk(store, "_id_", false, pause, (const int[]){2, 5, 7, 9}, 2, text);
        assert_string_equal(text, "1 1 2 2 3 4 ");
        walk(store, "_id_", true, pause, (const int[]){7, 9, 2, 5}, 2, text);
        assert_string_equal(text, "4 4 3 2 1 1 ");
    }
    ds__store_close(store);
}

static void a_paused_scan_knows_that_its_collection_is_gone(void **state) {
    (void)state;
    ds_error err = {0};
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    insert_ok(txn, "{\"_id\": 2}");
    ds__scan *scan;
    ds__scan_row row;
    assert_true(ds__scan_rows(txn, coll_of(txn)->id, false, &scan, &err));
    assert_int_equal(ds__scan_next(scan, &row, &err), DS_NEXT_ROW);
    assert_true(ds__ddl_drop(txn, coll_of(txn), &err));
    coll_of(txn); /* made anew under the same name */
    commit(txn);
    txn = begin(store, DS_TXN_READ);
    assert_false(ds__scan_resume(scan, txn, &err));
    assert_int_equal(err.code, DS_QUERY_PLAN_KILLED);
    ds__scan_close(scan);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void building_a_unique_index_finds_duplicates(void **state) {
    (void)state;
    ds_error err;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1, \"a\": 7}");
    insert_ok(txn, "{\"_id\": 2, \"a\": 7}");
    commit(txn);
    txn = begin(store, DS_TXN_WRITE);
    assert_false(add_index(txn, "{\"key\": {\"a\": 1}, \"name\": \"u\", \"unique\": true}", &err));
    assert_int_equal(err.code, DS_DUPLICATE_KEY);
    ds__txn_abort(txn);
    txn = begin(store, DS_TXN_READ);
    assert_int_equal(coll_of(txn)->index_count, 1);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void capped_collections_forget_the_oldest(void **state) {
    (void)state;
    ds_error err = {0};
    const ds__coll *coll;
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(ds__ddl_create(
        txn, "db", "c", doc_of("{\"capped\": true, \"size\": 4096, \"max\": 3}"), &coll, &err));
    for (int i = 0; i < 7; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"_id\": %d}", i);
        insert_ok(txn, json);
    }
    ds_value doc;
    assert_true(ds__record_get_by_id(txn, coll_of(txn), ds__int32(3), NULL, &doc, &err));
    assert_int_equal(doc.type, DS_MISSING);
    assert_true(ds__record_get_by_id(txn, coll_of(txn), ds__int32(4), NULL, &doc, &err));
    assert_int_equal(doc.type, DS_DOCUMENT);
    commit(txn);
    assert_int_equal(count(store), 3);
    assert_int_equal(count_rows(store), 3);
    ds__store_close(store);
}

/* What a check says of the tail; "" for nothing. */
static void check_says(ds__store *store, const char *words) {
    ds_error err = {0};
    ds__check check = {0};
    const ds__env env = {0};
    ds__txn *txn = begin(store, DS_TXN_READ);
    assert_true(ds__check_collection(txn, coll_of(txn), &env, &check, &err));
    assert_int_equal(check.error_count, *words != 0);
    if (*words) {
        ds__iter it;
        ds__iter_init(&it, ds__array(check.errors.data));
        assert_true(ds__iter_next(&it));
        assert_non_null(strstr(ds__text(it.value), words));
    }
    ds__check_clear(&check);
    ds__txn_abort(txn);
}

static void a_check_compares_the_tail_with_the_documents(void **state) {
    (void)state;
    ds_error err = {0};
    ds__store *store = open_store(":memory:");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    insert_ok(txn, "{\"_id\": 2}");
    const int64_t rows = coll_of(txn)->id;
    commit(txn);
    check_says(store, "");
    const struct {
        int64_t count;
        int64_t bytes;
        int64_t next;
        const char *words;
    } wrong[] = {{1, 0, 0, "3 documents are counted, 2 are there"},
                 {0, -4, 0, "24 bytes of documents are counted, 28 are there"},
                 {0, 0, -1, "the next record id would be 2, but 2 is there"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (int sign = 1; sign >= -1; sign -= 2) {
            txn = begin(store, DS_TXN_WRITE);
            assert_true(ds__table_add_counts(txn, rows, sign * wrong[i].count,
                                             sign * wrong[i].bytes, &err));
            txn->tails[0].next += sign * wrong[i].next;
            commit(txn);
            check_says(store, sign > 0 ? wrong[i].words : "");
        }
    }
    ds__store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duplicate_is_told_with_pattern_and_value),
        cmocka_unit_test(a_refused_insert_leaves_no_index_entries),
        cmocka_unit_test(a_refused_replace_keeps_the_old_keys),
        cmocka_unit_test(sparse_and_partial_indexes_leave_documents_out),
        cmocka_unit_test(multikey_components_are_remembered),
        cmocka_unit_test(counts_follow_savepoints_and_transactions),
        cmocka_unit_test(an_upgrade_after_another_write_conflicts),
        cmocka_unit_test(scans_keep_their_place_when_paused),
        cmocka_unit_test(a_paused_scan_knows_that_its_collection_is_gone),
        cmocka_unit_test(building_a_unique_index_finds_duplicates),
        cmocka_unit_test(capped_collections_forget_the_oldest),
        cmocka_unit_test(a_check_compares_the_tail_with_the_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
