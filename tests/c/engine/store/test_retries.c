/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions have done, kept in the file: with its transaction or not at all, for 30 minutes, in
 * so much room. */
#include "util.h"

#include "base/clock.h"
#include "engine/store/internal.h"
#include "engine/store/retries.h"

#include <sys/syscall.h>
#include <time.h>

/* Clocks that the test moves. */
static int64_t wall_ahead;
static int64_t mono_ahead;

int clock_gettime(clockid_t id, struct timespec *t) {
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    t->tv_sec += id == CLOCK_REALTIME ? wall_ahead : id == CLOCK_MONOTONIC ? mono_ahead : 0;
    return rc;
}

static void name(uint8_t session[DS_RETRY_SESSION], int i) {
    memset(session, 0, DS_RETRY_SESSION);
    memcpy(session, &i, sizeof i);
}

static void put(ds__txn *txn, int i, int64_t number, size_t size) {
    uint8_t session[DS_RETRY_SESSION];
    ds_error err = {0};
    ds_buf done = {0};
    uint8_t *bytes = calloc(1, size + 1);
    assert_non_null(bytes);
    ds_buf_add(&done, bytes, size);
    free(bytes);
    name(session, i);
    if (!ds__retries_put(txn, session, (ds__retry_row){number, DS_RETRY_WRITE}, &done, &err)) {
        fail_msg("%s", err.message);
    }
    ds_buf_clear(&done);
}

static ds__retry_row get(ds__txn *txn, int i) {
    uint8_t session[DS_RETRY_SESSION];
    ds_error err = {0};
    ds_buf done = {0};
    ds__retry_row row;
    name(session, i);
    if (!ds__retries_get(txn, session, &row, &done, &err)) {
        fail_msg("%s", err.message);
    }
    ds_buf_clear(&done);
    return row;
}

/* As if it was written so long ago. */
static void make_older(ds__store *store, int i, int64_t by_ms) {
    char sql[200];
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    snprintf(sql, sizeof sql,
             "UPDATE ds_retry SET at=at-%lld WHERE substr(hex(session), 1, 2)='%02X'",
             (long long)by_ms, i);
    assert_true(ds__conn_exec(txn->conn, sql, &err));
    commit(txn);
    store->retry_pruned_ms = -DS_RETRY_MS;
}

static int64_t held(ds__store *store) {
    int64_t n = 0;
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_READ);
    assert_true(ds__conn_int(txn->conn, "SELECT total(length(done)) FROM ds_retry", 0, &n, &err));
    ds__txn_abort(txn);
    return n;
}

static void rows_go_with_their_transaction(void **state) {
    (void)state;
    ds__store *store = open_store(temp_path());
    ds__store *other = open_store(store->path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    put(txn, 1, 5, 10);
    ds__txn_abort(txn);
    txn = begin(other, DS_TXN_WRITE); /* the table is gone with it */
    assert_int_equal(get(txn, 1).number, -1);
    put(txn, 1, 6, 10);
    commit(txn);
    txn = begin(store, DS_TXN_WRITE);
    assert_int_equal(get(txn, 1).number, 6);
    assert_int_equal(get(txn, 2).number, -1);
    put(txn, 1, 7, 10);
    commit(txn);
    txn = begin(other, DS_TXN_READ);
    assert_int_equal(get(txn, 1).number, 7);
    ds__txn_abort(txn);
    ds__store_close(other);
    ds__store_close(store);
}

static void rows_go_after_their_time(void **state) {
    (void)state;
    ds__store *store = open_store(temp_path());
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    put(txn, 1, 1, 10);
    put(txn, 2, 1, 10);
    put(txn, 3, 1, 10);
    commit(txn);
    make_older(store, 1, DS_RETRY_MS + 1000);
    make_older(store, 2, DS_RETRY_MS - 10000);
    txn = begin(store, DS_TXN_WRITE);
    put(txn, 3, 2, 10);
    commit(txn);
    txn = begin(store, DS_TXN_READ);
    assert_int_equal(get(txn, 1).number, -1);
    assert_int_equal(get(txn, 2).number, 1);
    assert_int_equal(get(txn, 3).number, 2);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void rows_go_although_the_clock_was_set_back(void **state) {
    (void)state;
    ds_error err = {0};
    ds__store *store = open_store(temp_path());
    store->retry_pruned_ms = -DS_RETRY_MS;
    wall_ahead = 24 * 60 * 60;
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    put(txn, 1, 1, 10); /* looks for old rows */
    commit(txn);
    wall_ahead = 0;
    mono_ahead = 100;
    txn = begin(store, DS_TXN_WRITE);
    assert_true(ds__conn_exec(txn->conn, "UPDATE ds_retry SET at=1", &err));
    put(txn, 2, 1, 10);
    assert_int_equal(get(txn, 1).number, -1);
    commit(txn);
    mono_ahead = 0;
    ds__store_close(store);
}

static void long_answers_are_bounded_and_the_oldest_are_forgotten(void **state) {
    (void)state;
    enum { SIZE = 4 * 1024 * 1024, COUNT = 26 };
    ds__store *store = open_store(temp_path());
    for (int i = 0; i < COUNT; i++) {
        ds__txn *txn = begin(store, DS_TXN_WRITE);
        put(txn, i, 1, SIZE);
        commit(txn);
        make_older(store, i, COUNT - i);
        assert_true(held(store) <= DS_RETRY_BYTES + DS_RETRY_BYTES / 4 + SIZE);
    }
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__retry_kind before = DS_RETRY_FORGOTTEN;
    for (int i = 0; i < COUNT; i++) {
        ds__retry_row row = get(txn, i);
        assert_int_equal(row.number, 1);
        assert_true(row.kind == before || before == DS_RETRY_FORGOTTEN);
        before = row.kind;
    }
    assert_int_equal(get(txn, 0).kind, DS_RETRY_FORGOTTEN);
    assert_int_equal(get(txn, COUNT - 5).kind, DS_RETRY_WRITE);
    ds__txn_abort(txn);
    ds__store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_with_their_transaction),
        cmocka_unit_test(rows_go_after_their_time),
        cmocka_unit_test(rows_go_although_the_clock_was_set_back),
        cmocka_unit_test(long_answers_are_bounded_and_the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
