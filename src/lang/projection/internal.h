/* SPDX-License-Identifier: Apache-2.0 */
/* The path tree of projections. A node is a document's fields; a field is a leaf with a rule or has
 * a node of its own. */
#ifndef DS_LANG_PROJECTION_INTERNAL_H
#define DS_LANG_PROJECTION_INTERNAL_H

#include "base/limits.h"
#include "bson/json.h"
#include "bson/number.h"
#include "bson/writer.h"
#include "lang/projection/projection.h"

typedef enum ds__project_rule {
    DS_RULE_NODE,
    DS_RULE_INCLUDE,
    DS_RULE_EXCLUDE,
    DS_RULE_COMPUTE,
    DS_RULE_SLICE,
    DS_RULE_ELEM_MATCH
} ds__project_rule;

typedef struct ds__project_node ds__project_node;

typedef struct ds__project_field {
    const char *name;
    uint32_t size;
    ds__project_rule rule;
    bool positional;        /* the first array on the way down here keeps one element */
    ds__project_node *node; /* NODE */
    ds__expr *expr;         /* COMPUTE */
    ds__filter *match;      /* ELEM_MATCH: {field: {$elemMatch: …}} */
    int64_t skip;           /* SLICE: negative counts from the end */
    int64_t limit;
} ds__project_field;

struct ds__project_node {
    ds__project_field *fields; /* in the order of the specification */
    size_t count;
    size_t cap;
    bool computed; /* a COMPUTE or ELEM_MATCH here or below */
};

typedef enum ds__project_mode {
    DS_MODE_UNKNOWN,
    DS_MODE_INCLUDE,
    DS_MODE_EXCLUDE, /* $addFields too: all fields stay unless a rule says otherwise */
} ds__project_mode;

struct ds__projection {
    ds__project_node root;
    ds__project_mode mode;
    ds__projection_kind kind;
    const ds__filter *filter; /* borrowed: where `$` points */
    bool positional;
    bool special; /* has $slice, $elemMatch, `$` */
};

/* State of compiling. */
typedef struct ds__project_compiler {
    ds__env *env;
    const ds__var_scope *scope;
    ds__projection *projection;
    int depth;
    bool has_slice;
    bool has_elem_match;
    bool has_meta;
    bool id_included; /* "_id": 1, which fits either mode */
    bool id_excluded;
} ds__project_compiler;

enum {
    DS_PATH_COLLISION_BELOW = 31249, /* "a" then "a.b" */
    DS_PATH_COLLISION = 31250,       /* "a.b" then "a" */
    DS_ADD_FIELDS_CONFLICT = 40176
};

/* Checks a dotted field path as aggregation does. Errors: 40352, 40353, 15998, 16410, 16411. */
bool ds__project_check_path(const char *path, size_t size, ds_error *err);
/* Adds a leaf at a path; `*out` is to be filled in by the caller with its rule. Errors: collisions.
 */
bool ds__project_add(ds__project_compiler *c, const char *path, size_t size, ds__project_rule rule,
                     bool positional, ds__project_field **out, ds_error *err);
/* `parent`.`name` (or `name` when parent is empty) in the arena; NULL without memory. */
const char *ds__project_join(ds__project_compiler *c, const char *parent, const char *name);

bool ds__project_parse_spec(ds__project_compiler *c, ds_value spec, ds_error *err);
bool ds__project_parse_add_fields(ds__project_compiler *c, ds_value spec, ds_error *err);
bool ds__project_parse_unset(ds__project_compiler *c, ds_value spec, ds_error *err);

static inline ds__project_field *ds__project_find(const ds__project_node *node, const char *name,
                                                  size_t size) {
    for (size_t i = 0; i < node->count; i++) {
        if (node->fields[i].size == size && memcmp(node->fields[i].name, name, size) == 0) {
            return &node->fields[i];
        }
    }
    return NULL;
}

#endif
