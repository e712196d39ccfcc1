/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: blocks grow to 256 KiB; a request that is larger gets a block of its own. */
#include "base/arena.h"

#include <stdint.h>

#include "base/mem.h"

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 256 * 1024 };

struct ds__arena_deferred {
    ds__arena_deferred *next;
    void (*free)(void *ctx);
    void *ctx;
};

struct ds__arena_block {
    ds__arena_block *next;
    size_t size;
    char padding[ALIGN - (sizeof(void *) + sizeof(size_t)) % ALIGN];
};

static size_t round_up(size_t size) {
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static char *block_start(ds__arena_block *b) {
    return (char *)b + sizeof(ds__arena_block);
}

/* A block of `size` usable bytes, charged; `old` moves into it. */
static ds__arena_block *take_block(ds_arena *arena, ds__arena_block *old, size_t size) {
    size_t total;
    size_t had = old ? old->size : 0;
    if (!ds__size_add(size, sizeof *old, &total) ||
        (arena->meter && !ds_meter_charge(arena->meter, size - had))) {
        return NULL;
    }
    ds__arena_block *b = ds__realloc(old, total);
    if (b == NULL) {
        ds_meter_give(arena->meter, size - had);
        return NULL;
    }
    b->size = size;
    return b;
}

static void free_block(ds_arena *arena, ds__arena_block *b) {
    if (b != NULL) {
        ds_meter_give(arena->meter, b->size);
        ds__free(b);
    }
}

static void run_deferred(ds_arena *arena, const ds__arena_deferred *until) {
    while (arena->deferred != until) {
        ds__arena_deferred *d = arena->deferred;
        arena->deferred = d->next;
        d->free(d->ctx);
    }
}

static bool add_block(ds_arena *arena, size_t size) {
    size_t want = arena->blocks ? arena->blocks->size * 2 : FIRST_BLOCK;
    if (want > LARGEST_BLOCK) {
        want = LARGEST_BLOCK;
    }
    if (want < size) {
        want = size;
    }
    ds__arena_block *b = arena->spare;
    if (b != NULL && b->size >= size) {
        arena->spare = NULL;
    } else {
        b = take_block(arena, NULL, want);
        if (b == NULL) {
            return false;
        }
    }
    b->next = arena->blocks;
    arena->blocks = b;
    arena->at = block_start(b);
    arena->end = arena->at + b->size;
    return true;
}

void *ds_arena_alloc(ds_arena *arena, size_t size) {
    if (size > SIZE_MAX - ALIGN) {
        return NULL;
    }
    size_t rounded = round_up(size);
    if ((size_t)(arena->end - arena->at) < rounded || arena->at == NULL) {
        if (!add_block(arena, rounded)) {
            return NULL;
        }
    }
    void *p = arena->at;
    arena->at += rounded;
    arena->used += rounded;
    return p;
}

void *ds_arena_zalloc(ds_arena *arena, size_t size) {
    void *p = ds_arena_alloc(arena, size);
    if (p != NULL) {
        memset(p, 0, size);
    }
    return p;
}

void *ds_arena_copy(ds_arena *arena, const void *bytes, size_t size) {
    void *p = ds_arena_alloc(arena, size);
    if (p != NULL && size != 0) {
        memcpy(p, bytes, size);
    }
    return p;
}

char *ds_arena_strndup(ds_arena *arena, const char *s, size_t size) {
    char *p = ds_arena_alloc(arena, size + 1);
    if (p != NULL) {
        if (size != 0) {
            memcpy(p, s, size);
        }
        p[size] = 0;
    }
    return p;
}

/* Makes the block that holds nothing but `items` (`had` bytes) larger; NULL: there is none, or no
 * memory. */
static void *grow_block(ds_arena *arena, const void *items, size_t had, size_t size) {
    ds__arena_block **at = &arena->blocks;
    while (*at != NULL && block_start(*at) != items) {
        at = &(*at)->next;
    }
    if (*at == NULL || (*at)->size != round_up(had)) {
        return NULL;
    }
    bool newest = at == &arena->blocks;
    ds__arena_block *b = take_block(arena, *at, size);
    if (b == NULL) {
        return NULL;
    }
    *at = b;
    if (newest) {
        arena->at = arena->end = block_start(b) + size;
    }
    return block_start(b);
}

void *ds_arena_grow(ds_arena *arena, void *items, size_t count, size_t *cap, size_t item_size) {
    if (count < *cap) {
        return items;
    }
    size_t had = *cap * item_size;
    bool large = had >= LARGEST_BLOCK; /* then it has a block to itself, which only it fills */
    size_t want = large ? *cap + *cap / 2 : *cap ? *cap * 2 : 8;
    size_t bytes;
    if (!ds__size_mul(want, item_size, &bytes) || bytes > SIZE_MAX - ALIGN) {
        return NULL;
    }
    bytes = round_up(bytes);
    void *p = large ? grow_block(arena, items, had, bytes) : NULL;
    if (p != NULL) {
        arena->used += bytes - had;
        *cap = want;
        return p;
    }
    p = ds_arena_alloc(arena, bytes);
    if (p == NULL) {
        return NULL;
    }
    if (count != 0) {
        memcpy(p, items, count * item_size);
    }
    *cap = want;
    return p;
}

bool ds_arena_defer(ds_arena *arena, void (*free)(void *ctx), void *ctx) {
    ds__arena_deferred *d = ds_arena_alloc(arena, sizeof *d);
    if (d == NULL) {
        return false;
    }
    *d = (ds__arena_deferred){.next = arena->deferred, .free = free, .ctx = ctx};
    arena->deferred = d;
    return true;
}

ds_arena_mark ds_arena_save(const ds_arena *arena) {
    return (ds_arena_mark){
        .block = arena->blocks, .deferred = arena->deferred, .at = arena->at, .used = arena->used};
}

/* Frees the newest block or keeps it as the spare one. */
static void drop_block(ds_arena *arena) {
    ds__arena_block *b = arena->blocks;
    arena->blocks = b->next;
    if (arena->spare == NULL || arena->spare->size < b->size) {
        free_block(arena, arena->spare);
        arena->spare = b;
    } else {
        free_block(arena, b);
    }
}

void ds_arena_restore(ds_arena *arena, ds_arena_mark mark) {
    ds_assert(mark.used <= arena->used); /* it was not reset since */
    run_deferred(arena, mark.deferred);
    while (arena->blocks != mark.block) {
        drop_block(arena);
    }
    arena->at = mark.at;
    arena->end = mark.block ? block_start(mark.block) + mark.block->size : NULL;
    arena->used = mark.used;
}

void ds_arena_reset(ds_arena *arena) {
    run_deferred(arena, NULL);
    while (arena->blocks != NULL && arena->blocks->next != NULL) {
        ds__arena_block *oldest = arena->blocks->next;
        arena->blocks->next = oldest->next;
        free_block(arena, oldest);
    }
    if (arena->blocks != NULL) {
        arena->at = block_start(arena->blocks);
        arena->end = arena->at + arena->blocks->size;
    }
    arena->used = 0;
}

void ds_arena_clear(ds_arena *arena) {
    run_deferred(arena, NULL);
    while (arena->blocks != NULL) {
        ds__arena_block *b = arena->blocks;
        arena->blocks = b->next;
        free_block(arena, b);
    }
    free_block(arena, arena->spare);
    *arena = (ds_arena){.meter = arena->meter};
}
