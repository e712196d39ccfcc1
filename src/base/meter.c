/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and time of an operation. Code that runs out of memory knows only that an allocation
 * failed; the meter keeps the reason until somebody who can name the operator asks for it. */
#include "base/meter.h"

#include "base/mem.h"

static bool refuse(ds_meter *meter) {
    meter->refused = true;
    if (meter->told != NULL) {
        meter->told->refused = true;
        meter->told->why = meter->why;
    }
    return false;
}

bool ds_meter_charge(ds_meter *meter, size_t bytes) {
    if (meter->limit != 0 && (meter->held > meter->limit || bytes > meter->limit - meter->held)) {
        meter->why.code = 0;
        return refuse(meter);
    }
    if (!ds_meter_step(meter, (int64_t)(bytes / DS_METER_STEP_BYTES), &meter->why)) {
        return refuse(meter);
    }
    __atomic_store_n(&meter->held, meter->held + bytes, __ATOMIC_RELAXED);
    return true;
}

void *ds_meter_realloc(ds_meter *meter, void *p, size_t had, size_t size) {
    if (meter != NULL && size > had && !ds_meter_charge(meter, size - had)) {
        return NULL;
    }
    void *grown = ds__realloc(p, size);
    if (size > had ? grown == NULL : grown != NULL) {
        ds_meter_give(meter, size > had ? size - had : had - size);
    }
    return grown;
}

void *ds_meter_alloc(ds_meter *meter, size_t size) {
    if (meter != NULL && !ds_meter_charge(meter, size)) {
        return NULL;
    }
    void *p = ds__alloc(size);
    if (p == NULL) {
        ds_meter_give(meter, size);
    }
    return p;
}

void ds_meter_free(ds_meter *meter, void *p, size_t had) {
    if (p != NULL) {
        ds_meter_give(meter, had);
        ds__free(p);
    }
}

bool ds_meter_look(ds_meter *meter, ds_error *err) {
    if (meter == NULL) {
        return true;
    }
    meter->steps = DS_METER_STEPS;
    if (meter->interrupt == NULL || meter->interrupt(meter->interrupt_ctx, err)) {
        return true;
    }
    meter->steps = 0; /* who goes on all the same is asked again at once */
    return false;
}

bool ds_meter_explain(ds_meter *meter, const char *who, ds_error *err) {
    if (meter == NULL || !meter->refused || !ds__error_is_oom(err)) {
        return false;
    }
    meter->refused = false;
    if (meter->why.code != 0) {
        *err = meter->why;
        return false;
    }
    return ds__error_set(
        err, DS_EXCEEDED_MEMORY_LIMIT,
        "%s used too much memory and cannot spill to disk. Memory limit: %zu bytes", who,
        meter->limit);
}
