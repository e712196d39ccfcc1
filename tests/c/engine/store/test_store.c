/* SPDX-License-Identifier: Apache-2.0 */
/* Files: what is opened and refused, several handles and processes on one, forks, crashes, a full
 * disk. */
#include "util.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/store/internal.h"

static void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    assert_int_equal(
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ds__vfs_name()),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void documents_survive_closing(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    ds__store_close(store);
    store = open_store(path);
    assert_int_equal(count(store), 1);
    ds__store_close(store);
}

static void new_files_are_their_owners_alone(void **state) {
    (void)state;
    static const char *const tails[] = {"", "-wal", "-shm"};
    const char *path = temp_path();
    mode_t before = umask(0);
    ds__store *store = open_store(path);
    umask(before);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        char name[100];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    ds__store_close(store);
}

static void the_mode_of_an_existing_file_is_kept(void **state) {
    (void)state;
    const char *path = temp_path();
    char log[100];
    struct stat st;
    snprintf(log, sizeof log, "%s-wal", path);
    ds__store_close(open_store(path));
    assert_int_equal(chmod(path, 0660), 0);
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    assert_int_equal(stat(log, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    ds__store_close(store);
}

/* A new file's first connection, and one that finds the file. */
static void a_large_transaction_leaves_memory_for_the_log(void **state) {
    (void)state;
    enum { SIZE = 1024 * 1024, DOCUMENTS = 100 };
    const char *path = temp_path();
    char log[100];
    snprintf(log, sizeof log, "%s-wal", path);
    uint8_t *bytes = calloc(1, SIZE); /* {x: binary of zeros} */
    assert_non_null(bytes);
    const int32_t size = SIZE, inner = SIZE - 4 - 3 - 5 - 1;
    memcpy(bytes, &size, 4);
    memcpy(bytes + 4, "\5x", 3);
    memcpy(bytes + 7, &inner, 4);
    for (int round = 0; round < 2; round++) {
        ds__store *store = open_store(path);
        ds__txn *txn = begin(store, DS_TXN_WRITE);
        const ds__coll *coll = coll_of(txn);
        struct stat st;
        for (int i = 0; i < DOCUMENTS; i++) {
            ds_error err = {0};
            ds_buf fixed = {0};
            ds_value doc;
            assert_true(ds__record_fix(ds__document(bytes), &fixed, &doc, &err));
            assert_true(ds__record_insert(txn, coll, doc, NULL, NULL, &err));
            ds_buf_clear(&fixed);
        }
        assert_int_equal(stat(log, &st), 0);
        assert_true(st.st_size > 10 * SIZE);
        ds__txn_abort(txn);
        ds__store_close(store);
    }
    free(bytes);
}

static void refuses_a_file_that_is_no_store(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    write_file(path, "this is a letter to my aunt, and longer than a hundred bytes, so that it "
                     "might be taken for a database by somebody careless\n");
    assert_null(ds__records_open(path, NULL, &err));
    assert_int_equal(err.code, DS_FILE_NOT_OPEN);
    assert_non_null(strstr(err.message, "is not a docstore file"));
    assert_int_equal(access(path, R_OK), 0);
}

static void refuses_another_sqlite_database(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    run_sql(path, "CREATE TABLE t(a)");
    assert_null(ds__records_open(path, NULL, &err));
    assert_non_null(strstr(err.message, "is not a docstore file"));
}

static void refuses_a_newer_format_naming_both(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    ds__store_close(open_store(path));
    run_sql(path, "PRAGMA user_version=7");
    assert_null(ds__records_open(path, NULL, &err));
    assert_int_equal(err.code, DS_MUST_UPGRADE);
    assert_non_null(strstr(err.message, "format 7"));
    assert_non_null(strstr(err.message, "up to 4"));
}

static void a_missing_file_is_not_made_when_told_so(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    assert_null(ds__records_open(path, &(ds__store_options){.no_create = true}, &err));
    assert_int_equal(err.code, DS_FILE_NOT_OPEN);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void two_engines_share_a_file(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *a = open_store(path);
    ds__store *b = open_store(path);
    ds__txn *txn = begin(a, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    assert_int_equal(count(b), 1);
    txn = begin(b, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 2}");
    ds_error err = {0};
    ds__txn *other = NULL;
    assert_false(ds__txn_begin(a, DS_TXN_WRITE, NULL, &other, &err));
    assert_int_equal(err.code, DS_LOCK_TIMEOUT);
    commit(txn);
    assert_int_equal(count(a), 2);
    ds__store_close(a);
    assert_int_equal(count(b), 2);
    ds__store_close(b);
}

static void a_killed_writer_leaves_the_last_commit(void **state) {
    (void)state;
    const char *path = temp_path();
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            ds__store *store = open_store(path);
            ds__txn *txn = begin(store, DS_TXN_WRITE);
            char json[64];
            snprintf(json, sizeof json, "{\"_id\": %d}", round);
            insert_ok(txn, json);
            commit(txn);
            txn = begin(store, DS_TXN_WRITE);
            for (int i = 0; i < 500; i++) {
                char big[300];
                snprintf(big, sizeof big, "{\"_id\": \"%d-%d\", \"t\": \"%0200d\"}", round, i, 0);
                insert_ok(txn, big);
            }
            kill(getpid(), SIGKILL);
        }
        int status;
        waitpid(pid, &status, 0);
        assert_true(WIFSIGNALED(status));
        ds__store *store = open_store(path);
        assert_int_equal(count(store), round + 1);
        assert_int_equal(count_rows(store), round + 1);
        ds__store_close(store);
    }
}

static void kill_9_loses_no_acknowledged_write(void **state) {
    (void)state;
    const char *path = temp_path();
    int acknowledged = 0;
    for (int round = 0; round < 6; round++) {
        int ack[2];
        assert_int_equal(pipe(ack), 0);
        pid_t pid = fork();
        if (pid == 0) {
            close(ack[0]);
            ds__store *store = open_store(path);
            for (int i = 0;; i++) {
                char json[80];
                snprintf(json, sizeof json, "{\"_id\": \"%d-%d\", \"t\": [1, 2, 3]}", round, i);
                ds__txn *txn = begin(store, DS_TXN_WRITE);
                insert_ok(txn, json);
                commit(txn);
                assert_int_equal(write(ack[1], "x", 1), 1);
            }
        }
        close(ack[1]);
        usleep((useconds_t)(20000 + round * 7000));
        kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        char buf[4096];
        for (ssize_t n; (n = read(ack[0], buf, sizeof buf)) > 0;) {
            acknowledged += (int)n;
        }
        close(ack[0]);
        ds__store *store = open_store(path);
        int64_t found = count_rows(store);
        assert_true(found >= acknowledged && found <= acknowledged + round + 1);
        assert_true(count(store) == found || (found == 0 && count(store) == -1));
        ds__store_close(store);
    }
    assert_true(acknowledged > 0);
}

static void several_processes_make_a_store_at_once(void **state) {
    (void)state;
    enum { CHILDREN = 6 };
    for (int round = 0; round < 3; round++) {
        const char *path = temp_path();
        pid_t pids[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                ds_error err = {0};
                ds__store *store =
                    ds__records_open(path, &(ds__store_options){.busy_timeout_ms = 20000}, &err);
                if (!store) {
                    fprintf(stderr, "%s\n", err.message);
                    _exit(1);
                }
                for (int k = 0; k < 20; k++) {
                    char json[64];
                    ds__txn *txn = begin(store, DS_TXN_WRITE);
                    snprintf(json, sizeof json, "{\"_id\": \"%d-%d\"}", i, k);
                    insert_ok(txn, json);
                    commit(txn);
                }
                ds__store_close(store);
                _exit(0);
            }
        }
        for (int i = 0; i < CHILDREN; i++) {
            int status;
            waitpid(pids[i], &status, 0);
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        }
        ds__store *store = open_store(path);
        assert_int_equal(count(store), CHILDREN * 20);
        assert_int_equal(count_rows(store), CHILDREN * 20);
        ds__store_close(store);
    }
}

static void a_full_disk_undoes_the_transaction(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 0}");
    commit(txn);
    assert_int_equal(sqlite3_exec(store->pool->db, "PRAGMA max_page_count=40", NULL, NULL, NULL),
                     SQLITE_OK);
    txn = begin(store, DS_TXN_WRITE);
    ds_error err = {0};
    bool ok = true;
    for (int i = 1; ok && i < 10000; i++) {
        char big[2100];
        snprintf(big, sizeof big, "{\"_id\": %d, \"t\": \"%02000d\"}", i, 0);
        ok = insert(txn, big, &err);
    }
    assert_false(ok);
    assert_int_equal(err.code, DS_OUT_OF_DISK_SPACE);
    ds__txn_abort(txn);
    assert_int_equal(count(store), 1);
    assert_int_equal(count_rows(store), 1);
    ds__store_close(store);
}

static void a_forked_child_uses_the_store(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    pid_t pid = fork();
    if (pid == 0) {
        txn = begin(store, DS_TXN_WRITE);
        insert_ok(txn, "{\"_id\": 2}");
        commit(txn);
        usleep(200000);
        txn = begin(store, DS_TXN_WRITE);
        insert_ok(txn, "{\"_id\": 3}");
        commit(txn);
        ds__store_close(store);
        _exit(0);
    }
    usleep(100000);
    assert_int_equal(count(store), 2);
    ds__store_close(store); /* must not take the log away under the child */
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    store = open_store(path);
    assert_int_equal(count(store), 3);
    assert_int_equal(count_rows(store), 3);
    ds__store_close(store);
}

static void a_child_forked_within_a_transaction_is_refused(void **state) {
    (void)state;
    ds__store *store = open_store(temp_path());
    ds__txn *txn = begin(store, DS_TXN_READ);
    pid_t pid = fork();
    if (pid == 0) {
        ds_error err = {0};
        ds__txn *mine = NULL;
        bool ok = ds__txn_begin(store, DS_TXN_READ, NULL, &mine, &err);
        _exit(!ok && err.code == DS_ILLEGAL_OPERATION ? 0 : 1);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void memory_stores_are_private_and_leave_nothing(void **state) {
    (void)state;
    ds__store *a = open_store(":memory:");
    ds__store *b = open_store(":memory:");
    char dir[256];
    snprintf(dir, sizeof dir, "%s", a->temp_dir);
    ds__txn *txn = begin(a, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": 1}");
    commit(txn);
    assert_int_equal(count(a), 1);
    assert_int_equal(count(b), -1);
    ds__store_close(a);
    ds__store_close(b);
    assert_int_not_equal(access(dir, F_OK), 0);
}

static void damage_is_told_as_such(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    for (int i = 0; i < 2000; i++) {
        char big[300];
        snprintf(big, sizeof big, "{\"_id\": %d, \"t\": \"%0200d\"}", i, 0);
        insert_ok(txn, big);
    }
    commit(txn);
    ds__store_close(store);
    int fd = open(path, O_WRONLY);
    char junk[16384];
    memset(junk, 0xa5, sizeof junk);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 10 * 16384; at + 16384 <= st.st_size; at += 16384) {
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    }
    close(fd);
    ds_error err = {0};
    store = open_store(path);
    txn = begin(store, DS_TXN_READ);
    ds__scan *scan;
    ds__scan_row row;
    ds_next next;
    assert_true(ds__scan_rows(txn, coll_of(txn)->id, false, &scan, &err));
    while ((next = ds__scan_next(scan, &row, &err)) == DS_NEXT_ROW) {
    }
    assert_int_equal(next, DS_NEXT_ERROR);
    assert_int_equal(err.code, DS_DATA_CORRUPTION_DETECTED);
    ds__scan_close(scan);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void one_of_two_processes_has_the_turn(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *one = open_store(path);
    ds__store *two = open_store(path);
    ds__txn *first = begin(one, DS_TXN_READ);
    ds__txn *second = begin(two, DS_TXN_READ);
    assert_true(ds__txn_claim(first, 60000));
    assert_false(ds__txn_claim(second, 60000));
    assert_false(ds__txn_claim(first, 60000));
    usleep(20000);
    assert_true(ds__txn_claim(second, 10));
    assert_false(ds__txn_claim(first, 60000));
    ds__txn_abort(first);
    ds__txn_abort(second);
    ds__store_close(one);
    ds__store_close(two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_survive_closing),
        cmocka_unit_test(new_files_are_their_owners_alone),
        cmocka_unit_test(the_mode_of_an_existing_file_is_kept),
        cmocka_unit_test(a_large_transaction_leaves_memory_for_the_log),
        cmocka_unit_test(refuses_a_file_that_is_no_store),
        cmocka_unit_test(refuses_another_sqlite_database),
        cmocka_unit_test(refuses_a_newer_format_naming_both),
        cmocka_unit_test(a_missing_file_is_not_made_when_told_so),
        cmocka_unit_test(two_engines_share_a_file),
        cmocka_unit_test(a_killed_writer_leaves_the_last_commit),
        cmocka_unit_test(kill_9_loses_no_acknowledged_write),
        cmocka_unit_test(several_processes_make_a_store_at_once),
        cmocka_unit_test(a_full_disk_undoes_the_transaction),
        cmocka_unit_test(a_forked_child_uses_the_store),
        cmocka_unit_test(a_child_forked_within_a_transaction_is_refused),
        cmocka_unit_test(memory_stores_are_private_and_leave_nothing),
        cmocka_unit_test(damage_is_told_as_such),
        cmocka_unit_test(one_of_two_processes_has_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
