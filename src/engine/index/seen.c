/* SPDX-License-Identifier: Apache-2.0 */
/* From keys back to values: what keys alone do not tell, the bits of what was ever indexed do. */
#include <math.h>

#include "bson/key.h"
#include "engine/index/index.h"

static bool is_small(double d) {
    return d >= INT32_MIN && d <= INT32_MAX && d == (double)(int32_t)d;
}

/* Whole and within int64; beyond 2^53 every double is whole. */
static bool is_large(double d) {
    return d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d && !is_small(d);
}

/* Whether its bytes are those that its key gives back. */
static bool is_plain(double d) {
    static const double zero = 0, nan = NAN;
    return d == 0   ? memcmp(&d, &zero, sizeof d) == 0
           : d != d ? memcmp(&d, &nan, sizeof d) == 0
                    : true;
}

uint64_t ds__seen_of(ds_value v) {
    switch ((ds_type)v.type) {
    case DS_INT32:
        return DS_SEEN_INT32;
    case DS_INT64:
        return v.as.i64 >= INT32_MIN && v.as.i64 <= INT32_MAX ? DS_SEEN_SMALL_INT64
                                                              : DS_SEEN_LARGE_INT64;
    case DS_DOUBLE:
        if (!is_plain(v.as.f64)) {
            return DS_SEEN_UNTOLD;
        }
        return is_small(v.as.f64)   ? DS_SEEN_SMALL_DOUBLE
               : is_large(v.as.f64) ? DS_SEEN_LARGE_DOUBLE
                                    : 0;
    case DS_NULL:
        return DS_SEEN_NULL;
    case DS_MISSING:
        return DS_SEEN_MISSING;
    case DS_SYMBOL:
        return DS_SEEN_SYMBOL;
    case DS_DECIMAL:
    case DS_UNDEFINED:
        return DS_SEEN_UNTOLD;
    case DS_MIN_KEY:
    case DS_MAX_KEY:
    case DS_STRING:
    case DS_CODE_TYPE:
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_BINARY:
    case DS_DB_POINTER:
    case DS_OBJECT_ID:
    case DS_BOOL:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_REGEX:
    case DS_CODE_W_SCOPE:
        break;
    }
    return 0;
}

/* A number that is a double gets back the one type it can have had. */
static bool typed(uint64_t seen, double d, ds_value *out) {
    if (is_small(d)) {
        seen &= DS_SEEN_INT32 | DS_SEEN_SMALL_INT64 | DS_SEEN_SMALL_DOUBLE;
    } else if (is_large(d)) {
        seen &= DS_SEEN_LARGE_INT64 | DS_SEEN_LARGE_DOUBLE;
    } else {
        *out = ds__double(d);
        return true;
    }
    switch (seen) {
    case DS_SEEN_INT32:
        *out = ds__int32((int32_t)d);
        return true;
    case DS_SEEN_SMALL_INT64:
    case DS_SEEN_LARGE_INT64:
        *out = ds__int64((int64_t)d);
        return true;
    case DS_SEEN_SMALL_DOUBLE:
    case DS_SEEN_LARGE_DOUBLE:
        *out = ds__double(d);
        return true;
    default:
        return false;
    }
}

bool ds__index_part_value(const ds__index_part *part, const uint8_t *key, size_t size,
                          ds_buf *scratch, ds_value *out) {
    ds_assert(part->kind->ordered && size > 0);
    const int rank = part->descending ? (uint8_t)~key[0] : key[0];
    const uint64_t seen = part->seen;
    if (rank == ds__type_rank(DS_DOUBLE)) {
        return !(seen & DS_SEEN_UNTOLD) && ds__key_number(key, size, part->descending, out) &&
               (out->type != DS_DOUBLE || typed(seen, out->as.f64, out));
    }
    if (rank == ds__type_rank(DS_NULL)) {
        const bool null = (seen & (DS_SEEN_NULL | DS_SEEN_UNTOLD)) != 0;
        const bool missing = (seen & (DS_SEEN_MISSING | DS_SEEN_UNTOLD)) != 0;
        *out = null ? ds__null() : ds__missing();
        return null != missing;
    }
    return (rank != ds__type_rank(DS_STRING) || seen == DS_SEEN_ALL || !(seen & DS_SEEN_SYMBOL)) &&
           ds__key_value(key, size, part->descending, scratch, out);
}
