/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a document that are read in one walk over it, where each by itself would walk anew. */
#ifndef DS_LANG_PIPELINE_FIELDS_H
#define DS_LANG_PIPELINE_FIELDS_H

#include "bson/path.h"

enum { DS_FIELDS_MAX = 16 };

/* Zero-initialise to start. */
typedef struct ds__fields {
    const ds__path_part *names[DS_FIELDS_MAX]; /* borrowed */
    ds_value values[DS_FIELDS_MAX];            /* of the last document; missing if it has none */
    uint8_t order[DS_FIELDS_MAX];              /* in which the last document had them */
    size_t count;
} ds__fields;

/* Where the value of `path` will be; -1 when it is not read so: it leads into documents, or there
 * are too many. The path must outlive the fields. */
int ds__fields_add(ds__fields *fields, const ds__path *path);
/* Reads a document. Lifetime of the values: its bytes. */
void ds__fields_read(ds__fields *fields, ds_value doc);

#endif
