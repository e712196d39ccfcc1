/* SPDX-License-Identifier: Apache-2.0 */
/* MongoDB's canonical order of values, equality and hashing by that order. */
#ifndef DS_BSON_COMPARE_H
#define DS_BSON_COMPARE_H

#include "bson/value.h"

/* How strings compare. NULL everywhere means by bytes. Made by lang/collation; thread-safe. */
typedef struct ds__collator ds__collator;
struct ds__collator {
    int (*compare)(const ds__collator *self, const char *a, size_t an, const char *b, size_t bn);
    /* Appends the sort key of a string to `out` (a ds_buf); equal strings give equal keys. */
    void (*key)(const ds__collator *self, const char *s, size_t n, void *out);
};

/* The rank of a type in canonical order: MinKey < (missing/undefined) < null < numbers < strings
 * and symbols < documents < arrays < binary < ObjectId < bool < date < timestamp < regex <
 * DBPointer < code < code with scope < MaxKey. Types of one rank compare by value. */
int ds__type_rank(uint8_t type);

/* -1, 0, 1. Numbers compare by value across types (NaN equal to NaN and below all others; -0 equal
 * to 0); documents field by field: type rank, then name, then value; binary by length, subtype,
 * bytes. Missing ranks with undefined, below null. */
int ds__value_compare(ds_value a, ds_value b, const ds__collator *collator);

static inline bool ds__value_equal(ds_value a, ds_value b, const ds__collator *collator) {
    return ds__value_compare(a, b, collator) == 0;
}

/* Numbers only, as above. */
int ds__number_compare(ds_value a, ds_value b);

/* Equal values hash alike (1, 1.0, Decimal128 1.00). Differs from process to process. */
uint64_t ds__value_hash(ds_value v, const ds__collator *collator, uint64_t seed);

#endif
