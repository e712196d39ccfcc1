/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: what is understood, what is refused, and that no cut or changed byte is read past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "bson/writer.h"
#include "wire/frame.h"

/* Starts a message; opcode and size are filled by finish. */
static void begin(ds_buf *buf, int32_t opcode) {
    int32_t header[4] = {0, 7, 0, opcode};
    ds_buf_reset(buf);
    ds_buf_add(buf, header, sizeof header);
}

static void finish(ds_buf *buf) {
    int32_t size = (int32_t)buf->size;
    memcpy(buf->data, &size, 4);
}

static void add_u32(ds_buf *buf, uint32_t v) {
    ds_buf_add(buf, &v, 4);
}

/* {name: 1, $db: "test"} */
static void add_body(ds_buf *buf, const char *name) {
    size_t root = ds__doc_begin(buf);
    ds__write_int32(buf, name, 1);
    ds__write_str(buf, "$db", "test");
    ds__doc_end(buf, root);
}

static void add_sequence(ds_buf *buf, const char *name, int count) {
    size_t at = buf->size + 1;
    ds_buf_add_byte(buf, 1);
    add_u32(buf, 0);
    ds_buf_add(buf, name, strlen(name) + 1);
    for (int i = 0; i < count; i++) {
        size_t doc = ds__doc_begin(buf);
        ds__write_int32(buf, "i", i);
        ds__doc_end(buf, doc);
    }
    uint32_t size = (uint32_t)(buf->size - at);
    memcpy(buf->data + at, &size, 4);
}

static void insert_message(ds_buf *buf, uint32_t flags) {
    begin(buf, DS_WIRE_OP_MSG);
    add_u32(buf, flags);
    ds_buf_add_byte(buf, 0);
    add_body(buf, "insert");
    add_sequence(buf, "documents", 12);
    finish(buf);
}

/* Parses a copy that ends where the message ends, so that a sanitizer sees any read past it. */
static bool parse(const ds_buf *buf, size_t size, ds_buf *merged, ds__wire_request *out,
                  ds_error *err) {
    uint8_t *copy = ds__alloc(size ? size : 1);
    memcpy(copy, buf->data, size);
    bool ok = ds__wire_parse(copy, size, merged, out, err);
    if (ok && merged->size == 0) {
        /* keep what the request views */
        ds_buf_add(merged, out->command.as.bytes, out->command.size);
        out->command = ds__document(merged->data);
    }
    ds__free(copy);
    return ok;
}

static void sequences_become_arrays_of_the_command(void **state) {
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    insert_message(&buf, DS_WIRE_MORE_TO_COME);
    assert_true(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(r.header.request_id, 7);
    assert_int_equal(r.flags, DS_WIRE_MORE_TO_COME);
    ds_value documents = ds__doc_field(r.command, "documents");
    assert_int_equal(documents.type, DS_ARRAY);
    assert_int_equal(ds__doc_count(documents), 12);
    assert_int_equal(ds__doc_field(ds__array_at(documents, 11), "i").as.i32, 11);
    assert_true(ds__is_string(ds__doc_field(r.command, "$db"), "test"));
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

static void checksums_are_compared(void **state) {
    assert_int_equal(ds__wire_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    begin(&buf, DS_WIRE_OP_MSG);
    add_u32(&buf, DS_WIRE_CHECKSUM);
    ds_buf_add_byte(&buf, 0);
    add_body(&buf, "ping");
    add_u32(&buf, 0);
    finish(&buf);
    assert_false(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(err.code, DS_PROTOCOL_ERROR);
    uint32_t crc = ds__wire_crc32c(buf.data, buf.size - 4);
    memcpy(buf.data + buf.size - 4, &crc, 4);
    assert_true(parse(&buf, buf.size, &merged, &r, &err));
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

static void a_first_hello_may_be_an_op_query(void **state) {
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    begin(&buf, DS_WIRE_OP_QUERY);
    add_u32(&buf, 4);
    ds_buf_add(&buf, "admin.$cmd", 11);
    add_u32(&buf, 0);
    add_u32(&buf, 0xffffffff);
    add_body(&buf, "ismaster");
    finish(&buf);
    assert_true(parse(&buf, buf.size, &merged, &r, &err));
    assert_true(r.legacy);
    assert_string_equal(r.db, "admin");
    assert_int_equal(ds__doc_field(r.command, "ismaster").type, DS_INT32);
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

static void wrong_frames_are_protocol_errors(void **state) {
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    insert_message(&buf, 4); /* an unknown required flag */
    assert_false(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(err.code, DS_PROTOCOL_ERROR);
    begin(&buf, DS_WIRE_OP_MSG); /* no body */
    add_u32(&buf, 0);
    add_sequence(&buf, "documents", 1);
    finish(&buf);
    assert_false(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(err.code, DS_PROTOCOL_ERROR);
    static const int32_t opcodes[] = {0, 1, 2001, 2002, 2012, 9999};
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        begin(&buf, opcodes[i]);
        add_u32(&buf, 0);
        ds_buf_add_byte(&buf, 0);
        add_body(&buf, "ping");
        finish(&buf);
        assert_false(parse(&buf, buf.size, &merged, &r, &err));
        assert_int_equal(err.code, DS_PROTOCOL_ERROR);
    }
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

static void fields_given_twice_are_refused_but_answered(void **state) {
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    begin(&buf, DS_WIRE_OP_MSG);
    add_u32(&buf, 0);
    add_sequence(&buf, "documents", 1);
    add_sequence(&buf, "documents", 1);
    ds_buf_add_byte(&buf, 0);
    add_body(&buf, "insert");
    finish(&buf);
    assert_false(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(err.code, 40431);
    begin(&buf, DS_WIRE_OP_MSG);
    add_u32(&buf, 0);
    add_sequence(&buf, "insert", 1);
    ds_buf_add_byte(&buf, 0);
    add_body(&buf, "insert");
    finish(&buf);
    assert_false(parse(&buf, buf.size, &merged, &r, &err));
    assert_int_equal(err.code, 40433);
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

/* Every cut is refused, and no changed byte makes the parser read past the end. */
static void cut_and_changed_messages_are_safe(void **state) {
    ds_buf buf = {0}, merged = {0};
    ds__wire_request r;
    ds_error err;
    insert_message(&buf, 0);
    for (size_t size = 0; size < buf.size; size++) {
        assert_false(parse(&buf, size, &merged, &r, &err));
        int32_t told = (int32_t)size;
        if (size >= 4) {
            /* the header agrees with the cut */
            uint8_t saved[4];
            memcpy(saved, buf.data, 4);
            memcpy(buf.data, &told, 4);
            parse(&buf, size, &merged, &r, &err);
            memcpy(buf.data, saved, 4);
        }
    }
    static const uint8_t values[] = {0, 1, 2, 3, 4, 5, 0x10, 0x7f, 0x80, 0xff};
    for (size_t at = 4; at < buf.size; at++) {
        uint8_t saved = buf.data[at];
        for (size_t i = 0; i < sizeof values; i++) {
            buf.data[at] = values[i];
            ds_buf_reset(&merged);
            parse(&buf, buf.size, &merged, &r, &err);
        }
        buf.data[at] = saved;
    }
    ds_buf_clear(&buf);
    ds_buf_clear(&merged);
}

static void headers_out_of_range_are_refused(void **state) {
    static const int32_t sizes[] = {INT32_MIN, -1, 0, 15, 20, 48000001, INT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[DS_WIRE_HEADER] = {0};
        ds__wire_header header;
        ds_error err;
        memcpy(bytes, &sizes[i], 4);
        assert_false(ds__wire_read_header(bytes, &header, &err));
        assert_int_equal(err.code, DS_PROTOCOL_ERROR);
    }
}

static void replies_name_the_request(void **state) {
    ds_buf buf = {0};
    ds__wire_request request = {.header = {.request_id = 7}};
    ds__wire_begin_reply(&buf, &request, DS_WIRE_MORE_TO_COME, 3);
    add_body(&buf, "ok");
    ds__wire_finish_reply(&buf, 0);
    ds__wire_header header;
    ds_error err;
    assert_true(ds__wire_read_header(buf.data, &header, &err));
    assert_int_equal(header.size, buf.size);
    assert_int_equal(header.request_id, 3);
    assert_int_equal(header.response_to, 7);
    assert_int_equal(header.opcode, DS_WIRE_OP_MSG);
    request.legacy = true;
    ds__wire_begin_reply(&buf, &request, 0, 4);
    assert_int_equal(buf.size, 36);
    ds_buf_clear(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_become_arrays_of_the_command),
        cmocka_unit_test(checksums_are_compared),
        cmocka_unit_test(a_first_hello_may_be_an_op_query),
        cmocka_unit_test(wrong_frames_are_protocol_errors),
        cmocka_unit_test(fields_given_twice_are_refused_but_answered),
        cmocka_unit_test(cut_and_changed_messages_are_safe),
        cmocka_unit_test(headers_out_of_range_are_refused),
        cmocka_unit_test(replies_name_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
