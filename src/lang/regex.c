/* SPDX-License-Identifier: Apache-2.0 */
/* PCRE2 behind a small face. The library allocates through a general context backed by an arena and
 * frees nothing; the compiler for machine code is not used, because its memory would need freeing.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lang/regex.h"

#include <pcre2.h>

struct ds__regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    size_t *spans; /* of `match` */
    uint32_t groups;
};

static void *regex_alloc(size_t size, void *arena) {
    return ds_arena_alloc(arena, size);
}

static void regex_free(void *p, void *arena) {
    (void)p;
    (void)arena;
}

static bool parse_options(const char *options, size_t size, uint32_t *out, ds_error *err) {
    uint32_t flags = PCRE2_UTF;
    for (size_t i = 0; i < size; i++) {
        switch (options[i]) {
        case 'i':
            flags |= PCRE2_CASELESS;
            break;
        case 'm':
            flags |= PCRE2_MULTILINE;
            break;
        case 's':
            flags |= PCRE2_DOTALL;
            break;
        case 'x':
            flags |= PCRE2_EXTENDED;
            break;
        case 'u':
            break;
        default:
            return ds__error_set(err, DS_REGEX_BAD_FLAG, "invalid flag in regex options: %c",
                                 options[i]);
        }
    }
    *out = flags;
    return true;
}

bool ds__regex_compile(ds_arena *arena, const char *pattern, size_t pattern_size,
                       const char *options, size_t options_size, ds__regex **out, ds_error *err) {
    *out = NULL;
    uint32_t flags = 0;
    if (!parse_options(options, options_size, &flags, err)) {
        return false;
    }
    ds__regex *regex = ds_arena_zalloc(arena, sizeof *regex);
    pcre2_general_context *general = pcre2_general_context_create(regex_alloc, regex_free, arena);
    pcre2_compile_context *compile = general ? pcre2_compile_context_create(general) : NULL;
    if (regex == NULL || compile == NULL) {
        return ds__error_oom(err);
    }
    int number = 0;
    PCRE2_SIZE offset = 0;
    regex->code =
        pcre2_compile((PCRE2_SPTR)pattern, pattern_size, flags, &number, &offset, compile);
    if (regex->code == NULL) {
        PCRE2_UCHAR text[128] = {0};
        pcre2_get_error_message(number, text, sizeof text);
        return ds__error_set(err, DS_REGEX_INVALID, "Regular expression is invalid: %s",
                             (const char *)text);
    }
    regex->match = pcre2_match_data_create_from_pattern(regex->code, general);
    regex->context = pcre2_match_context_create(general);
    if (regex->match == NULL || regex->context == NULL) {
        return ds__error_oom(err);
    }
    regex->spans = pcre2_get_ovector_pointer(regex->match);
    pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->groups);
    *out = regex;
    return true;
}

void ds__regex_split(ds_value regex, const char **pattern, size_t *pattern_size,
                     const char **options, size_t *options_size) {
    *pattern = ds__text(regex);
    *pattern_size = strlen(*pattern);
    *options = *pattern + *pattern_size + 1;
    *options_size = strlen(*options);
}

bool ds__regex_compile_value(ds_arena *arena, ds_value regex, ds__regex **out, ds_error *err) {
    const char *pattern = NULL;
    const char *options = NULL;
    size_t pattern_size = 0;
    size_t options_size = 0;
    ds__regex_split(regex, &pattern, &pattern_size, &options, &options_size);
    return ds__regex_compile(arena, pattern, pattern_size, options, options_size, out, err);
}

ds__regex_result ds__regex_search(ds__regex *regex, const char *subject, size_t size, size_t from) {
    int rc =
        pcre2_match(regex->code, (PCRE2_SPTR)subject, size, from, 0, regex->match, regex->context);
    if (rc >= 0) {
        return DS_REGEX_MATCH;
    }
    return rc == PCRE2_ERROR_NOMATCH ? DS_REGEX_NO_MATCH : DS_REGEX_FAILED;
}

uint32_t ds__regex_groups(const ds__regex *regex) {
    return regex->groups;
}

bool ds__regex_span(const ds__regex *regex, uint32_t group, size_t *begin, size_t *end) {
    *begin = regex->spans[2 * (size_t)group];
    *end = regex->spans[2 * (size_t)group + 1];
    return *begin != PCRE2_UNSET;
}
