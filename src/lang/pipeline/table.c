/* SPDX-License-Identifier: Apache-2.0 */
/* Every stage by name. A new stage is a file with a parse function and a row here. */
#include "lang/pipeline/stages.h"

const ds__stage_def ds__stage_defs[] = {
    {.name = "$match", .parse = ds__stage_parse_match},
    {.name = "$project", .parse = ds__stage_parse_project, .in_update = true},
    {.name = "$addFields", .parse = ds__stage_parse_add_fields, .in_update = true},
    {.name = "$set", .parse = ds__stage_parse_add_fields, .in_update = true},
    {.name = "$unset", .parse = ds__stage_parse_unset, .in_update = true},
    {.name = "$group", .parse = ds__stage_parse_group},
    {.name = "$sort", .parse = ds__stage_parse_sort},
    {.name = "$limit", .parse = ds__stage_parse_limit},
    {.name = "$skip", .parse = ds__stage_parse_skip},
    {.name = "$unwind", .parse = ds__stage_parse_unwind},
    {.name = "$count", .parse = ds__stage_parse_count},
    {.name = "$sortByCount", .parse = ds__stage_parse_sort_by_count},
    {.name = "$replaceRoot", .parse = ds__stage_parse_replace_root, .in_update = true},
    {.name = "$replaceWith", .parse = ds__stage_parse_replace_with, .in_update = true},
    {.name = "$redact", .parse = ds__stage_parse_redact},
    {.name = "$sample", .parse = ds__stage_parse_sample},
    {.name = "$lookup", .parse = ds__stage_parse_lookup},
    {.name = "$facet", .parse = ds__stage_parse_facet, .not_in_facet = true},
    {.name = "$unionWith", .parse = ds__stage_parse_union_with},
    {.name = NULL},
};
