/* SPDX-License-Identifier: Apache-2.0 */
/* Files of a store that were changed by somebody else. The input says what: a byte of options, then
 * changes {3 bytes where, 1 byte how long, the bytes}. Whatever is left is opened, read by scan and
 * by index, checked and written to. A document that comes back is one that was stored, and rows
 * that an index does not show are told by the check. */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/store/checksum.h"

enum { DOCUMENTS = 60, PAGE = 16384, RESERVED = 8 };

/* Options: which file is changed, and whether its pages get fitting checksums again, so that the
 * change reaches what stands behind them. */
enum { CHANGE_LOG = 1, MEND_SUMS = 2 };

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static char path[64];
static bytes files[2];  /* the store, and the log of a killed process beside it */
static ds_buf known[2]; /* the documents, before and after they are written to */
static const char *const tails[] = {"", "-wal", "-shm", "-wal-damaged"};

static void remove_files(void) {
    char name[100];
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, tails[i]);
        unlink(name);
    }
}

static void write_file(const char *tail, const bytes *from) {
    char name[100];
    snprintf(name, sizeof name, "%s%s", path, tail);
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, from->data, from->size) != (ssize_t)from->size) {
        abort();
    }
    close(fd);
}

static bytes read_file(const char *tail) {
    char name[100];
    bytes out = {malloc(4 << 20), 0};
    snprintf(name, sizeof name, "%s%s", path, tail);
    int fd = open(name, O_RDONLY);
    ssize_t n = fd >= 0 && out.data ? read(fd, out.data, 4 << 20) : -1;
    if (n <= 0) {
        abort();
    }
    out.size = (size_t)n;
    close(fd);
    return out;
}

/* {name: "c", …}; the fields that `more` adds are given as BSON. */
static bool run(ds_engine *engine, const char *name, const ds_buf *more, ds_buf *reply) {
    ds_error err = {0};
    ds_buf command = {0};
    size_t root = ds__doc_begin(&command);
    ds__write_str(&command, name, "c");
    if (more) {
        ds_buf_add(&command, more->data, more->size);
    }
    ds__write_int32(&command, "maxTimeMS", 4000);
    ds__doc_end(&command, root);
    ds_buf_reset(reply);
    bool ok = ds__engine_run(engine, NULL, "d", ds__document(command.data), reply, &err) &&
              ds__value_truthy(ds__doc_field(ds__document(reply->data), "ok"));
    if (reply->size > 0) {
        fuzz_check(reply);
    }
    ds_buf_clear(&command);
    return ok;
}

/* documents: [{_id, n: [..], s}] from `first` on. */
static void insert(ds_engine *engine, int first, int count) {
    ds_buf more = {0}, reply = {0};
    size_t array = ds__write_doc(&more, "documents", 9, DS_ARRAY);
    for (int i = first; i < first + count; i++) {
        char text[300];
        snprintf(text, sizeof text, "%0*d", 20 + i * 4, i);
        size_t doc = ds__write_index_doc(&more, (size_t)(i - first), DS_DOCUMENT);
        ds__write_int32(&more, "_id", i);
        ds__write_int32(&more, "n", i * 7 % 61);
        ds__write_str(&more, "s", text);
        ds__doc_end(&more, doc);
    }
    ds__doc_end(&more, array);
    run(engine, "insert", &more, &reply);
    ds_buf_clear(&more);
    ds_buf_clear(&reply);
}

static bool update_all(ds_engine *engine) {
    ds_buf more = {0}, reply = {0};
    size_t array = ds__write_doc(&more, "updates", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(&more, 0, DS_DOCUMENT);
    ds__doc_end(&more, ds__write_doc(&more, "q", 1, DS_DOCUMENT));
    size_t u = ds__write_doc(&more, "u", 1, DS_DOCUMENT);
    size_t set = ds__write_doc(&more, "$set", 4, DS_DOCUMENT);
    ds__write_int32(&more, "z", 1);
    ds__doc_end(&more, set);
    ds__doc_end(&more, u);
    ds__write_bool(&more, "multi", true);
    ds__doc_end(&more, one);
    ds__doc_end(&more, array);
    bool ok = run(engine, "update", &more, &reply);
    ds_buf_clear(&more);
    ds_buf_clear(&reply);
    return ok;
}

static bool find(ds_engine *engine, const char *hint, ds_buf *reply) {
    ds_buf more = {0};
    if (hint) {
        ds__write_str(&more, "hint", hint);
    }
    ds__write_int32(&more, "batchSize", 10000);
    bool ok = run(engine, "find", &more, reply);
    ds_buf_clear(&more);
    return ok;
}

static ds_value batch_of(const ds_buf *reply) {
    return ds__doc_field(ds__doc_field(ds__document(reply->data), "cursor"), "firstBatch");
}

/* A store of two commits; the second is in its log only. */
static void make_files(void) {
    ds_error err = {0};
    ds_buf reply = {0}, more = {0};
    snprintf(path, sizeof path, "%s/docstore-fuzz-%ld",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
    atexit(remove_files);
    ds_engine *engine = ds__engine_open(path, NULL, &err);
    size_t array = ds__write_doc(&more, "indexes", 7, DS_ARRAY);
    size_t one = ds__write_index_doc(&more, 0, DS_DOCUMENT);
    size_t key = ds__write_doc(&more, "key", 3, DS_DOCUMENT);
    ds__write_int32(&more, "n", 1);
    ds__write_int32(&more, "s", -1);
    ds__doc_end(&more, key);
    ds__write_str(&more, "name", "n");
    ds__doc_end(&more, one);
    ds__doc_end(&more, array);
    if (!engine || !run(engine, "createIndexes", &more, &reply)) {
        abort();
    }
    insert(engine, 0, DOCUMENTS / 2);
    ds__engine_close(engine);
    engine = ds__engine_open(path, NULL, &err);
    insert(engine, DOCUMENTS / 2, DOCUMENTS / 2);
    files[0] = read_file("");
    files[1] = read_file("-wal");
    find(engine, NULL, &known[0]);
    update_all(engine);
    find(engine, NULL, &known[1]);
    ds__engine_close(engine);
    ds_buf_clear(&reply);
    ds_buf_clear(&more);
}

/* How many documents there are; each must be one that was stored. */
static int count_known(const ds_buf *reply, bool written) {
    int count = 0;
    ds__iter it;
    ds__iter_init(&it, batch_of(reply));
    for (; ds__iter_next(&it); count++) {
        const int32_t id = ds__doc_field(it.value, "_id").as.i32;
        bool found = id == -1; /* what the fuzzer wrote itself */
        for (int i = 0; i <= written && !found && id >= 0 && id < DOCUMENTS; i++) {
            ds_value was = ds__array_at(batch_of(&known[i]), (size_t)id);
            found =
                was.size == it.value.size && memcmp(was.as.bytes, it.value.as.bytes, was.size) == 0;
        }
        if (!found) {
            fprintf(stderr, "a document that never was\n");
            abort();
        }
    }
    return count;
}

static void use(ds_engine *engine) {
    ds_buf reply = {0};
    const bool scanned = find(engine, NULL, &reply);
    const int all = scanned ? count_known(&reply, false) : 0;
    bool same = scanned;
    static const char *const hints[] = {"_id_", "n"};
    for (size_t i = 0; i < 2; i++) {
        if (find(engine, hints[i], &reply)) {
            same = same && count_known(&reply, false) == all;
        } else {
            same = true; /* it was told */
            break;
        }
    }
    if (scanned && !same && run(engine, "validate", NULL, &reply) &&
        ds__value_truthy(ds__doc_field(ds__document(reply.data), "valid"))) {
        fprintf(stderr,
                "an index shows other documents than there are, and the check is content\n");
        abort();
    }
    update_all(engine);
    insert(engine, -1, 1);
    if (find(engine, NULL, &reply)) {
        count_known(&reply, true);
    }
    run(engine, "validate", NULL, &reply);
    ds_buf_clear(&reply);
}

static void mend_sums(bytes *file) {
    static const uint8_t mark[4] = {'D', 'S', 'p', '1'};
    for (size_t n = 0; (n + 1) * PAGE <= file->size; n++) {
        uint8_t *page = file->data + n * PAGE;
        uint32_t sum = ds__checksum(page, PAGE - RESERVED) ^ ((uint32_t)n + 1) * 0x9e3779b1u;
        memcpy(page + PAGE - RESERVED, &sum, sizeof sum);
        memcpy(page + PAGE - sizeof mark, mark, sizeof mark);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_error err = {0};
    if (!files[0].data) {
        make_files();
    }
    if (size < 2) {
        return 0;
    }
    const uint8_t options = *data++;
    const bytes *from = &files[options & CHANGE_LOG];
    bytes changed = {malloc(from->size), from->size};
    if (!changed.data) {
        return 0;
    }
    memcpy(changed.data, from->data, from->size);
    for (size--; size >= 5;) {
        const size_t at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % from->size;
        size_t n = data[3] < size - 4 ? data[3] : size - 4;
        n = n < from->size - at ? n : from->size - at;
        memcpy(changed.data + at, data + 4, n);
        const size_t step = 4 + (n ? n : 1);
        data += step;
        size -= step < size ? step : size;
    }
    if ((options & MEND_SUMS) && !(options & CHANGE_LOG)) {
        mend_sums(&changed);
    }
    remove_files();
    write_file("", options & CHANGE_LOG ? &files[0] : &changed);
    write_file("-wal", options & CHANGE_LOG ? &changed : &files[1]);
    ds_engine *engine = ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 500}, &err);
    if (engine) {
        use(engine);
        ds__engine_close(engine);
    }
    free(changed.data);
    return 0;
}
