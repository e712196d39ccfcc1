/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum behind every stored document and in every page (vfs.h). What reads documents trusts
 * their bytes, and not all pages have one: damage is told before anybody walks along a wrong
 * length. */
#ifndef DS_ENGINE_STORE_CHECKSUM_H
#define DS_ENGINE_STORE_CHECKSUM_H

#include "bson/value.h"

enum { DS_CHECKSUM_SIZE = 4 };

__extension__ typedef unsigned __int128 ds__u128;

static inline uint64_t ds__checksum_mix(uint64_t a, uint64_t b) {
    ds__u128 product = (ds__u128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Products of 16 bytes folded into four lanes, which a processor works on side by side. Part of the
 * file's format. */
static inline uint32_t ds__checksum(const uint8_t *p, size_t size) {
    const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xc2b2ae3d27d4eb4f;
    uint64_t a = size ^ k1, b = k0, c = k1, d = ~k0;
    for (; size >= 64; size -= 64, p += 64) {
        a = ds__checksum_mix(ds__load_u64(p) ^ k0, ds__load_u64(p + 8) ^ a);
        b = ds__checksum_mix(ds__load_u64(p + 16) ^ k1, ds__load_u64(p + 24) ^ b);
        c = ds__checksum_mix(ds__load_u64(p + 32) ^ k0, ds__load_u64(p + 40) ^ c);
        d = ds__checksum_mix(ds__load_u64(p + 48) ^ k1, ds__load_u64(p + 56) ^ d);
    }
    for (; size >= 16; size -= 16, p += 16) {
        a = ds__checksum_mix(ds__load_u64(p) ^ k0, ds__load_u64(p + 8) ^ a);
    }
    uint8_t rest[16] = {0};
    memcpy(rest, p, size);
    b = ds__checksum_mix(ds__load_u64(rest) ^ k1, ds__load_u64(rest + 8) ^ b);
    a = ds__checksum_mix(a ^ b ^ k0, c ^ (d << 32 | d >> 32) ^ k1);
    return (uint32_t)(a ^ a >> 32);
}

#endif
