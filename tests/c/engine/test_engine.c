/* SPDX-License-Identifier: Apache-2.0 */
/* The door: commands in, replies out; threads, expiry, transactions that conflict. */
#include "store/util.h"

#include <pthread.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/op.h"
#include "engine/records/expire.h"
#include "engine/store/internal.h"

static ds_engine *open_engine(const char *path) {
    ds_error err = {0};
    ds_engine *engine =
        ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 20000}, &err);
    if (!engine) {
        fail_msg("%s", err.message);
    }
    return engine;
}

/* The reply; freed by the caller. */
static ds_value run(ds_engine *engine, const char *json, ds_buf *reply) {
    ds_error err = {0};
    bson_error_t error;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(b);
    ds_buf_reset(reply);
    assert_true(ds__engine_run(engine, NULL, "db", ds__document(bson_get_data(b)), reply, &err));
    bson_destroy(b);
    return ds__document(reply->data);
}

static void run_ok(ds_engine *engine, const char *json) {
    ds_buf reply = {0};
    ds_value r = run(engine, json, &reply);
    if (ds__doc_field(r, "ok").as.f64 != 1) {
        fail_msg("%s: %s", json, ds__text(ds__doc_field(r, "errmsg")));
    }
    assert_int_equal(ds__doc_field(r, "writeErrors").type, DS_MISSING);
    ds_buf_clear(&reply);
}

static int32_t code_of(ds_engine *engine, const char *json) {
    ds_buf reply = {0};
    ds_value r = run(engine, json, &reply);
    int32_t code = ds__doc_field(r, "ok").as.f64 == 1 ? 0 : ds__doc_field(r, "code").as.i32;
    ds_buf_clear(&reply);
    return code;
}

static int32_t count_of(ds_engine *engine) {
    ds_buf reply = {0};
    int32_t n = ds__doc_field(run(engine, "{\"count\": \"c\"}", &reply), "n").as.i32;
    ds_buf_clear(&reply);
    return n;
}

static const char abandoned[] = "{\"insert\": \"c\", \"documents\": [{\"x\": 1}], \"lsid\": "
                                "{\"id\": {\"$binary\": {\"base64\": "
                                "\"AAAAAAAAAAAAAAAAAAAAAA==\", \"subType\": \"04\"}}}, "
                                "\"txnNumber\": {\"$numberLong\": \"1\"}, "
                                "\"autocommit\": false, \"startTransaction\": true}";

/* A client that is gone, or forgot: its transaction must not keep all others from writing. */
static void an_abandoned_transaction_is_aborted(void **state) {
    (void)state;
    ds_engine *engine = open_engine(":memory:");
    run_ok(engine, "{\"create\": \"c\"}");
    run_ok(engine, abandoned);
    ds__sessions_reap(engine, ds__clock_now_ms() + 11 * 1000);
    assert_int_equal(code_of(engine, "{\"insert\": \"c\", \"documents\": [{}], \"maxTimeMS\": 20}"),
                     DS_MAX_TIME_MS_EXPIRED);
    ds__sessions_reap(engine, ds__clock_now_ms() + 61 * 1000);
    run_ok(engine, "{\"insert\": \"c\", \"documents\": [{}]}");
    assert_int_equal(count_of(engine), 1);
    ds__engine_close(engine);
}

static void unknown_commands_are_refused(void **state) {
    (void)state;
    ds_engine *engine = open_engine(":memory:");
    assert_int_equal(code_of(engine, "{\"noSuchThing\": 1}"), DS_COMMAND_NOT_FOUND);
    assert_int_equal(code_of(engine, "{\"ping\": 1, \"$db\": \"a b\"}"), DS_INVALID_NAMESPACE);
    assert_int_equal(code_of(engine, "{\"listDatabases\": 1}"), DS_UNAUTHORIZED);
    ds__engine_close(engine);
}

static void a_failed_index_build_leaves_nothing_behind(void **state) {
    (void)state;
    ds_engine *engine = open_engine(":memory:");
    run_ok(engine, "{\"insert\": \"c\", \"documents\": [{\"_id\": 1, \"a\": 1}, {\"_id\": 2, "
                   "\"a\": 1}]}");
    assert_int_equal(code_of(engine, "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"b\": "
                                     "1}, \"name\": \"b\"}, {\"key\": {\"a\": 1}, \"name\": \"a\", "
                                     "\"unique\": true}]}"),
                     DS_DUPLICATE_KEY);
    ds_buf reply = {0};
    ds_value cursor = ds__doc_field(run(engine, "{\"listIndexes\": \"c\"}", &reply), "cursor");
    assert_int_equal(ds__doc_count(ds__doc_field(cursor, "firstBatch")), 1);
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

static void a_refused_document_is_told_which_rule_it_breaks(void **state) {
    (void)state;
    ds_engine *engine = open_engine(":memory:");
    run_ok(engine, "{\"create\": \"c\", \"validator\": {\"$jsonSchema\": {\"required\": [\"b\"], "
                   "\"properties\": {\"a\": {\"minimum\": 3}}}}}");
    ds_buf reply = {0};
    ds_value r =
        run(engine, "{\"insert\": \"c\", \"documents\": [{\"_id\": 2, \"a\": 1}]}", &reply);
    ds_value first = ds__array_at(ds__doc_field(r, "writeErrors"), 0);
    assert_int_equal(ds__doc_field(first, "code").as.i32, DS_DOCUMENT_VALIDATION_FAILURE);
    ds_value expected =
        doc_of("{\"failingDocumentId\": 2, \"details\": {\"operatorName\": \"$jsonSchema\", "
               "\"schemaRulesNotSatisfied\": [{\"operatorName\": \"properties\", "
               "\"propertiesNotSatisfied\": [{\"propertyName\": \"a\", \"details\": "
               "[{\"operatorName\": \"minimum\", \"specifiedAs\": {\"minimum\": 3}, \"reason\": "
               "\"comparison failed\", \"consideredValue\": 1}]}]}, {\"operatorName\": "
               "\"required\", \"specifiedAs\": {\"required\": [\"b\"]}, \"missingProperties\": "
               "[\"b\"]}]}}");
    assert_true(ds__value_equal(ds__doc_field(first, "errInfo"), expected, NULL));
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

static void await_count(ds_engine *engine, int64_t count) {
    for (int i = 0; i < 1000 && count_of(engine) != count; i++) {
        usleep(20000);
    }
    assert_int_equal(count_of(engine), count);
}

static void expired_documents_go_away(void **state) {
    (void)state;
    ds_engine *engine = open_engine(":memory:");
    run_ok(engine, "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"at\": 1}, \"name\": "
                   "\"at\", \"expireAfterSeconds\": 60}]}");
    char json[400];
    snprintf(json, sizeof json,
             "{\"insert\": \"c\", \"documents\": [{\"_id\": 1, \"at\": {\"$date\": "
             "{\"$numberLong\": \"1000\"}}}, {\"_id\": 2, \"at\": {\"$date\": {\"$numberLong\": "
             "\"%lld\"}}}, {\"_id\": 3, \"at\": \"x\"}, {\"_id\": 4}]}",
             (long long)ds__clock_now_ms());
    run_ok(engine, json);
    assert_int_equal(count_of(engine), 4);
    await_count(engine, 3);
    run_ok(engine, "{\"collMod\": \"c\", \"index\": {\"name\": \"at\", \"expireAfterSeconds\": "
                   "0}}");
    await_count(engine, 2);
    ds__engine_close(engine);
}

static void a_turn_without_time_deletes_one_document(void **state) {
    (void)state;
    bool more = true;
    int turns = 0;
    ds_engine *engine = open_engine(":memory:");
    run_ok(engine, "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"at\": 1}, \"name\": "
                   "\"at\"}]}");
    run_ok(engine, "{\"insert\": \"c\", \"documents\": [{\"at\": {\"$date\": {\"$numberLong\": "
                   "\"1000\"}}}, {\"at\": {\"$date\": {\"$numberLong\": \"2000\"}}}]}");
    for (; more && turns < 5; turns++) {
        ds_error err = {0};
        ds__txn *txn = begin(engine->store, DS_TXN_WRITE);
        const ds__coll *coll = ds__catalog_find(ds__txn_catalog(txn), "db", 2, "c", 1);
        assert_non_null(coll);
        ds__index index = coll->indexes[1];
        index.expire_after = 0;
        assert_true(ds__expired_delete(txn, coll, &index, 0, &more, &err));
        commit(txn);
    }
    assert_int_equal(turns, 2);
    assert_int_equal(count_of(engine), 0);
    ds__engine_close(engine);
}

static void a_full_disk_fails_the_command_and_keeps_the_data(void **state) {
    (void)state;
    ds_engine *engine = open_engine(temp_path());
    run_ok(engine, "{\"insert\": \"c\", \"documents\": [{\"_id\": 0}]}");
    assert_int_equal(
        sqlite3_exec(engine->store->pool->db, "PRAGMA max_page_count=30", NULL, NULL, NULL),
        SQLITE_OK);
    char json[2200];
    int32_t code = 0;
    int done = 0;
    for (int i = 1; code == 0 && i < 1000; i++) {
        snprintf(json, sizeof json,
                 "{\"insert\": \"c\", \"documents\": [{\"_id\": %d, \"t\": \"%02000d\"}]}", i, 0);
        code = code_of(engine, json);
        done += code == 0;
    }
    assert_int_equal(code, DS_OUT_OF_DISK_SPACE);
    assert_int_equal(count_of(engine), done + 1);
    assert_int_equal(code_of(engine, "{\"delete\": \"c\", \"deletes\": [{\"q\": {\"_id\": 1}, "
                                     "\"limit\": 1}]}"),
                     0);
    assert_int_equal(count_of(engine), done);
    ds_buf reply = {0};
    ds_value r = run(engine, "{\"validate\": \"c\"}", &reply);
    assert_true(ds__doc_field(r, "valid").as.b);
    ds_buf_clear(&reply);
    ds__engine_close(engine);
}

static void a_read_only_engine_reads_and_refuses_writes(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    ds_engine *engine = open_engine(path);
    run_ok(engine, "{\"insert\": \"c\", \"documents\": [{\"_id\": 0}]}");
    ds__engine_close(engine);
    engine = ds__engine_open(path, &(ds__engine_options){.read_only = true}, &err);
    assert_non_null(engine);
    assert_int_equal(count_of(engine), 1);
    assert_int_equal(code_of(engine, "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}]}"),
                     DS_ILLEGAL_OPERATION);
    assert_int_equal(count_of(engine), 1);
    ds__engine_close(engine);
}

enum { THREADS = 4, ROUNDS = 100 };

typedef struct job {
    ds_engine *engine;
    int number;
} job;

static void *insert_many(void *arg) {
    job *j = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"insert\": \"c\", \"documents\": [{\"_id\": \"%d-%d\"}]}",
                 j->number, i);
        run_ok(j->engine, json);
        count_of(j->engine);
    }
    return NULL;
}

static void threads_share_an_engine(void **state) {
    (void)state;
    ds_engine *a = open_engine(temp_path());
    ds_engine *b = open_engine(ds__store_path(a->store));
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){i % 2 ? a : b, i};
        assert_int_equal(pthread_create(&threads[i], NULL, insert_many, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(count_of(a), THREADS * ROUNDS);
    assert_int_equal(count_of(b), THREADS * ROUNDS);
    ds_buf reply = {0};
    ds_value r = run(a, "{\"validate\": \"c\"}", &reply);
    assert_true(ds__doc_field(r, "valid").as.b);
    ds_buf_clear(&reply);
    ds__engine_close(a);
    ds__engine_close(b);
}

static void changes_of_the_catalog_are_seen_by_other_engines(void **state) {
    (void)state;
    ds_engine *a = open_engine(temp_path());
    ds_engine *b = open_engine(ds__store_path(a->store));
    run_ok(a, "{\"create\": \"c\"}");
    assert_int_equal(code_of(b, "{\"create\": \"c\"}"), DS_NAMESPACE_EXISTS);
    run_ok(b, "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"a\": 1}, \"name\": \"a\", "
              "\"unique\": true}]}");
    run_ok(a, "{\"insert\": \"c\", \"documents\": [{\"a\": 1}]}");
    ds_buf reply = {0};
    ds_value r = run(b, "{\"insert\": \"c\", \"documents\": [{\"a\": 1}]}", &reply);
    assert_int_equal(ds__doc_field(r, "writeErrors").type, DS_ARRAY);
    ds_buf_clear(&reply);
    run_ok(a, "{\"drop\": \"c\"}");
    assert_int_equal(count_of(b), 0);
    ds__engine_close(a);
    ds__engine_close(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abandoned_transaction_is_aborted),
        cmocka_unit_test(unknown_commands_are_refused),
        cmocka_unit_test(a_failed_index_build_leaves_nothing_behind),
        cmocka_unit_test(a_refused_document_is_told_which_rule_it_breaks),
        cmocka_unit_test(expired_documents_go_away),
        cmocka_unit_test(a_turn_without_time_deletes_one_document),
        cmocka_unit_test(a_full_disk_fails_the_command_and_keeps_the_data),
        cmocka_unit_test(a_read_only_engine_reads_and_refuses_writes),
        cmocka_unit_test(threads_share_an_engine),
        cmocka_unit_test(changes_of_the_catalog_are_seen_by_other_engines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
