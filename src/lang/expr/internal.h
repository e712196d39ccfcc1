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
    int16_t max_args;        /* -1: any number */
    bool volatile_;          /* never folded: $rand, $$NOW users fold */
};

struct ds__expr {
    ds__expr_eval_fn eval;
    const ds__expr_op *op;   /* NULL for constants, paths, objects, arrays */
    ds__expr **args;         /* positional, or by the operator's own named positions; NULL = absent */
    uint32_t arg_count;
    uint32_t slot;           /* variable paths: the slot; $let/$map/…: the slot bound */
    ds_value constant;       /* when is_constant */
    bool is_constant;
    ds__path path;           /* field paths: after the variable */
    void *detail;            /* the operator's own compiled state, in the arena */
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

static inline bool ds__expr_run(const ds__expr *e, ds__eval *eval, ds_value *out, ds_error *err) {
    if (e->is_constant) {
        *out = e->constant;
        return true;
    }
    return e->eval(e, eval, out, err);
}

/* Tables of the families; each ends with a row whose name is NULL. expr/table.c joins them. */
extern const ds__expr_op ds__expr_ops_arith[];
extern const ds__expr_op ds__expr_ops_array[];
extern const ds__expr_op ds__expr_ops_bool[];
extern const ds__expr_op ds__expr_ops_compare[];
extern const ds__expr_op ds__expr_ops_control[];
extern const ds__expr_op ds__expr_ops_convert[];
extern const ds__expr_op ds__expr_ops_date_arith[];
extern const ds__expr_op ds__expr_ops_date_parts[];
extern const ds__expr_op ds__expr_ops_date_text[];
extern const ds__expr_op ds__expr_ops_iterate[];   /* $map $filter $reduce $zip $sortArray */
extern const ds__expr_op ds__expr_ops_object[];
extern const ds__expr_op ds__expr_ops_regex[];
extern const ds__expr_op ds__expr_ops_round[];
extern const ds__expr_op ds__expr_ops_set[];
extern const ds__expr_op ds__expr_ops_string[];
extern const ds__expr_op ds__expr_ops_trig[];
extern const ds__expr_op ds__expr_ops_type[];
extern const ds__expr_op ds__expr_ops_variable[];  /* $let, $literal */
extern const ds__expr_op ds__expr_ops_accumulate[]; /* $sum $avg $min $max … as expressions */

/* Looks an operator up by name. NULL: none. */
const ds__expr_op *ds__expr_find_op(const char *name, size_t size);

#endif
