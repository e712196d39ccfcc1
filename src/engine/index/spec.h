/* SPDX-License-Identifier: Apache-2.0 */
/* What createIndexes is asked for, checked and brought into the form listIndexes prints. */
#ifndef DS_ENGINE_INDEX_SPEC_H
#define DS_ENGINE_INDEX_SPEC_H

#include "base/buf.h"
#include "bson/value.h"
#include "lang/env.h"

/* Checks an index's spec and writes it normalised ({v, key, name, …}) to `out`. `env` compiles the
 * partialFilterExpression. Errors: mongod's (CannotCreateIndex 67, 197, TypeMismatch, …);
 * NotImplemented for kinds of index there are not yet. */
bool ds__index_normalise(ds__env *env, ds_value spec, ds_buf *out, ds_error *err);

/* Copies a spec without the options nobody knows (ignoreUnknownIndexOptions). */
bool ds__index_forget_unknown(ds_value spec, ds_buf *out, ds_error *err);

/* The option storageEngine of collections and indexes: {wiredTiger: {…}}, which means nothing here.
 * Errors: BadValue, InvalidOptions. */
bool ds__check_storage_engine(ds_value v, ds_error *err);

/* Whether a collation may be used: only the simple one yet. Errors: BadValue for locales nobody
 * knows, NotImplemented for the others. */
bool ds__index_check_collation(ds_value collation, ds_error *err);

#endif
