/* SPDX-License-Identifier: Apache-2.0 */
/* Tables by number: of rows (a record id and a document's bytes), of keys (bytes in their order,
 * each with a record id), and a pair of numbers counted beside each. What is in them is not known
 * here, but that rows bear their length and a checksum. Threads: the transaction's. */
#ifndef DS_ENGINE_STORE_ROWS_H
#define DS_ENGINE_STORE_ROWS_H

#include "engine/store/store.h"

/* A table of keys and the one of the rows it is about. */
typedef struct ds__key_table {
    int64_t id;
    int64_t rows;
    bool unique; /* no key twice */
} ds__key_table;

/* Numbers of tables are never used twice: paused scans know dropped tables by that. */
bool ds__table_number(ds__txn *txn, int64_t *id, ds_error *err);
bool ds__table_make_rows(ds__txn *txn, int64_t id, ds_error *err);
bool ds__table_make_keys(ds__txn *txn, int64_t id, bool unique, ds_error *err);
bool ds__table_drop_rows(ds__txn *txn, int64_t id, ds_error *err);
bool ds__table_drop_keys(ds__txn *txn, int64_t id, ds_error *err);

typedef enum ds__table_kind { DS_TABLE_ROWS = 'c', DS_TABLE_KEYS = 'i' } ds__table_kind;

/* Removes everything in it. */
bool ds__table_clear(ds__txn *txn, ds__table_kind kind, int64_t id, ds_error *err);
/* Bytes of its pages, and how many of those hold nothing. */
typedef struct ds__size {
    int64_t bytes;
    int64_t free;
} ds__size;
bool ds__table_size(ds__txn *txn, ds__table_kind kind, int64_t id, ds__size *size, ds_error *err);
/* SQLite's own check of its pages: `note` is told each finding. */
bool ds__table_check(ds__txn *txn, ds__table_kind kind, int64_t id,
                     void (*note)(void *ctx, const char *text), void *ctx, ds_error *err);

/* Two numbers kept for a table of rows: how many there are, and their bytes, as counted by who
 * writes them. */
bool ds__table_counts(ds__txn *txn, int64_t rows, int64_t *count, int64_t *bytes, ds_error *err);
/* The record id that the next row gets: greater than those of all rows there were. */
bool ds__table_next(ds__txn *txn, int64_t rows, int64_t *next, ds_error *err);
bool ds__table_add_counts(ds__txn *txn, int64_t rows, int64_t count, int64_t bytes, ds_error *err);

/* Row `rid`; DS_MISSING when there is none. Lifetime: until the next ds__row_get on the same table
 * in this transaction, or a write to it. */
bool ds__row_get(ds__txn *txn, int64_t rows, int64_t rid, ds_value *doc, ds_error *err);
/* The row of a key of a unique table. `rid` may be NULL. Lifetime: as ds__row_get. */
bool ds__row_find(ds__txn *txn, ds__key_table keys, const uint8_t *key, size_t size, int64_t *rid,
                  ds_value *doc, ds_error *err);
bool ds__row_insert(ds__txn *txn, int64_t rows, ds_value doc, int64_t *rid, ds_error *err);
bool ds__row_replace(ds__txn *txn, int64_t rows, int64_t rid, ds_value doc, ds_error *err);
bool ds__row_delete(ds__txn *txn, int64_t rows, int64_t rid, ds_error *err);

/* What putting a key came to. */
typedef enum ds__put { DS_PUT_OK, DS_PUT_DUPLICATE, DS_PUT_FAILED } ds__put;

/* Inserts keys, or deletes them, one after the other. Lifetime of `stmt`: from open to close,
 * within which nothing else may be done in the transaction but reading. */
typedef struct ds__key_writer {
    ds__txn *txn;
    struct ds__stmt *stmt;
} ds__key_writer;

bool ds__keys_insert(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err);
bool ds__keys_delete(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err);
/* DS_PUT_DUPLICATE: the table is unique and has the key; `err` is not set. */
ds__put ds__keys_next(ds__key_writer *writer, const uint8_t *key, size_t size, int64_t rid,
                      ds_error *err);
void ds__keys_close(ds__key_writer *writer);

enum { DS_KEYS_AT_ONCE = 32 };
typedef struct ds__key_entry {
    const uint8_t *key;
    size_t size;
    int64_t rid;
} ds__key_entry;

/* Inserts DS_KEYS_AT_ONCE keys at a time, which is fastest in their order. When one of them is
 * there already, `*at` tells which; those before it are put. */
bool ds__keys_insert_many(ds__key_writer *out, ds__txn *txn, ds__key_table keys, ds_error *err);
ds__put ds__keys_next_many(ds__key_writer *writer, const ds__key_entry *entries, size_t *at,
                           ds_error *err);

/* Pauses all scans and lets go of rows read: before tables are made, cleared or dropped. */
void ds__scan_detach_all(ds__txn *txn);

#endif
