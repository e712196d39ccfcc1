/* SPDX-License-Identifier: Apache-2.0 */
/* What fuzzers share: input that is a row of BSON documents, each copied into memory of its own so
 * that a read past its end is seen. */
#ifndef DS_FUZZ_H
#define DS_FUZZ_H

#include <stdlib.h>

#include "base/limits.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "lang/env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Takes up to `max` documents from the input; returns how many (0 when the first is not valid). */
static inline size_t fuzz_documents(const uint8_t *data, size_t size, ds_value *out, size_t max) {
    size_t count = 0;
    ds_error err;
    while (count < max && size >= 5) {
        size_t n = ds__load_u32(data);
        if (n > size || !ds__bson_validate(data, n, DS_MAX_DEPTH, &err)) {
            break;
        }
        uint8_t *copy = malloc(n);
        if (!copy) {
            break;
        }
        memcpy(copy, data, n);
        out[count++] = ds__document(copy);
        data += n;
        size -= n;
    }
    return count;
}

static inline void fuzz_free(ds_value *docs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free((void *)(uintptr_t)docs[i].as.bytes);
    }
}

/* Results must be valid BSON (computed documents may nest a little deeper than stored ones). */
static inline void fuzz_check(const ds_buf *doc) {
    ds_error err;
    if (!doc->failed && doc->size > 0 &&
        !ds__bson_validate(doc->data, doc->size, 2 * DS_MAX_COMMAND_DEPTH, &err)) {
        abort();
    }
}

/* What bounds the work of a command in the engine; outlives the arenas. */
typedef struct fuzz_bounds {
    ds_meter meter;
    ds_meter kept;
} fuzz_bounds;

static inline void fuzz_bound(fuzz_bounds *bounds, ds__env *env, ds_arena *scratch, size_t size) {
    ds__env_bound(env, &bounds->meter, &bounds->kept, size);
    env->arena->meter = scratch->meter = &bounds->meter;
}

#endif
