/* SPDX-License-Identifier: Apache-2.0 */
/* The wire's frames: what the parser lets through is a valid command. */
#include "fuzz.h"

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    ds_error err = {0};
    ds__wire_header header;
    ds__wire_request request;
    ds_buf merged = {0};
    if (size < DS_WIRE_HEADER || !ds__wire_read_header(data, &header, &err) ||
        (size_t)header.size != size) {
        return 0;
    }
    uint8_t *copy = malloc(size);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    if (ds__wire_parse(copy, size, &merged, &request, &err)) {
        if (!ds__bson_validate(request.command.as.bytes, request.command.size,
                               DS_MAX_COMMAND_DEPTH + 2, &err)) {
            abort();
        }
        ds_buf reply = {0};
        ds__wire_begin_reply(&reply, &request, 0, 1);
        ds__doc_end(&reply, ds__doc_begin(&reply));
        ds__wire_finish_reply(&reply, 0);
        ds_buf_clear(&reply);
    }
    ds_buf_clear(&merged);
    free(copy);
    return 0;
}
