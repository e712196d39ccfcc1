/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads over one client: they write, read, keep snapshots and transactions, change the
 * catalog, are killed, end sessions, are served, open and close the same file. Meant for
 * ThreadSanitizer (`make nightly`); THREAD_ROUNDS makes it longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>

#include "docstore/docstore.h"
#include "wire/wire.h"

enum { WORKERS = 2, MAX_THREADS = 24, KILL_EVERY = 7 };

typedef struct world {
    ds_client *client;
    char path[96];
    int rounds;
    atomic_int failures;
    atomic_int written; /* documents of w whose insert was acknowledged */
    atomic_int added;   /* to the counter */
    atomic_bool done;   /* the threads that end by themselves have ended */
} world;

typedef struct worker {
    world *w;
    int number;
} worker;

static double number(const bson_t *reply, const char *path) {
    bson_iter_t it, at;
    bool found = bson_iter_init(&it, reply) && bson_iter_find_descendant(&it, path, &at);
    return !found                        ? -1
           : BSON_ITER_HOLDS_DOUBLE(&at) ? bson_iter_double(&at)
                                         : (double)bson_iter_as_int64(&at);
}

static void failed(world *w, const char *what, const char *why) {
    if (atomic_fetch_add(&w->failures, 1) < 5) {
        print_error("%.200s: %.300s\n", what, why);
    }
}

/* What a client meets when others drop, kill and change what it uses. */
static bool allowed(int code) {
    static const int codes[] = {
        11600, 11601, 239, 112, 26,  27,  43, 48,  85,  86,
        175,   251,   279, 237, 238, 246, 24, 117, 276, 72,
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

/* Whether the store did what was asked; a refusal that no other thread explains is a failure. */
static bool judge(world *w, const char *what, const bson_t *reply) {
    int code = (int)number(reply, "code");
    int write_code = (int)number(reply, "writeErrors.0.code");
    bool refused = number(reply, "ok") != 1 || write_code > 0;
    if (refused && !allowed(write_code > 0 ? write_code : code)) {
        char *text = bson_as_relaxed_extended_json(reply, NULL);
        failed(w, what, text);
        bson_free(text);
    }
    return !refused;
}

/* Runs a command given as JSON; `out`, when given, takes the number at `path`. */
static bool run_on(world *w, ds_client *client, ds_session *session, const char *path, double *out,
                   const char *format, ...) {
    char text[700];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bson_error_t error;
    bson_t reply;
    ds_error err = {0};
    bson_t *command = bson_new_from_json((const uint8_t *)text, -1, &error);
    if (!command) {
        fail_msg("%s: %s", text, error.message);
    }
    bool ok = ds_client_run(client, session, "d", command, &reply, &err);
    if (!ok) {
        failed(w, text, err.message);
    }
    ok = ok && judge(w, text, &reply);
    if (ok && out) {
        *out = number(&reply, path);
    }
    bson_destroy(&reply);
    bson_destroy(command);
    return ok;
}

#define run(w, session, ...) run_on(w, (w)->client, session, NULL, NULL, __VA_ARGS__)

static void *write_documents(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    for (int i = 0; i < w->rounds * 4; i++) {
        int id = me->number * 1000000 + i;
        if (run(w, NULL,
                "{\"insert\": \"w\", \"documents\": [{\"_id\": %d, \"n\": %d, \"t\": [%d, \"x\"], "
                "\"at\": {\"$date\": {\"$numberLong\": \"%d\"}}}]}",
                id, i, i % 7, i)) {
            atomic_fetch_add(&w->written, 1);
        }
        run(w, NULL,
            "{\"update\": \"w\", \"updates\": [{\"q\": {\"n\": %d}, \"u\": {\"$inc\": {\"m\": 1}, "
            "\"$push\": {\"t\": %d}}, \"multi\": true}]}",
            i / 2, i);
        if (run(w, NULL,
                "{\"findAndModify\": \"k\", \"query\": {\"_id\": 1}, \"update\": {\"$inc\": "
                "{\"n\": 1}}, \"upsert\": true}")) {
            atomic_fetch_add(&w->added, 1);
        }
    }
    return NULL;
}

/* To the end, or a few steps only; closed, abandoned. */
static void iterate(world *w, ds_session *session, int i) {
    bson_t reply, doc;
    ds_error err = {0};
    ds_cursor *cursor = NULL;
    bson_t *find = BCON_NEW("find", "w", "filter", "{", "n", "{", "$gte", BCON_INT32(i % 5), "}",
                            "}", "sort", "{", "n", BCON_INT32(1), "}", "batchSize", BCON_INT32(7));
    if (!ds_cursor_open(w->client, session, "d", find, &cursor, &reply, &err)) {
        failed(w, "find", err.message);
    } else if (!cursor) {
        judge(w, "find", &reply);
    }
    ds_next step = DS_NEXT_ROW;
    for (int n = 0; cursor && step == DS_NEXT_ROW && (i % 3 != 0 || n < 10); n++) {
        step = ds_cursor_next(cursor, &doc, &err);
    }
    if (step == DS_NEXT_ERROR) {
        failed(w, "getMore", err.message);
    } else if (step == DS_NEXT_REFUSED) {
        judge(w, "getMore", ds_cursor_reply(cursor));
    }
    if (i % 2) {
        ds_cursor_close(cursor);
    } else {
        ds_cursor_abandon(cursor);
    }
    bson_destroy(&reply);
    bson_destroy(find);
}

static void *read_documents(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    char warning[600];
    for (int i = 0; i < w->rounds; i++) {
        iterate(w, NULL, i);
        run(w, NULL,
            "{\"aggregate\": \"w\", \"pipeline\": [{\"$limit\": 60}, {\"$unwind\": \"$t\"}, "
            "{\"$group\": {\"_id\": \"$t\", \"n\": {\"$sum\": 1}}}], \"cursor\": {}}");
        run(w, NULL, "{\"count\": \"w\", \"query\": {\"t\": 3}, \"maxTimeMS\": 20000}");
        run(w, NULL, "{\"serverStatus\": 1}");
        ds_client_warning(w->client, &(size_t){0}, warning, sizeof warning);
    }
    return NULL;
}

/* Every read of a snapshot sees the same. */
static void *read_snapshots(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    bson_t *options = BCON_NEW("snapshot", BCON_BOOL(true));
    for (int i = 0; i < w->rounds; i++) {
        ds_error err = {0};
        ds_session *session = ds_session_open(w->client, options, &err);
        const char *count = "{\"aggregate\": \"w\", \"pipeline\": [{\"$group\": {\"_id\": null, "
                            "\"n\": {\"$sum\": 1}}}], \"cursor\": {}}";
        double first = -1, again = -1;
        if (!session) {
            failed(w, "session", err.message);
            break;
        }
        const char *path = "cursor.firstBatch.0.n";
        if (run_on(w, w->client, session, path, &first, "%s", count)) {
            iterate(w, session, i);
            if (run_on(w, w->client, session, path, &again, "%s", count) && again != first) {
                char why[80];
                snprintf(why, sizeof why, "%.0f documents, then %.0f", first, again);
                failed(w, "a snapshot has changed", why);
            }
        }
        ds_session_close(session);
    }
    bson_destroy(options);
    return NULL;
}

/* Moves one from a to b: the sum stays. */
static void *transfer(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    ds_error err = {0};
    ds_session *session = ds_session_open(w->client, NULL, &err);
    for (int i = 0; session && i < w->rounds * 2; i++) {
        bson_t reply;
        if (!ds_session_begin(session, NULL, &err)) {
            failed(w, "begin", err.message);
            break;
        }
        if (i % 3 == 0) {
            run(w, session, "{\"find\": \"accounts\"}");
        }
        bool ok = run(w, session,
                      "{\"update\": \"accounts\", \"updates\": [{\"q\": {\"_id\": \"a\"}, \"u\": "
                      "{\"$inc\": {\"n\": -1}}}]}") &&
                  run(w, session,
                      "{\"update\": \"accounts\", \"updates\": [{\"q\": {\"_id\": \"b\"}, \"u\": "
                      "{\"$inc\": {\"n\": 1}}}]}");
        bool told = ok && i % 4 != 3 ? ds_session_commit(session, &reply, &err)
                                     : ds_session_abort(session, &reply, &err);
        if (!told) {
            failed(w, "the end of a transaction", err.message);
        } else {
            judge(w, "the end of a transaction", &reply);
        }
        bson_destroy(&reply);
    }
    ds_session_close(session);
    return NULL;
}

static void *change_catalog(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    for (int i = 0; i < w->rounds / 2; i++) {
        run(w, NULL,
            "{\"createIndexes\": \"w\", \"indexes\": [{\"key\": {\"n\": 1, \"t\": -1}, \"name\": "
            "\"n_t\"}, {\"key\": {\"old\": 1}, \"name\": \"old\", \"expireAfterSeconds\": 1}]}");
        run(w, NULL, "{\"create\": \"o\", \"validator\": {\"a\": {\"$type\": \"int\"}}}");
        run(w, NULL, "{\"collMod\": \"o\", \"validationLevel\": \"moderate\"}");
        run(w, NULL, "{\"renameCollection\": \"d.o\", \"to\": \"d.p\", \"$db\": \"admin\"}");
        run(w, NULL, "{\"listIndexes\": \"w\"}");
        run(w, NULL, "{\"dropIndexes\": \"w\", \"index\": \"*\"}");
        run(w, NULL, "{\"validate\": \"k\"}");
        run(w, NULL, "{\"drop\": \"p\"}");
        run(w, NULL, "{\"dropDatabase\": 1, \"$db\": \"e\"}");
    }
    return NULL;
}

/* Kills every operation of a collection it sees, now and then everybody's sessions. */
static void *kill(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    for (int i = 0; !atomic_load(&w->done); i++) {
        double op = -1;
        if (run_on(w, w->client, NULL, "inprog.0.opid", &op,
                   "{\"currentOp\": 1, \"ns\": {\"$regex\": \"^d\\\\.\"}, \"$db\": \"admin\"}") &&
            op > 0) {
            run(w, NULL, "{\"killOp\": 1, \"op\": %.0f, \"$db\": \"admin\"}", op);
        }
        if (i % KILL_EVERY == 0) {
            run(w, NULL, "{\"killAllSessions\": [], \"$db\": \"admin\"}");
        } else if (i % KILL_EVERY == 3) {
            ds_client_interrupt(w->client);
        }
        usleep(20000);
    }
    return NULL;
}

/* The same file once more in this process. */
static void *open_again(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    char uri[128];
    snprintf(uri, sizeof uri, "docstore://%s", w->path);
    for (int i = 0; i < w->rounds / 2; i++) {
        ds_error err = {0};
        ds_client *client = ds_client_open(uri, NULL, &err);
        if (!client) {
            failed(w, "open", err.message);
            break;
        }
        run_on(w, client, NULL, NULL, NULL,
               "{\"insert\": \"again\", \"documents\": [{\"n\": %d}], \"$db\": \"e\"}", i);
        ds_client_close(client);
    }
    return NULL;
}

/* Leaves a transaction open in the session of a client that goes away. */
static void *be_served(void *arg) {
    const worker *me = arg;
    world *w = me->w;
    const ds__wire_options options = {.socket = ""};
    bson_t *patience = BCON_NEW("serverSelectionTimeoutMS", BCON_INT32(200));
    for (int i = 0; i < w->rounds / 4; i++) {
        ds_error err = {0};
        ds__wire_server *server = ds__wire_start(w->client, &options, &err);
        ds_client *client = server ? ds_client_open(ds__wire_uri(server), patience, &err) : NULL;
        ds_session *session = client ? ds_session_open(client, NULL, &err) : NULL;
        if (!session) {
            failed(w, "serve", err.message);
        } else {
            run_on(w, client, NULL, NULL, NULL, "{\"find\": \"w\", \"batchSize\": 3}");
            ds_session_begin(session, NULL, &err);
            run_on(w, client, session, NULL, NULL,
                   "{\"insert\": \"served\", \"documents\": [{\"n\": %d}]}", i);
            if (i % 2) {
                bson_t reply;
                ds_session_commit(session, &reply, &err);
                bson_destroy(&reply);
            }
        }
        if (i % 3 == 0) {
            ds__wire_stop(server);
            server = NULL;
        }
        ds_session_close(session);
        ds_client_close(client);
        ds__wire_stop(server);
    }
    bson_destroy(patience);
    return NULL;
}

static void listen_to(void *ctx, const ds_command_event *event) {
    (void)event;
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void check_end(world *w) {
    double n = -1, sum = -1;
    assert_true(run_on(w, w->client, NULL, "n", &n, "{\"count\": \"w\"}"));
    assert_int_equal((int)n, w->written);
    assert_true(run_on(w, w->client, NULL, "value.n", &n,
                       "{\"findAndModify\": \"k\", \"query\": {\"_id\": 1}, \"update\": "
                       "{\"$set\": {\"seen\": true}}}"));
    assert_int_equal((int)n, w->added);
    assert_true(run_on(w, w->client, NULL, "cursor.firstBatch.0.n", &sum,
                       "{\"aggregate\": \"accounts\", \"pipeline\": [{\"$group\": {\"_id\": null, "
                       "\"n\": {\"$sum\": \"$n\"}}}], \"cursor\": {}}"));
    assert_int_equal((int)sum, 0);
    assert_true(run_on(w, w->client, NULL, "valid", &n, "{\"validate\": \"w\", \"full\": true}"));
    assert_int_equal((int)n, 1);
}

static void work(world *w) {
    void *(*const jobs[])(void *) = {write_documents, read_documents, read_snapshots, transfer,
                                     change_catalog,  open_again,     be_served};
    worker workers[MAX_THREADS];
    pthread_t threads[MAX_THREADS], killer;
    size_t count = 0;
    for (size_t job = 0; job < sizeof jobs / sizeof *jobs; job++) {
        for (int i = 0; i < (job < 4 ? WORKERS : 1); i++, count++) {
            workers[count] = (worker){w, i};
            assert_int_equal(pthread_create(&threads[count], NULL, jobs[job], &workers[count]), 0);
        }
    }
    worker last = {w, 0};
    assert_int_equal(pthread_create(&killer, NULL, kill, &last), 0);
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store(&w->done, true);
    pthread_join(killer, NULL);
}

static void threads_share_a_client(void **state) {
    (void)state;
    const char *rounds = getenv("THREAD_ROUNDS");
    world w = {.rounds = rounds ? (int)strtol(rounds, NULL, 10) : 12};
    char dir[] = "/tmp/docstore-threads-XXXXXX", uri[128];
    atomic_int events = 0;
    ds_error err = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(w.path, sizeof w.path, "%s/t.docstore", dir);
    snprintf(uri, sizeof uri, "docstore://%s", w.path);
    w.client = ds_client_open(uri, NULL, &err);
    if (!w.client) {
        fail_msg("%s", err.message);
    }
    ds_client_set_monitor(w.client, listen_to, &events);
    run(&w, NULL,
        "{\"insert\": \"accounts\", \"documents\": [{\"_id\": \"a\", \"n\": 0}, {\"_id\": \"b\", "
        "\"n\": 0}]}");
    work(&w);
    check_end(&w);
    assert_int_equal(w.failures, 0);
    assert_true(events > 0);
    ds_client_close(w.client);
    unlink(w.path);
    assert_int_equal(rmdir(dir), 0); /* the log and its index went with the last client */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
