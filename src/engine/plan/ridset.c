/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing; record ids are never 0. */
#include "engine/plan/ridset.h"

#include "base/mem.h"

static uint64_t mix(int64_t rid) {
    uint64_t h = (uint64_t)rid * 0x9e3779b97f4a7c15ULL;
    return h ^ h >> 32;
}

static bool grow(ds__ridset *set, ds_error *err) {
    size_t cap = set->cap ? set->cap * 2 : 256;
    if (set->meter != NULL && !ds_meter_charge(set->meter, cap * sizeof *set->slots)) {
        return ds__error_oom(err);
    }
    int64_t *slots = ds__alloc(cap * sizeof *slots);
    if (slots == NULL) {
        ds_meter_give(set->meter, cap * sizeof *slots);
        return ds__error_oom(err);
    }
    for (size_t i = 0; i < set->cap; i++) {
        if (set->slots[i] != 0) {
            size_t at = mix(set->slots[i]) & (cap - 1);
            while (slots[at] != 0) {
                at = (at + 1) & (cap - 1);
            }
            slots[at] = set->slots[i];
        }
    }
    ds_meter_give(set->meter, set->cap * sizeof *slots);
    ds__free(set->slots);
    set->slots = slots;
    set->cap = cap;
    return true;
}

bool ds__ridset_add(ds__ridset *set, int64_t rid, bool *added, ds_error *err) {
    if (set->count * 2 >= set->cap && !grow(set, err)) {
        return false;
    }
    size_t at = mix(rid) & (set->cap - 1);
    while (set->slots[at] != 0) {
        if (set->slots[at] == rid) {
            *added = false;
            return true;
        }
        at = (at + 1) & (set->cap - 1);
    }
    set->slots[at] = rid;
    set->count++;
    *added = true;
    return true;
}

void ds__ridset_clear(ds__ridset *set) {
    ds_meter_give(set->meter, set->cap * sizeof *set->slots);
    ds__free(set->slots);
    *set = (ds__ridset){.meter = set->meter};
}
