/* SPDX-License-Identifier: Apache-2.0 */
/* What is beside the rows of a plan: record ids, the entries they were found by, sort keys. */
#include "engine/plan/node.h"

bool ds__row_keep_index_key(const ds__row *row, ds_buf *out, ds_error *err) {
    if (row->index_key != NULL) {
        ds_value kept = ds__document(row->index_key);
        ds_buf_add(out, kept.as.bytes, kept.size);
    } else if (row->index != NULL) {
        ds_assert(row->doc.type == DS_DOCUMENT); /* entries' values are looked for in it */
        if (!ds__index_key_values(row->index, row->doc, row->key, row->key_size, out, err)) {
            return false;
        }
    }
    return ds_buf_ok(out, err);
}

static bool index_key(const ds__row *row, ds_arena *arena, ds_value *out, ds_error *err) {
    ds_buf values = {.meter = arena->meter};
    bool ok = ds__row_keep_index_key(row, &values, err);
    if (ok && values.size > 0) {
        ok = ds__buf_to_value(arena, &values, DS_DOCUMENT, out) || ds__error_oom(err);
    }
    ds_buf_clear(&values);
    return ok;
}

bool ds__row_meta(const ds__query *q, const ds__row *row, const ds__collator *collator,
                  ds_arena *arena, ds__meta *out, ds_error *err) {
    static const uint8_t empty[5] = {5};
    ds__meta_clear(out);
    if (row->rid != 0) {
        out->values[DS_META_RECORD_ID] = ds__int64(row->rid);
    }
    if (q->meta & DS_META_BIT(DS_META_SORT_KEY)) {
        ds_value *key = &out->values[DS_META_SORT_KEY];
        *key = ds__array(empty);
        if (q->sort_key != NULL &&
            !ds__sort_values(q->sort_key, row->doc, collator, arena, key, err)) {
            return false;
        }
    }
    return !ds__query_index_keys(q) || index_key(row, arena, &out->values[DS_META_INDEX_KEY], err);
}
