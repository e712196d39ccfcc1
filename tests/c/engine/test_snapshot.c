/* SPDX-License-Identifier: Apache-2.0 */
/* Held snapshots: they end with no command of their process, and who waits for one may use others
 * meanwhile. */
#include "faults.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "engine/op.h"
#include "engine/store/internal.h"

enum { HELD_MS = 700, PATIENCE_MS = 8000 };

static const char read_snapshot[] = "{\"find\": \"c\", \"readConcern\": {\"level\": \"snapshot\"}}";
static const char read_long[] =
    "{\"aggregate\": \"c\", \"cursor\": {}, \"readConcern\": {\"level\": \"snapshot\", "
    "\"atClusterTime\": {\"$timestamp\": {\"t\": %u, \"i\": %u}}}, \"pipeline\": [{\"$set\": "
    "{\"x\": {\"$reduce\": {\"input\": {\"$range\": [0, 1000000]}, \"initialValue\": 0, \"in\": "
    "{\"$add\": [\"$$value\", \"$$this\"]}}}}}]}";

static size_t open_transactions(ds_engine *engine) {
    pthread_mutex_lock(&engine->store->lock);
    size_t n = engine->store->active;
    pthread_mutex_unlock(&engine->store->lock);
    return n;
}

/* Reads in a new snapshot; its time. */
static uint64_t read_in_snapshot(ds_engine *engine) {
    ds_buf reply = {0};
    assert_int_equal(fault_run(engine, "db", read_snapshot, &reply), 0);
    ds_value cursor = ds__doc_field(ds__document(reply.data), "cursor");
    ds_value time = ds__doc_field(cursor, "atClusterTime");
    assert_int_equal(time.type, DS_TIMESTAMP);
    uint64_t out = time.as.u64;
    ds_buf_clear(&reply);
    return out;
}

static ds_engine *open_with_a_document(void) {
    ds_error err = {0};
    ds_buf reply = {0};
    ds_engine *engine = fault_open(temp_path(), &err);
    assert_non_null(engine);
    assert_int_equal(fault_run(engine, "db",
                               "{\"insert\": \"c\", \"documents\": [{\"_id\": 1}, {\"_id\": 2}, "
                               "{\"_id\": 3}, {\"_id\": 4}]}",
                               &reply),
                     0);
    ds_buf_clear(&reply);
    return engine;
}

static void an_old_snapshot_ends_without_a_command(void **state) {
    (void)state;
    ds_engine *engine = open_with_a_document();
    engine->snapshot_ms = HELD_MS;
    read_in_snapshot(engine);
    assert_int_equal(open_transactions(engine), 1);
    int64_t begun = ds__clock_mono_us();
    for (int i = 0; open_transactions(engine) > 0 && i < PATIENCE_MS / 20; i++) {
        usleep(20000);
    }
    assert_int_equal(open_transactions(engine), 0);
    assert_true(ds__clock_mono_us() - begun >= (HELD_MS - 50) * 1000);
    ds__engine_close(engine);
}

typedef struct reader {
    ds_engine *engine;
    const char *json;
    atomic_int asked;
    atomic_bool hold; /* its command waits as long as this is set */
    atomic_int code;
} reader;

static int32_t hold(void *ctx) {
    reader *r = ctx;
    atomic_fetch_add(&r->asked, 1);
    while (atomic_load(&r->hold)) {
        usleep(1000);
    }
    return DS_INTERRUPTED;
}

/* Who is asked while it waits for a snapshot reads in another one. */
static int32_t use_another(void *ctx) {
    reader *r = ctx;
    read_in_snapshot(r->engine);
    atomic_fetch_add(&r->asked, 1);
    return 0;
}

static void run_as(reader *r, int32_t (*interrupt)(void *ctx)) {
    ds_buf reply = {0};
    ds_error err = {0};
    bson_error_t error;
    const ds__engine_peer peer = {.interrupt = interrupt, .ctx = r};
    bson_t *b = bson_new_from_json((const uint8_t *)r->json, -1, &error);
    assert_non_null(b);
    assert_true(
        ds__engine_run(r->engine, &peer, "db", ds__document(bson_get_data(b)), &reply, &err));
    ds_value code = ds__doc_field(ds__document(reply.data), "code");
    atomic_store(&r->code, code.type == DS_INT32 ? code.as.i32 : 0);
    bson_destroy(b);
    ds_buf_clear(&reply);
}

static void *run_holding(void *arg) {
    run_as(arg, hold);
    return NULL;
}

static void *run_waiting(void *arg) {
    run_as(arg, use_another);
    return NULL;
}

static void who_waits_for_a_snapshot_may_use_others(void **state) {
    (void)state;
    char json[600];
    pthread_t threads[2];
    ds_engine *engine = open_with_a_document();
    const uint64_t time = read_in_snapshot(engine);
    snprintf(json, sizeof json, read_long, (unsigned)(time >> 32), (unsigned)time);
    reader first = {.engine = engine, .json = json, .hold = true};
    reader second = {.engine = engine, .json = json};
    assert_int_equal(pthread_create(&threads[0], NULL, run_holding, &first), 0);
    while (atomic_load(&first.asked) == 0) {
        usleep(1000);
    }
    assert_int_equal(pthread_create(&threads[1], NULL, run_waiting, &second), 0);
    for (int i = 0; atomic_load(&second.asked) == 0 && i < PATIENCE_MS; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(&second.asked) > 0); /* or it waits for itself */
    atomic_store(&first.hold, false);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(atomic_load(&first.code), DS_INTERRUPTED);
    assert_int_equal(atomic_load(&second.code), 0);
    ds__engine_close(engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_old_snapshot_ends_without_a_command),
        cmocka_unit_test(who_waits_for_a_snapshot_may_use_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
