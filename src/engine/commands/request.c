/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the arguments of commands by table, with the errors mongod's generated parsers give. */
#include "engine/commands/request.h"

#include "bson/number.h"
#include "engine/catalog/catalog.h"
#include "engine/commands/generic.h"

static bool wrong_type(const char *owner, const char *name, uint8_t found, const char *expected,
                       ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH,
                         "BSON field '%s.%s' is the wrong type '%s', expected type%s", owner, name,
                         ds__type_name(found), expected);
}

/* null where an array belongs. */
static bool no_array(const char *owner, const char *name, ds_value v, ds_error *err) {
    return v.type == DS_NULL
               ? ds__error_set(err, 10065, "invalid parameter: expected an object (%s)", name)
               : wrong_type(owner, name, v.type, " 'array'", err);
}

static bool check_uuid_type(const char *owner, const char *name, ds_value v, ds_error *err) {
    if (v.type == DS_BINARY && v.subtype != 4) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "BSON field '%s.%s' is the wrong binData type, expected type 'UUID'",
                             owner, name);
    }
    return v.type == DS_BINARY || wrong_type(owner, name, v.type, " 'binData'", err);
}

static bool refuse_servers(const char *owner, const char *name, ds_value v, ds_error *err) {
    if (v.type != DS_DOCUMENT) {
        return wrong_type(owner, name, v.type, " 'object'", err);
    }
    return ds__error_set(err, ds__doc_empty(v) ? 40414 : 40415,
                         "BSON field '%s.%s' is for the servers of a cluster", owner, name);
}

static bool check_elements(const char *owner, const char *name, ds_value array, uint8_t type,
                           const char *expected, ds_error *err) {
    ds__iter it;
    ds__iter_init(&it, array);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type != type) {
            return ds__error_set(err, DS_TYPE_MISMATCH,
                                 "BSON field '%s.%s.%zu' is the wrong type '%s', expected type "
                                 "'%s'",
                                 owner, name, i, ds__type_name(it.value.type), expected);
        }
    }
    return true;
}

static bool check_type(const char *owner, const ds__arg *arg, ds_value v, ds_error *err) {
    switch (arg->kind) {
    case DS_ARG_ANY:
        return true;
    case DS_ARG_OBJECT:
        return v.type == DS_DOCUMENT || wrong_type(owner, arg->name, v.type, " 'object'", err);
    case DS_ARG_ARRAY:
        return v.type == DS_ARRAY || no_array(owner, arg->name, v, err);
    case DS_ARG_OBJECTS:
        if (v.type != DS_ARRAY) {
            return no_array(owner, arg->name, v, err);
        }
        return check_elements(owner, arg->name, v, DS_DOCUMENT, "object", err);
    case DS_ARG_STRING:
        return v.type == DS_STRING || wrong_type(owner, arg->name, v.type, " 'string'", err);
    case DS_ARG_BOOL:
        return v.type == DS_BOOL || ds__is_number(v) ||
               wrong_type(owner, arg->name, v.type, "s '[bool, long, int, decimal, double']", err);
    case DS_ARG_STRICT_BOOL:
        return v.type == DS_BOOL ||
               ds__error_set(err, DS_TYPE_MISMATCH,
                             "Field '%s' should be a boolean value, but found: %s", arg->name,
                             ds__type_name(v.type));
    case DS_ARG_NUMBER:
        return ds__is_number(v) ||
               wrong_type(owner, arg->name, v.type, "s '[long, int, decimal, double']", err);
    case DS_ARG_LONG:
        return v.type == DS_INT64 || wrong_type(owner, arg->name, v.type, " 'long'", err);
    case DS_ARG_INT:
        return v.type == DS_INT32 || wrong_type(owner, arg->name, v.type, " 'int'", err);
    case DS_ARG_INTS:
        if (v.type != DS_ARRAY) {
            return no_array(owner, arg->name, v, err);
        }
        return check_elements(owner, arg->name, v, DS_INT32, "int", err);
    case DS_ARG_UUID:
        return check_uuid_type(owner, arg->name, v, err);
    case DS_ARG_SERVERS:
        return refuse_servers(owner, arg->name, v, err);
    case DS_ARG_REFUSED:
        return !ds__value_truthy(v) ||
               ds__error_set(err, DS_NOT_IMPLEMENTED, "%s: the option '%s' is not implemented",
                             owner, arg->name);
    }
    return true;
}

static bool check_value(const char *owner, const ds__arg *arg, ds_value v, ds_error *err) {
    if (!check_type(owner, arg, v, err)) {
        return false;
    }
    if ((arg->flags & DS_ARG_NOT_NEGATIVE) && ds__number_sign(v) < 0 &&
        ds__number_to_int64(v) < 0) {
        return ds__error_set(err, 51024, "BSON field '%s' value must be >= 0, actual value '%lld'",
                             arg->name, (long long)ds__number_to_int64(v));
    }
    return true;
}

/* Where the field stands in the table; `from` is where the last one stood, since clients write
 * fields in much the same order. */
static size_t find_arg(const ds__arg *args, size_t count, size_t from, const char *key) {
    for (size_t n = 0, i = from; n < count; n++, i = i + 1 == count ? 0 : i + 1) {
        if (args[i].name[0] == key[0] && strcmp(args[i].name, key) == 0) {
            return i;
        }
    }
    return count;
}

static bool read_args(const char *owner, bool command, bool lenient, ds_value doc,
                      const ds__arg *args, size_t count, ds_value *values, ds_error *err) {
    for (size_t i = 0; i < count; i++) {
        values[i] = ds__missing();
    }
    ds__iter it;
    ds__iter_init(&it, doc);
    if (command) {
        ds__iter_next(&it);
    }
    size_t last = 0;
    while (ds__iter_next(&it)) {
        size_t i = find_arg(args, count, last, it.key);
        if (i == count) {
            if (lenient || (command && ds__arg_is_generic(it.key))) {
                continue;
            }
            return ds__error_set(err, 40415, "BSON field '%s.%s' is an unknown field.", owner,
                                 it.key);
        }
        last = i;
        if (values[i].type != DS_MISSING) {
            return ds__error_set(err, 40413, "BSON field '%s.%s' is a duplicate field", owner,
                                 it.key);
        }
        if (it.value.type == DS_UNDEFINED ||
            (it.value.type == DS_NULL && (args[i].flags & DS_ARG_NULL_IS_MISSING))) {
            continue;
        }
        if (!check_value(owner, &args[i], it.value, err)) {
            return false;
        }
        values[i] = it.value;
    }
    for (size_t i = 0; i < count; i++) {
        if ((args[i].flags & DS_ARG_REQUIRED) && values[i].type == DS_MISSING) {
            return ds__error_set(err, 40414, "BSON field '%s.%s' is missing but a required field",
                                 owner, args[i].name);
        }
    }
    return true;
}

int64_t ds__arg_int64(ds_value v, int64_t otherwise) {
    return ds__is_number(v) ? ds__number_to_int64(v) : otherwise;
}

bool ds__args_read(const char *owner, bool command, ds_value doc, const ds__arg *args, size_t count,
                   ds_value *values, ds_error *err) {
    return read_args(owner, command, false, doc, args, count, values, err);
}

bool ds__args_read_some(const char *owner, ds_value doc, const ds__arg *args, size_t count,
                        ds_value *values, ds_error *err) {
    return read_args(owner, true, true, doc, args, count, values, err);
}

bool ds__args_none(ds__op *op, ds_error *err) {
    return ds__args_read(op->row->name, true, op->command, NULL, 0, NULL, err);
}

bool ds__check_uuid(const ds__coll *coll, ds_value uuid, ds_error *err) {
    return uuid.type == DS_MISSING ||
           (coll != NULL && uuid.size == sizeof coll->uuid &&
            memcmp(uuid.as.bytes, coll->uuid, sizeof coll->uuid) == 0) ||
           ds__error_set(err, DS_COLLECTION_UUID_MISMATCH,
                         "Collection UUID does not match that specified");
}

const char *ds__namespace(ds_arena *arena, const char *db, const char *coll) {
    size_t n = strlen(db);
    size_t m = strlen(coll);
    char *out = ds_arena_alloc(arena, n + m + 2);
    if (out != NULL) {
        memcpy(out, db, n);
        out[n] = '.';
        memcpy(out + n + 1, coll, m + 1);
    }
    return out;
}

bool ds__op_collection(ds__op *op, const char **coll, size_t *size, ds_error *err) {
    ds_value v = op->target;
    *coll = NULL;
    *size = 0;
    if (v.type != DS_STRING && v.type != DS_SYMBOL) {
        return ds__error_set(err, DS_BAD_VALUE, "collection name has invalid type %s",
                             ds__type_name(v.type));
    }
    const char *name = ds_arena_strndup(&op->arena, ds__text(v), v.size);
    if (name == NULL) {
        return ds__error_oom(err);
    }
    if (v.size == 0) {
        return ds__error_set(err, DS_INVALID_NAMESPACE, "Invalid namespace specified '%s.'",
                             op->db);
    }
    if (!ds__catalog_check_coll_name(op->db, name, v.size, err)) {
        return false;
    }
    *coll = name;
    *size = v.size;
    return true;
}
