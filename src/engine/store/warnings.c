/* SPDX-License-Identifier: Apache-2.0 */
/* What the store has to say to whoever keeps the program: the last few sentences, to be read by
 * number, so that every reader sees each once. */
#include <stdio.h>

#include "engine/store/internal.h"

static void say(ds__store *store, ds_notice notice, const char *fmt, va_list args) {
    pthread_mutex_lock(&store->lock);
    const size_t at = store->warning_count % DS_STORE_WARNINGS;
    vsnprintf(store->warnings[at], DS_WARNING_SIZE, fmt, args);
    store->notices[at] = notice;
    __atomic_store_n(&store->warning_count, store->warning_count + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&store->lock);
}

void ds__store_warn(ds__store *store, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(store, DS_NOTICE_WARNING, fmt, args);
    va_end(args);
}

void ds__store_inform(ds__store *store, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(store, DS_NOTICE_INFO, fmt, args);
    va_end(args);
}

ds_notice ds__store_warning(ds__store *store, size_t *next, char *out, size_t size) {
    if (*next >= __atomic_load_n(&store->warning_count, __ATOMIC_ACQUIRE)) {
        return DS_NOTICE_NONE; /* asked after every command */
    }
    pthread_mutex_lock(&store->lock);
    if (store->warning_count - *next > DS_STORE_WARNINGS) {
        *next = store->warning_count - DS_STORE_WARNINGS;
    }
    const size_t at = *next % DS_STORE_WARNINGS;
    const ds_notice notice = store->notices[at];
    snprintf(out, size, "%s", store->warnings[at]);
    pthread_mutex_unlock(&store->lock);
    ++*next;
    return notice;
}
