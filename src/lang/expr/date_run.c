/* SPDX-License-Identifier: Apache-2.0 */
/* What operators on dates share while they run: coercion, zones, units. */
#include "lang/expr/date.h"

bool ds__date_coerce(ds_value v, int64_t *out) {
    switch (v.type) {
    case DS_DATE:
        *out = v.as.i64;
        return true;
    case DS_TIMESTAMP:
        *out = (int64_t)(v.as.u64 >> 32) * 1000;
        return true;
    case DS_OBJECT_ID:
        *out = (int64_t)(((uint32_t)v.as.oid[0] << 24) | ((uint32_t)v.as.oid[1] << 16) |
                         ((uint32_t)v.as.oid[2] << 8) | v.as.oid[3]) *
               1000;
        return true;
    default:
        return false;
    }
}

bool ds__date_want(ds_value v, int64_t *out, ds_error *err) {
    return ds__date_coerce(v, out) ||
           ds__error_set(err, 16006, "can't convert from BSON type %s to Date",
                         ds__type_name(v.type));
}

bool ds__date_run_zone(const ds__expr *expr, uint32_t i, ds__eval *eval, ds__zone_cache *cache,
                       int32_t code, const ds__zone **out, bool *is_null, ds_error *err) {
    *out = &ds__zone_utc;
    *is_null = false;
    if (expr->args[i] == NULL) {
        return true;
    }
    ds_value v;
    if (!ds__expr_run(expr->args[i], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *is_null = true;
        return true;
    }
    if (v.type != DS_STRING && code == 40533) {
        char quoted[64];
        return ds__error_set(err, code,
                             "%s requires a string for the timezone argument, but was given a %s "
                             "(%s)",
                             expr->op->name, ds__type_name(v.type),
                             ds__value_quote(v, quoted, sizeof quoted));
    }
    if (v.type != DS_STRING) {
        return ds__error_set(err, code, "timezone must evaluate to a string, found %s",
                             ds__type_name(v.type));
    }
    bool cached = cache->name != NULL && cache->size == v.size &&
                  memcmp(cache->name, v.as.bytes, v.size) == 0;
    if (!cached) {
        cache->name = NULL;
        if (!ds__zone_find(eval->env->arena, ds__text(v), v.size, &cache->zone, err)) {
            return false;
        }
        cache->name = ds_arena_strndup(eval->env->arena, ds__text(v), v.size);
        cache->size = v.size;
    }
    *out = &cache->zone;
    return true;
}

ds__date_unit ds__date_unit_find(ds_value name) {
    static const char *const names[] = {"year", "quarter", "month",  "week",        "day",
                                        "hour", "minute",  "second", "millisecond", NULL};
    int i = 0;
    while (names[i] != NULL && !ds__is_string(name, names[i])) {
        i++;
    }
    return (ds__date_unit)i;
}
