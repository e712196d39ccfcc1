/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers on values that operators share. */
#include "lang/update/internal.h"

bool ds__update_same(ds_value a, ds_value b) {
    if (a.type != b.type) {
        return false;
    }
    switch ((ds_type)a.type) {
    case DS_MISSING:
    case DS_UNDEFINED:
    case DS_NULL:
    case DS_MAX_KEY:
    case DS_MIN_KEY:
        return true;
    case DS_BOOL:
        return a.as.b == b.as.b;
    case DS_INT32:
        return a.as.i32 == b.as.i32;
    case DS_DOUBLE:
    case DS_DATE:
    case DS_TIMESTAMP:
    case DS_INT64:
        return a.as.u64 == b.as.u64;
    case DS_DECIMAL:
        return a.as.dec.low == b.as.dec.low && a.as.dec.high == b.as.dec.high;
    case DS_OBJECT_ID:
        return memcmp(a.as.oid, b.as.oid, sizeof a.as.oid) == 0;
    case DS_STRING:
    case DS_DOCUMENT:
    case DS_ARRAY:
    case DS_BINARY:
    case DS_REGEX:
    case DS_DB_POINTER:
    case DS_CODE_TYPE:
    case DS_SYMBOL:
    case DS_CODE_W_SCOPE:
        break;
    }
    return a.subtype == b.subtype && a.size == b.size &&
           memcmp(a.as.bytes, b.as.bytes, a.size) == 0;
}

ds_value *ds__update_items(ds_arena *arena, ds_value array, size_t more, size_t *count) {
    size_t n = array.type == DS_ARRAY ? ds__doc_count(array) : 0;
    ds_value *items = ds_arena_alloc(arena, (n + more + 1) * sizeof *items);
    *count = 0;
    if (!items || array.type != DS_ARRAY) {
        return items;
    }
    ds__iter it;
    ds__iter_init(&it, array);
    while (ds__iter_next(&it)) {
        items[(*count)++] = it.value;
    }
    return items;
}
