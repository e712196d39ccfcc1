/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of pipelines: what a stage is, the table of stages, what stage files share. A stage
 * is a row in one table (name, parse); compiling, running and optimising know no stage by name. */
#ifndef DS_LANG_PIPELINE_INTERNAL_H
#define DS_LANG_PIPELINE_INTERNAL_H

#include "base/limits.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "lang/expr/expr.h"
#include "lang/pipeline/pipeline.h"
#include "lang/pipeline/sort.h"

typedef struct ds__stage ds__stage;
typedef struct ds__stage_parser ds__stage_parser;

/* What the optimiser and the engine may know of a stage. */
typedef enum ds__stage_kind {
    DS_STAGE_OTHER,
    DS_STAGE_MATCH,
    DS_STAGE_SORT,
    DS_STAGE_SKIP,
    DS_STAGE_LIMIT,
    DS_STAGE_OWN_SOURCE, /* makes its own documents: must be first */
    DS_STAGE_WRITER      /* $out, $merge: must be last */
} ds__stage_kind;

typedef void (*ds__add_path_fn)(void *ctx, const ds__path *path);

/* How a stage behaves. Functions marked optional may be NULL. */
typedef struct ds__stage_ops {
    const char *name;
    /* Makes the running state; may be called again after stop. Optional. */
    bool (*start)(ds__stage *stage, ds_error *err);
    /* Lifetime of *doc: until the next call on this stage. */
    ds_next (*next)(ds__stage *stage, ds_value *doc, ds_error *err);
    /* Frees the running state. Optional; also called when start failed or never ran. */
    void (*stop)(ds__stage *stage);
    /* Whether a filter on `path` gives the same before the stage as after it. Optional: never. */
    bool (*keeps_path)(const ds__stage *stage, const ds__path *path);
    /* Between batches: releases storage positions. Optional. */
    void (*pause)(ds__stage *stage);
    ds__stage_kind kind;
} ds__stage_ops;

/* Embedded first in every stage's own struct, which lives in env->arena. */
struct ds__stage {
    /* borrowed */
    const ds__stage_ops *ops;
    ds__stage *prev; /* where documents come from; NULL for the source itself */
    ds__stage *following;
    ds__pipeline *pipeline;
    ds__env *env;
    ds__eval *eval; /* while running */
    ds_value spec;  /* {$name: argument} as explain shows it */
    /* plain */
    ds__filter *filter;       /* MATCH */
    ds__sort_pattern pattern; /* SORT */
    int64_t amount;           /* SKIP, LIMIT: documents; SORT: limit taken over, or 0 */
    bool is_inclusion;        /* a $project: where it is first, it sees what find's would */
    uint32_t wanted_meta;     /* bits of ds__meta_kind its expressions ask for */
};

struct ds__pipeline {
    /* borrowed */
    ds__env *env;
    ds__eval *eval;
    const ds__var_scope *scope;
    /* owned while running */
    ds__source *source;
    /* plain */
    ds__stage head; /* the source as a stage; head.following is the first real one */
    ds__stage *last;
    size_t count;
    size_t memory; /* of one stage before it spills */
    bool allow_disk;
    bool running;
    bool took_more;  /* the engine took over more than filters */
    bool has_meta;   /* something in the command asks what is beside documents */
    bool keeps_rids; /* the first stage may know them */
    ds__meta meta;   /* beside the document that passes now, when has_meta */
};

struct ds__stage_parser {
    ds__env *env;
    const ds__pipeline_options *options;
    const ds__var_scope *scope;
    ds__pipeline *pipeline;
    ds_value spec; /* the stage document being parsed */
    size_t position;
    bool is_last;
    int nesting; /* levels deeper than common, of the stages so far */
};

/* Whether a stage may not stand in a transaction, and in which of mongod's words. */
typedef enum ds__stage_refusal {
    DS_STAGE_ALLOWED,
    DS_STAGE_REFUSED_SOURCE,
    DS_STAGE_REFUSED_WRITE,
    DS_STAGE_REFUSED_COMMAND
} ds__stage_refusal;

typedef struct ds__stage_def {
    const char *name; /* "$match" */
    /* Parses the argument and appends one or more stages. */
    bool (*parse)(ds__stage_parser *p, ds_value arg, ds_error *err);
    bool in_update; /* allowed in a pipeline update */
    bool not_in_facet;
    bool must_be_first;
    bool must_be_last;
    ds__stage_refusal in_transaction; /* of several commands */
} ds__stage_def;

/* The table of stages; ends with a row whose name is NULL. */
extern const ds__stage_def ds__stage_defs[];

/* The row of a stage's specification {$name: argument}; `it` is at the argument. NULL:
 * TypeMismatch, 40323, 40324. form.c. */
const ds__stage_def *ds__stage_read(ds_value spec, ds__iter *it, ds_error *err);
/* What is wrong with an argument at first sight. */
bool ds__facet_check_form(ds_value arg, ds_error *err);
bool ds__lookup_check_form(ds_value arg, ds_error *err);
bool ds__union_check_form(ds_value arg, ds_error *err);

/* Appends a stage of `size` bytes (zeroed, ops set). NULL: memory, err set. */
void *ds__stage_add(ds__stage_parser *p, size_t size, const ds__stage_ops *ops, ds_error *err);

/* Says that it was this stage when a limit stopped it. Always DS_NEXT_ERROR. */
ds_next ds__stage_failed(const ds__stage *stage, ds_error *err);
/* What a document costs when it passes a stage, in the meter's steps. */
static inline int64_t ds__stage_steps(uint32_t size) {
    return 8 + size / DS_METER_STEP_BYTES;
}
/* The next document of the stage before. Every document that passes is counted, and now and then
 * the operation asks whether to go on. */
static inline ds_next ds__stage_pull(ds__stage *stage, ds_value *doc, ds_error *err) {
    ds__stage *prev = stage->prev;
    ds_next next = prev->ops->next(prev, doc, err);
    if (next == DS_NEXT_ROW && ds__env_step(stage->env, ds__stage_steps(doc->size), err)) {
        return next;
    }
    return next == DS_NEXT_END ? next : ds__stage_failed(prev, err);
}
/* Evaluates on `doc`; the result lives in the scratch arena until the caller's mark. */
static inline bool ds__stage_eval(ds__stage *stage, const ds__expr *expr, ds_value doc,
                                  ds_value *out, ds_error *err) {
    stage->eval->slots[DS_VAR_ROOT] = doc;
    return ds__expr_eval(expr, stage->eval, out, err);
}
/* Counts work of the stage's own, about that of a document; whether to go on. */
static inline bool ds__stage_tick(ds__stage *stage, ds_error *err) {
    return ds__env_step(stage->env, ds__stage_steps(0), err);
}

/* What is beside documents passes a stage untouched when each document comes out before the next is
 * read. A stage that keeps documents packs it with each and puts it back; one that makes documents
 * of its own forgets it. */
void ds__stage_pack_meta(const ds__stage *stage, ds_buf *out);
/* The same as the element "m" of a document that is written. */
void ds__stage_write_meta(const ds__stage *stage, ds_buf *out);
void ds__stage_unpack_meta(ds__stage *stage, ds_value packed);
void ds__stage_forget_meta(ds__stage *stage);
/* Whether a stage that sorts stands where the engine could: then its sort keys are known. */
bool ds__stage_gives_sort_keys(const ds__stage *stage);

/* Compiles a sub-pipeline of a stage ($lookup, $facet, $unionWith). */
bool ds__stage_compile_sub(ds__stage_parser *p, ds_value stages, const ds__var_scope *scope,
                           bool in_facet, ds__pipeline **out, ds_error *err);
/* A scope with one more variable, and its slot. NULL: memory. */
const ds__var_scope *ds__scope_add(ds__env *env, const ds__var_scope *parent, const char *name,
                                   size_t size, uint32_t *slot);
/* Whether the stage is a $group: nobody behind it sees a document that it was given. Then calls
 * `add` for each path that it reads, with NULL when it may read all. */
bool ds__group_reads(const ds__stage *stage, ds__add_path_fn add, void *ctx);
/* Whether two paths overlap: one is the other or a parent of it. */
bool ds__paths_overlap(const ds__path *a, const ds__path *b);
/* Merges, swaps and fuses neighbours. */
bool ds__pipeline_optimize(ds__pipeline *pipeline, ds_error *err);
/* Takes a stage out of the chain. */
void ds__stage_unlink(ds__stage *stage);

/* Bounds of $bucket, ascending; values outside go to fallback (missing: an error). */
typedef struct ds__buckets {
    const ds_value *bounds;
    size_t count;
    ds_value fallback;
} ds__buckets;

/* Stages other stages are made of. */
bool ds__stage_add_buckets(ds__stage_parser *p, ds_value group, const ds__buckets *buckets,
                           ds_error *err);
/* Parses a document built in `buf` with `parse` as if it stood in the pipeline. */
bool ds__stage_add_built(ds__stage_parser *p, ds_buf *buf,
                         bool (*parse)(ds__stage_parser *p, ds_value arg, ds_error *err),
                         ds_error *err);

/* The value at `path` when it is reached through documents only (*simple true), as expressions see
 * it; an array on the way sets *simple to false. */
static inline ds_value ds__simple_path(ds_value doc, const ds__path *path, bool *simple) {
    ds_value v = doc;
    for (uint32_t i = 0; i < path->count; i++) {
        if (v.type != DS_DOCUMENT) {
            *simple = v.type != DS_ARRAY;
            return ds__missing();
        }
        ds_value sub;
        ds__doc_get(v, path->parts[i].name, path->parts[i].size, &sub);
        v = sub;
    }
    *simple = true;
    return v;
}

/* Spilled documents: an unlinked temporary file written once, then read from any offset. */
typedef struct ds__spill {
    int fd; /* -1: closed */
    uint64_t size;
    ds_buf out;
} ds__spill;
bool ds__spill_open(ds__spill *spill, ds_error *err);
bool ds__spill_write(ds__spill *spill, const void *bytes, size_t size, ds_error *err);
bool ds__spill_flush(ds__spill *spill, ds_error *err);
/* Reads exactly `size` bytes at `at`. */
bool ds__spill_read(const ds__spill *spill, uint64_t at, void *bytes, size_t size, ds_error *err);
void ds__spill_close(ds__spill *spill);

/* Writes `doc` to `out` (a root document) with the value at `path` set, or removed when missing. */
void ds__stage_write_with(ds_buf *out, ds_value doc, const ds__path *path, ds_value value);
/* A path as aggregation accepts field paths: 40352, 40353, 15998, 16410. */
bool ds__stage_field_path(ds_arena *arena, const char *text, size_t size, ds__path *out,
                          ds_error *err);
/* Shared by stages that take whole numbers: the argument as int64, or false. */
bool ds__stage_integer(ds_value v, int64_t *out);

#endif
