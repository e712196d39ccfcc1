/* SPDX-License-Identifier: Apache-2.0 */
/* Variables' storage for one evaluation. */
#include "lang/env.h"

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
