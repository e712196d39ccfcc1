/* SPDX-License-Identifier: Apache-2.0 */
/* The door for untrusted bytes: after this, views may be read without checks. */
#ifndef DS_BSON_VALIDATE_H
#define DS_BSON_VALIDATE_H

#include "base/error.h"
#include "bson/value.h"

/* Checks that `bytes` hold exactly one well-formed BSON document of `size` bytes: lengths, types,
 * terminators, booleans 0 or 1, nesting of at most `max_depth`. Strings may hold any bytes (MongoDB
 * stores invalid UTF-8 too). Errors: InvalidBSON naming the offset and what was expected;
 * Overflow for nesting. */
bool ds__bson_validate(const uint8_t *bytes, size_t size, int max_depth, ds_error *err);

/* Whether documents and arrays inside `v` are at most `levels` deep ({a: 1} has none, {a: {b: 1}}
 * one). Small ones are not even looked at. */
bool ds__value_depth_within(ds_value v, int levels);

#endif
