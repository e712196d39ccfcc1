/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of MongoDB's wire protocol as bytes: OP_MSG, and OP_QUERY for a first handshake. No
 * sockets here. Everything that comes in is checked; what comes out borrows from it. */
#ifndef DS_WIRE_FRAME_H
#define DS_WIRE_FRAME_H

#include "base/buf.h"
#include "bson/value.h"

enum {
    DS_WIRE_HEADER = 16,
    DS_WIRE_OP_REPLY = 1,
    DS_WIRE_OP_QUERY = 2004,
    DS_WIRE_OP_COMPRESSED = 2012,
    DS_WIRE_OP_MSG = 2013
};

enum { DS_WIRE_CHECKSUM = 1, DS_WIRE_MORE_TO_COME = 2, DS_WIRE_EXHAUST_ALLOWED = 1 << 16 };

typedef struct ds__wire_header {
    int32_t size;
    int32_t request_id;
    int32_t response_to;
    int32_t opcode;
} ds__wire_header;

/* A request. Lifetime: that of the message's bytes and of `merged`. */
typedef struct ds__wire_request {
    ds__wire_header header;
    uint32_t flags; /* of OP_MSG; 0 for OP_QUERY */
    bool legacy;    /* OP_QUERY: answer with OP_REPLY */
    ds_value command;
    char db[128]; /* of OP_QUERY's namespace; "" for OP_MSG, which has $db */
} ds__wire_request;

/* Reads the first 16 bytes. Errors: ProtocolError for a size out of range. */
bool ds__wire_read_header(const uint8_t bytes[DS_WIRE_HEADER], ds__wire_header *out, ds_error *err);

/* Reads a whole message. Sequences (kind 1) become arrays of the command, which is then written to
 * `merged`. Errors: ProtocolError when the frame itself is wrong (close the connection); any other
 * code concerns the command only and can be answered. */
bool ds__wire_parse(const uint8_t *bytes, size_t size, ds_buf *merged, ds__wire_request *out,
                    ds_error *err);

/* Starts a reply in `buf`; the document is then appended, and the result goes to finish. */
void ds__wire_begin_reply(ds_buf *buf, const ds__wire_request *request, uint32_t flags, int32_t id);
/* Writes the size: that of `buf` and of what is sent after it. */
void ds__wire_finish_reply(ds_buf *buf, size_t following);

/* CRC-32C of the bytes, as OP_MSG's checksum. */
uint32_t ds__wire_crc32c(const uint8_t *bytes, size_t size);

#endif
