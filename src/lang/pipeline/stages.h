/* SPDX-License-Identifier: Apache-2.0 */
/* The parse functions the table of stages names. */
#ifndef DS_LANG_PIPELINE_STAGES_H
#define DS_LANG_PIPELINE_STAGES_H

#include "lang/pipeline/internal.h"

bool ds__stage_parse_match(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_redact(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_project(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_add_fields(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_unset(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_replace_root(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_replace_with(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_sort(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_limit(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_skip(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_sample(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_group(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_count(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_sort_by_count(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_unwind(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_bucket(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_bucket_auto(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_lookup(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_graph_lookup(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_facet(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_union_with(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_documents(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_coll_stats(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_index_stats(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_plan_cache_stats(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_current_op(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_refused(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_out(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_merge(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_window(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_densify(ds__stage_parser *p, ds_value arg, ds_error *err);
bool ds__stage_parse_fill(ds__stage_parser *p, ds_value arg, ds_error *err);

#endif
