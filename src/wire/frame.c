/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing and writing of messages. Sizes are checked before anything is read past them. */
#include "wire/frame.h"

#include "base/limits.h"
#include "bson/validate.h"
#include "bson/writer.h"

enum { MAX_SECTIONS = 16 };

static int32_t load_i32(const uint8_t *p) {
    return (int32_t)ds__load_u32(p);
}

bool ds__wire_read_header(const uint8_t bytes[DS_WIRE_HEADER], ds__wire_header *out,
                          ds_error *err) {
    out->size = load_i32(bytes);
    out->request_id = load_i32(bytes + 4);
    out->response_to = load_i32(bytes + 8);
    out->opcode = load_i32(bytes + 12);
    if (out->size < DS_WIRE_HEADER + 5 || out->size > DS_MAX_MESSAGE_SIZE) {
        return ds__error_set(err, DS_PROTOCOL_ERROR,
                             "a message of %d bytes; it must have between %d and %d", out->size,
                             DS_WIRE_HEADER + 5, DS_MAX_MESSAGE_SIZE);
    }
    return true;
}

uint32_t ds__wire_crc32c(const uint8_t *bytes, size_t size) {
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static bool broken(ds_error *err, const char *what) {
    return ds__error_set(err, DS_PROTOCOL_ERROR, "malformed message: %s", what);
}

/* The document at `p`: its frame must fit, its content must be valid. */
static bool take_document(const uint8_t *p, const uint8_t *end, ds_value *out, ds_error *err) {
    if (end - p < 5) {
        return broken(err, "no room for a document");
    }
    int32_t size = load_i32(p);
    if (size < 5 || size > end - p) {
        return broken(err, "a document's size does not fit");
    }
    *out = ds__document(p);
    return true;
}

static bool validate(ds_value doc, ds_error *err) {
    return ds__bson_validate(doc.as.bytes, doc.size, DS_MAX_COMMAND_DEPTH, err);
}

/* A sequence of documents under a name. */
typedef struct sequence {
    const char *name;
    const uint8_t *at;
    const uint8_t *end;
} sequence;

typedef struct sections {
    ds_value body;
    sequence sequences[MAX_SECTIONS];
    size_t count;
} sections;

static bool take_sequence(const uint8_t **at, const uint8_t *end, sections *out, ds_error *err) {
    if (end - *at < 5) {
        return broken(err, "a sequence is cut off");
    }
    int32_t size = load_i32(*at);
    if (size < 5 || size > end - *at) {
        return broken(err, "a sequence's size does not fit");
    }
    const uint8_t *stop = *at + size;
    const uint8_t *name = *at + 4;
    const uint8_t *nul = memchr(name, 0, (size_t)(stop - name));
    if (!nul) {
        return broken(err, "a sequence's name does not end");
    }
    if (out->count == MAX_SECTIONS) {
        return broken(err, "too many sequences");
    }
    out->sequences[out->count++] = (sequence){(const char *)name, nul + 1, stop};
    *at = stop;
    return true;
}

static bool take_sections(const uint8_t *at, const uint8_t *end, sections *out, ds_error *err) {
    bool found = false;
    while (at < end) {
        uint8_t kind = *at++;
        if (kind == 0) {
            if (found) {
                return broken(err, "two bodies");
            }
            found = true;
            if (!take_document(at, end, &out->body, err)) {
                return false;
            }
            at += out->body.size;
        } else if (kind == 1) {
            if (!take_sequence(&at, end, out, err)) {
                return false;
            }
        } else {
            return broken(err, "a section of an unknown kind");
        }
    }
    return found ? true : broken(err, "no body");
}

static bool add_sequence(ds_buf *merged, const sections *in, const sequence *s, ds_error *err) {
    if (ds__doc_field(in->body, s->name).type != DS_MISSING) {
        return ds__error_set(err, 40433, "Duplicate field: %.60s", s->name);
    }
    for (const sequence *other = in->sequences; other < s; other++) {
        if (strcmp(other->name, s->name) == 0) {
            return ds__error_set(err, 40431, "Duplicate document sequence: %.60s", s->name);
        }
    }
    size_t array = ds__write_doc(merged, s->name, strlen(s->name), DS_ARRAY);
    size_t index = 0;
    for (const uint8_t *at = s->at; at < s->end;) {
        ds_value doc;
        if (!take_document(at, s->end, &doc, err) || !validate(doc, err)) {
            return false;
        }
        ds__write_index(merged, index++, doc);
        at += doc.size;
    }
    ds__doc_end(merged, array);
    return true;
}

/* One command out of the body and its sequences. */
static bool merge(const sections *in, ds_buf *merged, ds_value *out, ds_error *err) {
    if (!validate(in->body, err)) {
        return false;
    }
    *out = in->body;
    if (in->count == 0) {
        return true;
    }
    ds_buf_reset(merged);
    size_t root = ds__doc_begin(merged);
    ds__write_elements(merged, in->body);
    for (size_t i = 0; i < in->count; i++) {
        if (!add_sequence(merged, in, &in->sequences[i], err)) {
            return false;
        }
    }
    ds__doc_end(merged, root);
    if (!ds_buf_ok(merged, err)) {
        return false;
    }
    *out = ds__document(merged->data);
    return true;
}

static bool parse_msg(const uint8_t *bytes, const uint8_t *end, ds_buf *merged,
                      ds__wire_request *out, ds_error *err) {
    const uint8_t *at = bytes + DS_WIRE_HEADER;
    out->flags = ds__load_u32(at);
    at += 4;
    if (out->flags & 0xffff & ~(uint32_t)(DS_WIRE_CHECKSUM | DS_WIRE_MORE_TO_COME)) {
        return broken(err, "a required flag that is not known");
    }
    if (out->flags & DS_WIRE_CHECKSUM) {
        if (end - at < 4) {
            return broken(err, "no room for the checksum");
        }
        end -= 4;
        if (ds__wire_crc32c(bytes, (size_t)(end - bytes)) != ds__load_u32(end)) {
            return broken(err, "the checksum does not match");
        }
    }
    sections in = {0};
    return take_sections(at, end, &in, err) && merge(&in, merged, &out->command, err);
}

/* flags, "db.$cmd", skip, count, the command, and perhaps fields. */
static bool parse_query(const uint8_t *bytes, const uint8_t *end, ds__wire_request *out,
                        ds_error *err) {
    const uint8_t *name = bytes + DS_WIRE_HEADER + 4;
    const uint8_t *nul = memchr(name, 0, (size_t)(end - name));
    const char *dot = nul ? memchr(name, '.', (size_t)(nul - name)) : NULL;
    out->legacy = true;
    if (!dot || end - nul < 1 + 8) {
        return broken(err, "an OP_QUERY is cut off");
    }
    size_t size = (size_t)(dot - (const char *)name);
    if (size >= sizeof out->db || strcmp(dot, ".$cmd") != 0) {
        return broken(err, "OP_QUERY is only for the first hello; use OP_MSG");
    }
    memcpy(out->db, name, size);
    if (!take_document(nul + 1 + 8, end, &out->command, err) || !validate(out->command, err)) {
        return false;
    }
    ds_value inner = ds__doc_field(out->command, "$query");
    if (inner.type == DS_DOCUMENT) {
        out->command = inner;
    }
    return true;
}

bool ds__wire_parse(const uint8_t *bytes, size_t size, ds_buf *merged, ds__wire_request *out,
                    ds_error *err) {
    *out = (ds__wire_request){0};
    if (size < DS_WIRE_HEADER + 5 || !ds__wire_read_header(bytes, &out->header, err) ||
        (size_t)out->header.size != size) {
        return broken(err, "its size is not what its header says");
    }
    switch (out->header.opcode) {
    case DS_WIRE_OP_MSG:
        return parse_msg(bytes, bytes + size, merged, out, err);
    case DS_WIRE_OP_QUERY:
        return parse_query(bytes, bytes + size, out, err);
    case DS_WIRE_OP_COMPRESSED:
        return broken(err, "compression was not agreed on");
    default:
        return ds__error_set(err, DS_PROTOCOL_ERROR, "operation %d is not known; use OP_MSG",
                             out->header.opcode);
    }
}

static void add_i32(ds_buf *buf, int32_t v) {
    ds_buf_add(buf, &v, 4);
}

void ds__wire_begin_reply(ds_buf *buf, const ds__wire_request *request, uint32_t flags,
                          int32_t id) {
    ds_buf_reset(buf);
    add_i32(buf, 0);
    add_i32(buf, id);
    add_i32(buf, request->header.request_id);
    add_i32(buf, request->legacy ? DS_WIRE_OP_REPLY : DS_WIRE_OP_MSG);
    if (request->legacy) {
        int64_t cursor = 0;
        add_i32(buf, 8); /* AwaitCapable, as every server says */
        ds_buf_add(buf, &cursor, 8);
        add_i32(buf, 0);
        add_i32(buf, 1);
    } else {
        add_i32(buf, (int32_t)flags);
        ds_buf_add_byte(buf, 0);
    }
}

void ds__wire_finish_reply(ds_buf *buf, size_t following) {
    if (!buf->failed) {
        int32_t size = (int32_t)(buf->size + following);
        memcpy(buf->data, &size, 4);
    }
}
