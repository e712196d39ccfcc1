/* SPDX-License-Identifier: Apache-2.0 */
/* The engine behind a pipe, for tests in Python that want it under sanitizers or killed: reads
 * requests [u32 size][database NUL][command], writes replies [u32 size][document]. A request of
 * size 0 opens the store anew. Usage: engine_pipe [path], default ":memory:". */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"
#include "bson/validate.h"
#include "bson/writer.h"
#include "engine/engine.h"

static bool read_all(void *out, size_t size) {
    return fread(out, 1, size, stdin) == size;
}

static void write_failure(ds_buf *reply, const ds_error *err) {
    char name[32];
    ds_buf_reset(reply);
    size_t root = ds__doc_begin(reply);
    ds__write_double(reply, "ok", 0);
    ds__write_bool(reply, "noReply", true);
    ds__write_str(reply, "errmsg", err->message);
    ds__write_int32(reply, "code", err->code);
    ds__write_str(reply, "codeName", ds__code_name(err->code, name));
    ds__doc_end(reply, root);
}

static ds_engine *reopen(ds_engine *engine, const char *path, ds_buf *reply) {
    ds_error err = {0};
    ds__engine_close(engine);
    engine = ds__engine_open(path, &(ds__engine_options){.busy_timeout_ms = 20000}, &err);
    if (engine) {
        ds_buf_reset(reply);
        ds__doc_end(reply, ds__doc_begin(reply));
    } else {
        write_failure(reply, &err);
    }
    return engine;
}

static void answer(ds_engine *engine, const char *request, size_t size, ds_buf *reply) {
    ds_error err = {0};
    size_t db = strnlen(request, size) + 1;
    ds_buf_reset(reply);
    if (!engine) {
        ds__error_set(&err, DS_FILE_NOT_OPEN, "the store is not open");
        write_failure(reply, &err);
        return;
    }
    /* The command in memory of its own, so that a read past it is seen. */
    uint8_t *command = db < size ? malloc(size - db) : NULL;
    if (!command) {
        ds__error_set(&err, DS_BAD_VALUE, "a request without a command");
        write_failure(reply, &err);
        return;
    }
    memcpy(command, request + db, size - db);
    if (!ds__bson_validate(command, size - db, DS_MAX_COMMAND_DEPTH, &err) ||
        !ds__engine_run(engine, NULL, request, ds__document(command), reply, &err)) {
        write_failure(reply, &err);
    }
    free(command);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : ":memory:";
    ds_buf reply = {0};
    ds_engine *engine = NULL;
    uint32_t size;
    while (read_all(&size, sizeof size)) {
        if (size == 0) {
            engine = reopen(engine, path, &reply);
        } else {
            char *request = malloc(size);
            if (!request || !read_all(request, size)) {
                return 2;
            }
            answer(engine, request, size, &reply);
            free(request);
        }
        uint32_t out = (uint32_t)reply.size;
        fwrite(&out, sizeof out, 1, stdout);
        fwrite(reply.data, 1, reply.size, stdout);
        fflush(stdout);
    }
    ds__engine_close(engine);
    ds_buf_clear(&reply);
    return 0;
}
