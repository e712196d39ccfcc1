/* SPDX-License-Identifier: Apache-2.0 */
/* What the store has to say to whoever keeps the program: the last few sentences, to be read by
 * number, so that every reader sees each once. */
#include <stdio.h>

#include "engine/store/internal.h"

void ds__store_warn(ds__store *store, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&store->lock);
    vsnprintf(store->warnings[store->warning_count % DS_STORE_WARNINGS], DS_WARNING_SIZE, fmt,
              args);
    __atomic_store_n(&store->warning_count, store->warning_count + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&store->lock);
    va_end(args);
}

bool ds__store_warning(ds__store *store, size_t *next, char *out, size_t size) {
    if (*next >= __atomic_load_n(&store->warning_count, __ATOMIC_ACQUIRE)) {
        return false; /* asked after every command */
    }
    pthread_mutex_lock(&store->lock);
    if (store->warning_count - *next > DS_STORE_WARNINGS) {
        *next = store->warning_count - DS_STORE_WARNINGS;
    }
    snprintf(out, size, "%s", store->warnings[*next % DS_STORE_WARNINGS]);
    pthread_mutex_unlock(&store->lock);
    ++*next;
    return true;
}
