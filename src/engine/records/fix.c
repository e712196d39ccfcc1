/* SPDX-License-Identifier: Apache-2.0 */
/* The shape documents are stored in: an _id, first; server time for empty timestamps at the top. */
#include "base/clock.h"
#include "base/limits.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/records/records.h"

static bool check_id(ds_value id, ds_error *err) {
    switch (id.type) {
    case DS_ARRAY:
        return ds__error_set(err, DS_INVALID_ID_FIELD, "The '_id' value cannot be of type array");
    case DS_REGEX:
        return ds__error_set(err, DS_INVALID_ID_FIELD, "The '_id' value cannot be of type regex");
    case DS_UNDEFINED:
        return ds__error_set(err, DS_INVALID_ID_FIELD,
                             "The '_id' value cannot be of type undefined");
    default:
        break;
    }
    ds__iter it;
    if (id.type == DS_DOCUMENT) {
        ds__iter_init(&it, id);
        while (ds__iter_next(&it)) {
            if (it.key[0] == '$') {
                return ds__error_set(err, DS_DOLLAR_PREFIXED_FIELD_NAME,
                                     "_id fields may not contain '$'-prefixed fields: %s is not "
                                     "valid for storage.",
                                     it.key);
            }
        }
    }
    return true;
}

static void write_field(ds_buf *out, const ds__iter *it) {
    if (it->value.type == DS_TIMESTAMP && it->value.as.u64 == 0) {
        uint8_t random[4];
        ds__random_bytes(random, sizeof random);
        ds_value now = {.type = DS_TIMESTAMP};
        now.as.u64 =
            (uint64_t)(ds__clock_now_ms() / 1000) << 32 | ((ds__load_u32(random) & 0xffff) + 1);
        ds__write_value(out, it->key, it->key_size, now);
    } else {
        ds_buf_add(out, it->element, it->element_size);
    }
}

bool ds__record_fix(ds_value doc, ds_buf *out, ds_value *fixed, ds_error *err) {
    ds__iter it;
    ds_value id = ds__missing();
    size_t id_at = 0;
    bool clean = true;
    *fixed = doc;
    if (doc.size > DS_MAX_DOC_SIZE) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "object to insert too large. size in bytes: %u, max size: %d",
                             doc.size, DS_MAX_DOC_SIZE);
    }
    if (!ds__value_depth_within(doc, DS_MAX_DEPTH)) {
        return ds__error_set(err, DS_OVERFLOW,
                             "cannot insert document because it exceeds %d levels of nesting",
                             DS_MAX_DEPTH);
    }
    ds__iter_init(&it, doc);
    for (size_t i = 0; ds__iter_next(&it); i++) {
        if (it.value.type == DS_TIMESTAMP && it.value.as.u64 == 0) {
            clean = false;
        } else if (it.key_size == 3 && memcmp(it.key, "_id", 3) == 0) {
            if (id.type != DS_MISSING) {
                return ds__error_set(err, DS_BAD_VALUE,
                                     "can't have multiple _id fields in one "
                                     "document");
            }
            id = it.value;
            id_at = i;
        }
    }
    if (!check_id(id, err)) {
        return false;
    }
    if (clean && id.type != DS_MISSING && id_at == 0) {
        return true;
    }
    ds_buf_reset(out);
    size_t root = ds__doc_begin(out);
    if (id.type == DS_MISSING) {
        id.type = DS_OBJECT_ID;
        ds__object_id_new(id.as.oid);
    }
    ds__write_value(out, "_id", 3, id);
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        if (it.key_size != 3 || memcmp(it.key, "_id", 3) != 0) {
            write_field(out, &it);
        }
    }
    ds__doc_end(out, root);
    if (!ds_buf_ok(out, err)) {
        return false;
    }
    *fixed = ds__document(out->data);
    return true;
}
