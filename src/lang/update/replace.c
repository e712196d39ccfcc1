/* SPDX-License-Identifier: Apache-2.0 */
/* Replacement: the new document as it stands, with the old _id in front. A Timestamp(0, 0) at the
 * top level becomes the present time. */
#include "base/clock.h"
#include "base/limits.h"
#include "bson/validate.h"
#include "lang/update/internal.h"

void ds__update_write_id_first(ds_value doc, ds_value id, const ds__env *env, ds_buf *out) {
    size_t begin = ds__doc_begin(out);
    ds__iter it;
    ds__write_value(out, "_id", 3, id);
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        if (it.key_size == 3 && memcmp(it.key, "_id", 3) == 0) {
            continue;
        }
        if (env && it.value.type == DS_TIMESTAMP && it.value.as.u64 == 0) {
            uint64_t seconds = (uint64_t)(ds__clock_now_ms() / 1000);
            it.value.as.u64 = env->cluster_time ? env->cluster_time : seconds << 32 | 1;
            ds__write_value(out, it.key, it.key_size, it.value);
            continue;
        }
        ds_buf_add(out, it.element, it.element_size);
    }
    ds__doc_end(out, begin);
}

bool ds__update_check_altered(ds_value old_id, ds_value new_id, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    if (new_id.type == DS_ARRAY) {
        return ds__error_set(err, DS_NOT_SINGLE_VALUE_FIELD,
                             "After applying the update to the document, the (immutable) field "
                             "'_id' was found to be an array or array descendant.");
    }
    if (old_id.type == DS_MISSING || ds__value_equal(old_id, new_id, NULL)) {
        return true;
    }
    return ds__error_set(err, DS_IMMUTABLE_FIELD,
                         "After applying the update, the (immutable) field '_id' was found to have "
                         "been altered to _id: %s",
                         ds__value_quote(new_id, quoted, sizeof quoted));
}

bool ds__update_apply_replace(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                              bool *modified, ds_error *err) {
    ds_value fresh = update->replacement;
    ds_value old_id = ds__doc_field(doc, "_id");
    ds_value id = ds__doc_field(fresh, "_id");
    if (ds__update_same(doc, fresh)) {
        return true;
    }
    if (!ds__update_check_names(fresh, err)) {
        return false;
    }
    if (id.type == DS_MISSING) {
        id = old_id;
    } else if (!ds__update_check_id(id, err) || !ds__update_check_altered(old_id, id, err)) {
        return false;
    }
    if (!ds__value_depth_within(fresh, DS_MAX_DEPTH)) {
        return ds__error_set(err, DS_OVERFLOW, "Document exceeds maximum nesting depth of %d",
                             DS_MAX_DEPTH);
    }
    *modified = true;
    ds__update_write_id_first(fresh, id, eval->env, out);
    return ds__update_check_size(out, err);
}
