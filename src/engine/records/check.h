/* SPDX-License-Identifier: Apache-2.0 */
/* Checking a collection against its indexes and SQLite's own structure. */
#ifndef DS_ENGINE_RECORDS_CHECK_H
#define DS_ENGINE_RECORDS_CHECK_H

#include "base/limits.h"
#include "engine/catalog/catalog.h"

/* What a check found. Zero-initialise; clear. */
typedef struct ds__check {
    /* owned */
    ds_buf errors; /* an array of strings; empty: none */
    /* plain */
    size_t error_count;
    int64_t records;
    int64_t invalid;
    int64_t non_compliant;        /* documents the validator would refuse */
    int64_t keys[DS_MAX_INDEXES]; /* entries per index */
    bool index_valid[DS_MAX_INDEXES];
} ds__check;

/* Reads every document and every index entry. False only when the check itself cannot go on;
 * damage found is in `check`. `env` tells when to stop. */
bool ds__check_collection(ds__txn *txn, const ds__coll *coll, const ds__env *env, ds__check *check,
                          ds_error *err);
void ds__check_clear(ds__check *check);

#endif
