/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction that takes long to undo holds up its own session, and no other. What a session has
 * done is answered while more of it is done. */
#include "faults.h"

#include <pthread.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "engine/commands/session_internal.h"
#include "engine/op.h"
#include "engine/store/internal.h"

enum { PATIENCE_MS = 20000 };

typedef struct slow {
    bool undoing; /* atomic, as all here */
    bool served;  /* another session had its answer */
    bool in_time;
} slow;

/* SQLite's rollback hook: undoes for as long as it takes another session to be served. */
static void undo_slowly(void *arg) {
    slow *s = arg;
    int64_t until = ds__clock_mono_us() / 1000 + PATIENCE_MS;
    __atomic_store_n(&s->undoing, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&s->served, __ATOMIC_SEQ_CST) && ds__clock_mono_us() / 1000 < until) {
        usleep(1000);
    }
    s->in_time = __atomic_load_n(&s->served, __ATOMIC_SEQ_CST);
}

#define SESSION(letter)                                                                            \
    "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"" letter                                      \
    "AAAAAAAAAAAAAAAAAAAAA==\", \"subType\": \"04\"}}}"
#define NUMBER "\"txnNumber\": {\"$numberLong\": \"1\"}"

static int run_code(ds_engine *engine, const char *db, const char *json) {
    ds_buf reply = {0};
    int code = fault_run(engine, db, json, &reply);
    ds_buf_clear(&reply);
    return code;
}

typedef struct ending {
    ds_engine *engine;
    const char *command; /* NULL: the reaper's */
} ending;

static void *end_it(void *arg) {
    const ending *e = arg;
    if (e->command) {
        assert_int_equal(run_code(e->engine, "admin", e->command), 0);
    } else {
        ds__sessions_end_old(e->engine, ds__clock_now_ms() + 61 * 1000, 0);
    }
    return NULL;
}

static void check(const char *command) {
    ds_error err = {0};
    pthread_t thread;
    slow s = {0};
    void *session;
    size_t at = 0;
    ds_engine *engine = ds__engine_open(temp_path(), NULL, &err);
    assert_non_null(engine);
    assert_int_equal(run_code(engine, "db", "{\"create\": \"c\"}"), 0);
    assert_int_equal(run_code(engine, "db",
                              "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}], " SESSION(
                                  "A") ", " NUMBER
                                       ", \"autocommit\": false, \"startTransaction\": true}"),
                     0);
    assert_true(ds_map_each(&engine->sessions->by_id, &at, NULL, NULL, &session));
    sqlite3 *db = ((ds__session *)session)->txn->conn->db;
    sqlite3_rollback_hook(db, undo_slowly, &s);
    ending e = {engine, command};
    assert_int_equal(pthread_create(&thread, NULL, end_it, &e), 0);
    while (!__atomic_load_n(&s.undoing, __ATOMIC_SEQ_CST)) {
        usleep(1000);
    }
    assert_int_equal(run_code(engine, "db",
                              "{\"find\": \"c\", " SESSION("B") ", " NUMBER
                                                                ", \"autocommit\": false, "
                                                                "\"startTransaction\": true}"),
                     0);
    __atomic_store_n(&s.served, true, __ATOMIC_SEQ_CST);
    /* its own waits, and is then told */
    assert_int_equal(run_code(engine, "db",
                              "{\"find\": \"c\", " SESSION("A") ", " NUMBER
                                                                ", \"autocommit\": false}"),
                     DS_NO_SUCH_TRANSACTION);
    pthread_join(thread, NULL);
    assert_true(s.in_time);
    sqlite3_rollback_hook(db, NULL, NULL);
    ds__engine_close(engine);
}

static void a_killed_session_is_undone_without_the_lock(void **state) {
    (void)state;
    check("{\"killSessions\": [{\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", "
          "\"subType\": \"04\"}}}]}");
}

static void an_ended_session_is_undone_without_the_lock(void **state) {
    (void)state;
    check("{\"endSessions\": [{\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", "
          "\"subType\": \"04\"}}}]}");
}

static void an_old_transaction_is_undone_without_the_lock(void **state) {
    (void)state;
    check(NULL);
}

/* An upsert of each _id up to `count`; all but the first and the last set x. */
static void upserts(ds_buf *out, int count) {
    char text[120];
    ds_buf_reset(out);
    const char begin[] = "{\"update\": \"c\", \"ordered\": false, \"updates\": [";
    ds_buf_add(out, begin, sizeof begin - 1);
    for (int i = 0; i < count; i++) {
        int n =
            snprintf(text, sizeof text,
                     "%s{\"q\": {\"_id\": %d}, \"u\": {\"$set\": {\"%s\": 1}}, \"upsert\": true}",
                     i ? ", " : "", i, i > 0 && i < count - 1 ? "x" : "y");
        ds_buf_add(out, text, (size_t)n);
    }
    const char end[] = "], " SESSION("A") ", " NUMBER "}";
    ds_buf_add(out, end, sizeof end);
}

static void what_was_done_is_answered_after_more_was_done(void **state) {
    enum { COUNT = 60 };
    (void)state;
    ds_error err = {0};
    ds_buf command = {0};
    ds_buf reply = {0};
    ds_engine *engine = ds__engine_open(temp_path(), NULL, &err);
    assert_non_null(engine);
    assert_int_equal(
        run_code(engine, "db", "{\"create\": \"c\", \"validator\": {\"x\": {\"$exists\": false}}}"),
        0);
    upserts(&command, COUNT);
    assert_int_equal(fault_run(engine, "db", (const char *)command.data, &reply), 0);
    assert_int_equal(ds__doc_field(ds__document(reply.data), "n").as.i32, 2);
    assert_int_equal(run_code(engine, "db", "{\"collMod\": \"c\", \"validator\": {}}"), 0);
    assert_int_equal(fault_run(engine, "db", (const char *)command.data, &reply), 0);
    ds_value doc = ds__document(reply.data);
    assert_int_equal(ds__doc_field(doc, "n").as.i32, COUNT);
    assert_int_equal(ds__doc_count(ds__doc_field(doc, "retriedStmtIds")), 2);
    ds__iter it;
    int seen = 0;
    for (ds__iter_init(&it, ds__doc_field(doc, "upserted")); ds__iter_next(&it); seen++) {
        assert_int_equal(ds__doc_field(it.value, "_id").as.i32, seen);
    }
    assert_int_equal(seen, COUNT);
    ds_buf_clear(&command);
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_session_is_undone_without_the_lock),
        cmocka_unit_test(an_ended_session_is_undone_without_the_lock),
        cmocka_unit_test(an_old_transaction_is_undone_without_the_lock),
        cmocka_unit_test(what_was_done_is_answered_after_more_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
