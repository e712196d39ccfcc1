/* SPDX-License-Identifier: Apache-2.0 */
/* Forks of a process whose threads use an engine: the child gets an engine that works or an error
 * that says why not, and never hangs. Children leave by _exit. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bson/bson.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/fork.h"
#include "engine/engine.h"

enum { FORKS = 60, THREADS = 6, HANGS_AFTER_S = 60 };

static const char *temp_path(void) {
    static char path[64];
    static int count;
    snprintf(path, sizeof path, "/tmp/docstore-fork-%d-%d", (int)getpid(), count++);
    return path;
}

static void remove_store(const char *path) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static ds_engine *open_engine(const char *path) {
    ds_error err = {0};
    ds_engine *engine =
        ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 20000}, &err);
    if (!engine) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return engine;
}

/* The reply's `name` as a number; -code of a refusal. */
static int64_t send(ds_engine *engine, const ds__engine_peer *peer, const bson_t *command,
                    ds_buf *reply, const char *name) {
    ds_error err = {0};
    int64_t n = 0;
    ds_buf_reset(reply);
    if (!ds__engine_run(engine, peer, "db", ds__document(bson_get_data(command)), reply, &err)) {
        abort();
    }
    ds_value doc = ds__document(reply->data);
    bool ok = ds__value_truthy(ds__doc_field(doc, "ok"));
    ds__value_exact_int64(ds__doc_field(doc, ok ? name : "code"), &n);
    return ok ? n : -n;
}

static bson_t *parse(const char *json) {
    bson_error_t error;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!b) {
        abort();
    }
    return b;
}

static int64_t run(ds_engine *engine, const ds__engine_peer *peer, const char *json,
                   const char *name) {
    ds_buf reply = {0};
    bson_t *command = parse(json);
    int64_t n = send(engine, peer, command, &reply, name);
    bson_destroy(command);
    ds_buf_clear(&reply);
    return n;
}

static int wait_for(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

typedef struct worker {
    ds_engine *engine;
    atomic_bool *done;
    int number;
    int count;
} worker;

/* Asks for memory within commands only: AddressSanitizer's allocator cannot be forked while it is
 * in use. */
static void *work(void *arg) {
    worker *w = arg;
    char json[100];
    ds_buf reply = {0};
    snprintf(json, sizeof json, "{\"insert\": \"t%d\", \"documents\": [{}]}", w->number);
    bson_t *insert = parse(json);
    snprintf(json, sizeof json, "{\"find\": \"t%d\", \"limit\": 50, \"batchSize\": 5}", w->number);
    bson_t *find = parse(json);
    while (!atomic_load(w->done)) {
        w->count += (int)send(w->engine, NULL, insert, &reply, "n");
        send(w->engine, NULL, find, &reply, "ok");
        uint8_t id[12];
        ds__object_id_new(id);
    }
    bson_destroy(insert);
    bson_destroy(find);
    ds_buf_clear(&reply);
    return NULL;
}

static void children_of_busy_threads_work(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_engine *engine = open_engine(path);
    atomic_bool done = false;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.engine = engine, .done = &done, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) { /* until all have begun */
        char json[100];
        snprintf(json, sizeof json, "{\"count\": \"t%d\"}", i);
        while (run(engine, NULL, json, "n") == 0) {
            usleep(1000);
        }
    }
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(HANGS_AFTER_S);
            char json[100];
            snprintf(json, sizeof json, "{\"insert\": \"k\", \"documents\": [{\"_id\": %d}]}", i);
            bool ok = run(engine, NULL, json, "n") == 1 &&
                      run(engine, NULL, "{\"count\": \"k\"}", "n") == i + 1;
            if (i % 2) {
                ds__engine_close(engine);
            }
            _exit(ok ? 0 : 1);
        }
        assert_int_equal(wait_for(child), 0);
    }
    atomic_store(&done, true);
    for (int i = 0; i < THREADS; i++) {
        char json[100];
        pthread_join(threads[i], NULL);
        snprintf(json, sizeof json, "{\"count\": \"t%d\"}", i);
        assert_int_equal(run(engine, NULL, json, "n"), workers[i].count);
    }
    assert_int_equal(run(engine, NULL, "{\"count\": \"k\"}", "n"), FORKS);
    ds__engine_close(engine);
    remove_store(path);
}

static void *run_long(void *arg) {
    atomic_bool *running = arg;
    uint32_t begun = ds__fork_enter();
    atomic_store(running, true);
    usleep((DS_FORK_WAIT_MS + 500) * 1000);
    ds__fork_exit(begun);
    return NULL;
}

static void a_child_of_a_long_operation_is_refused(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_engine *engine = open_engine(path);
    atomic_bool running = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_long, &running), 0);
    while (!atomic_load(&running)) {
        usleep(1000);
    }
    int64_t begun = ds__clock_mono_us();
    pid_t child = fork();
    if (child == 0) {
        ds_error err = {0};
        bool ok = run(engine, NULL, "{\"count\": \"c\"}", "n") == -DS_ILLEGAL_OPERATION &&
                  !ds__engine_open(":memory:", NULL, &err) && err.code == DS_ILLEGAL_OPERATION;
        _exit(ok ? 0 : 1);
    }
    assert_in_range(ds__clock_mono_us() - begun, (DS_FORK_WAIT_MS - 500) * 1000,
                    (DS_FORK_WAIT_MS + 2000) * 1000);
    assert_int_equal(wait_for(child), 0);
    pthread_join(thread, NULL);
    assert_int_equal(run(engine, NULL, "{\"insert\": \"c\", \"documents\": [{}]}", "n"), 1);
    child = fork();
    if (child == 0) {
        _exit(run(engine, NULL, "{\"count\": \"c\"}", "n") == 1 ? 0 : 1);
    }
    assert_int_equal(wait_for(child), 0);
    ds__engine_close(engine);
    remove_store(path);
}

/* What a signal's handler may do while a command waits for its turn. */
static int32_t fork_once(void *ctx) {
    pid_t *child = ctx;
    if (*child < 0) {
        *child = fork();
        if (*child == 0) {
            alarm(HANGS_AFTER_S);
        }
    }
    return 0;
}

static void an_operation_that_forks_ends_in_the_child(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_engine *engine = open_engine(path);
    ds_engine *other = open_engine(path);
    pid_t child = -1;
    ds__engine_peer peer = {.interrupt = fork_once, .ctx = &child};
    run(engine, NULL, "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}]}", "n");
    /* the transaction of another handle makes the next writer wait, and ask */
    static const char session[] =
        "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", \"subType\": "
        "\"04\"}}}, \"txnNumber\": {\"$numberLong\": \"1\"}, \"autocommit\": false";
    char json[400];
    snprintf(json, sizeof json,
             "{\"insert\": \"c\", \"documents\": [{\"_id\": 2}], \"startTransaction\": true, %s}",
             session);
    assert_int_equal(run(other, NULL, json, "n"), 1);
    int64_t found =
        run(engine, &peer,
            "{\"insert\": \"c\", \"documents\": [{\"_id\": 3}], \"maxTimeMS\": 1000}", "n");
    if (child == 0) {
        bool ok = found == -DS_INTERRUPTED &&
                  run(engine, NULL, "{\"count\": \"c\"}", "n") == -DS_ILLEGAL_OPERATION;
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(found, -DS_MAX_TIME_MS_EXPIRED);
    assert_true(child > 0);
    assert_int_equal(wait_for(child), 0);
    snprintf(json, sizeof json, "{\"commitTransaction\": 1, \"$db\": \"admin\", %s}", session);
    assert_int_equal(run(other, NULL, json, "ok"), 1);
    assert_int_equal(run(engine, NULL, "{\"count\": \"c\"}", "n"), 2);
    ds__engine_close(other);
    ds__engine_close(engine);
    remove_store(path);
}

static int count_threads(void) {
    int n = 0;
    DIR *dir = opendir("/proc/self/task");
    for (struct dirent *d; dir && (d = readdir(dir));) {
        n += d->d_name[0] != '.';
    }
    if (dir) {
        closedir(dir);
    }
    return n;
}

typedef struct forker {
    int threads; /* when nobody helps */
    pid_t child;
} forker;

/* Forks once others help the operation and, as it does not go on, have nothing more to do. */
static int32_t fork_among_helpers(void *ctx) {
    forker *f = ctx;
    if (f->child < 0 && count_threads() > f->threads) {
        usleep(200 * 1000);
        f->child = fork();
        if (f->child == 0) {
            alarm(HANGS_AFTER_S);
        }
    }
    return 0;
}

static void a_shared_scan_that_forks_ends_in_the_child(void **state) {
    (void)state;
    const char *path = temp_path();
    const ds__engine_options options = {
        .busy_timeout_ms = 20000, .scan_threads = 4, .share_after = 1};
    ds_error err = {0};
    ds_engine *engine = ds__engine_open(path, &options, &err);
    assert_non_null(engine);
    static char json[1 << 20];
    /* long enough to be asked about amid the helpers' work, however quick the machine */
    static const char sum[] =
        "{\"aggregate\": \"c\", \"cursor\": {}, \"pipeline\": [{\"$match\": {\"n\": {\"$mod\": [9, "
        "1]}}}, {\"$group\": {\"_id\": null, \"n\": {\"$sum\": {\"$size\": {\"$range\": [\"$n\", "
        "{\"$add\": [\"$n\", 1000]}]}}}}}]}";
    enum { DOCUMENTS = 100000, AT_ONCE = 20000 };
    for (int i = 0; i < DOCUMENTS; i += AT_ONCE) {
        size_t at = (size_t)snprintf(json, sizeof json, "{\"insert\": \"c\", \"documents\": [");
        for (int k = i; k < i + AT_ONCE; k++) {
            at += (size_t)snprintf(json + at, sizeof json - at, "%s{\"_id\": %d, \"n\": %d}",
                                   k > i ? ", " : "", k, k);
        }
        snprintf(json + at, sizeof json - at, "]}");
        assert_int_equal(run(engine, NULL, json, "n"), AT_ONCE);
    }
    forker f = {.threads = count_threads(), .child = -1};
    ds__engine_peer peer = {.interrupt = fork_among_helpers, .ctx = &f};
    for (int tries = 0; tries < 200 && f.child < 0; tries++) {
        int64_t ok = run(engine, &peer, sum, "ok");
        if (f.child == 0) {
            _exit(ok == -DS_INTERRUPTED && count_threads() == 1 ? 0 : 1);
        }
        assert_int_equal(ok, 1);
    }
    assert_true(f.child > 0);
    assert_int_equal(wait_for(f.child), 0);
    assert_int_equal(run(engine, NULL, sum, "ok"), 1);
    ds__engine_close(engine);
    remove_store(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_of_busy_threads_work),
        cmocka_unit_test(a_child_of_a_long_operation_is_refused),
        cmocka_unit_test(an_operation_that_forks_ends_in_the_child),
        cmocka_unit_test(a_shared_scan_that_forks_ends_in_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
