/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting: the best few, everything, and through temporary files, in one and the same order. */
#include "../bench.h"

#include "lang/pipeline/sort.h"

enum { DOCS = 5000 };

static ds_value row(ds_buf *buf, int32_t i) {
    char pad[101];
    memset(pad, 'x', 100);
    pad[100] = 0;
    ds_buf_reset(buf);
    size_t root = ds__doc_begin(buf);
    ds__write_int32(buf, "_id", i);
    ds__write_int32(buf, "k", (int32_t)((uint32_t)i * 7919u % 101u));
    ds__write_str(buf, "pad", pad);
    ds__doc_end(buf, root);
    return ds__document(buf->data);
}

/* Sorts DOCS rows by k and checks the order, arrival deciding among equals; returns how many. */
static size_t sort_rows(bench *b, uint64_t limit, size_t memory, bool disk, bool tagged) {
    ds__sort_pattern pattern;
    ds_buf buf = {0};
    ds_value doc;
    size_t count = 0;
    int32_t last_key = -1, last_id = -1;
    assert_true(ds__sort_compile(&b->env, json(b, "{'k': 1}"), &pattern, &b->err));
    ds__sorter *s = ds__sorter_new(&pattern, &b->env, limit, memory, disk, &b->err);
    assert_non_null(s);
    for (int32_t i = 0; i < DOCS; i++) {
        ds__meta beside;
        ds__meta_clear(&beside);
        beside.values[DS_META_RECORD_ID] = ds__int64((int64_t)i << 33);
        assert_true(tagged ? ds__sorter_add_with(s, row(&buf, i), &beside, &b->err)
                           : ds__sorter_add(s, row(&buf, i), &b->err));
    }
    assert_true(ds__sorter_finish(s, &b->err));
    while (ds__sorter_next(s, &doc, &b->err) == DS_NEXT_ROW) {
        int32_t key = ds__doc_field(doc, "k").as.i32, id = ds__doc_field(doc, "_id").as.i32;
        assert_true(key > last_key || (key == last_key && id > last_id));
        if (tagged) {
            ds__meta beside;
            ds__sorter_meta(s, &beside);
            assert_int_equal(beside.values[DS_META_RECORD_ID].as.i64, (int64_t)id << 33);
            assert_int_equal(beside.values[DS_META_SORT_KEY].type, DS_MISSING);
        }
        last_key = key;
        last_id = id;
        count++;
    }
    ds__sorter_free(s);
    ds_buf_clear(&buf);
    return count;
}

/* The same with a number beside each document, which comes out with it. */
static size_t sorted(bench *b, uint64_t limit, size_t memory, bool disk) {
    size_t count = sort_rows(b, limit, memory, disk, false);
    assert_int_equal(sort_rows(b, limit, memory, disk, true), count);
    return count;
}

static void everything_in_order(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(sorted(&b, 0, 100 << 20, true), DOCS);
    bench_close(&b);
}

static void the_best_few(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(sorted(&b, 7, 100 << 20, true), 7);
    assert_int_equal(sorted(&b, DOCS + 1, 100 << 20, true), DOCS);
    bench_close(&b);
}

static void runs_on_disk_merge_in_order(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(sorted(&b, 0, 50000, true), DOCS);
    assert_int_equal(sorted(&b, 1200, 50000, true), 1200);
    bench_close(&b);
}

static void any_number_of_runs_merges_in_order(void **state) {
    bench b;
    bench_open(&b);
    const size_t whole = (size_t)DOCS * 200;
    for (size_t runs = 2; runs < 40; runs++) {
        assert_int_equal(sorted(&b, 0, whole / runs, true), DOCS);
    }
    bench_close(&b);
}

static void without_disk_memory_is_an_error(void **state) {
    bench b;
    bench_open(&b);
    ds__sort_pattern pattern;
    ds_buf buf = {0};
    assert_true(ds__sort_compile(&b.env, json(&b, "{'k': 1}"), &pattern, &b.err));
    ds__sorter *s = ds__sorter_new(&pattern, &b.env, 0, 10000, false, &b.err);
    bool ok = true;
    for (int32_t i = 0; ok && i < DOCS; i++) {
        ok = ds__sorter_add(s, row(&buf, i), &b.err);
    }
    assert_false(ok);
    assert_int_equal(b.err.code, DS_QUERY_EXCEEDED_MEMORY);
    ds__sorter_free(s);
    ds_buf_clear(&buf);
    bench_close(&b);
}

/* -1, 0, 1: how two documents stand in a pattern's order. */
static int order(bench *b, const char *spec, const char *left, const char *right) {
    ds__sort_pattern pattern;
    ds_buf x = {0}, y = {0};
    assert_true(ds__sort_compile(&b->env, json(b, spec), &pattern, &b->err));
    assert_true(ds__sort_key(&pattern, json(b, left), NULL, &x, &b->err));
    assert_true(ds__sort_key(&pattern, json(b, right), NULL, &y, &b->err));
    int c = memcmp(x.data, y.data, x.size < y.size ? x.size : y.size);
    c = c ? c : (x.size > y.size) - (x.size < y.size);
    ds_buf_clear(&x);
    ds_buf_clear(&y);
    return (c > 0) - (c < 0);
}

static void arrays_count_by_least_or_greatest(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(order(&b, "{'a': 1}", "{'a': [1, 9]}", "{'a': 5}"), -1);
    assert_int_equal(order(&b, "{'a': -1}", "{'a': [1, 9]}", "{'a': 5}"), -1);
    assert_int_equal(order(&b, "{'a': 1}", "{'a': []}", "{'a': null}"), -1);
    assert_int_equal(order(&b, "{'a.b': 1}", "{'a': [{'b': 3}, {'b': 1}]}", "{'a': {'b': 2}}"), -1);
    assert_int_equal(order(&b, "{'a': 1}", "{}", "{'a': null}"), 0);
    /* the pair of one element counts, not the least of each */
    assert_int_equal(order(&b, "{'a.b': 1, 'a.c': 1}",
                           "{'a': [{'b': 1, 'c': 9}, {'b': 2, 'c': 0}]}",
                           "{'a': {'b': 1, 'c': 5}}"),
                     1);
    bench_close(&b);
}

static void parallel_arrays_are_refused(void **state) {
    bench b;
    bench_open(&b);
    ds__sort_pattern pattern;
    ds_buf key = {0};
    assert_true(ds__sort_compile(&b.env, json(&b, "{'a': 1, 'b': 1}"), &pattern, &b.err));
    assert_false(ds__sort_key(&pattern, json(&b, "{'a': [1], 'b': [2]}"), NULL, &key, &b.err));
    assert_int_equal(b.err.code, DS_BAD_VALUE);
    ds_buf_clear(&key);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_in_order),
        cmocka_unit_test(the_best_few),
        cmocka_unit_test(runs_on_disk_merge_in_order),
        cmocka_unit_test(any_number_of_runs_merges_in_order),
        cmocka_unit_test(without_disk_memory_is_an_error),
        cmocka_unit_test(arrays_count_by_least_or_greatest),
        cmocka_unit_test(parallel_arrays_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
