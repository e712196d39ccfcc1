/* SPDX-License-Identifier: Apache-2.0 */
/* PCRE2 behind a small face. A short subject is searched at once, with few steps allowed from each
 * place; where those do not do, and in long subjects, a second form of the pattern is used that
 * calls back before each of its items, so that the clock is looked at. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "lang/regex.h"

#include <pcre2.h>

#include "base/limits.h"
#include "base/mem.h"

enum {
    SHORT_SUBJECT = 4096,  /* bytes: a search is over soon, even a quadratic one */
    SHORT_STEPS = 10000,   /* of matching from one place, before it is done with care */
    MOST_STEPS = 1000000,  /* mongod 6.0 allows 200,000 */
    MOST_HEAP_KIB = 32768, /* of one match's choices to come back to */
    COMPILE_AFTER = 32     /* searches, before it pays to make machine code */
};

struct ds__regex {
    /* owned */
    pcre2_general_context *general;
    pcre2_code *code;
    pcre2_code *careful; /* NULL until it is needed */
    pcre2_match_data *match;
    pcre2_match_context *context;
    /* borrowed */
    ds_meter *memory; /* of the arena */
    const char *pattern;
    /* of the search running */
    ds_meter *meter;
    ds_error *err;
    size_t seen; /* where in the subject the last callback was */
    bool stopped;
    /* plain */
    size_t pattern_size;
    uint32_t flags;
    uint32_t groups;
    uint32_t searches;
    size_t machine_bytes;
};

/* Memory the library takes, with its size in front. */
typedef union counted {
    size_t size;
    char align[16];
} counted;

static void *regex_alloc(size_t size, void *ctx) {
    ds_meter *meter = ctx;
    size_t whole;
    if (!ds__size_add(size, sizeof(counted), &whole) ||
        (meter != NULL && !ds_meter_charge(meter, whole))) {
        return NULL;
    }
    counted *c = ds__realloc(NULL, whole);
    if (c == NULL) {
        ds_meter_give(meter, whole);
        return NULL;
    }
    c->size = whole;
    return c + 1;
}

static void regex_free(void *p, void *ctx) {
    if (p != NULL) {
        counted *c = (counted *)p - 1;
        ds_meter_give(ctx, c->size);
        ds__free(c);
    }
}

static void regex_clear(void *ctx) {
    ds__regex *r = ctx;
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->context);
    pcre2_code_free(r->code);
    pcre2_code_free(r->careful);
    pcre2_general_context_free(r->general);
    ds_meter_give(r->memory, r->machine_bytes);
}

/* Before each item of the pattern: the way since the last call is what it cost. */
static int on_item(pcre2_callout_block *block, void *ctx) {
    ds__regex *r = ctx;
    size_t at = block->current_position;
    size_t way = at > r->seen ? at - r->seen : r->seen - at;
    r->seen = at;
    if (!ds_meter_step(r->meter, (int64_t)(way / DS_METER_STEP_BYTES) + 1, r->err)) {
        r->stopped = true;
        return PCRE2_ERROR_CALLOUT;
    }
    return 0;
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

/* One form of the pattern: as it is, or with callbacks. */
static bool compile_form(ds__regex *r, uint32_t more_flags, pcre2_code **out, ds_error *err) {
    pcre2_compile_context *context = pcre2_compile_context_create(r->general);
    if (context == NULL) {
        return ds__error_oom(err);
    }
    int number = 0;
    PCRE2_SIZE offset = 0;
    *out = pcre2_compile((PCRE2_SPTR)r->pattern, r->pattern_size, r->flags | more_flags, &number,
                         &offset, context);
    pcre2_compile_context_free(context);
    if (*out == NULL) {
        PCRE2_UCHAR text[128] = {0};
        if (number == PCRE2_ERROR_HEAP_FAILED) {
            return ds__error_oom(err);
        }
        pcre2_get_error_message(number, text, sizeof text);
        return ds__error_set(err, DS_REGEX_INVALID, "Regular expression is invalid: %s",
                             (const char *)text);
    }
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
    if (regex == NULL || !ds_arena_defer(arena, regex_clear, regex)) {
        return ds__error_oom(err);
    }
    regex->memory = arena->meter;
    regex->flags = flags;
    regex->pattern = ds_arena_strndup(arena, pattern, pattern_size);
    regex->pattern_size = pattern_size;
    regex->general = pcre2_general_context_create(regex_alloc, regex_free, arena->meter);
    regex->context = regex->general ? pcre2_match_context_create(regex->general) : NULL;
    if (regex->pattern == NULL || regex->context == NULL) {
        return ds__error_oom(err);
    }
    pcre2_set_callout(regex->context, on_item, regex);
    pcre2_set_heap_limit(regex->context, MOST_HEAP_KIB);
    if (!compile_form(regex, 0, &regex->code, err)) {
        return false;
    }
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

/* Machine code, where the machine and the memory allow it; without it searches are slower. */
static void make_machine_code(ds__regex *r, pcre2_code *code) {
    size_t size = 0;
    if (r->memory != NULL && r->memory->limit != 0 && r->memory->held > r->memory->limit / 2) {
        return;
    }
    if (pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0 &&
        pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &size) == 0 && r->memory != NULL) {
        r->memory->held += size;
        r->machine_bytes += size;
    }
}

static int run(ds__regex *r, const pcre2_code *code, const char *subject, size_t size, size_t from,
               uint32_t steps) {
    uint32_t options = from > 0 ? PCRE2_NO_UTF_CHECK : 0;
    pcre2_set_match_limit(r->context, steps);
    int rc = pcre2_match(code, (PCRE2_SPTR)subject, size, from, options, r->match, r->context);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) { /* the interpreter's memory is the heap */
        rc = pcre2_match(code, (PCRE2_SPTR)subject, size, from, options | PCRE2_NO_JIT, r->match,
                         r->context);
    }
    return rc;
}

static bool prepare_match(ds__regex *r, ds_error *err) {
    if (++r->searches == COMPILE_AFTER) {
        make_machine_code(r, r->code);
    }
    if (r->match == NULL) {
        r->match = pcre2_match_data_create(r->groups + 1, r->general);
    }
    return r->match != NULL || ds__error_oom(err);
}

static bool prepare_careful(ds__regex *r, ds_error *err) {
    if (r->careful == NULL) {
        if (!compile_form(r, PCRE2_AUTO_CALLOUT, &r->careful, err)) {
            return false;
        }
        make_machine_code(r, r->careful);
    }
    return true;
}

static ds__regex_result failed(const ds__regex *r, int rc, ds_error *err) {
    const char *why = "too much memory";
    if (r->stopped) {
        return DS_REGEX_FAILED;
    }
    if (rc == PCRE2_ERROR_NOMEMORY) {
        ds__error_oom(err);
        return DS_REGEX_FAILED;
    }
    if (rc == PCRE2_ERROR_MATCHLIMIT) {
        why = "too many steps";
    }
    ds__error_set(err, DS_REGEX_EXHAUSTED, "the regular expression '%.*s' takes %s to match",
                  r->pattern_size < DS_MAX_QUOTED ? (int)r->pattern_size : DS_MAX_QUOTED,
                  r->pattern, why);
    return DS_REGEX_FAILED;
}

ds__regex_result ds__regex_search(ds__regex *regex, ds_meter *meter, const char *subject,
                                  size_t size, size_t from, ds_error *err) {
    int rc = PCRE2_ERROR_MATCHLIMIT;
    if (!prepare_match(regex, err)) {
        return DS_REGEX_FAILED;
    }
    regex->meter = meter;
    regex->err = err;
    regex->seen = from;
    regex->stopped = false;
    if (size - from <= SHORT_SUBJECT) {
        rc = run(regex, regex->code, subject, size, from, SHORT_STEPS);
    }
    if (rc == PCRE2_ERROR_MATCHLIMIT) {
        if (!prepare_careful(regex, err)) {
            return DS_REGEX_FAILED;
        }
        rc = run(regex, regex->careful, subject, size, from, MOST_STEPS);
    }
    if (rc >= 0) {
        return DS_REGEX_MATCH;
    }
    if (rc == PCRE2_ERROR_NOMATCH) {
        return DS_REGEX_NO_MATCH;
    }
    if (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21) {
        return DS_REGEX_NOT_UTF8;
    }
    return failed(regex, rc, err);
}

uint32_t ds__regex_groups(const ds__regex *regex) {
    return regex->groups;
}

bool ds__regex_span(const ds__regex *regex, uint32_t group, size_t *begin, size_t *end) {
    const PCRE2_SIZE *spans = pcre2_get_ovector_pointer(regex->match);
    *begin = spans[2 * (size_t)group];
    *end = spans[2 * (size_t)group + 1];
    return *begin != PCRE2_UNSET;
}
