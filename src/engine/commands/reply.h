/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes of replies: ok, errors with labels, cursors, write errors. */
#ifndef DS_ENGINE_COMMANDS_REPLY_H
#define DS_ENGINE_COMMANDS_REPLY_H

#include "engine/commands/command.h"

/* Ends an open reply with ok: 1 (or what the handler wrote), $clusterTime and operationTime. */
void ds__reply_end(ds__command *cmd, size_t root);
/* Writes a whole error reply over what `reply` holds from `root` on. */
void ds__reply_error(ds__command *cmd, size_t root, const ds_error *why);

/* {cursor: {firstBatch|nextBatch: [...]}}: begin, add documents, end. One copy per document. */
typedef struct ds__batch {
    ds_buf *buf;
    size_t cursor;
    size_t array;
    size_t count;
    size_t start; /* buf size when the batch began */
} ds__batch;
void ds__batch_begin(ds__batch *batch, ds_buf *reply, bool first);
void ds__batch_add(ds__batch *batch, ds_value doc);
/* A document written in place: begin, write its fields, end. */
size_t ds__batch_doc_begin(ds__batch *batch);
void ds__batch_doc_end(ds__batch *batch, size_t doc);
void ds__batch_end(ds__batch *batch, int64_t cursor_id, const char *ns);
/* Bytes of documents so far. */
static inline size_t ds__batch_bytes(const ds__batch *batch) {
    return batch->buf->size - batch->start;
}

/* A cursor reply that is complete in its first batch, for listings: begin with ds__batch_begin. */

#endif
