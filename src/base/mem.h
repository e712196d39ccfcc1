/* SPDX-License-Identifier: Apache-2.0 */
/* The only door to malloc, and checked size arithmetic. */
#ifndef DS_BASE_MEM_H
#define DS_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when memory is out. Zeroed. */
void *ds__alloc(size_t size);
/* The same for types that ask for more than 16 bytes (a bson_t: 128): DS_ALLOC_AS(ds_cursor). */
void *ds__alloc_aligned(size_t size, size_t alignment);
#define DS_ALLOC_AS(type) ((type *)ds__alloc_aligned(sizeof(type), _Alignof(type)))
void *ds__realloc(void *p, size_t size);
void ds__free(void *p);
char *ds__strdup(const char *s);
char *ds__strndup(const char *s, size_t size);
/* False on overflow. */
bool ds__size_mul(size_t a, size_t b, size_t *out);
bool ds__size_add(size_t a, size_t b, size_t *out);

#endif
