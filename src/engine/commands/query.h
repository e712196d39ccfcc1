/* SPDX-License-Identifier: Apache-2.0 */
/* What find, count, distinct, the writes and explain share: from arguments to a compiled query. */
#ifndef DS_ENGINE_COMMANDS_QUERY_H
#define DS_ENGINE_COMMANDS_QUERY_H

#include "engine/commands/cursor.h"
#include "engine/commands/let.h"
#include "engine/commands/request.h"

/* The collection or view a command addresses. *out is NULL when there is none. */
bool ds__op_find_coll(ds__op *op, const char *name, size_t size, const ds__coll **out);

/* Compiles a sort, {x: {$meta: …}} too, for a query of a collection: there nothing is beside
 * documents that could order them, so `*plan` is without such parts (NULL: no order), and `*key`
 * the whole, by which sort keys are made. */
bool ds__query_sort(ds__env *env, ds_value spec, const ds__sort_pattern **plan,
                    const ds__sort_pattern **key, ds_error *err);

/* {_id: value} with a value that is no operator: answered by a point read. */
bool ds__query_is_id(ds_value filter, ds_value *id);

/* Only {locale: "simple"} and {} mean no collation; others are NotImplemented. */
bool ds__check_collation(ds_value collation, ds_error *err);

/* readConcern levels and writeConcern are looked at by the door; a hint's type here. */
bool ds__check_hint(ds_value hint, ds_error *err);

/* Evals of a cursor after everything is compiled. */
bool ds__cursor_prepare(ds__cursor *cursor, const ds__let *let, ds_error *err);

/* Arguments of find, and how a find becomes a plan in a cursor. */
typedef struct ds__find_request {
    const char *coll;
    size_t coll_size;
    ds_value filter;
    ds_value sort;
    ds_value projection;
    ds_value hint;
    ds_value min;
    ds_value max;
    ds_value let;
    int64_t skip;
    int64_t limit;
    int64_t batch_size; /* -1: the default */
    bool single_batch;
    bool no_timeout;
    bool allow_disk;
    bool return_key;
    bool show_record_id;
    bool natural_sort;        /* `sort` was {$natural: …}, a hint now */
    bool explain;             /* the plan is wanted */
    bool count;               /* only how many */
    const ds__path *distinct; /* only the values of a path; NULL: the documents */
} ds__find_request;

bool ds__find_parse(ds__op *op, ds_value command, ds__find_request *out, ds_error *err);
/* Compiles into the cursor and opens its execution; op->txn must be there. */
bool ds__find_plan(ds__op *op, ds__cursor *cursor, const ds__coll *coll,
                   const ds__find_request *request, ds_error *err);

#endif
