/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of filters: those that stand in place of a field and those applied to one. */
#include "base/named.h"
#include "lang/filter/internal.h"

static const ds__filter_top_op top_ops[] = {
    {"$and", ds__filter_parse_logical, DS_FILTER_AND},
    {"$or", ds__filter_parse_logical, DS_FILTER_OR},
    {"$nor", ds__filter_parse_logical, DS_FILTER_NOR},
    {"$expr", ds__filter_parse_expr, DS_FILTER_EXPR},
    {"$comment", ds__filter_parse_comment, DS_FILTER_TRUE},
    {"$jsonSchema", ds__filter_parse_schema, DS_FILTER_JSON_SCHEMA},
    {"$alwaysTrue", ds__filter_parse_always, DS_FILTER_TRUE},
    {"$alwaysFalse", ds__filter_parse_always, DS_FILTER_FALSE},
    {"$sampleRate", ds__filter_parse_sample_rate, DS_FILTER_OTHER},
    {"$where", ds__filter_parse_where, DS_FILTER_OTHER},
    {"$text", ds__filter_parse_text, DS_FILTER_OTHER},
};

static const ds__filter_field_op field_ops[] = {
    {"$eq", ds__filter_parse_compare, DS_FILTER_EQ},
    {"$gt", ds__filter_parse_compare, DS_FILTER_GT},
    {"$gte", ds__filter_parse_compare, DS_FILTER_GTE},
    {"$lt", ds__filter_parse_compare, DS_FILTER_LT},
    {"$lte", ds__filter_parse_compare, DS_FILTER_LTE},
    {"$ne", ds__filter_parse_ne, DS_FILTER_EQ},
    {"$in", ds__filter_parse_in, DS_FILTER_IN},
    {"$nin", ds__filter_parse_nin, DS_FILTER_IN},
    {"$not", ds__filter_parse_not, DS_FILTER_NOT},
    {"$exists", ds__filter_parse_exists, DS_FILTER_EXISTS},
    {"$type", ds__filter_parse_type, DS_FILTER_TYPE},
    {"$all", ds__filter_parse_all, DS_FILTER_ALL},
    {"$size", ds__filter_parse_size, DS_FILTER_SIZE},
    {"$elemMatch", ds__filter_parse_elem_match, DS_FILTER_ELEM_MATCH_OBJECT},
    {"$regex", ds__filter_parse_regex, DS_FILTER_REGEX},
    {"$options", ds__filter_parse_options, DS_FILTER_REGEX},
    {"$mod", ds__filter_parse_mod, DS_FILTER_MOD},
    {"$bitsAllSet", ds__filter_parse_bits, DS_FILTER_BITS},
    {"$bitsAllClear", ds__filter_parse_bits, DS_FILTER_BITS},
    {"$bitsAnySet", ds__filter_parse_bits, DS_FILTER_BITS},
    {"$bitsAnyClear", ds__filter_parse_bits, DS_FILTER_BITS},
    {"$near", ds__filter_parse_geo, DS_FILTER_OTHER},
    {"$nearSphere", ds__filter_parse_geo, DS_FILTER_OTHER},
    {"$geoNear", ds__filter_parse_geo, DS_FILTER_OTHER},
    {"$geoWithin", ds__filter_parse_geo, DS_FILTER_OTHER},
    {"$within", ds__filter_parse_geo, DS_FILTER_OTHER},
    {"$geoIntersects", ds__filter_parse_geo, DS_FILTER_OTHER},
};

const ds__filter_field_op *ds__filter_find_field_op(const char *name, size_t size) {
    return ds__find_named(field_ops, sizeof field_ops / sizeof *field_ops, sizeof *field_ops, name,
                          size);
}

const ds__filter_top_op *ds__filter_find_top_op(const char *name, size_t size) {
    return ds__find_named(top_ops, sizeof top_ops / sizeof *top_ops, sizeof *top_ops, name, size);
}
