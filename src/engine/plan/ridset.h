/* SPDX-License-Identifier: Apache-2.0 */
/* A set of record ids: scans of multikey indexes and unions give a document once. */
#ifndef DS_ENGINE_PLAN_RIDSET_H
#define DS_ENGINE_PLAN_RIDSET_H

#include "base/error.h"
#include "base/meter.h"

typedef struct ds__ridset {
    /* owned */
    int64_t *slots; /* 0: empty */
    /* borrowed */
    ds_meter *meter; /* charged for the slots; may be NULL */
    /* plain */
    size_t count;
    size_t cap;
} ds__ridset;

/* Adds; *added is false when it was there. */
bool ds__ridset_add(ds__ridset *set, int64_t rid, bool *added, ds_error *err);
void ds__ridset_clear(ds__ridset *set);

#endif
