/* SPDX-License-Identifier: Apache-2.0 */
/* $readPreference of a command as libmongoc's read preferences. */
#include "remote/internal.h"

#include "bson/value.h"

static bool mode_of(ds_value v, mongoc_read_mode_t *out) {
    static const struct {
        const char *name;
        mongoc_read_mode_t mode;
    } modes[] = {
        {"primary", MONGOC_READ_PRIMARY},
        {"primaryPreferred", MONGOC_READ_PRIMARY_PREFERRED},
        {"secondary", MONGOC_READ_SECONDARY},
        {"secondaryPreferred", MONGOC_READ_SECONDARY_PREFERRED},
        {"nearest", MONGOC_READ_NEAREST},
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (ds__is_string(v, modes[i].name)) {
            *out = modes[i].mode;
            return true;
        }
    }
    return false;
}

mongoc_read_prefs_t *ds__remote_read_prefs(const bson_t *document, ds_error *err) {
    ds_value doc = ds__document(bson_get_data(document));
    mongoc_read_mode_t mode;
    if (!mode_of(ds__doc_field(doc, "mode"), &mode)) {
        ds__error_set(err, DS_FAILED_TO_PARSE,
                      "$readPreference needs a mode: primary, primaryPreferred, secondary, "
                      "secondaryPreferred or nearest");
        return NULL;
    }
    mongoc_read_prefs_t *prefs = mongoc_read_prefs_new(mode);
    bson_t part;
    ds_value tags = ds__doc_field(doc, "tags");
    if (tags.type == DS_ARRAY && bson_init_static(&part, tags.as.bytes, tags.size)) {
        mongoc_read_prefs_set_tags(prefs, &part);
    }
    ds_value hedge = ds__doc_field(doc, "hedge");
    if (hedge.type == DS_DOCUMENT && bson_init_static(&part, hedge.as.bytes, hedge.size)) {
        mongoc_read_prefs_set_hedge(prefs, &part);
    }
    int64_t staleness = 0;
    if (ds__value_exact_int64(ds__doc_field(doc, "maxStalenessSeconds"), &staleness)) {
        mongoc_read_prefs_set_max_staleness_seconds(prefs, staleness);
    }
    if (!mongoc_read_prefs_is_valid(prefs)) {
        mongoc_read_prefs_destroy(prefs);
        ds__error_set(err, DS_FAILED_TO_PARSE,
                      "$readPreference: primary takes no tags, and maxStalenessSeconds must be 90 "
                      "or more");
        return NULL;
    }
    return prefs;
}
