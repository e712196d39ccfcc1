/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an explanation, each written into the reply. */
#ifndef DS_ENGINE_COMMANDS_EXPLAINED_H
#define DS_ENGINE_COMMANDS_EXPLAINED_H

#include "engine/commands/query.h"

/* What is explained: a query under a few words about what is done with it. */
typedef struct ds__explained {
    ds__find_request find;
    const char *on_top; /* "UPDATE", "DELETE" or NULL */
    const ds__coll *coll;
} ds__explained;

/* queryPlanner. */
bool ds__explain_planner(ds__cursor *cursor, const ds__explained *explained, ds_buf *reply,
                         ds_error *err);
/* Runs the plan, and writes executionStats; `all`: with allPlansExecution. */
bool ds__explain_execution(ds__cursor *cursor, const ds__explained *explained, bool all,
                           ds_buf *reply, ds_error *err);
/* command and serverInfo. */
void ds__explain_tail(ds__op *op, ds_value command, ds_buf *reply);

#endif
