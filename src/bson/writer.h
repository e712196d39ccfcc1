/* SPDX-License-Identifier: Apache-2.0 */
/* Writes BSON into a ds_buf. Failures are the buffer's (sticky): ask ds_buf_ok at the end.
 *
 *   size_t root = ds__doc_begin(buf);
 *   ds__write_value(buf, "a", 1, v);
 *   size_t sub = ds__write_doc(buf, "b", 1, DS_ARRAY);
 *   ...
 *   ds__doc_end(buf, sub);
 *   ds__doc_end(buf, root);
 */
#ifndef DS_BSON_WRITER_H
#define DS_BSON_WRITER_H

#include "base/arena.h"
#include "base/buf.h"
#include "bson/value.h"

/* Starts a document; the result goes to ds__doc_end. */
size_t ds__doc_begin(ds_buf *buf);
/* Ends a document or array: writes the NUL and the length. */
void ds__doc_end(ds_buf *buf, size_t begin);
/* Starts an embedded document or array (type DS_DOCUMENT or DS_ARRAY). */
size_t ds__write_doc(ds_buf *buf, const char *key, size_t key_size, uint8_t type);
/* A field; DS_MISSING writes nothing. The key must hold no NUL. */
void ds__write_value(ds_buf *buf, const char *key, size_t key_size, ds_value v);
/* A field named by an array position. */
void ds__write_index(ds_buf *buf, size_t index, ds_value v);
/* As ds__write_doc, named by an array position. */
size_t ds__write_index_doc(ds_buf *buf, size_t index, uint8_t type);
/* Bytes of a value without its key and type byte. */
void ds__write_payload(ds_buf *buf, ds_value v);
/* Every element of a document as it stands. */
static inline void ds__write_elements(ds_buf *buf, ds_value doc) {
    ds_buf_add(buf, doc.as.bytes + 4, doc.size - 5);
}

static inline void ds__write_int32(ds_buf *b, const char *k, int32_t v) {
    ds__write_value(b, k, strlen(k), ds__int32(v));
}
static inline void ds__write_int64(ds_buf *b, const char *k, int64_t v) {
    ds__write_value(b, k, strlen(k), ds__int64(v));
}
static inline void ds__write_double(ds_buf *b, const char *k, double v) {
    ds__write_value(b, k, strlen(k), ds__double(v));
}
static inline void ds__write_bool(ds_buf *b, const char *k, bool v) {
    ds__write_value(b, k, strlen(k), ds__bool(v));
}
/* NULL is a text there was no memory for: the buffer fails as for its own. */
static inline void ds__write_str(ds_buf *b, const char *k, const char *v) {
    if (v == NULL) {
        b->failed = b->no_memory = true;
        return;
    }
    ds__write_value(b, k, strlen(k), ds__cstring(v));
}

/* The decimal text of an array position into `out` (24 bytes); returns its length. */
size_t ds__index_text(size_t index, char *out);

/* Copies what a value borrows into the arena, so that it lives as long. NULL-safe for scalars.
 * False when memory is out. */
bool ds__value_copy(ds_arena *arena, ds_value v, ds_value *out);
/* Moves a finished document (root at 0) from buf into the arena as a value of `type`. */
bool ds__buf_to_value(ds_arena *arena, const ds_buf *buf, uint8_t type, ds_value *out);

#endif
