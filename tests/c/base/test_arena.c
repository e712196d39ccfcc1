/* SPDX-License-Identifier: Apache-2.0 */
/* What an arena charges its meter for: the blocks it has, no more and no less, whatever it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

enum { ROUNDS = 20000, LARGE = 300000 };

static void everything_is_given_back(void **state) {
    (void)state;
    ds_meter m = {0};
    ds_arena a = {.meter = &m};
    for (int i = 0; i < 1000; i++) {
        assert_non_null(ds_arena_alloc(&a, (size_t)i * 7));
    }
    assert_true(m.held >= a.used);
    assert_true(m.held < 4 * a.used);
    ds_arena_reset(&a);
    assert_true(m.held > 0); /* one block is kept */
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
    assert_ptr_equal(a.meter, &m);
}

static void a_refusal_charges_nothing_and_harms_nothing(void **state) {
    (void)state;
    ds_meter m = {.limit = 100000};
    ds_arena a = {.meter = &m};
    char *kept = ds_arena_strndup(&a, "kept", 4);
    assert_non_null(kept);
    const size_t before = m.held;
    assert_null(ds_arena_alloc(&a, 200000));
    assert_null(ds_arena_alloc(&a, SIZE_MAX));
    assert_null(ds_arena_alloc(&a, SIZE_MAX - 15));
    assert_int_equal(m.held, before);
    assert_true(m.refused);
    assert_string_equal(kept, "kept");
    assert_non_null(ds_arena_alloc(&a, 1000));
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
}

static void going_back_gives_back(void **state) {
    (void)state;
    ds_meter m = {0};
    ds_arena a = {.meter = &m};
    assert_non_null(ds_arena_alloc(&a, 100));
    ds_arena_mark mark = ds_arena_save(&a);
    const size_t used = a.used;
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 20; k++) {
            assert_non_null(ds_arena_alloc(&a, LARGE));
        }
        ds_arena_restore(&a, mark);
        assert_int_equal(a.used, used);
        assert_true(m.held < 5 * LARGE); /* one spare block is kept */
    }
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
}

/* A large array grows in its own block: what it had is not charged twice. */
static void a_large_array_is_charged_once(void **state) {
    (void)state;
    ds_meter m = {0};
    ds_arena a = {.meter = &m};
    int64_t *items = NULL;
    size_t cap = 0;
    for (size_t i = 0; i < 3000000; i++) {
        items = ds_arena_grow(&a, items, i, &cap, sizeof *items);
        assert_non_null(items);
        items[i] = (int64_t)i;
    }
    for (size_t i = 0; i < 3000000; i += 1111) {
        assert_int_equal(items[i], i);
    }
    assert_true(m.held >= cap * sizeof *items);
    assert_true(m.held < cap * sizeof *items + (8 << 20));
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
}

static void a_large_array_that_is_refused_stays(void **state) {
    (void)state;
    ds_meter m = {.limit = 20 << 20};
    ds_arena a = {.meter = &m};
    int64_t *items = NULL;
    size_t cap = 0;
    size_t n = 0;
    for (;; n++) {
        int64_t *grown = ds_arena_grow(&a, items, n, &cap, sizeof *items);
        if (!grown) {
            break;
        }
        items = grown;
        items[n] = (int64_t)n;
    }
    assert_true(n * sizeof *items > (5 << 20));
    assert_true(m.held <= m.limit);
    assert_int_equal(items[n - 1], n - 1);
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
}

static void count_up(void *ctx) {
    ++*(int *)ctx;
}

static void what_is_deferred_happens_once(void **state) {
    (void)state;
    int early = 0;
    int late = 0;
    ds_meter m = {0};
    ds_arena a = {.meter = &m};
    assert_true(ds_arena_defer(&a, count_up, &early));
    ds_arena_mark mark = ds_arena_save(&a);
    assert_true(ds_arena_defer(&a, count_up, &late));
    ds_arena_restore(&a, mark);
    assert_int_equal(late, 1);
    assert_int_equal(early, 0);
    ds_arena_reset(&a);
    assert_int_equal(early, 1);
    ds_arena_clear(&a);
    assert_int_equal(early + late, 2);
    m.limit = 1;
    assert_false(ds_arena_defer(&a, count_up, &late)); /* not called when it is refused */
    assert_int_equal(late, 1);
}

/* Whatever is done in whatever order: the meter knows at least what is handed out, and nothing is
 * left in the end. */
static void no_order_of_steps_loses_count(void **state) {
    (void)state;
    ds_meter m = {0};
    ds_arena a = {.meter = &m};
    ds_arena_mark marks[4];
    int depth = 0;
    unsigned random = 1;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345u;
        const unsigned what = random >> 16 & 63;
        const size_t size = (random >> 8 & 7) == 0 ? random % LARGE : random % 2000;
        if (what < 56) {
            char *p = ds_arena_alloc(&a, size);
            assert_non_null(p);
            memset(p, 1, size);
        } else if (what < 59 && depth < 4) {
            marks[depth++] = ds_arena_save(&a);
        } else if (what < 62 && depth > 0) {
            ds_arena_restore(&a, marks[--depth]);
        } else if (what == 62) {
            ds_arena_reset(&a);
            depth = 0;
        } else if (what == 63) {
            ds_arena_clear(&a);
            depth = 0;
            assert_int_equal(m.held, 0);
        }
        assert_true(m.held >= a.used);
    }
    ds_arena_clear(&a);
    assert_int_equal(m.held, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_given_back),
        cmocka_unit_test(a_refusal_charges_nothing_and_harms_nothing),
        cmocka_unit_test(going_back_gives_back),
        cmocka_unit_test(a_large_array_is_charged_once),
        cmocka_unit_test(a_large_array_that_is_refused_stays),
        cmocka_unit_test(what_is_deferred_happens_once),
        cmocka_unit_test(no_order_of_steps_loses_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
