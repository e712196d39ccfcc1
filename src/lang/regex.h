/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of filters and expressions: PCRE2, freed with the arena a regex was compiled
 * in, within limits of steps, memory and time. A compiled regex belongs to one thread at a time. */
#ifndef DS_LANG_REGEX_H
#define DS_LANG_REGEX_H

#include "base/arena.h"
#include "base/error.h"
#include "bson/value.h"

typedef struct ds__regex ds__regex;

enum {
    DS_REGEX_INVALID = 51091,  /* the pattern does not compile */
    DS_REGEX_BAD_FLAG = 51108, /* an option other than i, m, s, x, u */
    DS_REGEX_EXHAUSTED = 51156 /* a match needs more steps or memory than it may take */
};

/* What a search found. */
typedef enum ds__regex_result {
    DS_REGEX_NO_MATCH = 0,
    DS_REGEX_MATCH = 1,
    DS_REGEX_FAILED = -1,  /* err says why */
    DS_REGEX_NOT_UTF8 = -2 /* the subject; err is not set */
} ds__regex_result;

/* Compiles `pattern` (UTF-8, may hold NULs) with option letters `options`. The regex lives in the
 * arena. Errors: DS_REGEX_INVALID ("Regular expression is invalid: <why>"), DS_REGEX_BAD_FLAG;
 * callers may replace the code. */
bool ds__regex_compile(ds_arena *arena, const char *pattern, size_t pattern_size,
                       const char *options, size_t options_size, ds__regex **out, ds_error *err);

/* The same for a DS_REGEX value (pattern NUL options NUL). */
bool ds__regex_compile_value(ds_arena *arena, ds_value regex, ds__regex **out, ds_error *err);

/* The two texts of a DS_REGEX value. */
void ds__regex_split(ds_value regex, const char **pattern, size_t *pattern_size,
                     const char **options, size_t *options_size);

/* Searches `subject` from byte `from` on. When `from` is not 0 the subject is the one of the search
 * before, which is known to be UTF-8. `meter` (may be NULL) is asked for time. Errors:
 * DS_REGEX_EXHAUSTED naming the pattern; what the meter says. */
ds__regex_result ds__regex_search(ds__regex *regex, ds_meter *meter, const char *subject,
                                  size_t size, size_t from, ds_error *err);

/* Capture groups of the pattern, without the whole match. */
uint32_t ds__regex_groups(const ds__regex *regex);

/* Where group `group` (0: the whole match) of the last successful search lies. False when the
 * group took no part. Lifetime of the answer: until the next search. */
bool ds__regex_span(const ds__regex *regex, uint32_t group, size_t *begin, size_t *end);

#endif
