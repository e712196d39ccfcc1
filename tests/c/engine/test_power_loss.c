/* SPDX-License-Identifier: Apache-2.0 */
/* A file system that loses power: of what was written since the last sync of a file any sectors may
 * be missing. Whatever is left must open, be a state the store was in, and hold what was
 * acknowledged as durable. */
#include "faults.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "engine/op.h"
#include "engine/store/internal.h"

enum { FILES = 4, SECTOR = 512, KEEP = 25, COMMITS = 70, IMAGES = 20, SCANNED = 1600 };

/* A write or, when `bytes` is NULL, a truncation that no sync has followed yet. */
typedef struct pending {
    uint8_t *bytes;
    int64_t at;
    int64_t size;
} pending;

/* One file as the disk has it. */
typedef struct disk {
    char name[120];
    uint8_t *bytes;
    int64_t size;
    pending *log;
    size_t count;
    bool there;
} disk;

typedef struct lossy_file {
    sqlite3_file base;
    sqlite3_file *real;
    disk *disk; /* NULL: not of the store that loses power */
} lossy_file;

typedef struct image {
    char dir[130];
    int least; /* the commit that must be there */
    int most;
} image;

static sqlite3_vfs *real;
static sqlite3_vfs lossy;
static char watched[100]; /* the store that loses power */
static disk disks[FILES];
static image images[IMAGES];
static size_t image_count;
static uint64_t random_state;
static int durable;   /* the last commit acknowledged as durable */
static int attempted; /* the commit that runs */
static int every;     /* operations between images; 0: no power is lost */
static long operations;

static uint32_t next_random(uint32_t below) {
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % below);
}

static disk *find_disk(const char *name) {
    const size_t size = strlen(watched);
    if (!size || !name || strncmp(name, watched, size) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < FILES; i++) {
        if (!disks[i].name[0]) {
            snprintf(disks[i].name, sizeof disks[i].name, "%s", name);
        }
        if (strcmp(disks[i].name, name) == 0) {
            return &disks[i];
        }
    }
    return NULL;
}

static void set_size(uint8_t **bytes, int64_t *size, int64_t to) {
    if (to > *size) {
        *bytes = realloc(*bytes, (size_t)to);
        assert_non_null(*bytes);
        memset(*bytes + *size, 0, (size_t)(to - *size));
    }
    *size = to;
}

static void apply(uint8_t **bytes, int64_t *size, const pending *p, int64_t from, int64_t to) {
    if (!p->bytes) {
        set_size(bytes, size, p->at);
        return;
    }
    if (p->at + to > *size) {
        set_size(bytes, size, p->at + to);
    }
    memcpy(*bytes + p->at + from, p->bytes + from, (size_t)(to - from));
}

static void add_pending(disk *d, const void *bytes, int64_t size, int64_t at) {
    d->log = realloc(d->log, (d->count + 1) * sizeof *d->log);
    assert_non_null(d->log);
    pending *p = &d->log[d->count++];
    *p = (pending){.at = at, .size = size};
    if (bytes) {
        p->bytes = malloc((size_t)size + 1);
        assert_non_null(p->bytes);
        memcpy(p->bytes, bytes, (size_t)size);
    }
}

static void settle(disk *d) {
    for (size_t i = 0; i < d->count; i++) {
        apply(&d->bytes, &d->size, &d->log[i], 0, d->log[i].size);
        free(d->log[i].bytes);
    }
    d->count = 0;
    d->there = true;
}

/* Writes what one file may look like: each sector that no sync has followed is there or not. */
static void write_survivors(const disk *d, const char *dir, uint32_t percent) {
    char name[260];
    int64_t size = d->size;
    uint8_t *bytes = malloc((size_t)size + 1);
    assert_non_null(bytes);
    memcpy(bytes, d->bytes ? d->bytes : (const uint8_t *)"", (size_t)size);
    for (size_t i = 0; i < d->count; i++) {
        const pending *p = &d->log[i];
        for (int64_t from = 0; from < p->size || !p->bytes; from += SECTOR) {
            int64_t to = from + SECTOR < p->size ? from + SECTOR : p->size;
            if (next_random(100) < percent) {
                apply(&bytes, &size, p, from, to);
            }
            if (!p->bytes) {
                break;
            }
        }
    }
    snprintf(name, sizeof name, "%s/%s", dir, strrchr(d->name, '/') + 1);
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, (size_t)size, f), size);
    fclose(f);
    free(bytes);
}

static void lose_power(void) {
    static const uint32_t percents[] = {0, 50, 90, 99, 100};
    image *one = &images[image_count++];
    snprintf(one->dir, sizeof one->dir, "%s.%zu", watched, image_count);
    assert_int_equal(mkdir(one->dir, 0700), 0);
    one->least = durable;
    one->most = attempted;
    for (size_t i = 0; i < FILES; i++) {
        if (disks[i].there || disks[i].count > 0) {
            write_survivors(&disks[i], one->dir, percents[next_random(5)]);
        }
    }
}

static void happened(void) {
    if (every && image_count < IMAGES && ++operations % every == 0) {
        lose_power();
    }
}

static sqlite3_file *under(sqlite3_file *file) {
    return ((lossy_file *)file)->real;
}

static int lossy_close(sqlite3_file *file) {
    return under(file)->pMethods->xClose(under(file));
}
static int lossy_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
    return under(file)->pMethods->xRead(under(file), out, size, at);
}
static int lossy_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at) {
    disk *d = ((lossy_file *)file)->disk;
    if (d) {
        add_pending(d, bytes, size, at);
        happened();
    }
    return under(file)->pMethods->xWrite(under(file), bytes, size, at);
}
static int lossy_truncate(sqlite3_file *file, sqlite3_int64 size) {
    disk *d = ((lossy_file *)file)->disk;
    if (d) {
        add_pending(d, NULL, 0, size);
        happened();
    }
    return under(file)->pMethods->xTruncate(under(file), size);
}
static int lossy_sync(sqlite3_file *file, int flags) {
    (void)flags;
    disk *d = ((lossy_file *)file)->disk;
    if (d) {
        happened();
        settle(d);
    }
    return SQLITE_OK;
}
static int lossy_size(sqlite3_file *file, sqlite3_int64 *size) {
    return under(file)->pMethods->xFileSize(under(file), size);
}
static int lossy_lock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xLock(under(file), level);
}
static int lossy_unlock(sqlite3_file *file, int level) {
    return under(file)->pMethods->xUnlock(under(file), level);
}
static int lossy_reserved(sqlite3_file *file, int *out) {
    return under(file)->pMethods->xCheckReservedLock(under(file), out);
}
static int lossy_control(sqlite3_file *file, int op, void *arg) {
    return under(file)->pMethods->xFileControl(under(file), op, arg);
}
static int lossy_sector(sqlite3_file *file) {
    (void)file;
    return SECTOR;
}
static int lossy_device(sqlite3_file *file) {
    return under(file)->pMethods->xDeviceCharacteristics(under(file));
}
static int lossy_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
    return under(file)->pMethods->xShmMap(under(file), region, size, extend, out);
}
static int lossy_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return under(file)->pMethods->xShmLock(under(file), offset, n, flags);
}
static void lossy_barrier(sqlite3_file *file) {
    under(file)->pMethods->xShmBarrier(under(file));
}
static int lossy_unmap(sqlite3_file *file, int drop) {
    return under(file)->pMethods->xShmUnmap(under(file), drop);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = lossy_close,
    .xRead = lossy_read,
    .xWrite = lossy_write,
    .xTruncate = lossy_truncate,
    .xSync = lossy_sync,
    .xFileSize = lossy_size,
    .xLock = lossy_lock,
    .xUnlock = lossy_unlock,
    .xCheckReservedLock = lossy_reserved,
    .xFileControl = lossy_control,
    .xSectorSize = lossy_sector,
    .xDeviceCharacteristics = lossy_device,
    .xShmMap = lossy_map,
    .xShmLock = lossy_shm_lock,
    .xShmBarrier = lossy_barrier,
    .xShmUnmap = lossy_unmap,
};

static int lossy_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                      int *out_flags) {
    (void)vfs;
    lossy_file *f = (lossy_file *)file;
    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *)(f + 1);
    int rc = real->xOpen(real, name, f->real, flags, out_flags);
    f->disk = rc == SQLITE_OK ? find_disk(name) : NULL;
    f->base.pMethods = rc == SQLITE_OK ? &methods : NULL;
    return rc;
}

/* Only while the store is made: before power is lost. */
static int lossy_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    disk *d = find_disk(name);
    if (d) {
        settle(d);
        d->size = 0;
        d->there = false;
    }
    return real->xDelete(real, name, sync);
}

static int put_between(void **state) {
    (void)state;
    real = sqlite3_vfs_find(NULL);
    lossy = *real;
    lossy.zName = "lossy";
    lossy.szOsFile = (int)sizeof(lossy_file) + real->szOsFile;
    lossy.xOpen = lossy_open;
    lossy.xDelete = lossy_delete;
    return sqlite3_vfs_register(&lossy, 1) == SQLITE_OK ? 0 : 1;
}

/* Commit n: document n comes, n - KEEP goes, some of the long collection and the counter say n. */
static int make_commit(ds_engine *engine, int n, bool journalled) {
    static const char lsid[] =
        "\"lsid\": {\"id\": {\"$binary\": {\"base64\": \"AAAAAAAAAAAAAAAAAAAAAA==\", \"subType\": "
        "\"04\"}}}, \"txnNumber\": {\"$numberLong\": \"%d\"}, \"autocommit\": false%s}";
    char ids[300];
    char json[12000];
    ds_buf reply = {0};
    const int length = n % 7 == 0 ? 9000 : 100;
    snprintf(ids, sizeof ids, lsid, n, ", \"startTransaction\": true");
    snprintf(json, sizeof json,
             "{\"insert\": \"c\", \"documents\": [{\"_id\": %d, \"n\": %d, \"t\": \"%0*d\"}], %s",
             n, n * 7919 % 1000, length, n, ids);
    int code = fault_run(engine, "db", json, &reply);
    snprintf(ids, sizeof ids, lsid, n, "");
    snprintf(json, sizeof json,
             "{\"delete\": \"c\", \"deletes\": [{\"q\": {\"_id\": %d}, \"limit\": 1}], %s",
             n - KEEP, ids);
    code = code ? code : fault_run(engine, "db", json, &reply);
    snprintf(
        json, sizeof json,
        "{\"update\": \"k\", \"updates\": [{\"q\": {\"_id\": 0}, \"u\": {\"$set\": {\"n\": %d}}, "
        "\"upsert\": true}], %s",
        n, ids);
    code = code ? code : fault_run(engine, "db", json, &reply);
    snprintf(json, sizeof json,
             "{\"update\": \"long\", \"updates\": [{\"q\": {\"_id\": {\"$mod\": [97, %d]}}, "
             "\"u\": {\"$set\": {\"n\": %d}}, \"multi\": true}], %s",
             n, n, ids);
    code = code ? code : fault_run(engine, "db", json, &reply);
    snprintf(ids, sizeof ids, lsid, n, journalled ? ", \"writeConcern\": {\"j\": true}" : "");
    snprintf(json, sizeof json, "{\"commitTransaction\": 1, %s", ids);
    code = code ? code : fault_run(engine, "admin", json, &reply);
    ds_buf_clear(&reply);
    return code;
}

static void validate(ds_engine *engine, const char *coll) {
    char json[100];
    ds_buf reply = {0};
    snprintf(json, sizeof json, "{\"validate\": \"%s\"}", coll);
    assert_int_equal(fault_run(engine, "db", json, &reply), 0);
    assert_true(ds__value_truthy(ds__doc_field(ds__document(reply.data), "valid")));
    ds_buf_clear(&reply);
}

/* Every document is the one commit n left. */
static void compare(ds_engine *engine, int n, const char *json) {
    ds_buf reply = {0};
    ds__iter it;
    int expected = n - KEEP + 1 > 1 ? n - KEEP + 1 : 1;
    assert_int_equal(fault_run(engine, "db", json, &reply), 0);
    ds__iter_init(&it,
                  ds__doc_field(ds__doc_field(ds__document(reply.data), "cursor"), "firstBatch"));
    for (; ds__iter_next(&it); expected++) {
        char text[10];
        ds_value t = ds__doc_field(it.value, "t");
        assert_int_equal(ds__doc_field(it.value, "_id").as.i32, expected);
        assert_int_equal(ds__doc_field(it.value, "n").as.i32, expected * 7919 % 1000);
        assert_int_equal(t.size, expected % 7 == 0 ? 9000 : 100);
        snprintf(text, sizeof text, "%06d", expected);
        assert_memory_equal(ds__text(t) + t.size - 6, text, 6);
    }
    assert_int_equal(expected, n + 1);
    ds_buf_clear(&reply);
}

/* What several threads read past SQLite is what commit n left. */
static void compare_long(ds_engine *engine, int n) {
    ds_buf reply = {0};
    int expected = 0;
    for (int i = 0; i < SCANNED; i++) {
        expected += i % 97 != 0 && i % 97 <= n;
    }
    assert_int_equal(
        fault_run(engine, "db", "{\"count\": \"long\", \"query\": {\"n\": {\"$gt\": 0}}}", &reply),
        0);
    assert_int_equal(ds__doc_field(ds__document(reply.data), "n").as.i32, expected);
    assert_int_equal(fault_run(engine, "db",
                               "{\"count\": \"long\", \"query\": {\"$or\": [{\"n\": 70}, {\"_id\": "
                               "{\"$gte\": 1500}}]}, \"hint\": {\"$natural\": 1}}",
                               &reply),
                     0);
    expected = 0;
    for (int i = 0; i < SCANNED; i++) {
        expected += i >= 1500 || (i % 97 == 70 && n >= 70);
    }
    assert_int_equal(ds__doc_field(ds__document(reply.data), "n").as.i32, expected);
    ds_buf_clear(&reply);
}

static void check_image(const image *one) {
    char path[200];
    ds_error err = {0};
    ds_buf reply = {0};
    snprintf(path, sizeof path, "%s/t.docstore", one->dir);
    const ds__engine_options options = {
        .busy_timeout_ms = 300, .scan_threads = 3, .share_after = 1};
    ds_engine *engine = ds__engine_open(path, &options, &err);
    if (!engine) {
        fail_msg("%s: %s", path, err.message);
    }
    assert_int_equal(fault_run(engine, "db", "{\"find\": \"k\"}", &reply), 0);
    ds_value batch = ds__doc_field(ds__doc_field(ds__document(reply.data), "cursor"), "firstBatch");
    ds_value row = ds__array_at(batch, 0);
    int n = row.type == DS_DOCUMENT ? ds__doc_field(row, "n").as.i32 : 0;
    if (n < one->least || n > one->most) {
        fail_msg("%s: commit %d is there, expected %d to %d", path, n, one->least, one->most);
    }
    compare(engine, n, "{\"find\": \"c\", \"sort\": {\"_id\": 1}, \"batchSize\": 1000}");
    compare(
        engine, n,
        "{\"aggregate\": \"c\", \"pipeline\": [{\"$match\": {\"n\": {\"$gte\": 0}}}, {\"$sort\": "
        "{\"_id\": 1}}], \"hint\": \"n\", \"cursor\": {\"batchSize\": 1000}}");
    compare_long(engine, n);
    validate(engine, "c");
    validate(engine, "k");
    validate(engine, "long");
    assert_int_equal(make_commit(engine, n + 1, false), 0); /* and it goes on */
    compare(engine, n + 1, "{\"find\": \"c\", \"sort\": {\"_id\": 1}, \"batchSize\": 1000}");
    ds__engine_close(engine);
    ds_buf_clear(&reply);
    snprintf(path, sizeof path, "rm -r '%s'", one->dir);
    assert_int_equal(system(path), 0);
}

typedef enum level { NORMAL, SOME_JOURNALLED, JOURNALLED, FULL } level;

static bool is_durable(level l, int n) {
    return l == FULL || l == JOURNALLED || (l == SOME_JOURNALLED && n % 5 == 0);
}

static void run_once(level l) {
    ds_error err = {0};
    ds_buf reply = {0};
    char path[100];
    snprintf(path, sizeof path, "%s", temp_path());
    const ds__engine_options options = {.full_durability = l == FULL, .busy_timeout_ms = 500};
    snprintf(watched, sizeof watched, "%s", path);
    memset(disks, 0, sizeof disks);
    image_count = 0;
    every = durable = attempted = 0;
    ds_engine *engine = ds__engine_open(path, &options, &err);
    assert_non_null(engine);
    assert_int_equal(fault_run(engine, "db",
                               "{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"n\": 1}, "
                               "\"name\": \"n\"}]}",
                               &reply),
                     0);
    assert_int_equal(fault_run(engine, "db", "{\"create\": \"k\"}", &reply), 0);
    assert_int_equal(fault_run(engine, "db",
                               "{\"aggregate\": 1, \"cursor\": {}, \"pipeline\": [{\"$documents\": "
                               "{\"$map\": {\"input\": {\"$range\": [0, 1600]}, \"in\": {\"_id\": "
                               "\"$$this\", \"n\": 0}}}}, {\"$out\": \"long\"}]}",
                               &reply),
                     0);
    for (size_t i = 0; i < FILES; i++) {
        if (disks[i].there || disks[i].count > 0) {
            settle(&disks[i]); /* the story begins here */
        }
    }
    every = 5 + (int)next_random(40);
    for (int n = 1; n <= COMMITS; n++) {
        attempted = n;
        assert_int_equal(make_commit(engine, n, is_durable(l, n)), 0);
        durable = is_durable(l, n) ? n : durable;
        if (next_random(9) == 0) { /* with any mode, as long as it begins */
            sqlite3_wal_checkpoint_v2(engine->store->pool->db, NULL, (int)next_random(3), NULL,
                                      NULL);
        }
    }
    every = 0;
    watched[0] = 0;
    ds__engine_close(engine);
    for (size_t i = 0; i < FILES; i++) {
        settle(&disks[i]);
        free(disks[i].bytes);
        free(disks[i].log);
    }
    assert_true(image_count > IMAGES / 2);
    for (size_t i = 0; i < image_count; i++) {
        check_image(&images[i]);
    }
    ds_buf_clear(&reply);
}

/* Rounds: POWER_LOSSES when set (make faults). */
static void run_level(level l) {
    const char *rounds = getenv("POWER_LOSSES");
    for (long i = rounds ? strtol(rounds, NULL, 10) : 1; i > 0; i--) {
        random_state = (uint64_t)i * 1000003 + l;
        run_once(l);
    }
}

static void normal_is_never_damaged_and_a_state_that_was(void **state) {
    (void)state;
    run_level(NORMAL);
}
static void a_journalled_commit_keeps_itself_and_all_before(void **state) {
    (void)state;
    run_level(SOME_JOURNALLED);
    run_level(JOURNALLED);
}
static void full_loses_nothing_acknowledged(void **state) {
    (void)state;
    run_level(FULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_is_never_damaged_and_a_state_that_was),
        cmocka_unit_test(a_journalled_commit_keeps_itself_and_all_before),
        cmocka_unit_test(full_loses_nothing_acknowledged),
    };
    return cmocka_run_group_tests(tests, put_between, NULL);
}
