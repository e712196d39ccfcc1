/* SPDX-License-Identifier: Apache-2.0 */
/* What the language needs from outside while it compiles and runs: variables, time, collation,
 * interruption. One ds__env per command; passed down, never global. */
#ifndef DS_LANG_ENV_H
#define DS_LANG_ENV_H

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "bson/compare.h"
#include "lang/meta.h"

/* Slots of variables. System variables have fixed ones; $let, $map, `let` of commands and stages
 * get theirs at compile time. */
enum {
    DS_VAR_ROOT = 0,
    DS_VAR_NOW,
    DS_VAR_CLUSTER_TIME,
    DS_VAR_USER_ROLES,
    DS_VAR_SEARCH_META,
    DS_VAR_FIRST_USER
};

/* A name bound to a slot while compiling; scopes are lists that share tails. */
typedef struct ds__var_scope {
    const struct ds__var_scope *parent;
    const char *name;
    uint32_t name_size;
    uint32_t slot;
} ds__var_scope;

typedef struct ds__env {
    /* borrowed */
    ds_arena *arena;              /* the command's: compiled trees and constants */
    const ds__collator *collator; /* NULL: by bytes */
    ds__interrupt_fn interrupt;   /* may be NULL */
    void *interrupt_ctx;
    ds_meter *meter;          /* time, and the memory of what is worked on; NULL: without limits */
    ds_meter *kept;           /* the memory of what stages keep between documents */
    const ds__var_scope *let; /* variables of the command's `let`, already bound to slots */
    /* plain */
    int64_t now_ms;            /* $$NOW */
    uint64_t cluster_time;     /* $$CLUSTER_TIME, a timestamp */
    uint32_t wanted_meta;      /* bits of ds__meta_kind: what compiled expressions ask for */
    uint32_t slot_count;       /* slots handed out so far; starts at DS_VAR_FIRST_USER */
    const void *pipeline_host; /* ds__pipeline_host of the command, for stages that read
                                * other collections; NULL where none may */
} ds__env;

/* The state of one evaluation thread: variables' values and scratch memory. */
typedef struct ds__eval {
    /* borrowed */
    const ds__env *env;
    ds_arena *scratch;    /* results live here; the caller resets it between documents */
    ds_value *slots;      /* env->slot_count of them; slots[DS_VAR_ROOT] is the document */
    const ds__meta *meta; /* beside the document; NULL: nothing is */
} ds__eval;

/* Makes slots in `arena`, filled with now, cluster time and missing. Call after all compiling. */
bool ds__eval_init(ds__eval *eval, const ds__env *env, ds_arena *arena, ds_arena *scratch,
                   ds_error *err);

/* A new slot for a variable. */
static inline uint32_t ds__env_new_slot(ds__env *env) {
    return env->slot_count++;
}

/* Calls the interrupt hook; true to go on. */
static inline bool ds__env_check(const ds__env *env, ds_error *err) {
    return env->interrupt == NULL || env->interrupt(env->interrupt_ctx, err);
}

/* Counts steps of work (ds_meter_step) and asks now and then; true to go on. */
static inline bool ds__env_step(const ds__env *env, int64_t steps, ds_error *err) {
    return ds_meter_step(env->meter, steps, err);
}
/* The same for going over `bytes` of a value once, when each costs next to nothing. */
static inline bool ds__env_step_bytes(const ds__env *env, size_t bytes, ds_error *err) {
    return ds_meter_step(env->meter, (int64_t)(bytes / DS_METER_STEP_BYTES) + 1, err);
}

/* Whether a stage that keeps `bytes` and could put them on the disk should: all stages together
 * have half of what they may, and it would help. */
static inline bool ds__env_is_pressed(const ds__env *env, size_t bytes) {
    return bytes >= DS_LEAST_SPILLED_BYTES && ds_meter_is_pressed(env->kept);
}

/* Lets the two meters bound what `env` is used for: `command` is what is compiled. The hook of
 * `env` is theirs too. */
void ds__env_bound(ds__env *env, ds_meter *meter, ds_meter *kept, size_t command_size);
/* Says in `err` what stopped `who`, when it was the limit of memory or of time. Always false. */
bool ds__env_explain(const ds__env *env, const char *who, ds_error *err);
/* Whether err is that something took too much memory, and nothing else: then it is given up, and
 * the operation goes on without it; err is cleared. */
bool ds__env_forgive(const ds__env *env, ds_error *err);

#endif
