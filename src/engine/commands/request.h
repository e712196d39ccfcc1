/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of commands: a table of fields with types, checked with mongod's errors. */
#ifndef DS_ENGINE_COMMANDS_REQUEST_H
#define DS_ENGINE_COMMANDS_REQUEST_H

#include "engine/op.h"

typedef enum ds__arg_kind {
    DS_ARG_ANY,
    DS_ARG_OBJECT,
    DS_ARG_ARRAY,
    DS_ARG_OBJECTS, /* an array of documents */
    DS_ARG_STRING,
    DS_ARG_BOOL, /* any number counts as one */
    DS_ARG_STRICT_BOOL,
    DS_ARG_NUMBER, /* int, long, double, decimal */
    DS_ARG_LONG,   /* exactly a 64-bit integer */
    DS_ARG_INT,    /* exactly a 32-bit one */
    DS_ARG_INTS,   /* an array of them */
    DS_ARG_UUID,
    DS_ARG_SERVERS, /* an object that only servers of a cluster send: refused, null passes */
    DS_ARG_REFUSED  /* known to mongod, NotImplemented here; false and null pass */
} ds__arg_kind;

enum {
    DS_ARG_REQUIRED = 1,
    DS_ARG_NULL_IS_MISSING = 2,
    DS_ARG_NOT_NEGATIVE = 4,
    DS_ARG_IGNORED = 8 /* accepted, means nothing in this engine */
};

typedef struct ds__arg {
    const char *name;
    ds__arg_kind kind;
    uint32_t flags;
} ds__arg;

/* Reads the fields of `doc` named by args[0..count) into values (DS_MISSING when absent). `owner`
 * is the name in messages ("insert", "FindCommandRequest", "update.updates"). Errors: 40415 unknown
 * field, 40414 missing, 40413 twice, 14 TypeMismatch, 10065 null for an array, 51024 negative. For
 * a command's own document
 * (`command` true) the first field and the generic arguments ($db, lsid, …) are skipped. */
bool ds__args_read(const char *owner, bool command, ds_value doc, const ds__arg *args, size_t count,
                   ds_value *values, ds_error *err);

/* The name of the collection a command addresses ("c" of {find: "c"}), checked; NUL-terminated in
 * the arena. Errors: BadValue (type), InvalidNamespace. */
bool ds__op_collection(ds__op *op, const char **coll, size_t *size, ds_error *err);

/* The same for the commands whose unknown fields mongod passes over: collStats, dbStats, validate,
 * convertToCapped. */
bool ds__args_read_some(const char *owner, ds_value doc, const ds__arg *args, size_t count,
                        ds_value *values, ds_error *err);

/* Only generic arguments, beside the first field. */
bool ds__args_none(ds__op *op, ds_error *err);

/* The argument `collectionUUID` of a command on `coll`, which may be NULL: it is another's unless
 * it is the collection's. Errors: CollectionUUIDMismatch. */
bool ds__check_uuid(const ds__coll *coll, ds_value uuid, ds_error *err);

/* "db.coll" in the arena. */
const char *ds__namespace(ds_arena *arena, const char *db, const char *coll);

/* An argument's value with its default. */
static inline bool ds__arg_bool(ds_value v, bool otherwise) {
    return v.type == DS_MISSING ? otherwise : ds__value_truthy(v);
}
int64_t ds__arg_int64(ds_value v, int64_t otherwise);

#endif
