/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a collection takes a document: its validator, as its level and action say. */
#include "bson/writer.h"
#include "engine/records/filters.h"
#include "engine/records/internal.h"

static bool refuse_invalid(ds__txn *txn, const ds__coll *coll, ds_value doc, ds_error *err) {
    ds_buf *details = ds__txn_details(txn);
    ds_buf_reset(details);
    size_t root = ds__doc_begin(details);
    size_t info = ds__write_doc(details, "errInfo", 7, DS_DOCUMENT);
    ds__write_value(details, "failingDocumentId", 17, ds__doc_field(doc, "_id"));
    size_t sub = ds__write_doc(details, "details", 7, DS_DOCUMENT);
    ds__validation_details(txn, coll->validator, doc, details);
    ds__doc_end(details, sub);
    ds__doc_end(details, info);
    ds__doc_end(details, root);
    return ds__error_set(err, DS_DOCUMENT_VALIDATION_FAILURE, "Document failed validation");
}

bool ds__validate(ds__txn *txn, const ds__change *w, ds_error *err) {
    const ds__coll *coll = w->coll;
    bool matched;
    if (coll->validator.type != DS_DOCUMENT || coll->validation_level == DS_VALIDATE_OFF ||
        coll->validation_warns) {
        return true;
    }
    if (!ds__txn_filter_match(txn, coll->validator, w->after, &matched, err)) {
        return false;
    }
    if (!matched && w->before.type == DS_DOCUMENT &&
        coll->validation_level == DS_VALIDATE_MODERATE) {
        bool before;
        if (!ds__txn_filter_match(txn, coll->validator, w->before, &before, err)) {
            return false;
        }
        matched = !before;
    }
    return matched || refuse_invalid(txn, coll, w->after, err);
}
