/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: one struct, MongoDB's codes, first failure wins. */
#ifndef DS_BASE_ERROR_H
#define DS_BASE_ERROR_H

#include <docstore/docstore.h>

/* DS_<NAME> = code, from codes.def. */
typedef enum ds_code {
#define DS_CODE(name, number, text) DS_##name = number,
#include "base/codes.def"
#undef DS_CODE
} ds_code;

#define DS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Sets the error and returns false, so that `return ds__error_set(...)` reads well. */
bool ds__error_set(ds_error *err, int32_t code, const char *fmt, ...) DS_PRINTF(3, 4);

/* Prefixes the message: "prefix :: caused by :: message" is the caller's wording. */
bool ds__error_prefix(ds_error *err, const char *fmt, ...) DS_PRINTF(2, 3);

/* Out of memory. */
bool ds__error_oom(ds_error *err);
/* Whether that is all an error says. */
bool ds__error_is_oom(const ds_error *err);

/* The codeName MongoDB gives a code: "BadValue"; "Location40323" style for unnamed ones is written
 * into `buf` (32 bytes). Returns a constant or `buf`. */
const char *ds__code_name(int32_t code, char *buf);

/* Stored bytes that should have been valid are not: DS_DATA_CORRUPTION_DETECTED. */
bool ds__corrupt(ds_error *err, const char *where);

#define DS_ASSERT_MESSAGE(cond) #cond
#ifdef NDEBUG
#define ds_assert(cond) ((void)0)
#else
#include <assert.h>
#define ds_assert(cond) assert(cond)
#endif

#endif
