/* SPDX-License-Identifier: Apache-2.0 */
/* The order of an index's keys is the plain one, whatever they look like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "engine/records/key_sort.h"

static const uint8_t *bytes;

static int plain(const void *a, const void *b) {
    const ds__built_key *x = a;
    const ds__built_key *y = b;
    int order = memcmp(bytes + x->at, bytes + y->at, x->size < y->size ? x->size : y->size);
    order = order ? order : (x->size > y->size) - (x->size < y->size);
    return order ? order : (x->rid > y->rid) - (x->rid < y->rid);
}

/* Keys of up to `size` bytes of `values` different ones, after a prefix they share. */
static void check_order(size_t count, uint32_t size, uint32_t values, uint32_t prefix,
                        bool ascending) {
    ds_buf all = {0};
    ds_error err = {0};
    ds__built_key *keys = calloc(count + 1, sizeof *keys);
    ds__built_key *expected = calloc(count + 1, sizeof *keys);
    assert_non_null(keys);
    assert_non_null(expected);
    ds_buf_add_byte(&all, 0);
    for (size_t i = 0; i < count; i++) {
        keys[i].at = all.size;
        keys[i].size = prefix + (uint32_t)(rand() % (int)(size + 1));
        keys[i].rid = (int64_t)(i * 7 % (count + 1));
        for (uint32_t k = 0; k < keys[i].size; k++) {
            ds_buf_add_byte(&all, (uint8_t)(k < prefix ? 7 : (uint32_t)rand() % values * 0x55));
        }
    }
    assert_true(ds_buf_ok(&all, &err));
    bytes = all.data;
    for (size_t i = 0; i < count; i++) {
        keys[i].head = ds__built_key_head(all.data + keys[i].at, keys[i].size);
    }
    if (ascending) {
        qsort(keys, count, sizeof *keys, plain);
    }
    memcpy(expected, keys, count * sizeof *keys);
    qsort(expected, count, sizeof *expected, plain);
    assert_true(ds__built_keys_sort(keys, count, all.data, NULL, &err));
    assert_memory_equal(keys, expected, count * sizeof *keys + 1);
    free(keys);
    free(expected);
    ds_buf_clear(&all);
}

static void any_keys_come_in_the_plain_order(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 50, 200, 201, 5000};
    srand(1);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        for (uint32_t size = 0; size < 24; size += 3) {
            for (uint32_t values = 1; values < 5; values++) {
                check_order(counts[c], size, values, 0, false);
                check_order(counts[c], size, values, size, c % 2);
            }
        }
    }
}

static bool refuse(void *ctx, ds_error *err) {
    ++*(int *)ctx;
    return ds__error_set(err, DS_INTERRUPTED, "enough");
}

static void a_sort_that_is_stopped_says_why(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    ds_error err = {0};
    int asked = 0;
    ds_meter meter = {.interrupt = refuse, .interrupt_ctx = &asked};
    ds__built_key *keys = calloc(COUNT, sizeof *keys);
    assert_non_null(keys);
    for (int i = 0; i < COUNT; i++) {
        keys[i].head = (uint64_t)(COUNT - i);
    }
    assert_false(ds__built_keys_sort(keys, COUNT, (const uint8_t *)"", &meter, &err));
    assert_int_equal(err.code, DS_INTERRUPTED);
    assert_int_equal(asked, 1);
    free(keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_keys_come_in_the_plain_order),
        cmocka_unit_test(a_sort_that_is_stopped_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
