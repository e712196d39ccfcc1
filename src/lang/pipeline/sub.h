/* SPDX-License-Identifier: Apache-2.0 */
/* What stages with pipelines of their own share. */
#ifndef DS_LANG_PIPELINE_SUB_H
#define DS_LANG_PIPELINE_SUB_H

#include "lang/pipeline/internal.h"

/* Documents one after another. Zero-initialise; clear `bytes`. */
typedef struct ds__doc_list {
    ds_buf bytes;
} ds__doc_list;
bool ds__doc_list_add(ds__doc_list *list, ds_value doc, const char *stage, ds_error *err);

/* Runs to the end, writing each document as the next element of the array open in `out`. */
bool ds__pipeline_collect(ds__pipeline *pipeline, ds__source *source, ds__eval *eval, ds_buf *out,
                          size_t *count, ds_error *err);
/* Takes the leading $match alone. */
bool ds__pipeline_take_match(ds__pipeline *pipeline, ds__pipeline_head *out);

#endif
