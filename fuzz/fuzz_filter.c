/* SPDX-License-Identifier: Apache-2.0 */
/* The filter parser and matcher: two documents in a row, the filter and what it is matched with. */
#include "fuzz.h"

#include "base/limits.h"
#include "bson/validate.h"
#include "lang/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_error err;
    if (size < 10) {
        return 0;
    }
    size_t first = ds__load_u32(data);
    if (first > size || !ds__bson_validate(data, first, DS_MAX_DEPTH, &err) ||
        !ds__bson_validate(data + first, size - first, DS_MAX_DEPTH, &err)) {
        return 0;
    }
    ds_arena arena = {0}, scratch = {0};
    ds__env env = {.arena = &arena, .slot_count = DS_VAR_FIRST_USER};
    fuzz_bounds bounds;
    fuzz_bound(&bounds, &env, &scratch, size);
    ds__filter *filter = NULL;
    ds__eval eval;
    bool matched = false;
    if (ds__filter_compile(&env, ds__document(data), NULL, &filter, &err) &&
        ds__eval_init(&eval, &env, &arena, &scratch, &err)) {
        ds_value doc = ds__document(data + first);
        eval.slots[DS_VAR_ROOT] = doc;
        (void)ds__filter_match(filter, doc, &eval, &matched, NULL, &err);
        ds_buf out = {0};
        ds__filter_print(filter, &out);
        ds_buf_clear(&out);
    }
    ds_arena_clear(&arena);
    ds_arena_clear(&scratch);
    return 0;
}
