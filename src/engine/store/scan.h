/* SPDX-License-Identifier: Apache-2.0 */
/* Scans of a table of rows and of a table of keys, which can pause and go on in another
 * transaction, and counts of an interval. */
#ifndef DS_ENGINE_STORE_SCAN_H
#define DS_ENGINE_STORE_SCAN_H

#include "engine/store/rows.h"

/* A span of keys in the order of their bytes, made with bson/key.h. A bound of NULL is open.
 * To take in all compound keys that begin with some values, end the upper bound with
 * ds__key_add_max. */
typedef struct ds__interval {
    const uint8_t *lo;
    const uint8_t *hi;
    size_t lo_size;
    size_t hi_size;
    bool lo_inclusive;
    bool hi_inclusive;
} ds__interval;

/* A scan. It sees its own transaction's writes as they happen: whoever changes keys of the table
 * that is scanned must collect the rids first. Several may be open in one transaction, together
 * with writes. Threads: the transaction's. */
typedef struct ds__scan ds__scan;

typedef struct ds__scan_row {
    int64_t rid;
    ds_value doc;       /* DS_MISSING when the scan does not fetch */
    const uint8_t *key; /* scans of keys; NULL otherwise */
    size_t key_size;
    uint64_t passed; /* ds__scan_share: rows before it that the test did not let through; at the
                      * end too */
} ds__scan_row;

/* Whether a row is wanted; without side effects, and never fails. Threads: many at once. */
typedef bool (*ds__row_test)(const void *ctx, ds_value doc);

/* All rows in the order of their rids (of insertion), or backwards. */
bool ds__scan_rows(ds__txn *txn, int64_t rows, bool backward, ds__scan **out, ds_error *err);

/* The keys within the intervals, which must be disjoint and listed in the order of
 * the scan (ascending keys forward, descending keys backward). They are copied. `fetch`: rows carry
 * the document. One rid may come more than once: callers remove duplicates. */
bool ds__scan_keys(ds__txn *txn, ds__key_table keys, const ds__interval *intervals, size_t count,
                   bool backward, bool fetch, ds__scan **out, ds_error *err);

/* The next row. Lifetime of what `row` points to: until the next call on this scan. */
ds_next ds__scan_next(ds__scan *scan, ds__scan_row *row, ds_error *err);

/* From now on the rows of a table are tested by `test`, in several threads when the machine has
 * idle processors. All that pass come, in their order, and some that do not. Until the scan pauses.
 */
void ds__scan_share(ds__scan *scan, ds__row_test test, const void *ctx);
/* Whether that is worth while: the table is long, and the store allows it. */
bool ds__scan_can_share(const ds__scan *scan);

/* A scan of keys goes on at the first at `key` or after it, in the scan's direction, and
 * within its intervals. */
void ds__scan_seek(ds__scan *scan, const uint8_t *key, size_t size);

/* From the next row on, a scan of keys brings documents. */
void ds__scan_fetch(ds__scan *scan);

/* Point reads by record id: no ds__scan_next. It pauses and resumes as scans do. */
bool ds__scan_points(ds__txn *txn, int64_t rows, ds__scan **out, ds_error *err);
/* Document `rid`; DS_MISSING when there is none. Lifetime: until the next call on this scan. */
bool ds__scan_get(ds__scan *scan, int64_t rid, ds_value *doc, ds_error *err);

/* Lets go of the transaction; the last row's bytes are gone. */
void ds__scan_pause(ds__scan *scan);
/* Goes on after the last row delivered, in `txn` (the same or another). Errors: QueryPlanKilled
 * when a table was dropped meanwhile. A scan that was not paused when its transaction ended or
 * rolled back to a savepoint counts as paused. */
bool ds__scan_resume(ds__scan *scan, ds__txn *txn, ds_error *err);
/* Entries looked at so far, for explain. */
uint64_t ds__scan_examined(const ds__scan *scan);
/* How many times the scan had to move to another interval, for explain (seeks). */
uint64_t ds__scan_seeks(const ds__scan *scan);
/* NULL is allowed. Paused or not. Must come before the end of its transaction if not paused. */
void ds__scan_close(ds__scan *scan);

/* How many keys lie in the intervals. */
bool ds__scan_count(ds__txn *txn, ds__key_table keys, const ds__interval *intervals, size_t count,
                    int64_t *out, ds_error *err);

#endif
