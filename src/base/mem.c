/* SPDX-License-Identifier: Apache-2.0 */
/* The only calls of malloc. */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *ds__alloc(size_t size) {
    return calloc(1, size ? size : 1);
}

void *ds__alloc_aligned(size_t size, size_t alignment) {
    size_t whole;
    if (!ds__size_add(size, alignment - 1, &whole)) {
        return NULL;
    }
    whole -= whole % alignment;
    void *p = aligned_alloc(alignment, whole);
    if (p != NULL) {
        memset(p, 0, whole);
    }
    return p;
}

void *ds__realloc(void *p, size_t size) {
    return realloc(p, size ? size : 1);
}

void ds__free(void *p) {
    free(p);
}

char *ds__strndup(const char *s, size_t size) {
    char *copy = malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, s, size);
        copy[size] = 0;
    }
    return copy;
}

char *ds__strdup(const char *s) {
    return ds__strndup(s, strlen(s));
}

bool ds__size_mul(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

bool ds__size_add(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
