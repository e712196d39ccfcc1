/* SPDX-License-Identifier: Apache-2.0 */
/* Compensated sums and the types they give. */
#include "bench.h"

#include <math.h>

#include "lang/expr/sum.h"

static void int32_grows_into_int64_and_double(void **state) {
    ds__sum sum = {0};
    assert_int_equal(ds__sum_value(&sum).as.i32, 0);
    ds__sum_add(&sum, ds__int32(INT32_MAX));
    ds__sum_add(&sum, ds__int32(1));
    assert_int_equal(ds__sum_value(&sum).type, DS_INT64);
    ds__sum_add(&sum, ds__int64(INT64_MAX));
    assert_int_equal(ds__sum_value(&sum).type, DS_DOUBLE);
}

static void large_int64_sums_stay_exact(void **state) {
    ds__sum sum = {0};
    ds__sum_add(&sum, ds__int64(INT64_MAX));
    ds__sum_add(&sum, ds__int64(INT64_MAX));
    ds__sum_add(&sum, ds__int64(-INT64_MAX));
    assert_int_equal(ds__sum_value(&sum).as.i64, INT64_MAX);
}

static void small_doubles_survive_large_ones(void **state) {
    ds__sum sum = {0};
    ds__sum_add(&sum, ds__double(1e100));
    ds__sum_add(&sum, ds__double(1));
    ds__sum_add(&sum, ds__double(-1e100));
    assert_true(ds__sum_value(&sum).as.f64 == 1);
}

static void infinities_and_nan_pass_through(void **state) {
    ds__sum sum = {0};
    ds__sum_add(&sum, ds__double(INFINITY));
    ds__sum_add(&sum, ds__int32(1));
    assert_true(isinf(ds__sum_value(&sum).as.f64));
    ds__sum_add(&sum, ds__double(-INFINITY));
    assert_true(isnan(ds__sum_value(&sum).as.f64));
}

static void merging_equals_adding(void **state) {
    ds__sum a = {0};
    ds__sum b = {0};
    ds__sum_add(&a, ds__int32(3));
    ds__sum_add(&b, ds__double(0.5));
    ds__sum_merge(&a, &b);
    assert_true(ds__sum_value(&a).as.f64 == 3.5);
    assert_true(ds__sum_average(&a).as.f64 == 1.75);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int32_grows_into_int64_and_double),
        cmocka_unit_test(large_int64_sums_stay_exact),
        cmocka_unit_test(small_doubles_survive_large_ones),
        cmocka_unit_test(infinities_and_nan_pass_through),
        cmocka_unit_test(merging_equals_adding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
