/* SPDX-License-Identifier: Apache-2.0 */
/* docstore check: reads every document and index entry of a file and says what is wrong. Nothing is
 * written. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bson/value.h"

typedef struct totals {
    int64_t collections;
    int64_t documents;
    int64_t problems;
} totals;

static ds_value document(const bson_t *reply) {
    return ds__document(bson_get_data(reply));
}

/* Runs a command of one field. False: a message was printed. */
static bool run(ds_client *client, const char *db, const char *name, const char *target,
                bson_t *reply) {
    ds_error err = {0};
    bson_t command = BSON_INITIALIZER;
    if (target) {
        bson_append_utf8(&command, name, -1, target, -1);
        BSON_APPEND_BOOL(&command, "full", true);
    } else {
        bson_append_int32(&command, name, -1, 1);
        BSON_APPEND_BOOL(&command, "nameOnly", true);
    }
    bool ok = ds_client_run(client, NULL, db, &command, reply, &err);
    bson_destroy(&command);
    if (!ok) {
        ds__cli_fail("%s", err.message);
        bson_destroy(reply);
        return false;
    }
    if (!ds__value_truthy(ds__doc_field(document(reply), "ok"))) {
        ds_value message = ds__doc_field(document(reply), "errmsg");
        ds__cli_fail("%s.%s: %.*s", db, target ? target : name, (int)message.size,
                     message.type == DS_STRING ? ds__text(message) : "");
        bson_destroy(reply);
        return false;
    }
    return true;
}

static bool check_collection(ds_client *client, const char *db, const char *name, totals *t) {
    bson_t reply;
    if (!run(client, db, "validate", name, &reply)) {
        return false;
    }
    ds_value doc = document(&reply);
    int64_t records = 0;
    ds__value_exact_int64(ds__doc_field(doc, "nrecords"), &records);
    t->collections++;
    t->documents += records;
    printf("%s.%s: %" PRId64 " documents", db, name, records);
    ds_value errors = ds__doc_field(doc, "errors");
    if (ds__value_truthy(ds__doc_field(doc, "valid"))) {
        puts(", good");
    } else {
        puts(", DAMAGED");
        t->problems++;
    }
    ds__iter it;
    if (errors.type == DS_ARRAY) {
        ds__iter_init(&it, errors);
        while (ds__iter_next(&it)) {
            if (it.value.type == DS_STRING) {
                printf("    %.*s\n", (int)it.value.size, ds__text(it.value));
            }
        }
    }
    bson_destroy(&reply);
    return true;
}

static bool check_database(ds_client *client, const char *db, totals *t) {
    ds_error err = {0};
    bson_t command = BSON_INITIALIZER, reply, doc;
    BSON_APPEND_INT32(&command, "listCollections", 1);
    ds_cursor *cursor = NULL;
    bool ok = ds_cursor_open(client, NULL, db, &command, &cursor, &reply, &err);
    ds_next next = DS_NEXT_END;
    while (cursor && ok && (next = ds_cursor_next(cursor, &doc, &err)) == DS_NEXT_ROW) {
        ds_value entry = document(&doc);
        ds_value name = ds__doc_field(entry, "name");
        /* a view stores nothing, nor does the list of them that is shown beside */
        if (name.type == DS_STRING && !ds__is_string(ds__doc_field(entry, "type"), "view") &&
            !ds__is_string(name, "system.views")) {
            ok = check_collection(client, db, ds__text(name), t);
        }
    }
    if (next == DS_NEXT_ERROR || (!ok && err.code)) {
        ds__cli_fail("%s", err.message);
        ok = false;
    }
    ok = ok && cursor && next != DS_NEXT_REFUSED;
    ds_cursor_close(cursor);
    bson_destroy(&reply);
    bson_destroy(&command);
    return ok;
}

static bool check_all(ds_client *client, totals *t) {
    bson_t reply;
    if (!run(client, "admin", "listDatabases", NULL, &reply)) {
        return false;
    }
    ds_value databases = ds__doc_field(document(&reply), "databases");
    bool ok = databases.type == DS_ARRAY;
    ds__iter it;
    if (ok) {
        ds__iter_init(&it, databases);
        while (ok && ds__iter_next(&it)) {
            ds_value name = ds__doc_field(it.value, "name");
            ok = name.type == DS_STRING && check_database(client, ds__text(name), t);
        }
    }
    bson_destroy(&reply);
    return ok;
}

/* Which format the file has. */
static bool tell_format(ds_client *client) {
    bson_t reply;
    int64_t format = 0;
    if (!run(client, "admin", "serverStatus", NULL, &reply)) {
        return false;
    }
    ds_value engine = ds__doc_field(document(&reply), "storageEngine");
    ds__value_exact_int64(ds__doc_field(engine, "format"), &format);
    printf("format %" PRId64 "\n", format);
    bson_destroy(&reply);
    return true;
}

/* The log: what opening the file found in it, now or before. */
static void check_log(ds_client *client, const char *file, totals *t) {
    char text[512];
    ds_notice notice;
    for (size_t next = 0; (notice = ds_client_warning(client, &next, text, sizeof text));) {
        printf("%s\n", text);
        t->problems += notice == DS_NOTICE_WARNING;
    }
    int n = snprintf(text, sizeof text, "%s-wal-damaged", file);
    if (n > 0 && (size_t)n < sizeof text && access(text, F_OK) == 0) {
        printf("'%s' is there: a damaged log was found in this store, and commits were lost with "
               "it; remove that file when you have seen to it\n",
               text);
        t->problems++;
    }
}

static int run_check(const ds__verb *verb, int argc, char **argv) {
    if (argc != 1 || argv[0][0] == '-') {
        return ds__cli_usage(verb, "name one file: docstore check shop.docstore");
    }
    bson_t options = BSON_INITIALIZER;
    BSON_APPEND_BOOL(&options, "readOnly", true);
    BSON_APPEND_BOOL(&options, "create", false);
    ds_client *client = ds__cli_open(argv[0], &options);
    bson_destroy(&options);
    if (!client) {
        return DS_EXIT_FAILED;
    }
    totals t = {0};
    check_log(client, argv[0], &t);
    bool finished = tell_format(client) && check_all(client, &t);
    ds_client_close(client);
    if (!finished) {
        return DS_EXIT_FAILED;
    }
    printf("%" PRId64 " collections, %" PRId64 " documents, %" PRId64 " damaged\n", t.collections,
           t.documents, t.problems);
    return t.problems ? DS_EXIT_FAILED : DS_EXIT_OK;
}

const ds__verb ds__verb_check = {
    .name = "check",
    .summary = "read a whole file and say what is damaged",
    .help = "docstore check FILE\n"
            "\n"
            "Reads every document and every index entry of FILE, compares them and SQLite's own\n"
            "structure, and prints the file's format and a line per collection. Nothing is "
            "written; other programs may\n"
            "use the file meanwhile. The exit code is 1 when something is damaged.\n",
    .run = run_check,
};
