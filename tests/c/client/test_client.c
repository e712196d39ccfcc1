/* SPDX-License-Identifier: Apache-2.0 */
/* The waist: the same tests on the embedded store and, when DS_TEST_MONGODB_URI names a replica
 * set, on a deployment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

static double number(const bson_t *reply, const char *path) {
    bson_iter_t it, at;
    if (!bson_iter_init(&it, reply) || !bson_iter_find_descendant(&it, path, &at)) {
        char *text = bson_as_relaxed_extended_json(reply, NULL);
        fail_msg("no %s in %s", path, text);
    }
    return bson_iter_as_int64(&at) ? (double)bson_iter_as_int64(&at) : bson_iter_as_double(&at);
}

/* Runs and expects ok: 1; returns a number of the reply. */
static double good(ds_client *client, ds_session *session, const char *text, const char *path) {
    ds_error err = {0};
    bson_t reply;
    if (!run(client, session, text, &reply, &err)) {
        fail_msg("%s: %s", text, err.message);
    }
    if (number(&reply, "ok") != 1) {
        char *said = bson_as_relaxed_extended_json(&reply, NULL);
        fail_msg("%s: %s", text, said);
    }
    double n = number(&reply, path);
    bson_destroy(&reply);
    return n;
}

static void drop(ds_client *client, const char *text) {
    ds_error err = {0};
    bson_t reply;
    assert_true(run(client, NULL, text, &reply, &err));
    bson_destroy(&reply);
}

/* The store under test: the group's state. */
static ds_client *server(void **state) {
    const char *uri = *state;
    if (!uri) {
        skip();
    }
    ds_error err = {0};
    ds_client *client = ds_client_open(uri, NULL, &err);
    if (!client) {
        fail_msg("%s", err.message);
    }
    return client;
}

static void refusals_are_replies(void **state) {
    ds_client *client = server(state);
    ds_error err = {0};
    bson_t reply;
    assert_true(run(client, NULL, "{\"nonsense\": 1}", &reply, &err));
    assert_int_equal(number(&reply, "code"), DS_COMMAND_NOT_FOUND);
    bson_destroy(&reply);
    drop(client, "{\"drop\": \"dup\"}");
    good(client, NULL, "{\"insert\": \"dup\", \"documents\": [{\"_id\": 1}]}", "n");
    assert_true(run(client, NULL,
                    "{\"insert\": \"dup\", \"documents\": [{\"_id\": 1}],"
                    " \"writeConcern\": {\"w\": 1}, \"$db\": \"docstore_c_test\"}",
                    &reply, &err));
    assert_int_equal(number(&reply, "writeErrors.0.code"), DS_DUPLICATE_KEY);
    bson_destroy(&reply);
    assert_true(run(client, NULL,
                    "{\"insert\": \"dup\", \"documents\": [{}], \"writeConcern\": {\"w\": 0}}",
                    &reply, &err));
    assert_int_equal(number(&reply, "ok"), 1);
    bson_destroy(&reply);
    ds_client_close(client);
}

static void cursors_fetch_batch_after_batch(void **state) {
    ds_client *client = server(state);
    drop(client, "{\"drop\": \"many\"}");
    bson_t command, documents;
    bson_init(&command);
    BSON_APPEND_UTF8(&command, "insert", "many");
    BSON_APPEND_ARRAY_BEGIN(&command, "documents", &documents);
    for (int i = 0; i < 1000; i++) {
        char key[12];
        snprintf(key, sizeof key, "%d", i);
        bson_t doc;
        BSON_APPEND_DOCUMENT_BEGIN(&documents, key, &doc);
        BSON_APPEND_INT32(&doc, "_id", i);
        bson_append_document_end(&documents, &doc);
    }
    bson_append_array_end(&command, &documents);
    ds_error err = {0};
    bson_t reply;
    assert_true(ds_client_run(client, NULL, "docstore_c_test", &command, &reply, &err));
    assert_int_equal(number(&reply, "n"), 1000);
    bson_destroy(&reply);
    bson_destroy(&command);

    bson_t *find = json("{\"find\": \"many\", \"sort\": {\"_id\": 1}, \"batchSize\": 7}");
    ds_cursor *cursor = NULL;
    assert_true(ds_cursor_open(client, NULL, "docstore_c_test", find, &cursor, &reply, &err));
    assert_non_null(cursor);
    bson_t doc;
    int seen = 0;
    while (ds_cursor_next(cursor, &doc, &err) == DS_NEXT_ROW) {
        assert_int_equal(number(&doc, "_id"), seen);
        seen++;
        good(client, NULL, "{\"ping\": 1}", "ok"); /* another connection's session */
    }
    assert_int_equal(seen, 1000);
    ds_cursor_close(cursor);

    assert_true(ds_cursor_open(client, NULL, "docstore_c_test", find, &cursor, &reply, &err));
    ds_cursor_set_batch_size(cursor, 300);
    int batches = 0;
    bson_t batch;
    seen = 0;
    while (ds_cursor_batch(cursor, &reply, &batch, &err) == DS_NEXT_ROW) {
        batches++;
        seen += (int)bson_count_keys(&batch);
        bson_destroy(&reply);
    }
    assert_int_equal(seen, 1000);
    assert_int_equal(batches, 5); /* 7, 300, 300, 300, 93 */
    ds_cursor_close(cursor);

    /* killed behind the cursor's back: a refusal */
    assert_true(ds_cursor_open(client, NULL, "docstore_c_test", find, &cursor, &reply, &err));
    drop(client, "{\"drop\": \"many\"}");
    ds_next next;
    while ((next = ds_cursor_next(cursor, &doc, &err)) == DS_NEXT_ROW) {
    }
    assert_int_equal(next, DS_NEXT_REFUSED);
    assert_true(number(ds_cursor_reply(cursor), "code") > 0);
    ds_cursor_close(cursor);
    bson_destroy(find);

    bson_t *bad = json("{\"find\": \"many\", \"filter\": {\"$nope\": 1}}");
    assert_true(ds_cursor_open(client, NULL, "docstore_c_test", bad, &cursor, &reply, &err));
    assert_null(cursor);
    assert_int_equal(number(&reply, "code"), DS_BAD_VALUE);
    bson_destroy(&reply);
    bson_destroy(bad);
    ds_client_close(client);
}

static void transactions_commit_and_abort(void **state) {
    ds_client *client = server(state);
    ds_error err = {0};
    bson_t reply;
    drop(client, "{\"drop\": \"txn\"}");
    good(client, NULL, "{\"create\": \"txn\"}", "ok");
    ds_session *session = ds_session_open(client, NULL, &err);
    assert_non_null(session);
    assert_true(bson_has_field(ds_session_lsid(session), "id"));
    assert_false(ds_session_in_transaction(session));
    assert_false(ds_session_commit(session, &reply, &err));
    assert_int_equal(err.code, DS_NO_SUCH_TRANSACTION);

    assert_true(ds_session_begin(session, NULL, &err));
    assert_false(ds_session_begin(session, NULL, &err));
    assert_true(ds_session_in_transaction(session));
    good(client, session, "{\"insert\": \"txn\", \"documents\": [{\"_id\": 1}]}", "n");
    good(client, session, "{\"find\": \"txn\"}", "cursor.firstBatch.0._id");
    assert_int_equal(
        good(client, NULL, "{\"count\": \"txn\", \"query\": {\"_id\": {\"$gte\": 0}}}", "n"), 0);
    assert_true(ds_session_abort(session, &reply, &err));
    bson_destroy(&reply);
    assert_int_equal(
        good(client, NULL, "{\"count\": \"txn\", \"query\": {\"_id\": {\"$gte\": 0}}}", "n"), 0);

    bson_t *options = json("{\"writeConcern\": {\"w\": \"majority\"},"
                           " \"readConcern\": {\"level\": \"snapshot\"}}");
    assert_true(ds_session_begin(session, options, &err));
    bson_destroy(options);
    good(client, session, "{\"insert\": \"txn\", \"documents\": [{\"_id\": 1}, {\"_id\": 2}]}",
         "n");
    assert_true(ds_session_commit(session, &reply, &err));
    assert_int_equal(number(&reply, "ok"), 1);
    bson_destroy(&reply);
    assert_int_equal(
        good(client, NULL, "{\"count\": \"txn\", \"query\": {\"_id\": {\"$gte\": 0}}}", "n"), 2);
    /* outside a transaction the session goes on */
    good(client, session,
         "{\"update\": \"txn\", \"updates\": [{\"q\": {}, \"u\": {\"$set\": {\"a\": 1}}}]}", "n");
    good(client, session, "{\"findAndModify\": \"txn\", \"remove\": true}", "ok");
    assert_true(ds_session_begin(session, NULL, &err));
    good(client, session, "{\"insert\": \"txn\", \"documents\": [{\"_id\": 9}]}", "n");
    ds_session_close(session); /* aborts */
    assert_int_equal(
        good(client, NULL, "{\"count\": \"txn\", \"query\": {\"_id\": {\"$gte\": 0}}}", "n"), 1);
    ds_client_close(client);
}

static void a_child_opens_its_own_connections(void **state) {
    ds_client *client = server(state);
    ds_error err = {0};
    good(client, NULL, "{\"ping\": 1}", "ok");
    ds_session *session = ds_session_open(client, NULL, &err);
    pid_t child = fork();
    if (child == 0) {
        bson_t reply;
        int failed = !run(client, NULL, "{\"ping\": 1}", &reply, &err);
        if (ds_client_kind(client) == DS_KIND_REMOTE) {
            failed |= run(client, session, "{\"ping\": 1}", &reply, &err) ? 2 : 0;
            failed |= err.code != DS_ILLEGAL_OPERATION ? 4 : 0;
        }
        ds_session_close(session);
        ds_client_close(client);
        _exit(failed);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    good(client, session, "{\"ping\": 1}", "ok");
    ds_session_close(session);
    ds_client_close(client);
}

static int use_embedded(void **state) {
    static char uri[] = "docstore://:memory:";
    *state = uri;
    return 0;
}

static int use_deployment(void **state) {
    *state = getenv("DS_TEST_MONGODB_URI");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_replies),
        cmocka_unit_test(cursors_fetch_batch_after_batch),
        cmocka_unit_test(transactions_commit_and_abort),
        cmocka_unit_test(a_child_opens_its_own_connections),
    };
    int failed = cmocka_run_group_tests_name("embedded", tests, use_embedded, NULL);
    return failed + cmocka_run_group_tests_name("deployment", tests, use_deployment, NULL);
}
