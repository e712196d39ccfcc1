/* SPDX-License-Identifier: Apache-2.0 */
/* Room in the file that nothing uses any more: measured, and given back to the system. */
#ifndef DS_ENGINE_STORE_SPACE_H
#define DS_ENGINE_STORE_SPACE_H

#include "engine/store/store.h"

/* Bytes of pages that belong to no table: they are used before the file grows. */
bool ds__space_free(ds__txn *txn, int64_t *bytes, ds_error *err);

/* Moves the file's last pages into free ones and cuts it, in many short transactions, so that
 * others read and write meanwhile. A file of before such moves were prepared for is written anew
 * instead, in one transaction that keeps writers waiting and needs as much room again. `*freed`:
 * bytes by which the store is smaller; the file follows when the log is written back. Outside of
 * transactions. Errors: as ds__txn_begin; what was given back until then stays so. */
bool ds__space_compact(ds__store *store, const ds__wait *wait, int64_t *freed, ds_error *err);

#endif
