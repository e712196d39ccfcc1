/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the catalog: its memory and how rows become collections and indexes. */
#ifndef DS_ENGINE_CATALOG_INTERNAL_H
#define DS_ENGINE_CATALOG_INTERNAL_H

#include "engine/store/internal.h"

struct ds__catalog {
    /* owned */
    ds_arena arena;           /* everything below */
    ds_map by_name;           /* "db.name" -> ds__coll */
    ds__catalog_guest *guest; /* atomic; NULL: none */
    /* plain */
    ds__coll **colls; /* ordered by database, then name */
    size_t count;
    ds__coll **by_id; /* the same ordered by id */
    int64_t version;
    int refs; /* atomic */
};

/* Fills what the options of a collection say. Lives as long as `coll->options`. */
bool ds__coll_read_options(ds__coll *coll, ds_error *err);
/* Fills an index from its spec, which must live in the arena. */
bool ds__index_read_spec(ds_arena *arena, ds__index *index, ds_value spec, ds_error *err);

#endif
