/* SPDX-License-Identifier: Apache-2.0 */
/* $min $max $first $last: one value of those seen. */
#include "lang/pipeline/accumulate.h"

typedef struct pick_state {
    ds__held held;
    bool any;
} pick_state;

/* Numbers and dates of one type are compared here. */
static inline int compare(const ds__accumulator *acc, ds_value a, ds_value b) {
    if (a.type == b.type) {
        switch (a.type) {
        case DS_INT32:
            return (a.as.i32 > b.as.i32) - (a.as.i32 < b.as.i32);
        case DS_INT64:
        case DS_DATE:
            return (a.as.i64 > b.as.i64) - (a.as.i64 < b.as.i64);
        default:
            break;
        }
    }
    return ds__value_compare(a, b, acc->env->collator);
}

/* variant: -1 the least, 1 the greatest. */
static bool extreme_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                        size_t *bytes, ds_error *err) {
    pick_state *s = state;
    if (ds__is_nullish(v)) {
        return true;
    }
    if (s->any) {
        int c = compare(acc, v, s->held.value) * acc->def->variant;
        if (c < 0 || (c == 0 && !acc->pushed)) {
            return true;
        }
    }
    s->any = true;
    s->held.meter = acc->env->kept;
    return ds__held_set(&s->held, v, bytes, err);
}

static bool first_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                      size_t *bytes, ds_error *err) {
    pick_state *s = state;
    if (s->any) {
        return true;
    }
    s->any = true;
    s->held.meter = acc->env->kept;
    return ds__held_set(&s->held, v, bytes, err);
}

static bool last_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                     size_t *bytes, ds_error *err) {
    pick_state *s = state;
    s->any = true;
    s->held.meter = acc->env->kept;
    return ds__held_set(&s->held, v, bytes, err);
}

static bool pick_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                        ds_error *err) {
    const pick_state *s = state;
    *out = s->any && s->held.value.type != DS_MISSING ? s->held.value : ds__null();
    return true;
}

static void pick_clear(const ds__accumulator *acc, void *state) {
    ds__held_clear(&((pick_state *)state)->held);
}

#define PICK(op, function, which)                                                                  \
    {                                                                                              \
        .name = op, .state_size = sizeof(pick_state), .add = function, .result = pick_result,      \
        .clear = pick_clear, .variant = which                                                      \
    }

const ds__accumulator_def ds__accumulators_pick[] = {
    PICK("$min", extreme_add, -1),
    PICK("$max", extreme_add, 1),
    PICK("$first", first_add, 0),
    PICK("$last", last_add, 0),
    {.name = NULL},
};
