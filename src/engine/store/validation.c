/* SPDX-License-Identifier: Apache-2.0 */
/* Says why a document failed its collection's validator, in the shape of mongod's errInfo. */
#include "engine/store/internal.h"

#include "bson/writer.h"

static bool operator_matches(ds__txn *txn, const char *name, size_t size, ds_value spec,
                             ds_value doc) {
    ds_buf one = {0};
    bool matched = true;
    size_t root = ds__doc_begin(&one);
    ds__write_value(&one, name, size, spec);
    ds__doc_end(&one, root);
    if (!one.failed) {
        ds__txn_filter_once(txn, ds__document(one.data), doc, &matched);
    }
    ds_buf_clear(&one);
    return matched;
}

/* One clause that failed: {operatorName, specifiedAs, reason, consideredValue}. */
static void write_clause(ds_buf *out, const char *path, size_t path_size, ds_value condition,
                         ds_value doc) {
    ds__iter it;
    const char *name = "$eq";
    if (condition.type == DS_DOCUMENT) {
        ds__iter_init(&it, condition);
        if (ds__iter_next(&it) && it.key[0] == '$') {
            name = it.key;
        }
    } else if (condition.type == DS_REGEX) {
        name = "$regex";
    }
    bool own = path[0] == '$';
    ds__write_str(out, "operatorName", own ? path : name);
    size_t sub = ds__write_doc(out, "specifiedAs", 11, DS_DOCUMENT);
    ds__write_value(out, path, path_size, condition);
    ds__doc_end(out, sub);
    if (own) {
        return;
    }
    ds_value considered = ds__missing();
    if (!memchr(path, '.', path_size)) {
        ds__doc_get(doc, path, path_size, &considered);
    }
    if (considered.type == DS_MISSING) {
        ds__write_str(out, "reason", "field was missing");
    } else {
        ds__write_str(out, "reason", "comparison failed");
        ds__write_value(out, "consideredValue", 15, considered);
    }
}

void ds__validation_details(ds__txn *txn, ds_value validator, ds_value doc, ds_buf *out) {
    ds__iter it;
    ds__iter_init(&it, validator);
    while (ds__iter_next(&it)) {
        if (!operator_matches(txn, it.key, it.key_size, it.value, doc)) {
            write_clause(out, it.key, it.key_size, it.value, doc);
            return;
        }
    }
}
