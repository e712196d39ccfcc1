/* SPDX-License-Identifier: Apache-2.0 */
/* Series of preferred numbers (Renard, E, 1-2-5, powers of two) to round bounds to. */
#ifndef DS_LANG_PIPELINE_GRANULARITY_H
#define DS_LANG_PIPELINE_GRANULARITY_H

#include "base/error.h"
#include "bson/value.h"

typedef struct ds__granularity ds__granularity;

/* "R5", "1-2-5", "POWERSOF2", …; NULL: none of that name. */
const ds__granularity *ds__granularity_find(const char *name, size_t size);
/* The next number of the series above (up) or below a value. Errors: 40258 (no number), 40259
 * (NaN), 40260 (negative). */
bool ds__granularity_round(const ds__granularity *g, ds_value v, bool up, ds_value *out,
                           ds_error *err);

#endif
