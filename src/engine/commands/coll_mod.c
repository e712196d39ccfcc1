/* SPDX-License-Identifier: Apache-2.0 */
/* collMod: validators, views, and the options of an index that may change. */
#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "bson/number.h"
#include "engine/commands/ddl.h"
#include "engine/commands/handlers.h"

enum arg {
    INDEX,
    VALIDATOR,
    LEVEL,
    ACTION,
    VIEW_ON,
    PIPELINE,
    PRE_IMAGES,
    EXPIRE,
    CAPPED_SIZE,
    CAPPED_MAX,
    TIMESERIES,
    DRY_RUN,
    RECORD_PRE_IMAGES,
    TIME_SERIES_NS,
    ARGS
};

static const ds__arg args[ARGS] = {
    [INDEX] = {"index", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [VALIDATOR] = {"validator", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [LEVEL] = {"validationLevel", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [ACTION] = {"validationAction", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [VIEW_ON] = {"viewOn", DS_ARG_STRING, DS_ARG_NULL_IS_MISSING},
    [PIPELINE] = {"pipeline", DS_ARG_OBJECTS, 0},
    [PRE_IMAGES] = {"changeStreamPreAndPostImages", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [EXPIRE] = {"expireAfterSeconds", DS_ARG_ANY, 0},
    [CAPPED_SIZE] = {"cappedSize", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
    [CAPPED_MAX] = {"cappedMax", DS_ARG_NUMBER, DS_ARG_NULL_IS_MISSING},
    [TIMESERIES] = {"timeseries", DS_ARG_OBJECT, DS_ARG_NULL_IS_MISSING},
    [DRY_RUN] = {"dryRun", DS_ARG_BOOL, DS_ARG_NULL_IS_MISSING},
    [RECORD_PRE_IMAGES] = {"recordPreImages", DS_ARG_REFUSED, 0},
    [TIME_SERIES_NS] = {"isTimeseriesNamespace", DS_ARG_STRICT_BOOL,
                        DS_ARG_IGNORED | DS_ARG_NULL_IS_MISSING},
};

enum index_arg { NAME, KEY, HIDDEN, SECONDS, UNIQUE, PREPARE_UNIQUE, INDEX_ARGS };

static const ds__arg index_args[INDEX_ARGS] = {
    [NAME] = {"name", DS_ARG_STRING, 0},   [KEY] = {"keyPattern", DS_ARG_OBJECT, 0},
    [HIDDEN] = {"hidden", DS_ARG_BOOL, 0}, [SECONDS] = {"expireAfterSeconds", DS_ARG_NUMBER, 0},
    [UNIQUE] = {"unique", DS_ARG_BOOL, 0}, [PREPARE_UNIQUE] = {"prepareUnique", DS_ARG_BOOL, 0},
};

static bool find_index(const ds__coll *coll, const ds_value *v, const ds__index **out,
                       ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    *out = NULL;
    if (v[NAME].type == DS_STRING) {
        *out = ds__coll_find_index(coll, ds__text(v[NAME]), v[NAME].size);
        return *out || ds__error_set(err, DS_INDEX_NOT_FOUND, "cannot find index %.*s for ns %s",
                                     (int)v[NAME].size, ds__text(v[NAME]), coll->ns);
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (!ds__value_equal(coll->indexes[i].key_pattern, v[KEY], NULL)) {
            continue;
        }
        if (*out) {
            return ds__error_set(err, DS_AMBIGUOUS_INDEX_KEY_PATTERN,
                                 "index keyPattern %s matches more than one index",
                                 ds__value_quote(v[KEY], quoted, sizeof quoted));
        }
        *out = &coll->indexes[i];
    }
    return *out || ds__error_set(err, DS_INDEX_NOT_FOUND, "cannot find index %s for ns %s",
                                 ds__value_quote(v[KEY], quoted, sizeof quoted), coll->ns);
}

static bool check_index(const ds__coll *coll, const ds_value *v, const ds__index **index,
                        ds_error *err) {
    if (v[NAME].type == DS_MISSING && v[KEY].type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Must specify either index name or key pattern.");
    }
    if (v[NAME].type != DS_MISSING && v[KEY].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "Cannot specify both key pattern and name.");
    }
    if (v[HIDDEN].type == DS_MISSING && v[SECONDS].type == DS_MISSING &&
        v[UNIQUE].type == DS_MISSING && v[PREPARE_UNIQUE].type == DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "no expireAfterSeconds, hidden, unique, or prepareUnique field");
    }
    if (v[SECONDS].type != DS_MISSING && coll->capped) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "TTL indexes are not supported for capped collections.");
    }
    if (!find_index(coll, v, index, err)) {
        return false;
    }
    if (v[UNIQUE].type != DS_MISSING || v[PREPARE_UNIQUE].type != DS_MISSING) {
        if (ds__value_truthy(v[UNIQUE]) && (*index)->unique) {
            return true;
        }
        return ds__error_set(err,
                             ds__value_truthy(v[UNIQUE]) ? DS_INVALID_OPTIONS : DS_NOT_IMPLEMENTED,
                             "Cannot make index unique with 'prepareUnique=false'");
    }
    if ((*index)->is_id && v[HIDDEN].type != DS_MISSING) {
        return ds__error_set(err, DS_BAD_VALUE, "can't hide _id index");
    }
    if (v[SECONDS].type == DS_MISSING) {
        return true;
    }
    if ((*index)->is_id) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "the _id field does not support TTL indexes");
    }
    if ((*index)->part_count != 1) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "TTL indexes are single-field indexes, compound indexes do not "
                             "support TTL");
    }
    double seconds = ds__number_to_double(v[SECONDS]);
    return (seconds >= 0 && seconds <= INT32_MAX) ||
           ds__error_set(err, DS_INVALID_OPTIONS,
                         "TTL index 'expireAfterSeconds' option must be within an acceptable "
                         "range");
}

/* The spec with hidden and expireAfterSeconds replaced. */
static void write_spec(ds_buf *out, const ds__index *index, bool hidden, ds_value seconds) {
    ds__iter it;
    size_t root = ds__doc_begin(out);
    bool had_seconds = false;
    ds__iter_init(&it, index->spec);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "hidden") == 0) {
            continue;
        }
        if (strcmp(it.key, "expireAfterSeconds") == 0) {
            ds__write_value(out, it.key, it.key_size, seconds);
            had_seconds = true;
        } else {
            ds_buf_add(out, it.element, it.element_size);
        }
    }
    if (!had_seconds) {
        ds__write_value(out, "expireAfterSeconds", 18, seconds);
    }
    if (hidden) {
        ds__write_bool(out, "hidden", true);
    }
    ds__doc_end(out, root);
}

static bool change_index(ds__op *op, const ds__coll *coll, ds_value argument, ds_buf *reply,
                         ds_error *err) {
    ds_value v[INDEX_ARGS];
    const ds__index *index = NULL;
    if (!ds__args_read("collMod.index", false, argument, index_args, INDEX_ARGS, v, err) ||
        !check_index(coll, v, &index, err)) {
        return false;
    }
    bool hidden = v[HIDDEN].type == DS_MISSING ? index->hidden : ds__value_truthy(v[HIDDEN]);
    ds_value seconds = ds__doc_field(index->spec, "expireAfterSeconds");
    if (v[SECONDS].type != DS_MISSING) {
        int64_t wanted = ds__number_to_int64(v[SECONDS]);
        if (wanted != index->expire_after) {
            if (index->expire_after >= 0) {
                ds__write_int64(reply, "expireAfterSeconds_old", index->expire_after);
            }
            ds__write_int64(reply, "expireAfterSeconds_new", wanted);
        }
        seconds = v[SECONDS].type == DS_INT32 ? v[SECONDS] : ds__int32((int32_t)wanted);
    }
    if (hidden != index->hidden) {
        ds__write_bool(reply, "hidden_old", index->hidden);
        ds__write_bool(reply, "hidden_new", hidden);
    }
    ds_buf spec = {0};
    write_spec(&spec, index, hidden, seconds);
    bool ok = ds_buf_ok(&spec, err) &&
              ds__ddl_set_index(op->txn, coll, index, ds__document(spec.data), err);
    ds_buf_clear(&spec);
    return ok;
}

static bool check_capped_sizes(const ds_value *v, ds_error *err) {
    if (v[CAPPED_SIZE].type != DS_MISSING && ds__number_to_int64(v[CAPPED_SIZE]) < 1) {
        return ds__error_set(err, 51024, "BSON field 'cappedSize' value must be >= 1");
    }
    return v[CAPPED_MAX].type == DS_MISSING || ds__number_to_int64(v[CAPPED_MAX]) <= INT32_MAX ||
           ds__error_set(err, 51024, "BSON field 'cappedMax' value must be < 2147483648");
}

static bool check_scope(const ds__coll *coll, const ds_value *v, ds_error *err) {
    if (v[EXPIRE].type != DS_MISSING && v[EXPIRE].type != DS_STRING && !ds__is_number(v[EXPIRE])) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field 'collMod.expireAfterSeconds' is the wrong type '%s', "
                             "expected types '[string, long]'",
                             ds__type_name(v[EXPIRE].type));
    }
    if (v[VIEW_ON].type == DS_STRING && v[VIEW_ON].size == 0) {
        return ds__error_set(err, DS_BAD_VALUE, "'viewOn' cannot be empty");
    }
    if (ds__value_truthy(v[DRY_RUN])) {
        return v[INDEX].type == DS_MISSING
                   ? ds__error_set(err, DS_INVALID_OPTIONS,
                                   "dry run mode requires an valid index modification.")
                   : ds__error_set(err, DS_NOT_IMPLEMENTED, "collMod: dryRun is not implemented");
    }
    if (v[TIMESERIES].type != DS_MISSING || v[EXPIRE].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "option only supported on a time-series or clustered collection");
    }
    if (coll->is_view) {
        static const enum arg refused[] = {INDEX,      VALIDATOR,   LEVEL,     ACTION,
                                           PRE_IMAGES, CAPPED_SIZE, CAPPED_MAX};
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
            if (v[refused[i]].type != DS_MISSING) {
                return ds__error_set(err, DS_INVALID_OPTIONS, "option not supported on a view: %s",
                                     args[refused[i]].name);
            }
        }
        return true;
    }
    if (v[VIEW_ON].type != DS_MISSING || v[PIPELINE].type != DS_MISSING) {
        return ds__error_set(err, DS_INVALID_OPTIONS, "'%s' option only supported on a view",
                             v[VIEW_ON].type != DS_MISSING ? "viewOn" : "pipeline");
    }
    if ((v[CAPPED_SIZE].type != DS_MISSING || v[CAPPED_MAX].type != DS_MISSING) && !coll->capped) {
        return ds__error_set(err, DS_INVALID_OPTIONS,
                             "Cannot change the size of a collection that is not capped.");
    }
    return true;
}

/* A replaced, a kept or a defaulted option. */
static void write_option(ds_buf *out, const ds__coll *coll, const char *name, ds_value v,
                         const char *otherwise) {
    if (v.type == DS_MISSING) {
        v = ds__doc_field(coll->options, name);
    }
    if (v.type == DS_MISSING && otherwise) {
        v = ds__cstring(otherwise);
    }
    if (v.type != DS_DOCUMENT || !ds__doc_empty(v)) {
        ds__write_value(out, name, strlen(name), v);
    }
}

static bool change_options(ds__op *op, const ds__coll *coll, const ds_value *v, ds_error *err) {
    static const char *const replaced[] = {"size",
                                           "max",
                                           "changeStreamPreAndPostImages",
                                           "validator",
                                           "validationLevel",
                                           "validationAction",
                                           "viewOn",
                                           "pipeline"};
    bool validation = v[VALIDATOR].type != DS_MISSING || v[LEVEL].type != DS_MISSING ||
                      v[ACTION].type != DS_MISSING;
    ds_buf out = {0};
    ds__iter it;
    ds_value size = ds__missing();
    ds_value max = ds__missing();
    if (v[CAPPED_SIZE].type != DS_MISSING) {
        size = ds__int64((ds__number_to_int64(v[CAPPED_SIZE]) + 255) / 256 * 256);
        size = size.as.i64 < 1 << 30 ? ds__int32((int32_t)size.as.i64) : size;
    }
    if (v[CAPPED_MAX].type != DS_MISSING) {
        int64_t n = ds__number_to_int64(v[CAPPED_MAX]);
        max = ds__int32(n <= 0 || n > INT32_MAX ? INT32_MAX : (int32_t)n);
    }
    size_t root = ds__doc_begin(&out);
    ds__iter_init(&it, coll->options);
    while (ds__iter_next(&it)) {
        bool again = false;
        for (size_t i = 0; i < sizeof replaced / sizeof replaced[0]; i++) {
            again = again || strcmp(it.key, replaced[i]) == 0;
        }
        if (!again) {
            ds_buf_add(&out, it.element, it.element_size);
        }
    }
    write_option(&out, coll, "size", size, NULL);
    write_option(&out, coll, "max", max, NULL);
    if (v[PRE_IMAGES].type == DS_MISSING ||
        ds__value_truthy(ds__doc_field(v[PRE_IMAGES], "enabled"))) {
        write_option(&out, coll, "changeStreamPreAndPostImages", v[PRE_IMAGES], NULL);
    }
    write_option(&out, coll, "validator", v[VALIDATOR], NULL);
    write_option(&out, coll, "validationLevel", v[LEVEL], validation ? "strict" : NULL);
    write_option(&out, coll, "validationAction", v[ACTION], validation ? "error" : NULL);
    write_option(&out, coll, "viewOn", v[VIEW_ON], NULL);
    ds_value pipeline =
        v[PIPELINE].type == DS_MISSING ? ds__doc_field(coll->options, "pipeline") : v[PIPELINE];
    ds__write_value(&out, "pipeline", 8, pipeline);
    ds__doc_end(&out, root);
    bool ok =
        ds_buf_ok(&out, err) && ds__ddl_set_options(op->txn, coll, ds__document(out.data), err);
    ds_buf_clear(&out);
    return ok;
}

bool ds__cmd_coll_mod(ds__op *op, ds_buf *reply, ds_error *err) {
    ds_value v[ARGS];
    const ds__coll *coll;
    const char *name;
    if (!ds__args_read("collMod", true, op->command, args, ARGS, v, err) ||
        !ds__ddl_find(op, &coll, &name, err)) {
        return false;
    }
    if (!coll) {
        return ds__error_set(err, DS_NAMESPACE_NOT_FOUND, "ns does not exist");
    }
    if (!check_capped_sizes(v, err) || !check_scope(coll, v, err) ||
        !ds__ddl_check_pre_images(v[PRE_IMAGES], err) ||
        !ds__ddl_check_validation(op, name, v[VALIDATOR], v[LEVEL], v[ACTION], err)) {
        return false;
    }
    if (coll->is_view) {
        ds_value on = v[VIEW_ON].type == DS_MISSING ? ds__cstring(coll->view_on) : v[VIEW_ON];
        ds_value stages = v[PIPELINE].type == DS_MISSING ? coll->pipeline : v[PIPELINE];
        if (!ds__ddl_check_view(op, name, on, stages, err)) {
            return false;
        }
    }
    if (v[INDEX].type != DS_MISSING && !change_index(op, coll, v[INDEX], reply, err)) {
        return false;
    }
    bool options = false;
    for (int i = 0; i < ARGS; i++) {
        options = options || (i != INDEX && !(args[i].flags & DS_ARG_IGNORED) && i != DRY_RUN &&
                              i != RECORD_PRE_IMAGES && v[i].type != DS_MISSING);
    }
    return !options || change_options(op, coll, v, err);
}
