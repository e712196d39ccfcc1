/* SPDX-License-Identifier: Apache-2.0 */
/* Index keys order as values compare: the values of the first document's fields, each with each. */
#include "fuzz.h"

#include "bson/compare.h"
#include "bson/key.h"

enum { MAX_VALUES = 16 };

static int sign(int n) {
    return (n > 0) - (n < 0);
}

static int key_order(const ds_buf *a, const ds_buf *b) {
    size_t n = a->size < b->size ? a->size : b->size;
    int order = memcmp(a->data, b->data, n);
    return order ? sign(order) : (a->size > b->size) - (a->size < b->size);
}

/* No key is a prefix of another's: compound keys are concatenations. */
static void check_pair(ds_value a, ds_value b) {
    ds_buf up[2] = {{0}}, down[2] = {{0}};
    ds__key_add(&up[0], a, false, NULL);
    ds__key_add(&up[1], b, false, NULL);
    ds__key_add(&down[0], a, true, NULL);
    ds__key_add(&down[1], b, true, NULL);
    int order = ds__value_compare(a, b, NULL);
    if (order != -ds__value_compare(b, a, NULL)) {
        abort();
    }
    if (order != key_order(&up[0], &up[1]) || order != -key_order(&down[0], &down[1])) {
        abort();
    }
    size_t n = up[0].size < up[1].size ? up[0].size : up[1].size;
    if (order != 0 && memcmp(up[0].data, up[1].data, n) == 0) {
        abort();
    }
    if (order == 0 && ds__value_hash(a, NULL, 1) != ds__value_hash(b, NULL, 1)) {
        abort();
    }
    for (int i = 0; i < 2; i++) {
        ds_buf_clear(&up[i]);
        ds_buf_clear(&down[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_value doc;
    if (fuzz_documents(data, size, &doc, 1) == 0) {
        return 0;
    }
    ds_value values[MAX_VALUES];
    size_t count = 0;
    ds__iter it;
    ds__iter_init(&it, doc);
    while (count < MAX_VALUES && ds__iter_next(&it)) {
        values[count++] = it.value;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j < count; j++) {
            check_pair(values[i], values[j]);
        }
    }
    fuzz_free(&doc, 1);
    return 0;
}
