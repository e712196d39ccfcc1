/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of values: union, intersection, complement, and what predicates become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "bson/json.h"
#include "engine/index/bounds.h"

typedef struct fixture {
    ds_arena arena;
    ds__env env;
    ds_error err;
} fixture;

static int setup(void **state) {
    static fixture f;
    f = (fixture){0};
    f.env.arena = &f.arena;
    f.env.slot_count = DS_VAR_FIRST_USER;
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ds_arena_clear(&f->arena);
    return 0;
}

static ds__bounds span(fixture *f, int lo, bool lo_after, int hi, bool hi_after) {
    ds__bounds b;
    ds_value a = ds__int32(lo);
    ds_value z = ds__int32(hi);
    assert_true(ds__bounds_span(&f->arena, &a, lo_after, &z, hi_after, &b, &f->err));
    return b;
}

/* "[1, 3) (5, 7]" */
static void expect(const ds__bounds *b, const char *wanted) {
    ds_buf text = {0};
    for (size_t i = 0; i < b->count; i++) {
        const ds__span *s = &b->spans[i];
        ds_buf_printf(&text, "%s%c", i ? " " : "", s->lo.after ? '(' : '[');
        ds__value_print(&text, s->lo.value);
        ds_buf_add(&text, ", ", 2);
        ds__value_print(&text, s->hi.value);
        ds_buf_add_byte(&text, s->hi.after ? ']' : ')');
    }
    ds_buf_add_byte(&text, 0);
    assert_string_equal((const char *)text.data, wanted);
    ds_buf_clear(&text);
}

/* The bounds of {a: predicate}. */
static ds__bounds of(fixture *f, const char *json, bool multikey) {
    ds__bounds b;
    ds__filter *filter;
    bson_error_t error;
    bson_t *spec = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(spec);
    assert_true(
        ds__filter_compile(&f->env, ds__document(bson_get_data(spec)), NULL, &filter, &f->err));
    assert_true(ds__bounds_of(&f->arena, filter, multikey, &b, &f->err));
    bson_destroy(spec);
    return b;
}

static void touching_spans_join(void **state) {
    fixture *f = *state;
    ds__bounds r;
    ds__bounds a = span(f, 1, false, 3, false);
    ds__bounds b = span(f, 3, false, 5, true);
    assert_true(ds__bounds_union(&f->arena, &a, &b, &r, &f->err));
    expect(&r, "[1, 5]");
    b = span(f, 3, true, 5, true);
    assert_true(ds__bounds_union(&f->arena, &a, &b, &r, &f->err));
    expect(&r, "[1, 3) (3, 5]");
}

static void intersection_keeps_the_narrower_ends(void **state) {
    fixture *f = *state;
    ds__bounds r;
    ds__bounds a = span(f, 1, false, 5, false);
    ds__bounds b = span(f, 3, true, 9, true);
    assert_true(ds__bounds_intersect(&f->arena, &a, &b, &r, &f->err));
    expect(&r, "(3, 5)");
    b = span(f, 5, false, 9, true);
    assert_true(ds__bounds_intersect(&f->arena, &a, &b, &r, &f->err));
    assert_int_equal(r.count, 0);
}

static void an_empty_span_is_none(void **state) {
    fixture *f = *state;
    ds__bounds a = span(f, 5, false, 5, false);
    assert_int_equal(a.count, 0);
    a = span(f, 7, false, 5, true);
    assert_int_equal(a.count, 0);
}

static void complement_of_a_point_leaves_both_sides(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": {\"$ne\": 5}}", false);
    expect(&b, "[MinKey, 5) (5, MaxKey]");
    assert_true(b.matches_missing);
}

static void comparison_keeps_to_its_type(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": {\"$gt\": \"x\"}}", false);
    expect(&b, "(\"x\", {})");
    assert_true(b.tight);
    assert_false(b.matches_missing);
}

static void null_stands_for_missing(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": null}", false);
    assert_int_equal(b.count, 2);
    assert_true(b.matches_missing);
    assert_false(b.tight);
}

static void in_is_sorted_points(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": {\"$in\": [7, 1, 7.0, 3]}}", false);
    expect(&b, "[1, 1] [3, 3] [7, 7]");
    assert_true(ds__bounds_points(&b));
}

static void prefix_of_a_regex_is_a_range(void **state) {
    fixture *f = *state;
    ds__bounds b = of(
        f, "{\"a\": {\"$regularExpression\": {\"pattern\": \"^ab\", \"options\": \"\"}}}", false);
    assert_int_equal(b.count, 2);
    assert_true(ds__is_string(b.spans[0].lo.value, "ab"));
    assert_true(ds__is_string(b.spans[0].hi.value, "ac"));
    assert_false(b.tight);
}

static void array_is_looked_up_as_a_whole_and_by_its_first_element(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": [1, 2]}", true);
    assert_int_equal(b.count, 2);
    assert_false(b.tight);
}

static void elements_of_one_match_are_intersected(void **state) {
    fixture *f = *state;
    ds__bounds b = of(f, "{\"a\": {\"$elemMatch\": {\"$gt\": 1, \"$lt\": 5}}}", true);
    expect(&b, "(1, 5)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(touching_spans_join, setup, teardown),
        cmocka_unit_test_setup_teardown(intersection_keeps_the_narrower_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_span_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(complement_of_a_point_leaves_both_sides, setup, teardown),
        cmocka_unit_test_setup_teardown(comparison_keeps_to_its_type, setup, teardown),
        cmocka_unit_test_setup_teardown(null_stands_for_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(in_is_sorted_points, setup, teardown),
        cmocka_unit_test_setup_teardown(prefix_of_a_regex_is_a_range, setup, teardown),
        cmocka_unit_test_setup_teardown(array_is_looked_up_as_a_whole_and_by_its_first_element,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(elements_of_one_match_are_intersected, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
