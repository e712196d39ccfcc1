/* SPDX-License-Identifier: Apache-2.0 */
/* The filters of the catalog: validators, partialFilterExpressions. */
#ifndef DS_ENGINE_RECORDS_FILTERS_H
#define DS_ENGINE_RECORDS_FILTERS_H

#include "engine/catalog/catalog.h"
#include "lang/filter/filter.h"

/* A filter of this transaction's catalog, compiled once per transaction. `spec` must be a value of
 * the catalog. Lifetime: the transaction. Not to be evaluated in another thread. */
bool ds__txn_filter(ds__txn *txn, ds_value spec, const ds__filter **out, ds_error *err);
/* Whether `doc` matches such a filter. */
bool ds__txn_filter_match(ds__txn *txn, ds_value spec, ds_value doc, bool *matched, ds_error *err);

#endif
