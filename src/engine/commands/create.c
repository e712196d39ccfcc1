/* SPDX-License-Identifier: Apache-2.0 */
/* create: collections, capped and clustered ones, views. Options are kept in mongod's order, with
 * its corrections (a capped size is a multiple of 256). */
#include "bson/number.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"
#include "engine/commands/session.h"
#include "engine/index/spec.h"

enum arg {
    CAPPED,
    AUTO_INDEX_ID,
    ID_INDEX,
    SIZE,
    MAX,
    STORAGE_ENGINE,
    VALIDATOR,
    LEVEL,
    ACTION,
    INDEX_DEFAULTS,
    VIEW_ON,
    PIPELINE,
    COLLATION,
    PRE_IMAGES,
    TIMESERIES,
    CLUSTERED,
    EXPIRE,
    ENCRYPTED,
    TEMP,
    FLAGS,
    RECORD_PRE_IMAGES,
    ARGS
};

static const ds__arg args[ARGS] = {
    [CAPPED] = {"capped", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [AUTO_INDEX_ID] = {"autoIndexId", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [ID_INDEX] = {"idIndex", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [SIZE] = {"size", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
    [MAX] = {"max", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
    [STORAGE_ENGINE] = {"storageEngine", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [VALIDATOR] = {"validator", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [LEVEL] = {"validationLevel", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [ACTION] = {"validationAction", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [INDEX_DEFAULTS] = {"indexOptionDefaults", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [VIEW_ON] = {"viewOn", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [PIPELINE] = {"pipeline", DS_ARG_OBJECTS, 0},
    [COLLATION] = {"collation", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [PRE_IMAGES] = {"changeStreamPreAndPostImages", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [TIMESERIES] = {"timeseries", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [CLUSTERED] = {"clusteredIndex", DS_ARG_ANY, 0},
    [EXPIRE] = {"expireAfterSeconds", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
    [ENCRYPTED] = {"encryptedFields", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [TEMP] = {"temp", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [RECORD_PRE_IMAGES] = {"recordPreImages", DS_ARG_REFUSED, 0},
    [FLAGS] = {"flags", DS_ARG_NUMBER, DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
};

static bool check_sizes(const ds_value *v, ds_error *err) {
    if (v[SIZE].type != DS_MISSING) {
        int64_t size = ds__number_to_int64(v[SIZE]);
        if (size < 1 || size > (int64_t)1 << 50) {
            return ds__error_set(
                err, 51024, "BSON field 'size' value must be %s %lld, actual value '%lld'",
                size < 1 ? ">=" : "<=", size < 1 ? 1LL : 1LL << 50, (long long)size);
        }
    }
    return v[MAX].type == DS_MISSING || ds__number_to_int64(v[MAX]) <= INT32_MAX ||
           ds__error_set(err, 51024,
                         "BSON field 'max' value must be < 2147483648, actual value '%lld'",
                         (long long)ds__number_to_int64(v[MAX]));
}

static bool check_capped(const ds_value *v, ds_error *err) {
    bool capped = ds__value_truthy(v[CAPPED]);
    if (!check_sizes(v, err)) {
        return false;
    }
    if (capped && v[SIZE].type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "the 'size' field is required when 'capped' is true");
    }
    if (!capped && (v[SIZE].type != DS_MISSING || v[MAX].type != DS_MISSING)) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "the 'capped' field needs to be true when either the 'size' or 'max' "
                             "fields are present");
    }
    return true;
}

static bool check_clustered(const ds_value *v, ds_error *err) {
    if (v[CLUSTERED].type == DS_MISSING || v[CLUSTERED].type == DS_BOOL ||
        ds__is_number(v[CLUSTERED])) {
        return v[CLUSTERED].type == DS_MISSING || !ds__value_truthy(v[CLUSTERED]) ||
               ds__error_set(err, 5979703,
                             "The 'clusteredIndex' legacy format {clusteredIndex: <bool>} is only "
                             "supported for specific internal collections and vice versa");
    }
    if (v[CLUSTERED].type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'create.clusteredIndex' is the wrong type '%s', expected "
                             "type 'object'",
                             ds__type_name(v[CLUSTERED].type));
    }
    static const ds__arg of_index[] = {{"key", DS_ARG_OBJECT, DS_ARG_REQUIRED},
                                       {"unique", DS_ARG_BOOL, DS_ARG_REQUIRED},
                                       {"name", DS_ARG_STRING, 0},
                                       {"v", DS_ARG_NUMBER, 0}};
    ds_value parts[4];
    if (!ds__args_read("create", false, v[CLUSTERED], of_index, 4, parts, err)) {
        return false;
    }
    ds_value key = parts[0];
    if (key.type != DS_DOCUMENT || ds__doc_count(key) != 1 ||
        ds__doc_field(key, "_id").type == DS_MISSING) {
        return ds__error_set(err, 5979701, "The clusteredIndex option requires key: {_id: 1}");
    }
    if (!ds__value_truthy(ds__doc_field(v[CLUSTERED], "unique"))) {
        return ds__error_set(err, 5979700,
                             "The clusteredIndex option requires unique: true to be "
                             "specified");
    }
    return true;
}

/* What only storage engines know: looked at, kept, without effect. */
static bool check_storage(const char *db, const char *name, const ds_value *v, ds_error *err) {
    static const ds__arg only[] = {{"storageEngine", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING}};
    ds_value engine;
    if (v[AUTO_INDEX_ID].type != DS_MISSING && !ds__value_truthy(v[AUTO_INDEX_ID]) &&
        strcmp(db, "local") != 0) {
        return ds__error_set(err, 50001,
                             "autoIndexId:false is not allowed for collection %s.%s because it can "
                             "be replicated",
                             db, name);
    }
    if (v[TEMP].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "the 'temp' field is an invalid option");
    }
    return (v[STORAGE_ENGINE].type == DS_MISSING ||
            ds__check_storage_engine(v[STORAGE_ENGINE], err)) &&
           (v[INDEX_DEFAULTS].type == DS_MISSING ||
            ds__args_read("create.indexOptionDefaults", false, v[INDEX_DEFAULTS], only, 1, &engine,
                          err));
}

/* The index on _id as listIndexes gives it: mongorestore sends it back. */
static bool check_id_index(ds__op *op, ds_value spec, ds_error *err) {
    ds_buf normal = {0};
    if (spec.type == DS_MISSING) {
        return true;
    }
    bool ok = ds__index_normalise(&op->env, spec, &normal, err);
    if (ok && !ds__is_string(ds__doc_field(ds__document(normal.data), "name"), "_id_")) {
        ok = ds__error_set(err, DS_BAD_VALUE, "The field 'key' for an _id index must be {_id: 1}");
    }
    ds_buf_clear(&normal);
    return ok;
}

static bool check_options(ds__op *op, const char *name, const ds_value *v, ds_error *err) {
    if (!check_storage(op->db, name, v, err) || !check_id_index(op, v[ID_INDEX], err) ||
        !ds__ddl_check_pre_images(v[PRE_IMAGES], err)) {
        return false;
    }
    if (v[ENCRYPTED].type != DS_MISSING) {
        return ds__error_set(err, ds__doc_empty(v[ENCRYPTED]) ? 40414 : DS_NOT_IMPLEMENTED,
                             "encryptedFields are not implemented");
    }
    if (v[TIMESERIES].type != DS_MISSING && ds__doc_empty(v[TIMESERIES])) {
        return ds__error_set(err, 40414,
                             "BSON field 'create.timeseries.timeField' is missing but a required "
                             "field");
    }
    if (v[TIMESERIES].type != DS_MISSING) {
        return ds__error_set(err, DS_NOT_IMPLEMENTED,
                             "time-series collections are not implemented");
    }
    if (!check_capped(v, err) || !check_clustered(v, err) ||
        (v[COLLATION].type != DS_MISSING && !ds__index_check_collation(v[COLLATION], err)) ||
        !ds__ddl_check_validation(op, name, v[VALIDATOR], v[LEVEL], v[ACTION], err)) {
        return false;
    }
    if (v[EXPIRE].type != DS_MISSING) {
        return v[CLUSTERED].type != DS_MISSING
                   ? ds__error_set(err, DS_NOT_IMPLEMENTED,
                                   "expireAfterSeconds of clustered collections is not implemented")
                   : ds__error_set(err, DS_INVALID_OPTIONS,
                                   "'expireAfterSeconds' is only supported on time-series "
                                   "collections or when the 'clusteredIndex' option is specified");
    }
    if (v[PIPELINE].type != DS_MISSING && v[VIEW_ON].type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "'pipeline' requires 'viewOn' to also be specified");
    }
    if (v[VIEW_ON].type == DS_MISSING) {
        return true;
    }
    if (ds__value_truthy(v[CAPPED]) || v[VALIDATOR].type != DS_MISSING ||
        v[LEVEL].type != DS_MISSING || v[ACTION].type != DS_MISSING ||
        v[ID_INDEX].type != DS_MISSING || v[CLUSTERED].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "options of collections are not allowed when 'viewOn' is specified");
    }
    return ds__ddl_check_view(op, name, v[VIEW_ON], v[PIPELINE], err);
}

static void write_clustered(ds_buf *out, ds_value spec) {
    ds_value name = ds__doc_field(spec, "name");
    size_t sub = ds__write_doc(out, "clusteredIndex", 14, DS_DOCUMENT);
    ds__write_int32(out, "v", 2);
    ds__write_value(out, "key", 3, ds__doc_field(spec, "key"));
    ds__write_value(out, "name", 4, name.type == DS_STRING ? name : ds__cstring("_id_"));
    ds__write_bool(out, "unique", true);
    ds__doc_end(out, sub);
}

static void write_document(ds_buf *out, const char *name, ds_value v) {
    if (v.type == DS_DOCUMENT && !ds__doc_empty(v)) {
        ds__write_value(out, name, strlen(name), v);
    }
}

/* The options as listCollections prints them. */
static void write_options(ds_buf *out, const ds_value *v) {
    static const uint8_t none[5] = {5, 0, 0, 0, 0};
    size_t root = ds__doc_begin(out);
    if (ds__value_truthy(v[CAPPED])) {
        ds__write_bool(out, "capped", true);
        int64_t size = ds__number_to_int64(v[SIZE]);
        ds__ddl_write_number(out, "size", (size + 255) / 256 * 256);
        if (v[MAX].type != DS_MISSING) {
            int64_t max = ds__number_to_int64(v[MAX]);
            if (max != 0) {
                ds__write_int32(out, "max", max < 0 ? INT32_MAX : (int32_t)max);
            }
        }
    }
    if (v[AUTO_INDEX_ID].type != DS_MISSING) {
        ds__write_bool(out, "autoIndexId", ds__value_truthy(v[AUTO_INDEX_ID]));
    }
    if (v[PRE_IMAGES].type == DS_DOCUMENT &&
        ds__value_truthy(ds__doc_field(v[PRE_IMAGES], "enabled"))) {
        write_document(out, "changeStreamPreAndPostImages", v[PRE_IMAGES]);
    }
    write_document(out, "storageEngine", v[STORAGE_ENGINE]);
    write_document(out, "validator", v[VALIDATOR]);
    ds__write_value(out, "validationLevel", 15, v[LEVEL]);
    ds__write_value(out, "validationAction", 16, v[ACTION]);
    write_document(out, "indexOptionDefaults", v[INDEX_DEFAULTS]);
    if (v[VIEW_ON].type == DS_STRING) {
        ds__write_value(out, "viewOn", 6, v[VIEW_ON]);
        ds__write_value(out, "pipeline", 8,
                        v[PIPELINE].type == DS_ARRAY ? v[PIPELINE] : ds__array(none));
    }
    if (v[CLUSTERED].type == DS_DOCUMENT) {
        write_clustered(out, v[CLUSTERED]);
    }
    ds__doc_end(out, root);
}

static bool exists(const ds__coll *there, const ds_value *v, ds_error *err) {
    if (v[VIEW_ON].type == DS_STRING) {
        return there->is_view ? ds__error_set(err, DS_NAMESPACE_EXISTS, "Namespace already exists")
                              : ds__error_set(err, DS_NAMESPACE_EXISTS,
                                              "Cannot create collection %s - collection already "
                                              "exists.",
                                              there->ns);
    }
    return there->is_view
               ? ds__error_set(err, DS_NAMESPACE_EXISTS, "A view already exists. NS: %s", there->ns)
               : ds__error_set(err, DS_NAMESPACE_EXISTS, "Collection %s already exists.",
                               there->ns);
}

static bool check_transaction(const ds__op *op, const ds_value *v, ds_error *err) {
    return v[VIEW_ON].type == DS_MISSING || !op->multi_statement || op->with_savepoints ||
           ds__error_set(err, DS_OPERATION_NOT_SUPPORTED_IN_TRANSACTION,
                         "Cannot create a view in a multi-document transaction.");
}

bool ds__create_parse(ds__op *op, ds_error *err) {
    ds_value v[ARGS];
    const char *name;
    size_t size;
    return ds__args_read("create", true, op->command, args, ARGS, v, err) &&
           ds__op_collection(op, &name, &size, err);
}

bool ds__cmd_create(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[ARGS];
    const char *name;
    const ds__coll *there;
    const ds__coll *made;
    ds_buf options = {0};
    if (!ds__args_read("create", true, op->command, args, ARGS, v, err) ||
        !ds__session_check_change(op, err) || !check_transaction(op, v, err) ||
        !ds__ddl_find(op, &there, &name, err)) {
        return false;
    }
    if (there) {
        return check_capped(v, err) && exists(there, v, err);
    }
    if (!check_options(op, name, v, err)) {
        return false;
    }
    write_options(&options, v);
    bool ok = ds_buf_ok(&options, err) &&
              ds__ddl_create(op->txn, op->db, name, ds__document(options.data), &made, err);
    ds_buf_clear(&options);
    if (ok && v[AUTO_INDEX_ID].type != DS_MISSING) {
        ds__write_str(reply, "note",
                      "The autoIndexId option is deprecated and will be removed in "
                      "a future release");
    }
    return ok;
}
