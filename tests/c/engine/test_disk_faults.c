/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, writes, syncs, truncations and openings that fail, each at every step: a layer between
 * SQLite and the system, below the store's own. */
#include "scan_faults.h"

#include <sqlite3.h>

typedef enum step_kind { READ, WRITE, FULL, SYNC, TRUNCATE, OPEN, DELETE } step_kind;

static step_kind failing;
static sqlite3_vfs *real;
static sqlite3_vfs faulty;

typedef struct disk_file {
    sqlite3_file base;
    sqlite3_file *real;
} disk_file;

static sqlite3_file *under(sqlite3_file *file) {
    return ((disk_file *)file)->real;
}

static bool fails(step_kind kind) {
    return failing == kind && fault_now();
}

static int disk_close(sqlite3_file *file) {
    return under(file)->pMethods->xClose(under(file));
}
static int disk_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
    return fails(READ) ? SQLITE_IOERR_READ
                       : under(file)->pMethods->xRead(under(file), out, size, at);
}
static int disk_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    if (fails(WRITE) || fails(FULL)) {
        /* half of it arrives all the same */
        under(file)->pMethods->xWrite(under(file), bytes, size / 2, at);
        return failing == FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    }
    return under(file)->pMethods->xWrite(under(file), bytes, size, at);
}
static int disk_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return fails(TRUNCATE) ? SQLITE_IOERR_TRUNCATE
                           : under(file)->pMethods->xTruncate(under(file), size);
}
static int disk_sync(sqlite3_file *file, int flags) {
    return fails(SYNC) ? SQLITE_IOERR_FSYNC : under(file)->pMethods->xSync(under(file), flags);
}
static int disk_size(sqlite3_file *file, sqlite3_int64 *size) {
    return under(file)->pMethods->xFileSize(under(file), size);
}
static int disk_lock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xLock(under(file), level);
}
static int disk_unlock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xUnlock(under(file), level);
}
static int disk_reserved(sqlite3_file *file, int *out) {
    return under(file)->pMethods->xCheckReservedLock(under(file), out);
}
static int disk_control(sqlite3_file *file, int op, void *arg) {
    return under(file)->pMethods->xFileControl(under(file), op, arg);
}
static int disk_sector(sqlite3_file *file) {
    return under(file)->pMethods->xSectorSize(under(file));
}
static int disk_device(sqlite3_file *file) {
    return under(file)->pMethods->xDeviceCharacteristics(under(file));
}
static int disk_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
    return under(file)->pMethods->xShmMap(under(file), region, size, extend, out);
}
static int disk_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return under(file)->pMethods->xShmLock(under(file), offset, n, flags);
}
static void disk_barrier(sqlite3_file *file) {
    under(file)->pMethods->xShmBarrier(under(file));
}
static int disk_unmap(sqlite3_file *file, int drop) {
    return under(file)->pMethods->xShmUnmap(under(file), drop);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = disk_close,
    .xRead = disk_read,
    .xWrite = disk_write,
    .xTruncate = disk_truncate,
    .xSync = disk_sync,
    .xFileSize = disk_size,
    .xLock = disk_lock,
    .xUnlock = disk_unlock,
    .xCheckReservedLock = disk_reserved,
    .xFileControl = disk_control,
    .xSectorSize = disk_sector,
    .xDeviceCharacteristics = disk_device,
    .xShmMap = disk_shm_map,
    .xShmLock = disk_shm_lock,
    .xShmBarrier = disk_barrier,
    .xShmUnmap = disk_unmap,
};

static int disk_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                     int *out_flags) {
    (void)vfs;
    disk_file *f = (disk_file *)file;
    memset(f, 0, sizeof *f);
    if (fails(OPEN)) {
        return SQLITE_CANTOPEN;
    }
    f->real = (sqlite3_file *)(f + 1);
    int rc = real->xOpen(real, name, f->real, flags, out_flags);
    f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    return fails(DELETE) ? SQLITE_IOERR_DELETE : real->xDelete(real, name, sync);
}

static int put_between(void **state) {
    (void)state;
    real = sqlite3_vfs_find(NULL);
    faulty = *real;
    faulty.zName = "faulty";
    faulty.szOsFile = (int)sizeof(disk_file) + real->szOsFile;
    faulty.xOpen = disk_open;
    faulty.xDelete = disk_delete;
    return sqlite3_vfs_register(&faulty, 1) == SQLITE_OK ? 0 : 1;
}

static bool storage_failed(int code) {
    return code == DS_FILE_STREAM_FAILED || code == DS_OUT_OF_DISK_SPACE ||
           code == DS_FILE_NOT_OPEN;
}

static void fail_everywhere(step_kind kind, bool unsure, long least) {
    failing = kind;
    const fault_rules rules = {.allowed = storage_failed, .unsure = unsure};
    assert_true(fault_everywhere(&rules, fault_stride(3)) >= least / 3);
}

static void reads_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(READ, false, 100);
}
static void writes_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(WRITE, false, 100);
}
static void the_disk_may_be_full_anywhere(void **state) {
    (void)state;
    fail_everywhere(FULL, false, 100);
}
/* A commit whose sync failed may be on the disk or not: nobody can say. */
static void syncs_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(SYNC, true, 20);
}
/* None with files this small; the rule holds for what may come. */
static void truncations_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(TRUNCATE, false, 0);
}
static void openings_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(OPEN, false, 5);
}

static void deletions_may_fail_anywhere(void **state) {
    (void)state;
    fail_everywhere(DELETE, false, 10);
}

static void reads_of_long_scans_may_fail_anywhere(void **state) {
    (void)state;
    const fault_rules rules = {.allowed = storage_failed};
    failing = READ;
    assert_true(scan_faults(&rules, fault_stride(3)) >= 100 / 3);
    assert_true(fault_elsewhere > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_long_scans_may_fail_anywhere),
        cmocka_unit_test(reads_may_fail_anywhere),
        cmocka_unit_test(writes_may_fail_anywhere),
        cmocka_unit_test(the_disk_may_be_full_anywhere),
        cmocka_unit_test(syncs_may_fail_anywhere),
        cmocka_unit_test(truncations_may_fail_anywhere),
        cmocka_unit_test(openings_may_fail_anywhere),
        cmocka_unit_test(deletions_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, put_between, NULL);
}
