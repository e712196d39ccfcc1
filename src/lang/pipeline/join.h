/* SPDX-License-Identifier: Apache-2.0 */
/* Another collection, held in memory by the values of one of its fields: for $lookup and
 * $graphLookup where no index helps. */
#ifndef DS_LANG_PIPELINE_JOIN_H
#define DS_LANG_PIPELINE_JOIN_H

#include "lang/pipeline/sub.h"

typedef struct ds__join_slot ds__join_slot;

/* Zero-initialise. */
typedef struct ds__join {
    /* owned */
    ds__doc_list docs;
    ds__join_slot *slots; /* value hash to document, several of a hash beside one another */
    uint32_t *found;      /* offsets of the last lookup, in order */
    uint64_t *hashes;     /* of its values, each once */
    /* plain */
    size_t slot_count;
    size_t slot_cap;
    size_t found_count;
    size_t found_cap;
    size_t hash_count;
    size_t hash_cap;
} ds__join;

/* Reads all of `source`. *full is set, and nothing kept, when that is too much for memory. */
bool ds__join_load(ds__join *join, ds__source *source, const ds__path *path, ds__stage *stage,
                   bool *full, ds_error *err);
/* Documents that may have one of the `values` (an array) at the path; join->found. */
bool ds__join_find(ds__join *join, ds_value values, const ds__collator *collator, ds_error *err);
void ds__join_clear(ds__join *join);

/* Writes each value at `path` as an element of the array open in `out`, going through arrays and
 * positions as filters do; a final array gives its elements, and itself when `whole`. *count
 * grows; what is not there gives nothing, or null when `nulls`. */
void ds__path_values(ds_value doc, const ds__path *path, uint32_t depth, bool whole, bool nulls,
                     ds_buf *out, size_t *count);

#endif
