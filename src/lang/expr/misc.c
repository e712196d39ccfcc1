/* SPDX-License-Identifier: Apache-2.0 */
/* $rand, sizes, parts of timestamps, $meta, and the operators that run JavaScript (refused). */
#include "lang/expr/internal.h"

#include "base/clock.h"

static bool eval_rand(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    uint64_t bits;
    ds__random_bytes(&bits, sizeof bits);
    *out = ds__double((double)(bits >> 11) * 0x1p-53);
    return true;
}

static bool parse_rand(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    bool empty_array = arg.type == DS_ARRAY && ds__doc_empty(arg);
    if (arg.type != DS_DOCUMENT && !empty_array) {
        return ds__error_set(err, 10065, "invalid parameter: expected an object ($rand)");
    }
    if (!ds__doc_empty(arg)) {
        return ds__error_set(err, 3040501, "$rand does not currently accept arguments");
    }
    return true;
}

static bool eval_binary_size(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_STRING && v.type != DS_BINARY) {
        return ds__error_set(err, 51276,
                             "$binarySize requires a string or BinData argument, found: %s",
                             ds__type_name(v.type));
    }
    *out = ds__int32((int32_t)v.size);
    return true;
}

static bool eval_bson_size(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        return ds__error_set(err, 31393, "$bsonSize requires a document input, found: %s",
                             ds__type_name(v.type));
    }
    *out = ds__int32((int32_t)v.size);
    return true;
}

static bool timestamp_part(const ds__expr *expr, ds__eval *eval, int32_t code, int shift,
                           ds_value *out, ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_TIMESTAMP) {
        return ds__error_set(err, code, "Argument to %s must be a timestamp, but is %s",
                             expr->op->name, ds__type_name(v.type));
    }
    *out = ds__int64((int64_t)(uint32_t)(v.as.u64 >> shift));
    return true;
}

static bool eval_ts_second(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return timestamp_part(expr, eval, 5687301, 32, out, err);
}

static bool eval_ts_increment(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return timestamp_part(expr, eval, 5687302, 0, out, err);
}

static bool eval_meta(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    (void)err;
    *out = eval->meta ? eval->meta->values[expr->slot] : ds__missing();
    return true;
}

static bool parse_meta(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    ds__meta_kind kind;
    if (arg.type != DS_STRING) {
        return ds__error_set(err, 17307, "$meta only supports string arguments");
    }
    if (!ds__meta_find(arg, &kind)) {
        return ds__error_set(err, 17308, "Unsupported argument to $meta: %.*s", (int)arg.size,
                             ds__text(arg));
    }
    if (ds__meta_defs[kind].needed) {
        return ds__meta_refuse(kind, err);
    }
    expr->slot = (uint32_t)kind;
    p->env->wanted_meta |= DS_META_BIT(kind);
    return true;
}

static bool parse_refused(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    return ds__error_set(err, DS_NOT_IMPLEMENTED,
                         "%s runs JavaScript on the server, which this store does not do",
                         expr->op->name);
}

const ds__expr_op ds__expr_ops_misc[] = {
    {.name = "$rand", .parse = parse_rand, .eval = eval_rand, .no_fold = true},
    {.name = "$binarySize", .eval = eval_binary_size, .min_args = 1, .max_args = 1},
    {.name = "$bsonSize", .eval = eval_bson_size, .min_args = 1, .max_args = 1},
    {.name = "$tsSecond", .eval = eval_ts_second, .min_args = 1, .max_args = 1},
    {.name = "$tsIncrement", .eval = eval_ts_increment, .min_args = 1, .max_args = 1},
    {.name = "$meta", .parse = parse_meta, .eval = eval_meta, .no_fold = true},
    {.name = "$function", .parse = parse_refused},
    {.name = "$_internalJsEmit", .parse = parse_refused},
    {.name = NULL},
};
