/* SPDX-License-Identifier: Apache-2.0 */
/* A workload that is broken at its Nth step, for every N: what was refused has left nothing behind,
 * what was acknowledged is there, and the same engine goes on. */
#ifndef DS_TESTS_ENGINE_FAULTS_H
#define DS_TESTS_ENGINE_FAULTS_H

#include "store/util.h"

#include <pthread.h>

#include "base/limits.h"
#include "bson/validate.h"
#include "engine/engine.h"

/* The step that fails, counted down by whoever makes steps fail; shared by the kinds of faults. */
typedef struct fault_plan {
    long left;   /* steps that still pass; -1: none fails */
    bool sticky; /* those after it fail too */
    bool fired;
    bool off; /* not now: the test's own work */
} fault_plan;

static fault_plan fault = {.left = -1};
static long fault_elsewhere; /* steps that failed in other threads than the test's */
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t fault_thread; /* the test's */

/* Called with the lock. */
static inline bool fault_step(void) {
    if (fault.off || fault.left < 0) {
        return false;
    }
    if (fault.left > 0) {
        fault.left--;
        return false;
    }
    if (fault.fired && !fault.sticky) {
        return false;
    }
    fault.fired = true;
    fault_elsewhere += !pthread_equal(pthread_self(), fault_thread);
    return true;
}

static inline bool fault_now(void) {
    pthread_mutex_lock(&fault_lock);
    const bool now = fault_step();
    pthread_mutex_unlock(&fault_lock);
    return now;
}

static inline void fault_arm(long n, bool sticky) {
    fault_thread = pthread_self();
    fault = (fault_plan){.left = n, .sticky = sticky};
}

static inline void fault_disarm(void) {
    fault.left = -1;
}

enum { MAX_COMMANDS = 6 };

/* What happens entirely or not at all. %d: the number of the transaction. */
typedef struct fault_unit {
    const char *name;
    const char *commands[MAX_COMMANDS];
    bool in_part; /* documents one by one: what was done stays; to repeat it does no harm */
} fault_unit;

#define LSID                                                                                       \
    "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", "                 \
    "\"subType\": \"04\"}}}, \"txnNumber\": {\"$numberLong\": \"%d\"}, \"autocommit\": false"

#define RETRYABLE                                                                                  \
    "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"BAAAAAAAAAAAAAAAAAAAAA==\", "                 \
    "\"subType\": \"04\"}}}, \"txnNumber\": {\"$numberLong\": \"%d\"}"

static const fault_unit fault_units[] = {
    {"index",
     {"{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"n\": 1}, \"name\": \"n\"}, "
      "{\"key\": {\"s\": 1}, \"name\": \"s\", \"unique\": true}]}"}},
    {"insert",
     {"{\"insert\": \"c\", \"documents\": [{\"_id\": 1, \"n\": 1, \"s\": \"a\"}, {\"_id\": "
      "2, \"n\": [1, 2, 3], \"s\": \"b\"}, {\"_id\": 3, \"n\": 5, \"s\": \"c\"}]}"}},
    {"unordered",
     {"{\"insert\": \"c\", \"ordered\": false, \"documents\": [{\"_id\": 4, \"n\": 4, "
      "\"s\": \"d\"}, {\"_id\": 4}, {\"_id\": 5, \"n\": 9, \"s\": \"a\"}, {\"_id\": 6, "
      "\"n\": 6, \"s\": \"f\", \"t\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]}"}},
    {"update",
     {"{\"update\": \"c\", \"updates\": [{\"q\": {\"n\": {\"$gte\": 1}}, \"u\": {\"$inc\": "
      "{\"k\": 1}, \"$push\": {\"a\": 7}}, \"multi\": true}]}"}},
    {"move",
     {"{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 2}, \"u\": {\"$set\": {\"n\": [3, "
      "4, 5], \"s\": \"bb\"}}}, {\"q\": {\"_id\": 9}, \"u\": {\"$set\": {\"n\": 9, \"s\": "
      "\"z\"}}, \"upsert\": true}]}"}},
    {"modify",
     {"{\"findAndModify\": \"c\", \"query\": {\"s\": \"bb\"}, \"update\": {\"$set\": "
      "{\"s\": \"b\"}}, \"new\": true}"}},
    {"transaction",
     {"{\"insert\": \"c\", \"documents\": [{\"_id\": 20, \"n\": 20, \"s\": \"t\"}], "
      "\"startTransaction\": true, " LSID "}",
      "{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$inc\": {\"n\": "
      "100}}}], " LSID "}",
      "{\"find\": \"c\", \"filter\": {\"n\": {\"$gt\": 5}}, " LSID "}",
      "{\"commitTransaction\": 1, " LSID "}"}},
    {"retryable",
     {"{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$inc\": {\"n\": 1}}}, "
      "{\"q\": {\"_id\": 30}, \"u\": {\"$set\": {\"s\": \"r\"}}, \"upsert\": true}], " RETRYABLE
      "}"}},
    {"journalled",
     {"{\"insert\": \"d\", \"documents\": [{\"_id\": 1}], \"writeConcern\": {\"j\": "
      "true}}"}},
    {"ddl",
     {"{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"k\": -1, \"n\": 1}, \"name\": "
      "\"k\", \"partialFilterExpression\": {\"k\": {\"$gt\": 0}}}]}"}},
    {"race",
     {"{\"find\": \"c\", \"filter\": {\"n\": {\"$gte\": 1}, \"s\": {\"$gte\": \"a\"}}, \"sort\": "
      "{\"s\": 1}, \"limit\": 2}",
      "{\"explain\": {\"find\": \"c\", \"filter\": {\"n\": {\"$gte\": 1}, \"s\": {\"$gte\": "
      "\"a\"}}}, \"verbosity\": \"allPlansExecution\"}",
      "{\"find\": \"c\", \"filter\": {\"$or\": [{\"s\": {\"$gt\": \"a\"}}, {\"s\": \"a\", "
      "\"k\": {\"$gt\": 0}}]}, \"sort\": {\"s\": -1}}",
      "{\"distinct\": \"c\", \"key\": \"s\"}",
      "{\"find\": \"c\", \"projection\": {\"s\": 1, \"_id\": 0}, \"hint\": \"s\", \"skip\": 1}",
      "{\"count\": \"c\", \"query\": {\"n\": {\"$gt\": 2}}}"}},
    {"merge",
     {"{\"aggregate\": \"c\", \"pipeline\": [{\"$sort\": {\"_id\": 1}}, {\"$group\": "
      "{\"_id\": \"$k\", \"n\": {\"$sum\": 1}}}, {\"$out\": \"e\"}], \"cursor\": {}}"}},
    {"copy",
     {"{\"aggregate\": \"c\", \"pipeline\": [{\"$match\": {\"_id\": {\"$lt\": 5}}}, {\"$set\": "
      "{\"n\": [50, \"$_id\"], \"s\": {\"$concat\": [\"m\", {\"$toString\": \"$_id\"}]}}}, "
      "{\"$merge\": {\"into\": \"c\", \"whenMatched\": \"replace\"}}], \"cursor\": {}}"},
     .in_part = true},
    {"delete",
     {"{\"delete\": \"c\", \"deletes\": [{\"q\": {\"n\": {\"$lt\": 6}}, \"limit\": 0}]}"}},
    {"drop", {"{\"dropIndexes\": \"c\", \"index\": \"n\"}"}},
    {"rename", {"{\"renameCollection\": \"db.d\", \"to\": \"db.f\"}"}},
    {"gone", {"{\"drop\": \"e\"}"}},
};

enum { FAULT_UNITS = sizeof fault_units / sizeof fault_units[0] };

/* Answers with the code of the refusal, 0 when there is none. The reply must be BSON. */
static inline int fault_run(ds_engine *engine, const char *db, const char *json, ds_buf *reply) {
    ds_error err = {0};
    bson_error_t error;
    bool off = fault.off;
    fault.off = true;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    if (!b) {
        fail_msg("%s: %s", json, error.message);
    }
    ds_buf_clear(reply);
    ds_buf_init(reply, DS_MAX_MESSAGE_SIZE + DS_MAX_INTERNAL_SIZE); /* as the client's */
    fault.off = off;
    bool ok = ds__engine_run(engine, NULL, db, ds__document(bson_get_data(b)), reply, &err);
    fault.off = true;
    int code = err.code;
    if (ok) {
        if (!ds__bson_validate(reply->data, reply->size, DS_MAX_COMMAND_DEPTH, &err)) {
            fail_msg("%s: the reply: %s", json, err.message);
        }
        ds_value doc = ds__document(reply->data);
        ds_value refusal = ds__doc_field(doc, "code");
        code = ds__value_truthy(ds__doc_field(doc, "ok")) ? 0 : refusal.as.i32;
        assert_true(code || ds__value_truthy(ds__doc_field(doc, "ok")));
    } else {
        assert_int_not_equal(code, 0);
    }
    bson_destroy(b);
    fault.off = off;
    return code;
}

/* Runs a unit; the code of the first refusal. A transaction that failed is aborted. */
static inline int fault_run_unit(ds_engine *engine, const fault_unit *unit, int txn) {
    ds_buf reply = {0};
    char json[1000];
    int code = 0;
    for (int i = 0; i < MAX_COMMANDS && unit->commands[i] && !code; i++) {
        snprintf(json, sizeof json, unit->commands[i], txn);
        bool admin = strncmp(json, "{\"commit", 8) == 0 || strncmp(json, "{\"rename", 8) == 0;
        code = fault_run(engine, admin ? "admin" : "db", json, &reply);
    }
    if (code && unit->commands[1]) {
        fault.off = true;
        snprintf(json, sizeof json, "{\"abortTransaction\": 1, " LSID "}", txn);
        fault_run(engine, "admin", json, &reply);
        fault.off = false;
    }
    ds_buf_clear(&reply);
    return code;
}

/* Everything the store holds, each collection read by every index and checked. */
static inline void fault_digest(ds_engine *engine, ds_buf *out) {
    static const char *const names[] = {"c", "d", "e", "f"};
    static const char *const indexes[] = {"_id_", "n", "s", "k"};
    ds_buf reply = {0};
    char json[200];
    ds_buf_clear(out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; k < (i == 0 ? sizeof indexes / sizeof indexes[0] : 1); k++) {
            snprintf(json, sizeof json, "{\"find\": \"%s\", \"hint\": \"%s\"}", names[i],
                     indexes[k]);
            if (fault_run(engine, "db", json, &reply) == 0) {
                ds_value batch = ds__doc_field(ds__document(reply.data), "cursor");
                ds_buf_add(out, batch.as.bytes, batch.size);
            } else {
                ds_buf_add(out, "none", 4);
            }
        }
        snprintf(json, sizeof json, "{\"validate\": \"%s\", \"full\": true}", names[i]);
        int code = fault_run(engine, "db", json, &reply);
        assert_true(code == 0 || code == DS_NAMESPACE_NOT_FOUND);
        if (code == 0 && !ds__value_truthy(ds__doc_field(ds__document(reply.data), "valid"))) {
            ds__iter it;
            ds__iter_init(&it, ds__doc_field(ds__document(reply.data), "errors"));
            fail_msg("%s: %s", names[i], ds__iter_next(&it) ? ds__text(it.value) : "");
        }
    }
    ds_buf_clear(&reply);
}

static inline bool fault_same(const ds_buf *a, const ds_buf *b) {
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static inline ds_engine *fault_open(const char *path, ds_error *err) {
    return ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 300}, err);
}

static inline void fault_copy(const char *from, const char *to) {
    static const char *const tails[] = {"", "-wal", "-shm"};
    char a[120], b[120], bytes[65536];
    for (size_t i = 0; i < 3; i++) {
        snprintf(a, sizeof a, "%s%s", from, tails[i]);
        snprintf(b, sizeof b, "%s%s", to, tails[i]);
        unlink(b);
        FILE *in = i < 1 ? fopen(a, "rb") : NULL;
        if (in) {
            FILE *file = fopen(b, "wb");
            assert_non_null(file);
            for (size_t n; (n = fread(bytes, 1, sizeof bytes, in)) > 0;) {
                assert_int_equal(fwrite(bytes, 1, n, file), n);
            }
            fclose(file);
            fclose(in);
        }
    }
}

/* Which refusals a fault may cause, and whether a refused unit may have happened all the same. */
typedef struct fault_rules {
    bool (*allowed)(int code);
    bool unsure;
} fault_rules;

/* One unit broken at step n of a copy of `base`; false when the step was never reached. */
static inline bool fault_once(const char *base, const char *path, const fault_unit *unit, long n,
                              bool sticky, const fault_rules *rules, const ds_buf *before,
                              const ds_buf *after) {
    ds_error err = {0};
    ds_buf now = {0};
    fault_disarm();
    fault_copy(base, path);
    if (unit == fault_units) { /* opening is the same for all */
        fault_arm(n, sticky);
    }
    ds_engine *engine = fault_open(path, &err);
    if (engine && unit != fault_units) {
        fault_arm(n, sticky);
    }
    if (!engine) {
        assert_true(fault.fired);
        if (!rules->allowed(err.code)) {
            fail_msg("open, step %ld: %d %s", n, err.code, err.message);
        }
        fault_disarm();
        engine = fault_open(path, &err);
        assert_non_null(engine);
    }
    int code = fault_run_unit(engine, unit, 1);
    const fault_plan plan = fault;
    bool fired = fault.fired;
    fault_disarm();
    if (code && (!fired || !rules->allowed(code))) {
        fail_msg("%s, step %ld: refused with %d", unit->name, n, code);
    }
    fault_digest(engine, &now);
    bool done = fault_same(&now, after);
    if (!(done && (code == 0 || rules->unsure || unit->in_part)) &&
        !(code != 0 && (unit->in_part || fault_same(&now, before)))) {
        fail_msg("%s, step %ld%s: answered %d, but the store is %s", unit->name, n,
                 sticky ? " and on" : "", code,
                 fault_same(&now, before) ? "as before"
                 : done                   ? "as after"
                                          : "between");
    }
    if (!done) {
        code = fault_run_unit(engine, unit, 2);
        if (code) {
            fail_msg("%s, step %ld: refused again, with %d", unit->name, n, code);
        }
    }
    if (!fired) { /* then perhaps at the close */
        fault = plan;
    }
    ds__engine_close(engine);
    fired = fired || fault.fired;
    fault_disarm();
    engine = fault_open(path, &err);
    assert_non_null(engine);
    fault_digest(engine, &now);
    assert_true(fault_same(&now, after));
    ds__engine_close(engine);
    ds_buf_clear(&now);
    return fired;
}

/* Steps apart: 1 when FAULTS_EVERY says so (make faults), else `coarse`. */
static inline long fault_stride(long coarse) {
    const char *every = getenv("FAULTS_EVERY");
    return every ? strtol(every, NULL, 10) : coarse;
}

/* Every unit, every step, once and sticky; how many there were. */
static inline long fault_everywhere(const fault_rules *rules, long stride) {
    char base[100];
    char path[110];
    ds_error err = {0};
    ds_buf before = {0};
    ds_buf after = {0};
    long points = 0;
    snprintf(base, sizeof base, "%s", temp_path());
    snprintf(path, sizeof path, "%s-copy", base);
    for (size_t i = 0; i < FAULT_UNITS; i++) {
        ds_engine *engine = fault_open(base, &err);
        assert_non_null(engine);
        fault_digest(engine, &before);
        ds__engine_close(engine);
        fault_copy(base, path);
        engine = fault_open(path, &err);
        assert_int_equal(fault_run_unit(engine, &fault_units[i], 1), 0);
        fault_digest(engine, &after);
        ds__engine_close(engine);
        for (int sticky = 0; sticky < 2; sticky++) {
            /* another offset for every unit, so that small strides meet all steps of opening */
            for (long n = (long)i % stride;
                 fault_once(base, path, &fault_units[i], n, sticky, rules, &before, &after);
                 n += stride) {
                points++;
            }
        }
        fault_copy(path, base); /* the last round passed */
    }
    printf("%ld faults\n", points);
    ds_buf_clear(&before);
    ds_buf_clear(&after);
    return points;
}

#endif
