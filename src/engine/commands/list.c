/* SPDX-License-Identifier: Apache-2.0 */
/* listCollections and listDatabases. A database with views shows system.views too, as mongod keeps
 * their definitions there. */
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"

#include "bson/number.h"
#include "engine/index/index.h"
#include "engine/records/records.h"
#include "lang/filter/filter.h"

/* A filter over the documents that are listed. */
typedef struct listing {
    ds__filter *filter;
    ds__eval eval;
    ds_arena scratch;
    ds_buf doc;
} listing;

static bool listing_init(ds__op *op, ds_value filter, listing *l, ds_error *err) {
    *l = (listing){.scratch.meter = op->env.meter, .doc.meter = op->env.meter};
    return filter.type == DS_MISSING || ds__doc_empty(filter) ||
           (ds__filter_compile(&op->env, filter, NULL, &l->filter, err) &&
            ds__eval_init(&l->eval, &op->env, &op->arena, &l->scratch, err));
}

static void listing_clear(listing *l) {
    ds_arena_clear(&l->scratch);
    ds_buf_clear(&l->doc);
}

/* Whether the document in l->doc is wanted. */
static bool listing_match(listing *l, bool *matched, ds_error *err) {
    *matched = true;
    if (!ds_buf_ok(&l->doc, err)) {
        return false;
    }
    if (!l->filter) {
        return true;
    }
    ds_value doc = ds__document(l->doc.data);
    ds_arena_reset(&l->scratch);
    l->eval.slots[DS_VAR_ROOT] = doc;
    return ds__filter_match(l->filter, doc, &l->eval, matched, NULL, err);
}

static void write_coll(ds_buf *out, const ds__coll *coll, bool name_only) {
    size_t root = ds__doc_begin(out);
    ds__write_str(out, "name", coll->name);
    ds__write_str(out, "type", coll->is_view ? "view" : "collection");
    if (!name_only) {
        ds__write_value(out, "options", 7, coll->options);
        size_t info = ds__write_doc(out, "info", 4, DS_DOCUMENT);
        ds__write_bool(out, "readOnly", coll->is_view);
        if (!coll->is_view) {
            ds_value uuid = {.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = coll->uuid};
            ds__write_value(out, "uuid", 4, uuid);
        }
        ds__doc_end(out, info);
        if (!coll->is_view && ds__doc_field(coll->options, "clusteredIndex").type != DS_DOCUMENT) {
            ds__write_value(out, "idIndex", 7, ds__coll_id_index(coll)->spec);
        }
    }
    ds__doc_end(out, root);
}

/* The collection of view definitions as it would be listed. */
static void write_system_views(ds_buf *out, const ds__coll *view, bool name_only) {
    static const uint8_t none[5] = {5, 0, 0, 0, 0};
    uint8_t uuid[16];
    int64_t half = ds__index_hash(ds__cstring(view->db)); /* the same in every process */
    memcpy(uuid, &half, 8);
    half = ds__index_hash(ds__int64(half));
    memcpy(uuid + 8, &half, 8);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    size_t root = ds__doc_begin(out);
    ds__write_str(out, "name", "system.views");
    ds__write_str(out, "type", "collection");
    if (!name_only) {
        ds__write_value(out, "options", 7, ds__document(none));
        size_t info = ds__write_doc(out, "info", 4, DS_DOCUMENT);
        ds__write_bool(out, "readOnly", false);
        ds_value v = {.type = DS_BINARY, .subtype = 4, .size = 16, .as.bytes = uuid};
        ds__write_value(out, "uuid", 4, v);
        ds__doc_end(out, info);
        size_t index = ds__write_doc(out, "idIndex", 7, DS_DOCUMENT);
        ds__write_int32(out, "v", 2);
        size_t key = ds__write_doc(out, "key", 3, DS_DOCUMENT);
        ds__write_int32(out, "_id", 1);
        ds__doc_end(out, key);
        ds__write_str(out, "name", "_id_");
        ds__doc_end(out, index);
    }
    ds__doc_end(out, root);
}

bool ds__cmd_list_collections(ds__op *op, ds_buf *reply, ds_error *err) {
    enum { FILTER, NAME_ONLY, AUTHORIZED, CURSOR, PENDING, ARGS };
    static const ds__arg args[ARGS] = {
        [FILTER] = {"filter", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
        [NAME_ONLY] = {"nameOnly", DS_ARG_ANY, DS_ARG_NULL_IS_MISSING},
        [AUTHORIZED] = {"authorizedCollections", DS_ARG_STRICT_BOOL,
                        DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
        [CURSOR] = {"cursor", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
        [PENDING] = {"includePendingDrops", DS_ARG_BOOL, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    };
    ds_value v[ARGS];
    listing l;
    if (!ds__args_read("listCollections", true, op->command, args, ARGS, v, err) ||
        !ds__list_check_cursor(v[CURSOR], "listCollections", err)) {
        return false;
    }
    if (v[NAME_ONLY].type != DS_MISSING && v[NAME_ONLY].type != DS_BOOL) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'listCollections.nameOnly' is the wrong type '%s', "
                             "expected type 'bool'",
                             ds__type_name(v[NAME_ONLY].type));
    }
    bool name_only = ds__value_truthy(v[NAME_ONLY]);
    bool ok = listing_init(op, v[FILTER], &l, err);
    const ds__coll *coll;
    const ds__coll *view = NULL;
    size_t at = 0;
    ds__list_batch batch;
    ds__list_begin(&batch, reply, ds__namespace(&op->arena, op->db, "$cmd.listCollections"));
    for (;;) {
        bool matched;
        coll = ok ? ds__catalog_each(ds__txn_catalog(op->txn), &at) : NULL;
        if (coll && strcmp(coll->db, op->db) != 0) {
            continue;
        }
        if (!coll && (!ok || !view)) {
            break;
        }
        /* The whole document is what the filter sees, whatever is printed. */
        ds_buf_reset(&l.doc);
        if (coll) {
            view = coll->is_view ? coll : view;
            write_coll(&l.doc, coll, false);
        } else {
            write_system_views(&l.doc, view, false);
        }
        ok = listing_match(&l, &matched, err);
        if (ok && matched && name_only) {
            ds_buf_reset(&l.doc);
            coll ? write_coll(&l.doc, coll, true) : write_system_views(&l.doc, view, true);
        }
        if (ok && matched) {
            ds__list_add(&batch, ds__document(l.doc.data));
        }
        if (!coll) {
            break;
        }
    }
    listing_clear(&l);
    ds__list_end(&batch);
    return ok;
}

static bool write_database(ds__op *op, const char *name, int64_t size, bool name_only, ds_buf *out,
                           ds_error *err) {
    (void)op;
    (void)err;
    size_t root = ds__doc_begin(out);
    ds__write_str(out, "name", name);
    if (!name_only) {
        ds__ddl_write_number(out, "sizeOnDisk", size);
        ds__write_bool(out, "empty", false);
    }
    ds__doc_end(out, root);
    return true;
}

bool ds__cmd_list_databases(ds__op *op, ds_buf *reply, ds_error *err) {
    enum { FILTER, NAME_ONLY, AUTHORIZED, ARGS };
    static const ds__arg args[ARGS] = {
        [FILTER] = {"filter", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
        [NAME_ONLY] = {"nameOnly", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
        [AUTHORIZED] = {"authorizedDatabases", DS_ARG_STRICT_BOOL,
                        DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
    };
    ds_value v[ARGS];
    listing l;
    if (!ds__args_read("listDatabases", true, op->command, args, ARGS, v, err)) {
        return false;
    }
    bool name_only = ds__value_truthy(v[NAME_ONLY]);
    bool ok = listing_init(op, v[FILTER], &l, err);
    size_t array = ds__write_doc(reply, "databases", 9, DS_ARRAY);
    size_t at = 0;
    size_t count = 0;
    int64_t total = 0;
    const ds__coll *coll = ds__catalog_each(ds__txn_catalog(op->txn), &at);
    while (ok && coll) {
        const char *db = coll->db;
        int64_t size = 0;
        bool matched = false;
        for (; ok && coll && strcmp(coll->db, db) == 0;
             coll = ds__catalog_each(ds__txn_catalog(op->txn), &at)) {
            int64_t documents;
            int64_t bytes = 0;
            ok = coll->is_view || ds__record_counts(op->txn, coll, &documents, &bytes, err);
            size += (bytes + 4095) / 4096 * 4096 + 4096 * (int64_t)(1 + coll->index_count);
        }
        ds_buf_reset(&l.doc);
        ok = ok && write_database(op, db, size, false, &l.doc, err) &&
             listing_match(&l, &matched, err);
        if (ok && matched) {
            ds_buf_reset(&l.doc);
            write_database(op, db, size, name_only, &l.doc, err);
            ds__write_index(reply, count++, ds__document(l.doc.data));
            total += size;
        }
    }
    ds__doc_end(reply, array);
    if (!name_only) {
        ds__ddl_write_number(reply, "totalSize", total);
        ds__ddl_write_number(reply, "totalSizeMb", total / (1024 * 1024));
    }
    listing_clear(&l);
    return ok;
}
