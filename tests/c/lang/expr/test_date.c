/* SPDX-License-Identifier: Apache-2.0 */
/* The calendar and time zones. */
#include "bench.h"

#include "lang/expr/date.h"

static int64_t at(int64_t year, int64_t month, int64_t day, int64_t hour, int64_t minute) {
    return ds__date_days(year, month, day) * DS_MS_DAY + hour * 3600000 + minute * 60000;
}

static void days_and_fields_agree(void **state) {
    for (int64_t day = -800000; day < 800000; day += 13) {
        ds__date_fields f;
        ds__date_split(day * DS_MS_DAY + 1, &f);
        assert_int_equal(ds__date_days(f.year, f.month, f.day), day);
        int64_t year;
        int week;
        int weekday;
        ds__date_iso_week(&f, &year, &week, &weekday);
        assert_int_equal(ds__date_iso_days(year, week, weekday), day);
    }
}

static void months_and_days_carry_over(void **state) {
    assert_int_equal(ds__date_days(2020, 14, 0), ds__date_days(2021, 1, 31));
    assert_int_equal(ds__date_days(2020, -1, 1), ds__date_days(2019, 11, 1));
}

static ds__zone zone(bench *b, const char *name) {
    ds__zone z = {0};
    b->err = (ds_error){0};
    (void)ds__zone_find(&b->arena, name, strlen(name), &z, &b->err);
    return z;
}

static void clocks_forward_and_back(void **state) {
    bench b;
    bench_open(&b);
    ds__zone ny = zone(&b, "America/New_York");
    ds__zone paris = zone(&b, "Europe/Paris");
    assert_int_equal(ds__zone_offset(&ny, at(2020, 1, 1, 0, 0)), -5 * 3600);
    assert_int_equal(ds__zone_offset(&ny, at(2020, 7, 1, 0, 0)), -4 * 3600);
    assert_int_equal(ds__zone_to_utc(&ny, at(2020, 3, 8, 2, 30)), at(2020, 3, 8, 7, 30));
    assert_int_equal(ds__zone_to_utc(&ny, at(2020, 11, 1, 1, 30)), at(2020, 11, 1, 6, 30));
    assert_int_equal(ds__zone_to_utc(&paris, at(2020, 3, 29, 2, 30)), at(2020, 3, 29, 1, 30));
    assert_int_equal(ds__zone_to_utc(&paris, at(2020, 7, 1, 12, 0)), at(2020, 7, 1, 10, 0));
    bench_close(&b);
}

static void rules_go_on_past_the_table(void **state) {
    bench b;
    bench_open(&b);
    ds__zone ny = zone(&b, "America/New_York");
    assert_int_equal(ds__zone_offset(&ny, at(2200, 7, 1, 0, 0)), -4 * 3600);
    assert_int_equal(ds__zone_offset(&ny, at(2200, 1, 1, 0, 0)), -5 * 3600);
    assert_int_equal(ds__zone_offset(&ny, at(1700, 1, 1, 0, 0)), -17762);
    bench_close(&b);
}

static void offsets_are_zones_and_strange_names_are_not(void **state) {
    bench b;
    bench_open(&b);
    ds__zone z = zone(&b, "-0530");
    assert_int_equal(ds__zone_offset(&z, 0), -(5 * 3600 + 1800));
    z = zone(&b, "+02:00");
    assert_int_equal(ds__zone_offset(&z, 0), 7200);
    static const char *const bad[] = {"", "x", "utc", "europe/paris", "+5", "+530", "Z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        zone(&b, bad[i]);
        assert_int_equal(b.err.code, 40485);
    }
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_and_fields_agree),
        cmocka_unit_test(months_and_days_carry_over),
        cmocka_unit_test(clocks_forward_and_back),
        cmocka_unit_test(rules_go_on_past_the_table),
        cmocka_unit_test(offsets_are_zones_and_strange_names_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
