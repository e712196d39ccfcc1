/* SPDX-License-Identifier: Apache-2.0 */
/* A lock with a condition whose waits end by the clock that never goes back. */
#include "base/cond.h"

#include <errno.h>
#include <time.h>

void ds__cond_init(pthread_mutex_t *lock, pthread_cond_t *cond) {
    pthread_condattr_t attr;
    pthread_mutex_init(lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool ds__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms) {
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}
