/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of those who wait for the right to write, in all processes of a file. It says whose
 * turn it is to ask SQLite for its lock, which alone decides: whoever was killed, forked or does
 * not know the queue costs the others a few milliseconds, never the lock. Threads: per connection.
 */
#ifndef DS_ENGINE_STORE_QUEUE_H
#define DS_ENGINE_STORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ds__conn ds__conn;

/* A connection's place in the queue; zeroed: none. */
typedef struct ds__place {
    uint32_t ticket;
    uint32_t seen; /* the word before SQLite was asked last */
    int asked;     /* how often that was, as the first */
    bool drawn;
} ds__place;

/* Before SQLite is asked first, at `now_us`: waits behind those who wait already. */
void ds__queue_enter(ds__conn *conn, int64_t now_us);
/* SQLite's lock is taken: waits until it is to be asked again. */
void ds__queue_wait(ds__conn *conn);
/* SQLite has given its lock; or it is waited for no more. */
void ds__queue_taken(ds__conn *conn);
void ds__queue_leave(ds__conn *conn);
/* SQLite's lock was given back. */
void ds__queue_release(ds__conn *conn);

#endif
