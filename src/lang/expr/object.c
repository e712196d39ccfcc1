/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: merging, fields by computed names, arrays of pairs and back. */
#include "lang/expr/internal.h"

#include "base/map.h"

enum { FEW_FIELDS = 16 }; /* looked through one after another */

/* Fields of a document being made; a name set again keeps its place. */
typedef struct field_list {
    ds__expr_field *items;
    size_t count;
    size_t cap;
    uint32_t *places; /* by the name's hash: a field's number + 1; 0: free. NULL for few fields */
    size_t place_count;
    size_t placed; /* fields that are in it */
} field_list;

static size_t place_of(const field_list *list, const char *name, size_t size) {
    size_t at = ds__hash_bytes(name, size, 0) & (list->place_count - 1);
    for (; list->places[at] != 0; at = (at + 1) & (list->place_count - 1)) {
        const ds__expr_field *f = &list->items[list->places[at] - 1];
        if (f->name_size == size && memcmp(f->name, name, size) == 0) {
            break;
        }
    }
    return at;
}

/* Brings the places up to date with the fields. Of a name that stands twice the first counts. */
static bool place_fields(ds_arena *scratch, field_list *list, ds_error *err) {
    if (list->place_count < list->count * 2) {
        list->place_count = list->place_count ? list->place_count : 32;
        while (list->place_count < list->count * 3) {
            list->place_count *= 2;
        }
        list->places = ds_arena_zalloc(scratch, list->place_count * sizeof *list->places);
        list->placed = 0;
        if (list->places == NULL) {
            return ds__error_oom(err);
        }
    }
    for (; list->placed < list->count; list->placed++) {
        const ds__expr_field *f = &list->items[list->placed];
        size_t at = place_of(list, f->name, f->name_size);
        if (list->places[at] == 0) {
            list->places[at] = (uint32_t)list->placed + 1;
        }
    }
    return true;
}

/* `*out` is NULL when there is no such field. */
static bool find_field(ds_arena *scratch, field_list *list, const char *name, size_t size,
                       ds__expr_field **out, ds_error *err) {
    *out = NULL;
    if (list->count > FEW_FIELDS) {
        if (!place_fields(scratch, list, err)) {
            return false;
        }
        uint32_t number = list->places[place_of(list, name, size)];
        *out = number ? &list->items[number - 1] : NULL;
        return true;
    }
    for (size_t i = 0; i < list->count && *out == NULL; i++) {
        if (list->items[i].name_size == size && memcmp(list->items[i].name, name, size) == 0) {
            *out = &list->items[i];
        }
    }
    return true;
}

static bool append_field(ds_arena *scratch, field_list *list, const char *name, size_t size,
                         ds_value v, ds_error *err) {
    if (list->count == list->cap) {
        ds__expr_field *items =
            ds_arena_grow(scratch, list->items, list->count, &list->cap, sizeof *items);
        if (items == NULL) {
            return ds__error_oom(err);
        }
        list->items = items;
    }
    list->items[list->count++] = (ds__expr_field){.name = name, .name_size = size, .value = v};
    return true;
}

static bool set_field(ds_arena *scratch, field_list *list, const char *name, size_t size,
                      ds_value v, ds_error *err) {
    ds__expr_field *field;
    if (!find_field(scratch, list, name, size, &field, err)) {
        return false;
    }
    if (field != NULL) {
        field->value = v;
        return true;
    }
    return append_field(scratch, list, name, size, v, err);
}

static bool merge_one(ds_arena *scratch, field_list *list, ds_value v, ds_error *err) {
    if (ds__is_nullish(v)) {
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        char quoted[160];
        return ds__error_set(err, 40400,
                             "$mergeObjects requires object inputs, but input %s is of type %s",
                             ds__value_quote(v, quoted, sizeof quoted), ds__type_name(v.type));
    }
    bool first = list->count == 0;
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (!(first ? append_field : set_field)(scratch, list, it.key, it.key_size, it.value,
                                                err)) {
            return false;
        }
    }
    return true;
}

static bool eval_merge_objects(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    field_list list = {0};
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        ds_value v;
        if (!ds__expr_run(expr->args[i], eval, &v, err)) {
            return false;
        }
        if (expr->arg_count == 1 && v.type == DS_ARRAY) {
            ds__iter it;
            ds__iter_init(&it, v);
            while (ds__iter_next(&it)) {
                if (!merge_one(eval->scratch, &list, it.value, err)) {
                    return false;
                }
            }
        } else if (!merge_one(eval->scratch, &list, v, err)) {
            return false;
        }
    }
    return ds__expr_make_document(eval->scratch, list.items, list.count, out, err);
}

static bool eval_object_to_array(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                 ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_DOCUMENT) {
        return ds__error_set(err, 40390, "$objectToArray requires a document input, found: %s",
                             ds__type_name(v.type));
    }
    ds__expr_list list = {0};
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        ds__expr_field pair[2] = {
            {.name = "k", .name_size = 1, .value = ds__string(it.key, it.key_size)},
            {.name = "v", .name_size = 1, .value = it.value},
        };
        ds_value item;
        if (!ds__expr_make_document(eval->scratch, pair, 2, &item, err) ||
            !ds__expr_list_add(eval->scratch, &list, item, err)) {
            return false;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool pair_of_array(ds_value item, ds_value *key, ds_value *value, ds_error *err) {
    if (item.type != DS_ARRAY) {
        return ds__error_set(err, 40396,
                             "$arrayToObject requires a consistent input format. Elements must"
                             "all be arrays or all be objects. Array was detected, now found: %s",
                             ds__type_name(item.type));
    }
    size_t count = ds__doc_count(item);
    if (count != 2) {
        return ds__error_set(err, 40397,
                             "$arrayToObject requires an array of size 2 arrays,found array of "
                             "size: %zu",
                             count);
    }
    *key = ds__array_at(item, 0);
    *value = ds__array_at(item, 1);
    if (key->type != DS_STRING) {
        return ds__error_set(err, 40395,
                             "$arrayToObject requires an array of key-value pairs, where the key "
                             "must be of type string. Found key type: %s",
                             ds__type_name(key->type));
    }
    return true;
}

static bool pair_of_object(ds_value item, ds_value *key, ds_value *value, ds_error *err) {
    if (item.type != DS_DOCUMENT) {
        return ds__error_set(err, 40391,
                             "$arrayToObject requires a consistent input format. Elements must"
                             "all be arrays or all be objects. Object was detected, now found: %s",
                             ds__type_name(item.type));
    }
    size_t count = ds__doc_count(item);
    if (count != 2) {
        return ds__error_set(err, 40392,
                             "$arrayToObject requires an object keys of 'k' and 'v'. Found "
                             "incorrect number of keys:%zu",
                             count);
    }
    *key = ds__doc_field(item, "k");
    *value = ds__doc_field(item, "v");
    if (key->type == DS_MISSING || value->type == DS_MISSING) {
        return ds__error_set(err, 40393,
                             "$arrayToObject requires an object with keys 'k' and 'v'. Missing "
                             "either or both keys");
    }
    if (key->type != DS_STRING) {
        return ds__error_set(err, 40394,
                             "$arrayToObject requires an object with keys 'k' and 'v', where the "
                             "value of 'k' must be of type string. Found type: %s",
                             ds__type_name(key->type));
    }
    return true;
}

static bool eval_array_to_object(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                 ds_error *err) {
    ds_value v;
    if (!ds__expr_run(expr->args[0], eval, &v, err)) {
        return false;
    }
    if (ds__is_nullish(v)) {
        *out = ds__null();
        return true;
    }
    if (v.type != DS_ARRAY) {
        return ds__error_set(err, 40386, "$arrayToObject requires an array input, found: %s",
                             ds__type_name(v.type));
    }
    field_list list = {0};
    uint8_t shape = DS_MISSING;
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (shape == DS_MISSING && it.value.type != DS_ARRAY && it.value.type != DS_DOCUMENT) {
            return ds__error_set(err, 40398,
                                 "Unrecognised input type format for $arrayToObject: %s",
                                 ds__type_name(it.value.type));
        }
        shape = shape == DS_MISSING ? it.value.type : shape;
        ds_value key;
        ds_value value;
        if (!(shape == DS_ARRAY ? pair_of_array : pair_of_object)(it.value, &key, &value, err)) {
            return false;
        }
        if (memchr(key.as.bytes, 0, key.size) != NULL) {
            return ds__error_set(err, 4940400, "Key field cannot contain an embedded null byte");
        }
        if (!set_field(eval->scratch, &list, ds__text(key), key.size, value, err)) {
            return false;
        }
    }
    return ds__expr_make_document(eval->scratch, list.items, list.count, out, err);
}

/* $getField, $setField, $unsetField: the name is a constant, in expr->detail. */

enum { FIELD_NAME, FIELD_INPUT, FIELD_VALUE };

/* What mongod says of a bad name: for a path, for what is no constant, for a wrong type. */
typedef struct name_codes {
    int32_t path;
    int32_t variable;
    int32_t type;
} name_codes;

static bool parse_field_name(ds__expr_parser *p, ds__expr *expr, ds_value spec, name_codes codes,
                             ds_error *err) {
    ds__expr *name = NULL;
    if (!ds__expr_parse(p, spec, &name, err)) {
        return false;
    }
    if (!name->is_constant) {
        if (spec.type == DS_STRING) {
            return ds__error_set(err, codes.path,
                                 "'%.*s' is a field path reference which is not allowed in this "
                                 "context. Did you mean {$literal: '%.*s'}?",
                                 (int)spec.size, ds__text(spec), (int)spec.size, ds__text(spec));
        }
        return ds__error_set(err, codes.variable,
                             "%s requires 'field' to evaluate to a constant, but got a "
                             "non-constant argument",
                             expr->op->name);
    }
    if (name->constant.type != DS_STRING) {
        return ds__error_set(err, codes.type,
                             "%s requires 'field' to evaluate to type String, but got %s",
                             expr->op->name, ds__type_name(name->constant.type));
    }
    expr->args[FIELD_NAME] = name;
    return true;
}

static bool eval_get_field(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value name = expr->args[FIELD_NAME]->constant;
    ds_value input;
    if (!ds__expr_run(expr->args[FIELD_INPUT], eval, &input, err)) {
        return false;
    }
    *out = ds__missing();
    if (input.type == DS_DOCUMENT) {
        ds__doc_get(input, ds__text(name), name.size, out);
    } else if (ds__is_nullish(input) && input.type != DS_MISSING) {
        *out = ds__null();
    }
    return true;
}

static bool parse_get_field(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const name_codes codes = {5654600, 5654601, 5654602};
    if (!ds__expr_reserve_args(p, expr, 2, err)) {
        return false;
    }
    bool is_short = arg.type != DS_DOCUMENT || (!ds__doc_empty(arg) && arg.as.bytes[5] == '$');
    if (is_short) {
        return parse_field_name(p, expr, arg, codes, err) &&
               ds__expr_parse(p, ds__cstring("$$CURRENT"), &expr->args[FIELD_INPUT], err);
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    ds_value name = ds__missing();
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "field") == 0) {
            name = it.value;
        } else if (strcmp(it.key, "input") == 0) {
            if (!ds__expr_parse(p, it.value, &expr->args[FIELD_INPUT], err)) {
                return false;
            }
        } else {
            return ds__error_set(err, 3041701, "$getField found an unknown argument: %s", it.key);
        }
    }
    if (name.type == DS_MISSING) {
        return ds__error_set(err, 3041702, "$getField requires 'field' to be specified");
    }
    if (expr->args[FIELD_INPUT] == NULL) {
        return ds__error_set(err, 3041703, "$getField requires 'input' to be specified");
    }
    return parse_field_name(p, expr, name, codes, err);
}

static bool eval_set_field(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value name = expr->args[FIELD_NAME]->constant;
    ds_value input;
    ds_value value;
    if (!ds__expr_run(expr->args[FIELD_INPUT], eval, &input, err)) {
        return false;
    }
    if (ds__is_nullish(input)) {
        *out = ds__null();
        return true;
    }
    if (input.type != DS_DOCUMENT) {
        return ds__error_set(err, 4161105, "$setField requires 'input' to evaluate to type Object");
    }
    if (!ds__expr_run_arg(expr, FIELD_VALUE, eval, &value, err)) {
        return false;
    }
    field_list list = {0};
    ds__iter it;
    ds__iter_init(&it, input);
    while (ds__iter_next(&it)) {
        if (!append_field(eval->scratch, &list, it.key, it.key_size, it.value, err)) {
            return false;
        }
    }
    return set_field(eval->scratch, &list, ds__text(name), name.size, value, err) &&
           ds__expr_make_document(eval->scratch, list.items, list.count, out, err);
}

static bool parse_set_or_unset(ds__expr_parser *p, ds__expr *expr, ds_value arg, bool sets,
                               ds_error *err) {
    static const name_codes codes = {4161108, 4161106, 4161107};
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 4161100, "%s only supports an object as its argument", self);
    }
    if (!ds__expr_reserve_args(p, expr, 3, err)) {
        return false;
    }
    ds_value name = ds__missing();
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        if (strcmp(it.key, "field") == 0) {
            name = it.value;
        } else if (strcmp(it.key, "input") == 0) {
            if (!ds__expr_parse(p, it.value, &expr->args[FIELD_INPUT], err)) {
                return false;
            }
        } else if (sets && strcmp(it.key, "value") == 0) {
            if (!ds__expr_parse(p, it.value, &expr->args[FIELD_VALUE], err)) {
                return false;
            }
        } else {
            return ds__error_set(err, 4161101, "%s found an unknown argument: %s", self, it.key);
        }
    }
    if (name.type == DS_MISSING) {
        return ds__error_set(err, 4161102, "%s requires 'field' to be specified", self);
    }
    if (sets && expr->args[FIELD_VALUE] == NULL) {
        return ds__error_set(err, 4161103, "%s requires 'value' to be specified", self);
    }
    if (expr->args[FIELD_INPUT] == NULL) {
        return ds__error_set(err, 4161109, "%s requires 'input' to be specified", self);
    }
    return parse_field_name(p, expr, name, codes, err);
}

static bool parse_set_field(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    return parse_set_or_unset(p, expr, arg, true, err);
}

static bool parse_unset_field(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    return parse_set_or_unset(p, expr, arg, false, err);
}

const ds__expr_op ds__expr_ops_object[] = {
    {.name = "$mergeObjects", .eval = eval_merge_objects, .max_args = -1},
    {.name = "$objectToArray", .eval = eval_object_to_array, .min_args = 1, .max_args = 1},
    {.name = "$arrayToObject", .eval = eval_array_to_object, .min_args = 1, .max_args = 1},
    {.name = "$getField", .parse = parse_get_field, .eval = eval_get_field, .no_fold = true},
    {.name = "$setField", .parse = parse_set_field, .eval = eval_set_field, .no_fold = true},
    {.name = "$unsetField", .parse = parse_unset_field, .eval = eval_set_field, .no_fold = true},
    {.name = NULL},
};
