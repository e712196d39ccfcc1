/* SPDX-License-Identifier: Apache-2.0 */
/* collStats, dbStats and validate. Sizes are those of SQLite's pages. Pages that belong to no table
 * are the file's: dbStats has them in the storage of each database, free. */
#include <sys/statvfs.h>

#include "bson/number.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"
#include "engine/records/check.h"
#include "engine/records/records.h"
#include "engine/store/rows.h"
#include "engine/store/space.h"

/* Sums over a collection or a database. */
typedef struct totals {
    int64_t documents;
    int64_t bytes;
    int64_t indexes;
    ds__size storage;
    ds__size index_storage;
} totals;

static void add_size(ds__size *to, ds__size size) {
    to->bytes += size.bytes;
    to->free += size.free;
}

static bool add_coll(ds__op *op, const ds__coll *coll, totals *t, ds_error *err) {
    int64_t documents;
    int64_t bytes;
    ds__size size;
    if (!ds__record_counts(op->txn, coll, &documents, &bytes, err) ||
        !ds__table_size(op->txn, DS_TABLE_ROWS, coll->id, &size, err)) {
        return false;
    }
    t->documents += documents;
    t->bytes += bytes;
    add_size(&t->storage, size);
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!ds__table_size(op->txn, DS_TABLE_KEYS, coll->indexes[i].id, &size, err)) {
            return false;
        }
        t->indexes++;
        add_size(&t->index_storage, size);
    }
    return true;
}

static bool read_scale(ds_value v, int64_t *scale, ds_error *err) {
    *scale = v.type == DS_MISSING ? 1 : ds__number_to_int64(v);
    return *scale > 0 ||
           ds__error_set(err, 51024, "BSON field 'scale' value must be >= 1, actual value '%lld'",
                         (long long)*scale);
}

static bool write_indexes(ds__op *op, const ds__coll *coll, int64_t scale, ds_buf *reply,
                          ds_error *err) {
    size_t details = ds__write_doc(reply, "indexDetails", 12, DS_DOCUMENT);
    for (size_t i = 0; coll && i < coll->index_count; i++) {
        const char *name = coll->indexes[i].name;
        ds__doc_end(reply, ds__write_doc(reply, name, strlen(name), DS_DOCUMENT));
    }
    ds__doc_end(reply, details);
    size_t sizes = ds__write_doc(reply, "indexSizes", 10, DS_DOCUMENT);
    for (size_t i = 0; coll && i < coll->index_count; i++) {
        ds__size size;
        if (!ds__table_size(op->txn, DS_TABLE_KEYS, coll->indexes[i].id, &size, err)) {
            return false;
        }
        ds__ddl_write_number(reply, coll->indexes[i].name, size.bytes / scale);
    }
    ds__doc_end(reply, sizes);
    return true;
}

bool ds__cmd_coll_stats(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"scale", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
                                   {"waitForLock", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED},
                                   {"verbose", DS_ARG_STRICT_BOOL, DS_ARG_IGNORED}};
    ds_value v[3];
    const ds__coll *coll;
    const char *name;
    int64_t scale;
    totals t = {0};
    if (!ds__args_read_some("collStats", op->command, args, 3, v, err) ||
        !read_scale(v[0], &scale, err) || !ds__ddl_find(op, &coll, &name, err) ||
        !ds__ddl_refuse_view(coll, err) || (coll && !add_coll(op, coll, &t, err))) {
        return false;
    }
    ds__write_str(reply, "ns", ds__namespace(&op->arena, op->db, name));
    ds__ddl_write_number(reply, "size", t.bytes / scale);
    ds__ddl_write_number(reply, "count", t.documents);
    if (t.documents > 0) {
        ds__ddl_write_number(reply, "avgObjSize", t.bytes / t.documents);
    }
    ds__write_int32(reply, "numOrphanDocs", 0);
    ds__ddl_write_number(reply, "storageSize", t.storage.bytes / scale);
    if (coll) {
        ds__ddl_write_number(reply, "freeStorageSize", t.storage.free / scale);
        ds__write_bool(reply, "capped", coll->capped);
        if (coll->capped) {
            ds__ddl_write_number(reply, "max", coll->capped_max);
            ds__ddl_write_number(reply, "maxSize", coll->capped_size / scale);
        }
    }
    ds__write_int32(reply, "nindexes", (int32_t)t.indexes);
    if (!write_indexes(op, coll, scale, reply, err)) {
        return false;
    }
    ds__ddl_write_number(reply, "totalIndexSize", t.index_storage.bytes / scale);
    ds__ddl_write_number(reply, "totalSize", (t.storage.bytes + t.index_storage.bytes) / scale);
    ds__ddl_write_number(reply, "scaleFactor", scale);
    return true;
}

/* The last fields of dbStats, in mongod's order. */
static void write_sizes(ds_buf *reply, const totals *t, double scale, bool free) {
    ds__write_double(reply, "storageSize", (double)t->storage.bytes / scale);
    if (free) {
        ds__write_double(reply, "freeStorageSize", (double)t->storage.free / scale);
    }
    ds__ddl_write_number(reply, "indexes", t->indexes);
    ds__write_double(reply, "indexSize", (double)t->index_storage.bytes / scale);
    if (free) {
        ds__write_double(reply, "indexFreeStorageSize", (double)t->index_storage.free / scale);
    }
    ds__write_double(reply, "totalSize",
                     (double)(t->storage.bytes + t->index_storage.bytes) / scale);
    if (free) {
        ds__write_double(reply, "totalFreeStorageSize",
                         (double)(t->storage.free + t->index_storage.free) / scale);
    }
}

bool ds__cmd_db_stats(ds__op *op, ds_buf *reply, ds_error *err) {
    static const ds__arg args[] = {{"scale", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
                                   {"freeStorage", DS_ARG_ANY, 0}};
    ds_value v[2];
    int64_t scale;
    totals t = {0};
    int32_t collections = 0;
    int32_t views = 0;
    size_t at = 0;
    const ds__coll *coll;
    if (!ds__args_read_some("dbStats", op->command, args, 2, v, err) ||
        !read_scale(v[0], &scale, err)) {
        return false;
    }
    while ((coll = ds__catalog_each(ds__txn_catalog(op->txn), &at))) {
        if (strcmp(coll->db, op->db) != 0) {
            continue;
        }
        views += coll->is_view;
        collections += !coll->is_view;
        if (!coll->is_view && !add_coll(op, coll, &t, err)) {
            return false;
        }
    }
    ds__size pages = {0}; /* free for all databases of the file: each of them has them */
    if (!ds__space_free(op->txn, &pages.free, err)) {
        return false;
    }
    pages.bytes = pages.free;
    add_size(&t.storage, pages);
    struct statvfs fs = {0};
    statvfs(ds__store_path(op->engine->store), &fs);
    double unit = (double)fs.f_frsize / (double)scale;
    ds__write_str(reply, "db", op->db);
    ds__write_int32(reply, "collections", collections);
    ds__write_int32(reply, "views", views);
    ds__ddl_write_number(reply, "objects", t.documents);
    ds__write_double(reply, "avgObjSize", t.documents ? (double)t.bytes / (double)t.documents : 0);
    ds__write_double(reply, "dataSize", (double)t.bytes / (double)scale);
    write_sizes(reply, &t, (double)scale, ds__value_truthy(v[1]));
    ds__write_double(reply, "scaleFactor", (double)scale);
    ds__write_double(reply, "fsUsedSize", (double)(fs.f_blocks - fs.f_bfree) * unit);
    ds__write_double(reply, "fsTotalSize", (double)fs.f_blocks * unit);
    return true;
}

static void write_strings(ds_buf *reply, const char *name, const ds__check *check) {
    size_t array = ds__write_doc(reply, name, strlen(name), DS_ARRAY);
    ds__iter it;
    if (check && check->errors.size > 4) {
        ds__iter_init(&it, ds__array(check->errors.data));
        for (size_t i = 0; ds__iter_next(&it); i++) {
            ds__write_index(reply, i, it.value);
        }
    }
    ds__doc_end(reply, array);
}

static bool check_combination(ds_value background, ds_value full, ds_value metadata,
                              ds_value fast_count, ds_error *err) {
    bool b = ds__value_truthy(background);
    bool f = ds__value_truthy(full);
    bool c = ds__value_truthy(fast_count);
    if (b && (f || c)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Running the validate command with both { background: true } and { "
                             "%s: true } is not supported.",
                             f ? "full" : "enforceFastCount");
    }
    return !ds__value_truthy(metadata) || !(b || f || c) ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "Running the validate command with { metadata: true } is not supported "
                         "with any other options");
}

bool ds__cmd_validate(ds__op *op, ds_buf *reply, ds_error *err) {
    /* mongod takes their truth, whatever they are; all of it is always looked at */
    static const ds__arg args[] = {{"full", DS_ARG_ANY, 0},
                                   {"scandata", DS_ARG_ANY, 0},
                                   {"metadata", DS_ARG_ANY, 0},
                                   {"background", DS_ARG_ANY, 0},
                                   {"checkBSONConformance", DS_ARG_ANY, 0},
                                   {"enforceFastCount", DS_ARG_ANY, 0},
                                   {"repair", DS_ARG_ANY, 0}};
    enum { FULL, SCAN, METADATA, BACKGROUND, CONFORMANCE, FAST_COUNT, REPAIR, ARGS };
    ds_value v[ARGS];
    const ds__coll *coll;
    const char *name;
    ds__check check = {0};
    if (!ds__args_read_some("validate", op->command, args, ARGS, v, err) ||
        !ds__ddl_find(op, &coll, &name, err)) {
        return false;
    }
    if (ds__value_truthy(v[REPAIR])) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Running the validate command with { repair: true } can only be "
                             "performed in standalone mode.");
    }
    if (!check_combination(v[BACKGROUND], v[FULL], v[METADATA], v[FAST_COUNT], err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND,
                             "Collection '%s.%s' does not exist to validate.", op->db, name);
    }
    if (coll->is_view) {
        return ds__error_set(err, DS_COMMAND_NOT_SUPPORTED_ON_VIEW, "Cannot validate a view");
    }
    if (!ds__check_collection(op->txn, coll, &op->env, &check, err)) {
        ds__check_clear(&check);
        return false;
    }
    ds__write_str(reply, "ns", coll->ns);
    ds__ddl_write_number(reply, "nInvalidDocuments", check.invalid);
    ds__ddl_write_number(reply, "nNonCompliantDocuments", check.non_compliant);
    ds__ddl_write_number(reply, "nrecords", check.records);
    ds__write_int32(reply, "nIndexes", (int32_t)coll->index_count);
    size_t keys = ds__write_doc(reply, "keysPerIndex", 12, DS_DOCUMENT);
    for (size_t i = 0; i < coll->index_count; i++) {
        ds__ddl_write_number(reply, coll->indexes[i].name, check.keys[i]);
    }
    ds__doc_end(reply, keys);
    size_t details = ds__write_doc(reply, "indexDetails", 12, DS_DOCUMENT);
    for (size_t i = 0; i < coll->index_count; i++) {
        const char *index = coll->indexes[i].name;
        size_t sub = ds__write_doc(reply, index, strlen(index), DS_DOCUMENT);
        ds__write_bool(reply, "valid", check.index_valid[i]);
        ds__doc_end(reply, sub);
    }
    ds__doc_end(reply, details);
    ds__write_bool(reply, "valid", check.error_count == 0);
    ds__write_bool(reply, "repaired", false);
    write_strings(reply, "warnings", NULL);
    write_strings(reply, "errors", &check);
    write_strings(reply, "extraIndexEntries", NULL);
    write_strings(reply, "missingIndexEntries", NULL);
    write_strings(reply, "corruptRecords", NULL);
    ds__check_clear(&check);
    return true;
}
