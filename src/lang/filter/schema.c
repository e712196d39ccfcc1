/* SPDX-License-Identifier: Apache-2.0 */
/* $jsonSchema: parsing. */
#include "lang/filter/internal.h"

DS_FILTER_TOP(ds__filter_parse_schema) {
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "$jsonSchema must be an object");
    }
    return ds__error_set(err, DS_NOT_IMPLEMENTED, "$jsonSchema is not supported by this store yet");
}

bool ds__schema_match(const void *schema, ds_value doc, ds__match *m) {
    return false;
}
