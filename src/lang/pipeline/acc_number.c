/* SPDX-License-Identifier: Apache-2.0 */
/* $sum $avg $count $stdDevPop $stdDevSamp. */
#include <math.h>

#include "lang/expr/sum.h"
#include "lang/pipeline/accumulate.h"

static bool sum_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                    size_t *bytes, ds_error *err) {
    ds__sum_add(state, v);
    return true;
}

static bool sum_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                       ds_error *err) {
    *out = ds__sum_value(state);
    return true;
}

static bool count_parse(ds__env *env, const ds__var_scope *scope, ds__accumulator *acc,
                        ds_value arg, ds_error *err) {
    if (arg.type != DS_DOCUMENT || !ds__doc_empty(arg)) {
        return ds__error_set(err, DS_TYPE_MISMATCH, "$count takes no arguments, i.e. $count:{}");
    }
    return true;
}

static bool count_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                      size_t *bytes, ds_error *err) {
    ds__sum_add(state, ds__int32(1));
    return true;
}

static bool avg_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                       ds_error *err) {
    *out = ds__sum_average(state);
    return true;
}

/* Welford's running mean and squared distance. */
typedef struct dev_state {
    int64_t count;
    double mean;
    double m2;
} dev_state;

static bool dev_add(const ds__accumulator *acc, void *state, ds_value v, ds__eval *eval,
                    size_t *bytes, ds_error *err) {
    dev_state *s = state;
    if (!ds__is_number(v)) {
        return true;
    }
    double x = ds__number_to_double(v);
    double delta = x - s->mean;
    s->count++;
    if (delta != 0) {
        s->mean += delta / (double)s->count;
        s->m2 += delta * (x - s->mean);
    }
    return true;
}

/* variant 1: of a sample. */
static bool dev_result(const ds__accumulator *acc, void *state, ds_arena *scratch, ds_value *out,
                       ds_error *err) {
    const dev_state *s = state;
    int64_t n = s->count - acc->def->variant;
    *out = n <= 0 ? ds__null() : ds__double(sqrt(s->m2 / (double)n));
    return true;
}

const ds__accumulator_def ds__accumulators_number[] = {
    {.name = "$sum", .state_size = sizeof(ds__sum), .add = sum_add, .result = sum_result},
    {.name = "$avg", .state_size = sizeof(ds__sum), .add = sum_add, .result = avg_result},
    {.name = "$count",
     .state_size = sizeof(ds__sum),
     .parse = count_parse,
     .add = count_add,
     .result = sum_result},
    {.name = "$stdDevPop", .state_size = sizeof(dev_state), .add = dev_add, .result = dev_result},
    {.name = "$stdDevSamp",
     .state_size = sizeof(dev_state),
     .add = dev_add,
     .result = dev_result,
     .variant = 1},
    {.name = NULL},
};
