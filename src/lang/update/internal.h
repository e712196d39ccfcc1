/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of updates. Compiling merges all operators into one tree of paths, which decides
 * conflicts and the order of application. Applying visits the tree in that order and plans changes
 * (ds__change); the new document is then written once, unchanged elements as raw bytes. */
#ifndef DS_LANG_UPDATE_INTERNAL_H
#define DS_LANG_UPDATE_INTERNAL_H

#include "bson/compare.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/path.h"
#include "bson/writer.h"
#include "lang/pipeline/pipeline.h"
#include "lang/update/update.h"

enum {
    DS_UPDATE_PATH_TEXT = 512,      /* bytes of a path in a message */
    DS_UPDATE_MAX_PADDING = 1500000 /* nulls put before a new array element */
};

typedef enum ds__update_node_kind {
    DS_NODE_OBJECT, /* children by field name or array position */
    DS_NODE_ARRAY,  /* children by array filter: `$[]`, `$[id]` */
    DS_NODE_LEAF    /* an operator */
} ds__update_node_kind;

typedef struct ds__update_op ds__update_op;
typedef struct ds__update_node ds__update_node;
struct ds__update_node {
    ds__update_node_kind kind;
    const char *name; /* within its parent; the identifier under an ARRAY node ("" for `$[]`) */
    uint32_t name_size;
    int64_t index; /* the array position the name says, or -1 */
    /* OBJECT and ARRAY */
    ds__update_node **children; /* in the order of application */
    size_t count;
    size_t cap;
    ds__update_node *positional; /* OBJECT: the child `$` */
    const ds__filter *filter;    /* child of an ARRAY node: its array filter; NULL for `$[]` */
    /* LEAF */
    const ds__update_op *op;
    const ds__path *path; /* as written */
    ds_value arg;
    void *detail; /* the operator's own compiled state */
};

/* What happens to one element of a document or array. */
typedef enum ds__change_kind {
    DS_CHANGE_KEEP,
    DS_CHANGE_REMOVE,
    DS_CHANGE_SET,   /* value */
    DS_CHANGE_NEST,  /* value (document, array or missing: created) with children changed */
    DS_CHANGE_LIST,  /* an array of items */
    DS_CHANGE_APPEND /* the array value, then items */
} ds__change_kind;

typedef struct ds__change ds__change;
struct ds__change {
    ds__change_kind kind;
    const char *name;
    uint32_t name_size;
    int64_t index;
    const uint8_t *element; /* where it stands in the parent; NULL: new */
    size_t element_size;
    ds_value value;
    ds__change *children; /* NEST: those that exist by place, then the new ones in order */
    size_t child_count;
    size_t existing_count;
    ds_value *items;
    size_t item_count;
};

/* The path taken so far, from the innermost part outwards. */
typedef struct ds__update_frame {
    const struct ds__update_frame *parent;
    const char *name;
    uint32_t name_size;
    bool in_array; /* the part is a position in an array */
} ds__update_frame;

/* One application to one document. */
typedef struct ds__update_run {
    /* borrowed */
    ds__eval *eval;
    ds_arena *arena;
    /* plain */
    ds_value root;
    bool insert; /* an upsert's new document */
    bool has_position;
    char position[16];
    uint32_t position_size;
    int64_t position_index;
} ds__update_run;

typedef struct ds__update_parser {
    ds__env *env;
    ds__update *update;
    ds_value spec;
} ds__update_parser;

struct ds__update_op {
    const char *name; /* "$set" */
    /* Checks leaf->arg and fills leaf->detail. NULL: anything goes. */
    bool (*parse)(ds__update_parser *p, ds__update_node *leaf, ds_error *err);
    /* Plans the change of one value; `old` is missing when the path does not exist. */
    bool (*apply)(const ds__update_node *leaf, ds__update_run *run, const ds__update_frame *at,
                  ds_value old, ds__change *change, ds_error *err);
    /* Tells that nothing is to be done at all. NULL: never. */
    bool (*idle)(const ds__update_node *leaf, ds__update_run *run, bool *idle, ds_error *err);
    bool creates; /* makes paths that do not exist */
    bool lenient; /* a path that cannot exist is no error */
};

typedef struct ds__update_array_filter {
    const char *identifier;
    const ds__filter *filter;
    bool used;
} ds__update_array_filter;

struct ds__update {
    ds__update_kind kind;
    ds__env *env;
    /* OPERATORS */
    ds__update_node *root;
    ds__path *paths;
    size_t path_count;
    size_t path_cap;
    ds__update_array_filter *array_filters;
    size_t array_filter_count;
    /* REPLACE */
    ds_value replacement;
    /* PIPELINE */
    ds__pipeline *pipeline;
    uint32_t *constant_slots;
    ds_value *constants;
    size_t constant_count;
};

/* Tables of the families; each ends with a row whose name is NULL. parse.c joins them. */
extern const ds__update_op ds__update_ops_set[];
extern const ds__update_op ds__update_ops_arith[];
extern const ds__update_op ds__update_ops_array_add[];
extern const ds__update_op ds__update_ops_array_remove[];
/* The source of a $rename: keeps its path reserved and removes the field. */
extern const ds__update_op ds__update_op_rename_source;

/* tree.c */
typedef enum ds__part_kind { DS_PART_NAME, DS_PART_POSITIONAL, DS_PART_FILTER } ds__part_kind;
ds__part_kind ds__update_part_kind(const ds__path_part *part);
/* Adds the leaf at its path. Errors: ConflictingUpdateOperators; BadValue for array filters. */
bool ds__update_tree_add(ds__update_parser *p, ds__update_node *leaf, ds_error *err);
ds__update_node *ds__update_node_new(ds_arena *arena, ds__update_node_kind kind, const char *name,
                                     uint32_t name_size);
/* A tree with the children of both. Errors: ConflictingUpdateOperators at the path taken. */
bool ds__update_merge(ds_arena *arena, const ds__update_node *a, const ds__update_node *b,
                      const ds__update_frame *at, ds__update_node **out, ds_error *err);

/* visit.c: plans the changes of all operators below `node` on the value `old`. */
bool ds__update_visit(const ds__update_node *node, ds__update_run *run, const ds__update_frame *at,
                      ds_value old, ds__change *change, ds_error *err);

/* write.c: writes the root document with its changes. Errors: Overflow for nesting. */
bool ds__update_write(ds_value root, const ds__change *change, ds_buf *out, ds_error *err);
/* Checks a top level made anew or changed. Names beginning with `$` are refused but for a DBRef's
 * $ref, $id, $db in that order (`before` and `after` are the neighbours' names or NULL); _id may be
 * no array, regex or undefined, nor hold `$` names. */
bool ds__update_check_dollar(const char *name, uint8_t type, const char *before, const char *after,
                             ds_error *err);
bool ds__update_check_id(ds_value id, ds_error *err);
bool ds__update_check_names(ds_value doc, ds_error *err);
bool ds__update_check_size(const ds_buf *out, ds_error *err);

/* replace.c */
bool ds__update_apply_replace(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                              bool *modified, ds_error *err);
/* The document with `id` (missing: none) in front in place of its own _id. With `env` a top-level
 * Timestamp(0, 0) becomes the present time. */
void ds__update_write_id_first(ds_value doc, ds_value id, const ds__env *env, ds_buf *out);
/* Errors when _id became an array (NotSingleValueField) or another value (ImmutableField). */
bool ds__update_check_altered(ds_value old_id, ds_value new_id, ds_error *err);
/* pipeline.c */
bool ds__update_compile_pipeline(ds__env *env, const ds__update_spec *spec, ds__update *update,
                                 ds_error *err);
bool ds__update_apply_pipeline(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                               bool *modified, ds_error *err);
/* Runs the stages without looking at _id. */
bool ds__update_run_pipeline(const ds__update *update, ds_value doc, ds__eval *eval, ds_buf *out,
                             ds_error *err);
/* operators.c: runs the operators; `*modified` tells whether out was written. */
bool ds__update_run_operators(const ds__update *update, ds__update_run *run, ds_buf *out,
                              bool *modified, ds_error *err);

/* Whether two values are the same bytes and type. */
bool ds__update_same(ds_value a, ds_value b);
/* The position a name says ("0", "12", "03"), or -1. */
int64_t ds__update_index_of(const char *name, size_t size);
/* The path taken as text, in `out` of DS_UPDATE_PATH_TEXT bytes; returns it. */
const char *ds__update_path_text(const ds__update_frame *at, char *out);
/* "name: value" of the document's _id, as messages show it. */
const char *ds__update_id_text(const ds__update_run *run, char *out, size_t size);
/* All elements of an array, in the arena, with room for `more`. NULL: memory. */
ds_value *ds__update_items(ds_arena *arena, ds_value array, size_t more, size_t *count);
static inline void ds__change_list(ds__change *change, ds_value *items, size_t count) {
    change->kind = DS_CHANGE_LIST;
    change->items = items;
    change->item_count = count;
}
static inline void ds__change_set(ds__change *change, ds_value v) {
    change->kind = DS_CHANGE_SET;
    change->value = v;
}

#endif
