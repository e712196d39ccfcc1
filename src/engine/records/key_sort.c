/* SPDX-License-Identifier: Apache-2.0 */
/* Keys are dealt out by the bytes of their heads, the last byte first; what has one head is
 * compared then. Keys found in order already, as those of a field that grows, are left as they are.
 */
#include "engine/records/key_sort.h"

#include <string.h>

#include "base/mem.h"
#include "base/system.h"

enum { HEAD = sizeof(uint64_t), FEW = 200 };

/* What a sort works with. */
typedef struct key_sort {
    const uint8_t *bytes;
    ds_meter *meter;
    ds_error *err;
    bool stopped; /* all keys are equal from then on, and the sort soon over */
} key_sort;

static int compare(const void *a, const void *b, void *ctx) {
    const ds__built_key *x = a;
    const ds__built_key *y = b;
    key_sort *sort = ctx;
    const uint8_t *bytes = sort->bytes;
    sort->stopped = sort->stopped || !ds_meter_step(sort->meter, 1, sort->err);
    if (sort->stopped) {
        return 0;
    }
    if (x->head != y->head) {
        return x->head < y->head ? -1 : 1;
    }
    int order = memcmp(bytes + x->at, bytes + y->at, x->size < y->size ? x->size : y->size);
    if (order == 0) {
        order = (x->size > y->size) - (x->size < y->size);
    }
    return order ? order : (x->rid > y->rid) - (x->rid < y->rid);
}

/* Sorts what is not in order already. */
static void sort_some(ds__built_key *keys, size_t count, key_sort *sort) {
    size_t i = 1;
    while (i < count && compare(&keys[i - 1], &keys[i], sort) <= 0) {
        i++;
    }
    if (i < count) {
        ds__sort(keys, count, sizeof *keys, compare, sort);
    }
}

static bool is_by_head(const ds__built_key *keys, size_t count) {
    size_t i = 1;
    while (i < count && keys[i - 1].head <= keys[i].head) {
        i++;
    }
    return i >= count;
}

/* By heads; keys of one head stay in their order. The result is in `keys`. */
static void deal(ds__built_key *keys, ds__built_key *room, size_t count, key_sort *sort) {
    size_t starts[HEAD][256] = {{0}};
    ds__built_key *from = keys;
    ds__built_key *to = room;
    for (size_t i = 0; i < count; i++) {
        for (int b = 0; b < HEAD; b++) {
            starts[b][keys[i].head >> 8 * b & 0xff]++;
        }
    }
    for (int b = 0; b < HEAD && !sort->stopped; b++) {
        size_t *start = starts[b];
        size_t next = 0;
        if (start[keys[0].head >> 8 * b & 0xff] == count) {
            continue; /* all have this byte */
        }
        for (int v = 0; v < 256; v++) {
            const size_t n = start[v];
            start[v] = next;
            next += n;
        }
        for (size_t i = 0; i < count; i++) {
            to[start[from[i].head >> 8 * b & 0xff]++] = from[i];
        }
        ds__built_key *swap = from;
        from = to;
        to = swap;
        sort->stopped = !ds_meter_step(sort->meter, (int64_t)count, sort->err);
    }
    if (from != keys) {
        memcpy(keys, from, count * sizeof *keys);
    }
}

bool ds__built_keys_sort(ds__built_key *keys, size_t count, const uint8_t *bytes, ds_meter *meter,
                         ds_error *err) {
    key_sort sort = {.bytes = bytes, .meter = meter, .err = err};
    const bool by_head = is_by_head(keys, count);
    ds__built_key *room = !by_head && count > FEW ? ds__alloc(count * sizeof *keys) : NULL;
    if (room) {
        deal(keys, room, count, &sort);
        ds__free(room);
    } else if (!by_head) {
        ds__sort(keys, count, sizeof *keys, compare, &sort);
    }
    for (size_t i = 0, end; i < count && !sort.stopped; i = end) {
        for (end = i + 1; end < count && keys[end].head == keys[i].head;) {
            end++;
        }
        sort_some(keys + i, end - i, &sort);
    }
    return !sort.stopped;
}
