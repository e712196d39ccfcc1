/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments every command may carry: the API's version, concerns, time limits, and what only
 * servers of a cluster say to each other. */
#ifndef DS_ENGINE_COMMANDS_GENERIC_H
#define DS_ENGINE_COMMANDS_GENERIC_H

#include "engine/op.h"

/* Reads them into the op: deadline_ms, sync, snapshot, at_cluster_time, unmet_concern. Errors:
 * mongod's (TypeMismatch, InvalidOptions, FailedToParse, APIVersionError, …). */
bool ds__generic_read(ds__op *op, ds_error *err);

/* A name of a generic argument: lsid, $db, readConcern, … */
bool ds__arg_is_generic(const char *name);

/* readConcern and writeConcern, checked against what the command takes. */
bool ds__read_concern_read(ds__op *op, ds_value concern, ds_error *err);
bool ds__write_concern_read(ds__op *op, ds_value concern, ds_error *err);

/* {writeConcernError: …}, when the concern asks for more members than there are: what was written
 * stands. */
void ds__write_concern_report(ds__op *op, ds_buf *reply);

#endif
