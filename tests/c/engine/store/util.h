/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the store share: documents from JSON, stores in a directory of their own. */
#ifndef DS_TESTS_ENGINE_STORE_UTIL_H
#define DS_TESTS_ENGINE_STORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/records/ddl.h"
#include "engine/index/spec.h"
#include "engine/records/records.h"
#include "engine/store/scan.h"

static inline ds_value doc_of(const char *json) {
    bson_error_t error;
    bson_t *b = bson_new_from_json((const uint8_t *)json, -1, &error);
    assert_non_null(b);
    static ds_arena kept; /* for the whole run */
    const uint8_t *copy = ds_arena_copy(&kept, bson_get_data(b), b->len);
    assert_non_null(copy);
    bson_destroy(b);
    return ds__document(copy);
}

static inline char *temp_path(void) {
    static char dir[64];
    static char path[80];
    /* in memory where there is such a folder: thousands of small files are made and synced */
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(dir, sizeof dir, "%s/docstore-test-XXXXXX", parent);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/t.docstore", dir);
    return path;
}

static inline ds__store *open_store(const char *path) {
    ds_error err = {0};
    ds__store *store = ds__records_open(path, &(ds__store_options){.busy_timeout_ms = 500}, &err);
    if (!store) {
        fail_msg("%s", err.message);
    }
    return store;
}

static inline ds__txn *begin(ds__store *store, ds__txn_kind kind) {
    ds_error err = {0};
    ds__txn *txn = NULL;
    if (!ds__txn_begin(store, kind, NULL, &txn, &err)) {
        fail_msg("%s", err.message);
    }
    return txn;
}

static inline void commit(ds__txn *txn) {
    ds_error err = {0};
    if (!ds__txn_commit(txn, false, &err)) {
        fail_msg("%s", err.message);
    }
}

static inline const ds__coll *coll_of(ds__txn *txn) {
    ds_error err = {0};
    const ds__coll *coll = NULL;
    if (ds__txn_is_write(txn)) {
        if (!ds__ddl_find_or_create(txn, "db", "c", &coll, &err)) {
            fail_msg("%s", err.message);
        }
        return coll;
    }
    return ds__catalog_find(ds__txn_catalog(txn), "db", 2, "c", 1);
}

static inline bool insert(ds__txn *txn, const char *json, ds_error *err) {
    *err = (ds_error){0};
    return ds__record_insert(txn, coll_of(txn), doc_of(json), NULL, NULL, err);
}

static inline void insert_ok(ds__txn *txn, const char *json) {
    ds_error err;
    if (!insert(txn, json, &err)) {
        fail_msg("%s", err.message);
    }
}

static inline bool add_index(ds__txn *txn, const char *spec, ds_error *err) {
    const ds__coll *out;
    ds_buf buf = {0};
    ds_arena arena = {0};
    ds__env env = {.arena = &arena, .slot_count = DS_VAR_FIRST_USER};
    *err = (ds_error){0};
    bool ok = ds__index_normalise(&env, doc_of(spec), &buf, err) &&
              ds__ddl_add_index(txn, coll_of(txn), ds__document(buf.data), &out, err);
    ds_buf_clear(&buf);
    ds_arena_clear(&arena);
    return ok;
}

static inline int64_t count(ds__store *store) {
    ds_error err = {0};
    int64_t documents = -1;
    int64_t bytes;
    ds__txn *txn = begin(store, DS_TXN_READ);
    const ds__coll *coll = coll_of(txn);
    if (coll) {
        assert_true(ds__record_counts(txn, coll, &documents, &bytes, &err));
    }
    ds__txn_abort(txn);
    return documents;
}

/* Documents a scan of the table really finds. */
static inline int64_t count_rows(ds__store *store) {
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__scan *scan;
    ds__scan_row row;
    int64_t n = 0;
    if (!coll_of(txn)) { /* its maker was killed before the first commit */
        ds__txn_abort(txn);
        return 0;
    }
    assert_true(ds__scan_rows(txn, coll_of(txn)->id, false, &scan, &err));
    while (ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
        n++;
    }
    ds__scan_close(scan);
    ds__txn_abort(txn);
    return n;
}

#endif
