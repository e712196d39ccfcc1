/* SPDX-License-Identifier: Apache-2.0 */
/* $and $or $nor $not, and the constants $alwaysTrue, $alwaysFalse and $comment. */
#include "lang/filter/internal.h"

DS_FILTER_TOP(ds__filter_parse_logical) {
    if (arg.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "%s must be an array", op->name);
    }
    if (ds__doc_empty(arg)) {
        return ds__error_set(err, DS_BAD_VALUE, "$and/$or/$nor must be a nonempty array");
    }
    ds__filter_list list = {0};
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "$or/$and/$nor entries need to be full objects");
        }
        ds__filter *child = NULL;
        if (!ds__filter_parse_document(p, it.value, &child, err) ||
            !ds__filter_list_add(p, &list, child, err)) {
            return false;
        }
    }
    return ds__filter_make(p, op->op, &list, out, err);
}

DS_FILTER_FIELD(ds__filter_parse_not) {
    ds__filter *child = NULL;
    if (arg->value.type == DS_REGEX) {
        return ds__filter_make_regex(p, arg->path, arg->value, &child, err) &&
               ds__filter_negate(p, child, out, err);
    }
    if (arg->value.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE, "$not needs a regex or a document");
    }
    if (ds__doc_empty(arg->value)) {
        return ds__error_set(err, DS_BAD_VALUE, "$not cannot be empty");
    }
    ds__filter_list list = {0};
    return ds__filter_parse_operators(p, arg->path, arg->value, &list, err) &&
           ds__filter_make(p, DS_FILTER_AND, &list, &child, err) &&
           ds__filter_negate(p, child, out, err);
}

DS_FILTER_TOP(ds__filter_parse_comment) {
    *out = NULL;
    return true;
}

DS_FILTER_TOP(ds__filter_parse_always) {
    int64_t one = 0;
    if (!ds__is_number(arg)) {
        char text[DS_MAX_QUOTED + 8];
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Expected a number in: %s: %s", op->name,
                             ds__value_quote(arg, text, sizeof text));
    }
    if (!ds__value_exact_int64(arg, &one) || one != 1) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s must be an integer value of 1", op->name);
    }
    *out = ds__filter_new(p, op->op, NULL, err);
    return *out != NULL;
}
