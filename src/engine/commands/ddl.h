/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands on collections and indexes share. */
#ifndef DS_ENGINE_COMMANDS_DDL_H
#define DS_ENGINE_COMMANDS_DDL_H

#include "engine/records/ddl.h"
#include "engine/commands/reply.h"
#include "engine/commands/request.h"

/* The collection or view the command names; NULL when it does not exist. Errors: its name. */
bool ds__ddl_find(ds__op *op, const ds__coll **out, const char **name, ds_error *err);

/* CommandNotSupportedOnView. */
bool ds__ddl_refuse_view(const ds__coll *coll, ds_error *err);

/* The reply of a listing, all in one batch: {cursor: {id: 0, ns, firstBatch: [...]}}, in the order
 * of fields mongod has here. */
typedef struct ds__list_batch {
    ds_buf *reply;
    size_t cursor;
    size_t array;
    size_t count;
} ds__list_batch;
void ds__list_begin(ds__list_batch *batch, ds_buf *reply, const char *ns);
void ds__list_add(ds__list_batch *batch, ds_value doc);
void ds__list_end(ds__list_batch *batch);
/* Its argument cursor, {batchSize}: everything comes in one batch whatever it says. */
bool ds__list_check_cursor(ds_value cursor, const char *command, ds_error *err);

/* A whole number the way mongod's appendNumber writes it: int, double or long by size. */
void ds__ddl_write_number(ds_buf *out, const char *name, int64_t v);

/* Checks the options create and collMod share: validator (must compile), validationLevel,
 * validationAction; DS_MISSING passes. */
bool ds__ddl_check_validation(ds__op *op, const char *coll, ds_value validator, ds_value level,
                              ds_value action, ds_error *err);

/* Checks changeStreamPreAndPostImages. */
bool ds__ddl_check_pre_images(ds_value v, ds_error *err);

/* Checks a view's definition: the pipeline compiles and does not write, no cycle. */
bool ds__ddl_check_view(ds__op *op, const char *name, ds_value view_on, ds_value pipeline,
                        ds_error *err);

#endif
