/* SPDX-License-Identifier: Apache-2.0 */
/* What one operation may use: memory, counted as it is taken, and time, looked at as work is done.
 * Arenas and buffers that point at a meter charge it; long loops tell it their steps. */
#ifndef DS_BASE_METER_H
#define DS_BASE_METER_H

#include <stdint.h>

#include "base/error.h"

/* Returns false and sets err (Interrupted, MaxTimeMSExpired) when the operation must stop. */
typedef bool (*ds__interrupt_fn)(void *ctx, ds_error *err);

/* Zero-initialised storage is a meter without limits. One thread at a time, but for `held`, which
 * others may read. */
typedef struct ds_meter {
    /* borrowed */
    ds__interrupt_fn interrupt; /* may be NULL */
    void *interrupt_ctx;
    struct ds_meter *told; /* learns of refusals, too; may be NULL */
    /* plain */
    size_t held;   /* bytes charged and not given back */
    size_t limit;  /* 0: none */
    int64_t steps; /* left until the clock is looked at */
    bool refused;  /* a charge failed; `why` says why, until ds_meter_explain tells it */
    ds_error why;
} ds_meter;

enum {
    DS_METER_STEPS = 4096, /* small pieces of work between two looks at the clock */
    DS_METER_STEP_BYTES = 64
};

/* Takes `bytes`. False: they are more than the limit leaves, or the operation must stop; nothing
 * is charged then. */
bool ds_meter_charge(ds_meter *meter, size_t bytes);
/* Gives bytes back. */
static inline void ds_meter_give(ds_meter *meter, size_t bytes) {
    if (meter != NULL) {
        __atomic_store_n(&meter->held, meter->held - bytes, __ATOMIC_RELAXED);
    }
}
/* Grows or makes memory that is charged for: `had` bytes before, now `size`. NULL: memory is out or
 * refused, and `p` stays. */
void *ds_meter_realloc(ds_meter *meter, void *p, size_t had, size_t size);
/* New memory, zeroed. */
void *ds_meter_alloc(ds_meter *meter, size_t size);
/* Gives it back, all `had` bytes. */
void ds_meter_free(ds_meter *meter, void *p, size_t had);
/* Whether half of the limit is used: who can do with less memory does so from now on. */
static inline bool ds_meter_is_pressed(const ds_meter *meter) {
    return meter != NULL && meter->held > meter->limit / 2 && meter->limit != 0;
}
/* Asks now whether the operation may go on. */
bool ds_meter_look(ds_meter *meter, ds_error *err);
/* Counts `steps` of work, each about as much as comparing two small values, and asks now and then
 * whether the operation may go on. */
static inline bool ds_meter_step(ds_meter *meter, int64_t steps, ds_error *err) {
    return meter == NULL || (meter->steps -= steps) > 0 || ds_meter_look(meter, err);
}
/* When err is "out of memory" because a charge was refused: says so instead, naming `who`. Always
 * false, so that `return ds_meter_explain(…)` reads well. */
bool ds_meter_explain(ds_meter *meter, const char *who, ds_error *err);

#endif
