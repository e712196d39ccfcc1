/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregation pipelines: a chain of stages that pull documents from one another. The first pulls
 * from a source, which the engine makes. */
#ifndef DS_LANG_PIPELINE_PIPELINE_H
#define DS_LANG_PIPELINE_PIPELINE_H

#include "base/buf.h"
#include "lang/env.h"
#include "lang/filter/filter.h"
#include "lang/projection/projection.h"

/* A stream of documents. A row's Lifetime: until the next call on the source. */
typedef struct ds__source ds__source;
struct ds__source {
    /* DS_NEXT_ROW, DS_NEXT_END or DS_NEXT_ERROR. */
    ds_next (*next)(ds__source *self, ds_value *doc, ds_error *err);
    /* Releases storage positions between batches; the next call to next() takes them up again.
     * The last row may be lost. NULL: nothing to release. */
    void (*pause)(ds__source *self);
    void (*close)(ds__source *self);
    /* Beside the document given last; NULL: the source has no such things. A collection's fills
     * what env->wanted_meta asks for when it is opened. */
    const ds__meta *meta;
};

/* What stages that read or write other collections ask of the engine. Passed in
 * env->pipeline_host. Every function may be called while a source is open. */
typedef struct ds__pipeline_host ds__pipeline_host;
struct ds__pipeline_host {
    const char *db;   /* the command's database */
    const char *coll; /* the command's collection, "" for database pipelines ({aggregate: 1}) */
    /* Documents of a collection that match `filter` (NULL: all; the engine plans it); a collection
     * that does not exist is empty; a view runs its pipeline. `filter` was compiled with `env`. */
    bool (*open)(const ds__pipeline_host *self, ds__env *env, const char *db, const char *coll,
                 const ds__filter *filter, ds__source **out, ds_error *err);
    /* Runs an internal command for $out / $merge (insert, update, renameCollection, drop …) within
     * the same operation; `reply` is the command's reply, ok: 0 included. */
    bool (*run)(const ds__pipeline_host *self, const char *db, ds_value command, ds_buf *reply,
                ds_error *err);
    /* What $collStats, $indexStats and the like give: `request` is the stage as written
     * ({$collStats: {…}}). Writes one document for $collStats, an array of documents for others. */
    bool (*stats)(const ds__pipeline_host *self, const char *db, const char *coll, ds_value request,
                  ds_buf *out, ds_error *err);
    /* Whether an equality on `path` of a collection would use an index. NULL: never; $lookup then
     * reads the other collection once into a hash table. */
    bool (*indexed)(const ds__pipeline_host *self, const char *db, const char *coll,
                    const char *path);
};

typedef struct ds__pipeline ds__pipeline;

typedef struct ds__pipeline_options {
    bool allow_disk_use;
    bool from_update; /* a pipeline update: only $addFields/$set, $project/$unset,
                       * $replaceRoot/$replaceWith */
    bool in_lookup;   /* a sub-pipeline: $out and $merge refused */
    bool in_facet;
    const ds__var_scope *scope;
    size_t memory; /* of one $group or $sort before it spills; 0: DS_MAX_GROUP_BYTES */
    int depth;     /* of sub-pipelines in sub-pipelines; 0 from outside */
} ds__pipeline_options;

/* Whether everything that is to be a stage, in sub-pipelines too, has the form and the name of one:
 * what a command says before it is begun. Errors: TypeMismatch, FailedToParse, 40169 to 40171,
 * 40323, 40324. */
bool ds__pipeline_check_form(ds_value stages, ds_error *err);
/* That, and whether no stage is one that a transaction of several commands refuses: wherever it
 * stands. Errors: OperationNotSupportedInTransaction. */
bool ds__pipeline_check_in_transaction(ds_value stages, ds_error *err);

/* Compiles the stages of an array, optimised. Lives in env->arena; clear after use (spill files).
 * Errors: 40323, 40324 (unrecognised stage), … */
bool ds__pipeline_compile(ds__env *env, ds_value stages, const ds__pipeline_options *options,
                          ds__pipeline **out, ds_error *err);

/* The part of the pipeline an engine can take over: leading $match (as one filter), then, if they
 * follow, a $sort pattern, skip and limit. Those stages are removed when taken. */
typedef struct ds__pipeline_head {
    ds__filter *filter; /* NULL: none */
    ds_value filter_spec;
    ds_value sort; /* document or DS_MISSING: only right after the match */
    int64_t skip;  /* 0: none */
    int64_t limit; /* 0: none */
} ds__pipeline_head;
bool ds__pipeline_take_head(ds__pipeline *pipeline, ds__env *env, bool take_sort,
                            ds__pipeline_head *out, ds_error *err);

/* Whether the first stage makes its own documents ($documents, $collStats, …). */
bool ds__pipeline_has_own_source(const ds__pipeline *pipeline);
/* Whether the last stage writes ($out, $merge). */
bool ds__pipeline_writes(const ds__pipeline *pipeline);
/* No stages left: the source's documents pass unchanged. */
bool ds__pipeline_is_empty(const ds__pipeline *pipeline);

/* Starts running on `source` (owned by the pipeline from now on; NULL when has_own_source). */
bool ds__pipeline_start(ds__pipeline *pipeline, ds__source *source, ds__eval *eval, ds_error *err);
/* Lifetime of *doc: until the next call. */
ds_next ds__pipeline_next(ds__pipeline *pipeline, ds_value *doc, ds_error *err);
/* Between batches. */
void ds__pipeline_pause(ds__pipeline *pipeline);
/* Closes the source, frees hash tables and spill files. */
void ds__pipeline_close(ds__pipeline *pipeline);

/* The stages as explain shows them. */
void ds__pipeline_print(const ds__pipeline *pipeline, ds_buf *out);

/* Runs a pipeline update on one document: `out` receives the result. */
bool ds__pipeline_apply(ds__pipeline *pipeline, ds_value doc, ds__eval *eval, ds_buf *out,
                        ds_error *err);

#endif
