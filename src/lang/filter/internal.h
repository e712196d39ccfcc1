/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of filters: the parser's state, the operator tables and what the families share. An
 * operator is a row (name, parse); what it tests lies in its family's file. */
#ifndef DS_LANG_FILTER_INTERNAL_H
#define DS_LANG_FILTER_INTERNAL_H

#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "lang/filter/filter.h"
#include "lang/regex.h"

/* MongoDB's own limit of nesting, below DS_MAX_EXPR_DEPTH. */
enum { DS_FILTER_MAX_DEPTH = 100 };

typedef struct ds__filter_parser {
    ds__env *env;
    const ds__var_scope *scope;
    int depth;
    bool nested;  /* inside $elemMatch: operators of the whole document are refused */
    bool no_expr; /* options->no_expr */
} ds__filter_parser;

/* A growing list of children. */
typedef struct ds__filter_list {
    ds__filter **items;
    size_t count;
    size_t cap;
} ds__filter_list;

/* One operator applied to a path: {path: {name: value}}. `siblings` is the document around. */
typedef struct ds__filter_arg {
    const ds__path *path;
    const char *name;
    ds_value value;
    ds_value siblings;
} ds__filter_arg;

typedef struct ds__filter_field_op ds__filter_field_op;
typedef struct ds__filter_top_op ds__filter_top_op;

/* `*out` stays NULL when the operator adds no test of its own ($options). */
typedef bool (*ds__filter_field_fn)(ds__filter_parser *p, const ds__filter_field_op *op,
                                    const ds__filter_arg *arg, ds__filter **out, ds_error *err);
typedef bool (*ds__filter_top_fn)(ds__filter_parser *p, const ds__filter_top_op *op, ds_value arg,
                                  ds__filter **out, ds_error *err);

struct ds__filter_field_op {
    const char *name;
    ds__filter_field_fn parse;
    ds__filter_op op;
};
struct ds__filter_top_op {
    const char *name;
    ds__filter_top_fn parse;
    ds__filter_op op;
};

/* NULL: no such operator. */
const ds__filter_field_op *ds__filter_find_field_op(const char *name, size_t size);
const ds__filter_top_op *ds__filter_find_top_op(const char *name, size_t size);

/* compile.c */
/* A node of the arena; NULL and an error when memory is out. `path` may be NULL. */
ds__filter *ds__filter_new(ds__filter_parser *p, ds__filter_op op, const ds__path *path,
                           ds_error *err);
bool ds__filter_list_add(ds__filter_parser *p, ds__filter_list *list, ds__filter *item,
                         ds_error *err);
/* A logical node of the list's items. */
bool ds__filter_make(ds__filter_parser *p, ds__filter_op op, const ds__filter_list *list,
                     ds__filter **out, ds_error *err);
/* NOT of `child`. */
bool ds__filter_negate(ds__filter_parser *p, ds__filter *child, ds__filter **out, ds_error *err);
/* {a: 1, $or: […]}: an AND node of what the document says. */
bool ds__filter_parse_document(ds__filter_parser *p, ds_value doc, ds__filter **out, ds_error *err);
/* {$gt: 1, $lt: 5} on a path: adds one item per operator. */
bool ds__filter_parse_operators(ds__filter_parser *p, const ds__path *path, ds_value doc,
                                ds__filter_list *list, ds_error *err);
/* A document whose first name begins with '$' and that is no DBRef. */
bool ds__filter_is_operators(ds_value v, bool incomplete_dbref);
/* Flattens, collapses and orders the tree; returns its new root. */
ds__filter *ds__filter_optimize(ds__filter_parser *p, ds__filter *filter);

/* Rows of the tables, by family. */
#define DS_FILTER_FIELD(name)                                                                      \
    bool name(ds__filter_parser *p, const ds__filter_field_op *op, const ds__filter_arg *arg,      \
              ds__filter **out, ds_error *err)
#define DS_FILTER_TOP(name)                                                                        \
    bool name(ds__filter_parser *p, const ds__filter_top_op *op, ds_value arg, ds__filter **out,   \
              ds_error *err)
DS_FILTER_FIELD(ds__filter_parse_compare);
DS_FILTER_FIELD(ds__filter_parse_ne);
DS_FILTER_FIELD(ds__filter_parse_in);
DS_FILTER_FIELD(ds__filter_parse_nin);
DS_FILTER_FIELD(ds__filter_parse_not);
DS_FILTER_FIELD(ds__filter_parse_all);
DS_FILTER_FIELD(ds__filter_parse_size);
DS_FILTER_FIELD(ds__filter_parse_elem_match);
DS_FILTER_FIELD(ds__filter_parse_exists);
DS_FILTER_FIELD(ds__filter_parse_type);
DS_FILTER_FIELD(ds__filter_parse_regex);
DS_FILTER_FIELD(ds__filter_parse_options);
DS_FILTER_FIELD(ds__filter_parse_mod);
DS_FILTER_FIELD(ds__filter_parse_bits);
DS_FILTER_FIELD(ds__filter_parse_geo);
DS_FILTER_TOP(ds__filter_parse_logical);
DS_FILTER_TOP(ds__filter_parse_expr);
DS_FILTER_TOP(ds__filter_parse_comment);
DS_FILTER_TOP(ds__filter_parse_always);
DS_FILTER_TOP(ds__filter_parse_sample_rate);
DS_FILTER_TOP(ds__filter_parse_schema);
DS_FILTER_TOP(ds__filter_parse_where);
DS_FILTER_TOP(ds__filter_parse_text);

/* Nodes other families make. */
bool ds__filter_make_compare(ds__filter_parser *p, ds__filter_op op, const ds__path *path,
                             ds_value operand, ds__filter **out, ds_error *err);
bool ds__filter_make_regex(ds__filter_parser *p, const ds__path *path, ds_value regex,
                           ds__filter **out, ds_error *err);
/* {$or: [{a: 1}, {a: 2}]} is {a: {$in: [1, 2]}}: the node to use in place of `or`. */
ds__filter *ds__filter_or_to_in(ds__filter_parser *p, ds__filter * or);

/* Regexes beside the values of an IN node. */
typedef struct ds__filter_in {
    ds_value *regexes; /* as given */
    ds__regex **compiled;
    bool has_null;
} ds__filter_in;

/* $type's wanted types. */
typedef struct ds__filter_types {
    uint32_t mask; /* bit per type below 32 */
    bool min_key;
    bool max_key;
    bool number; /* given as "number" */
} ds__filter_types;

typedef enum ds__filter_bit_test {
    DS_BITS_ALL_SET,
    DS_BITS_ALL_CLEAR,
    DS_BITS_ANY_SET,
    DS_BITS_ANY_CLEAR
} ds__filter_bit_test;

typedef struct ds__filter_bits {
    uint32_t *positions; /* ascending */
    size_t count;
    ds__filter_bit_test test;
} ds__filter_bits;

typedef struct ds__filter_mod {
    int64_t divisor;
    int64_t remainder;
} ds__filter_mod;

typedef struct ds__filter_sample {
    double rate;
    uint64_t state;
} ds__filter_sample;

/* State of one match. */
typedef struct ds__match {
    ds__eval *eval;  /* may be NULL */
    ds_meter *meter; /* of eval's env; may be NULL */
    ds_error *err;
    bool failed;  /* err is set; the answer means nothing */
    bool written; /* conditions in the order written */
} ds__match;

/* Whether a document matches a node, and whether one value passes a node's test (no paths, no
 * traversal of arrays). */
bool ds__filter_node(const ds__filter *f, ds_value doc, ds__match *m, ds__match_info *info);
bool ds__filter_test(const ds__filter *f, ds_value v, ds__match *m, ds__match_info *info);
/* Whether a value matches a node whose paths begin with the value itself ("e.x"). */
bool ds__filter_value_node(const ds__filter *f, ds_value v, ds__match *m);

/* Whether to go on after `steps` of work; sets failed when not. */
static inline bool ds__match_step(ds__match *m, int64_t steps) {
    m->failed = m->failed || !ds_meter_step(m->meter, steps, m->err);
    return !m->failed;
}

/* The same for element `i` of an array, whose test is short or counts for itself. */
static inline bool ds__match_element(ds__match *m, size_t i) {
    enum { EVERY = 16 };
    return i % EVERY != EVERY - 1 || ds__match_step(m, EVERY);
}

/* Whether a regex matches a text; what stops it fails the match. Text that is not UTF-8 never
 * matches. */
bool ds__filter_search(ds__regex *regex, const char *text, size_t size, ds__match *m);

/* Tests of the families. */
bool ds__filter_test_compare(const ds__filter *f, ds_value v);
bool ds__filter_test_in(const ds__filter *f, ds_value v, ds__match *m);
bool ds__filter_test_regex(ds_value regex, ds__regex *compiled, ds_value v, ds__match *m);
bool ds__filter_test_type(const ds__filter *f, ds_value v);
bool ds__filter_test_mod(const ds__filter *f, ds_value v);
bool ds__filter_test_bits(const ds__filter *f, ds_value v);
bool ds__filter_test_expr(const ds__filter *f, ds_value doc, ds__match *m);
bool ds__filter_test_sample(const ds__filter *f);
bool ds__filter_test_elem_match(const ds__filter *f, ds_value v, ds__match *m,
                                ds__match_info *info);
/* $jsonSchema: schema_match.c. */
bool ds__schema_match(const void *schema, ds_value doc, ds__match *m);

/* Comparison of numbers without calls: most filters are these. -2: ask ds__filter_test_compare. */
static inline int ds__filter_fast_compare(const ds__filter *f, ds_value v) {
    double x;
    switch (v.type) {
    case DS_INT32:
        x = v.as.i32;
        break;
    case DS_DOUBLE:
        x = v.as.f64;
        break;
    case DS_INT64:
        if (v.as.i64 > (INT64_C(1) << 53) || v.as.i64 < -(INT64_C(1) << 53)) {
            return -2;
        }
        x = (double)v.as.i64;
        break;
    default:
        return -2;
    }
    if (x < f->number) {
        return -1;
    }
    if (x > f->number) {
        return 1;
    }
    return x == f->number ? 0 : -2;
}

#endif
