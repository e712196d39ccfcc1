/* SPDX-License-Identifier: Apache-2.0 */
/* The BSON door: whatever it accepts must be readable by everything behind it. */
#include "base/limits.h"
#include "bson/compare.h"
#include "bson/json.h"
#include "bson/key.h"
#include "bson/validate.h"
#include "bson/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_error err;
    if (!ds__bson_validate(data, size, DS_MAX_DEPTH, &err)) {
        return 0;
    }
    ds_value doc = ds__document(data);
    ds_buf out = {0};
    ds__value_print(&out, doc);
    ds_buf_reset(&out);
    ds__key_add(&out, doc, false, NULL);
    ds_buf_reset(&out);
    size_t root = ds__doc_begin(&out);
    ds__iter it;
    ds__iter_init(&it, doc);
    while (ds__iter_next(&it)) {
        ds__write_value(&out, it.key, it.key_size, it.value);
    }
    ds__doc_end(&out, root);
    ds_assert(out.size == size && ds__value_equal(doc, ds__document(out.data), NULL));
    ds_assert(ds__value_hash(doc, NULL, 0) == ds__value_hash(ds__document(out.data), NULL, 0));
    ds_buf_clear(&out);
    return 0;
}
