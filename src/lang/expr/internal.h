/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of expressions: nodes, the operator table, what operator files share. An operator is a
 * row in one table (name, parse, evaluate); a file holds a family. */
#ifndef DS_LANG_EXPR_INTERNAL_H
#define DS_LANG_EXPR_INTERNAL_H

#include "base/buf.h"
#include "bson/compare.h"
#include "bson/decimal.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "lang/expr/expr.h"

typedef struct ds__expr_op ds__expr_op;

typedef bool (*ds__expr_eval_fn)(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                 ds_error *err);

/* Compiling state handed to parse functions. */
typedef struct ds__expr_parser {
    ds__env *env;
    const ds__var_scope *scope;
    int depth;
} ds__expr_parser;

/* Parses the operator's argument `arg` into `expr` (op and eval already set). */
typedef bool (*ds__expr_parse_fn)(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err);

struct ds__expr_op {
    const char *name;        /* "$add" */
    ds__expr_parse_fn parse; /* NULL: positional arguments, min_args to max_args of them */
    ds__expr_eval_fn eval;
    int16_t min_args;
    int16_t max_args;    /* -1: any number */
    bool no_fold;        /* evaluated for each document even when constant */
    bool is_commutative; /* constant arguments are folded into one that comes last */
    bool decides_early;  /* … or first: one false ends $and, one true $or */
};

struct ds__expr {
    ds__expr_eval_fn eval;
    const ds__expr_op *op; /* NULL for constants, paths, objects, arrays */
    ds__expr **args;       /* positional, or by the operator's own named positions; NULL = absent */
    uint32_t arg_count;
    uint32_t slot;     /* variable paths: the slot; $let/$map/…: the slot bound */
    ds_value constant; /* when is_constant */
    bool is_constant;
    ds__path path; /* field paths: after the variable */
    void *detail;  /* the operator's own compiled state, in the arena */
};

/* Compiles an operand. */
bool ds__expr_parse(ds__expr_parser *p, ds_value spec, ds__expr **out, ds_error *err);
/* Compiles positional arguments (a lone non-array is one argument) and checks their number with
 * MongoDB's error 16020. */
bool ds__expr_parse_args(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err);
/* Named arguments: `names` ends with NULL; expr->args gets one place per name. Unknown names are
 * the error `unknown_code`. */
bool ds__expr_parse_named(ds__expr_parser *p, ds__expr *expr, ds_value arg,
                          const char *const *names, int32_t unknown_code, ds_error *err);

/* A node that is the constant `v`. NULL when memory is out. */
ds__expr *ds__expr_new_constant(ds__expr_parser *p, ds_value v);
/* Room for `count` arguments, all absent. */
bool ds__expr_reserve_args(ds__expr_parser *p, ds__expr *expr, uint32_t count, ds_error *err);
/* Binds a new variable `name` in front of p->scope and returns its slot through `slot`. The caller
 * saves and restores p->scope. */
bool ds__expr_bind(ds__expr_parser *p, const char *name, size_t size, uint32_t *slot,
                   ds_error *err);
/* Whether users may bind or read a variable of this name: FailedToParse if not. */
bool ds__expr_check_variable_name(const char *name, size_t size, bool writing, ds_error *err);

/* Values found while evaluating, in scratch memory. */
typedef struct ds__expr_list {
    ds_value *items;
    size_t count;
    size_t cap;
} ds__expr_list;

bool ds__expr_list_add(ds_arena *scratch, ds__expr_list *list, ds_value v, ds_error *err);
/* The elements of an array value. */
bool ds__expr_list_fill(ds_arena *scratch, ds__expr_list *list, ds_value array, ds_error *err);
/* Sorts by the canonical order; sign -1: descending. Equal values keep their order. */
bool ds__expr_sort(ds__eval *eval, ds_value *items, size_t count, int sign, ds_error *err);
/* An array of the values in scratch memory; DS_MISSING becomes null. */
bool ds__expr_make_array(ds_arena *scratch, const ds_value *items, size_t count, ds_value *out,
                         ds_error *err);
/* A name and a value of a document being made. */
typedef struct ds__expr_field {
    const char *name;
    size_t name_size;
    ds_value value;
} ds__expr_field;
/* A document of the fields in scratch memory; DS_MISSING fields are left out. Names must not hold
 * NULs. */
bool ds__expr_make_document(ds_arena *scratch, const ds__expr_field *fields, size_t count,
                            ds_value *out, ds_error *err);
/* A string printed into scratch memory. */
bool ds__expr_printf(ds_arena *scratch, ds_value *out, ds_error *err, const char *fmt, ...)
    DS_PRINTF(4, 5);

/* The text aggregation makes of a value where it wants a string: numbers, dates, timestamps, code;
 * "" for nullish ones. Error 16007 for other types. */
bool ds__expr_coerce_string(ds_arena *scratch, ds_value v, ds_value *out, ds_error *err);

/* A number as int64 where any number will do: doubles are truncated (error 31109 out of range),
 * decimals rounded (the smallest int64 out of range). */
bool ds__expr_coerce_int64(ds_value v, int64_t *out, ds_error *err);
/* A number that is a whole int32. */
bool ds__expr_exact_int32(ds_value v, int32_t *out);
/* A bound of a search: argument i, or `absent` when it is not given. Errors 40096, 40097. */
bool ds__expr_search_bound(const ds__expr *expr, ds__eval *eval, uint32_t i, const char *which,
                           int64_t absent, int64_t *out, ds_error *err);

/* Says that it was this operator when a limit stopped it. Always false. */
bool ds__expr_failed(const ds__expr *e, const ds__eval *eval, ds_error *err);

/* Runs a node. */
static inline bool ds__expr_run(const ds__expr *e, ds__eval *eval, ds_value *out, ds_error *err) {
    if (e->is_constant) {
        *out = e->constant;
        return true;
    }
    return e->eval(e, eval, out, err) || ds__expr_failed(e, eval, err);
}

/* Runs an argument that may be absent (DS_MISSING then). */
static inline bool ds__expr_run_arg(const ds__expr *e, uint32_t i, ds__eval *eval, ds_value *out,
                                    ds_error *err) {
    if (i >= e->arg_count || e->args[i] == NULL) {
        *out = ds__missing();
        return true;
    }
    return ds__expr_run(e->args[i], eval, out, err);
}

/* Tables of the families; each ends with a row whose name is NULL. expr/table.c joins them. */
extern const ds__expr_op ds__expr_ops_arith[];
extern const ds__expr_op ds__expr_ops_array[];
extern const ds__expr_op ds__expr_ops_bool[];
extern const ds__expr_op ds__expr_ops_compare[];
extern const ds__expr_op ds__expr_ops_collect[]; /* $firstN $lastN $maxN $minN */
extern const ds__expr_op ds__expr_ops_control[];
extern const ds__expr_op ds__expr_ops_convert[];
extern const ds__expr_op ds__expr_ops_date_arith[];
extern const ds__expr_op ds__expr_ops_date_build[]; /* $dateFromParts $dateToParts */
extern const ds__expr_op ds__expr_ops_date_parts[];
extern const ds__expr_op ds__expr_ops_date_text[];
extern const ds__expr_op ds__expr_ops_iterate[]; /* $map $filter $reduce $zip */
extern const ds__expr_op ds__expr_ops_object[];
extern const ds__expr_op ds__expr_ops_regex[];
extern const ds__expr_op ds__expr_ops_misc[]; /* $rand $meta $binarySize … */
extern const ds__expr_op ds__expr_ops_round[];
extern const ds__expr_op ds__expr_ops_set[];
extern const ds__expr_op ds__expr_ops_sort[]; /* $sortArray */
extern const ds__expr_op ds__expr_ops_string[];
extern const ds__expr_op ds__expr_ops_trig[];
extern const ds__expr_op ds__expr_ops_trim[]; /* $trim …, $replaceOne, $replaceAll */
extern const ds__expr_op ds__expr_ops_type[];
extern const ds__expr_op ds__expr_ops_variable[];   /* $let, $literal */
extern const ds__expr_op ds__expr_ops_accumulate[]; /* $sum $avg $min $max … as expressions */

/* Looks an operator up by name. NULL: none. */
const ds__expr_op *ds__expr_find_op(const char *name, size_t size);

#endif
