/* SPDX-License-Identifier: Apache-2.0 */
/* Index keys: bytes whose memcmp order is the canonical order of the values they stand for, and
 * which are equal exactly when the values are (1, 1.0 and Decimal128 1 give one key). */
#ifndef DS_BSON_KEY_H
#define DS_BSON_KEY_H

#include "base/buf.h"
#include "bson/compare.h"

/* Appends the key of a value; `descending` inverts its order. Missing has the key of null (as
 * MongoDB indexes do). With a collator strings are replaced by their sort keys. No key of a value
 * is a prefix of another's, so compound keys are concatenations. */
void ds__key_add(ds_buf *buf, ds_value v, bool descending, const ds__collator *collator);

/* Appends a bound just below / above every value of a type rank, for ranges open to one type:
 * ds__key_add_rank(b, rank, false) sorts before all keys of the rank, (b, rank, true) after. */
void ds__key_add_rank(ds_buf *buf, int rank, bool after, bool descending);
/* A bound above every key. */
void ds__key_add_max(ds_buf *buf, bool descending);

/* How many of the `size` bytes the first value's key takes; 0 when they are no key. Without a
 * collator. */
size_t ds__key_size(const uint8_t *key, size_t size, bool descending);

/* The value a key of `size` bytes was made of, where the key tells: text (a symbol comes back as a
 * string), binary, ObjectId, bool, date, timestamp. Not numbers, whose types share one key, nor
 * null, which stands for missing too. *out may be a view of `scratch`. */
bool ds__key_value(const uint8_t *key, size_t size, bool descending, ds_buf *scratch,
                   ds_value *out);

/* The number a number's key stands for: a double that is equal to it, or an int64 that no double
 * is equal to. False: a decimal that is neither. */
bool ds__key_number(const uint8_t *key, size_t size, bool descending, ds_value *out);

#endif
