/* SPDX-License-Identifier: Apache-2.0 */
/* Variables' storage for one evaluation, and the bounds of an operation. */
#include "lang/env.h"

#include "base/limits.h"

void ds__env_bound(ds__env *env, ds_meter *meter, ds_meter *kept, size_t command_size) {
    *meter = (ds_meter){.interrupt = env->interrupt,
                        .interrupt_ctx = env->interrupt_ctx,
                        .steps = DS_METER_STEPS,
                        .limit = DS_MAX_WORK_BYTES + DS_WORK_PER_COMMAND_BYTE * command_size};
    *kept = (ds_meter){.interrupt = env->interrupt,
                       .interrupt_ctx = env->interrupt_ctx,
                       .steps = DS_METER_STEPS,
                       .limit = DS_MAX_KEPT_BYTES};
    env->meter = meter;
    env->kept = kept;
}

bool ds__env_explain(const ds__env *env, const char *who, ds_error *err) {
    return ds_meter_explain(env->meter, who, err) || ds_meter_explain(env->kept, who, err);
}

bool ds__eval_init(ds__eval *eval, const ds__env *env, ds_arena *arena, ds_arena *scratch,
                   ds_error *err) {
    *eval = (ds__eval){.env = env, .scratch = scratch};
    uint32_t count = env->slot_count > DS_VAR_FIRST_USER ? env->slot_count : DS_VAR_FIRST_USER;
    ds_value *slots = ds_arena_zalloc(arena, count * sizeof *slots);
    if (slots == NULL) {
        return ds__error_oom(err);
    }
    slots[DS_VAR_NOW] = ds__date(env->now_ms);
    slots[DS_VAR_CLUSTER_TIME] = (ds_value){.type = DS_TIMESTAMP, .as.u64 = env->cluster_time};
    eval->slots = slots;
    return true;
}

bool ds__env_forgive(const ds__env *env, ds_error *err) {
    ds_meter *const meters[] = {env->meter, env->kept};
    bool only_memory = err->code == DS_QUERY_EXCEEDED_MEMORY;
    for (size_t i = 0; i < 2; i++) {
        ds_meter *m = meters[i];
        if (m != NULL && m->refused && m->why.code == 0 && ds__error_is_oom(err)) {
            m->refused = false;
            if (m->told != NULL) {
                m->told->refused = false;
            }
            only_memory = true;
        }
    }
    if (only_memory) {
        *err = (ds_error){0};
    }
    return only_memory;
}
