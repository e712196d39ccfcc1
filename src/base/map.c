/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing; deleted slots stay as tombstones until the table grows. The
 * hash has a secret of the process, so that nobody outside can choose keys that collide. */
#include "base/map.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct ds__map_slot {
    char *key; /* NULL: never used; TOMBSTONE: deleted */
    size_t size;
    uint64_t hash;
    void *value;
};

static char tombstone;
#define TOMBSTONE (&tombstone)

/* Both halves of a 128-bit product: each bit of one factor moves about half of the result. */
static inline uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Random, the same for a process and its forked children. Not 0 once it is made. */
static uint64_t secret(void) {
    static _Atomic uint64_t made;
    uint64_t now = atomic_load_explicit(&made, memory_order_relaxed);
    while (now == 0) {
        uint64_t fresh;
        ds__random_bytes(&fresh, sizeof fresh);
        now = atomic_compare_exchange_strong(&made, &now, fresh) ? fresh : now;
    }
    return now;
}

uint64_t ds__hash_with(uint64_t key, const void *bytes, size_t size, uint64_t seed) {
    const uint8_t *p = bytes;
    uint64_t k0 = key;
    uint64_t k1 = (k0 << 32 | k0 >> 32) ^ 0x9e3779b97f4a7c15ULL;
    uint64_t h = seed ^ (size * 0xd6e8feb86659fd93ULL);
    while (size >= 8) {
        uint64_t v;
        memcpy(&v, p, 8);
        h = fold(v ^ k0, h ^ k1);
        p += 8;
        size -= 8;
    }
    if (size > 0) {
        uint64_t v = 0;
        memcpy(&v, p, size);
        h = fold(v ^ k0, h ^ k1);
    }
    return fold(h ^ k0, k1);
}

uint64_t ds__hash_bytes(const void *bytes, size_t size, uint64_t seed) {
    return ds__hash_with(secret(), bytes, size, seed);
}

static ds__map_slot *find(const ds_map *map, const void *key, size_t size, uint64_t hash) {
    if (map->cap == 0) {
        return NULL;
    }
    for (size_t i = hash & (map->cap - 1);; i = (i + 1) & (map->cap - 1)) {
        ds__map_slot *s = &map->slots[i];
        if (s->key == NULL) {
            return NULL;
        }
        if (s->key != TOMBSTONE && s->hash == hash && s->size == size &&
            memcmp(s->key, key, size) == 0) {
            return s;
        }
    }
}

void *ds_map_get(const ds_map *map, const void *key, size_t size) {
    ds__map_slot *s = find(map, key, size, ds__hash_bytes(key, size, 0));
    return s ? s->value : NULL;
}

static void place(ds_map *map, ds__map_slot slot) {
    size_t i = slot.hash & (map->cap - 1);
    while (map->slots[i].key != NULL) {
        i = (i + 1) & (map->cap - 1);
    }
    map->slots[i] = slot;
}

static bool grow(ds_map *map) {
    size_t cap = 16;
    while (cap < (map->count + 1) * 2) {
        cap *= 2;
    }
    ds__map_slot *old = map->slots;
    size_t old_cap = map->cap;
    ds__map_slot *slots = ds_meter_alloc(map->meter, cap * sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    map->slots = slots;
    map->cap = cap;
    map->used = map->count;
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i].key != NULL && old[i].key != TOMBSTONE) {
            place(map, old[i]);
        }
    }
    ds_meter_free(map->meter, old, old_cap * sizeof *old);
    return true;
}

bool ds_map_set(ds_map *map, const void *key, size_t size, void *value, void **old) {
    uint64_t hash = ds__hash_bytes(key, size, 0);
    ds__map_slot *s = find(map, key, size, hash);
    if (s != NULL) {
        if (old != NULL) {
            *old = s->value;
        }
        s->value = value;
        return true;
    }
    if (old != NULL) {
        *old = NULL;
    }
    if ((map->used + 1) * 4 > map->cap * 3 && !grow(map)) {
        return false;
    }
    char *copy = ds_meter_alloc(map->meter, size + 1);
    if (copy == NULL) {
        return false;
    }
    if (size > 0) {
        memcpy(copy, key, size);
    }
    place(map, (ds__map_slot){.key = copy, .size = size, .hash = hash, .value = value});
    map->count++;
    map->used++;
    return true;
}

void *ds_map_remove(ds_map *map, const void *key, size_t size) {
    ds__map_slot *s = find(map, key, size, ds__hash_bytes(key, size, 0));
    if (s == NULL) {
        return NULL;
    }
    void *value = s->value;
    ds_meter_free(map->meter, s->key, s->size + 1);
    *s = (ds__map_slot){.key = TOMBSTONE};
    map->count--;
    return value;
}

bool ds_map_each(const ds_map *map, size_t *at, const void **key, size_t *size, void **value) {
    while (*at < map->cap) {
        ds__map_slot *s = &map->slots[(*at)++];
        if (s->key != NULL && s->key != TOMBSTONE) {
            if (key != NULL) {
                *key = s->key;
            }
            if (size != NULL) {
                *size = s->size;
            }
            if (value != NULL) {
                *value = s->value;
            }
            return true;
        }
    }
    return false;
}

void ds_map_clear(ds_map *map) {
    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].key != TOMBSTONE) {
            ds_meter_free(map->meter, map->slots[i].key, map->slots[i].size + 1);
        }
    }
    ds_meter_free(map->meter, map->slots, map->cap * sizeof *map->slots);
    *map = (ds_map){.meter = map->meter};
}
