/* SPDX-License-Identifier: Apache-2.0 */
/* Writes cursor batches and write errors. A document is copied once, from where it was read into
 * the reply. */
#include "engine/commands/reply.h"

void ds__batch_begin(ds__batch *batch, ds_buf *reply, bool first) {
    batch->buf = reply;
    batch->count = 0;
    batch->cursor = ds__write_doc(reply, "cursor", 6, DS_DOCUMENT);
    batch->array = first ? ds__write_doc(reply, "firstBatch", 10, DS_ARRAY)
                         : ds__write_doc(reply, "nextBatch", 9, DS_ARRAY);
    batch->start = reply->size;
}

void ds__batch_add(ds__batch *batch, ds_value doc) {
    char name[12];
    size_t n = ds__index_text(batch->count++, name);
    uint8_t *p = ds_buf_reserve(batch->buf, doc.size + n + 2);
    if (p == NULL) {
        return;
    }
    *p = DS_DOCUMENT;
    memcpy(p + 1, name, n);
    p[1 + n] = 0;
    memcpy(p + n + 2, doc.as.bytes, doc.size);
    batch->buf->size += doc.size + n + 2;
}

void ds__reply_snapshot(ds_buf *reply, uint64_t at_cluster_time) {
    if (at_cluster_time) {
        ds_value time = {.type = DS_TIMESTAMP, .as.u64 = at_cluster_time};
        ds__write_value(reply, "atClusterTime", 13, time);
    }
}

void ds__batch_end(ds__batch *batch, int64_t cursor_id, const char *ns, uint64_t at_cluster_time) {
    ds__doc_end(batch->buf, batch->array);
    ds__write_int64(batch->buf, "id", cursor_id);
    ds__write_str(batch->buf, "ns", ns);
    ds__reply_snapshot(batch->buf, at_cluster_time);
    ds__doc_end(batch->buf, batch->cursor);
}

void ds__reply_write_error(ds_buf *array, size_t at, int32_t index, const ds_error *why,
                           ds_value details) {
    size_t doc = ds__write_index_doc(array, at, DS_DOCUMENT);
    ds__write_int32(array, "index", index);
    ds__write_int32(array, "code", why->code);
    ds__write_str(array, "errmsg", why->message);
    if (details.type == DS_DOCUMENT) {
        ds__write_elements(array, details);
    }
    ds__doc_end(array, doc);
}
