/* SPDX-License-Identifier: Apache-2.0 */
/* What a command says of its session and its transaction. */
#ifndef DS_ENGINE_COMMANDS_SESSION_FIELDS_H
#define DS_ENGINE_COMMANDS_SESSION_FIELDS_H

#include "engine/op.h"

/* DS_MISSING where nothing, or null, was said. */
typedef struct ds__session_fields {
    ds_value lsid;       /* {id: UUID} */
    ds_value number;     /* a 64-bit integer */
    ds_value autocommit; /* false */
    ds_value start;      /* true */
    ds_value savepoints; /* true: this engine's own, see savepoint.h */
} ds__session_fields;

/* Reads and checks them, one by one and together. Errors: TypeMismatch, InvalidOptions,
 * InvalidUUID, 40414, 40415; 50889 and OperationNotSupportedInTransaction for commands without
 * transactions. */
bool ds__session_fields_read(const ds__op *op, ds__session_fields *out, ds_error *err);

#endif
