/* SPDX-License-Identifier: Apache-2.0 */
/* Savepoints by name, in transactions that were begun with `savepoints: true`. */
#ifndef DS_ENGINE_COMMANDS_SAVEPOINT_H
#define DS_ENGINE_COMMANDS_SAVEPOINT_H

#include "engine/op.h"

enum { DS_SAVEPOINT_NAME_SIZE = 64 };

typedef struct ds__named_savepoint {
    char name[DS_SAVEPOINT_NAME_SIZE];
    int number; /* of ds__txn_savepoint */
} ds__named_savepoint;

/* Those of one transaction, the outermost first. Zero-initialise to start. */
typedef struct ds__savepoints {
    /* owned */
    ds__named_savepoint *items;
    /* plain */
    size_t count;
    size_t cap;
    int statement; /* the running command's own; 0: none */
} ds__savepoints;

void ds__savepoints_clear(ds__savepoints *points);

/* Every command that writes is atomic by itself in such a transaction: what it wrote is undone when
 * it fails, and the transaction goes on. `begin` comes before the command; `end` keeps or undoes,
 * and returns false when the transaction can only be aborted. */
bool ds__statement_begin(ds__op *op, ds__savepoints *points, ds_error *err);
bool ds__statement_end(ds__op *op, ds__savepoints *points, bool keep);

/* The savepoints of the running command's transaction; NULL when it has none. session.c. */
ds__savepoints *ds__session_savepoints(ds__op *op);

#endif
