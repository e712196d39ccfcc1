/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits draws a ticket; the first in the line asks SQLite whenever the lock was given back, and
 * now and then. All of it is one word that the processes share: tickets drawn, tickets served, and
 * how often the lock was given back. A process that has just written may write again for a
 * moment before it queues: its pages are in its cache, and handing over costs more than an insert.
 */
#include "engine/store/queue.h"

#include <stddef.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/system.h"
#include "engine/store/internal.h"
#include "engine/store/shared.h"

enum {
    SLICE_US = 250,      /* for one process, while others wait */
    PATIENCE_US = 10000, /* a line that stands still so long is passed by: its first is gone */
    POLL_US = 1000,      /* where there is no queue */
    TICKETS = 1 << 12,   /* then they begin anew */
    SERVED_AT = 12,      /* bits of the word */
    RELEASES_AT = 24,
};

static uint32_t load(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool put(uint32_t *word, uint32_t *seen, uint32_t drawn, uint32_t served,
                uint32_t releases) {
    const uint32_t next = drawn % TICKETS | served % TICKETS << SERVED_AT | releases << RELEASES_AT;
    return __atomic_compare_exchange_n(word, seen, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static uint32_t drawn(uint32_t w) {
    return w % TICKETS;
}
static uint32_t served(uint32_t w) {
    return w >> SERVED_AT & (TICKETS - 1);
}
static uint32_t releases(uint32_t w) {
    return w >> RELEASES_AT;
}

static bool is_empty(uint32_t w) {
    return drawn(w) == served(w);
}

/* How many stand before the ticket; half of all or more: it was passed by. */
static uint32_t ahead(uint32_t w, uint32_t ticket) {
    return (ticket - served(w)) % TICKETS;
}

static uint32_t bit(uint32_t ticket) {
    return 1u << ticket % 32;
}

static void wake_first(uint32_t *word, uint32_t w) {
    if (!is_empty(w)) {
        ds__word_wake(word, bit(served(w)));
    }
}

/* False: the line is as long as it may be. */
static bool draw(ds__place *place, uint32_t *word) {
    uint32_t w = load(word);
    do {
        if ((drawn(w) + 1) % TICKETS == (served(w) + TICKETS / 2) % TICKETS) {
            return false;
        }
    } while (!put(word, &w, drawn(w) + 1, served(w), releases(w)));
    *place = (ds__place){.ticket = drawn(w), .drawn = true};
    return true;
}

/* The first in the line waits for the lock to be given back, but does not rely on it. */
static void wait_first(ds__place *place, uint32_t *word) {
    static const int delays_us[] = {0, 50, 100, 200, 500, 1000, 2000, 5000};
    const int last = (int)(sizeof delays_us / sizeof delays_us[0]) - 1;
    if (place->asked > 0) {
        ds__word_wait(word, place->seen, bit(place->ticket), delays_us[place->asked]);
    }
    place->asked += place->asked < last;
    place->seen = load(word);
}

/* Waits to become the first; or until the line has stood still for long. */
static void wait_in_line(ds__conn *conn, uint32_t *word) {
    ds__place *place = &conn->place;
    uint32_t w = load(word);
    uint32_t before = w;
    int64_t since = ds__clock_mono_us();
    while (ds__conn_may_wait(conn)) {
        const int64_t now = ds__clock_mono_us();
        if (w / TICKETS != before / TICKETS) {
            before = w;
            since = now;
        }
        if (ahead(w, place->ticket) == 0 || now - since >= PATIENCE_US) {
            return;
        }
        if (ahead(w, place->ticket) >= TICKETS / 2) { /* slower than others' patience */
            place->drawn = false;
            if (!draw(place, word)) {
                return;
            }
        }
        ds__word_wait(word, w, bit(place->ticket), since + PATIENCE_US - now);
        w = load(word);
    }
}

void ds__queue_wait(ds__conn *conn) {
    ds__place *place = &conn->place;
    uint32_t *word = ds__shared_queue(conn->db);
    if (!word || (!place->drawn && !draw(place, word))) {
        usleep(POLL_US);
        return;
    }
    if (place->asked == 0) {
        wait_in_line(conn, word);
    }
    wait_first(place, word);
}

void ds__queue_enter(ds__conn *conn, int64_t now_us) {
    ds__store *store = conn->store;
    const uint32_t *word = ds__shared_queue(conn->db);
    if (!word || is_empty(load(word))) {
        store->slice_us = now_us;
    } else if (now_us - store->slice_us >= SLICE_US) {
        ds__queue_wait(conn);
    }
}

void ds__queue_taken(ds__conn *conn) {
    ds__place *place = &conn->place;
    uint32_t *word = place->drawn ? ds__shared_queue(conn->db) : NULL;
    if (word) {
        uint32_t w = load(word);
        while (ahead(w, place->ticket) < TICKETS / 2 &&
               !put(word, &w, drawn(w), place->ticket + 1, releases(w))) {
        }
        conn->store->slice_us = ds__clock_mono_us();
        wake_first(word, load(word)); /* from now on it looks by itself */
    }
    place->drawn = false;
}

void ds__queue_leave(ds__conn *conn) {
    ds__place *place = &conn->place;
    uint32_t *word = place->drawn ? ds__shared_queue(conn->db) : NULL;
    for (uint32_t w = word ? load(word) : 0; word;) {
        const bool first = ahead(w, place->ticket) == 0;
        const bool last = drawn(w) == (place->ticket + 1) % TICKETS;
        if ((!first && !last) || ahead(w, place->ticket) >= TICKETS / 2 ||
            put(word, &w, last ? place->ticket : drawn(w), served(w) + (first && !last),
                releases(w))) {
            wake_first(word, load(word));
            break;
        }
    }
    place->drawn = false;
}

void ds__queue_release(ds__conn *conn) {
    uint32_t *word = ds__shared_queue(conn->db);
    uint32_t w = word ? load(word) : 0;
    if (is_empty(w) || ds__clock_mono_us() - conn->store->slice_us < SLICE_US) {
        return;
    }
    while (!put(word, &w, drawn(w), served(w), releases(w) + 1)) {
    }
    wake_first(word, load(word));
}
