/* SPDX-License-Identifier: Apache-2.0 */
/* The whole engine: a row of commands on an engine in memory that is made anew for each input. */
#include "fuzz.h"

#include "engine/engine.h"

enum { MAX_COMMANDS = 8, MAX_MS = 500 };

/* A command with a time limit, so that slow ones are refused and not reported as hanging. */
static void limited(ds_value command, ds_buf *out) {
    ds__iter it;
    size_t root = ds__doc_begin(out);
    ds__iter_init(&it, command);
    while (ds__iter_next(&it)) {
        if (it.key_size != 9 || memcmp(it.key, "maxTimeMS", 9) != 0) {
            ds_buf_add(out, it.element, it.element_size);
        }
    }
    ds__write_int32(out, "maxTimeMS", MAX_MS);
    ds__doc_end(out, root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_value commands[MAX_COMMANDS];
    ds_error err = {0};
    size_t count = fuzz_documents(data, size, commands, MAX_COMMANDS);
    ds_engine *engine = count ? ds__engine_open(":memory:", NULL, &err) : NULL;
    if (count && !engine) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        ds_buf command = {0}, reply = {0};
        limited(commands[i], &command);
        if (!command.failed &&
            ds__engine_run(engine, NULL, "d", ds__document(command.data), &reply, &err)) {
            fuzz_check(&reply);
        }
        ds_buf_clear(&command);
        ds_buf_clear(&reply);
    }
    ds__engine_close(engine);
    fuzz_free(commands, count);
    return 0;
}
