/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kinds, and what is particular to hashed ones. */
#include "engine/index/kind.h"

#include "bson/key.h"
#include "engine/index/bounds.h"
#include "engine/index/extract.h"
#include "engine/index/index.h"

static bool check_hashed(ds_value key, bool unique, ds_error *err) {
    ds__iter it;
    size_t count = 0;
    ds__iter_init(&it, key);
    while (ds__iter_next(&it)) {
        count += it.value.type == DS_STRING;
    }
    if (count > 1) {
        return ds__error_set(err, 31303,
                             "A maximum of one index field is allowed to be hashed "
                             "but found more for 'key'");
    }
    return !unique || ds__error_set(err, 16764,
                                    "Currently hashed indexes cannot guarantee uniqueness. "
                                    "Use a regular index.");
}

static bool hashed_value(ds_value v, ds_value *out, ds_error *err) {
    if (v.type == DS_ARRAY) {
        return ds__error_set(err, 16766, "hashed indexes do not currently support array values");
    }
    *out = ds__int64(ds__index_hash(v.type == DS_MISSING ? ds__null() : v));
    return true;
}

/* Single values only, and none that stands for others too: null has the hash of what is missing.
 * Equal hashes are no proof: the filter decides. */
static bool hashed_bounds(ds_arena *arena, const ds__filter *leaf, bool multikey, ds__bounds *out,
                          ds_error *err) {
    if (!ds__bounds_of(arena, leaf, multikey, out, err)) {
        return false;
    }
    const bool matches_missing = out->matches_missing;
    bool fits = ds__bounds_points(out);
    for (size_t i = 0; fits && i < out->count; i++) {
        uint8_t type = out->spans[i].lo.value.type;
        fits = type != DS_NULL && type != DS_UNDEFINED && type != DS_ARRAY;
    }
    out->tight = false;
    if (!fits && !ds__bounds_full(arena, out, err)) {
        return false;
    }
    out->matches_missing = matches_missing;
    return true;
}

/* The first row is for parts with numbers; the last ones are known by name only. */
static const ds__index_kind kinds[] = {
    {.name = "",
     .extract = ds__extract_paths,
     .bounds = ds__bounds_of,
     .ordered = true,
     .collates = true},
    {.name = "hashed",
     .check = check_hashed,
     .extract = ds__extract_paths,
     .value = hashed_value,
     .bounds = hashed_bounds,
     .no_arrays = true},
    {.name = "wildcard", .mark = "$**"},
    {.name = "text"},
    {.name = "2d"},
    {.name = "2dsphere"},
    {.name = "geoHaystack"},
};

enum { COUNT = sizeof kinds / sizeof *kinds };

const ds__index_kind *const ds__index_ordered = &kinds[0];

const ds__index_kind *ds__index_kind_of(const char *field, size_t size, ds_value v) {
    for (size_t i = 0; i < COUNT; i++) {
        const char *mark = kinds[i].mark;
        if (mark && memmem(field, size, mark, strlen(mark))) {
            return &kinds[i];
        }
    }
    if (v.type != DS_STRING) {
        return ds__index_ordered;
    }
    for (size_t i = 1; i < COUNT; i++) {
        if (ds__is_string(v, kinds[i].name)) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool ds__index_kind_check(const ds__index_kind *kind, ds_error *err) {
    return kind->extract ||
           ds__error_set(err, DS_NOT_IMPLEMENTED, "%s indexes are not implemented", kind->name);
}

void ds__index_kind_add(const ds__index_kind *kind, ds_value v, bool descending, ds_buf *out) {
    ds_error refused = {0};
    if (kind->value && !kind->value(v, &v, &refused)) {
        v = ds__missing(); /* bounds hold no such values */
    }
    ds__key_add(out, v, descending && kind->ordered, NULL);
}
