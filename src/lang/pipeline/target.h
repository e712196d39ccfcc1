/* SPDX-License-Identifier: Apache-2.0 */
/* What $out and $merge are told: where to write, and how. As in mongod this is read before a
 * command enters its transaction, and again when the stage is made. */
#ifndef DS_LANG_PIPELINE_TARGET_H
#define DS_LANG_PIPELINE_TARGET_H

#include "base/error.h"
#include "bson/value.h"

typedef enum ds__when_matched {
    DS_MATCHED_REPLACE,
    DS_MATCHED_KEEP,
    DS_MATCHED_MERGE,
    DS_MATCHED_FAIL,
    DS_MATCHED_PIPELINE
} ds__when_matched;
typedef enum ds__when_not { DS_NOT_INSERT, DS_NOT_DISCARD, DS_NOT_FAIL } ds__when_not;

/* Borrowed from the stage's argument. */
typedef struct ds__target {
    ds_value db; /* DS_MISSING: that of the command */
    ds_value coll;
    /* $merge */
    ds_value on;     /* a string, an array of strings, or missing */
    ds_value let;    /* a document, or missing */
    ds_value update; /* whenMatched's pipeline, or missing */
    ds__when_matched matched;
    ds__when_not not_matched;
} ds__target;

bool ds__target_read_out(ds_value arg, ds__target *out, ds_error *err);
bool ds__target_read_merge(ds_value arg, ds__target *out, ds_error *err);

/* Whether it is a database that only a server writes to. */
bool ds__target_is_internal(const char *db);

#endif
