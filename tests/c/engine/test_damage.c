/* SPDX-License-Identifier: Apache-2.0 */
/* Files that were damaged while nobody looked: whatever the bytes, commands answer with documents
 * or with an error, never with a read past an end. Meant for sanitizers. */
#include "store/util.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "bson/validate.h"
#include "engine/engine.h"

enum { ROUNDS = 60, PAGE = 8192 };

static const char *const commands[] = {
    "{\"find\": \"c\", \"batchSize\": 100000}",
    "{\"find\": \"c\", \"filter\": {\"n\": {\"$gte\": 3}}, \"batchSize\": 100000}",
    "{\"find\": \"c\", \"filter\": {\"s\": \"k77\"}}",
    "{\"find\": \"c\", \"sort\": {\"s\": -1}, \"projection\": {\"s\": 1, \"_id\": 0}}",
    "{\"aggregate\": \"c\", \"pipeline\": [{\"$unwind\": \"$t\"}, {\"$group\": {\"_id\": \"$t.a\", "
    "\"n\": {\"$sum\": 1}}}], \"cursor\": {}}",
    "{\"find\": \"big\", \"filter\": {\"t\": \"zz\"}}",
    "{\"distinct\": \"c\", \"key\": \"t.b\"}",
    "{\"validate\": \"c\"}",
    "{\"count\": \"c\", \"query\": {\"o.p.q\": {\"$gt\": 5}}}",
    "{\"update\": \"c\", \"updates\": [{\"q\": {}, \"u\": {\"$inc\": {\"z\": 1}}, \"multi\": "
    "true}]}",
    "{\"insert\": \"c\", \"documents\": [{\"n\": 1, \"s\": \"new\"}]}",
    "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"t.a\": 1}, \"name\": \"a\"}]}",
    "{\"delete\": \"c\", \"deletes\": [{\"q\": {}, \"limit\": 0}]}",
    "{\"listCollections\": 1}",
    "{\"listIndexes\": \"c\"}",
    "{\"dbStats\": 1}",
    "{\"explain\": {\"find\": \"c\", \"filter\": {\"n\": 4}}}",
};

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return *state >> 33;
}

static void run(ds_engine *engine, const char *json, ds_buf *reply) {
    ds_error err = {0};
    bson_error_t error;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(b);
    ds_buf_reset(reply);
    assert_true(ds__engine_run(engine, NULL, "db", ds__document(bson_get_data(b)), reply, &err));
    if (!ds__bson_validate(reply->data, reply->size, DS_MAX_COMMAND_DEPTH, &err)) {
        fail_msg("%s: the reply: %s", json, err.message);
    }
    bson_destroy(b);
}

static ds_engine *open_engine(const char *path, ds_error *err) {
    return ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 500}, err);
}

static void fill(const char *path) {
    ds_error err = {0};
    ds_buf reply = {0};
    char json[600];
    ds_engine *engine = open_engine(path, &err);
    assert_non_null(engine);
    run(engine,
        "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"n\": 1}, \"name\": \"n\"}, "
        "{\"key\": "
        "{\"s\": 1, \"n\": -1}, \"name\": \"s\", \"unique\": true}]}",
        &reply);
    for (int i = 0; i < 300; i++) {
        snprintf(
            json, sizeof json,
            "{\"insert\": \"c\", \"documents\": [{\"_id\": %d, \"n\": %d, \"s\": \"k%d\", \"t\": "
            "[{\"a\": %d, \"b\": \"xxxxxxxxxxxxxxxxxxxx\"}, {\"a\": 1, \"b\": \"y\"}], \"o\": "
            "{\"p\": {\"q\": %d}}}]}",
            i, i, i, i, i);
        run(engine, json, &reply);
    }
    bson_t command = BSON_INITIALIZER, docs, doc;
    char *text = malloc(60001);
    assert_non_null(text);
    memset(text, 'y', 60000);
    text[60000] = 0;
    BSON_APPEND_UTF8(&command, "insert", "big");
    BSON_APPEND_ARRAY_BEGIN(&command, "documents", &docs);
    BSON_APPEND_DOCUMENT_BEGIN(&docs, "0", &doc);
    BSON_APPEND_UTF8(&doc, "t", text);
    bson_append_document_end(&docs, &doc);
    bson_append_array_end(&command, &docs);
    ds_buf_reset(&reply);
    assert_true(
        ds__engine_run(engine, NULL, "db", ds__document(bson_get_data(&command)), &reply, &err));
    bson_destroy(&command);
    free(text);
    ds__engine_close(engine);
    ds_buf_clear(&reply);
}

static uint8_t *read_file(const char *path, size_t *size) {
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    *size = (size_t)st.st_size;
    uint8_t *bytes = malloc(*size);
    assert_non_null(bytes);
    assert_int_equal(read(fd, bytes, *size), *size);
    close(fd);
    return bytes;
}

static void write_file(const char *path, const uint8_t *bytes, size_t size) {
    char name[120];
    snprintf(name, sizeof name, "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void damage(uint8_t *bytes, size_t size, int kind, uint64_t *random) {
    if (kind == 0) { /* bits */
        for (int i = 0; i < 12; i++) {
            bytes[100 + next_random(random) % (size - 100)] ^=
                (uint8_t)(1 << next_random(random) % 8);
        }
    } else if (kind == 1) { /* a page */
        uint8_t *page = bytes + PAGE * (1 + next_random(random) % (size / PAGE - 1));
        for (int i = 0; i < PAGE; i++) {
            page[i] = (uint8_t)next_random(random);
        }
    } else { /* a stretch of zeros, as after a crash of the machine */
        size_t at = PAGE + next_random(random) % (size - PAGE - 600);
        memset(bytes + at, 0, 600);
    }
}

static void damaged_files_give_errors_and_no_nonsense(void **state) {
    (void)state;
    const char *path = temp_path();
    uint64_t random = 42;
    size_t size;
    ds_buf reply = {0};
    fill(path);
    uint8_t *good = read_file(path, &size);
    uint8_t *bad = malloc(size);
    assert_non_null(bad);
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bad, good, size);
        damage(bad, size, round % 3, &random);
        write_file(path, bad, size);
        ds_error err = {0};
        ds_engine *engine = open_engine(path, &err);
        if (!engine) {
            assert_true(err.code == DS_DATA_CORRUPTION_DETECTED || err.code == DS_FILE_NOT_OPEN ||
                        err.code == DS_MUST_UPGRADE || err.code == DS_FILE_STREAM_FAILED ||
                        err.code == DS_ILLEGAL_OPERATION);
            assert_true(strstr(err.message, path) || strstr(err.message, "damaged"));
            continue;
        }
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
            run(engine, commands[i], &reply);
        }
        ds__engine_close(engine);
    }
    free(good);
    free(bad);
    ds_buf_clear(&reply);
}

static void one_flipped_bit_in_a_document_is_found(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_error err = {0};
    ds_buf reply = {0};
    size_t size;
    fill(path);
    uint8_t *bytes = read_file(path, &size);
    uint8_t *at = memmem(bytes, size, "yyyyyyyyyyyyyyyy", 16);
    assert_non_null(at);
    at[3] ^= 4;
    write_file(path, bytes, size);
    ds_engine *engine = open_engine(path, &err);
    assert_non_null(engine);
    run(engine, "{\"find\": \"big\"}", &reply);
    assert_int_equal(ds__doc_field(ds__document(reply.data), "code").as.i32,
                     DS_DATA_CORRUPTION_DETECTED);
    run(engine, "{\"validate\": \"big\"}", &reply);
    assert_false(ds__value_truthy(ds__doc_field(ds__document(reply.data), "valid")));
    assert_true(ds__value_truthy(ds__doc_field(ds__document(reply.data), "ok")));
    run(engine, "{\"validate\": \"c\"}", &reply);
    assert_true(ds__value_truthy(ds__doc_field(ds__document(reply.data), "valid")));
    run(engine, "{\"find\": \"c\", \"filter\": {\"n\": 7}}", &reply);
    assert_true(ds__value_truthy(ds__doc_field(ds__document(reply.data), "ok")));
    ds__engine_close(engine);
    free(bytes);
    ds_buf_clear(&reply);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_give_errors_and_no_nonsense),
        cmocka_unit_test(one_flipped_bit_in_a_document_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
