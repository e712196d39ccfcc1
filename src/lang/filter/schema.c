/* SPDX-License-Identifier: Apache-2.0 */
/* $jsonSchema: parsing, by a table of keywords. */
#include "bson/decimal.h"
#include "lang/filter/schema.h"

typedef struct keyword keyword;
typedef bool (*keyword_fn)(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                           ds_error *err);
struct keyword {
    const char *name;
    keyword_fn parse;
    size_t offset; /* of the field of ds__schema it fills */
};

#define FIELD(s, k, type) ((type *)(void *)((char *)(s) + (k)->offset))

static bool parse_schema(ds__filter_parser *p, ds_value spec, ds__schema **out, ds_error *err);

static bool wrong_type(const keyword *k, const char *want, ds_value v, ds_error *err) {
    return ds__error_set(err, DS_TYPE_MISMATCH, "$jsonSchema keyword '%s' must be %s, not %s",
                         k->name, want, ds__type_name(v.type));
}

static bool malformed(const keyword *k, const char *why, ds_error *err) {
    return ds__error_set(err, DS_FAILED_TO_PARSE, "$jsonSchema keyword '%s' %s", k->name, why);
}

static bool parse_sub(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                      ds_error *err) {
    if (v.type != DS_DOCUMENT) {
        return wrong_type(k, "an object", v, err);
    }
    return parse_schema(p, v, FIELD(s, k, ds__schema *), err);
}

static bool parse_list(ds__filter_parser *p, ds__schema_list *list, const keyword *k, ds_value v,
                       ds_error *err) {
    size_t n = ds__doc_count(v);
    list->given = true;
    list->items = ds_arena_zalloc(p->env->arena, (n + 1) * sizeof(ds__schema *));
    if (list->items == NULL) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_DOCUMENT) {
            return wrong_type(k, "an array of objects", it.value, err);
        }
        if (!parse_schema(p, it.value, &list->items[list->count++], err)) {
            return false;
        }
    }
    return true;
}

static bool parse_logical(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                          ds_error *err) {
    if (v.type != DS_ARRAY) {
        return wrong_type(k, "an array", v, err);
    }
    if (ds__doc_empty(v)) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "$jsonSchema keyword '%s' must be a non-empty array", k->name);
    }
    return parse_list(p, FIELD(s, k, ds__schema_list), k, v, err);
}

static bool add_json_type(const keyword *k, ds_value v, ds__filter_types *types, ds_error *err) {
    static const char *const names[] = {"object", "array", "string", "number", "boolean", "null"};
    if (v.type != DS_STRING) {
        return wrong_type(k, "a string or an array of strings", v, err);
    }
    if (k->name[0] == 'b') {
        return ds__filter_add_type(v, types, err);
    }
    if (ds__is_string(v, "integer")) {
        return malformed(k, "does not support the type 'integer'", err);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (ds__is_string(v, names[i])) {
            return ds__filter_add_type(i == 4 ? ds__cstring("bool") : v, types, err);
        }
    }
    return ds__error_set(err, DS_BAD_VALUE, "Unknown type name alias: %.*s",
                         v.size > DS_MAX_QUOTED ? DS_MAX_QUOTED : (int)v.size, ds__text(v));
}

static bool parse_type(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                       ds_error *err) {
    if (s->has_types) {
        return malformed(k, "cannot stand beside the other of 'type' and 'bsonType'", err);
    }
    s->has_types = true;
    if (v.type != DS_ARRAY) {
        return add_json_type(k, v, &s->types, err);
    }
    if (ds__doc_empty(v)) {
        return malformed(k, "must name at least one type", err);
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        ds__filter_types before = s->types;
        if (!add_json_type(k, it.value, &s->types, err)) {
            return false;
        }
        if (memcmp(&before, &s->types, sizeof before) == 0) {
            return malformed(k, "has duplicate types", err);
        }
    }
    return true;
}

/* Whether an array repeats a value. */
static bool repeats(ds_value array) {
    ds__iter a;
    ds__iter_init(&a, array);
    while (ds__iter_next(&a)) {
        ds__iter b = a;
        while (ds__iter_next(&b)) {
            if (ds__schema_equal(a.value, b.value)) {
                return true;
            }
        }
    }
    return false;
}

static bool parse_enum(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                       ds_error *err) {
    if (v.type != DS_ARRAY) {
        return wrong_type(k, "an array", v, err);
    }
    if (ds__doc_empty(v) || repeats(v)) {
        return malformed(k, "must hold at least one value and none twice", err);
    }
    s->one_of_values = v;
    return true;
}

static bool check_names(const keyword *k, ds_value v, ds_error *err) {
    if (v.type != DS_ARRAY) {
        return wrong_type(k, "an array", v, err);
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (it.value.type != DS_STRING) {
            return wrong_type(k, "an array of strings", it.value, err);
        }
    }
    return (!ds__doc_empty(v) && !repeats(v)) ||
           malformed(k, "must hold at least one name and none twice", err);
}

static bool parse_required(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                           ds_error *err) {
    s->required = v;
    return check_names(k, v, err);
}

static bool parse_number(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                         ds_error *err) {
    if (!ds__is_number(v)) {
        return wrong_type(k, "a number", v, err);
    }
    if (k->offset == offsetof(ds__schema, multiple_of) && ds__number_sign(v) <= 0) {
        return malformed(k, "must have a positive value", err);
    }
    *FIELD(s, k, ds_value) = v;
    return true;
}

static bool parse_bool(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                       ds_error *err) {
    if (v.type != DS_BOOL) {
        return wrong_type(k, "a boolean", v, err);
    }
    *FIELD(s, k, bool) = v.as.b;
    return true;
}

static bool parse_count(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                        ds_error *err) {
    int64_t n = 0;
    if (!ds__is_number(v)) {
        return wrong_type(k, "a number", v, err);
    }
    if (!ds__value_exact_int64(v, &n) || n < 0) {
        return malformed(k, "must be a non-negative integer", err);
    }
    *FIELD(s, k, int64_t) = n;
    return true;
}

static bool compile_pattern(ds__filter_parser *p, const char *text, size_t size, ds__regex **out,
                            ds_error *err) {
    return ds__regex_compile(p->env->arena, text, size, "", 0, out, err);
}

static bool parse_pattern(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                          ds_error *err) {
    if (v.type != DS_STRING) {
        return wrong_type(k, "a string", v, err);
    }
    return compile_pattern(p, ds__text(v), v.size, &s->pattern, err);
}

static bool parse_items(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                        ds_error *err) {
    if (v.type == DS_ARRAY) {
        return parse_list(p, &s->tuple, k, v, err);
    }
    return parse_sub(p, s, k, v, err);
}

/* additionalItems, additionalProperties: `false`, `true` or a schema. */
static bool parse_additional(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                             ds_error *err) {
    if (v.type == DS_DOCUMENT) {
        return parse_sub(p, s, k, v, err);
    }
    if (v.type != DS_BOOL) {
        return wrong_type(k, "a boolean or an object", v, err);
    }
    if (k->offset == offsetof(ds__schema, more_items)) {
        s->no_more_items = !v.as.b;
    } else {
        s->no_more_fields = !v.as.b;
    }
    return true;
}

static bool parse_entry(ds__filter_parser *p, const keyword *k, const ds__iter *it,
                        ds__schema_entry *e, ds_error *err) {
    e->name = it->key;
    e->size = (uint32_t)it->key_size;
    if (k->offset == offsetof(ds__schema, patterns) &&
        !compile_pattern(p, it->key, it->key_size, &e->regex, err)) {
        return false;
    }
    if (it->value.type == DS_ARRAY && k->offset == offsetof(ds__schema, dependencies)) {
        e->names = it->value;
        return check_names(k, it->value, err);
    }
    if (it->value.type != DS_DOCUMENT) {
        return wrong_type(k, "an object of schemas", it->value, err);
    }
    return parse_schema(p, it->value, &e->schema, err);
}

static bool parse_entries(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                          ds_error *err) {
    ds__schema_entries *entries = FIELD(s, k, ds__schema_entries);
    if (v.type != DS_DOCUMENT) {
        return wrong_type(k, "an object", v, err);
    }
    entries->given = true;
    entries->items =
        ds_arena_zalloc(p->env->arena, (ds__doc_count(v) + 1) * sizeof *entries->items);
    if (entries->items == NULL) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, v);
    while (ds__iter_next(&it)) {
        if (!parse_entry(p, k, &it, &entries->items[entries->count++], err)) {
            return false;
        }
    }
    return true;
}

static bool parse_text(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                       ds_error *err) {
    return v.type == DS_STRING || wrong_type(k, "a string", v, err);
}

static bool parse_refused(ds__filter_parser *p, ds__schema *s, const keyword *k, ds_value v,
                          ds_error *err) {
    return malformed(k, "is not currently supported", err);
}

static const keyword keywords[] = {
    {"additionalItems", parse_additional, offsetof(ds__schema, more_items)},
    {"additionalProperties", parse_additional, offsetof(ds__schema, more_fields)},
    {"allOf", parse_logical, offsetof(ds__schema, all_of)},
    {"anyOf", parse_logical, offsetof(ds__schema, any_of)},
    {"bsonType", parse_type, 0},
    {"dependencies", parse_entries, offsetof(ds__schema, dependencies)},
    {"description", parse_text, 0},
    {"enum", parse_enum, 0},
    {"exclusiveMaximum", parse_bool, offsetof(ds__schema, exclusive_maximum)},
    {"exclusiveMinimum", parse_bool, offsetof(ds__schema, exclusive_minimum)},
    {"items", parse_items, offsetof(ds__schema, items)},
    {"maxItems", parse_count, offsetof(ds__schema, items_count.max)},
    {"maxLength", parse_count, offsetof(ds__schema, length.max)},
    {"maxProperties", parse_count, offsetof(ds__schema, fields_count.max)},
    {"maximum", parse_number, offsetof(ds__schema, maximum)},
    {"minItems", parse_count, offsetof(ds__schema, items_count.min)},
    {"minLength", parse_count, offsetof(ds__schema, length.min)},
    {"minProperties", parse_count, offsetof(ds__schema, fields_count.min)},
    {"minimum", parse_number, offsetof(ds__schema, minimum)},
    {"multipleOf", parse_number, offsetof(ds__schema, multiple_of)},
    {"not", parse_sub, offsetof(ds__schema, not_)},
    {"oneOf", parse_logical, offsetof(ds__schema, one_of)},
    {"pattern", parse_pattern, 0},
    {"patternProperties", parse_entries, offsetof(ds__schema, patterns)},
    {"properties", parse_entries, offsetof(ds__schema, properties)},
    {"required", parse_required, 0},
    {"title", parse_text, 0},
    {"type", parse_type, 0},
    {"uniqueItems", parse_bool, offsetof(ds__schema, unique_items)},
    {"$ref", parse_refused, 0},
    {"$schema", parse_refused, 0},
    {"default", parse_refused, 0},
    {"definitions", parse_refused, 0},
    {"encrypt", parse_refused, 0},
    {"encryptMetadata", parse_refused, 0},
    {"format", parse_refused, 0},
    {"id", parse_refused, 0},
};

static const keyword *find_keyword(const char *name) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            return &keywords[i];
        }
    }
    return NULL;
}

static bool needs(ds_value spec, const char *name, const char *other, ds_error *err) {
    if (ds__doc_field(spec, name).type == DS_MISSING ||
        ds__doc_field(spec, other).type != DS_MISSING) {
        return true;
    }
    return ds__error_set(err, DS_FAILED_TO_PARSE,
                         "$jsonSchema keyword '%s' must be present if %s is present", other, name);
}

static bool parse_schema(ds__filter_parser *p, ds_value spec, ds__schema **out, ds_error *err) {
    if (++p->depth > DS_MAX_EXPR_DEPTH) {
        return ds__error_set(err, DS_OVERFLOW, "$jsonSchema is nested too deeply");
    }
    ds__schema *s = ds_arena_zalloc(p->env->arena, sizeof *s);
    if (s == NULL) {
        return ds__error_oom(err);
    }
    s->length = s->items_count = s->fields_count = (ds__schema_range){-1, -1};
    ds__iter it;
    ds__iter_init(&it, spec);
    while (ds__iter_next(&it)) {
        const keyword *k = find_keyword(it.key);
        if (k == NULL) {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "Unknown $jsonSchema keyword: %.*s",
                                 DS_MAX_QUOTED, it.key);
        }
        if (!k->parse(p, s, k, it.value, err)) {
            return false;
        }
    }
    p->depth--;
    *out = s;
    return needs(spec, "exclusiveMinimum", "minimum", err) &&
           needs(spec, "exclusiveMaximum", "maximum", err);
}

DS_FILTER_TOP(ds__filter_parse_schema) {
    ds__schema *schema = NULL;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "$jsonSchema must be an object");
    }
    ds__filter *f = ds__filter_new(p, op->op, NULL, err);
    if (f == NULL || !parse_schema(p, arg, &schema, err)) {
        return false;
    }
    f->detail = schema;
    f->operand = arg;
    *out = f;
    return true;
}
