/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of seven bits to a byte, the low ones first: of each target the distance from the one
 * before, which scans keep small and which is not 0. A 0 says that a position comes first. */
#include "engine/commands/targets.h"

enum { MOST_BYTES = 10 }; /* of a number of 64 bits */

void ds__targets_init(ds__targets *targets, ds_meter *meter) {
    *targets = (ds__targets){.bytes = {.max = SIZE_MAX, .meter = meter}};
}

void ds__targets_clear(ds__targets *targets) {
    ds_buf_clear(&targets->bytes);
}

static uint8_t *put(uint8_t *p, uint64_t n) {
    for (; n >= 0x80; n >>= 7) {
        *p++ = (uint8_t)(n | 0x80);
    }
    *p++ = (uint8_t)n;
    return p;
}

static uint64_t take(ds__targets *targets) {
    uint64_t n = 0;
    uint8_t byte;
    int shift = 0;
    do {
        byte = targets->bytes.data[targets->at++];
        n |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return n;
}

bool ds__targets_add(ds__targets *targets, const ds__target *target, ds_error *err) {
    uint64_t apart = (uint64_t)target->rid - (uint64_t)targets->last;
    if (apart == 0 && targets->count > 0) {
        return true; /* a document is written once */
    }
    uint8_t *p = ds_buf_reserve(&targets->bytes, 1 + 2 * MOST_BYTES);
    if (p == NULL) {
        return ds__error_oom(err);
    }
    if (target->match.has_position) {
        *p++ = 0;
        p = put(p, target->match.position);
    }
    p = put(p, apart << 1 ^ (apart >> 63 ? UINT64_MAX : 0));
    targets->bytes.size = (size_t)(p - targets->bytes.data);
    targets->last = target->rid;
    targets->count++;
    return true;
}

void ds__targets_rewind(ds__targets *targets) {
    targets->at = 0;
    targets->last = 0;
}

bool ds__targets_next(ds__targets *targets, ds__target *out) {
    if (targets->at == targets->bytes.size) {
        return false;
    }
    *out = (ds__target){0};
    uint64_t n = take(targets);
    if (n == 0) {
        out->match.has_position = true;
        out->match.position = (size_t)take(targets);
        n = take(targets);
    }
    uint64_t apart = n >> 1 ^ (n & 1 ? UINT64_MAX : 0);
    out->rid = targets->last = (int64_t)((uint64_t)targets->last + apart);
    return true;
}
