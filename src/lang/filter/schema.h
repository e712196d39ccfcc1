/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled $jsonSchema: what schema.c parses and schema_match.c checks. */
#ifndef DS_LANG_FILTER_SCHEMA_H
#define DS_LANG_FILTER_SCHEMA_H

#include "lang/filter/internal.h"

typedef struct ds__schema ds__schema;

/* A schema under a name (properties), a regex (patternProperties) or a field (dependencies). */
typedef struct ds__schema_entry {
    const char *name;
    uint32_t size;
    ds__regex *regex;
    ds__schema *schema; /* dependencies: NULL when `names` holds the required fields */
    ds_value names;
} ds__schema_entry;

typedef struct ds__schema_entries {
    ds__schema_entry *items;
    size_t count;
    bool given;
} ds__schema_entries;

typedef struct ds__schema_list {
    ds__schema **items;
    size_t count;
    bool given;
} ds__schema_list;

/* A limit on a count; -1: none. */
typedef struct ds__schema_range {
    int64_t min;
    int64_t max;
} ds__schema_range;

struct ds__schema {
    ds__filter_types types;
    bool has_types;
    ds_value one_of_values; /* enum, or missing */
    ds_value minimum;       /* or missing */
    ds_value maximum;
    bool exclusive_minimum;
    bool exclusive_maximum;
    ds_value multiple_of;
    ds__schema_range length;
    ds__schema_range items_count;
    ds__schema_range fields_count;
    ds__regex *pattern;
    bool unique_items;
    ds__schema *items;      /* every element */
    ds__schema_list tuple;  /* items as an array: by position */
    ds__schema *more_items; /* additionalItems as a schema */
    bool no_more_items;     /* additionalItems: false */
    ds_value required;      /* array of names, or missing */
    ds__schema_entries properties;
    ds__schema_entries patterns;
    ds__schema *more_fields; /* additionalProperties as a schema */
    bool no_more_fields;     /* additionalProperties: false */
    ds__schema_entries dependencies;
    ds__schema_list all_of;
    ds__schema_list any_of;
    ds__schema_list one_of;
    ds__schema *not_;
};

/* Equality in which the order of a document's fields does not count. */
bool ds__schema_equal(ds_value a, ds_value b);

/* Types as $type and bsonType name them. Errors: BadValue, TypeMismatch. */
bool ds__filter_add_type(ds_value v, ds__filter_types *types, ds_error *err);
bool ds__filter_has_type(const ds__filter_types *types, ds_value v);

#endif
