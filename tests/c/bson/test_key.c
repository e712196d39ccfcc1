/* SPDX-License-Identifier: Apache-2.0 */
/* Keys order as values compare, and are equal exactly when values are equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "bson/compare.h"
#include "bson/decimal.h"
#include "bson/key.h"
#include "bson/validate.h"
#include "bson/writer.h"

static ds_value decimal(const char *text) {
    ds_decimal d;
    assert_true(ds__dec_from_text(text, strlen(text), &d, NULL));
    return ds__decimal(d);
}

static size_t fill(ds_value *v) {
    size_t n = 0;
    const double doubles[] = {NAN,
                              -INFINITY,
                              -1e308,
                              -9007199254740993.0,
                              -1.5,
                              -1,
                              -0.1,
                              -0.0,
                              0,
                              5e-324,
                              0.1,
                              1,
                              1.5,
                              2,
                              9007199254740992.0,
                              9223372036854775807.0,
                              1e19,
                              1e308,
                              INFINITY};
    const int64_t longs[] = {INT64_MIN,
                             INT64_MIN + 1,
                             -9007199254740993,
                             -9007199254740992,
                             -1,
                             0,
                             1,
                             2,
                             9007199254740991,
                             9007199254740993,
                             9223372036854775296,
                             INT64_MAX - 1,
                             INT64_MAX};
    const char *decimals[] = {"NaN",
                              "-Infinity",
                              "-1E+6000",
                              "-1.5",
                              "-0.1",
                              "-0",
                              "0",
                              "1E-6000",
                              "-1E-6000",
                              "0.1",
                              "0.10",
                              "1",
                              "1.00",
                              "1.5",
                              "9007199254740993",
                              "9007199254740993.5",
                              "9223372036854775807",
                              "9223372036854775807.5",
                              "1E+6000",
                              "Infinity",
                              "0.1000000000000000055511151231257827"};
    const char *strings[] = {"", "a", "ab", "b", "\xff"};
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++) {
        v[n++] = ds__double(doubles[i]);
    }
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
        v[n++] = ds__int64(longs[i]);
    }
    for (size_t i = 0; i < sizeof decimals / sizeof decimals[0]; i++) {
        v[n++] = decimal(decimals[i]);
    }
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
        v[n++] = ds__cstring(strings[i]);
    }
    v[n++] = ds__string("a\0b", 3);
    v[n++] = ds__string("a\0", 2);
    v[n++] = ds__int32(1);
    v[n++] = ds__int32(-7);
    v[n++] = ds__null();
    v[n++] = ds__bool(false);
    v[n++] = ds__bool(true);
    v[n++] = ds__date(-5);
    v[n++] = ds__date(5);
    v[n++] = (ds_value){.type = DS_MIN_KEY};
    v[n++] = (ds_value){.type = DS_MAX_KEY};
    v[n++] = (ds_value){.type = DS_OBJECT_ID, .as.oid = {1, 2}};
    v[n++] = (ds_value){.type = DS_OBJECT_ID, .as.oid = {1, 3}};
    return n;
}

static int sign(int c) {
    return (c > 0) - (c < 0);
}

static void keys_order_as_values_compare(void **state) {
    ds_value v[128];
    size_t n = fill(v);
    for (int descending = 0; descending < 2; descending++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                ds_buf a = {0}, b = {0};
                ds__key_add(&a, v[i], descending, NULL);
                ds__key_add(&b, v[j], descending, NULL);
                size_t m = a.size < b.size ? a.size : b.size;
                int c = memcmp(a.data, b.data, m);
                if (c == 0) {
                    c = (a.size > b.size) - (a.size < b.size);
                }
                int want = ds__value_compare(v[i], v[j], NULL);
                assert_int_equal(sign(c), descending ? -want : want);
                if (want == 0) {
                    assert_true(ds__value_hash(v[i], NULL, 1) == ds__value_hash(v[j], NULL, 1));
                }
                ds_buf_clear(&a);
                ds_buf_clear(&b);
            }
        }
    }
}

/* Two keys in a row: the first ends where the second begins, whatever they are. */
static void keys_tell_their_size_and_some_their_value(void **state) {
    ds_value v[128];
    size_t n = fill(v);
    ds_buf text = {0};
    for (size_t i = 0; i < n * n * 2; i++) {
        ds_buf key = {0};
        bool descending = i % 2 == 1;
        ds_value first = v[i / 2 / n];
        ds__key_add(&key, first, descending, NULL);
        size_t size = key.size;
        ds__key_add(&key, v[i / 2 % n], descending, NULL);
        assert_int_equal(ds__key_size(key.data, key.size, descending), size);
        assert_int_equal(ds__key_size(key.data, size - 1, descending), 0);
        ds_value back;
        bool told = ds__key_value(key.data, size, descending, &text, &back);
        assert_true(told == (first.type == DS_STRING || first.type == DS_SYMBOL ||
                             first.type == DS_BINARY || first.type == DS_OBJECT_ID ||
                             first.type == DS_BOOL || first.type == DS_DATE ||
                             first.type == DS_TIMESTAMP));
        if (told) {
            assert_int_equal(ds__value_compare(first, back, NULL), 0);
            assert_true(first.type == DS_SYMBOL || back.type == first.type);
        }
        ds_buf_clear(&key);
    }
    ds_buf_clear(&text);
}

static void ranks_bound_their_types(void **state) {
    ds_buf low = {0}, high = {0}, key = {0};
    ds__key_add_rank(&low, ds__type_rank(DS_INT32), false, false);
    ds__key_add_rank(&high, ds__type_rank(DS_INT32), true, false);
    ds__key_add(&key, ds__double(NAN), false, NULL);
    assert_true(memcmp(low.data, key.data, 1) <= 0);
    assert_true(memcmp(high.data, key.data, 1) > 0);
    ds_buf_clear(&low);
    ds_buf_clear(&high);
    ds_buf_clear(&key);
}

static void decimal_text_is_mongodbs(void **state) {
    const char *cases[][2] = {{"1.10", "1.10"},         {"1000", "1000"},      {"1E3", "1E+3"},
                              {"0.000001", "0.000001"}, {"0.0000001", "1E-7"}, {"-0", "-0"},
                              {"12.5E-9", "1.25E-8"},   {"inf", "Infinity"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[DS_DECIMAL_TEXT_SIZE];
        ds__dec_to_text(decimal(cases[i][0]).as.dec, text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void truncated_bytes_are_refused(void **state) {
    ds_buf buf = {0};
    size_t root = ds__doc_begin(&buf);
    ds__write_str(&buf, "name", "x");
    size_t sub = ds__write_doc(&buf, "sub", 3, DS_ARRAY);
    ds__write_index(&buf, 0, ds__int64(5));
    ds__doc_end(&buf, sub);
    ds__doc_end(&buf, root);
    ds_error err;
    assert_true(ds__bson_validate(buf.data, buf.size, 100, &err));
    for (size_t n = 0; n < buf.size; n++) {
        assert_false(ds__bson_validate(buf.data, n, 100, &err));
        assert_int_equal(err.code, DS_INVALID_BSON);
    }
    assert_false(ds__bson_validate(buf.data, buf.size, 1, &err));
    assert_int_equal(err.code, DS_OVERFLOW);
    ds_buf_clear(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_order_as_values_compare),
        cmocka_unit_test(keys_tell_their_size_and_some_their_value),
        cmocka_unit_test(ranks_bound_their_types),
        cmocka_unit_test(decimal_text_is_mongodbs),
        cmocka_unit_test(truncated_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
