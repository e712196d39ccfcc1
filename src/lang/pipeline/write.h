/* SPDX-License-Identifier: Apache-2.0 */
/* What $out and $merge share: their input, kept until all of it is known, and commands to the host.
 */
#ifndef DS_LANG_PIPELINE_WRITE_H
#define DS_LANG_PIPELINE_WRITE_H

#include "lang/pipeline/internal.h"

/* Documents one after another, beyond some size in a temporary file. */
typedef struct ds__held_docs {
    ds__spill spill;
    ds_buf memory;
    ds_buf row;
    uint64_t at;
    bool on_disk;
} ds__held_docs;

/* Reads all the stage's input, so that nothing is written while something is read. */
bool ds__held_docs_load(ds__held_docs *docs, ds__stage *stage, ds_error *err);
/* Lifetime of *doc: until the next call. */
ds_next ds__held_docs_next(ds__held_docs *docs, ds_value *doc, ds_error *err);
void ds__held_docs_clear(ds__held_docs *docs);

/* Runs a command document built in `command`; `reply` receives the reply. Errors: the reply's own,
 * with its first write error. */
bool ds__stage_run(ds__stage *stage, const char *db, ds_buf *command, ds_buf *reply, ds_error *err);
/* The unique-ness of `fields` (paths) in a collection: whether an index on just them is unique. */
bool ds__stage_has_unique(ds__stage *stage, const char *db, const char *coll,
                          const ds__path *fields, size_t count, bool *found, ds_error *err);
/* The documents of the first batch of a cursor reply. */
ds_value ds__reply_batch(const ds_buf *reply);

#endif
