/* SPDX-License-Identifier: Apache-2.0 */
/* The remote store: failures without a server, and, when DS_TEST_MONGODB_URI names a replica set,
 * its pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static bson_t *json(const char *text) {
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!doc) {
        fail_msg("%s: %s", text, error.message);
    }
    return doc;
}

static bool run(ds_client *client, ds_session *session, const char *text, bson_t *reply,
                ds_error *err) {
    bson_t *command = json(text);
    bool ok = ds_client_run(client, session, "docstore_c_test", command, reply, err);
    bson_destroy(command);
    return ok;
}

static void an_unreachable_server_is_named_with_the_reason(void **state) {
    ds_error err = {0};
    ds_client *client =
        ds_client_open("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300", NULL, &err);
    bson_t reply;
    assert_false(run(client, NULL, "{\"ping\": 1}", &reply, &err));
    assert_int_equal(err.code, DS_HOST_UNREACHABLE);
    assert_non_null(strstr(err.message, "127.0.0.1:1"));
    assert_non_null(strstr(err.message, "Connection refused"));
    assert_true(bson_empty(&reply));
    bson_destroy(&reply);
    assert_null(ds_session_open(client, NULL, &err));
    assert_int_equal(err.code, DS_HOST_UNREACHABLE);
    ds_client_close(client);
}

static void malformed_commands_never_reach_the_store(void **state) {
    ds_error err = {0};
    ds_client *client = ds_client_open("mongodb://127.0.0.1:1/", NULL, &err);
    bson_t reply;
    assert_false(run(client, NULL, "{}", &reply, &err));
    assert_int_equal(err.code, DS_BAD_VALUE);
    const uint8_t broken[] = {14, 0, 0, 0, 2, 'a', 0, 99, 0, 0, 0, 'x', 0, 0};
    bson_t command;
    assert_true(bson_init_static(&command, broken, sizeof broken));
    assert_false(ds_client_run(client, NULL, "db", &command, &reply, &err));
    assert_int_equal(err.code, DS_INVALID_BSON);
    bson_t *ping = json("{\"ping\": 1}");
    assert_false(ds_client_run(client, NULL, "a.b", ping, &reply, &err));
    assert_int_equal(err.code, DS_INVALID_NAMESPACE);
    assert_false(ds_client_run(client, NULL, "", ping, &reply, &err));
    assert_int_equal(err.code, DS_INVALID_NAMESPACE);
    bson_destroy(ping);
    ds_client_close(client);
}

static void a_full_pool_is_an_error_after_the_wait(void **state) {
    const char *uri = getenv("DS_TEST_MONGODB_URI");
    if (!uri) {
        skip();
    }
    ds_error err = {0};
    bson_t *options = json("{\"maxPoolSize\": 1, \"waitQueueTimeoutMS\": 50}");
    ds_client *client = ds_client_open(uri, options, &err);
    bson_destroy(options);
    ds_session *session = ds_session_open(client, NULL, &err);
    assert_non_null(session);
    bson_t reply;
    assert_false(run(client, NULL, "{\"ping\": 1}", &reply, &err));
    assert_non_null(strstr(err.message, "maxPoolSize"));
    ds_session_close(session);
    assert_true(run(client, NULL, "{\"ping\": 1}", &reply, &err));
    bson_destroy(&reply);
    ds_client_close(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unreachable_server_is_named_with_the_reason),
        cmocka_unit_test(malformed_commands_never_reach_the_store),
        cmocka_unit_test(a_full_pool_is_an_error_after_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
