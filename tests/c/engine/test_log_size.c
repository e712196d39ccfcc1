/* SPDX-License-Identifier: Apache-2.0 */
/* The log stays short although in two processes some reader is always at work. */
#include "faults.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/op.h"
#include "engine/store/internal.h"

enum { LIMIT = 8 * 1024 * 1024, READERS = 4, READ_MS = 40, WRITES = 300 };

typedef struct reading {
    ds__store *store;
    const int *stop; /* shared by the processes */
    int done;
} reading;

/* One read after another, each as long as READ_MS. */
static void *read_all_the_time(void *arg) {
    reading *r = arg;
    while (!__atomic_load_n(r->stop, __ATOMIC_RELAXED)) {
        ds__txn *txn;
        ds_error err = {0};
        if (!ds__txn_begin(r->store, DS_TXN_READ, NULL, &txn, &err)) {
            fprintf(stderr, "%s\n", err.message);
            abort();
        }
        usleep(READ_MS * 1000);
        ds__txn_abort(txn);
        r->done++;
    }
    return NULL;
}

static ds_engine *open_limited(const char *path) {
    ds_error err = {0};
    ds_engine *engine = ds__engine_open(path, NULL, &err);
    assert_non_null(engine);
    engine->store->log_limit = LIMIT;
    return engine;
}

/* READERS threads that begin at different moments, so that their reads overlap. */
static void start(pthread_t *threads, reading *all, ds__store *store, const int *stop) {
    for (int i = 0; i < READERS; i++) {
        all[i] = (reading){.store = store, .stop = stop};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &all[i]), 0);
        usleep(READ_MS * 1000 / READERS);
    }
}

static void join(pthread_t *threads, const reading *all) {
    for (int i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(all[i].done > 0);
    }
}

static void read_in_a_child(const char *path, const int *stop) {
    pthread_t threads[READERS];
    reading all[READERS];
    ds_engine *engine = open_limited(path);
    start(threads, all, engine->store, stop);
    join(threads, all);
    ds__engine_close(engine);
    _exit(0);
}

/* Overwrites one document of 100 kB by another: SQLite does not write pages that stay the same. */
static void overwrite(ds_engine *engine, int i) {
    char text[100001];
    char *json = malloc(110000);
    ds_buf reply = {0};
    assert_non_null(json);
    memset(text, 'a' + i % 26, sizeof text - 1);
    text[sizeof text - 1] = 0;
    snprintf(json, 110000,
             "{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"_id\": 1, "
             "\"t\": \"%s\"}, \"upsert\": true}]}",
             text);
    assert_int_equal(fault_run(engine, "db", json, &reply), 0);
    ds_buf_clear(&reply);
    free(json);
}

static void the_log_stays_short_under_readers_that_overlap(void **state) {
    (void)state;
    pthread_t threads[READERS];
    reading all[READERS];
    char path[100];
    char log[120];
    int status;
    int64_t most = 0;
    int *stop = mmap(NULL, sizeof *stop, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(stop != MAP_FAILED);
    snprintf(path, sizeof path, "%s", temp_path());
    snprintf(log, sizeof log, "%s-wal", path);
    ds_engine *engine = open_limited(path);
    overwrite(engine, 0);
    ds__engine_close(engine);
    pid_t pid = fork();
    if (pid == 0) {
        read_in_a_child(path, stop);
    }
    engine = open_limited(path);
    start(threads, all, engine->store, stop);
    for (int i = 0; i < WRITES; i++) {
        struct stat st;
        overwrite(engine, i);
        if (stat(log, &st) == 0 && st.st_size > most) {
            most = st.st_size;
        }
    }
    __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
    join(threads, all);
    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(most <= LIMIT); /* of 30 MB written */
    ds__engine_close(engine);
    munmap(stop, sizeof *stop);
}

/* Who holds a snapshot for long holds up no reader but at first. */
static void a_long_reader_does_not_hold_up_others(void **state) {
    (void)state;
    ds_error err = {0};
    ds__txn *old;
    ds_engine *engine = open_limited(temp_path());
    overwrite(engine, 0);
    assert_true(ds__txn_begin(engine->store, DS_TXN_READ, NULL, &old, &err));
    for (int i = 0; i < 150; i++) {
        overwrite(engine, i);
    }
    assert_int_equal(engine->store->log_wait_ms, 100); /* once, not again for the same reader */
    ds__txn_abort(old);
    for (int i = 0; i < 40; i++) { /* it is begun anew when that one has left */
        overwrite(engine, i);
    }
    assert_int_equal(engine->store->log_wait_ms, 0);
    ds__engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_stays_short_under_readers_that_overlap),
        cmocka_unit_test(a_long_reader_does_not_hold_up_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
