/* SPDX-License-Identifier: Apache-2.0 */
/* From a document to keys, as kinds of index use it. */
#ifndef DS_ENGINE_INDEX_EXTRACT_H
#define DS_ENGINE_INDEX_EXTRACT_H

#include "engine/index/index.h"

/* The keys of the values that the paths of an index's parts lead to. */
bool ds__extract_paths(const ds__index *index, ds_value doc, ds_meter *meter, ds__index_keys *out,
                       ds_error *err);

#endif
