/* SPDX-License-Identifier: Apache-2.0 */
/* The library from C: open a store, insert, query with a cursor, a transaction, close.
 *
 *     cc cities.c -o cities $(pkg-config --cflags --libs libbson-1.0) -ldocstore
 *     ./cities                              an embedded store in memory
 *     ./cities docstore:///tmp/my.docstore  one in a file
 *     ./cities mongodb://localhost:27017/   a MongoDB deployment: the same calls
 */
#include <stdio.h>
#include <stdlib.h>

#include <docstore/docstore.h>

/* Commands are documents; the shortest way to write one by hand is JSON. */
static bson_t *json(const char *text) {
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!doc) {
        fprintf(stderr, "%s: %s\n", text, error.message);
        exit(1);
    }
    return doc;
}

static void stop(const ds_error *err) {
    fprintf(stderr, "error %d: %s\n", err->code, err->message);
    exit(1);
}

/* A refused command is a reply with ok: 0; only a missing reply is an error of the call. */
static bool is_ok(const bson_t *reply) {
    bson_iter_t it;
    return bson_iter_init_find(&it, reply, "ok") && bson_iter_as_bool(&it);
}

static void print(const char *what, const bson_t *doc) {
    char *text = bson_as_relaxed_extended_json(doc, NULL);
    printf("%s %s\n", what, text);
    bson_free(text);
}

/* Runs a command written as JSON, in a session or (NULL) without; true when the store took it. */
static bool run(ds_client *client, ds_session *session, const char *text) {
    ds_error err;
    bson_t reply;
    bson_t *command = json(text);
    if (!ds_client_run(client, session, "example", command, &reply, &err)) {
        stop(&err);
    }
    bool ok = is_ok(&reply);
    if (!ok) {
        print("refused:", &reply);
    }
    bson_destroy(&reply);
    bson_destroy(command);
    return ok;
}

static int print_all(ds_client *client, const char *find) {
    ds_error err;
    ds_cursor *cursor;
    bson_t reply, doc;
    bson_t *command = json(find);
    if (!ds_cursor_open(client, NULL, "example", command, &cursor, &reply, &err)) {
        stop(&err);
    }
    bson_destroy(command);
    if (!cursor) {
        print("refused:", &reply);
        exit(1);
    }
    int count = 0;
    ds_next next;
    while ((next = ds_cursor_next(cursor, &doc, &err)) == DS_NEXT_ROW) {
        print("  ", &doc); /* doc is a view: good until the next step */
        count++;
    }
    if (next == DS_NEXT_ERROR) {
        stop(&err);
    }
    if (next == DS_NEXT_REFUSED) {
        print("refused:", ds_cursor_reply(cursor));
        exit(1);
    }
    ds_cursor_close(cursor);
    bson_destroy(&reply);
    return count;
}

/* Two writes that happen together or not at all. */
static void move_people(ds_client *client) {
    ds_error err;
    bson_t reply;
    ds_session *session = ds_session_open(client, NULL, &err);
    if (!session || !ds_session_begin(session, NULL, &err)) {
        stop(&err);
    }
    run(client, session,
        "{\"update\": \"cities\", \"updates\": [{\"q\": {\"_id\": \"Bern\"},"
        " \"u\": {\"$inc\": {\"people\": -1000}}}]}");
    run(client, session,
        "{\"update\": \"cities\", \"updates\": [{\"q\": {\"_id\": \"Oslo\"},"
        " \"u\": {\"$inc\": {\"people\": 1000}}}]}");
    if (!ds_session_commit(session, &reply, &err)) {
        stop(&err);
    }
    printf("committed: %s\n", is_ok(&reply) ? "yes" : "no");
    bson_destroy(&reply);
    ds_session_close(session);
}

int main(int argc, char **argv) {
    ds_error err;
    ds_client *client = ds_client_open(argc > 1 ? argv[1] : "docstore://:memory:", NULL, &err);
    if (!client) {
        stop(&err);
    }
    printf("libdocstore %s, %s store\n", ds_version(),
           ds_client_kind(client) == DS_KIND_EMBEDDED ? "embedded" : "remote");

    run(client, NULL, "{\"delete\": \"cities\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}");
    run(client, NULL,
        "{\"insert\": \"cities\", \"documents\": ["
        "{\"_id\": \"Oslo\", \"country\": \"NO\", \"people\": 709000},"
        "{\"_id\": \"Bern\", \"country\": \"CH\", \"people\": 134000},"
        "{\"_id\": \"Basel\", \"country\": \"CH\", \"people\": 178000}]}");
    run(client, NULL,
        "{\"createIndexes\": \"cities\","
        " \"indexes\": [{\"key\": {\"country\": 1, \"people\": -1}, \"name\": \"by_country\"}]}");

    printf("Swiss cities, largest first:\n");
    int found = print_all(client, "{\"find\": \"cities\", \"filter\": {\"country\": \"CH\"},"
                                  " \"sort\": {\"people\": -1}}");
    move_people(client);
    printf("People by country:\n");
    found += print_all(client,
                       "{\"aggregate\": \"cities\", \"cursor\": {}, \"pipeline\": ["
                       "{\"$group\": {\"_id\": \"$country\", \"people\": {\"$sum\": \"$people\"}}},"
                       "{\"$sort\": {\"_id\": 1}}]}");
    /* what a refusal looks like: the unique index on _id */
    bool taken =
        run(client, NULL, "{\"insert\": \"cities\", \"documents\": [{\"_id\": \"Oslo\"}]}");
    printf("the insert with a used _id %s\n",
           taken ? "answered ok: 1 with writeErrors" : "was refused as a whole");
    ds_client_close(client);
    return found == 4 ? 0 : 1;
}
