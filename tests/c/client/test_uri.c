/* SPDX-License-Identifier: Apache-2.0 */
/* What ds_client_open says about URIs and options. No server is contacted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

typedef struct refusal {
    const char *uri;
    const char *options; /* JSON, or NULL */
    int32_t code;
    const char *says;
} refusal;

static bson_t *json(const char *text) {
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    assert_non_null(doc);
    return doc;
}

static ds_client *open_with(const char *uri, const char *options, ds_error *err) {
    bson_t *doc = options ? json(options) : NULL;
    ds_client *client = ds_client_open(uri, doc, err);
    bson_destroy(doc);
    return client;
}

static void bad_uris_are_refused_with_a_reason(void **state) {
    static const refusal refusals[] = {
        {"", NULL, DS_FAILED_TO_PARSE, "unknown kind of store ''"},
        {"postgres://x", NULL, DS_FAILED_TO_PARSE, "'postgres'"},
        {"mongodb://", NULL, DS_FAILED_TO_PARSE, "names no host"},
        {"mongodb:///db", NULL, DS_FAILED_TO_PARSE, "names no host"},
        {"mongodb://h:port/", NULL, DS_FAILED_TO_PARSE, ""},
        {"mongodb://h:99999/", NULL, DS_FAILED_TO_PARSE, ""},
        {"mongodb://us@er:pw@h/", NULL, DS_FAILED_TO_PARSE, "escaped"},
        {"mongodb://h/?replicaset", NULL, DS_FAILED_TO_PARSE, "'replicaset' is not of the form"},
        {"mongodb://h/?retryWrites=maybe", NULL, DS_BAD_VALUE, "'retryWrites' must be true or"},
        {"mongodb://h/?connectTimeoutMS=fast", NULL, DS_BAD_VALUE, "'connectTimeoutMS' must be"},
        {"mongodb://h/?connectTimeoutMS=-1", NULL, DS_BAD_VALUE, "'connectTimeoutMS' must be"},
        {"mongodb://h/?readPreference=closest", NULL, DS_BAD_VALUE, "must be one of primary"},
        {"mongodb://h/?w=-2", NULL, DS_BAD_VALUE, "w is a number of members or a name"},
        {"mongodb://h/?replicaSt=rs0", NULL, DS_INVALID_OPTIONS, "did you mean 'replicaSet'?"},
        {"mongodb://h/?zzz=1", NULL, DS_INVALID_OPTIONS, "unknown connection option 'zzz'"},
        {"mongodb://h/?tlsCAFile=/no/such/file.pem", NULL, DS_FILE_STREAM_FAILED, "cannot read"},
        {"mongodb://h/?loadBalanced=true", NULL, DS_NOT_IMPLEMENTED, "loadBalanced"},
        {"mongodb://h/?username=x", NULL, DS_INVALID_OPTIONS, "stands before the '?'"},
        {"mongodb://h/", "{\"maxPoolSize\": \"many\"}", DS_BAD_VALUE, "'maxPoolSize' must be"},
        {"mongodb://h/", "{\"nope\": 1}", DS_INVALID_OPTIONS, "'nope'"},
        {"mongodb://h/", "{\"password\": 5}", DS_BAD_VALUE, "'password'"},
        {"docstore:file", NULL, DS_FAILED_TO_PARSE, "docstore:///path"},
        {"docstore://", NULL, DS_FAILED_TO_PARSE, "names no file"},
        {"docstore://a%2", NULL, DS_FAILED_TO_PARSE, "%25"},
        {"docstore://:memory:?durability=some", NULL, DS_BAD_VALUE, "'durability'"},
        {"docstore://:memory:?colour=red", NULL, DS_INVALID_OPTIONS, "no option 'colour'"},
        {"docstore://:memory:", "{\"busyTimeoutMS\": 0}", DS_BAD_VALUE, "'busyTimeoutMS' must be"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const refusal *r = &refusals[i];
        ds_error err = {0};
        ds_client *client = open_with(r->uri, r->options, &err);
        if (client || (err.code != r->code && err.code != DS_NOT_IMPLEMENTED) ||
            (err.code == r->code && !strstr(err.message, r->says))) {
            fail_msg("%s: code %d, %s", r->uri, err.code, err.message);
        }
    }
    ds_error err = {0};
    assert_null(ds_client_open(NULL, NULL, &err));
    assert_int_equal(err.code, DS_BAD_VALUE);
    assert_null(ds_client_open("nothing", NULL, NULL));
}

static void options_in_a_document_win_over_the_uri(void **state) {
    static const char *const good[][2] = {
        {"mongodb://h/?retryWrites=maybe", "{\"retryWrites\": false}"},
        {"mongodb://h", "{\"username\": \"a:b@c/d\", \"password\": \"%p@:/\"}"},
        {"mongodb://a:1,b:2,[::1]:3/db?replicaSet=rs&w=majority&wTimeoutMS=5&j=true", NULL},
        {"mongodb://u:p%40@h/db?authSource=admin&authMechanism=SCRAM-SHA-256", NULL},
        {"mongodb://%2Ftmp%2Fmongodb-27017.sock/db", NULL},
        {"mongodb://h/?readPreference=secondary&readPreferenceTags=dc:east&readPreferenceTags=",
         NULL},
        {"mongodb://h/?uuidRepresentation=standard&appname=x", "{\"maxPoolSize\": 5, \"w\": 1}"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ds_error err = {0};
        ds_client *client = open_with(good[i][0], good[i][1], &err);
        if (!client) {
            fail_msg("%s: %s", good[i][0], err.message);
        }
        assert_int_equal(ds_client_kind(client), DS_KIND_REMOTE);
        ds_client_close(client);
    }
}

static void the_database_of_the_uri_is_the_default(void **state) {
    ds_error err = {0};
    ds_client *client = open_with("mongodb://h/shop?w=1", NULL, &err);
    assert_string_equal(ds_client_default_db(client), "shop");
    ds_client_close(client);
    client = open_with("mongodb://h/shop", "{\"database\": \"other\"}", &err);
    assert_string_equal(ds_client_default_db(client), "other");
    ds_client_close(client);
    client = open_with("mongodb://h", NULL, &err);
    assert_null(ds_client_default_db(client));
    ds_client_close(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_uris_are_refused_with_a_reason),
        cmocka_unit_test(options_in_a_document_win_over_the_uri),
        cmocka_unit_test(the_database_of_the_uri_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
