/* SPDX-License-Identifier: Apache-2.0 */
/* Dotted paths. */
#include "bson/path.h"

/* "0", "7", "12": a position; "01", "", "x", too long: none. */
static int32_t position(const char *s, size_t n) {
    if (n == 0 || n > 9 || (n > 1 && s[0] == '0')) {
        return -1;
    }
    int32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -1;
        }
        v = v * 10 + (s[i] - '0');
    }
    return v;
}

bool ds__path_parse(ds_arena *arena, const char *text, size_t size, ds__path *out) {
    *out = (ds__path){0};
    uint32_t count = 1;
    for (size_t i = 0; i < size; i++) {
        count += text[i] == '.';
    }
    ds__path_part *parts = ds_arena_alloc(arena, count * sizeof *parts);
    char *whole = ds_arena_strndup(arena, text, size);
    if (parts == NULL || whole == NULL) {
        return false;
    }
    const char *at = text;
    for (uint32_t i = 0; i < count; i++) {
        const char *dot = memchr(at, '.', (size_t)(text + size - at));
        size_t n = (size_t)((dot ? dot : text + size) - at);
        parts[i].name = ds_arena_strndup(arena, at, n);
        if (parts[i].name == NULL) {
            return false;
        }
        parts[i].size = (uint32_t)n;
        parts[i].index = position(at, n);
        at += n + 1;
    }
    *out = (ds__path){.text = whole, .size = (uint32_t)size, .count = count, .parts = parts};
    return true;
}

bool ds__path_is_prefix(const ds__path *a, const ds__path *b) {
    return a->size <= b->size && memcmp(a->text, b->text, a->size) == 0 &&
           (a->size == b->size || b->text[a->size] == '.');
}

ds_value ds__path_get(ds_value doc, const ds__path *path) {
    ds_value v = doc;
    for (uint32_t i = 0; i < path->count; i++) {
        if (v.type != DS_DOCUMENT) {
            return ds__missing();
        }
        ds_value next;
        ds__doc_get(v, path->parts[i].name, path->parts[i].size, &next);
        v = next;
    }
    return v;
}
