/* SPDX-License-Identifier: Apache-2.0 */
/* Room for large messages: all connections share it, so that many clients who begin a large message
 * and never end it, or ask for much and never read, cannot take the machine's memory. */
#include "base/clock.h"
#include "base/cond.h"
#include "wire/internal.h"

/* One message may always have room when nobody else has. */
static size_t share(const ds__wire_server *server, size_t size) {
    return size < server->max_memory ? size : server->max_memory;
}

bool ds__wire_reserve(ds__wire_server *server, size_t size, int64_t wait_ms) {
    int64_t until = ds__clock_mono_us() / 1000 + wait_ms;
    bool in_time = true;
    size = share(server, size);
    pthread_mutex_lock(&server->lock);
    while (server->memory + size > server->max_memory && !atomic_load(&server->stopping) &&
           in_time) {
        in_time = ds__cond_wait(&server->room, &server->lock, until);
    }
    bool ok = server->memory + size <= server->max_memory && !atomic_load(&server->stopping);
    server->memory += ok ? size : 0;
    pthread_mutex_unlock(&server->lock);
    return ok;
}

void ds__wire_release(ds__wire_server *server, size_t size) {
    if (size > 0) {
        pthread_mutex_lock(&server->lock);
        server->memory -= share(server, size);
        pthread_cond_broadcast(&server->room);
        pthread_mutex_unlock(&server->lock);
    }
}
