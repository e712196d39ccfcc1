/* SPDX-License-Identifier: Apache-2.0 */
/* A lock with a condition whose waits end by the clock that never goes back. */
#ifndef DS_BASE_COND_H
#define DS_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes both, or with NULL a further condition of a lock; destroy them with pthread's own
 * functions. */
void ds__cond_init(pthread_mutex_t *lock, pthread_cond_t *cond);
/* Waits, with the lock, until somebody signals or until `until_ms` (ds__clock_mono_us / 1000);
 * false: that time has come. */
bool ds__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until_ms);

#endif
