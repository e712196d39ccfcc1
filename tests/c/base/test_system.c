/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in for Linux's own functions does as they do. Built twice: as the library is, and
 * with DS_PORTABLE and the twin's source. */
#include "base/system.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int compare(const void *a, const void *b, void *ctx) {
    const uint32_t *x = a;
    const uint32_t *y = b;
    ++*(size_t *)ctx;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* Random lists of elements of 12 bytes, with many equal ones: in order, and the same elements. */
static void lists_are_sorted_with_a_context(void **state) {
    (void)state;
    uint32_t seed = 12345;
    for (size_t count = 0; count < 200; count++) {
        uint32_t list[200][3];
        uint32_t sum = 0;
        size_t compared = 0;
        for (size_t i = 0; i < count; i++) {
            seed = seed * 1664525 + 1013904223;
            list[i][0] = (seed >> 16) % 50;
            list[i][1] = list[i][0] * 7;
            list[i][2] = seed;
            sum += seed;
        }
        ds__sort(list, count, sizeof *list, compare, &compared);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(list[i][1], list[i][0] * 7);
            assert_true(i == 0 || list[i - 1][0] <= list[i][0]);
            sum -= list[i][2];
        }
        assert_int_equal(sum, 0);
        assert_true(count < 2 || compared >= count - 1);
    }
}

static void a_letter_is_found_or_the_end(void **state) {
    (void)state;
    const char *text = "a.b";
    assert_ptr_equal(ds__find_or_end(text, '.'), text + 1);
    assert_ptr_equal(ds__find_or_end(text, 'z'), text + 3);
    assert_ptr_equal(ds__find_or_end(text, 0), text + 3);
}

/* Clients and logs see these texts: the same everywhere. */
static void errors_have_the_words_of_the_gnu_library(void **state) {
    (void)state;
    static const int codes[] = {EPERM,  ENOENT,     EINTR,      EIO,       EBADF,       EAGAIN,
                                ENOMEM, EACCES,     EEXIST,     ENOTDIR,   EISDIR,      EINVAL,
                                ENFILE, EMFILE,     EFBIG,      ENOSPC,    EROFS,       EPIPE,
                                ELOOP,  EADDRINUSE, ECONNRESET, ETIMEDOUT, ECONNREFUSED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_string_equal(ds__system_error(codes[i]), strerror(codes[i]));
    }
    assert_non_null(ds__system_error(99999));
}

static bool is_rung(const ds__bell *bell) {
    struct pollfd fd = {.fd = bell->reads, .events = POLLIN};
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN);
}

static void a_bell_stays_rung(void **state) {
    (void)state;
    ds__bell bell;
    assert_true(ds__bell_open(&bell));
    assert_false(is_rung(&bell));
    for (int i = 0; i < 100000; i++) { /* more than a pipe holds: never waits */
        ds__bell_ring(&bell);
    }
    assert_true(is_rung(&bell));
    ds__bell_close(&bell);
    assert_int_equal(bell.reads, -1);
    ds__bell_close(&bell);
}

/* What is meant to be compiled is: a source that compiles to nothing leaves the work to the twin.
 */
static void each_build_has_its_own_functions(void **state) {
    (void)state;
    ds__bell bell;
    assert_true(ds__bell_open(&bell));
#if defined(__linux__) && defined(__GLIBC__) && !defined(DS_PORTABLE)
    assert_int_equal(bell.reads, bell.writes); /* eventfd */
#else
    assert_int_not_equal(bell.reads, bell.writes); /* a pipe */
#endif
    ds__bell_close(&bell);
}

static void a_name_that_is_taken_is_not_replaced(void **state) {
    (void)state;
    char from[] = "/tmp/docstore-system-XXXXXX";
    char to[] = "/tmp/docstore-system-XXXXXX";
    close(mkstemp(from));
    close(mkstemp(to));
    assert_int_equal(ds__rename_new(from, to), -1);
    assert_true(errno == EEXIST || errno == ENOTSUP || errno == EINVAL);
    assert_int_equal(access(from, F_OK), 0);
    unlink(from);
    unlink(to);
    ds__release_memory();
}

static void *wake_later(void *word) {
    usleep(20000);
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELEASE);
    ds__word_wake(word, 2);
    return NULL;
}

static void a_word_is_waited_for(void **state) {
    (void)state;
    static uint32_t word;
    pthread_t thread;
    ds__word_wait(&word, 1, 1, 60000000); /* it is another already */
    ds__word_wait(&word, 0, 1, 1000);     /* nobody wakes */
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &word), 0);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0) {
        ds__word_wait(&word, 0, 2, 60000000);
    }
    pthread_join(thread, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_sorted_with_a_context),
        cmocka_unit_test(a_letter_is_found_or_the_end),
        cmocka_unit_test(errors_have_the_words_of_the_gnu_library),
        cmocka_unit_test(a_bell_stays_rung),
        cmocka_unit_test(each_build_has_its_own_functions),
        cmocka_unit_test(a_name_that_is_taken_is_not_replaced),
        cmocka_unit_test(a_word_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
