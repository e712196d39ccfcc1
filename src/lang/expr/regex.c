/* SPDX-License-Identifier: Apache-2.0 */
/* $regexMatch, $regexFind, $regexFindAll. A constant pattern is compiled once. */
#include "lang/expr/internal.h"

#include "lang/regex.h"

enum { ARG_INPUT, ARG_REGEX, ARG_OPTIONS };

/* The compiled constant pattern, found at the first evaluation. */
typedef struct regex_cache {
    ds__regex *regex;
    bool is_null; /* the pattern is null: nothing matches */
    bool ready;
} regex_cache;

static bool compile_pattern(const ds__expr *expr, ds_arena *arena, ds_value regex, ds_value options,
                            regex_cache *out, ds_error *err) {
    const char *self = expr->op->name;
    *out = (regex_cache){.ready = true, .is_null = ds__is_nullish(regex)};
    if (!ds__is_nullish(regex) && regex.type != DS_STRING && regex.type != DS_REGEX) {
        return ds__error_set(err, 51105, "%s needs 'regex' to be of type string or regex", self);
    }
    if (!ds__is_nullish(options) && options.type != DS_STRING) {
        return ds__error_set(err, 51106, "%s needs 'options' to be of type string", self);
    }
    if (out->is_null) {
        return true;
    }
    const char *pattern = ds__text(regex);
    size_t pattern_size = regex.size;
    const char *flags = options.type == DS_STRING ? ds__text(options) : "";
    size_t flags_size = options.type == DS_STRING ? options.size : 0;
    if (regex.type == DS_REGEX) {
        const char *own;
        size_t own_size;
        ds__regex_split(regex, &pattern, &pattern_size, &own, &own_size);
        if (own_size > 0 && options.type == DS_STRING) {
            return ds__error_set(err, 51107,
                                 "%s: found regex option(s) specified in both 'regex' and "
                                 "'option' fields",
                                 self);
        }
        flags = own_size > 0 ? own : flags;
        flags_size = own_size > 0 ? own_size : flags_size;
    }
    if (memchr(pattern, 0, pattern_size) != NULL) {
        return ds__error_set(err, 51109,
                             "%s: regular expression cannot contain an embedded null byte", self);
    }
    if (memchr(flags, 0, flags_size) != NULL) {
        return ds__error_set(err, 51110,
                             "%s: regular expression options cannot contain an embedded null byte",
                             self);
    }
    if (!ds__regex_compile(arena, pattern, pattern_size, flags, flags_size, &out->regex, err)) {
        err->code = err->code == DS_REGEX_INVALID ? 51111 : err->code;
        return false;
    }
    return true;
}

static bool parse_regex(ds__expr_parser *p, ds__expr *expr, ds_value arg, ds_error *err) {
    static const char *const names[] = {"input", "regex", "options"};
    const char *self = expr->op->name;
    if (arg.type != DS_DOCUMENT) {
        return ds__error_set(err, 51103, "%s expects an object of named arguments but found: %s",
                             self, ds__type_name(arg.type));
    }
    expr->detail = ds_arena_zalloc(p->env->arena, sizeof(regex_cache));
    if (expr->detail == NULL || !ds__expr_reserve_args(p, expr, 3, err)) {
        return ds__error_oom(err);
    }
    ds__iter it;
    ds__iter_init(&it, arg);
    while (ds__iter_next(&it)) {
        int i = 0;
        while (i < 3 && strcmp(it.key, names[i]) != 0) {
            i++;
        }
        if (i == 3) {
            return ds__error_set(err, 31024, "%s found an unknown argument: %s", self, it.key);
        }
        if (!ds__expr_parse(p, it.value, &expr->args[i], err)) {
            return false;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (expr->args[i] == NULL) {
            return ds__error_set(err, 31022 + i, "%s requires '%s' parameter", self, names[i]);
        }
    }
    const ds__expr *regex = expr->args[ARG_REGEX];
    const ds__expr *options = expr->args[ARG_OPTIONS];
    if (!regex->is_constant || (options != NULL && !options->is_constant)) {
        return true;
    }
    return compile_pattern(expr, p->env->arena, regex->constant,
                           options != NULL ? options->constant : ds__missing(), expr->detail, err);
}

/* The pattern to search with: the cached one, or one made for this document. */
static bool get_pattern(const ds__expr *expr, ds__eval *eval, regex_cache *out, ds_error *err) {
    regex_cache *cache = expr->detail;
    if (cache->ready) {
        *out = *cache;
        return true;
    }
    bool constant = expr->args[ARG_REGEX]->is_constant &&
                    (expr->args[ARG_OPTIONS] == NULL || expr->args[ARG_OPTIONS]->is_constant);
    ds_value regex;
    ds_value options;
    if (!ds__expr_run(expr->args[ARG_REGEX], eval, &regex, err) ||
        !ds__expr_run_arg(expr, ARG_OPTIONS, eval, &options, err) ||
        !compile_pattern(expr, constant ? eval->env->arena : eval->scratch, regex, options, out,
                         err)) {
        return false;
    }
    if (constant) {
        *cache = *out;
    }
    return true;
}

/* Evaluates the arguments. `*found` is false when there is nothing to search in or for. */
static bool prepare(const ds__expr *expr, ds__eval *eval, ds_value *input, ds__regex **regex,
                    bool *found, ds_error *err) {
    regex_cache pattern = {0};
    /* a constant pattern is checked before the input, another one after it */
    bool first = expr->args[ARG_REGEX]->is_constant;
    if ((first && !get_pattern(expr, eval, &pattern, err)) ||
        !ds__expr_run(expr->args[ARG_INPUT], eval, input, err)) {
        return false;
    }
    if (!ds__is_nullish(*input) && input->type != DS_STRING) {
        return ds__error_set(err, 51104, "%s needs 'input' to be of type string", expr->op->name);
    }
    if (!first && !get_pattern(expr, eval, &pattern, err)) {
        return false;
    }
    *regex = pattern.regex;
    *found = !pattern.is_null && !ds__is_nullish(*input);
    return true;
}

static bool search(const ds__expr *expr, ds__eval *eval, ds__regex *regex, ds_value input,
                   size_t from, bool *matched, ds_error *err) {
    ds__regex_result result =
        ds__regex_search(regex, eval->env->meter, ds__text(input), input.size, from, err);
    if (result == DS_REGEX_NOT_UTF8) {
        ds__error_set(err, DS_REGEX_EXHAUSTED, "the input is not UTF-8");
    }
    if (result < 0) {
        if (err->code == DS_REGEX_EXHAUSTED) {
            ds__error_prefix(err, "Error occurred while executing the regular expression in %s: ",
                             expr->op->name);
        }
        return false;
    }
    *matched = result == DS_REGEX_MATCH;
    return true;
}

static int32_t count_points(const char *s, size_t size) {
    int32_t count = 0;
    for (size_t i = 0; i < size; i++) {
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return count;
}

/* The document of the last match: {match, idx, captures}. */
static bool match_document(ds__eval *eval, const ds__regex *regex, ds_value input, int32_t position,
                           ds_value *out, ds_error *err) {
    const char *text = ds__text(input);
    ds__expr_list captures = {0};
    size_t begin;
    size_t end;
    for (uint32_t i = 1; i <= ds__regex_groups(regex); i++) {
        bool took_part = ds__regex_span(regex, i, &begin, &end);
        ds_value v = took_part ? ds__string(text + begin, end - begin) : ds__null();
        if (!ds__expr_list_add(eval->scratch, &captures, v, err)) {
            return false;
        }
    }
    ds__regex_span(regex, 0, &begin, &end);
    ds__expr_field fields[3] = {
        {.name = "match", .name_size = 5, .value = ds__string(text + begin, end - begin)},
        {.name = "idx", .name_size = 3, .value = ds__int32(position)},
        {.name = "captures", .name_size = 8},
    };
    return ds__expr_make_array(eval->scratch, captures.items, captures.count, &fields[2].value,
                               err) &&
           ds__expr_make_document(eval->scratch, fields, 3, out, err);
}

static bool eval_regex_match(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value input;
    ds__regex *regex = NULL;
    bool matched = false;
    if (!prepare(expr, eval, &input, &regex, &matched, err)) {
        return false;
    }
    if (matched && !search(expr, eval, regex, input, 0, &matched, err)) {
        return false;
    }
    *out = ds__bool(matched);
    return true;
}

static bool eval_regex_find(const ds__expr *expr, ds__eval *eval, ds_value *out, ds_error *err) {
    ds_value input;
    ds__regex *regex = NULL;
    bool matched = false;
    *out = ds__null();
    if (!prepare(expr, eval, &input, &regex, &matched, err)) {
        return false;
    }
    if (!matched) {
        return true;
    }
    if (!search(expr, eval, regex, input, 0, &matched, err)) {
        return false;
    }
    if (!matched) {
        return true;
    }
    size_t begin;
    size_t end;
    ds__regex_span(regex, 0, &begin, &end);
    return match_document(eval, regex, input, count_points(ds__text(input), begin), out, err);
}

static bool eval_regex_find_all(const ds__expr *expr, ds__eval *eval, ds_value *out,
                                ds_error *err) {
    ds_value input;
    ds__regex *regex = NULL;
    bool matched = false;
    ds__expr_list list = {0};
    if (!prepare(expr, eval, &input, &regex, &matched, err)) {
        return false;
    }
    size_t from = 0;
    size_t counted = 0;
    int32_t position = 0;
    while (matched) {
        if (!search(expr, eval, regex, input, from, &matched, err)) {
            return false;
        }
        if (!matched) {
            break;
        }
        size_t begin;
        size_t end;
        ds_value v;
        ds__regex_span(regex, 0, &begin, &end);
        position += count_points(ds__text(input) + counted, begin - counted);
        counted = begin;
        if (!match_document(eval, regex, input, position, &v, err) ||
            !ds__expr_list_add(eval->scratch, &list, v, err)) {
            return false;
        }
        from = end;
        if (end == begin) { /* an empty match: go on after the next character */
            from++;
            while (from < input.size && (input.as.bytes[from] & 0xC0) == 0x80) {
                from++;
            }
        }
        if (from >= input.size) {
            break;
        }
    }
    return ds__expr_make_array(eval->scratch, list.items, list.count, out, err);
}

const ds__expr_op ds__expr_ops_regex[] = {
    {.name = "$regexMatch", .parse = parse_regex, .eval = eval_regex_match, .no_fold = true},
    {.name = "$regexFind", .parse = parse_regex, .eval = eval_regex_find, .no_fold = true},
    {.name = "$regexFindAll", .parse = parse_regex, .eval = eval_regex_find_all, .no_fold = true},
    {.name = NULL},
};
