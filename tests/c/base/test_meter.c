/* SPDX-License-Identifier: Apache-2.0 */
/* What a meter refuses, what it counts, and how it tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/meter.h"

/* Counts how often it is asked; refuses from the `stop`th time on. */
typedef struct asked {
    int times;
    int stop;
} asked;

static bool ask(void *ctx, ds_error *err) {
    asked *a = ctx;
    a->times++;
    return a->stop == 0 || a->times < a->stop ||
           ds__error_set(err, DS_MAX_TIME_MS_EXPIRED, "operation exceeded time limit");
}

static void bytes_are_counted_to_the_limit(void **state) {
    (void)state;
    ds_meter m = {.limit = 1000};
    assert_true(ds_meter_charge(&m, 400));
    assert_true(ds_meter_charge(&m, 600));
    assert_false(ds_meter_charge(&m, 1));
    assert_int_equal(m.held, 1000);
    ds_meter_give(&m, 100);
    assert_false(ds_meter_charge(&m, 101));
    assert_true(ds_meter_charge(&m, 100));
    assert_false(ds_meter_charge(&m, SIZE_MAX));
    ds_meter_give(&m, 1000);
    assert_int_equal(m.held, 0);
    ds_meter_give(NULL, 7); /* nobody counts */
}

static void without_a_limit_all_is_counted(void **state) {
    (void)state;
    ds_meter m = {0};
    assert_true(ds_meter_charge(&m, (size_t)1 << 40));
    assert_int_equal(m.held, (size_t)1 << 40);
}

static void time_is_looked_at_every_so_many_steps(void **state) {
    (void)state;
    asked a = {0};
    ds_error err = {0};
    ds_meter m = {.interrupt = ask, .interrupt_ctx = &a, .steps = DS_METER_STEPS};
    for (int i = 0; i < 10 * DS_METER_STEPS; i++) {
        assert_true(ds_meter_step(&m, 1, &err));
    }
    assert_int_equal(a.times, 10);
    assert_true(ds_meter_step(&m, 100 * DS_METER_STEPS, &err)); /* one large piece: once */
    assert_int_equal(a.times, 11);
    assert_true(ds_meter_step(NULL, 1, &err));
}

static void bytes_are_steps_too(void **state) {
    (void)state;
    asked a = {0};
    ds_meter m = {.interrupt = ask, .interrupt_ctx = &a, .steps = DS_METER_STEPS};
    for (int i = 0; i < 8; i++) {
        assert_true(ds_meter_charge(&m, DS_METER_STEPS * DS_METER_STEP_BYTES / 2));
    }
    assert_int_equal(a.times, 4);
}

static void who_goes_on_is_asked_again_at_once(void **state) {
    (void)state;
    asked a = {.stop = 1};
    ds_error err = {0};
    ds_meter m = {.interrupt = ask, .interrupt_ctx = &a};
    for (int i = 0; i < 3; i++) {
        assert_false(ds_meter_step(&m, 1, &err));
        assert_int_equal(err.code, DS_MAX_TIME_MS_EXPIRED);
    }
    assert_int_equal(a.times, 3);
}

static void memory_that_is_refused_is_told_with_who_and_how_much(void **state) {
    (void)state;
    ds_error err = {0};
    ds_meter m = {.limit = 10};
    assert_false(ds_meter_charge(&m, 11));
    ds__error_oom(&err);
    assert_false(ds_meter_explain(&m, "$zip", &err));
    assert_int_equal(err.code, DS_EXCEEDED_MEMORY_LIMIT);
    assert_non_null(strstr(err.message, "$zip"));
    assert_non_null(strstr(err.message, "10 bytes"));
    /* once: what fails next is another matter */
    err = (ds_error){0};
    ds__error_oom(&err);
    ds_error before = err;
    assert_false(ds_meter_explain(&m, "$zip", &err));
    assert_string_equal(err.message, before.message);
}

static void time_that_is_over_is_told_as_time(void **state) {
    (void)state;
    asked a = {.stop = 1};
    ds_error err = {0};
    ds_meter m = {.interrupt = ask, .interrupt_ctx = &a, .limit = 1 << 20};
    assert_false(ds_meter_charge(&m, 1000)); /* the allocator knows only that it failed */
    assert_int_equal(m.held, 0);
    ds__error_oom(&err);
    ds_meter_explain(&m, "$zip", &err);
    assert_int_equal(err.code, DS_MAX_TIME_MS_EXPIRED);
}

static void other_failures_stay_what_they_are(void **state) {
    (void)state;
    ds_error err = {0};
    ds_meter m = {.limit = 10};
    assert_false(ds_meter_charge(&m, 11));
    ds__error_set(&err, DS_BAD_VALUE, "a bad value");
    ds_meter_explain(&m, "$zip", &err);
    assert_int_equal(err.code, DS_BAD_VALUE);
    assert_string_equal(err.message, "a bad value");
}

static void a_second_meter_learns_of_refusals(void **state) {
    (void)state;
    ds_error err = {0};
    ds_meter door = {.limit = 77};
    ds_meter m = {.limit = 10, .told = &door};
    assert_false(ds_meter_charge(&m, 11));
    ds__error_oom(&err);
    ds_meter_explain(&door, "find", &err);
    assert_int_equal(err.code, DS_EXCEEDED_MEMORY_LIMIT);
    assert_int_equal(door.held, 0);
}

static void memory_of_the_allocator_is_charged_as_it_grows(void **state) {
    (void)state;
    ds_meter m = {.limit = 1000};
    char *p = ds_meter_alloc(&m, 100);
    assert_non_null(p);
    assert_int_equal(p[99], 0);
    p[99] = 'x';
    assert_int_equal(m.held, 100);
    assert_null(ds_meter_realloc(&m, p, 100, 1001));
    assert_int_equal(m.held, 100);
    assert_int_equal(p[99], 'x');
    p = ds_meter_realloc(&m, p, 100, 1000);
    assert_non_null(p);
    assert_int_equal(p[99], 'x');
    assert_int_equal(m.held, 1000);
    assert_true(ds_meter_is_pressed(&m));
    assert_null(ds_meter_alloc(&m, 1));
    p = ds_meter_realloc(&m, p, 1000, 500);
    assert_int_equal(m.held, 500);
    assert_false(ds_meter_is_pressed(&m));
    ds_meter_free(&m, p, 500);
    ds_meter_free(&m, NULL, 77);
    assert_int_equal(m.held, 0);
    p = ds_meter_realloc(NULL, ds_meter_alloc(NULL, 10), 10, 20);
    ds_meter_free(NULL, p, 20);
    assert_false(ds_meter_is_pressed(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_counted_to_the_limit),
        cmocka_unit_test(without_a_limit_all_is_counted),
        cmocka_unit_test(time_is_looked_at_every_so_many_steps),
        cmocka_unit_test(bytes_are_steps_too),
        cmocka_unit_test(who_goes_on_is_asked_again_at_once),
        cmocka_unit_test(memory_that_is_refused_is_told_with_who_and_how_much),
        cmocka_unit_test(time_that_is_over_is_told_as_time),
        cmocka_unit_test(other_failures_stay_what_they_are),
        cmocka_unit_test(a_second_meter_learns_of_refusals),
        cmocka_unit_test(memory_of_the_allocator_is_charged_as_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
