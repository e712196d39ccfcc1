/* SPDX-License-Identifier: Apache-2.0 */
/* The list of documents to be written: what went in comes out, in few bytes, within the meter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/commands/targets.h"

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Records near and far, forwards and backwards, with positions of all sizes and without. */
static ds__target make(uint64_t *state, int64_t last) {
    uint64_t r = next_random(state);
    uint64_t far = next_random(state) >> (r >> 8 & 63);
    ds__target t = {.rid = (int64_t)(r & 1 ? (uint64_t)last + far + 1 : (uint64_t)last - far - 1)};
    if ((r & 6) == 0) {
        t.match.has_position = true;
        t.match.position = (size_t)(next_random(state) >> (r >> 16 & 63)) * ((r & 8) != 0);
    }
    return t;
}

static void targets_come_out_as_they_went_in(void **state) {
    (void)state;
    enum { MANY = 20000 };
    ds__targets targets;
    ds__target got;
    ds_error err = {0};
    ds__targets_init(&targets, NULL);
    assert_false(ds__targets_next(&targets, &got));
    for (int round = 0; round < 2; round++) {
        uint64_t seed = 88172645463325252ULL;
        int64_t last = 1;
        for (int i = 0; i < MANY; i++) {
            ds__target t = make(&seed, last);
            last = t.rid;
            if (round == 0) {
                assert_true(ds__targets_add(&targets, &t, &err));
                assert_true(ds__targets_add(&targets, &t, &err)); /* is there */
                continue;
            }
            assert_true(ds__targets_next(&targets, &got));
            assert_int_equal(got.rid, t.rid);
            assert_int_equal(got.match.has_position, t.match.has_position);
            assert_int_equal(got.match.position, t.match.position);
        }
        ds__targets_rewind(&targets);
    }
    assert_int_equal(targets.count, MANY);
    ds__targets_clear(&targets);
}

static void targets_are_counted(void **state) {
    (void)state;
    ds_meter meter = {.limit = 100000};
    ds_error err = {0};
    ds__targets targets;
    ds__targets_init(&targets, &meter);
    int64_t rid = 1;
    while (rid < 1000000 && ds__targets_add(&targets, &(ds__target){.rid = rid}, &err)) {
        rid++;
    }
    assert_int_equal(err.code, DS_EXCEEDED_MEMORY_LIMIT);
    assert_in_range(rid, 60000, 100000); /* a byte each, but for room to grow */
    ds__targets_clear(&targets);
    assert_int_equal(meter.held, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_come_out_as_they_went_in),
        cmocka_unit_test(targets_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
