/* SPDX-License-Identifier: Apache-2.0 */
/* Checksums of pages and of the log: every flipped byte is told, and a log that was only cut short
 * is no damage. */
#include "util.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "engine/store/internal.h"

enum { PAGE = 8192, FRAME = PAGE + DS_LOG_FRAME_HEAD, COMMITS = 6 };

typedef struct image {
    uint8_t *bytes;
    size_t size;
} image;

static image read_image(const char *path, const char *tail) {
    char name[120];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", path, tail);
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    image out = {malloc((size_t)st.st_size + 1), (size_t)st.st_size};
    assert_int_equal(read(fd, out.bytes, out.size), out.size);
    close(fd);
    return out;
}

static void write_image(const char *path, const char *tail, const image *from, size_t size) {
    char name[120];
    snprintf(name, sizeof name, "%s%s", path, tail);
    unlink(name);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, from->bytes, size), size);
    close(fd);
}

/* A file and the log of COMMITS documents more, as a killed process leaves them. */
static void make_crashed(const char *path, image *file, image *log) {
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": \"first\"}");
    commit(txn);
    ds__store_close(store);
    store = open_store(path);
    for (int i = 0; i < COMMITS; i++) {
        char json[64];
        txn = begin(store, DS_TXN_WRITE);
        snprintf(json, sizeof json, "{\"_id\": %d, \"t\": \"abc\"}", i);
        insert_ok(txn, json);
        commit(txn);
    }
    *file = read_image(path, "");
    *log = read_image(path, "-wal");
    ds__store_close(store);
}

/* Opens what is left; the documents found, and whether a warning was given. */
static int64_t open_crashed(const char *path, const image *file, const image *log, size_t size,
                            bool *warned) {
    char text[DS_WARNING_SIZE];
    char name[120];
    snprintf(name, sizeof name, "%s-shm", path);
    unlink(name);
    snprintf(name, sizeof name, "%s-wal-damaged", path);
    unlink(name);
    write_image(path, "", file, file->size);
    write_image(path, "-wal", log, size);
    ds__store *store = open_store(path);
    *warned = ds__store_warning(store, &(size_t){0}, text, sizeof text);
    assert_int_equal(access(name, F_OK) == 0, *warned);
    int64_t found = count(store);
    assert_int_equal(found, count_rows(store));
    ds__store_close(store);
    return found;
}

static void a_flipped_byte_of_the_log_is_told(void **state) {
    (void)state;
    const char *path = temp_path();
    image file;
    image log;
    bool warned;
    make_crashed(path, &file, &log);
    assert_int_equal(open_crashed(path, &file, &log, log.size, &warned), COMMITS + 1);
    assert_false(warned);
    for (size_t at = 0; at < log.size; at += 977) {
        if (at > 24 && (at - DS_LOG_HEAD) % FRAME > 40 && at % 3) {
            continue;
        }
        log.bytes[at] ^= 0x10;
        int64_t found = open_crashed(path, &file, &log, log.size, &warned);
        log.bytes[at] ^= 0x10;
        if (found != COMMITS + 1 && !warned) {
            fail_msg("byte %zu: %lld documents, and no word", at, (long long)found);
        }
    }
    /* the heads of frames and of the log, byte by byte, the last commit's included */
    for (size_t frame = 0; DS_LOG_HEAD + frame * FRAME < log.size; frame++) {
        for (size_t i = 0; i < DS_LOG_FRAME_HEAD; i++) {
            size_t at = DS_LOG_HEAD + frame * FRAME + i;
            log.bytes[at] ^= 0x81;
            int64_t found = open_crashed(path, &file, &log, log.size, &warned);
            log.bytes[at] ^= 0x81;
            if (found != COMMITS + 1 && !warned) {
                fail_msg("head of frame %zu, byte %zu: no word", frame, i);
            }
        }
    }
    for (size_t at = 0; at < DS_LOG_HEAD; at++) {
        log.bytes[at] ^= 2;
        int64_t found = open_crashed(path, &file, &log, log.size, &warned);
        log.bytes[at] ^= 2;
        assert_true(found == COMMITS + 1 || warned);
    }
    free(file.bytes);
    free(log.bytes);
}

static void a_log_cut_short_is_no_damage(void **state) {
    (void)state;
    const char *path = temp_path();
    image file;
    image log;
    bool warned;
    make_crashed(path, &file, &log);
    int64_t before = 0;
    for (size_t size = 0; size <= log.size; size += 4096 + 24) {
        int64_t found = open_crashed(path, &file, &log, size, &warned);
        assert_false(warned);
        assert_true(found >= before && found <= COMMITS + 1);
        before = found;
    }
    /* the last frames as space that was never written, block by block */
    for (size_t blocks = 1; blocks < 12; blocks++) {
        image torn = {malloc(log.size), log.size};
        memcpy(torn.bytes, log.bytes, log.size);
        memset(torn.bytes + log.size - blocks * 4096, 0, blocks * 4096);
        open_crashed(path, &file, &torn, log.size, &warned);
        assert_false(warned);
        free(torn.bytes);
    }
    free(file.bytes);
    free(log.bytes);
}

/* A larger transaction that was rolled back leaves frames behind a smaller one's. */
static void frames_of_a_rollback_are_no_damage(void **state) {
    (void)state;
    const char *path = temp_path();
    char text[DS_WARNING_SIZE];
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": \"first\"}");
    commit(txn);
    assert_int_equal(sqlite3_exec(store->pool->db, "PRAGMA cache_size=10", NULL, NULL, NULL), 0);
    for (int round = 0; round < 2; round++) {
        txn = begin(store, DS_TXN_WRITE);
        for (int i = 0; i < 300; i++) {
            char json[2200];
            snprintf(json, sizeof json, "{\"_id\": \"%d-%d\", \"t\": \"%02000d\"}", round, i, 0);
            insert_ok(txn, json);
            if (i % 50 == 0) { /* pages that were spilled are read again */
                assert_true(count_rows(store) >= 1);
            }
        }
        if (round == 0) {
            ds__txn_abort(txn);
        } else {
            ds__txn *other = begin(store, DS_TXN_READ);
            ds__txn_abort(other);
            commit(txn);
        }
    }
    txn = begin(store, DS_TXN_WRITE);
    insert_ok(txn, "{\"_id\": \"small\"}");
    commit(txn);
    image file = read_image(path, "");
    image log = read_image(path, "-wal");
    bool warned;
    assert_false(ds__store_warning(store, &(size_t){0}, text, sizeof text));
    ds__store_close(store);
    assert_int_equal(open_crashed(path, &file, &log, log.size, &warned), 302);
    assert_false(warned);
    free(file.bytes);
    free(log.bytes);
}

/* Reads everything, by table and by index; the code of the first failure. */
static int32_t read_all(ds__store *store, int64_t *rows, int64_t *keys) {
    ds_error err = {0};
    static const ds__interval all = {0};
    ds__txn *txn = NULL;
    ds__scan *scan = NULL;
    ds__scan_row row;
    *rows = *keys = 0;
    if (!ds__txn_begin(store, DS_TXN_READ, NULL, &txn, &err)) {
        return err.code;
    }
    const ds__coll *coll = coll_of(txn);
    if (coll && ds__scan_rows(txn, coll->id, false, &scan, &err)) {
        while (ds__scan_next(scan, &row, &err) == DS_NEXT_ROW) {
            (*rows)++;
        }
    }
    ds__scan_close(scan);
    for (size_t i = 0; coll && !err.code && i < coll->index_count; i++) {
        int64_t n;
        ds__scan_count(txn, ds__coll_keys(coll, &coll->indexes[i]), &all, 1, &n, &err);
        *keys += n;
    }
    ds__txn_abort(txn);
    return err.code;
}

static void a_flipped_byte_of_a_page_is_never_a_wrong_answer(void **state) {
    (void)state;
    const char *path = temp_path();
    ds_error err;
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    assert_true(add_index(txn, "{\"key\": {\"n\": 1}, \"name\": \"n\"}", &err));
    for (int i = 0; i < 400; i++) {
        char json[120];
        snprintf(json, sizeof json, "{\"_id\": %d, \"n\": \"%060d\"}", i, i);
        insert_ok(txn, json);
    }
    commit(txn);
    ds__store_close(store);
    image file = read_image(path, "");
    uint64_t random = 7;
    int told = 0;
    for (int round = 0; round < 300; round++) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t at = 100 + (random >> 33) % (file.size - 100);
        int64_t rows;
        int64_t keys;
        file.bytes[at] ^= 1u << round % 8;
        write_image(path, "", &file, file.size);
        file.bytes[at] ^= 1u << round % 8;
        err = (ds_error){0};
        store = ds__records_open(path, NULL, &err);
        int32_t code = store ? read_all(store, &rows, &keys) : err.code;
        if (code) {
            told++;
            assert_int_equal(code, DS_DATA_CORRUPTION_DETECTED);
        } else {
            assert_int_equal(rows, 400);
            assert_int_equal(keys, 800);
        }
        ds__store_close(store);
    }
    assert_true(told > 150); /* the rest fell into pages that nobody reads */
    free(file.bytes);
}

static void a_page_in_another_ones_place_is_told(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    for (int i = 0; i < 2000; i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"_id\": %d, \"t\": \"%0100d\"}", i, 0);
        insert_ok(txn, json);
    }
    commit(txn);
    ds__store_close(store);
    image file = read_image(path, "");
    uint8_t *a = file.bytes + file.size - 3 * PAGE;
    memcpy(a, a + PAGE, PAGE);
    write_image(path, "", &file, file.size);
    int64_t rows;
    int64_t keys;
    store = open_store(path);
    assert_int_equal(read_all(store, &rows, &keys), DS_DATA_CORRUPTION_DETECTED);
    ds__store_close(store);
    free(file.bytes);
}

/* Damage of the log under an open store must not reach the file with a new checksum. */
static void damaged_frames_are_not_written_to_the_file(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    ds__txn *txn = begin(store, DS_TXN_WRITE);
    for (int i = 0; i < 500; i++) {
        char json[200];
        snprintf(json, sizeof json, "{\"_id\": %d, \"t\": \"%0100d\"}", i, 0);
        insert_ok(txn, json);
    }
    commit(txn);
    char name[120];
    snprintf(name, sizeof name, "%s-wal", path);
    int fd = open(name, O_RDWR);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    uint8_t byte;
    off_t at = st.st_size - 50; /* in the last frame's page */
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    int rc = sqlite3_wal_checkpoint_v2(store->pool->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
    assert_int_equal(rc, SQLITE_CORRUPT);
    ds__store_close(store);
}

/* Files of the format before have no room for checksums. */
static void files_without_checksums_are_read_and_written(void **state) {
    (void)state;
    const char *path = temp_path();
    sqlite3 *db;
    char sql[100];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL", NULL, NULL, NULL), 0);
    assert_int_equal(sqlite3_exec(db, ds__store_schema, NULL, NULL, NULL), 0);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE ds_count(coll, n, bytes)", NULL, NULL, NULL),
                     0);
    assert_int_equal(sqlite3_exec(db, ds__catalog_hooks.schema, NULL, NULL, NULL), 0);
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=1",
             DS_STORE_APPLICATION_ID);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), 0);
    sqlite3_close(db);
    for (int i = 0; i < 3; i++) {
        char json[40];
        ds__store *store = open_store(path);
        ds__txn *txn = begin(store, DS_TXN_WRITE);
        snprintf(json, sizeof json, "{\"_id\": %d}", i);
        insert_ok(txn, json);
        commit(txn);
        assert_int_equal(count_rows(store), i + 1);
        ds__store_close(store);
    }
}

/* SQLite's own programs copy and read a store; what they write has no checksums, or old ones. */
static void assert_a_backup_has(const char *path, int expected) {
    char copy[100];
    snprintf(copy, sizeof copy, "%s.copy%d", path, expected);
    sqlite3 *from;
    sqlite3 *to;
    assert_int_equal(sqlite3_open_v2(path, &from, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_open(copy, &to), SQLITE_OK);
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    sqlite3_backup_finish(backup);
    sqlite3_close(from);
    sqlite3_close(to);
    ds__store *store = open_store(copy);
    int64_t rows;
    int64_t keys;
    assert_int_equal(read_all(store, &rows, &keys), 0);
    assert_int_equal(rows, expected);
    assert_int_equal(keys, expected);
    ds__store_close(store);
}

static void a_backup_by_sqlite_is_whole(void **state) {
    (void)state;
    const char *path = temp_path();
    ds__store *store = open_store(path);
    for (int round = 0; round < 2; round++) { /* pages of the file alone, then of the log too */
        ds__txn *txn = begin(store, DS_TXN_WRITE);
        for (int i = 0; i < 300; i++) {
            char json[100];
            snprintf(json, sizeof json, "{\"_id\": \"%d-%d\", \"t\": \"%050d\"}", round, i, 0);
            insert_ok(txn, json);
        }
        commit(txn);
        if (round == 0) {
            sqlite3_wal_checkpoint_v2(store->pool->db, NULL, SQLITE_CHECKPOINT_FULL, NULL, NULL);
        }
        assert_a_backup_has(path, 300 * (round + 1));
    }
    ds__store_close(store);
}

/* Who opens an empty file takes its pages to be smaller than they are made by somebody else. */
static void a_page_of_unknown_size_is_no_damage(void **state) {
    (void)state;
    const char *path = temp_path();
    sqlite3 *early;
    assert_int_equal(
        sqlite3_open_v2(path, &early, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ds__vfs_name()),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(early, "PRAGMA schema_version", NULL, NULL, NULL), SQLITE_OK);
    ds__store *store = open_store(path);
    assert_int_equal(sqlite3_exec(early, "SELECT k FROM ds_meta", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(early);
    ds__store_close(store);
}

static void late_readers_of_warnings_get_the_last_ones(void **state) {
    char text[DS_WARNING_SIZE];
    char expected[32];
    size_t next = 0;
    (void)state;
    ds__store *store = open_store(":memory:");
    for (int i = 0; i < 20; i++) {
        ds__store_warn(store, "warning %d", i);
    }
    for (int i = 20 - DS_STORE_WARNINGS; i < 20; i++) {
        snprintf(expected, sizeof expected, "warning %d", i);
        assert_true(ds__store_warning(store, &next, text, sizeof text));
        assert_string_equal(text, expected);
    }
    assert_false(ds__store_warning(store, &next, text, sizeof text));
    ds__store_warn(store, "one more");
    assert_true(ds__store_warning(store, &next, text, sizeof text));
    assert_string_equal(text, "one more");
    assert_false(ds__store_warning(store, &next, text, sizeof text));
    ds__store_close(store);
}

static bool is_there(const char *path, const char *tail) {
    char name[120];
    snprintf(name, sizeof name, "%s%s", path, tail);
    return access(name, F_OK) == 0;
}

/* A disk that is full after 64 kB: the copy is whole, or not there. */
static void a_copy_of_a_damaged_log_is_whole(void **state) {
    (void)state;
    char path[100];
    char text[DS_WARNING_SIZE] = "";
    image file;
    image log;
    struct rlimit old;
    snprintf(path, sizeof path, "%s", temp_path());
    make_crashed(path, &file, &log);
    assert_true(log.size > 65536 + 16384);
    log.bytes[log.size - 100] ^= 4;
    for (int full = 1; full >= 0; full--) {
        write_image(path, "", &file, file.size);
        write_image(path, "-wal", &log, log.size);
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        struct rlimit less = {full ? 65536 : old.rlim_cur, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
        ds_error err = {0};
        ds__store *store = ds__records_open(path, NULL, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(is_there(path, "-wal-damaged"), !full);
        assert_false(is_there(path, "-wal-damaged-new"));
        if (store) {
            assert_true(ds__store_warning(store, &(size_t){0}, text, sizeof text));
            assert_int_equal(strstr(text, "a copy is kept") != NULL, !full);
        }
        assert_true(store || full);
        ds__store_close(store);
    }
    image kept = read_image(path, "-wal-damaged");
    assert_int_equal(kept.size, log.size);
    assert_memory_equal(kept.bytes, log.bytes, log.size);
    free(kept.bytes);
    free(file.bytes);
    free(log.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_of_a_damaged_log_is_whole),
        cmocka_unit_test(a_flipped_byte_of_the_log_is_told),
        cmocka_unit_test(a_log_cut_short_is_no_damage),
        cmocka_unit_test(frames_of_a_rollback_are_no_damage),
        cmocka_unit_test(a_flipped_byte_of_a_page_is_never_a_wrong_answer),
        cmocka_unit_test(a_page_in_another_ones_place_is_told),
        cmocka_unit_test(damaged_frames_are_not_written_to_the_file),
        cmocka_unit_test(files_without_checksums_are_read_and_written),
        cmocka_unit_test(a_backup_by_sqlite_is_whole),
        cmocka_unit_test(a_page_of_unknown_size_is_no_damage),
        cmocka_unit_test(late_readers_of_warnings_get_the_last_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
