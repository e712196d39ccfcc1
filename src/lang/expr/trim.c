/* SPDX-License-Identifier: Apache-2.0 */
/* $trim and its sides, $replaceOne and $replaceAll: strings by named arguments. */
#include "lang/expr/internal.h"

enum { ARG_INPUT, ARG_CHARS };

/* Bytes of the UTF-8 character that starts with c. */
static size_t char_size(unsigned char c) {
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static bool is_in(const char *set, size_t set_size, const char *c, size_t size) {
    for (size_t at = 0; at < set_size;) {
        size_t n = char_size((unsigned char)set[at]);
        n = n > set_size - at ? set_size - at : n;
        if (n == size && memcmp(set + at, c, size) == 0) {
            return true;
        }
        at += n;
    }
    return false;
}

static ds_value trim(ds_value s, const char *set, size_t set_size, bool left, bool right) {
    const char *text = ds__text(s);
    size_t begin = 0;
    size_t end = s.size;
    while (left && begin < end) {
        size_t n = char_size((unsigned char)text[begin]);
        n = n > end - begin ? end - begin : n;
        if (!is_in(set, set_size, text + begin, n)) {
            break;
        }
        begin += n;
    }
    while (right && end > begin) {
        size_t at = end - 1;
        while (at > begin && ((unsigned char)text[at] & 0xC0) == 0x80) {
            at--;
        }
        if (!is_in(set, set_size, text + at, end - at)) {
            break;
        }
        end = at;
    }
    return ds__string(text + begin, end - begin);
}

static bool trim_wanted(const ds__expr *expr, ds_value v, const char *what, int32_t code,
                        ds_error *err) {
    if (v.type == DS_STRING) {
        return true;
    }
    char quoted[128];
    return ds__error_set(err, code, "%s requires %s to be a string, got %s (of type %s) instead.",
                         expr->op->name, what, ds__value_quote(v, quoted, sizeof quoted),
                         ds__type_name(v.type));
}

static bool run_trim(const ds__expr *expr, ds__eval *eval, bool left, bool right, ds_value *out,
                     ds_error *err) {
    static const char white[] = "\0\t\n\v\f\r \xC2\xA0\xE1\x9A\x80"
                                "\xE2\x80\x80\xE2\x80\x81\xE2\x80\x82\xE2\x80\x83\xE2\x80\x84"
                                "\xE2\x80\x85\xE2\x80\x86\xE2\x80\x87\xE2\x80\x88\xE2\x80\x89"
                                "\xE2\x80\x8A";
    ds_value s;
    ds_value chars = ds__string(white, sizeof white - 1);
    *out = ds__null();
    if (!ds__expr_run(expr->args[ARG_INPUT], eval, &s, err)) {
        return false;
    }
    if (ds__is_nullish(s)) {
        return true;
    }
    if (!trim_wanted(expr, s, "its input", 50699, err)) {
        return false;
    }
    if (expr->args[ARG_CHARS] != NULL) {
        if (!ds__expr_run(expr->args[ARG_CHARS], eval, &chars, err)) {
            return false;
        }
        if (ds__is_nullish(chars)) {
            return true;
        }
        if (!trim_wanted(expr, chars, "'chars'", 50700, err)) {
            return false;
        }
    }
    *out = trim(s, ds__text(chars), chars.size, left, right);
    return true;
}

static bool eval_trim(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return run_trim(expr, eval, true, true, out, err);
}

static bool eval_ltrim(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return run_trim(expr, eval, true, false, out, err);
}

static bool eval_rtrim(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return run_trim(expr, eval, false, true, out, err);
}

static bool parse_trim(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 50696, "%s only supports an object as an argument, found %s",
                             self, ds__type_name(arg.type));
    }
    if (!ds__expr_reserve_args(p, expr, 2, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        bool is_input = strcmp(it.key, "input") == 0;
        if (!is_input && strcmp(it.key, "chars") != 0) {
            return ds__error_set(err, 50694, "%s found an unknown argument: %s", self, it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[is_input ? ARG_INPUT : ARG_CHARS], err)) {
            return false;
        }
    }
    if (expr->args[ARG_INPUT] == NULL) {
        return ds__error_set(err, 50695, "%s requires an 'input' field", self);
    }
    return true;
}

/* Replacing. Arguments are input, find, replacement. */

static bool run_replace(const ds__expr *expr, ds__eval *eval, bool all, ds_value *out,
                        ds_error *err) {
    static const char *const names[] = {"input", "find", "replacement"};
    ds_value v[3];
    for (uint32_t i = 0; i < 3; i++) {
        if (!ds__expr_run(expr->args[i], eval, &v[i], err)) {
            return false;
        }
    }
    bool any_null = false;
    for (int i = 0; i < 3; i++) {
        any_null = any_null || ds__is_nullish(v[i]);
        if (!ds__is_nullish(v[i]) && v[i].type != DS_STRING) {
            char quoted[128];
            return ds__error_set(err, 51746 - i, "%s requires that '%s' be a string, found: %s",
                                 expr->op->name, names[i],
                                 ds__value_quote(v[i], quoted, sizeof quoted));
        }
    }
    if (any_null) {
        *out = ds__null();
        return true;
    }
    const char *text = ds__text(v[0]);
    size_t size = v[0].size;
    size_t hits = 0;
    for (size_t at = 0; at <= size && (all || hits == 0); hits++) {
        const char *hit =
            v[1].size == 0 ? text + at : memmem(text + at, size - at, v[1].as.bytes, v[1].size);
        if (hit == NULL) {
            break;
        }
        at = (size_t)(hit - text) + (v[1].size == 0 ? 1 : v[1].size);
    }
    char *made = ds_arena_alloc(eval->scratch, size + hits * v[2].size + 1);
    if (made == NULL) {
        return ds__error_oom(err);
    }
    size_t at = 0;
    size_t to = 0;
    for (size_t i = 0; i < hits; i++) {
        const char *hit =
            v[1].size == 0 ? text + at : memmem(text + at, size - at, v[1].as.bytes, v[1].size);
        size_t before = (size_t)(hit - text) - at;
        memcpy(made + to, text + at, before);
        to += before;
        memcpy(made + to, v[2].as.bytes, v[2].size);
        to += v[2].size;
        at += before + v[1].size;
        if (v[1].size == 0 && at < size) {
            made[to++] = text[at++];
        }
    }
    memcpy(made + to, text + at, size - at);
    *out = ds__string(made, to + size - at);
    return true;
}

static bool eval_replace_one(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return run_replace(expr, eval, false, out, err);
}

static bool eval_replace_all(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    return run_replace(expr, eval, true, out, err);
}

static bool parse_replace(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"input", "find", "replacement"};
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 51751, "%s requires an object as an argument, found: %s", self,
                             ds__type_name(arg.type));
    }
    if (!ds__expr_reserve_args(p, expr, 3, err)) {
        return false;
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        int i = 0;
        while (i < 3 && strcmp(it.key, names[i]) != 0) {
            i++;
        }
        if (i == 3) {
            return ds__error_set(err, 51750, "%s found an unknown argument: %s", self, it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, 51749 - i, "%s requires '%s' to be specified", self,
                                 names[i]);
        }
    }
    return true;
}

const ds__expr_op ds__expr_ops_trim[] = {
    {.name = "$trim", .parse = parse_trim, .eval = eval_trim},
    {.name = "$ltrim", .parse = parse_trim, .eval = eval_ltrim},
    {.name = "$rtrim", .parse = parse_trim, .eval = eval_rtrim},
    {.name = "$replaceOne", .parse = parse_replace, .eval = eval_replace_one, .no_fold = true},
    {.name = "$replaceAll", .parse = parse_replace, .eval = eval_replace_all, .no_fold = true},
    {.name = NULL},
};
