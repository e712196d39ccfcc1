/* SPDX-License-Identifier: Apache-2.0 */
/* $regex and $options, and the literal prefix of a pattern, which planners turn into a range. */
#include "lang/filter/internal.h"

enum { REGEX_OPTIONS_TWICE = 51075 };

static bool is_special(char c) {
    return strchr("^$.|?*+()[]{}\\", c) != NULL;
}

/* The text every match begins with: after ^ or \A, up to the first character with a meaning. A
 * character that may repeat or be absent does not belong to it. */
static void find_prefix(ds__filter_parser *p, ds__filter *f, const char *s, size_t size,
                        const char *options, size_t options_size) {
    bool multiline = memchr(options, 'm', options_size) != NULL;
    size_t i = 0;
    if (memchr(options, 'i', options_size) != NULL || memchr(options, 'x', options_size) != NULL ||
        memchr(s, '|', size) != NULL) {
        return;
    }
    if (size >= 1 && s[0] == '^' && !multiline) {
        i = 1;
    } else if (size >= 2 && s[0] == '\\' && s[1] == 'A') {
        i = 2;
    } else {
        return;
    }
    char *out = ds_arena_alloc(p->env->arena, size + 1);
    size_t n = 0;
    if (out == NULL) {
        return;
    }
    for (; i < size; i++) {
        bool escaped = s[i] == '\\' && i + 1 < size && strchr(".^$*+?()[]{}|\\/-_@#:", s[i + 1]);
        if ((!escaped && (is_special(s[i]) || s[i] == 0)) || (escaped && s[i + 1] == 0)) {
            break;
        }
        i += escaped;
        out[n++] = s[i];
    }
    if (i < size && strchr("?*{", s[i]) != NULL && s[i] != 0) {
        /* the last character, all of its UTF-8 bytes */
        while (n > 0 && ((uint8_t)out[n - 1] & 0xC0) == 0x80) {
            n--;
        }
        n -= n > 0;
    }
    out[n] = 0;
    f->regex_prefix = n > 0 ? out : NULL;
    f->regex_prefix_size = (uint32_t)n;
    f->regex_prefix_exact = n > 0 && i == size;
}

bool ds__filter_make_regex(ds__filter_parser *p, const ds__path *path, ds_value regex,
                           ds__filter **out, ds_error *err) {
    ds__filter *f = ds__filter_new(p, DS_FILTER_REGEX, path, err);
    ds__regex *compiled = NULL;
    if (f == NULL || !ds__regex_compile_value(p->env->arena, regex, &compiled, err)) {
        return false;
    }
    f->operand = regex;
    f->detail = compiled;
    const char *pattern, *options;
    size_t pattern_size, options_size;
    ds__regex_split(regex, &pattern, &pattern_size, &options, &options_size);
    find_prefix(p, f, pattern, pattern_size, options, options_size);
    *out = f;
    return true;
}

static bool join(ds__filter_parser *p, const char *pattern, size_t pattern_size,
                 const char *options, size_t options_size, ds_value *out, ds_error *err) {
    if (memchr(pattern, 0, pattern_size) != NULL) {
        return ds__error_set(err, DS_BAD_VALUE,
                             "Regular expression cannot contain an embedded null byte");
    }
    for (size_t i = 0; i < options_size; i++) {
        if (options[i] == 0 || strchr("imsxu", options[i]) == NULL) {
            return ds__error_set(err, DS_REGEX_BAD_FLAG, " invalid flag in regex options: %c",
                                 options[i] ? options[i] : ' ');
        }
    }
    char *text = ds_arena_zalloc(p->env->arena, pattern_size + options_size + 2);
    if (text == NULL) {
        return ds__error_oom(err);
    }
    memcpy(text, pattern, pattern_size);
    memcpy(text + pattern_size + 1, options, options_size);
    *out = (ds_value){.type = DS_REGEX,
                      .size = (uint32_t)(pattern_size + options_size + 2),
                      .as.bytes = (const uint8_t *)text};
    return true;
}

DS_FILTER_FIELD(ds__filter_parse_regex) {
    const char *pattern = NULL, *options = "";
    size_t pattern_size = 0, options_size = 0;
    if (arg->value.type == DS_REGEX) {
        ds__regex_split(arg->value, &pattern, &pattern_size, &options, &options_size);
    } else if (arg->value.type == DS_STRING) {
        pattern = ds__text(arg->value);
        pattern_size = arg->value.size;
    } else {
        return ds__error_set(err, DS_BAD_VALUE, "$regex has to be a string");
    }
    ds_value extra = ds__doc_field(arg->siblings, "$options");
    if (extra.type != DS_MISSING) {
        if (extra.type != DS_STRING) {
            return ds__error_set(err, DS_BAD_VALUE, "$options has to be a string");
        }
        if (options_size > 0) {
            return ds__error_set(err, REGEX_OPTIONS_TWICE,
                                 "options set in both $regex and $options");
        }
        options = ds__text(extra);
        options_size = extra.size;
    }
    ds_value regex;
    return join(p, pattern, pattern_size, options, options_size, &regex, err) &&
           ds__filter_make_regex(p, arg->path, regex, out, err);
}

DS_FILTER_FIELD(ds__filter_parse_options) {
    if (ds__doc_field(arg->siblings, "$regex").type == DS_MISSING) {
        return ds__error_set(err, DS_BAD_VALUE, "$options needs a $regex");
    }
    return true;
}

bool ds__filter_search(ds__regex *regex, const char *text, size_t size, ds__match *m) {
    if (m->failed) {
        return false;
    }
    ds__regex_result result = ds__regex_search(regex, m->meter, text, size, 0, m->err);
    m->failed = m->failed || result == DS_REGEX_FAILED;
    return result == DS_REGEX_MATCH;
}

bool ds__filter_test_regex(ds_value regex, ds__regex *compiled, ds_value v, ds__match *m) {
    if (v.type == DS_STRING || v.type == DS_SYMBOL) {
        return ds__filter_search(compiled, ds__text(v), v.size, m);
    }
    return v.type == DS_REGEX && v.size == regex.size &&
           memcmp(v.as.bytes, regex.as.bytes, v.size) == 0;
}
