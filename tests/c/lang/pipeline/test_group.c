/* SPDX-License-Identifier: Apache-2.0 */
/* $group in little memory: the same groups, or a clear error. */
#include "../bench.h"

#include "lang/pipeline/pipeline.h"

enum { ROWS = 20000, GROUPS = 4000 };

typedef struct rows {
    ds__source base;
    ds_buf buf;
    int32_t at;
} rows;

static ds_next rows_next(ds__source *self, ds_value *doc, ds_error *err) {
    rows *r = (rows *)self;
    char key[64];
    if (r->at == ROWS) {
        return DS_NEXT_END;
    }
    snprintf(key, sizeof key, "a group of some length, number %d", r->at % GROUPS);
    ds_buf_reset(&r->buf);
    size_t root = ds__doc_begin(&r->buf);
    ds__write_int32(&r->buf, "_id", r->at++);
    ds__write_str(&r->buf, "k", key);
    ds__doc_end(&r->buf, root);
    *doc = ds__document(r->buf.data);
    return DS_NEXT_ROW;
}

/* How many groups come out, each checked; -1 and b->err on failure. */
static int groups(bench *b, size_t memory, bool disk) {
    ds__pipeline *p = NULL;
    ds__pipeline_options options = {.allow_disk_use = disk, .memory = memory};
    ds_value spec = ds__doc_field(
        json(b, "{'p': [{'$group': {'_id': '$k', 'n': {'$sum': 1}, 'first': {'$first': '$_id'}, "
                "'ids': {'$push': '$_id'}}}]}"),
        "p");
    rows source = {.base = {.next = rows_next}};
    ds_value doc;
    ds_next next = DS_NEXT_ERROR;
    int count = 0;
    assert_true(ds__pipeline_compile(&b->env, spec, &options, &p, &b->err));
    assert_true(ds__pipeline_start(p, &source.base, &b->eval, &b->err));
    while ((next = ds__pipeline_next(p, &doc, &b->err)) == DS_NEXT_ROW) {
        assert_int_equal(ds__doc_field(doc, "n").as.i32, ROWS / GROUPS);
        assert_int_equal(ds__doc_count(ds__doc_field(doc, "ids")), ROWS / GROUPS);
        assert_true(ds__doc_field(doc, "first").as.i32 < GROUPS);
        count++;
    }
    ds__pipeline_close(p);
    ds_buf_clear(&source.buf);
    return next == DS_NEXT_END ? count : -1;
}

static void in_memory(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(groups(&b, 0, true), GROUPS);
    bench_close(&b);
}

static void in_several_passes_over_a_file(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(groups(&b, 100000, true), GROUPS);
    bench_close(&b);
}

static void without_disk_memory_is_an_error(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(groups(&b, 100000, false), -1);
    assert_int_equal(b.err.code, DS_QUERY_EXCEEDED_MEMORY);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(in_several_passes_over_a_file),
        cmocka_unit_test(without_disk_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
