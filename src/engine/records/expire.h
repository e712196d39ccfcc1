/* SPDX-License-Identifier: Apache-2.0 */
/* Documents that TTL indexes say are over. */
#ifndef DS_ENGINE_RECORDS_EXPIRE_H
#define DS_ENGINE_RECORDS_EXPIRE_H

#include "engine/catalog/catalog.h"

/* Whether documents expire by the index. */
bool ds__expires(const ds__index *index);

/* Whether some document has expired. */
bool ds__expired_any(ds__txn *txn, const ds__coll *coll, const ds__index *index, bool *any,
                     ds_error *err);

/* Deletes expired documents, one at least, until the clock (ds__clock_mono_us) says so. `*more`:
 * not all. When it fails the transaction is to be aborted. */
bool ds__expired_delete(ds__txn *txn, const ds__coll *coll, const ds__index *index,
                        int64_t until_us, bool *more, ds_error *err);

#endif
