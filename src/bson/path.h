/* SPDX-License-Identifier: Apache-2.0 */
/* Dotted paths, split once when a filter, expression or index is compiled. */
#ifndef DS_BSON_PATH_H
#define DS_BSON_PATH_H

#include "base/arena.h"
#include "bson/value.h"

typedef struct ds__path_part {
    const char *name; /* NUL-terminated, in the arena */
    uint32_t size;
    int32_t index; /* the position it names in an array ("0", "12"), or -1 */
} ds__path_part;

typedef struct ds__path {
    const char *text; /* the whole, NUL-terminated */
    uint32_t size;
    uint32_t count; /* parts; "a..b" has an empty one */
    ds__path_part *parts;
} ds__path;

/* Splits `text`; everything lives in the arena. False when memory is out. */
bool ds__path_parse(ds_arena *arena, const char *text, size_t size, ds__path *out);
/* Whether `a` is `b` or a parent of it: "a" of "a.b". */
bool ds__path_is_prefix(const ds__path *a, const ds__path *b);
/* The value at a path going through documents only (never into arrays); missing if none. */
ds_value ds__path_get(ds_value doc, const ds__path *path);

#endif
