/* SPDX-License-Identifier: Apache-2.0 */
/* Tables whose rows begin with a name. Threads: any. */
#ifndef DS_BASE_NAMED_H
#define DS_BASE_NAMED_H

#include <stddef.h>
#include <string.h>

/* The row of that name, NULL when there is none. `row` bytes each begin with a const char *, or
 * with NULL at the end of a table that tells its end so (then `count` may be SIZE_MAX). */
static inline const void *ds__find_named(const void *table, size_t count, size_t row,
                                         const char *name, size_t size) {
    const char *at = (const char *)table;
    for (size_t i = 0; i < count; i++, at += row) {
        const char *own;
        memcpy(&own, at, sizeof own);
        if (!own) {
            break;
        }
        if (strlen(own) == size && memcmp(own, name, size) == 0) {
            return at;
        }
    }
    return NULL;
}

#endif
