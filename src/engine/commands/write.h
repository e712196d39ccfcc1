/* SPDX-License-Identifier: Apache-2.0 */
/* What insert, update, delete and findAndModify share: statements, their errors, the reply. */
#ifndef DS_ENGINE_COMMANDS_WRITE_H
#define DS_ENGINE_COMMANDS_WRITE_H

#include "engine/commands/query.h"
#include "engine/commands/retryable.h"
#include "engine/commands/targets.h"
#include "engine/records/records.h"
#include "lang/update/update.h"

/* A batch of write statements on one collection, in one transaction. */
typedef struct ds__write {
    /* borrowed */
    ds__op *op;
    const char *coll_name;
    size_t coll_size;
    const ds__coll *coll; /* NULL: does not exist (yet) */
    /* owned */
    ds_buf errors;   /* elements of writeErrors */
    ds_buf upserted; /* elements of upserted */
    size_t error_count;
    size_t upserted_count;
    ds__retry retry;
    /* plain */
    ds__record_options options;
    int64_t n;
    int64_t modified;
    int32_t index; /* the statement running */
    bool ordered;
    bool own; /* the transaction is this command's */
} ds__write;

/* Begins: transaction, what was done before, collection. A view is found too: statements on it
 * fail. */
bool ds__write_begin(ds__write *w, ds__op *op, ds_error *err);
/* Makes the collection if it is not there. */
bool ds__write_need_coll(ds__write *w, ds_error *err);
/* Takes in a failed statement. False: it fails the whole command. *stop: no more statements. */
bool ds__write_failed(ds__write *w, ds_error *err, bool *stop);
/* Commits (or aborts when !ok) and, when ok, writes n, upserted, writeErrors, nModified. */
bool ds__write_end(ds__write *w, bool ok, bool with_modified, ds_buf *reply, ds_error *err);

/* A number of statements within mongod's limits, and as many ids of them (stmtIds) if there are
 * any; the first one's alone (stmtId) does not go with those. */
bool ds__write_check_count(size_t n, ds_value id, ds_value ids, ds_error *err);

/* Whether the stages of a pipeline update are objects. Errors: TypeMismatch. */
bool ds__write_check_pipeline(ds_value stages, ds_error *err);

/* One statement's compiled parts; memory is the op's arena from `mark` on. */
typedef struct ds__statement {
    /* owned */
    ds_arena scratch;
    ds_arena scan_scratch;
    ds_buf old;     /* the document found */
    ds_buf changed; /* what becomes of it */
    ds_buf fixed;
    /* in the op's arena */
    ds__filter *filter;
    ds__update *update;
    ds__plan *plan;
    const ds__sort_pattern *sort;
    /* plain */
    ds__env env;
    ds__eval eval;
    ds__eval scan_eval;
    ds_arena_mark mark;
} ds__statement;

typedef struct ds__statement_spec {
    ds_value filter;
    ds_value update; /* DS_MISSING: none */
    ds_value array_filters;
    ds_value constants;
    ds_value let;
    ds_value sort;
    ds_value hint;
    bool multi;
    bool upsert;
    bool first; /* one document, the first in the order of `sort` */
} ds__statement_spec;

/* A retryable write changes one document: InvalidOptions for a statement whose option (as
 * "limit=0") says that it may change more. */
bool ds__statement_check_retryable(const ds__write *w, const ds__statement_spec *spec,
                                   const char *option, ds_error *err);
bool ds__statement_compile(ds__write *w, const ds__statement_spec *spec, ds__statement *s,
                           ds_error *err);
void ds__statement_clear(ds__write *w, ds__statement *s);

/* Updates a document; s->old receives what it was, s->changed what it is when *modified. */
bool ds__statement_update(ds__write *w, ds__statement *s, const ds__target *target, bool *found,
                          bool *modified, ds_error *err);
/* Deletes document `rid`; s->old receives what it was. */
bool ds__statement_delete(ds__write *w, ds__statement *s, int64_t rid, bool *found, ds_error *err);
/* Inserts what the update makes of nothing; *doc is the new document. */
bool ds__statement_upsert(ds__write *w, ds__statement *s, ds_value *doc, ds_error *err);

/* All documents of the plan, of a statement for one at most the first, into `out`: zeroed storage,
 * cleared by the caller in any case. */
bool ds__statement_targets(ds__write *w, ds__statement *s, bool multi, ds__targets *out,
                           ds_error *err);

#endif
