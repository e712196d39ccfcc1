/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from a change. Every insert, replace and delete of a document goes through one
 * function (records.c) and every change of the catalog through another (ddl.c); both then tell the
 * observers listed in observe.c, inside the transaction, after keys and rows are as they shall be.
 * An observer that fails loses the transaction. A log of changes is one more row of that list: what
 * it writes into a table is undone with the transaction and its savepoints by itself, and what it
 * keeps in memory goes beside the counts into the records' part of a transaction (internal.h). */
#ifndef DS_ENGINE_RECORDS_OBSERVE_H
#define DS_ENGINE_RECORDS_OBSERVE_H

#include "engine/catalog/catalog.h"

/* One document's change. */
typedef struct ds__change {
    const ds__coll *coll;
    int64_t rid;
    ds_value before; /* DS_MISSING: an insert */
    ds_value after;  /* DS_MISSING: a delete */
} ds__change;

typedef enum ds__ddl_kind {
    DS_DDL_CREATE,
    DS_DDL_DROP,
    DS_DDL_RENAME,
    DS_DDL_SET_OPTIONS,
    DS_DDL_ADD_INDEX,
    DS_DDL_DROP_INDEX,
    DS_DDL_SET_INDEX
} ds__ddl_kind;

/* One change of what exists. */
typedef struct ds__ddl {
    ds__ddl_kind kind;
    const ds__coll *coll;   /* as it was; NULL when it is made */
    const ds__index *index; /* dropped or set */
    const char *db;         /* create, rename: its new name */
    const char *name;
    ds_value spec; /* options, or an index's spec */
} ds__ddl;

typedef struct ds__observer {
    bool (*wrote)(ds__txn *txn, const ds__change *write, ds_error *err);
    /* All documents went at once, unseen. Who has to see each leaves it NULL: they are then deleted
     * one by one. */
    bool (*cleared)(ds__txn *txn, const ds__coll *coll, int64_t documents, int64_t bytes,
                    ds_error *err);
    /* `after` is the collection now; NULL when it was dropped. */
    bool (*changed)(ds__txn *txn, const ds__ddl *ddl, const ds__coll *after, ds_error *err);
} ds__observer;

bool ds__observe_change(ds__txn *txn, const ds__change *write, ds_error *err);
bool ds__observe_clear(ds__txn *txn, const ds__coll *coll, int64_t documents, int64_t bytes,
                       ds_error *err);
bool ds__observe_ddl(ds__txn *txn, const ds__ddl *ddl, const ds__coll *after, ds_error *err);
/* Whether all documents of a collection may go at once. */
bool ds__observe_can_clear(void);

#endif
