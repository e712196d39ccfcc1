/* SPDX-License-Identifier: Apache-2.0 */
/* Query filters: {age: {$gte: 18}, tags: "x"} compiled into a tree of predicates and matched
 * against raw documents with MongoDB's rules for arrays, null and missing. */
#ifndef DS_LANG_FILTER_FILTER_H
#define DS_LANG_FILTER_FILTER_H

#include "base/buf.h"
#include "bson/path.h"
#include "lang/env.h"
#include "lang/expr/expr.h"

/* What a node tests. Planners read the tree; only filter/ makes it. */
typedef enum ds__filter_op {
    DS_FILTER_AND,
    DS_FILTER_OR,
    DS_FILTER_NOR,
    DS_FILTER_NOT, /* children[0], of the same path */
    DS_FILTER_EQ,  /* operand; null also matches missing */
    DS_FILTER_LT,
    DS_FILTER_LTE,
    DS_FILTER_GT,
    DS_FILTER_GTE,
    DS_FILTER_IN,     /* values[], regexes[] */
    DS_FILTER_EXISTS, /* flag */
    DS_FILTER_TYPE,
    DS_FILTER_SIZE,
    DS_FILTER_MOD,
    DS_FILTER_REGEX,
    DS_FILTER_ALL,
    DS_FILTER_ELEM_MATCH_OBJECT, /* children[0] matched against element documents */
    DS_FILTER_ELEM_MATCH_VALUE,  /* children tested on the element itself */
    DS_FILTER_BITS,
    DS_FILTER_EXPR,
    DS_FILTER_JSON_SCHEMA,
    DS_FILTER_TRUE, /* $alwaysTrue, $comment */
    DS_FILTER_FALSE,
    DS_FILTER_OTHER /* planners treat as opaque */
} ds__filter_op;

typedef struct ds__filter ds__filter;
struct ds__filter {
    ds__filter_op op;
    ds__path path;    /* leaves; empty for logical nodes */
    ds_value operand; /* comparisons; the raw argument otherwise */
    ds_value *values; /* IN: sorted by canonical order, no duplicates */
    size_t value_count;
    size_t regex_count; /* IN: regexes beside the values */
    ds__filter **children;
    size_t child_count;
    ds__filter **written;     /* the children in the order written; NULL when it is the same */
    bool flag;                /* EXISTS: wanted */
    const char *regex_prefix; /* REGEX: the literal text a match must start with, or NULL */
    uint32_t regex_prefix_size;
    bool regex_prefix_exact;      /* the regex is nothing but that prefix */
    ds__expr *expr;               /* EXPR */
    void *detail;                 /* the operator's own compiled state */
    const ds__collator *collator; /* comparisons of strings; NULL: by bytes */
    double number;                /* comparisons: the operand, when number_exact */
    bool number_exact;            /* the operand is a number a double holds exactly, up to 2^53 */
    int operand_rank;             /* comparisons: the operand's type rank */
};

typedef struct ds__filter_options {
    const ds__var_scope *scope; /* variables for $expr; NULL: env->let */
    bool no_expr;               /* refuse $expr, $text, $where (inside $elemMatch, validators…) */
} ds__filter_options;

/* Compiles a filter document. `options` may be NULL. Lives in env->arena. Errors: BadValue etc. */
bool ds__filter_compile(ds__env *env, ds_value spec, const ds__filter_options *options,
                        ds__filter **out, ds_error *err);

/* What positional operators need to know of a match. */
typedef struct ds__match_info {
    bool has_position;
    size_t position; /* index of the array element that matched (update's `$`) */
} ds__match_info;

/* Whether `doc` matches. `info` may be NULL. eval may lend scratch only for $expr. */
bool ds__filter_match(const ds__filter *filter, ds_value doc, ds__eval *eval, bool *matched,
                      ds__match_info *info, ds_error *err);

/* Whether a match of the filter fails never and changes nothing: several threads may ask it at
 * once, without an eval. */
bool ds__filter_is_pure(const ds__filter *filter);

/* Where find()'s positional projection points: as ds__filter_match, but the last condition as
 * written tells the position, while updates go by the last of the ordered tree. */
bool ds__filter_position(const ds__filter *filter, ds_value doc, ds__eval *eval, bool *matched,
                         ds__match_info *info, ds_error *err);

/* Whether one value (an array element) matches: for $pull and array filters. The filter must have
 * been made by ds__filter_compile_value: {$gte: 5}, 5, /re/, or {a: 1} for documents. */
bool ds__filter_compile_value(ds__env *env, ds_value spec, ds__filter **out, ds_error *err);
bool ds__filter_match_value(const ds__filter *filter, ds_value value, ds__eval *eval, bool *matched,
                            ds_error *err);

/* An array filter of updates: {"e": {$gte: 5}} or {"e.x": 1}; gives the identifier ("e"). */
bool ds__filter_compile_array_filter(ds__env *env, ds_value spec, ds__filter **out,
                                     const char **identifier, ds_error *err);

/* The filter as a document again, as explain's parsedQuery shows it. */
void ds__filter_print(const ds__filter *filter, ds_buf *out);

/* Equality conditions an upsert takes over: calls add for each path: value implied by the filter
 * ({a: 1}, {a: {$eq: 1}}, $and of such, $in/$all/$or of one), in the order of paths. A path may
 * come twice, or with its parent: the caller refuses that. */
bool ds__filter_equalities(const ds__filter *filter,
                           bool (*add)(void *ctx, const ds__path *path, ds_value v, ds_error *err),
                           void *ctx, ds_error *err);

#endif
