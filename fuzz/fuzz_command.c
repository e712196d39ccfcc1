/* SPDX-License-Identifier: Apache-2.0 */
/* The whole engine: a row of commands on an engine in memory. Its database is dropped between
 * inputs and the engine made anew now and then: opening one takes longer than most inputs. */
#include "fuzz.h"

#include "engine/engine.h"

enum { MAX_COMMANDS = 8, MAX_MS = 500, INPUTS_AN_ENGINE = 500 };

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

/* An engine with nothing in it but what inputs left in other databases than d. */
static ds_engine *fresh_engine(void) {
    static ds_engine *engine;
    static int inputs;
    ds_error err = {0};
    if (inputs++ % INPUTS_AN_ENGINE == 0) {
        ds__engine_close(engine);
        engine = ds__engine_open(":memory:", NULL, &err);
        if (!engine) {
            abort();
        }
        return engine;
    }
    static const char *const names[] = {"killAllSessions", "dropDatabase"};
    for (size_t i = 0; i < 2; i++) {
        ds_buf command = {0}, reply = {0};
        size_t root = ds__doc_begin(&command);
        if (i == 0) {
            ds__doc_end(&command, ds__write_doc(&command, names[i], strlen(names[i]), DS_ARRAY));
        } else {
            ds__write_int32(&command, names[i], 1);
        }
        ds__doc_end(&command, root);
        if (!ds__engine_run(engine, NULL, "d", ds__document(command.data), &reply, &err)) {
            abort();
        }
        ds_buf_clear(&command);
        ds_buf_clear(&reply);
    }
    return engine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_value commands[MAX_COMMANDS];
    ds_error err = {0};
    size_t count = fuzz_documents(data, size, commands, MAX_COMMANDS);
    ds_engine *engine = count ? fresh_engine() : NULL;
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
    fuzz_free(commands, count);
    return 0;
}
