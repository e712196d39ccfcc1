/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of metadata, and rows' metadata as bytes. */
#include "lang/meta.h"

#include "bson/writer.h"

const ds__meta_def ds__meta_defs[DS_META_COUNT] = {
    [DS_META_RECORD_ID] = {"recordId", "record ID", false, false, 31138},
    [DS_META_SORT_KEY] = {"sortKey", "sort key", false, false, 31138},
    [DS_META_INDEX_KEY] = {"indexKey", "index key", false, false, 31138},
    [DS_META_RAND_VAL] = {"randVal", "rand val", false, false, 0},
    [DS_META_TEXT_SCORE] = {"textScore", "text score", true, false, 0},
    [DS_META_GEO_DISTANCE] = {"geoNearDistance", "$geoNear distance", true, false, 0},
    [DS_META_GEO_POINT] = {"geoNearPoint", "$geoNear point", true, false, 31138},
    [DS_META_SEARCH_SCORE] = {"searchScore", "$search score", false, true, 31218},
    [DS_META_SEARCH_HIGHLIGHTS] = {"searchHighlights", "$search highlights", false, true, 31219},
    [DS_META_SEARCH_DETAILS] = {"searchScoreDetails", "$search details", false, true, 31138},
};

bool ds__meta_find(ds_value name, ds__meta_kind *out) {
    for (int i = 0; i < DS_META_COUNT; i++) {
        if (ds__is_string(name, ds__meta_defs[i].name)) {
            *out = (ds__meta_kind)i;
            return true;
        }
    }
    return false;
}

bool ds__meta_refuse(ds__meta_kind kind, ds_error *err) {
    return ds__error_set(err, 40218, "query requires %s metadata, but it is not available",
                         ds__meta_defs[kind].noun);
}

void ds__meta_clear(ds__meta *meta) {
    for (int i = 0; i < DS_META_COUNT; i++) {
        meta->values[i] = ds__missing();
    }
}

void ds__meta_pack(const ds__meta *meta, ds_buf *out) {
    size_t root = ds__doc_begin(out);
    for (int i = 0; i < DS_META_COUNT; i++) {
        const char name[] = {(char)('a' + i), 0};
        ds__write_value(out, name, 1, meta->values[i]);
    }
    ds__doc_end(out, root);
}

void ds__meta_unpack(ds_value packed, ds__meta *out) {
    ds__iter it;
    ds__meta_clear(out);
    if (packed.type != DS_DOCUMENT) {
        return;
    }
    for (ds__iter_init(&it, packed); ds__iter_next(&it);) {
        out->values[it.key[0] - 'a'] = it.value;
    }
}
