/* SPDX-License-Identifier: Apache-2.0 */
/* Field paths as expressions read them: through documents, and through arrays into the documents
 * they hold. */
#include "lang/expr/internal.h"

bool ds__expr_path_value(ds_value from, const ds__path_part *parts, uint32_t count,
                         ds_arena *scratch, ds_value *out, ds_error *err) {
    uint32_t i = 0;
    while (i < count && from.type == DS_DOCUMENT) {
        ds__doc_get(from, parts[i].name, parts[i].size, &from);
        i++;
    }
    if (i == count) {
        *out = from;
        return true;
    }
    *out = ds__missing();
    if (from.type != DS_ARRAY) {
        return true;
    }
    ds__expr_list found = {0};
    ds__iter it;
    ds__iter_init(&it, from);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            continue;
        }
        ds_value v;
        if (!ds__expr_path_value(it.value, parts + i, count - i, scratch, &v, err)) {
            return false;
        }
        if (v.type != DS_MISSING && !ds__expr_list_add(scratch, &found, v, err)) {
            return false;
        }
    }
    return ds__expr_make_array(scratch, found.items, found.count, out, err);
}
