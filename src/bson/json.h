/* SPDX-License-Identifier: Apache-2.0 */
/* Values as text for error messages, in the way mongod prints them. */
#ifndef DS_BSON_JSON_H
#define DS_BSON_JSON_H

#include "base/buf.h"
#include "bson/value.h"

/* As mongod prints values in messages: { a: 1, b: "x", c: ObjectId('...') , d: new Date(0) }. */
void ds__value_print(ds_buf *out, ds_value v);
/* The same, shortened to DS_MAX_QUOTED, in a caller's buffer; returns it, for use in printf
 * arguments. */
const char *ds__value_quote(ds_value v, char *out, size_t size);

#endif
