/* SPDX-License-Identifier: Apache-2.0 */
/* Accumulators: one table (name, parse, state), shared by $group, $bucket, $bucketAuto and
 * $setWindowFields. State is plain memory of state_size bytes, zeroed by the caller. */
#ifndef DS_LANG_PIPELINE_ACCUMULATE_H
#define DS_LANG_PIPELINE_ACCUMULATE_H

#include "lang/pipeline/internal.h"

typedef struct ds__accumulator ds__accumulator;

typedef struct ds__accumulator_def {
    const char *name;
    size_t state_size;
    /* NULL: one expression. */
    bool (*parse)(ds__env *env, const ds__var_scope *scope, ds__accumulator *acc, ds_value arg,
                  ds_error *err);
    /* Called for a new group with the group's _id in eval->slots, if the accumulator has
     * expressions of its own (n). NULL: nothing to do. */
    bool (*init)(const ds__accumulator *acc, void *state, ds__eval *eval, ds_value id,
                 ds_error *err);
    /* Takes the value of acc->expr on a document. `*bytes` grows by memory kept. */
    bool (*add)(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval, size_t *bytes,
                ds_error *err);
    /* The result; may live in scratch, the state or the accumulator. */
    bool (*result)(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                   ds_error *err);
    /* Frees what the state owns. NULL: nothing. */
    void (*clear)(const ds__accumulator *acc, void *state);
    int variant; /* for rows that share functions */
} ds__accumulator_def;

struct ds__accumulator {
    /* borrowed */
    const ds__accumulator_def *def;
    const ds__env *env;
    const char *field; /* output name */
    size_t field_size;
    ds__expr *expr;           /* the input; NULL when add needs none */
    const ds__path *path;     /* when expr is a plain field path */
    const ds_value *constant; /* when expr is constant */
    ds__expr *n;              /* $firstN and the like */
    ds__sort_pattern sort;    /* $top and the like */
    ds_value spec;
    bool pushed;   /* mongod runs such a $group inside its query engine, where the later of
                    * equal values wins and errors have codes of their own */
    size_t offset; /* of the state in the group's states; the owner's to use */
    int field_at;  /* of the input among the fields that $group reads at once, or -1; likewise */
};

/* Compiles {$sum: …}; `field` names the result. Errors: 40234 and 40238 (shape), 15952 (unknown).
 */
bool ds__accumulator_compile(ds__env *env, const ds__var_scope *scope, const char *field,
                             size_t field_size, ds_value spec, ds__accumulator *out, ds_error *err);
/* Compiles from a known row and argument (windows). */
bool ds__accumulator_bind(ds__env *env, const ds__var_scope *scope, const ds__accumulator_def *def,
                          ds_value arg, ds__accumulator *out, ds_error *err);
const ds__accumulator_def *ds__accumulator_find(const char *name, size_t size);

/* Feeds the document in eval->slots[DS_VAR_ROOT]. */
bool ds__accumulator_feed(const ds__accumulator *acc, void *state, ds__eval *eval, size_t *bytes,
                          ds_error *err);
void ds__accumulator_dependencies(const ds__accumulator *acc, ds__add_path_fn add, void *ctx);

/* Families; each ends with a row whose name is NULL. */
extern const ds__accumulator_def ds__accumulators_number[];
extern const ds__accumulator_def ds__accumulators_pick[];
extern const ds__accumulator_def ds__accumulators_rank[];
extern const ds__accumulator_def ds__accumulators_collect[];

/* A value kept beyond the document it came from; its memory is reused when it fits. */
typedef struct ds__held {
    ds_value value;
    uint8_t *memory; /* owned: ds__held_clear */
    ds_meter *meter; /* borrowed: charged for cap; NULL: nobody is */
    size_t cap;
} ds__held;
/* `*bytes` grows by memory taken. */
bool ds__held_set(ds__held *held, ds_value v, size_t *bytes, ds_error *err);
void ds__held_clear(ds__held *held);

#endif
