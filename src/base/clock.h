/* SPDX-License-Identifier: Apache-2.0 */
/* Time and randomness from the system. */
#ifndef DS_BASE_CLOCK_H
#define DS_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01 UTC. */
int64_t ds__clock_now_ms(void);
/* Microseconds of a clock that never goes back. */
int64_t ds__clock_mono_us(void);
/* Fills bytes from the kernel's generator. */
void ds__random_bytes(void *bytes, size_t size);
/* A new ObjectId (12 bytes): seconds, 5 random bytes per process, counter. Thread-safe, and other
 * after fork(). */
void ds__object_id_new(uint8_t out[12]);

#endif
