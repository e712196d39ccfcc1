/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads on one engine: writers, readers with cursors, transactions, and one that makes and
 * drops indexes and collections meanwhile. Meant for ThreadSanitizer, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <bson/bson.h>
#include <pthread.h>

#include "engine/engine.h"

enum { ROUNDS = 160, THREADS = 4 };

typedef struct worker {
    ds_engine *engine;
    int number;
    atomic_int *failures;
    char first_failure[300];
} worker;

static int32_t int_field(ds_value doc, const char *name) {
    int64_t n = -1;
    return ds__value_exact_int64(ds__doc_field(doc, name), &n) ? (int32_t)n : -1;
}

/* Runs a command; the reply lives until the next use of `reply`. */
static ds_value run(worker *w, ds_buf *reply, const char *json) {
    bson_error_t error;
    ds_error err = {0};
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!b) {
        abort();
    }
    ds_buf_reset(reply);
    if (!ds__engine_run(w->engine, NULL, "db", ds__document(bson_get_data(b)), reply, &err)) {
        abort();
    }
    bson_destroy(b);
    return ds__document(reply->data);
}

static bool allowed(int32_t code) {
    /* WriteConflict, NamespaceNotFound, QueryPlanKilled, CursorNotFound, IndexNotFound, and
     * NoSuchTransaction: what a client meets when others drop what it uses. */
    return code == 112 || code == 26 || code == 175 || code == 43 || code == 27 || code == 251;
}

static void expect(worker *w, ds_buf *reply, const char *json) {
    ds_value r = run(w, reply, json);
    ds_value errors = ds__doc_field(r, "writeErrors");
    bool ok = ds__value_truthy(ds__doc_field(r, "ok")) && errors.type == DS_MISSING;
    if (!ok && !allowed(int_field(r, "code")) && atomic_fetch_add(w->failures, 1) == 0) {
        ds_value why = ds__doc_field(r, "errmsg");
        snprintf(w->first_failure, sizeof w->first_failure, "%.120s: %.150s", json,
                 why.type == DS_STRING ? ds__text(why) : "write errors");
    }
}

static void *write_documents(void *arg) {
    worker *w = arg;
    ds_buf reply = {0};
    char json[400];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(json, sizeof json,
                 "{\"insert\": \"c\", \"documents\": [{\"_id\": \"%d-%d\", \"n\": %d, \"tags\": "
                 "[%d, \"x\"]}]}",
                 w->number, i, i, i % 7);
        expect(w, &reply, json);
        snprintf(
            json, sizeof json,
            "{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": \"%d-%d\"}, \"u\": {\"$inc\": "
            "{\"m\": 1}, \"$push\": {\"tags\": %d}}}]}",
            w->number, i / 2, i);
        expect(w, &reply, json);
        expect(w, &reply,
               "{\"findAndModify\": \"counter\", \"query\": {\"_id\": 1}, \"update\": {\"$inc\": "
               "{\"n\": 1}}, \"upsert\": true}");
    }
    ds_buf_clear(&reply);
    return NULL;
}

static void *read_documents(void *arg) {
    worker *w = arg;
    ds_buf reply = {0};
    char json[300];
    for (int i = 0; i < ROUNDS; i++) {
        ds_value r = run(w, &reply,
                         "{\"find\": \"c\", \"filter\": {\"n\": {\"$gte\": 2}}, "
                         "\"sort\": {\"n\": 1}, \"batchSize\": 3}");
        ds_value id = ds__doc_field(ds__doc_field(r, "cursor"), "id");
        if (id.type == DS_INT64 && id.as.i64 != 0) {
            snprintf(json, sizeof json,
                     "{\"getMore\": {\"$numberLong\": \"%lld\"}, \"collection\": \"c\", "
                     "\"batchSize\": 5}",
                     (long long)id.as.i64);
            expect(w, &reply, json);
            snprintf(json, sizeof json,
                     "{\"killCursors\": \"c\", \"cursors\": [{\"$numberLong\": \"%lld\"}]}",
                     (long long)id.as.i64);
            expect(w, &reply, json);
        }
        expect(w, &reply,
               "{\"aggregate\": \"c\", \"pipeline\": [{\"$unwind\": \"$tags\"}, {\"$group\": "
               "{\"_id\": \"$tags\", \"n\": {\"$sum\": 1}}}, {\"$lookup\": {\"from\": \"c\", "
               "\"localField\": \"_id\", \"foreignField\": \"n\", \"as\": \"same\"}}, {\"$limit\": "
               "5}], \"cursor\": {}}");
        expect(w, &reply, "{\"count\": \"c\", \"query\": {\"tags\": 3}}");
    }
    ds_buf_clear(&reply);
    return NULL;
}

static void *change_catalog(void *arg) {
    worker *w = arg;
    ds_buf reply = {0};
    for (int i = 0; i < ROUNDS / 4; i++) {
        expect(w, &reply,
               "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"n\": 1, \"tags\": -1}, "
               "\"name\": \"n_tags\"}]}");
        expect(w, &reply, "{\"create\": \"other\", \"validator\": {\"a\": {\"$type\": \"int\"}}}");
        expect(w, &reply, "{\"listCollections\": 1}");
        expect(w, &reply, "{\"dropIndexes\": \"c\", \"index\": \"n_tags\"}");
        expect(w, &reply, "{\"drop\": \"other\"}");
    }
    ds_buf_clear(&reply);
    return NULL;
}

/* Moves one from a to b: the sum stays. */
static void *transfer(void *arg) {
    worker *w = arg;
    ds_buf reply = {0};
    char json[600];
    for (int i = 0; i < ROUNDS; i++) {
        char session[200];
        snprintf(session, sizeof session,
                 "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAA%cA==\", "
                 "\"subType\": \"04\"}}}, \"txnNumber\": {\"$numberLong\": \"%d\"}, "
                 "\"autocommit\": false",
                 'A' + w->number, i + 1);
        snprintf(json, sizeof json,
                 "{\"update\": \"accounts\", \"updates\": [{\"q\": {\"_id\": \"a\"}, \"u\": "
                 "{\"$inc\": {\"n\": -1}}}, {\"q\": {\"_id\": \"b\"}, \"u\": {\"$inc\": {\"n\": "
                 "1}}}], %s, \"startTransaction\": true}",
                 session);
        ds_value r = run(w, &reply, json);
        bool ok = ds__value_truthy(ds__doc_field(r, "ok"));
        snprintf(json, sizeof json, "{\"%sTransaction\": 1, \"$db\": \"admin\", %s}",
                 ok && i % 3 != 0 ? "commit" : "abort", session);
        expect(w, &reply, json);
    }
    ds_buf_clear(&reply);
    return NULL;
}

static void threads_share_an_engine(const char *path) {
    ds_error err = {0};
    atomic_int failures = 0;
    worker workers[THREADS * 4];
    pthread_t threads[THREADS * 4];
    ds_buf reply = {0};
    void *(*const jobs[])(void *) = {write_documents, read_documents, transfer, change_catalog};
    ds_engine *engine =
        ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 60000}, &err);
    if (!engine) {
        fail_msg("%s", err.message);
    }
    worker self = {.engine = engine, .failures = &failures};
    expect(&self, &reply,
           "{\"insert\": \"accounts\", \"documents\": [{\"_id\": \"a\", \"n\": 0}, "
           "{\"_id\": \"b\", \"n\": 0}]}");
    int count = 0;
    for (int i = 0; i < THREADS; i++) {
        for (int j = 0; j < (i == 0 ? 4 : 3); j++, count++) {
            workers[count] = (worker){.engine = engine, .number = i, .failures = &failures};
            assert_int_equal(pthread_create(&threads[count], NULL, jobs[j], &workers[count]), 0);
        }
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].first_failure[0]) {
            print_error("%s\n", workers[i].first_failure);
        }
    }
    assert_int_equal(failures, 0);
    assert_int_equal(int_field(run(&self, &reply, "{\"count\": \"c\"}"), "n"), THREADS * ROUNDS);
    ds_value counter = run(&self, &reply,
                           "{\"findAndModify\": \"counter\", \"query\": {\"_id\": 1}, "
                           "\"update\": {\"$set\": {\"seen\": true}}}");
    assert_int_equal(int_field(ds__doc_field(counter, "value"), "n"), THREADS * ROUNDS);
    ds_value sums = run(&self, &reply,
                        "{\"aggregate\": \"accounts\", \"pipeline\": [{\"$group\": {\"_id\": null, "
                        "\"n\": {\"$sum\": \"$n\"}}}], \"cursor\": {}}");
    ds_value first = ds__array_at(ds__doc_field(ds__doc_field(sums, "cursor"), "firstBatch"), 0);
    assert_int_equal(int_field(first, "n"), 0);
    ds_value valid = run(&self, &reply, "{\"validate\": \"c\"}");
    assert_true(ds__value_truthy(ds__doc_field(valid, "valid")));
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

static void threads_share_an_engine_in_memory(void **state) {
    (void)state;
    threads_share_an_engine(":memory:");
}

static void threads_share_an_engine_on_a_file(void **state) {
    (void)state;
    char dir[] = "/tmp/docstore-threads-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.docstore", dir);
    threads_share_an_engine(path);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    rmdir(dir);
}

enum { SCANNED = 6000, ASKED = 12 };

/* Others' commits go into the log, and out of it, while it is read. */
static void *change_documents(void *arg) {
    worker *w = arg;
    ds_buf reply = {0};
    char json[200];
    for (int i = 0; i < ASKED; i++) {
        snprintf(json, sizeof json,
                 "{\"update\": \"long\", \"updates\": [{\"q\": {\"_id\": {\"$mod\": [%d, 1]}}, "
                 "\"u\": {\"$inc\": {\"k\": 1}}, \"multi\": true}]}",
                 i + 2);
        expect(w, &reply, json);
    }
    ds_buf_clear(&reply);
    return NULL;
}

/* Filters that several threads ask at once, of scans that several threads begin. */
static void *scan_documents(void *arg) {
    static const char *const filters[] = {
        "{\"n\": {\"$lt\": 300}}",
        "{\"tags\": {\"$in\": [\"t7\", 5, null]}, \"n\": {\"$gte\": 5400}}",
        "{\"$or\": [{\"in.x\": 7}, {\"tags\": {\"$elemMatch\": {\"$eq\": \"t3\"}}, \"n\": 3}]}",
        "{\"n\": {\"$mod\": [100, 3]}, \"in.y\": {\"$not\": {\"$exists\": true}}}"};
    static const int32_t counts[] = {300, 24, 61, 60};
    worker *w = arg;
    ds_buf reply = {0};
    char json[400];
    for (int i = 0; i < ASKED; i++) {
        const int which = (i + w->number) % 4;
        snprintf(json, sizeof json, "{\"count\": \"long\", \"query\": %s}", filters[which]);
        if (int_field(run(w, &reply, json), "n") != counts[which]) {
            atomic_fetch_add(w->failures, 1);
        }
    }
    ds_buf_clear(&reply);
    return NULL;
}

static void threads_share_scans(void **state) {
    (void)state;
    ds_error err = {0};
    const ds__engine_options options = {.scan_threads = 4, .share_after = 1};
    ds_engine *engine = ds__engine_open(":memory:", &options, &err);
    assert_non_null(engine);
    atomic_int failures = 0;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    ds_buf reply = {0};
    char json[300];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.engine = engine, .number = i, .failures = &failures};
    }
    for (int i = 0; i < SCANNED; i++) {
        snprintf(json, sizeof json,
                 "{\"insert\": \"long\", \"documents\": [{\"_id\": %d, \"n\": %d, \"tags\": "
                 "[\"t%d\", \"u\"], \"in\": {\"x\": %d}}]}",
                 i, i, i % 25, i % 100);
        expect(&workers[0], &reply, json);
    }
    for (int i = 0; i < THREADS; i++) {
        void *(*work)(void *) = i == 0 ? change_documents : scan_documents;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(failures, 0);
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_an_engine_in_memory),
        cmocka_unit_test(threads_share_an_engine_on_a_file),
        cmocka_unit_test(threads_share_scans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
