/* SPDX-License-Identifier: Apache-2.0 */
/* $exists and $type. */
#include "lang/filter/schema.h"

DS_FILTER_FIELD(ds__filter_parse_exists) {
    ds__filter *f = ds__filter_new(p, DS_FILTER_EXISTS, arg->path, err);
    if (f == NULL) {
        return false;
    }
    f->flag = true;
    *out = f;
    return ds__value_truthy(arg->value) || ds__filter_negate(p, f, out, err);
}

static bool type_code(ds_value v, ds__filter_types *types, ds_error *err) {
    int64_t code = 0;
    bool whole = ds__value_exact_int64(v, &code);
    char text[DS_MAX_QUOTED + 8];
    if (whole && code == -1) {
        types->min_key = true;
    } else if (whole && code == 127) {
        types->max_key = true;
    } else if (whole && code >= 1 && code <= 19) {
        types->mask |= UINT32_C(1) << code;
    } else {
        return ds__error_set(err, DS_BAD_VALUE, "Invalid numerical type code: %s%s",
                             ds__value_quote(v, text, sizeof text),
                             whole && code == 0 ? ". Instead use {$exists:false}." : "");
    }
    return true;
}

static bool type_alias(ds_value v, ds__filter_types *types, ds_error *err) {
    if (ds__is_string(v, "number")) {
        types->number = true;
        types->mask |= 1U << DS_DOUBLE | 1U << DS_INT32 | 1U << DS_INT64 | 1U << DS_DECIMAL;
        return true;
    }
    if (ds__is_string(v, "missing")) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "'missing' is not a legal type name. To query for non-existence of a "
                             "field, use {$exists:false}.");
    }
    uint8_t type = ds__type_from_name(ds__text(v), v.size);
    if (type == DS_MISSING) {
        return ds__error_set(err, DS_BAD_VALUE, "Unknown type name alias: %.*s",
                             v.size > DS_MAX_QUOTED ? DS_MAX_QUOTED : (int)v.size, ds__text(v));
    }
    types->min_key = types->min_key || type == DS_MIN_KEY;
    types->max_key = types->max_key || type == DS_MAX_KEY;
    types->mask |= type < 32 ? UINT32_C(1) << type : 0;
    return true;
}

bool ds__filter_add_type(ds_value v, ds__filter_types *types, ds_error *err) {
    if (v.type == DS_STRING) {
        return type_alias(v, types, err);
    }
    if (ds__is_number(v)) {
        return type_code(v, types, err);
    }
    return ds__error_set(err, DS_TYPE_MISMATCH, "type must be represented as a number or a string");
}

DS_FILTER_FIELD(ds__filter_parse_type) {
    ds__filter *f = ds__filter_new(p, DS_FILTER_TYPE, arg->path, err);
    ds__filter_types *types = ds_arena_zalloc(p->env->arena, sizeof *types);
    if (f == NULL || types == NULL) {
        return ds__error_oom(err);
    }
    f->detail = types;
    f->operand = arg->value;
    *out = f;
    if (arg->value.type != DS_ARRAY) {
        return ds__filter_add_type(arg->value, types, err);
    }
    if (ds__doc_empty(arg->value)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%.*s must match at least one type",
                             DS_MAX_QUOTED, arg->path->text);
    }
    ds__iter it;
    ds__iter_init(&it, arg->value);
    while (ds__iter_next(&it)) {
        if (!ds__filter_add_type(it.value, types, err)) {
            return false;
        }
    }
    return true;
}

bool ds__filter_has_type(const ds__filter_types *types, ds_value v) {
    switch (v.type) {
    case DS_MISSING:
        return false;
    case DS_MIN_KEY:
        return types->min_key;
    case DS_MAX_KEY:
        return types->max_key;
    default:
        return (types->mask >> v.type & 1) != 0;
    }
}

bool ds__filter_test_type(const ds__filter *f, ds_value v) {
    return ds__filter_has_type(f->detail, v);
}
