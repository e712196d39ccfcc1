/* SPDX-License-Identifier: Apache-2.0 */
/* Reading rows past SQLite gives what SQLite gives: of every snapshot, whatever others write, write
 * back and cut off meanwhile; and of damaged pages an error. */
#include "util.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "engine/store/leaves.h"

enum { MOST = 8000 };

typedef struct seen {
    int64_t rids[MOST];
    uint32_t sizes[MOST];
    uint8_t marks[MOST]; /* a byte in the middle */
    int count;
} seen;

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void note(seen *s, int64_t rid, ds_value doc) {
    assert_true(s->count < MOST);
    s->rids[s->count] = rid;
    s->sizes[s->count] = doc.size;
    s->marks[s->count] = doc.as.bytes[doc.size / 2];
    s->count++;
}

/* Rows are bytes with their length before them: most small, some of many pages. */
static ds_value make_row(uint32_t *seed, uint8_t *room) {
    const uint32_t kind = next_random(seed) % 20;
    const uint32_t size = kind == 0   ? 5 + next_random(seed) % 90000
                          : kind == 1 ? 8100 + next_random(seed) % 120
                                      : 5 + next_random(seed) % 400;
    memset(room, (int)(next_random(seed) & 0xff), size);
    memcpy(room, &size, 4);
    return ds__document(room);
}

static void change(ds__store *store, int64_t rows, uint32_t *seed) {
    static uint8_t room[100000];
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    int64_t rid = 0;
    for (uint32_t i = 20 + next_random(seed) % 150; i-- > 0;) {
        assert_true(ds__row_insert(txn, rows, make_row(seed, room), &rid, &err));
    }
    for (uint32_t i = next_random(seed) % 150; i-- > 0;) {
        const int64_t other = 1 + (int64_t)(next_random(seed) % (uint32_t)rid);
        if (next_random(seed) % 3 == 0) {
            assert_true(ds__row_replace(txn, rows, other, make_row(seed, room), &err));
        } else {
            assert_true(ds__row_delete(txn, rows, other, &err));
        }
    }
    commit(txn);
}

/* What SQLite gives: scans backwards are always its own. */
static void read_plainly(ds__txn *txn, int64_t rows, seen *out) {
    ds_error err = {0};
    ds__scan *scan;
    ds__scan_row row;
    ds_next next;
    out->count = 0;
    assert_true(ds__scan_rows(txn, rows, true, &scan, &err));
    while ((next = ds__scan_next(scan, &row, &err)) == DS_NEXT_ROW) {
        note(out, row.rid, row.doc);
    }
    assert_int_equal(next, DS_NEXT_END);
    ds__scan_close(scan);
}

static void compare_from(ds__txn *txn, int64_t rows, const seen *plain, int64_t from) {
    ds_error err = {0};
    ds__leaves *leaves = NULL;
    ds_next next;
    ds_value doc;
    int64_t rid;
    int at = plain->count;
    assert_true(ds__leaves_open(txn, rows, from, &leaves, &err));
    assert_non_null(leaves);
    while (at > 0 && plain->rids[at - 1] < from) {
        at--;
    }
    while ((next = ds__leaves_next(leaves, &rid, &doc, &err)) == DS_NEXT_ROW) {
        assert_true(at-- > 0);
        assert_int_equal(rid, plain->rids[at]);
        assert_int_equal(doc.size, plain->sizes[at]);
        assert_int_equal(doc.as.bytes[doc.size / 2], plain->marks[at]);
    }
    assert_int_equal(next, DS_NEXT_END);
    assert_int_equal(at, 0);
    ds__leaves_close(leaves);
}

static void compare(ds__txn *txn, int64_t rows, uint32_t *seed) {
    static seen plain;
    read_plainly(txn, rows, &plain);
    compare_from(txn, rows, &plain, INT64_MIN);
    compare_from(txn, rows, &plain, INT64_MAX);
    for (int i = 0; plain.count > 0 && i < 5; i++) {
        const int64_t rid = plain.rids[next_random(seed) % (uint32_t)plain.count];
        compare_from(txn, rows, &plain, rid + (int)(next_random(seed) % 3) - 1);
    }
}

static void run_sql(const char *path, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, ds__vfs_name()), SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, NULL); /* may be hindered by a reader: that is meant */
    sqlite3_close(db);
}

static int64_t make_table(ds__store *store) {
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    const int64_t rows = coll_of(txn)->id;
    commit(txn);
    return rows;
}

static void every_snapshot_is_read_as_sqlite_reads_it(void **state) {
    (void)state;
    static const char *const meanwhile[] = {
        "PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA incremental_vacuum"};
    for (uint32_t round = 1; round <= 6; round++) {
        uint32_t seed = round;
        const char *path = temp_path();
        ds__store *store = open_store(path);
        const int64_t rows = make_table(store);
        ds__txn *readers[4] = {NULL};
        for (int i = 0; i < 24; i++) {
            change(store, rows, &seed);
            const uint32_t chosen = next_random(&seed) % 6;
            if (chosen < 4) {
                run_sql(path, meanwhile[chosen]);
            }
            ds__txn **reader = &readers[next_random(&seed) % 4];
            if (*reader) {
                compare(*reader, rows, &seed);
                ds__txn_abort(*reader);
                *reader = NULL;
            } else {
                *reader = begin(store, DS_TXN_READ);
                compare(*reader, rows, &seed);
            }
        }
        for (int i = 0; i < 4; i++) {
            if (readers[i]) {
                compare(readers[i], rows, &seed);
                ds__txn_abort(readers[i]);
            }
        }
        ds__store_close(store);
    }
}

static void fill(ds__store *store, int64_t rows, int count) {
    static uint8_t room[100000];
    uint32_t seed = 1;
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    for (int i = 0; i < count; i++) {
        int64_t rid;
        assert_true(ds__row_insert(txn, rows, make_row(&seed, room), &rid, &err));
    }
    commit(txn);
}

/* The scan has long begun to read past SQLite when its transaction becomes one that writes. */
static void a_scan_sees_what_its_transaction_writes(void **state) {
    (void)state;
    uint8_t row[8] = {8, 0, 0, 0, 1, 2, 3, 0};
    ds_error err = {0};
    ds__store *store = open_store(temp_path());
    const int64_t rows = make_table(store);
    fill(store, rows, 1000);
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__scan *scan;
    ds__scan_row found;
    assert_true(ds__scan_rows(txn, rows, false, &scan, &err));
    for (int i = 0; i < 600; i++) {
        assert_int_equal(ds__scan_next(scan, &found, &err), DS_NEXT_ROW);
    }
    const int64_t stood = found.rid;
    int64_t rid;
    int64_t last = 0;
    assert_true(ds__txn_upgrade(txn, &err));
    assert_true(ds__row_delete(txn, rows, stood + 1, &err));
    assert_true(ds__row_insert(txn, rows, ds__document(row), &rid, &err));
    int left = 0;
    while (ds__scan_next(scan, &found, &err) == DS_NEXT_ROW) {
        assert_int_not_equal(found.rid, stood + 1);
        last = found.rid;
        left++;
    }
    assert_int_equal(left, 400);
    assert_int_equal(last, rid);
    ds__scan_close(scan);
    ds__txn_abort(txn);
    ds__store_close(store);
}

/* Reads and goes on in another transaction, as cursors do between batches. */
static void a_scan_goes_on_in_another_transaction(void **state) {
    (void)state;
    ds_error err = {0};
    ds__store *store = open_store(temp_path());
    const int64_t rows = make_table(store);
    fill(store, rows, 1500);
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__scan *scan;
    ds__scan_row row;
    int n = 0;
    assert_true(ds__scan_rows(txn, rows, false, &scan, &err));
    while (ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
        assert_int_equal(row.rid, ++n);
        if (n % 400 == 0) {
            ds__scan_pause(scan);
            ds__txn_abort(txn);
            txn = begin(store, DS_TXN_READ);
            assert_true(ds__scan_resume(scan, txn, &err));
        }
    }
    assert_int_equal(n, 1500);
    ds__scan_close(scan);
    ds__txn_abort(txn);
    ds__store_close(store);
}

static void xor_byte(const char *path, int64_t at, uint8_t with) {
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= with;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static int64_t file_size(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_size;
}

/* All rows by a scan; the error's code that ends it, or 0. */
static int scan_all(ds__store *store, int64_t rows, ds_error *err) {
    ds__txn *txn = NULL;
    ds__scan *scan = NULL;
    ds__scan_row row;
    ds_next next = DS_NEXT_ERROR;
    volatile uint8_t last; /* is read: what lies outside of the page is found by sanitizers */
    *err = (ds_error){0};
    if (ds__txn_begin(store, DS_TXN_READ, NULL, &txn, err) &&
        ds__scan_rows(txn, rows, false, &scan, err)) {
        while ((next = ds__scan_next(scan, &row, err)) == DS_NEXT_ROW) {
            last = row.doc.as.bytes[row.doc.size - 1];
        }
    }
    ds__scan_close(scan);
    ds__txn_abort(txn);
    (void)last;
    return next == DS_NEXT_END ? 0 : err->code;
}

static void a_damaged_page_is_told_with_its_number(void **state) {
    (void)state;
    char expected[32];
    ds_error err = {0};
    const char *path = temp_path();
    ds__store *store = open_store(path);
    const int64_t rows = make_table(store);
    fill(store, rows, 3000);
    ds__store_close(store);
    const int64_t page = file_size(path) / 8192 / 2;
    xor_byte(path, page * 8192 + 4000, 0x10);
    store = open_store(path);
    assert_int_equal(scan_all(store, rows, &err), DS_DATA_CORRUPTION_DETECTED);
    snprintf(expected, sizeof expected, "page %d ", (int)page + 1);
    assert_non_null(strstr(err.message, expected));
    ds__store_close(store);
}

/* An outsider does that: SQLite would not. What is not there any more is no signal. */
static void a_file_cut_short_is_an_error(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_error err = {0};
    ds__store *store = open_store(path);
    const int64_t rows = make_table(store);
    fill(store, rows, 3000);
    ds__store_close(store);
    store = open_store(path);
    assert_int_equal(truncate(path, file_size(path) / 2 / 8192 * 8192), 0);
    assert_int_equal(scan_all(store, rows, &err), DS_DATA_CORRUPTION_DETECTED);
    ds__store_close(store);
}

/* Pages without a checksum are believed nothing. */
static void bytes_at_random_do_not_lead_out_of_a_page(void **state) {
    (void)state;
    static const uint8_t none[DS_PAGE_RESERVED];
    const char *path = temp_path();
    ds_error err = {0};
    uint32_t seed = 7;
    ds__store *store = open_store(path);
    const int64_t rows = make_table(store);
    fill(store, rows, 1200);
    ds__store_close(store);
    const uint32_t pages = (uint32_t)(file_size(path) / 8192);
    int fd = open(path, O_RDWR);
    for (uint32_t i = 0; i < pages; i++) {
        assert_int_equal(pwrite(fd, none, sizeof none, (int64_t)(i + 1) * 8192 - 8), 8);
    }
    close(fd);
    int damaged = 0;
    for (int i = 0; i < 200; i++) {
        const int64_t page = 12 + (int64_t)(next_random(&seed) % (pages - 12));
        const uint32_t within = next_random(&seed) % 3 ? 60 : 8180;
        const int64_t at = page * 8192 + next_random(&seed) % within;
        const uint8_t with = (uint8_t)(1 + next_random(&seed) % 255);
        xor_byte(path, at, with);
        store = open_store(path);
        const int code = scan_all(store, rows, &err);
        assert_true(code == 0 || code == DS_DATA_CORRUPTION_DETECTED);
        damaged += code != 0;
        ds__store_close(store);
        xor_byte(path, at, with);
    }
    assert_true(damaged > 50);
}

typedef struct threads {
    pthread_mutex_t lock;
    pthread_t first;
    bool several;
    uint32_t wanted; /* one of so many */
} threads;

static bool is_wanted(uint32_t wanted, ds_value doc) {
    return doc.size % wanted == 0;
}

static bool slow_test(const void *ctx, ds_value doc) {
    threads *t = (threads *)(uintptr_t)ctx;
    pthread_mutex_lock(&t->lock);
    if (!t->first) {
        t->first = pthread_self();
    }
    t->several = t->several || !pthread_equal(t->first, pthread_self());
    pthread_mutex_unlock(&t->lock);
    if (doc.size % 16 == 0) {
        usleep(20);
    }
    return is_wanted(t->wanted, doc);
}

/* The rows that pass, in their order, and how many were passed over before each. */
static void threads_share_a_scan(void **state) {
    (void)state;
    ds_error err = {0};
    const char *path = temp_path();
    const ds__store_options options = {.scan_threads = 3, .share_after = 1};
    ds__store *store = ds__records_open(path, &options, &err);
    assert_non_null(store);
    const int64_t rows = make_table(store);
    uint32_t seed = 3;
    for (int round = 0; round < 6; round++) {
        static seen plain;
        threads t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = 1 + (uint32_t)round * 7};
        fill(store, rows, 500);
        change(store, rows, &seed);
        if (round == 3) {
            run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        ds__txn *txn = begin(store, DS_TXN_READ);
        read_plainly(txn, rows, &plain);
        ds__scan *scan;
        ds__scan_row row;
        int at = plain.count;
        uint64_t examined = 0;
        assert_true(ds__scan_rows(txn, rows, false, &scan, &err));
        ds_next next;
        while ((next = ds__scan_next(scan, &row, &err)) == DS_NEXT_ROW) {
            if (ds__scan_can_share(scan)) {
                ds__scan_share(scan, slow_test, &t);
            }
            examined += row.passed + 1;
            for (uint64_t i = 0; i < row.passed; i++) {
                assert_true(plain.sizes[--at] % t.wanted != 0);
            }
            at--;
            assert_int_equal(row.rid, plain.rids[at]);
            assert_int_equal(row.doc.size, plain.sizes[at]);
            assert_int_equal(row.doc.as.bytes[row.doc.size / 2], plain.marks[at]);
        }
        assert_int_equal(next, DS_NEXT_END);
        assert_int_equal(examined + row.passed, plain.count);
        assert_int_equal(ds__scan_examined(scan), plain.count);
        assert_true(t.several || plain.count < 1500);
        ds__scan_close(scan);
        ds__txn_abort(txn);
    }
    ds__store_close(store);
}

/* The rows that pass, counted, of a scan whose operation is charged; `then` is charged when helpers
 * have begun. */
static int scan_charged(ds__store *store, int64_t rows, ds_meter *meter, size_t then, threads *t,
                        size_t *most) {
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_READ);
    ds__scan *scan;
    ds__scan_row row;
    int count = 0;
    *most = 0;
    ds__txn_bound(txn, meter);
    assert_true(ds__scan_rows(txn, rows, false, &scan, &err));
    while (ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
        if (ds__scan_can_share(scan)) {
            ds__scan_share(scan, slow_test, t);
        }
        count += is_wanted(t->wanted, row.doc);
        *most = meter->held > *most ? meter->held : *most;
        if (then > 0 && meter->held > 0) {
            assert_true(ds_meter_charge(meter, then));
            assert_int_equal(ds__scan_next(scan, &row, &err), DS_NEXT_ROW);
            assert_int_equal(meter->held, then);
            count += is_wanted(t->wanted, row.doc);
            ds_meter_give(meter, then);
            then = 0;
        }
    }
    assert_int_equal(err.code, 0);
    ds__scan_close(scan);
    ds__txn_abort(txn);
    return count;
}

/* And without the memory there are no helpers. */
static void what_helpers_hold_is_charged(void **state) {
    (void)state;
    static const size_t mb = 1024 * 1024;
    ds_error err = {0};
    const ds__store_options options = {.scan_threads = 4, .share_after = 1};
    ds__store *store = ds__records_open(temp_path(), &options, &err);
    assert_non_null(store);
    const int64_t rows = make_table(store);
    fill(store, rows, 3500);
    const struct {
        size_t limit;
        size_t then;
        bool shared;
    } cases[] = {{mb, 0, false}, {0, 0, true}, {1024 * mb, 0, true}, {1024 * mb, 600 * mb, true}};
    int counts[4];
    for (int i = 0; i < 4; i++) {
        threads t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = 3};
        ds_meter meter = {.limit = cases[i].limit};
        size_t most;
        counts[i] = scan_charged(store, rows, &meter, cases[i].then, &t, &most);
        assert_int_equal(meter.held, 0);
        assert_int_equal(most > mb, cases[i].shared);
        assert_int_equal(t.first != 0, cases[i].shared);
        assert_int_equal(counts[i], counts[0]);
    }
    ds__store_close(store);
}

/* Two rows to a leaf: of their numbers there are several pages. The last of those is told. */
static int64_t fill_deeply(const char *path, ds__store *store, int64_t rows) {
    static uint8_t room[3900];
    const uint32_t size = sizeof room;
    ds_error err = {0};
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    int64_t found = 0;
    int64_t rid;
    memcpy(room, &size, 4);
    for (int i = 0; i < 3000; i++) {
        assert_true(ds__row_insert(txn, rows, ds__document(room), &rid, &err));
    }
    commit(txn);
    ds__store_close(store);
    int fd = open(path, O_RDONLY);
    for (int64_t at = 8192; at < file_size(path); at += 8192) {
        uint8_t kind;
        assert_int_equal(pread(fd, &kind, 1, at), 1);
        found = kind == 5 ? at : found;
    }
    close(fd);
    assert_true(found > 0);
    return found;
}

/* A page is damaged behind what was read: the rows before it come, then its error. */
static void fail_alike(bool above_leaves) {
    int counts[2];
    ds_error errors[2] = {{0}};
    const char *path = temp_path();
    ds__store *store = open_store(path);
    const int64_t rows = make_table(store);
    int64_t at;
    if (above_leaves) {
        at = fill_deeply(path, store, rows);
    } else {
        fill(store, rows, 3500);
        ds__store_close(store);
        at = file_size(path) / 8192 * 3 / 4 * 8192;
    }
    xor_byte(path, at + 4000, 0x10);
    for (int i = 0; i < 2; i++) {
        const ds__store_options options = {.scan_threads = i == 0 ? 1 : 4, .share_after = 1};
        threads t = {.lock = PTHREAD_MUTEX_INITIALIZER, .wanted = 1};
        store = ds__records_open(path, &options, &errors[i]);
        ds__txn *txn = begin(store, DS_TXN_READ);
        ds__scan *scan;
        ds__scan_row row;
        assert_true(ds__scan_rows(txn, rows, false, &scan, &errors[i]));
        for (counts[i] = 0; ds__scan_next(scan, &row, &errors[i]) == DS_NEXT_ROW; counts[i]++) {
            if (ds__scan_can_share(scan)) {
                ds__scan_share(scan, slow_test, &t);
            }
        }
        assert_int_equal(errors[i].code, DS_DATA_CORRUPTION_DETECTED);
        assert_int_equal(ds__scan_next(scan, &row, &errors[i]), DS_NEXT_END);
        ds__scan_close(scan);
        ds__txn_abort(txn);
        ds__store_close(store);
    }
    assert_true(counts[0] > 1000);
    assert_int_equal(counts[0], counts[1]);
    assert_string_equal(errors[0].message, errors[1].message);
}

static void a_shared_scan_fails_where_a_plain_one_does(void **state) {
    (void)state;
    fail_alike(false);
    fail_alike(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_snapshot_is_read_as_sqlite_reads_it),
        cmocka_unit_test(a_scan_sees_what_its_transaction_writes),
        cmocka_unit_test(a_scan_goes_on_in_another_transaction),
        cmocka_unit_test(a_damaged_page_is_told_with_its_number),
        cmocka_unit_test(a_file_cut_short_is_an_error),
        cmocka_unit_test(threads_share_a_scan),
        cmocka_unit_test(what_helpers_hold_is_charged),
        cmocka_unit_test(a_shared_scan_fails_where_a_plain_one_does),
        cmocka_unit_test(bytes_at_random_do_not_lead_out_of_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
