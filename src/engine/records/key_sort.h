/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts the keys an index is built of. */
#ifndef DS_ENGINE_RECORDS_KEY_SORT_H
#define DS_ENGINE_RECORDS_KEY_SORT_H

#include "base/meter.h"

typedef struct ds__built_key {
    size_t at; /* in the bytes of all keys */
    int64_t rid;
    uint64_t head; /* its first bytes, as a number in their order */
    uint32_t size;
} ds__built_key;

static inline uint64_t ds__built_key_head(const uint8_t *key, size_t size) {
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++) {
        head = head << 8 | (i < size ? key[i] : 0);
    }
    return head;
}

/* By bytes, then by record id. Takes as much memory as `keys` again, or more time where there is
 * none. `meter` may be NULL. Errors: what the meter says; the order is then any. */
bool ds__built_keys_sort(ds__built_key *keys, size_t count, const uint8_t *bytes, ds_meter *meter,
                         ds_error *err);

#endif
