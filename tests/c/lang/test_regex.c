/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions in an arena. */
#include "expr/bench.h"

#include "lang/regex.h"

static ds__regex *make(bench *b, const char *pattern, const char *options) {
    ds__regex *regex = NULL;
    b->err = (ds_error){0};
    (void)ds__regex_compile(&b->arena, pattern, strlen(pattern), options, strlen(options), &regex,
                            &b->err);
    return regex;
}

static void finds_groups_and_where_they_lie(void **state) {
    bench b;
    size_t begin;
    size_t end;
    bench_open(&b);
    ds__regex *regex = make(&b, "(b)(x)?", "");
    assert_int_equal(ds__regex_groups(regex), 2);
    assert_int_equal(ds__regex_search(regex, NULL, "abb", 3, 0, &b.err), DS_REGEX_MATCH);
    assert_true(ds__regex_span(regex, 1, &begin, &end));
    assert_int_equal(begin, 1);
    assert_false(ds__regex_span(regex, 2, &begin, &end));
    assert_int_equal(ds__regex_search(regex, NULL, "abb", 3, 3, &b.err), DS_REGEX_NO_MATCH);
    bench_close(&b);
}

static void options_are_checked(void **state) {
    bench b;
    bench_open(&b);
    assert_non_null(make(&b, "A", "imsxu"));
    assert_null(make(&b, "A", "z"));
    assert_int_equal(b.err.code, DS_REGEX_BAD_FLAG);
    assert_null(make(&b, "(", ""));
    assert_int_equal(b.err.code, DS_REGEX_INVALID);
    bench_close(&b);
}

static void a_subject_that_is_not_utf8_fails(void **state) {
    bench b;
    bench_open(&b);
    assert_int_equal(ds__regex_search(make(&b, "a", ""), NULL, "\xff", 1, 0, &b.err),
                     DS_REGEX_NOT_UTF8);
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_groups_and_where_they_lie),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_subject_that_is_not_utf8_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
