/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a wanted index is there. What makes two indexes the same is their key, uniqueness,
 * sparseness and partial filter; hidden and expireAfterSeconds are options on top. */
#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "engine/catalog/catalog.h"

static bool same_field(ds_value a, ds_value b, const char *name, bool flag) {
    ds_value x = ds__doc_field(a, name);
    ds_value y = ds__doc_field(b, name);
    if (flag) {
        return ds__value_truthy(x) == ds__value_truthy(y);
    }
    return x.type == DS_MISSING || y.type == DS_MISSING ? x.type == y.type
                                                        : ds__value_equal(x, y, NULL);
}

static bool same_index(ds_value a, ds_value b) {
    return same_field(a, b, "key", false) && same_field(a, b, "unique", true) &&
           same_field(a, b, "sparse", true) && same_field(a, b, "partialFilterExpression", false);
}

bool ds__coll_match_index(const ds__coll *coll, ds_value spec, ds__index_match *out,
                          ds_error *err) {
    ds_value name = ds__doc_field(spec, "name");
    const ds__index *named = ds__coll_find_index(coll, ds__text(name), name.size);
    char wanted[DS_MAX_QUOTED + 8];
    char there[DS_MAX_QUOTED + 8];
    *out = DS_INDEX_NEW;
    if (named && named->is_id) {
        *out = DS_INDEX_EXISTS;
        return true;
    }
    if (named && !same_index(named->spec, spec)) {
        return ds__error_set(err, DS_INDEX_KEY_SPECS_CONFLICT,
                             "An existing index has the same name as the requested index. When "
                             "index names are not specified, they are auto generated and can "
                             "cause conflicts. Please refer to our documentation. Requested "
                             "index: %s, existing index: %s",
                             ds__value_quote(spec, wanted, sizeof wanted),
                             ds__value_quote(named->spec, there, sizeof there));
    }
    if (named) {
        if (!same_field(named->spec, spec, "expireAfterSeconds", false)) {
            return ds__error_set(err, DS_INDEX_OPTIONS_CONFLICT,
                                 "An equivalent index already exists with the same name but "
                                 "different options. Requested index: %s, existing index: %s",
                                 ds__value_quote(spec, wanted, sizeof wanted),
                                 ds__value_quote(named->spec, there, sizeof there));
        }
        *out = DS_INDEX_EXISTS;
        return true;
    }
    for (size_t i = 0; i < coll->index_count; i++) {
        if (same_index(coll->indexes[i].spec, spec)) {
            return ds__error_set(err, DS_INDEX_OPTIONS_CONFLICT,
                                 "Index already exists with a different name: %s",
                                 coll->indexes[i].name);
        }
    }
    return true;
}
