/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the changed document: ranges of unchanged elements as raw bytes, changes in their place,
 * new elements at the end. Also what a written document is checked for. */
#include "base/limits.h"
#include "lang/update/internal.h"

/* How deeply documents and arrays nest below a value: 0 for scalars. */
static int depth_of(ds_value v) {
    if (v.type != DS_DOCUMENT && v.type != DS_ARRAY) {
        return 0;
    }
    int deepest = 0;
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        int d = depth_of(it.value);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

static bool check_depth(ds_value v, int depth, ds_error *err) {
    if (depth + depth_of(v) <= DS_MAX_DEPTH) {
        return true;
    }
    return ds__error_set(err, DS_OVERFLOW, "Document exceeds maximum nesting depth of %d",
                         DS_MAX_DEPTH);
}

static bool write_change(ds_buf *out, const char *key, size_t key_size, const ds__change *change,
                         int depth, ds_error *err);

/* The elements of a document or array with its changes; `depth` is its own. */
static bool write_body(ds_buf *out, const ds__change *nest, int depth, ds_error *err) {
    ds_value old = nest->value;
    if (depth > DS_MAX_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "Document exceeds maximum nesting depth of %d",
                             DS_MAX_DEPTH);
    }
    if (old.type != DS_MISSING) {
        const uint8_t *at = old.as.bytes + 4;
        const uint8_t *end = old.as.bytes + old.size - 1;
        for (size_t i = 0; i < nest->existing_count; i++) {
            const ds__change *c = &nest->children[i];
            ds_buf_add(out, at, (size_t)(c->element - at));
            at = c->element + c->element_size;
            const char *key = (const char *)c->element + 1;
            if (c->kind != DS_CHANGE_REMOVE &&
                !write_change(out, key, strlen(key), c, depth, err)) {
                return false;
            }
        }
        ds_buf_add(out, at, (size_t)(end - at));
    }
    if (nest->existing_count == nest->child_count) {
        return true;
    }
    bool array = old.type == DS_ARRAY;
    int64_t next = array ? (int64_t)ds__doc_count(old) : 0;
    for (size_t i = nest->existing_count; i < nest->child_count; i++) {
        const ds__change *c = &nest->children[i];
        char text[16];
        const char *key = c->name;
        size_t key_size = c->name_size;
        for (; array && next < c->index; next++) {
            ds__write_index(out, (size_t)next, ds__null());
        }
        if (array) {
            key = text;
            key_size = ds__index_text((size_t)next++, text);
        }
        if (!write_change(out, key, key_size, c, depth, err)) {
            return false;
        }
    }
    return true;
}

static bool write_items(ds_buf *out, const ds__change *change, size_t first, int depth,
                        ds_error *err) {
    for (size_t i = 0; i < change->item_count; i++) {
        if (!check_depth(change->items[i], depth, err)) {
            return false;
        }
        ds__write_index(out, first + i, change->items[i]);
    }
    return true;
}

static bool write_change(ds_buf *out, const char *key, size_t key_size, const ds__change *change,
                         int depth, ds_error *err) {
    size_t begin;
    bool ok = true;
    switch (change->kind) {
    case DS_CHANGE_KEEP:
    case DS_CHANGE_REMOVE:
        return true;
    case DS_CHANGE_SET:
        ds__write_value(out, key, key_size, change->value);
        return check_depth(change->value, depth, err);
    case DS_CHANGE_NEST:
        begin = ds__write_doc(out, key, key_size,
                              change->value.type == DS_ARRAY ? DS_ARRAY : DS_DOCUMENT);
        ok = write_body(out, change, depth + 1, err);
        ds__doc_end(out, begin);
        return ok;
    case DS_CHANGE_LIST:
        begin = ds__write_doc(out, key, key_size, DS_ARRAY);
        ok = write_items(out, change, 0, depth + 1, err);
        ds__doc_end(out, begin);
        return ok;
    case DS_CHANGE_APPEND:
        begin = ds__write_doc(out, key, key_size, DS_ARRAY);
        ds__write_elements(out, change->value);
        ok = write_items(out, change, ds__doc_count(change->value), depth + 1, err);
        ds__doc_end(out, begin);
        return ok;
    }
    return true;
}

bool ds__update_write(ds_value root, const ds__change *change, ds_buf *out, ds_error *err) {
    size_t begin = ds__doc_begin(out);
    bool ok = true;
    if (change->kind == DS_CHANGE_NEST) {
        ok = write_body(out, change, 1, err);
    } else {
        ds__write_elements(out, root);
    }
    ds__doc_end(out, begin);
    return ok;
}

static bool is(const char *a, const char *b) {
    return a && strcmp(a, b) == 0;
}

bool ds__update_check_dollar(const char *name, uint8_t type, const char *before, const char *after,
                             ds_error *err) {
    if ((is(name, "$ref") || is(name, "$db")) && type != DS_STRING) {
        return ds__error_set(err, DS_INVALID_DB_REF,
                             "The DBRef %s field must be a String, not a %s", name,
                             ds__type_name(type));
    }
    if (is(name, "$ref")) {
        return is(after, "$id") ||
               ds__error_set(err, DS_INVALID_DB_REF,
                             "The DBRef $ref field must be followed by a $id field");
    }
    if (is(name, "$id")) {
        return is(before, "$ref") ||
               ds__error_set(err, DS_INVALID_DB_REF,
                             "Found $id field without a $ref before it, which is invalid.");
    }
    if (is(name, "$db")) {
        return is(before, "$id") ||
               ds__error_set(err, DS_INVALID_DB_REF,
                             "Found $db field without a $id before it, which is invalid.");
    }
    return ds__error_set(err, DS_DOLLAR_PREFIXED_FIELD_NAME,
                         "The dollar ($) prefixed field '%s' in '%s' is not allowed in the context "
                         "of an update's replacement document. Consider using an aggregation "
                         "pipeline with $replaceWith.",
                         name, name);
}

bool ds__update_check_names(ds_value doc, ds_error *err) {
    const char *before = NULL;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        const char *after = it.at < it.end ? (const char *)it.at + 1 : NULL;
        if (it.key[0] == '$' &&
            !ds__update_check_dollar(it.key, it.value.type, before, after, err)) {
            return false;
        }
        before = it.key;
    }
    return true;
}

bool ds__update_check_id(ds_value id, ds_error *err) {
    if (id.type == DS_ARRAY || id.type == DS_REGEX || id.type == DS_UNDEFINED) {
        return ds__error_set(err, DS_INVALID_ID_FIELD, "The '_id' value cannot be of type %s",
                             ds__type_name(id.type));
    }
    if (id.type != DS_DOCUMENT) {
        return true;
    }
    ds__iter it;
    ds__iter_init(&it, id);
    while (ds__iter_next(&it)) {
        if (it.key[0] == '$') {
            return ds__error_set(err, DS_DOLLAR_PREFIXED_FIELD_NAME,
                                 "_id fields may not contain '$'-prefixed fields: %s is not valid "
                                 "for storage.",
                                 it.key);
        }
    }
    return true;
}

bool ds__update_check_size(const ds_buf *out, ds_error *err) {
    if (!ds_buf_ok(out, err)) {
        return false;
    }
    if (out->size > DS_MAX_DOC_SIZE) {
        return ds__error_set(err, 17419, "Resulting document after update is larger than %d",
                             DS_MAX_DOC_SIZE);
    }
    return true;
}
