/* SPDX-License-Identifier: Apache-2.0 */
/* A counting allocator to preload: how many bytes are allocated now, and were at most since the
 * last reset. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *p);

static _Atomic long live;
static _Atomic long peak;

static void add(long bytes) {
    long now = atomic_fetch_add(&live, bytes) + bytes;
    long most = atomic_load(&peak);
    while (now > most && !atomic_compare_exchange_weak(&peak, &most, now)) {
    }
}

static void *counted(void *p) {
    add((long)malloc_usable_size(p));
    return p;
}

long counted_live(void) {
    return atomic_load(&live);
}

long counted_peak(void) {
    return atomic_load(&peak);
}

void counted_reset(void) {
    atomic_store(&peak, atomic_load(&live));
}

void *malloc(size_t size) {
    return counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    return counted(__libc_calloc(count, size));
}

void *realloc(void *p, size_t size) {
    long had = (long)malloc_usable_size(p);
    void *moved = __libc_realloc(p, size);
    if (moved != NULL || size == 0) {
        add((long)malloc_usable_size(moved) - had);
    }
    return moved;
}

void free(void *p) {
    add(-(long)malloc_usable_size(p));
    __libc_free(p);
}

void *memalign(size_t alignment, size_t size) {
    return counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    *out = memalign(alignment, size);
    return *out != NULL ? 0 : ENOMEM;
}
