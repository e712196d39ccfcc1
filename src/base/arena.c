/* SPDX-License-Identifier: Apache-2.0 */
/* Arenas: blocks grow to 256 KiB; a request that is larger gets a block of its own. */
#include "base/arena.h"

#include <stdint.h>

#include "base/mem.h"

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_BLOCK = 256 * 1024 };

struct ds__arena_block {
    ds__arena_block *next;
    size_t size;
    char padding[ALIGN - (sizeof(void *) + sizeof(size_t)) % ALIGN];
};

static char *block_start(ds__arena_block *b) {
    return (char *)b + sizeof(ds__arena_block);
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
        size_t total;
        if (!ds__size_add(want, sizeof *b, &total)) {
            return false;
        }
        b = ds__realloc(NULL, total);
        if (b == NULL) {
            return false;
        }
        b->size = want;
    }
    b->next = arena->blocks;
    arena->blocks = b;
    arena->at = block_start(b);
    arena->end = arena->at + b->size;
    return true;
}

void *ds_arena_alloc(ds_arena *arena, size_t size) {
    size_t rounded;
    if (!ds__size_add(size, ALIGN - 1, &rounded)) {
        return NULL;
    }
    rounded &= ~(size_t)(ALIGN - 1);
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

void *ds_arena_grow(ds_arena *arena, void *items, size_t count, size_t *cap, size_t item_size) {
    if (count < *cap) {
        return items;
    }
    size_t want = *cap ? *cap * 2 : 8;
    size_t bytes;
    if (!ds__size_mul(want, item_size, &bytes)) {
        return NULL;
    }
    void *p = ds_arena_alloc(arena, bytes);
    if (p == NULL) {
        return NULL;
    }
    if (count != 0) {
        memcpy(p, items, count * item_size);
    }
    *cap = want;
    return p;
}

ds_arena_mark ds_arena_save(const ds_arena *arena) {
    return (ds_arena_mark){.block = arena->blocks, .at = arena->at, .used = arena->used};
}

/* Frees the newest block or keeps it as the spare one. */
static void drop_block(ds_arena *arena) {
    ds__arena_block *b = arena->blocks;
    arena->blocks = b->next;
    if (arena->spare == NULL || arena->spare->size < b->size) {
        ds__free(arena->spare);
        arena->spare = b;
    } else {
        ds__free(b);
    }
}

void ds_arena_restore(ds_arena *arena, ds_arena_mark mark) {
    while (arena->blocks != mark.block) {
        drop_block(arena);
    }
    arena->at = mark.at;
    arena->end = mark.block ? block_start(mark.block) + mark.block->size : NULL;
    arena->used = mark.used;
}

void ds_arena_reset(ds_arena *arena) {
    while (arena->blocks != NULL && arena->blocks->next != NULL) {
        ds__arena_block *oldest = arena->blocks->next;
        arena->blocks->next = oldest->next;
        ds__free(oldest);
    }
    if (arena->blocks != NULL) {
        arena->at = block_start(arena->blocks);
        arena->end = arena->at + arena->blocks->size;
    }
    arena->used = 0;
}

void ds_arena_clear(ds_arena *arena) {
    while (arena->blocks != NULL) {
        ds__arena_block *b = arena->blocks;
        arena->blocks = b->next;
        ds__free(b);
    }
    ds__free(arena->spare);
    *arena = (ds_arena){0};
}
