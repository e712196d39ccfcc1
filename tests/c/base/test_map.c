/* SPDX-License-Identifier: Apache-2.0 */
/* The map, and keys made to collide: they do under a secret that is known, not under a process's
 * own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/map.h"

enum { KEYS = 20000, KEY_SIZE = 16, ENOUGH_MS = 1000 };

static const uint64_t known = 0x0123456789abcdefULL;

/* The second half takes the state to zero when it is the secret. */
static void make_key(uint64_t n, uint8_t key[KEY_SIZE]) {
    memcpy(key, &n, 8);
    memcpy(key + 8, &known, 8);
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void keys_that_collide_under_a_known_secret_do_not_here(void **state) {
    (void)state;
    uint8_t key[KEY_SIZE];
    uint64_t *places = malloc(KEYS * sizeof *places);
    assert_non_null(places);
    make_key(0, key);
    const uint64_t first = ds__hash_with(known, key, sizeof key, 0);
    for (uint64_t i = 0; i < KEYS; i++) {
        make_key(i, key);
        assert_int_equal(ds__hash_with(known, key, sizeof key, 0), first);
        places[i] = ds__hash_bytes(key, sizeof key, 0) & 0xffff;
    }
    qsort(places, KEYS, sizeof *places, compare);
    size_t distinct = 1;
    size_t longest = 1;
    for (size_t i = 1, run = 1; i < KEYS; i++) {
        run = places[i] == places[i - 1] ? run + 1 : 1;
        longest = run > longest ? run : longest;
        distinct += run == 1;
    }
    assert_true(distinct > KEYS * 8 / 10); /* chance leaves about 86 of 100 of 65,536 places */
    assert_true(longest < 12);
    free(places);
}

static void a_map_of_such_keys_is_not_slow(void **state) {
    (void)state;
    uint8_t key[KEY_SIZE];
    ds_map map = {0};
    const int64_t begun = ds__clock_mono_us();
    for (uint64_t i = 0; i < KEYS; i++) {
        make_key(i, key);
        assert_true(ds_map_set(&map, key, sizeof key, &map, NULL));
        assert_ptr_equal(ds_map_get(&map, key, sizeof key), &map);
    }
    assert_true(ds__clock_mono_us() - begun < ENOUGH_MS * 1000);
    assert_int_equal(map.count, KEYS);
    ds_map_clear(&map);
}

/* One bit anywhere, the length, the seed: each makes another hash. */
static void every_bit_counts(void **state) {
    (void)state;
    uint8_t bytes[40] = {0};
    for (size_t size = 1; size <= sizeof bytes; size++) {
        const uint64_t hash = ds__hash_bytes(bytes, size, 0);
        assert_true(hash != ds__hash_bytes(bytes, size, 1));
        assert_true(hash != ds__hash_bytes(bytes, size - 1, 0));
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_true(hash != ds__hash_bytes(bytes, size, 0));
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static uint64_t hash_of_another_process(void) {
    unsigned long long hash = 0;
    char self[300];
    snprintf(self, sizeof self, "exec /proc/%ld/exe hash", (long)getpid());
    FILE *out = popen(self, "r");
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%llx", &hash), 1);
    assert_int_equal(pclose(out), 0);
    return hash;
}

static void the_secret_is_the_process_s_own(void **state) {
    (void)state;
    const uint64_t here = ds__hash_bytes("key", 3, 0);
    assert_int_equal(ds__hash_bytes("key", 3, 0), here);
    assert_true(hash_of_another_process() != here);
    assert_true(hash_of_another_process() != hash_of_another_process());
}

/* Against an array: set, replace, remove, with what was removed leaving its place. */
static void it_keeps_what_is_set(void **state) {
    (void)state;
    enum { NAMES = 500, ROUNDS = 50000 };
    static char values[NAMES];
    void *expected[NAMES] = {0};
    ds_map map = {0};
    unsigned random = 1;
    size_t count = 0;
    for (int i = 0; i < ROUNDS; i++) {
        char name[16];
        random = random * 1103515245u + 12345u;
        const unsigned n = (random >> 16) % NAMES;
        void *old = &map;
        const size_t size = (size_t)snprintf(name, sizeof name, "n%u", n);
        if (random >> 10 & 1) {
            assert_true(ds_map_set(&map, name, size, &values[(n + (unsigned)i) % NAMES], &old));
            assert_ptr_equal(old, expected[n]);
            count += expected[n] == NULL;
            expected[n] = &values[(n + (unsigned)i) % NAMES];
        } else {
            assert_ptr_equal(ds_map_remove(&map, name, size), expected[n]);
            count -= expected[n] != NULL;
            expected[n] = NULL;
        }
        assert_int_equal(map.count, count);
        assert_ptr_equal(ds_map_get(&map, name, size), expected[n]);
    }
    size_t at = 0;
    size_t seen = 0;
    while (ds_map_each(&map, &at, NULL, NULL, NULL)) {
        seen++;
    }
    assert_int_equal(seen, count);
    assert_true(map.cap <= 4096); /* places of what is gone are used again */
    ds_map_clear(&map);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_collide_under_a_known_secret_do_not_here),
        cmocka_unit_test(a_map_of_such_keys_is_not_slow),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(the_secret_is_the_process_s_own),
        cmocka_unit_test(it_keeps_what_is_set),
    };
    if (argc > 1 && strcmp(argv[1], "hash") == 0) {
        printf("%llx\n", (unsigned long long)ds__hash_bytes("key", 3, 0));
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
