/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of writers: what those leave behind who give up, are killed or never were. Two stores
 * of one file stand for two processes. */
#include "util.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "engine/store/internal.h"

static uint32_t *word_of(ds__txn *txn) {
    uint32_t *word = ds__shared_queue(txn->conn->db);
    assert_non_null(word);
    return word;
}

/* Tickets drawn are tickets served. */
static bool is_empty(uint32_t word) {
    return word % 4096 == (word >> 12) % 4096;
}

static int64_t now_ms(void) {
    return ds__clock_mono_us() / 1000;
}

static bool write_until(ds__store *store, ds__wait *wait, ds_error *err) {
    ds__txn *txn;
    *err = (ds_error){0};
    wait->deadline_ms = now_ms() + 10000;
    if (!ds__txn_begin(store, DS_TXN_WRITE, wait, &txn, err)) {
        return false;
    }
    commit(txn);
    return true;
}

static void who_gives_up_leaves_no_gap(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *one = open_store(path);
    ds__store *two = open_store(path);
    ds__txn *holder = begin(one, DS_TXN_WRITE);
    ds__txn *txn;
    ds_error err = {0};
    ds__wait wait = {.deadline_ms = now_ms() + 100};
    assert_false(ds__txn_begin(two, DS_TXN_WRITE, &wait, &txn, &err));
    assert_int_equal(err.code, DS_MAX_TIME_MS_EXPIRED);
    assert_true(is_empty(*word_of(holder)));
    assert_int_not_equal(*word_of(holder) % 4096, 0xfff);
    commit(holder);
    assert_true(write_until(two, &wait, &err));
    ds__store_close(one);
    ds__store_close(two);
}

typedef struct asked {
    int times;
} asked;

static bool third_time(void *ctx, ds_error *err) {
    asked *a = ctx;
    return ++a->times < 3 || ds__error_set(err, DS_INTERRUPTED, "enough");
}

/* The first of the line, and one behind somebody who is gone. */
static void waiting_can_be_interrupted(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *one = open_store(path);
    ds__store *two = open_store(path);
    ds__txn *holder = begin(one, DS_TXN_WRITE);
    for (uint32_t gone = 0; gone < 3; gone += 2) {
        ds_error err = {0};
        ds__txn *txn;
        asked a = {0};
        ds__wait wait = {.interrupt = third_time, .ctx = &a};
        __atomic_store_n(word_of(holder), gone, __ATOMIC_RELEASE);
        assert_false(ds__txn_begin(two, DS_TXN_WRITE, &wait, &txn, &err));
        assert_int_equal(err.code, DS_INTERRUPTED);
    }
    commit(holder);
    ds__store_close(one);
    ds__store_close(two);
}

/* Whatever stands in the word, writers get their turn, and it is in order afterwards. */
static void a_word_of_nonsense_stops_nobody(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *one = open_store(path);
    ds__store *two = open_store(path);
    uint32_t seed = 7;
    for (int i = 0; i < 60; i++) {
        ds_error err;
        ds__wait wait = {0};
        ds__txn *reader = begin(one, DS_TXN_READ);
        seed = seed * 1664525 + 1013904223;
        __atomic_store_n(word_of(reader), i == 0 ? UINT32_MAX : seed, __ATOMIC_RELEASE);
        ds__txn_abort(reader);
        one->slice_us = two->slice_us = 0;
        assert_true(write_until(i % 2 ? one : two, &wait, &err));
        one->slice_us = two->slice_us = 0;
        assert_true(write_until(i % 2 ? two : one, &wait, &err));
    }
    ds__store_close(one);
    ds__store_close(two);
}

enum { WRITERS = 3, KILLS = 30 };

/* In a child: writes without end, and counts. */
static void write_on(const char *path, uint32_t *count) {
    ds__store *store = open_store(path);
    for (;;) {
        ds_error err;
        ds__wait wait = {0};
        if (!write_until(store, &wait, &err)) {
            _exit(1);
        }
        __atomic_add_fetch(count, 1, __ATOMIC_RELAXED);
    }
}

static pid_t start(const char *path, uint32_t *count) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        write_on(path, count);
    }
    return pid;
}

static void wait_for(const uint32_t *count, uint32_t more) {
    const uint32_t begun = __atomic_load_n(count, __ATOMIC_RELAXED);
    const int64_t until = now_ms() + 20000;
    while (__atomic_load_n(count, __ATOMIC_RELAXED) - begun < more) {
        assert_true(now_ms() < until);
        usleep(200);
    }
}

/* Killed as they wait and as they write: the others all go on. */
static void killed_writers_hold_up_nobody(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store_close(open_store(path));
    uint32_t *counts = mmap(NULL, WRITERS * sizeof *counts, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(counts != MAP_FAILED);
    pid_t pids[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = start(path, &counts[i]);
    }
    for (int k = 0; k < KILLS; k++) {
        const int victim = k % WRITERS;
        int status;
        wait_for(&counts[victim], 1);
        assert_int_equal(kill(pids[victim], SIGKILL), 0);
        assert_int_equal(waitpid(pids[victim], &status, 0), pids[victim]);
        assert_true(WIFSIGNALED(status));
        for (int i = 0; i < WRITERS; i++) {
            if (i != victim) {
                wait_for(&counts[i], 3);
            }
        }
        pids[victim] = start(path, &counts[victim]);
    }
    for (int i = 0; i < WRITERS; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    munmap(counts, WRITERS * sizeof *counts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_gives_up_leaves_no_gap),
        cmocka_unit_test(waiting_can_be_interrupted),
        cmocka_unit_test(a_word_of_nonsense_stops_nobody),
        cmocka_unit_test(killed_writers_hold_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
