/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that take elements out of arrays: $pull, $pullAll, $pop. */
#include "base/limits.h"
#include "lang/update/internal.h"

static bool pull_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    ds__filter *filter = NULL;
    ds__iter it;
    if (leaf->arg.type == DS_DOCUMENT) {
        ds__iter_init(&it, leaf->arg);
        if (ds__iter_next(&it) && strcmp(it.key, "$not") == 0) {
            /* no condition on values: read, and refused, as a query on documents */
            return ds__filter_compile(p->env, leaf->arg, NULL, &filter, err);
        }
    }
    bool ok = ds__filter_compile_value(p->env, leaf->arg, &filter, err);
    leaf->detail = filter;
    return ok;
}

static bool pull_all_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    if (leaf->arg.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "$pullAll requires an array argument but was given a %s",
                             ds__type_name(leaf->arg.type));
    }
    return true;
}

enum { STEP_BYTES = 16 }; /* of a list, for one step of the meter */

static bool in_list(ds_value list, ds_value v, const ds__collator *collator) {
    ds__iter it;
    ds__iter_init(&it, list);
    while (ds__iter_next(&it)) {
        if (ds__value_equal(it.value, v, collator)) {
            return true;
        }
    }
    return false;
}

static bool pull_apply(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                       ds_value old, ds__change *change, ds_error *err) {
    size_t count, kept = 0;
    if (old.type != DS_ARRAY) {
        return ds__error_set(err, DS_BAD_VALUE, "Cannot apply $pull to a non-array value");
    }
    ds_value *items = ds__update_items(run->arena, old, 0, &count);
    int64_t steps = 1 + (leaf->detail ? 0 : (int64_t)leaf->arg.size / STEP_BYTES);
    if (!items) {
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < count; i++) {
        bool out = false;
        if (!ds__env_step(run->eval->env, steps, err)) {
            return false;
        }
        if (!leaf->detail) {
            out = in_list(leaf->arg, items[i], run->eval->env->collator);
        } else if (!ds__filter_match_value(leaf->detail, items[i], run->eval, &out, err)) {
            return false;
        }
        if (!out) {
            items[kept++] = items[i];
        }
    }
    if (kept < count) {
        ds__change_list(change, items, kept);
    }
    return true;
}

/* The argument as $pop reads it: any number that is 1 or -1. */
static bool pop_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    const char *text = ds__value_quote(leaf->arg, quoted, sizeof quoted);
    int64_t n;
    if (!ds__is_number(leaf->arg)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Expected a number in: %s: %s",
                             leaf->path->text, text);
    }
    if (!ds__value_exact_int64(leaf->arg, &n)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Expected an integer: %s: %s",
                             leaf->path->text, text);
    }
    if (n != 1 && n != -1) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "$pop expects 1 or -1, found: %s", text);
    }
    leaf->arg = ds__int32((int32_t)n);
    return true;
}

static bool pop_apply(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                      ds_value old, ds__change *change, ds_error *err) {
    char text[DS_UPDATE_PATH_TEXT];
    size_t count;
    if (old.type != DS_ARRAY) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "Path '%s' contains an element of non-array type '%s'",
                             ds__update_path_text(at, text), ds__type_name(old.type));
    }
    ds_value *items = ds__update_items(run->arena, old, 0, &count);
    if (!items) {
        return ds__error_oom(err);
    }
    if (count > 0) {
        ds__change_list(change, items + (leaf->arg.as.i32 < 0 ? 1 : 0), count - 1);
    }
    return true;
}

const ds__update_op ds__update_ops_array_remove[] = {
    {.name = "$pop", .parse = pop_parse, .apply = pop_apply},
    {.name = "$pull", .parse = pull_parse, .apply = pull_apply},
    {.name = "$pullAll", .parse = pull_all_parse, .apply = pull_apply},
    {.name = NULL}};
