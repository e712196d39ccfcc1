/* SPDX-License-Identifier: Apache-2.0 */
/* A document by its _id in one statement, which is its own transaction. It is looked up by the
 * catalog the connection saw last; SQLite's count of changes, which it reads with the log's index,
 * tells whether that is the catalog of the statement's snapshot. */
#include "engine/records/records.h"

static bool get(ds__txn *txn, const ds__lone_key *key, ds__lone *out) {
    const ds__catalog *catalog = ds__catalog_seen(txn);
    ds_error ignored;
    out->coll =
        catalog ? ds__catalog_find(catalog, key->db, strlen(key->db), key->coll, key->size) : NULL;
    return out->coll && !out->coll->is_view &&
           ds__record_get_by_id(txn, out->coll, key->id, NULL, &out->doc, &ignored) &&
           ds__catalog_is_seen(txn, out->doc.type != DS_MISSING);
}

bool ds__lone_get(ds__store *store, const ds__lone_key *key, const ds__wait *wait, ds__lone *out) {
    *out = (ds__lone){.txn = ds__lone_open(store, wait), .doc = ds__missing()};
    bool ok = out->txn && get(out->txn, key, out);
    if (out->txn && !ok) {
        ds__lone_close(out->txn);
    }
    return ok;
}
