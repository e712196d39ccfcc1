/* SPDX-License-Identifier: Apache-2.0 */
/* A lock with a condition whose waits end by the clock that never goes back. */
#include "base/cond.h"

#include <errno.h>
#include <time.h>

#if defined(__APPLE__) || defined(DS_PORTABLE)
/* No waits by that clock: by the wall's, which may jump, a second at a time. */
enum { TURN_MS = 1000 };

void ds__cond_init(pthread_mutex_t *lock, pthread_cond_t *cond) {
    if (lock) {
        pthread_mutex_init(lock, NULL);
    }
    pthread_cond_init(cond, NULL);
}

bool ds__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = until_ms - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (left > TURN_MS) {
        left = TURN_MS;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const int64_t ns = until.tv_nsec + (left > 0 ? left : 0) * 1000000;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    if (pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT) {
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 < until_ms;
}
#else
void ds__cond_init(pthread_mutex_t *lock, pthread_cond_t *cond) {
    pthread_condattr_t attr;
    if (lock) {
        pthread_mutex_init(lock, NULL);
    }
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool ds__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms) {
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    return pthread_cond_timedwait(cond, lock, &until) != ETIMEDOUT;
}
#endif
