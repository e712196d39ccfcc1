/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a chain of stages before it runs, what the engine may take of it, and how it
 * stops. */
#include "../bench.h"

#include "lang/pipeline/pipeline.h"

static ds__pipeline *compile(bench *b, const char *stages) {
    ds__pipeline *p = NULL;
    char text[1024];
    snprintf(text, sizeof text, "{'p': %s}", stages);
    ds_value spec = ds__doc_field(json(b, text), "p");
    assert_true(ds__pipeline_compile(&b->env, spec, NULL, &p, &b->err));
    return p;
}

static void becomes(bench *b, const char *stages, const char *names) {
    ds_buf out = {0};
    char found[512] = "";
    ds__iter it;
    ds__pipeline_print(compile(b, stages), &out);
    for (ds__iter_init(&it, ds__array(out.data)); ds__iter_next(&it);) {
        ds__iter stage;
        ds__iter_init(&stage, it.value);
        assert_true(ds__iter_next(&stage));
        size_t at = strlen(found);
        snprintf(found + at, sizeof found - at, "%s%s", at ? " " : "", stage.key);
    }
    assert_string_equal(found, names);
    ds_buf_clear(&out);
}

static void neighbours_join(void **state) {
    bench b;
    bench_open(&b);
    becomes(&b, "[{'$match': {'a': 1}}, {'$match': {'b': 2}}]", "$match");
    becomes(&b, "[{'$sort': {'a': 1}}, {'$limit': 3}]", "$sort");
    becomes(&b, "[{'$limit': 5}, {'$limit': 3}]", "$limit");
    becomes(&b, "[{'$skip': 5}, {'$skip': 3}]", "$skip");
    becomes(&b, "[{'$sort': {'a': 1}}, {'$skip': 5}, {'$limit': 3}]", "$sort $skip");
    bench_close(&b);
}

static void filters_move_forward_when_nothing_changes(void **state) {
    bench b;
    bench_open(&b);
    becomes(&b, "[{'$sort': {'a': 1}}, {'$match': {'b': 2}}]", "$match $sort");
    becomes(&b, "[{'$addFields': {'x': '$y'}}, {'$match': {'b': 2}}]", "$match $addFields");
    becomes(&b, "[{'$addFields': {'b': '$y'}}, {'$match': {'b': 2}}]", "$addFields $match");
    becomes(&b, "[{'$addFields': {'b.c': '$y'}}, {'$match': {'b': 2}}]", "$addFields $match");
    becomes(&b, "[{'$project': {'b': 1}}, {'$match': {'b.c': 2}}]", "$match $project");
    becomes(&b, "[{'$project': {'b': 1}}, {'$match': {'c': 2}}]", "$project $match");
    becomes(&b, "[{'$unwind': '$t'}, {'$match': {'b': 2}}]", "$match $unwind");
    becomes(&b, "[{'$unwind': '$t'}, {'$match': {'t': 2}}]", "$unwind $match");
    becomes(&b, "[{'$limit': 1}, {'$match': {'t': 2}}]", "$limit $match");
    becomes(&b, "[{'$sort': {'a': 1}}, {'$limit': 1}, {'$match': {'t': 2}}]", "$sort $match");
    bench_close(&b);
}

static void the_engine_takes_the_head(void **state) {
    bench b;
    bench_open(&b);
    ds__pipeline_head head;
    ds__pipeline *p = compile(&b, "[{'$match': {'a': 1}}, {'$sort': {'b': -1}}, {'$skip': 2}, "
                                  "{'$limit': 3}, {'$project': {'a': 1}}]");
    assert_true(ds__pipeline_take_head(p, &b.env, true, &head, &b.err));
    assert_non_null(head.filter);
    assert_int_equal(head.sort.type, DS_DOCUMENT);
    assert_int_equal(head.skip, 2);
    assert_int_equal(head.limit, 3);
    assert_false(ds__pipeline_is_empty(p));
    p = compile(&b, "[{'$match': {'a': 1}}, {'$limit': 3}]");
    assert_true(ds__pipeline_take_head(p, &b.env, true, &head, &b.err));
    assert_int_equal(head.limit, 3);
    assert_true(ds__pipeline_is_empty(p));
    p = compile(&b, "[{'$sort': {'b': -1}}, {'$limit': 3}]");
    assert_true(ds__pipeline_take_head(p, &b.env, false, &head, &b.err));
    assert_int_equal(head.sort.type, DS_MISSING);
    assert_int_equal(head.limit, 0);
    assert_false(ds__pipeline_is_empty(p));
    bench_close(&b);
}

typedef struct endless {
    ds__source base;
    ds_value doc;
    uint64_t given;
} endless;

static ds_next endless_next(ds__source *self, ds_value *doc, ds_error *err) {
    endless *e = (endless *)self;
    e->given++;
    *doc = e->doc;
    return DS_NEXT_ROW;
}

static bool stop_now(void *ctx, ds_error *err) {
    return ds__error_set(err, 11601, "operation was interrupted");
}

static void interruption_is_noticed(void **state) {
    bench b;
    bench_open(&b);
    ds_value doc;
    ds_meter meter = {.interrupt = stop_now};
    b.env.meter = &meter;
    endless source = {.base = {.next = endless_next}, .doc = json(&b, "{'a': 1}")};
    ds__pipeline *p = compile(&b, "[{'$group': {'_id': '$a', 'n': {'$sum': 1}}}]");
    assert_true(ds__pipeline_start(p, &source.base, &b.eval, &b.err));
    assert_int_equal(ds__pipeline_next(p, &doc, &b.err), DS_NEXT_ERROR);
    assert_int_equal(b.err.code, 11601);
    assert_true(source.given <= DS_METER_STEPS);
    ds__pipeline_close(p);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_join),
        cmocka_unit_test(filters_move_forward_when_nothing_changes),
        cmocka_unit_test(the_engine_takes_the_head),
        cmocka_unit_test(interruption_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
