/* SPDX-License-Identifier: Apache-2.0 */
/* Long scans broken at their Nth step, for every N: the leaves read past SQLite, in the file and in
 * the log, by several threads. They give what they gave unbroken, or fail, and the next one gives
 * it. */
#ifndef DS_TESTS_ENGINE_SCAN_FAULTS_H
#define DS_TESTS_ENGINE_SCAN_FAULTS_H

#include "faults.h"

enum {
    SCAN_DOCUMENTS = 3200,
    SCAN_TEXT = 250,
    SCAN_LONG = 400, /* one of so many has a text of several pages */
    SCAN_SIZES = 4
};

/* The second one's long rows are beyond what helpers keep. */
static const int scan_long_sizes[SCAN_SIZES] = {20000, 600000, 9000, 40000};

static const char *const scan_commands[] = {
    "{\"find\": \"l\", \"filter\": {\"n\": {\"$mod\": [50, 3]}}, \"batchSize\": 10000, "
    "\"projection\": {\"n\": 1, \"k\": 1, \"l\": {\"$substrBytes\": [\"$t\", 0, 5]}}}",
    "{\"aggregate\": \"l\", \"cursor\": {}, \"pipeline\": [{\"$match\": {\"n\": {\"$gt\": 100}, "
    "\"t\": {\"$gt\": \"y\"}}}, {\"$group\": {\"_id\": null, \"n\": {\"$sum\": \"$n\"}, \"k\": "
    "{\"$sum\": \"$k\"}}}]}",
};

static inline ds_engine *scan_open(const char *path) {
    ds_error err = {0};
    const ds__engine_options options = {
        .busy_timeout_ms = 300, .scan_threads = 4, .share_after = 1};
    ds_engine *engine = ds__engine_open(path, &options, &err);
    assert_non_null(engine);
    return engine;
}

static inline void scan_insert(ds_engine *engine, int from, int count) {
    static char json[1 << 20];
    static char text[600001];
    ds_buf reply = {0};
    size_t at = (size_t)snprintf(json, sizeof json, "{\"insert\": \"l\", \"documents\": [");
    for (int i = from; i < from + count; i++) {
        const bool is_long = i % SCAN_LONG == SCAN_LONG - 1;
        const int size = is_long ? scan_long_sizes[i / SCAN_LONG % SCAN_SIZES] : SCAN_TEXT;
        memset(text, is_long ? 'z' : 'x', (size_t)size);
        text[size] = 0;
        at += (size_t)snprintf(json + at, sizeof json - at,
                               "%s{\"_id\": %d, \"n\": %d, \"k\": 0, \"t\": \"%s\"}",
                               i > from ? ", " : "", i, i, text);
    }
    snprintf(json + at, sizeof json - at, "]}");
    assert_int_equal(fault_run(engine, "db", json, &reply), 0);
    ds_buf_clear(&reply);
}

/* One part of the documents is in the file alone, of some the last state is in the log. */
static inline ds_engine *scan_make(void) {
    char path[100];
    ds_buf reply = {0};
    snprintf(path, sizeof path, "%s", temp_path());
    ds_engine *engine = scan_open(path);
    for (int i = 0; i < SCAN_DOCUMENTS; i += 100) {
        scan_insert(engine, i, 100);
    }
    ds__engine_close(engine);
    engine = scan_open(path);
    assert_int_equal(
        fault_run(engine, "db",
                  "{\"update\": \"l\", \"updates\": [{\"q\": {\"n\": {\"$mod\": [70, 3]}}, "
                  "\"u\": {\"$inc\": {\"k\": 1}}, \"multi\": true}]}",
                  &reply),
        0);
    ds_buf_clear(&reply);
    return engine;
}

static inline bool scan_is(const ds_buf *reply, const ds_buf *expected) {
    ds_value a = ds__doc_field(ds__document(reply->data), "cursor");
    ds_value b = ds__doc_field(ds__document(expected->data), "cursor");
    return a.size == b.size && memcmp(a.as.bytes, b.as.bytes, a.size) == 0;
}

/* How many steps there were. */
static inline long scan_faults(const fault_rules *rules, long stride) {
    long points = 0;
    ds_buf expected = {0};
    ds_buf reply = {0};
    fault_disarm();
    ds_engine *engine = scan_make();
    for (size_t i = 0; i < sizeof scan_commands / sizeof scan_commands[0]; i++) {
        assert_int_equal(fault_run(engine, "db", scan_commands[i], &expected), 0);
        for (int sticky = 0; sticky < 2; sticky++) {
            bool fired = true;
            for (long n = (long)i % stride; fired; n += stride) {
                fault_arm(n, sticky);
                const int code = fault_run(engine, "db", scan_commands[i], &reply);
                fired = fault.fired;
                fault_disarm();
                points += fired;
                if (code ? !fired || !rules->allowed(code) : !scan_is(&reply, &expected)) {
                    fail_msg("scan %zu, step %ld%s: answered %d", i, n, sticky ? " and on" : "",
                             code);
                }
                assert_int_equal(fault_run(engine, "db", scan_commands[i], &reply), 0);
                assert_true(scan_is(&reply, &expected));
            }
        }
    }
    ds__engine_close(engine);
    ds_buf_clear(&expected);
    ds_buf_clear(&reply);
    printf("%ld faults of scans, %ld of them in helpers\n", points, fault_elsewhere);
    return points;
}

#endif
