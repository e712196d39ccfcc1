/* SPDX-License-Identifier: Apache-2.0 */
/* Versions of the catalog: what they share, what a rollback brings back, what other handles and
 * programs change, and that reading what changed comes to the same as reading everything. */
#include "../store/util.h"

#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "engine/catalog/internal.h"

/* Of ASan, when the program is built with it. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* Bytes, without SQLite's: its pages and its schema have limits of their own. */
static size_t allocated(void) {
    size_t all = __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
                                                         : mallinfo2().uordblks;
    return all - (size_t)sqlite3_memory_used();
}

static const ds__coll *find(ds__txn *txn, const char *name) {
    return ds__catalog_find(ds__txn_catalog(txn), "db", 2, name, strlen(name));
}

static const ds__coll *make(ds__txn *txn, const char *name) {
    ds_error err = {0};
    const ds__coll *coll = NULL;
    if (!ds__ddl_create(txn, "db", name, ds__missing(), &coll, &err)) {
        fail_msg("%s", err.message);
    }
    return coll;
}

static bool index_on(ds__txn *txn, const ds__coll *coll, const char *field, ds_error *err) {
    char json[100];
    ds_buf buf = {0};
    ds_arena arena = {0};
    ds__env env = {.arena = &arena, .slot_count = DS_VAR_FIRST_USER};
    const ds__coll *out;
    snprintf(json, sizeof json, "{\"key\": {\"%s\": 1}, \"name\": \"%s\"}", field, field);
    *err = (ds_error){0};
    bool ok = ds__index_normalise(&env, doc_of(json), &buf, err) &&
              ds__ddl_add_index(txn, coll, ds__document(buf.data), &out, err);
    ds_buf_clear(&buf);
    ds_arena_clear(&arena);
    return ok;
}

static void index_ok(ds__txn *txn, const char *name, const char *field) {
    ds_error err;
    if (!index_on(txn, find(txn, name), field, &err)) {
        fail_msg("%s", err.message);
    }
}

static void insert_into(ds__txn *txn, const char *name, const char *json) {
    ds_error err = {0};
    if (!ds__record_insert(txn, find(txn, name), doc_of(json), NULL, NULL, &err)) {
        fail_msg("%s", err.message);
    }
}

static void drop(ds__txn *txn, const char *name) {
    ds_error err = {0};
    assert_true(ds__ddl_drop(txn, find(txn, name), &err));
}

/* The collections a, b and c. */
static ds__store *open_three(const char *path) {
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    make(txn, "a");
    make(txn, "b");
    make(txn, "c");
    commit(txn);
    return store;
}

static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, ds__vfs_name()), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    sqlite3_close(db);
}

/* All that a catalog says, as text. */
static char *text_of(const ds__catalog *catalog) {
    char *text = NULL;
    size_t size;
    size_t at = 0;
    const ds__coll *coll;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    while ((coll = ds__catalog_each(catalog, &at))) {
        assert_ptr_equal(ds__catalog_find_id(catalog, coll->id), coll);
        assert_ptr_equal(
            ds__catalog_find(catalog, coll->db, strlen(coll->db), coll->name, strlen(coll->name)),
            coll);
        fprintf(out, "%s %lld %d %u\n", coll->ns, (long long)coll->id, coll->capped,
                (unsigned)coll->options.size);
        for (size_t i = 0; i < coll->index_count; i++) {
            const ds__index *index = &coll->indexes[i];
            fprintf(out, "  %lld %s %d %lld\n", (long long)index->id, index->name, index->hidden,
                    (long long)index->parts[0].multikey);
        }
    }
    fclose(out);
    return text;
}

/* Whether a handle that knows versions before sees what one that knows none sees. */
static void expect_as_read_anew(ds__store *store, const char *path) {
    ds__store *fresh = open_store(path);
    ds__txn *old = begin(store, DS_TXN_READ);
    ds__txn *new = begin(fresh, DS_TXN_READ);
    char *seen = text_of(ds__txn_catalog(old));
    char *expected = text_of(ds__txn_catalog(new));
    assert_string_equal(seen, expected);
    free(seen);
    free(expected);
    ds__txn_abort(old);
    ds__txn_abort(new);
    ds__store_close(fresh);
}

static void a_change_shares_the_other_collections(void **state) {
    (void)state;
    ds__store *store = open_three(temp_path());
    ds__txn *reader = begin(store, DS_TXN_READ);
    const ds__coll *a = find(reader, "a");
    const ds__coll *b = find(reader, "b");
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    index_ok(txn, "a", "x");
    make(txn, "d");
    insert_into(txn, "a", "{\"_id\": 1, \"x\": [1, 2]}");
    assert_ptr_equal(find(txn, "b"), b);
    assert_ptr_not_equal(find(txn, "a"), a);
    commit(txn);
    txn = begin(store, DS_TXN_READ);
    assert_ptr_equal(find(txn, "b"), b);
    assert_int_equal(find(txn, "a")->index_count, 2);
    assert_true(find(txn, "a")->indexes[1].multikey);
    assert_int_equal(a->index_count, 1); /* the reader's, as it was */
    assert_null(find(reader, "d"));
    ds__txn_abort(txn);
    ds__txn_abort(reader);
    ds__store_close(store);
}

static void what_was_found_before_a_change_stays_readable(void **state) {
    (void)state;
    ds__store *store = open_three(temp_path());
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    const ds__coll *before = find(txn, "a");
    for (int i = 0; i < 20; i++) {
        char field[8];
        snprintf(field, sizeof field, "f%d", i);
        index_ok(txn, "a", field);
    }
    const ds__coll *full = find(txn, "a");
    drop(txn, "a");
    assert_int_equal(before->index_count, 1);
    assert_int_equal(full->index_count, 21);
    assert_string_equal(full->indexes[20].name, "f19");
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void a_savepoint_brings_the_catalog_back(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_error err = {0};
    int outer;
    int inner;
    ds__store *store = open_three(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    make(txn, "d");
    const ds__coll *b = find(txn, "b");
    assert_true(ds__txn_savepoint(txn, &outer, &err));
    index_ok(txn, "b", "x");
    const ds__coll *indexed = find(txn, "b");
    assert_true(ds__txn_savepoint(txn, &inner, &err));
    drop(txn, "b");
    drop(txn, "d");
    make(txn, "e");
    assert_true(ds__txn_rollback(txn, inner, &err));
    assert_ptr_equal(find(txn, "b"), indexed);
    assert_non_null(find(txn, "d"));
    assert_null(find(txn, "e"));
    assert_true(ds__txn_rollback(txn, outer, &err));
    assert_ptr_equal(find(txn, "b"), b);
    assert_true(ds__txn_savepoint(txn, &outer, &err));
    drop(txn, "a");
    assert_true(ds__txn_release(txn, outer, &err));
    make(txn, "f");
    commit(txn);
    expect_as_read_anew(store, path);
    txn = begin(store, DS_TXN_READ);
    assert_null(find(txn, "a"));
    assert_non_null(find(txn, "f"));
    assert_ptr_equal(find(txn, "b"), b);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void an_aborted_change_leaves_nothing(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_three(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    const ds__coll *a = find(txn, "a");
    index_ok(txn, "a", "x");
    drop(txn, "b");
    ds__txn_abort(txn);
    txn = begin(store, DS_TXN_READ);
    assert_ptr_equal(find(txn, "a"), a);
    assert_non_null(find(txn, "b"));
    ds__txn_abort(txn);
    expect_as_read_anew(store, path);
    ds__store_close(store);
}

static void a_change_that_failed_half_way_is_read_again(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_three(path);
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    const ds__coll *coll;
    int64_t next;
    char sql[80];
    /* its table is there already: the row that tells of the collection is written before */
    assert_true(
        ds__conn_int(txn->conn, "SELECT v+1 FROM ds_meta WHERE k='next_id'", 0, &next, &err));
    snprintf(sql, sizeof sql, "CREATE TABLE c%lld(x)", (long long)next);
    assert_true(ds__conn_exec(txn->conn, sql, &err));
    assert_false(ds__ddl_create(txn, "db", "e", ds__missing(), &coll, &err));
    index_ok(txn, "b", "y");
    assert_int_equal(find(txn, "b")->index_count, 2);
    commit(txn);
    expect_as_read_anew(store, path);
    ds__store_close(store);
}

/* Outlives its transaction: a process with one open cannot be forked. */
static ds__catalog *catalog_of(ds__store *store) {
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__catalog *catalog = ds__catalog_ref(ds__txn_catalog(txn));
    ds__txn_abort(txn);
    return catalog;
}

/* A process of its own makes `changes` changes of "a". */
static void change_elsewhere(const char *path, int changes) {
    pid_t child = fork();
    if (child == 0) {
        ds_error err = {0};
        ds__store *store = ds__records_open(path, NULL, &err);
        ds__txn *txn = NULL;
        bool ok = store && ds__txn_begin(store, DS_TXN_WRITE, NULL, &txn, &err);
        for (int i = 0; ok && i < changes; i++) {
            char field[12];
            snprintf(field, sizeof field, "n%d", i / 2);
            const ds__coll *a = find(txn, "a");
            const ds__index *index = ds__coll_find_index(a, field, strlen(field));
            ok = index ? ds__ddl_drop_index(txn, a, index, &err) : index_on(txn, a, field, &err);
        }
        _exit(ok && ds__txn_commit(txn, false, &err) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void another_processs_change_reads_one_collection(void **state) {
    (void)state;
    static const int changes[] = {1, 2, 5, DS_CATALOG_CHANGES, 3 * DS_CATALOG_CHANGES + 1};
    const char *path = temp_path();
    ds__store *store = open_three(path);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        ds__catalog *before = catalog_of(store);
        change_elsewhere(path, changes[i]);
        ds__txn *txn = begin(store, DS_TXN_READ);
        assert_ptr_equal(find(txn, "b"), ds__catalog_find(before, "db", 2, "b", 1));
        assert_ptr_not_equal(find(txn, "a"), ds__catalog_find(before, "db", 2, "a", 1));
        ds__txn_abort(txn);
        ds__catalog_unref(before);
        expect_as_read_anew(store, path);
    }
    ds__store_close(store);
}

/* What no version tells of is not looked at. */
static void only_the_collections_told_of_are_read(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_three(path);
    ds__catalog_unref(catalog_of(store)); /* the store knows a version */
    run_sql(path, "UPDATE ds_coll SET name='z' WHERE name='b'");
    change_elsewhere(path, 3);
    ds__txn *txn = begin(store, DS_TXN_READ);
    assert_non_null(find(txn, "b"));
    assert_int_equal(find(txn, "a")->index_count, 2);
    ds__txn_abort(txn);
    ds__store_close(store);
}

/* Programs of before raise the version without telling of what. */
static void a_change_that_is_not_told_of_is_found(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_three(path);
    ds__catalog *before = catalog_of(store);
    const ds__coll *a = ds__catalog_find(before, "db", 2, "a", 1);
    const ds__coll *b = ds__catalog_find(before, "db", 2, "b", 1);
    run_sql(path, "UPDATE ds_coll SET name='z' WHERE name='b';"
                  "UPDATE ds_meta SET v=v+1 WHERE k='version'");
    change_elsewhere(path, 1);
    ds__txn *txn = begin(store, DS_TXN_READ);
    assert_null(find(txn, "b"));
    assert_int_equal(find(txn, "z")->id, b->id);
    assert_int_equal(find(txn, "a")->index_count, 2);
    assert_int_equal(a->index_count, 1);
    ds__txn_abort(txn);
    ds__catalog_unref(before);
    ds__store_close(store);
}

static void a_file_of_before_is_read_and_changed(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store_close(open_three(path));
    run_sql(path, "DROP TABLE ds_change; DROP INDEX ds_index_coll");
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_READ);
    assert_non_null(find(txn, "c"));
    ds__txn_abort(txn);
    run_sql(path, "UPDATE ds_coll SET name='z' WHERE name='b';"
                  "UPDATE ds_meta SET v=v+1 WHERE k='version'");
    expect_as_read_anew(store, path);
    txn = begin(store, DS_TXN_WRITE);
    index_ok(txn, "a", "x");
    insert_into(txn, "a", "{\"_id\": 1, \"x\": [1]}");
    make(txn, "d");
    commit(txn);
    expect_as_read_anew(store, path);
    ds__store_close(store);
}

static void a_file_of_before_turns_multikey(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_three(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    index_ok(txn, "a", "x");
    commit(txn);
    ds__store_close(store);
    run_sql(path, "DROP TABLE ds_change; DROP INDEX ds_index_coll");
    store = open_store(path);
    txn = begin(store, DS_TXN_WRITE);
    insert_into(txn, "a", "{\"_id\": 1, \"x\": [1]}");
    commit(txn);
    txn = begin(store, DS_TXN_READ);
    assert_true(find(txn, "a")->indexes[1].multikey);
    ds__txn_abort(txn);
    expect_as_read_anew(store, path);
    ds__store_close(store);
}

/* One random change; names are few, so that they are used again and exchanged. */
static void change_something(ds__txn *txn, unsigned *seed) {
    ds_error err = {0};
    char name[4] = {(char)('a' + rand_r(seed) % 8)};
    char other[4] = {(char)('a' + rand_r(seed) % 8)};
    char field[4] = {(char)('p' + rand_r(seed) % 4)};
    const ds__coll *coll = find(txn, name);
    const ds__index *index = coll ? ds__coll_find_index(coll, field, 1) : NULL;
    char json[100];
    if (!coll) {
        make(txn, name);
        return;
    }
    switch (rand_r(seed) % 6) {
    case 0:
        drop(txn, name);
        break;
    case 1:
        if (!find(txn, other)) {
            assert_true(ds__ddl_rename(txn, coll, "db", other, &err));
        }
        break;
    case 2:
        assert_true(ds__ddl_set_options(
            txn, coll, doc_of(rand_r(seed) % 2 ? "{\"comment\": 1}" : "{}"), &err));
        break;
    case 3:
        snprintf(json, sizeof json, "{\"_id\": {\"$oid\": \"%08x%08x%08x\"}, \"%s\": [1, 2]}",
                 rand_r(seed), rand_r(seed), rand_r(seed), field);
        insert_into(txn, name, json);
        break;
    default:
        if (index) {
            assert_true(ds__ddl_drop_index(txn, coll, index, &err));
        } else {
            index_ok(txn, name, field);
        }
    }
}

static void random_changes_come_to_the_same_as_reading_anew(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *stores[2] = {open_store(path), open_store(path)};
    unsigned seed = 7;
    for (int round = 0; round < 150; round++) {
        ds__txn *txn = begin(stores[rand_r(&seed) % 2], DS_TXN_WRITE);
        int savepoints = 0;
        ds_error err = {0};
        for (int i = rand_r(&seed) % (round % 30 ? 6 : 2 * DS_CATALOG_CHANGES); i >= 0; i--) {
            int number = savepoints;
            unsigned what = (unsigned)rand_r(&seed) % 8;
            if (what == 0 && savepoints < 4) {
                assert_true(ds__txn_savepoint(txn, &savepoints, &err));
            } else if (what <= 2 && savepoints > 0) {
                assert_true((what == 1 ? ds__txn_rollback : ds__txn_release)(txn, number, &err));
                savepoints--;
            }
            change_something(txn, &seed);
        }
        if (rand_r(&seed) % 4) {
            commit(txn);
        } else {
            ds__txn_abort(txn);
        }
        expect_as_read_anew(stores[round % 2], path);
        if (round % 7 == 0) {
            expect_as_read_anew(stores[1 - round % 2], path);
        }
    }
    ds__store_close(stores[0]);
    ds__store_close(stores[1]);
}

typedef struct readers {
    ds__store *store;
    atomic_bool stop;
    atomic_int wrong;
} readers;

static void *read_catalogs(void *arg) {
    readers *r = arg;
    while (!atomic_load(&r->stop)) {
        ds_error err = {0};
        ds__txn *txn = NULL;
        if (!ds__txn_begin(r->store, DS_TXN_READ, NULL, &txn, &err)) {
            atomic_fetch_add(&r->wrong, 1);
            continue;
        }
        size_t at = 0;
        const ds__coll *coll;
        const char *last = "";
        while ((coll = ds__catalog_each(ds__txn_catalog(txn), &at))) {
            bool ok = strcmp(last, coll->name) < 0 && coll->index_count > 0 &&
                      find(txn, coll->name) == coll;
            for (size_t i = 0; i < coll->index_count; i++) {
                ok = ok && coll->indexes[i].name[0] && coll->indexes[i].part_count == 1;
            }
            last = coll->name;
            atomic_fetch_add(&r->wrong, !ok);
        }
        ds__txn_abort(txn);
    }
    return NULL;
}

static void threads_read_while_the_catalog_changes(void **state) {
    (void)state;
    readers r = {.store = open_three(temp_path())};
    pthread_t threads[3];
    unsigned seed = 3;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_catalogs, &r), 0);
    }
    for (int i = 0; i < 150; i++) {
        ds__txn *txn = begin(r.store, DS_TXN_WRITE);
        change_something(txn, &seed);
        change_something(txn, &seed);
        commit(txn);
    }
    atomic_store(&r.stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(r.wrong, 0);
    ds__store_close(r.store);
}

static void a_transaction_of_many_changes_keeps_little(void **state) {
    (void)state;
    enum { MADE = 600, MOST = 20 << 20 };
    ds__store *store = open_three(temp_path());
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    size_t before = allocated();
    for (int i = 0; i < MADE; i++) {
        char name[12];
        int savepoint;
        ds_error err = {0};
        assert_true(ds__txn_savepoint(txn, &savepoint, &err)); /* as each command has one */
        snprintf(name, sizeof name, "c%d", i);
        make(txn, name);
        index_ok(txn, name, "x");
        assert_true(ds__txn_release(txn, savepoint, &err));
    }
    size_t kept = allocated() - before;
    if (kept > MOST) {
        fail_msg("%zu bytes are kept", kept);
    }
    commit(txn);
    ds__store_close(store);
}

static void upgrade_beside(const char *path, ds__txn *reading) {
    ds_error err = {0};
    char sql[120];
    ds__store *newer = open_store(path);
    ds__txn *txn = begin(newer, DS_TXN_WRITE);
    snprintf(sql, sizeof sql, "PRAGMA user_version=%d; UPDATE ds_meta SET v=v+1 WHERE k='version'",
             DS_STORE_FORMAT + 1);
    assert_true(ds__conn_exec(txn->conn, sql, &err));
    commit(txn);
    assert_non_null(find(reading, "c")); /* its snapshot is of before */
    assert_false(ds__txn_upgrade(reading, &err));
    assert_int_equal(err.code, DS_WRITE_CONFLICT);
    ds__txn_abort(reading);
    ds__store_close(newer);
}

static void a_file_that_a_newer_program_upgrades_is_refused_from_then_on(void **state) {
    (void)state;
    ds__txn *txn;
    ds__store *store = open_store(temp_path());
    txn = begin(store, DS_TXN_WRITE);
    make(txn, "c");
    insert_into(txn, "c", "{\"_id\": 1}");
    commit(txn);
    upgrade_beside(store->path, begin(store, DS_TXN_READ));
    const ds__txn_kind kinds[] = {DS_TXN_READ, DS_TXN_WRITE, DS_TXN_WRITE};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        ds_error err = {0};
        assert_false(ds__txn_begin(store, kinds[i], NULL, &txn, &err));
        assert_int_equal(err.code, DS_MUST_UPGRADE);
        assert_non_null(strstr(err.message, "use a newer version"));
    }
    ds__store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_shares_the_other_collections),
        cmocka_unit_test(what_was_found_before_a_change_stays_readable),
        cmocka_unit_test(a_savepoint_brings_the_catalog_back),
        cmocka_unit_test(an_aborted_change_leaves_nothing),
        cmocka_unit_test(a_change_that_failed_half_way_is_read_again),
        cmocka_unit_test(another_processs_change_reads_one_collection),
        cmocka_unit_test(only_the_collections_told_of_are_read),
        cmocka_unit_test(a_change_that_is_not_told_of_is_found),
        cmocka_unit_test(a_file_of_before_is_read_and_changed),
        cmocka_unit_test(a_file_of_before_turns_multikey),
        cmocka_unit_test(random_changes_come_to_the_same_as_reading_anew),
        cmocka_unit_test(threads_read_while_the_catalog_changes),
        cmocka_unit_test(a_transaction_of_many_changes_keeps_little),
        cmocka_unit_test(a_file_that_a_newer_program_upgrades_is_refused_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
