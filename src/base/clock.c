/* SPDX-License-Identifier: Apache-2.0 */
/* Time, randomness and ObjectIds. The ObjectId state is the one process-wide state here: five
 * random bytes and a counter, made anew in a forked child. */
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/fork.h"
#include "base/system.h"

enum { RANDOM_MAX = 256 }; /* bytes at once */

int64_t ds__clock_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t ds__clock_mono_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void ds__random_bytes(void *bytes, size_t size) {
    uint8_t *p = bytes;
    while (size > 0) {
        const size_t n = size < RANDOM_MAX ? size : RANDOM_MAX;
        if (ds__system_random(p, n)) {
            p += n;
            size -= n;
        }
    }
}

static pthread_once_t id_once = PTHREAD_ONCE_INIT;
static uint8_t id_random[5];
static _Atomic uint32_t id_counter;

static void renew_ids(ds__fork_member *unused, bool quiet) {
    uint32_t start;
    (void)unused;
    (void)quiet;
    ds__random_bytes(id_random, sizeof id_random);
    ds__random_bytes(&start, sizeof start);
    atomic_store(&id_counter, start);
}

static void begin_ids(void) {
    static ds__fork_member member = {.child = renew_ids};
    renew_ids(NULL, true);
    ds__fork_join(&member);
}

void ds__object_id_new(uint8_t out[12]) {
    pthread_once(&id_once, begin_ids);
    uint32_t now = (uint32_t)time(NULL);
    uint32_t n = atomic_fetch_add(&id_counter, 1);
    out[0] = (uint8_t)(now >> 24);
    out[1] = (uint8_t)(now >> 16);
    out[2] = (uint8_t)(now >> 8);
    out[3] = (uint8_t)now;
    memcpy(out + 4, id_random, 5);
    out[9] = (uint8_t)(n >> 16);
    out[10] = (uint8_t)(n >> 8);
    out[11] = (uint8_t)n;
}
