/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever stands in these bytes is believed for a moment only: they may be what a process left
 * that was killed. */
#include "engine/store/shared.h"

#include <stddef.h>

#include "engine/store/vfs.h"

enum { QUEUE_BYTES = 120, GATE_BYTES = 124, TURN_BYTES = 132, WAITING_BYTES = 134 };

/* Times in two bytes count 16 ms and begin anew after 17 minutes, those in four after 49 days. */
enum { SHORT_MS = 16 };

static void *bytes_at(sqlite3 *db, size_t at) {
    uint8_t *index = ds__vfs_index(db);
    return index ? index + at : NULL;
}

void ds__shared_tell_waiting(sqlite3 *db, int64_t now_ms) {
    uint16_t *told = bytes_at(db, WAITING_BYTES);
    if (told) {
        __atomic_store_n(told, (uint16_t)(now_ms / SHORT_MS) | 1, __ATOMIC_RELAXED);
    }
}

bool ds__shared_is_awaited(sqlite3 *db, int64_t now_ms) {
    const uint16_t *at = bytes_at(db, WAITING_BYTES);
    const uint16_t told = at ? __atomic_load_n(at, __ATOMIC_RELAXED) : 0;
    const int16_t ago = (int16_t)((uint16_t)(now_ms / SHORT_MS) - told);
    /* else long past, or nobody's */
    return told && ago > -DS_AWAITED_MS / SHORT_MS && ago < DS_AWAITED_MS / SHORT_MS;
}

bool ds__shared_claim(sqlite3 *db, int64_t now_ms, int64_t every_ms) {
    const uint16_t now = (uint16_t)(now_ms / SHORT_MS) | 1; /* 0: never yet */
    uint16_t *turn = bytes_at(db, TURN_BYTES);
    uint16_t last = turn ? __atomic_load_n(turn, __ATOMIC_RELAXED) : 0;
    if (turn && last && (uint16_t)(now - last) < every_ms / SHORT_MS) {
        return false;
    }
    return !turn ||
           __atomic_compare_exchange_n(turn, &last, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void ds__shared_close_gate(sqlite3 *db, int64_t until_ms) {
    uint32_t *gate = bytes_at(db, GATE_BYTES);
    if (gate) {
        __atomic_store_n(gate, (uint32_t)until_ms, __ATOMIC_RELAXED);
    }
}

int ds__shared_gate(sqlite3 *db, int64_t now_ms) {
    const uint32_t *gate = bytes_at(db, GATE_BYTES);
    const uint32_t until = gate ? __atomic_load_n(gate, __ATOMIC_RELAXED) : 0;
    const int32_t left = (int32_t)(until - (uint32_t)now_ms);
    return until && left > 0 && left <= DS_GATE_MS ? left : 0;
}

uint32_t *ds__shared_queue(sqlite3 *db) {
    return bytes_at(db, QUEUE_BYTES);
}
