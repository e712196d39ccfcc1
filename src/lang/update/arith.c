/* SPDX-License-Identifier: Apache-2.0 */
/* Operators on numbers and order: $inc, $mul, $min, $max, $bit. */
#include "base/limits.h"
#include "lang/update/internal.h"

static bool is_inc(const ds__update_node *leaf) {
    return strcmp(leaf->op->name, "$inc") == 0;
}

static bool arith_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    if (ds__is_number(leaf->arg)) {
        return true;
    }
    return ds__error_set(err, DS_TYPE_MISMATCH, "Cannot %s with non-numeric argument: {%s: %s}",
                         is_inc(leaf) ? "increment" : "multiply", leaf->path->text,
                         ds__value_quote(leaf->arg, quoted, sizeof quoted));
}

static const char *number_kind(ds_value v) {
    return v.type == DS_INT32    ? "NumberInt"
           : v.type == DS_INT64  ? "NumberLong"
           : v.type == DS_DOUBLE ? "NumberDouble"
                                 : "NumberDecimal";
}

/* Whether a result leaves the field as it is: of the same type and equal, which NaN never is. */
static bool unchanged(ds_value old, ds_value result) {
    return old.type == result.type && !ds__number_is_nan(result) &&
           ds__number_compare(old, result) == 0;
}

static bool arith_apply(const ds__update_node *leaf, ds__update_run *run,
                        const ds__update_frame *at, ds_value old, ds__change *change,
                        ds_error *err) {
    char id[DS_MAX_QUOTED + 16];
    ds_value result;
    bool inc = is_inc(leaf);
    if (old.type == DS_MISSING) {
        result = leaf->arg;
        if (!inc && !ds__number_multiply_checked(ds__int32(0), leaf->arg, &result)) {
            result = leaf->arg;
        }
        ds__change_set(change, result);
        return true;
    }
    if (!ds__is_number(old)) {
        return ds__error_set(err, DS_TYPE_MISMATCH,
                             "Cannot apply %s to a value of non-numeric type. {%s} has the field "
                             "'%.*s' of non-numeric type %s",
                             leaf->op->name, ds__update_id_text(run, id, sizeof id),
                             (int)at->name_size, at->name, ds__type_name(old.type));
    }
    if (!(inc ? ds__number_add_checked(old, leaf->arg, &result)
              : ds__number_multiply_checked(old, leaf->arg, &result))) {
        char quoted[DS_MAX_QUOTED + 8];
        return ds__error_set(err, DS_BAD_VALUE,
                             "Failed to apply %s operations to current value ((%s)%s) for document "
                             "{%s}",
                             leaf->op->name, number_kind(old),
                             ds__value_quote(old, quoted, sizeof quoted),
                             ds__update_id_text(run, id, sizeof id));
    }
    if (!unchanged(old, result)) {
        ds__change_set(change, result);
    }
    return true;
}

static bool compare_apply(const ds__update_node *leaf, ds__update_run *run,
                          const ds__update_frame *at, ds_value old, ds__change *change,
                          ds_error *err) {
    if (old.type != DS_MISSING) {
        int c = ds__value_compare(leaf->arg, old, run->eval->env->collator);
        if (strcmp(leaf->op->name, "$max") == 0 ? c <= 0 : c >= 0) {
            return true;
        }
    }
    ds__change_set(change, leaf->arg);
    return true;
}

/* -- $bit: detail is a list of operations -- */

typedef struct bit_step {
    char op; /* 'a'nd, 'o'r, 'x'or */
    ds_value operand;
} bit_step;

typedef struct bit_steps {
    bit_step *steps;
    size_t count;
} bit_steps;

static bool bit_parse(ds__update_parser *p, ds__update_node *leaf, ds_error *err) {
    char quoted[DS_MAX_QUOTED + 8];
    if (leaf->arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "The $bit modifier is not compatible with a %s. You must pass in an "
                             "embedded document: {$bit: {field: {and/or/xor: #}}",
                             ds__type_name(leaf->arg.type));
    }
    bit_steps *list = ds_arena_zalloc(p->env->arena, sizeof *list);
    if (!list || !(list->steps = ds_arena_alloc(p->env->arena, (ds__doc_count(leaf->arg) + 1) *
                                                                   sizeof *list->steps))) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, leaf->arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "and") != 0 && strcmp(it.key, "or") != 0 && strcmp(it.key, "xor") != 0) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "The $bit modifier only supports 'and', 'or', and 'xor', not '%s' "
                                 "which is an unknown operator: {%s: %s}",
                                 it.key, it.key, ds__value_quote(it.value, quoted, sizeof quoted));
        }
        if (it.value.type != DS_INT32 && it.value.type != DS_INT64) {
            return ds__error_set(err, DS_BAD_VALUE,
                                 "The $bit modifier field must be an Integer(32/64 bit); a '%s' is "
                                 "not supported here: {%s: %s}",
                                 ds__type_name(it.value.type), it.key,
                                 ds__value_quote(it.value, quoted, sizeof quoted));
        }
        list->steps[list->count++] = (bit_step){.op = it.key[0], .operand = it.value};
    }
    if (list->count == 0) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "You must pass in at least one bitwise operation. The format is: "
                             "{$bit: {field: {and/or/xor: #}}");
    }
    leaf->detail = list;
    return true;
}

static int64_t as_int64(ds_value v) {
    return v.type == DS_INT32 ? v.as.i32 : v.as.i64;
}

static bool bit_apply(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                      ds_value old, ds__change *change, ds_error *err) {
    const bit_steps *list = leaf->detail;
    ds_value v = old.type == DS_MISSING ? ds__int32(0) : old;
    if (v.type != DS_INT32 && v.type != DS_INT64) {
        char id[DS_MAX_QUOTED + 16];
        return ds__error_set(err, DS_BAD_VALUE,
                             "Cannot apply $bit to a value of non-integral type.%s has the field "
                             "%.*s of non-integer type %s",
                             ds__update_id_text(run, id, sizeof id), (int)at->name_size, at->name,
                             ds__type_name(v.type));
    }
    for (size_t i = 0; i < list->count; i++) {
        const bit_step *s = &list->steps[i];
        bool wide = v.type == DS_INT64 || s->operand.type == DS_INT64;
        int64_t a = as_int64(v), b = as_int64(s->operand);
        int64_t r = s->op == 'a' ? a & b : s->op == 'o' ? a | b : a ^ b;
        v = wide ? ds__int64(r) : ds__int32((int32_t)r);
    }
    if (!ds__update_same(old, v)) {
        ds__change_set(change, v);
    }
    return true;
}

const ds__update_op ds__update_ops_arith[] = {
    {.name = "$bit", .parse = bit_parse, .apply = bit_apply, .creates = true},
    {.name = "$inc", .parse = arith_parse, .apply = arith_apply, .creates = true},
    {.name = "$max", .apply = compare_apply, .creates = true},
    {.name = "$min", .apply = compare_apply, .creates = true},
    {.name = "$mul", .parse = arith_parse, .apply = arith_apply, .creates = true},
    {.name = NULL}};
