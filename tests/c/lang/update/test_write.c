/* SPDX-License-Identifier: Apache-2.0 */
/* Writing of changed documents: what did not change stays byte for byte, limits hold. */
#include "base/limits.h"
#include "harness.h"

/* Changes in the order of application, elements in the order of the document. */
static void test_changes_stay_in_place(void **state) {
    expect_update("{}", "{\"_id\": 1, \"z\": 1, \"m\": {\"y\": 1, \"x\": [1, 2, 3]}, \"a\": 1}",
                  "{\"$set\": {\"a\": 2, \"m.x.1\": 9, \"n\": 0}, \"$inc\": {\"z\": 1},"
                  " \"$unset\": {\"m.y\": 1}}",
                  NULL,
                  "{ \"_id\" : 1, \"z\" : 2, \"m\" : { \"x\" : [ 1, 9, 3 ] }, \"a\" : 2, "
                  "\"n\" : 0 }");
}

static void test_many_fields_at_once(void **state) {
    char doc[1024] = "{\"_id\": 1", update[1024] = "{\"$set\": {\"zz\": 1",
         want[1024] = "{ \"_id\" : 1";
    for (int i = 0; i < 40; i++) {
        size_t d = strlen(doc), u = strlen(update), w = strlen(want);
        snprintf(doc + d, sizeof doc - d, ", \"f%d\": %d", 39 - i, 39 - i);
        if (i % 2) {
            snprintf(update + u, sizeof update - u, ", \"f%d\": %d", i, i + 100);
        }
        snprintf(want + w, sizeof want - w, ", \"f%d\" : %d", 39 - i,
                 39 - i + ((39 - i) % 2 ? 100 : 0));
    }
    strcat(doc, "}");
    strcat(update, "}}");
    strcat(want, ", \"zz\" : 1 }");
    expect_update("{}", doc, update, NULL, want);
}

static void test_no_change_writes_nothing(void **state) {
    expect_update("{}", "{\"_id\": 1, \"a\": 1, \"l\": [1]}",
                  "{\"$set\": {\"a\": 1}, \"$addToSet\": {\"l\": 1}, \"$unset\": {\"q.r\": 1}}",
                  NULL, NULL);
}

static void test_array_is_padded(void **state) {
    expect_update("{}", "{\"_id\": 1, \"l\": [0]}", "{\"$set\": {\"l.4\": 4, \"l.2\": {\"x\": 1}}}",
                  NULL, "{ \"_id\" : 1, \"l\" : [ 0, null, { \"x\" : 1 }, null, 4 ] }");
    expect_error("{\"l\": []}", "{\"$set\": {\"l.1500001\": 1}}", DS_CANNOT_BACKFILL_ARRAY, NULL);
}

static void nest(char *out, size_t size, int parts) {
    out[0] = '\0';
    for (int i = 0; i < parts; i++) {
        strncat(out, i ? ".a" : "a", size - strlen(out) - 1);
    }
}

static void test_depth_is_limited(void **state) {
    char path[512], update[600];
    nest(path, sizeof path, DS_MAX_DEPTH);
    snprintf(update, sizeof update, "{\"$set\": {\"%s\": {\"b\": 1}}}", path);
    expect_error("{\"_id\": 1}", update, DS_OVERFLOW,
                 "Document exceeds maximum nesting depth of 180");
    nest(path, sizeof path, DS_MAX_DEPTH + 1);
    snprintf(update, sizeof update, "{\"$set\": {\"%s\": 1}}", path);
    expect_error("{\"_id\": 1}", update, DS_OVERFLOW, NULL);
}

static void test_size_is_limited(void **state) {
    size_t size = 9 * 1024 * 1024;
    char *text = malloc(size + 64);
    char *doc = malloc(size + 64);
    memset(text, 'x', size + 63);
    memcpy(text, "{\"$set\": {\"b\": \"", 16);
    memcpy(text + size, "\"}}", 4);
    memset(doc, 'x', size + 63);
    memcpy(doc, "{\"_id\": 1, \"a\": \"", 17);
    memcpy(doc + size, "\"}", 3);
    expect_error(doc, text, 17419, "Resulting document after update is larger than 16777216");
    free(text);
    free(doc);
}

static void test_top_level_names_are_checked(void **state) {
    expect_error("{\"_id\": 1}", "{\"$set\": {\"$a\": 1}}", DS_DOLLAR_PREFIXED_FIELD_NAME, NULL);
    expect_error("{\"_id\": 1}", "{\"$set\": {\"$ref\": 1}}", DS_INVALID_DB_REF,
                 "The DBRef $ref field must be a String, not a int");
    expect_error("{\"_id\": 1}", "{\"$set\": {\"_id\": 2}}", DS_IMMUTABLE_FIELD,
                 "Performing an update on the path '_id' would modify the immutable field '_id'");
    expect_error("{\"_id\": 1}", "{\"x\": 1, \"$y\": 1}", DS_DOLLAR_PREFIXED_FIELD_NAME, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_stay_in_place),
        cmocka_unit_test(test_many_fields_at_once),
        cmocka_unit_test(test_no_change_writes_nothing),
        cmocka_unit_test(test_array_is_padded),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_size_is_limited),
        cmocka_unit_test(test_top_level_names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
