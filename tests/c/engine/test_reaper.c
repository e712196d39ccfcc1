/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots left open: ended by a thread, with no command of their process; the log stays bounded,
 * and who keeps it is named. */
#include "faults.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "engine/op.h"
#include "engine/reaper.h"
#include "engine/store/internal.h"

enum { LIMIT = 2 * 1024 * 1024, IDLE_MS = 1000, PATIENCE_MS = 8000 };

static ds_engine *open_impatient(const char *path) {
    ds_error err = {0};
    ds_engine *engine =
        ds__engine_open(path, &(ds__engine_options){.idle_transaction_ms = IDLE_MS}, &err);
    assert_non_null(engine);
    engine->store->log_limit = LIMIT;
    return engine;
}

static void run_ok(ds_engine *engine, const char *db, const char *json) {
    ds_buf reply = {0};
    assert_int_equal(fault_run(engine, db, json, &reply), 0);
    ds_buf_clear(&reply);
}

/* Overwrites one document of 100 kB, as often as it takes to write `bytes`. */
static void write_much(ds_engine *engine, size_t bytes) {
    char *json = malloc(110000);
    assert_non_null(json);
    for (size_t done = 0; done < bytes; done += 100000) {
        snprintf(json, 110000,
                 "{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"_id\": 1, "
                 "\"n\": %zu, \"t\": \"%0100000d\"}, \"upsert\": true}]}",
                 done, 0);
        run_ok(engine, "db", json);
    }
    free(json);
}

static int64_t log_bytes(const char *path) {
    char name[120];
    struct stat st;
    snprintf(name, sizeof name, "%s-wal", path);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static const char begin_reading[] =
    "{\"find\": \"c\", \"startTransaction\": true, \"lsid\": {\"id\": {\"$binary\": {\"base64\": "
    "\"AAAAAAAAAAAAAAAAAAAAAA==\", \"subType\": \"04\"}}}, \"txnNumber\": {\"$numberLong\": "
    "\"1\"}, "
    "\"autocommit\": false}";
static const char read_on[] =
    "{\"find\": \"c\", \"lsid\": {\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", "
    "\"subType\": \"04\"}}}, \"txnNumber\": {\"$numberLong\": \"1\"}, \"autocommit\": false}";

/* Reads in a transaction or a snapshot, then does nothing until told. */
static void read_and_sleep(const char *path, bool snapshot, int ready, int done) {
    char byte = 0;
    ds_buf reply = {0};
    ds_engine *engine = open_impatient(path);
    run_ok(engine, "db",
           snapshot ? "{\"find\": \"c\", \"readConcern\": {\"level\": \"snapshot\"}}"
                    : begin_reading);
    assert_int_equal(write(ready, "r", 1), 1);
    assert_int_equal(read(done, &byte, 1), 1);
    if (!snapshot) {
        assert_int_equal(fault_run(engine, "db", read_on, &reply), DS_NO_SUCH_TRANSACTION);
        assert_non_null(
            strstr(ds__text(ds__doc_field(ds__document(reply.data), "errmsg")), "the log"));
    }
    ds_buf_clear(&reply);
    ds__engine_close(engine);
    _exit(0);
}

static void check_idle_reader(bool snapshot) {
    char path[100];
    int ready[2];
    int done[2];
    char byte;
    snprintf(path, sizeof path, "%s", temp_path());
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    if (pid == 0) {
        assert_int_equal(read(done[0], &byte, 1), 1);
        read_and_sleep(path, snapshot, ready[1], done[0]);
    }
    ds_engine *engine = open_impatient(path);
    write_much(engine, 100000);
    assert_int_equal(write(done[1], "g", 1), 1);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    /* the log ends although the reader's process runs no command */
    char text[DS_WARNING_SIZE] = "";
    char number[32];
    int64_t most = 0;
    int64_t last = 0;
    bool ended = false;
    for (int i = 0; !ended && i < PATIENCE_MS / 100; i++) {
        write_much(engine, 5000000);
        int64_t now = log_bytes(path);
        most = now > most ? now : most;
        ended = last > 0 && now == last; /* grew no more: it was begun anew */
        last = now;
        usleep(20000);
    }
    assert_true(ended);
    assert_true(ds__engine_warning(engine, &(size_t){0}, text, sizeof text));
    snprintf(number, sizeof number, "process %ld (", (long)pid);
    if (!strstr(text, number)) {
        fail_msg("expected process %ld: %s", (long)pid, text);
    }
    assert_int_equal(write(done[1], "d", 1), 1);
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ds__engine_close(engine);
}

static void an_idle_transaction_of_another_process_lets_the_log_end(void **state) {
    (void)state;
    check_idle_reader(false);
}

static void an_idle_snapshot_of_another_process_lets_the_log_end(void **state) {
    (void)state;
    check_idle_reader(true);
}

/* Without pressure a transaction may idle: for a minute, as before. */
static void an_idle_transaction_stays_while_the_log_is_short(void **state) {
    (void)state;
    ds_engine *engine = open_impatient(temp_path());
    run_ok(engine, "db", "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}]}");
    run_ok(engine, "db", begin_reading);
    usleep(1500 * 1000);
    run_ok(engine, "db", read_on);
    ds__engine_close(engine);
}

/* Begins a transaction and goes on with it a minute later, which is no idle time. */
static int after_a_minute(const char *more) {
    ds_error err = {0};
    ds_engine *engine = ds__engine_open(
        temp_path(), &(ds__engine_options){.idle_transaction_ms = 10 * 60 * 1000}, &err);
    assert_non_null(engine);
    run_ok(engine, "db", "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}]}");
    char begin[400];
    snprintf(begin, sizeof begin, "%.*s%s}", (int)strlen(begin_reading) - 1, begin_reading, more);
    run_ok(engine, "db", begin);
    ds__sessions_end_old(engine, ds__clock_now_ms() + 61 * 1000, 0);
    ds_buf reply = {0};
    int code = fault_run(engine, "db", read_on, &reply);
    ds_buf_clear(&reply);
    ds__engine_close(engine);
    return code;
}

static void a_transaction_with_savepoints_may_work_for_long(void **state) {
    (void)state;
    assert_int_equal(after_a_minute(", \"savepoints\": true"), 0);
    assert_int_equal(after_a_minute(""), 251);
}

/* A clock that the test moves. */
static int64_t wall_ahead;
static int64_t mono_ahead;

int clock_gettime(clockid_t id, struct timespec *t) {
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    t->tv_sec += id == CLOCK_REALTIME ? wall_ahead : id == CLOCK_MONOTONIC ? mono_ahead : 0;
    return rc;
}

static void expiry_is_looked_for_although_the_clock_was_set_back(void **state) {
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s", temp_path());
    ds_engine *engine = open_impatient(path);
    wall_ahead = 24 * 60 * 60;
    run_ok(engine, "db", "{\"ping\": 1}");
    assert_false(ds__reaper_runs(engine->reaper));
    wall_ahead = 0;
    ds_engine *other = open_impatient(path);
    run_ok(other, "db",
           "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"at\": 1}, \"name\": \"at\", "
           "\"expireAfterSeconds\": 1}]}");
    ds__engine_close(other);
    mono_ahead = 10;
    run_ok(engine, "db", "{\"ping\": 1}");
    assert_true(ds__reaper_runs(engine->reaper));
    ds__engine_close(engine);
    mono_ahead = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_transaction_of_another_process_lets_the_log_end),
        cmocka_unit_test(an_idle_snapshot_of_another_process_lets_the_log_end),
        cmocka_unit_test(an_idle_transaction_stays_while_the_log_is_short),
        cmocka_unit_test(a_transaction_with_savepoints_may_work_for_long),
        cmocka_unit_test(expiry_is_looked_for_although_the_clock_was_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
