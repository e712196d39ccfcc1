/* SPDX-License-Identifier: Apache-2.0 */
/* A hash map from byte strings to pointers. Keys are copied. One thread at a time. */
#ifndef DS_BASE_MAP_H
#define DS_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/meter.h"

typedef struct ds__map_slot ds__map_slot;

/* Zero-initialise to start. */
typedef struct ds_map {
    /* owned */
    ds__map_slot *slots;
    /* borrowed */
    ds_meter *meter; /* charged for slots and keys; NULL: nobody is. Set it before the first key */
    /* plain */
    size_t count;
    size_t used; /* live and deleted slots */
    size_t cap;
} ds_map;

/* The function itself, of a secret that is known: whoever knows it can make keys that collide. */
uint64_t ds__hash_with(uint64_t secret, const void *bytes, size_t size, uint64_t seed);
/* With the secret of this process. Differs from process to process: never to be stored or shown. */
uint64_t ds__hash_bytes(const void *bytes, size_t size, uint64_t seed);
/* NULL when absent. */
void *ds_map_get(const ds_map *map, const void *key, size_t size);
/* Sets; `*old` (may be NULL) receives what stood there. False when memory is out, or refused. */
bool ds_map_set(ds_map *map, const void *key, size_t size, void *value, void **old);
/* Removes and returns what stood there, or NULL. */
void *ds_map_remove(ds_map *map, const void *key, size_t size);
/* Iterates: start with *at = 0; false at the end. What was given last may be removed meanwhile. */
bool ds_map_each(const ds_map *map, size_t *at, const void **key, size_t *size, void **value);
/* Frees slots and keys, not values. */
void ds_map_clear(ds_map *map);

#endif
