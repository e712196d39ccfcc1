/* SPDX-License-Identifier: Apache-2.0 */
/* Window functions over the sorted rows of a partition. */
#ifndef DS_LANG_PIPELINE_WINDOW_H
#define DS_LANG_PIPELINE_WINDOW_H

#include "lang/pipeline/accumulate.h"

typedef enum ds__window_kind {
    DS_WINDOW_ACCUMULATE,
    DS_WINDOW_FIRST,
    DS_WINDOW_LAST,
    DS_WINDOW_COVARIANCE,
    DS_WINDOW_DERIVATIVE,
    DS_WINDOW_INTEGRAL,
    DS_WINDOW_EXP_AVERAGE,
    DS_WINDOW_RANK,
    DS_WINDOW_DENSE_RANK,
    DS_WINDOW_NUMBER,
    DS_WINDOW_SHIFT,
    DS_WINDOW_LOCF,
    DS_WINDOW_LINEAR
} ds__window_kind;

typedef enum ds__bound_kind {
    DS_BOUND_UNBOUNDED,
    DS_BOUND_CURRENT,
    DS_BOUND_OFFSET
} ds__bound_kind;

typedef struct ds__bound {
    ds__bound_kind kind;
    int64_t rows;    /* documents */
    ds_value offset; /* range */
    ds__expr *date;  /* range with a unit: the bound's date, of the variable in date_slot */
} ds__bound;

/* One output field. */
typedef struct ds__window_function {
    ds__path field;
    ds__window_kind kind;
    const char *name;
    ds__accumulator acc; /* ACCUMULATE */
    ds__expr *input;     /* the value of a row (COVARIANCE: the first of two) */
    ds__expr *second;
    ds__bound lower;
    ds__bound upper;
    uint32_t date_slot;
    bool has_window;
    bool range;
    bool has_unit;
    bool sample;       /* COVARIANCE */
    double unit_ms;    /* DERIVATIVE, INTEGRAL; 0: no unit */
    ds_value alpha;    /* EXP_AVERAGE: double or decimal */
    int64_t by;        /* SHIFT */
    ds_value fallback; /* SHIFT */
} ds__window_function;

/* A partition, sorted. */
typedef struct ds__window_rows {
    ds_value *docs;
    ds_value *keys; /* values of the single sortBy path; NULL when there is none */
    ds_value *meta; /* packed: what is beside each; NULL: nothing */
    size_t count;
} ds__window_rows;

/* Results of a function for every row, in `arena`. */
bool ds__window_compute(const ds__window_function *f, const ds__window_rows *rows, ds__stage *stage,
                        ds_arena *arena, ds_value *results, ds_error *err);

/* Reads one output field's specification. `sort` has the stage's sortBy, or no parts. */
bool ds__window_parse(ds__stage_parser *p, const char *field, size_t field_size, ds_value spec,
                      const ds__sort_pattern *sort, ds__window_function *out, ds_error *err);

/* Milliseconds of a unit up to a week by name, 0 for larger, -1 for none of that name. */
double ds__window_unit_ms(ds_value name);

#endif
