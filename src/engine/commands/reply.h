/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of replies: cursors and their batches, write errors. */
#ifndef DS_ENGINE_COMMANDS_REPLY_H
#define DS_ENGINE_COMMANDS_REPLY_H

#include "bson/writer.h"
#include "engine/op.h"

/* {cursor: {firstBatch|nextBatch: [...]}}: begin, add documents, end. One copy per document. */
typedef struct ds__batch {
    ds_buf *buf;
    size_t cursor;
    size_t array;
    size_t count;
    size_t start; /* size of buf when the first document came */
} ds__batch;

void ds__batch_begin(ds__batch *batch, ds_buf *reply, bool first);
void ds__batch_add(ds__batch *batch, ds_value doc);
/* Ends it: {…, id: cursor_id, ns: ns}, and the time of the snapshot unless that is 0. */
void ds__batch_end(ds__batch *batch, int64_t cursor_id, const char *ns, uint64_t at_cluster_time);
/* atClusterTime, unless that is 0. */
void ds__reply_snapshot(ds_buf *reply, uint64_t at_cluster_time);
/* Bytes of documents so far. */
static inline size_t ds__batch_bytes(const ds__batch *batch) {
    return batch->buf->size - batch->start;
}

/* {index, code, errmsg, …details} into the array of writeErrors. `details` may be DS_MISSING. */
void ds__reply_write_error(ds_buf *array, size_t at, int32_t index, const ds_error *why,
                           ds_value details);

#endif
