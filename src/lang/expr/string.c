/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: joining, cutting, searching, case (ASCII only, as MongoDB does), lengths. */
#include "lang/expr/internal.h"

#include "base/limits.h"

static bool is_continuation(unsigned char c) {
    return (c & 0xC0) == 0x80;
}

/* Bytes of the first `points` code points, at most size. */
static size_t skip_points(const char *s, size_t size, int64_t points) {
    size_t at = 0;
    while (at < size && points > 0) {
        at++;
        while (at < size && is_continuation((unsigned char)s[at])) {
            at++;
        }
        points--;
    }
    return at;
}

static int64_t count_points(const char *s, size_t size) {
    int64_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += !is_continuation((unsigned char)s[i]);
    }
    return count;
}

/* Position of `needle` in s[from, end), or SIZE_MAX. */
static size_t find(const char *s, size_t from, size_t end, ds_value needle) {
    if (from > end || needle.size > end - from) {
        return SIZE_MAX;
    }
    const char *hit =
        needle.size == 0 ? s + from : memmem(s + from, end - from, needle.as.bytes, needle.size);
    return hit == NULL ? SIZE_MAX : (size_t)(hit - s);
}

static bool eval_concat(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value *parts = ds_arena_alloc(eval->scratch, (expr->arg_count + 1) * sizeof *parts);
    size_t size = 0;
    if (parts == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!ds__expr_run(expr->args[i], eval, &parts[i], err)) {
            return false;
        }
        if (ds__is_nullish(parts[i])) {
            *out = ds__null();
            return true;
        }
        if (parts[i].type != DS_STRING) {
            return ds__error_set(err, 16702, "$concat only supports strings, not %s",
                                 ds__type_name(parts[i].type));
        }
        size += parts[i].size;
    }
    if (size > DS_MAX_GROUP_BYTES) {
        return ds__error_set(err, DS_BSON_OBJECT_TOO_LARGE,
                             "an expression's result of %zu bytes is too large", size);
    }
    char *text = ds_arena_alloc(eval->scratch, size + 1);
    if (text == NULL) {
        return ds__error_oom(err);
    }
    size_t at = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        memcpy(text + at, parts[i].as.bytes, parts[i].size);
        at += parts[i].size;
    }
    *out = ds__string(text, size);
    return true;
}

static bool run_string(const ds__expr *expr, ds__eval *eval, uint32_t i, ds_value *out,
                       ds_error *err) {
    ds_value v;
    return ds__expr_run(expr->args[i], eval, &v, err) &&
           ds__expr_coerce_string(eval->scratch, v, out, err);
}

static bool eval_substr_bytes(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    ds_value lower;
    ds_value length;
    if (!run_string(expr, eval, 0, &s, err) || !ds__expr_run(expr->args[1], eval, &lower, err) ||
        !ds__expr_run(expr->args[2], eval, &length, err)) {
        return false;
    }
    if (!ds__is_number(lower)) {
        return ds__error_set(
            err, 16034, "$substrBytes:  starting index must be a numeric type (is BSON type %s)",
            ds__type_name(lower.type));
    }
    if (!ds__is_number(length)) {
        return ds__error_set(err, 16035,
                             "$substrBytes:  length must be a numeric type (is BSON type %s)",
                             ds__type_name(length.type));
    }
    int64_t from;
    int64_t count;
    if (!ds__expr_coerce_int64(lower, &from, err) || !ds__expr_coerce_int64(length, &count, err)) {
        return false;
    }
    if (from < 0) {
        return ds__error_set(err, 50752,
                             "$substrBytes:  starting index must be non-negative (got: %lld)",
                             (long long)from);
    }
    const char *text = ds__text(s);
    if (from < s.size && is_continuation((unsigned char)text[from])) {
        return ds__error_set(err, 28656,
                             "$substrBytes:  Invalid range, starting index is a UTF-8 "
                             "continuation byte.");
    }
    if (from >= s.size) {
        *out = ds__string("", 0);
        return true;
    }
    int64_t rest = (int64_t)s.size - from;
    if (count < 0 || count > rest) {
        count = rest;
    }
    if (count < rest && is_continuation((unsigned char)text[from + count])) {
        return ds__error_set(err, 28657,
                             "$substrBytes:  Invalid range, ending index is in the middle of a "
                             "UTF-8 character.");
    }
    *out = ds__string(text + from, (size_t)count);
    return true;
}

static bool code_point_bound(ds_value v, const char *what, int32_t code, int32_t *out,
                             ds_error *err) {
    if (!ds__is_number(v)) {
        return ds__error_set(err, code, "$substrCP: %s must be a numeric type (is BSON type %s)",
                             what, ds__type_name(v.type));
    }
    if (!ds__expr_exact_int32(v, out)) {
        char quoted[64];
        return ds__error_set(err, code + 1,
                             "$substrCP: %s cannot be represented as a 32-bit integral value: %s",
                             what, ds__value_quote(v, quoted, sizeof quoted));
    }
    return true;
}

static bool eval_substr_cp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    ds_value lower;
    ds_value length;
    int32_t from;
    int32_t count;
    if (!run_string(expr, eval, 0, &s, err) || !ds__expr_run(expr->args[1], eval, &lower, err) ||
        !ds__expr_run(expr->args[2], eval, &length, err) ||
        !code_point_bound(lower, "starting index", 34450, &from, err) ||
        !code_point_bound(length, "length", 34452, &count, err)) {
        return false;
    }
    if (count < 0) {
        return ds__error_set(err, 34454, "$substrCP: length must be a nonnegative integer.");
    }
    if (from < 0) {
        return ds__error_set(err, 34455,
                             "$substrCP: the starting index must be nonnegative integer.");
    }
    const char *text = ds__text(s);
    size_t begin = skip_points(text, s.size, from);
    *out = ds__string(text + begin, skip_points(text + begin, s.size - begin, count));
    return true;
}

/* The two strings of a search; `*done` when the first is nullish and the result null. */
static bool run_search(const ds__expr *expr, ds__eval *eval, int32_t code, ds_value *s,
                       ds_value *needle, ds_value *out, bool *done, ds_error *err) {
    *done = false;
    if (!ds__expr_run(expr->args[0], eval, s, err)) {
        return false;
    }
    if (ds__is_nullish(*s)) {
        *out = ds__null();
        *done = true;
        return true;
    }
    if (s->type != DS_STRING) {
        return ds__error_set(err, code, "%s requires a string as the first argument, found: %s",
                             expr->op->name, ds__type_name(s->type));
    }
    if (!ds__expr_run(expr->args[1], eval, needle, err)) {
        return false;
    }
    if (needle->type != DS_STRING) {
        return ds__error_set(err, code + 1,
                             "%s requires a string as the second argument, found: %s",
                             expr->op->name, ds__type_name(needle->type));
    }
    return true;
}

static bool eval_index_of_bytes(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                ds_error *err) {
    ds_value s;
    ds_value needle;
    bool done;
    int64_t begin;
    int64_t end;
    if (!run_search(expr, eval, 40091, &s, &needle, out, &done, err) || done) {
        return done;
    }
    if (!ds__expr_search_bound(expr, eval, 2, "starting", 0, &begin, err) ||
        !ds__expr_search_bound(expr, eval, 3, "ending", s.size, &end, err)) {
        return false;
    }
    end = end > s.size ? s.size : end;
    size_t at = begin > end ? SIZE_MAX : find(ds__text(s), (size_t)begin, (size_t)end, needle);
    *out = ds__int32(at == SIZE_MAX ? -1 : (int32_t)at);
    return true;
}

static bool eval_index_of_cp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    ds_value needle;
    bool done;
    int64_t begin;
    int64_t end;
    if (!run_search(expr, eval, 40093, &s, &needle, out, &done, err) || done) {
        return done;
    }
    const char *text = ds__text(s);
    int64_t points = count_points(text, s.size);
    if (!ds__expr_search_bound(expr, eval, 2, "starting", 0, &begin, err) ||
        !ds__expr_search_bound(expr, eval, 3, "ending", points, &end, err)) {
        return false;
    }
    *out = ds__int32(-1);
    if (begin <= end && begin <= points) {
        size_t from = skip_points(text, s.size, begin);
        size_t to = skip_points(text, s.size, end);
        size_t at = find(text, from, to, needle);
        if (at != SIZE_MAX) {
            *out = ds__int32((int32_t)count_points(text, at));
        }
    }
    return true;
}

static bool eval_split(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    ds_value by;
    if (!ds__expr_run(expr->args[0], eval, &s, err) ||
        !ds__expr_run(expr->args[1], eval, &by, err)) {
        return false;
    }
    if (ds__is_nullish(s) || ds__is_nullish(by)) {
        *out = ds__null();
        return true;
    }
    if (s.type != DS_STRING) {
        return ds__error_set(err, 40085,
                             "$split requires an expression that evaluates to a string as a first "
                             "argument, found: %s",
                             ds__type_name(s.type));
    }
    if (by.type != DS_STRING) {
        return ds__error_set(err, 40086,
                             "$split requires an expression that evaluates to a string as a "
                             "second argument, found: %s",
                             ds__type_name(by.type));
    }
    if (by.size == 0) {
        return ds__error_set(err, 40087, "$split requires a non-empty separator");
    }
    ds__expr_list list = {0};
    const char *text = ds__text(s);
    size_t from = 0;
    for (;;) {
        size_t at = find(text, from, s.size, by);
        size_t end = at == SIZE_MAX ? s.size : at;
        if (!ds__expr_list_add(eval->scratch, &list, ds__string(text + from, end - from), err)) {
            return false;
        }
        if (at == SIZE_MAX) {
            break;
        }
        from = at + by.size;
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

static bool change_case(ds_arena *scratch, ds_value s, bool upper, ds_value *out, ds_error *err) {
    char *text = ds_arena_alloc(scratch, (size_t)s.size + 1);
    if (text == NULL) {
        return ds__error_oom(err);
    }
    for (uint32_t i = 0; i < s.size; i++) {
        char c = (char)s.as.bytes[i];
        if (upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z') {
            c = (char)(c ^ 0x20);
        }
        text[i] = c;
    }
    *out = ds__string(text, s.size);
    return true;
}

static bool eval_to_lower(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    return run_string(expr, eval, 0, &s, err) && change_case(eval->scratch, s, false, out, err);
}

static bool eval_to_upper(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    return run_string(expr, eval, 0, &s, err) && change_case(eval->scratch, s, true, out, err);
}

static bool eval_strcasecmp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value a;
    ds_value b;
    if (!run_string(expr, eval, 0, &a, err) || !run_string(expr, eval, 1, &b, err) ||
        !change_case(eval->scratch, a, true, &a, err) ||
        !change_case(eval->scratch, b, true, &b, err)) {
        return false;
    }
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.as.bytes, b.as.bytes, common);
    if (order == 0) {
        order = a.size < b.size ? -1 : a.size > b.size;
    }
    *out = ds__int32(order < 0 ? -1 : order > 0);
    return true;
}

static bool run_length(const ds__expr *expr, ds__eval *eval, int32_t code, ds_value *s,
                       ds_error *err) {
    if (!ds__expr_run(expr->args[0], eval, s, err)) {
        return false;
    }
    if (s->type != DS_STRING) {
        return ds__error_set(err, code, "%s requires a string argument, found: %s", expr->op->name,
                             ds__type_name(s->type));
    }
    return true;
}

static bool eval_str_len_bytes(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    if (!run_length(expr, eval, 34473, &s, err)) {
        return false;
    }
    *out = ds__int32((int32_t)s.size);
    return true;
}

static bool eval_str_len_cp(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value s;
    if (!run_length(expr, eval, 34471, &s, err)) {
        return false;
    }
    *out = ds__int32((int32_t)count_points(ds__text(s), s.size));
    return true;
}

static bool parse_substr(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    expr->op = ds__expr_find_op("$substrBytes", 12);
    return ds__expr_parse_args(p, expr, arg, err);
}

const ds__expr_op ds__expr_ops_string[] = {
    {.name = "$concat", .eval = eval_concat, .max_args = -1},
    {.name = "$substrBytes", .eval = eval_substr_bytes, .min_args = 3, .max_args = 3},
    {.name = "$substr", .parse = parse_substr, .eval = eval_substr_bytes},
    {.name = "$substrCP", .eval = eval_substr_cp, .min_args = 3, .max_args = 3},
    {.name = "$indexOfBytes", .eval = eval_index_of_bytes, .min_args = 2, .max_args = 4},
    {.name = "$indexOfCP", .eval = eval_index_of_cp, .min_args = 2, .max_args = 4},
    {.name = "$split", .eval = eval_split, .min_args = 2, .max_args = 2},
    {.name = "$toLower", .eval = eval_to_lower, .min_args = 1, .max_args = 1},
    {.name = "$toUpper", .eval = eval_to_upper, .min_args = 1, .max_args = 1},
    {.name = "$strcasecmp", .eval = eval_strcasecmp, .min_args = 2, .max_args = 2},
    {.name = "$strLenBytes", .eval = eval_str_len_bytes, .min_args = 1, .max_args = 1},
    {.name = "$strLenCP", .eval = eval_str_len_cp, .min_args = 1, .max_args = 1},
    {.name = NULL},
};
