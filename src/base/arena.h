/* SPDX-License-Identifier: Apache-2.0 */
/* Bump allocation: everything allocated lives until the arena is reset or cleared. What an arena
 * cannot hold itself (a library's memory) is freed with it through ds_arena_defer. */
#ifndef DS_BASE_ARENA_H
#define DS_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/meter.h"

typedef struct ds__arena_block ds__arena_block;
typedef struct ds__arena_deferred ds__arena_deferred;

/* Zero-initialise to start; caller's storage. One thread at a time. */
typedef struct ds_arena {
    /* owned */
    ds__arena_block *blocks; /* newest first */
    ds__arena_block *spare;  /* kept by reset for reuse */
    ds__arena_deferred *deferred;
    /* borrowed */
    ds_meter *meter; /* charged for blocks; NULL: nobody is. Set it before the first allocation */
    /* plain */
    char *at;
    char *end;
    size_t used; /* bytes handed out since init or the last reset */
} ds_arena;

/* A point to go back to. */
typedef struct ds_arena_mark {
    ds__arena_block *block;
    ds__arena_deferred *deferred;
    char *at;
    size_t used;
} ds_arena_mark;

/* NULL when memory is out or the meter refuses it. 16-byte aligned. */
void *ds_arena_alloc(ds_arena *arena, size_t size);
/* As above, zeroed. */
void *ds_arena_zalloc(ds_arena *arena, size_t size);
/* Copies size bytes. */
void *ds_arena_copy(ds_arena *arena, const void *bytes, size_t size);
/* Copies a string of size bytes and ends it with NUL. */
char *ds_arena_strndup(ds_arena *arena, const char *s, size_t size);
/* Grows an array to hold at least one more element: returns the array (moved perhaps) or NULL.
 * `*cap` is updated. The old array is abandoned in the arena; a large one grows in place, so no
 * mark may have been saved since it was begun that is restored later. */
void *ds_arena_grow(ds_arena *arena, void *items, size_t count, size_t *cap, size_t item_size);

/* Calls free(ctx) when the arena is reset, cleared or restored to an earlier mark; last in, first
 * out. False: memory is out, and free was not called. */
bool ds_arena_defer(ds_arena *arena, void (*free)(void *ctx), void *ctx);

ds_arena_mark ds_arena_save(const ds_arena *arena);
/* Frees everything allocated since the mark. */
void ds_arena_restore(ds_arena *arena, ds_arena_mark mark);
/* Forgets everything but keeps one block of memory: for per-document scratch. */
void ds_arena_reset(ds_arena *arena);
/* Gives all memory back; the arena may be used again. */
void ds_arena_clear(ds_arena *arena);

#endif
