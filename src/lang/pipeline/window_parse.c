/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the output fields of $setWindowFields: functions, their arguments, their bounds. */
#include "lang/pipeline/stages.h"
#include "lang/pipeline/window.h"

typedef struct window_parser {
    ds__stage_parser *p;
    const ds__sort_pattern *sort;
    ds__window_function *f;
    ds_value arg;
    ds_value window; /* missing: none given */
} window_parser;

double ds__window_unit_ms(ds_value name) {
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"week", 604800000}, {"day", 86400000}, {"hour", 3600000},
                 {"minute", 60000},   {"second", 1000},  {"millisecond", 1},
                 {"year", 0},         {"quarter", 0},    {"month", 0}};
    for (size_t i = 0; name.type == DS_STRING && i < sizeof units / sizeof *units; i++) {
        if (ds__is_string(name, units[i].name)) {
            return units[i].ms;
        }
    }
    return -1;
}

static bool compile(window_parser *w, ds_value spec, ds__expr **out, ds_error *err) {
    return ds__expr_compile(w->p->env, w->p->scope, spec, out, err);
}

/* The bound as an expression: {$dateAdd: {startDate: "$$v", unit: …, amount: …}}. */
static bool compile_date_bound(window_parser *w, ds__bound *bound, ds_value unit, ds_error *err) {
    ds_buf buf = {0};
    ds_value spec = ds__missing();
    const ds__var_scope *scope = ds__scope_add(w->p->env, w->p->scope, "v", 1, &w->f->date_slot);
    size_t root = ds__doc_begin(&buf);
    size_t add = ds__write_doc(&buf, "$dateAdd", 8, DS_DOCUMENT);
    ds__write_str(&buf, "startDate", "$$v");
    ds__write_value(&buf, "unit", 4, unit);
    ds__write_value(&buf, "amount", 6, bound->offset);
    ds__doc_end(&buf, add);
    ds__doc_end(&buf, root);
    bool ok = ds_buf_ok(&buf, err);
    if (ok && (!scope || !ds__buf_to_value(w->p->env->arena, &buf, DS_DOCUMENT, &spec))) {
        ok = ds__error_oom(err);
    }
    ds_buf_clear(&buf);
    return ok && ds__expr_compile(w->p->env, scope, spec, &bound->date, err);
}

static bool parse_bound(window_parser *w, ds_value v, ds_value unit, ds__bound *out,
                        ds_error *err) {
    char text[DS_MAX_QUOTED];
    if (ds__is_string(v, "unbounded")) {
        out->kind = DS_BOUND_UNBOUNDED;
        return true;
    }
    if (ds__is_string(v, "current")) {
        out->kind = DS_BOUND_CURRENT;
        out->offset = ds__int32(0);
    } else if (!ds__is_number(v)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Window bounds must be 'unbounded', 'current', or a number.");
    } else {
        out->kind = DS_BOUND_OFFSET;
        out->offset = v;
    }
    if (!w->f->range || unit.type != DS_MISSING) {
        if (!ds__value_exact_int64(out->offset, &out->rows)) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Numeric document-based bounds must be an integer: %s",
                                 ds__value_quote(v, text, sizeof text));
        }
    }
    return unit.type == DS_MISSING || compile_date_bound(w, out, unit, err);
}

static bool check_bounds(const window_parser *w, ds_error *err) {
    const ds__window_function *f = w->f;
    bool both = f->lower.kind != DS_BOUND_UNBOUNDED && f->upper.kind != DS_BOUND_UNBOUNDED;
    if (f->range && w->sort->count != 1) {
        return ds__error_set(err, 5339902, "Range-based bounds require sortBy a single field");
    }
    if (f->range && w->sort->parts[0].descending) {
        return ds__error_set(err, 5429404, "Missing _sortExpr with range-based bounds");
    }
    if (!f->range && w->sort->count == 0 &&
        (f->lower.kind != DS_BOUND_UNBOUNDED || f->upper.kind != DS_BOUND_UNBOUNDED)) {
        return ds__error_set(err, 5339901, "Document-based bounds require a sortBy");
    }
    if (both && ds__number_compare(f->lower.offset, f->upper.offset) > 0) {
        return ds__error_set(err, 5339900, "Lower bound must not exceed upper bound");
    }
    return true;
}

static bool parse_window(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    ds_value bounds = ds__missing(), unit = ds__missing();
    bool documents = false;
    if (w->window.type == DS_MISSING) {
        return true;
    }
    f->has_window = true;
    if (w->window.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "'window' field must be an object");
    }
    ds__iter it;
    for (ds__iter_init(&it, w->window); ds__iter_next(&it);) {
        if (strcmp(it.key, "documents") == 0) {
            documents = true;
            bounds = it.value;
        } else if (strcmp(it.key, "range") == 0) {
            f->range = true;
            bounds = it.value;
        } else if (strcmp(it.key, "unit") == 0) {
            unit = it.value;
        } else {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "'window' field that specifies bounds found an unknown argument: "
                                 "%s",
                                 it.key);
        }
    }
    if (documents && f->range) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Window bounds can specify either 'documents' or 'unit', not both.");
    }
    if (unit.type != DS_MISSING && !f->range) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "Window bounds can only specify 'unit' with range-based bounds.");
    }
    if (unit.type != DS_MISSING && ds__window_unit_ms(unit) < 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "unknown time unit value: %.*s",
                             unit.type == DS_STRING ? (int)unit.size : 0,
                             unit.type == DS_STRING ? ds__text(unit) : "");
    }
    f->has_unit = unit.type != DS_MISSING;
    if (bounds.type == DS_MISSING) {
        return true; /* {}: the whole partition */
    }
    if (bounds.type != DS_ARRAY || ds__doc_count(bounds) != 2) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Window bounds must be a 2-element array");
    }
    return parse_bound(w, ds__array_at(bounds, 0), unit, &f->lower, err) &&
           parse_bound(w, ds__array_at(bounds, 1), unit, &f->upper, err) && check_bounds(w, err);
}

static bool parse_accumulate(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    const ds__accumulator_def *def = ds__accumulator_find(f->name, strlen(f->name));
    if (!def || strcmp(f->name, "$mergeObjects") == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Unrecognized window function, %s", f->name);
    }
    if (strcmp(f->name, "$count") == 0 && (w->arg.type != DS_DOCUMENT || !ds__doc_empty(w->arg))) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$count only accepts an empty object as input");
    }
    if (strcmp(f->name, "$first") == 0 || strcmp(f->name, "$last") == 0) {
        f->kind = f->name[1] == 'f' ? DS_WINDOW_FIRST : DS_WINDOW_LAST;
        return compile(w, w->arg, &f->input, err) && parse_window(w, err);
    }
    if (w->arg.type == DS_ARRAY && !def->parse) {
        /* Arrays are expressions here, not argument lists. */
        f->acc = (ds__accumulator){.def = def, .env = w->p->env, .spec = w->arg};
        return compile(w, w->arg, &f->acc.expr, err) && parse_window(w, err);
    }
    return ds__accumulator_bind(w->p->env, w->p->scope, def, w->arg, &f->acc, err) &&
           parse_window(w, err);
}

static bool parse_rank(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    f->kind = strcmp(f->name, "$rank") == 0        ? DS_WINDOW_RANK
              : strcmp(f->name, "$denseRank") == 0 ? DS_WINDOW_DENSE_RANK
                                                   : DS_WINDOW_NUMBER;
    if (w->window.type != DS_MISSING) {
        return ds__error_set(err, 5371601, "Rank style window functions take no other arguments");
    }
    if (w->arg.type != DS_DOCUMENT || !ds__doc_empty(w->arg)) {
        return ds__error_set(err, 5371603, "%s must be specified with '{}' as the value", f->name);
    }
    if (w->sort->count != 1) {
        return ds__error_set(err, 5371602,
                             "%s must be specified with a top level sortBy expression with exactly "
                             "one element",
                             f->name);
    }
    return true;
}

static bool parse_shift(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    ds_value output = ds__missing(), by = ds__missing(), fallback = ds__missing();
    char text[DS_MAX_QUOTED];
    f->kind = DS_WINDOW_SHIFT;
    f->fallback = ds__null();
    if (w->window.type != DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "$shift does not accept a 'window' field");
    }
    if (w->sort->count == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "'$shift' requires a sortBy");
    }
    if (w->arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Argument to $shift must be an object");
    }
    ds__iter it;
    for (ds__iter_init(&it, w->arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "output") == 0) {
            output = it.value;
        } else if (strcmp(it.key, "by") == 0) {
            by = it.value;
        } else if (strcmp(it.key, "default") == 0) {
            fallback = it.value;
        } else {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "Unknown argument in $shift");
        }
    }
    if (output.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "$shift requires an 'output' expression.");
    }
    if (by.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "$shift requires 'by' as an integer value.");
    }
    if (!ds__stage_integer(by, &f->by)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "'$shift:by' field must be an integer, but found  by: %s",
                             ds__value_quote(by, text, sizeof text));
    }
    if (fallback.type != DS_MISSING) {
        ds__expr *expr;
        if (!compile(w, fallback, &expr, err)) {
            return false;
        }
        const ds_value *v = ds__expr_constant(expr);
        if (!v) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "'$shift:default' expression must yield a constant value.");
        }
        f->fallback = *v;
    }
    return compile(w, output, &f->input, err);
}

static bool parse_n(window_parser *w, ds_value n, ds_error *err) {
    int64_t count;
    char text[DS_MAX_QUOTED];
    if (!ds__stage_integer(n, &count)) {
        return ds__error_set(
            err, DS_FAILED_TO_PARSE,
            "'N' field must be an integer, but found  N: %s. To use a non-integer, "
            "use the 'alpha' argument instead",
            ds__value_quote(n, text, sizeof text));
    }
    if (count <= 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "'N' must be greater than zero. Got %lld",
                             (long long)count);
    }
    w->f->alpha = ds__double(2.0 / ((double)count + 1));
    return true;
}

static bool parse_exp_average(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    ds_value input = ds__missing(), n = ds__missing(), alpha = ds__missing();
    f->kind = DS_WINDOW_EXP_AVERAGE;
    if (w->window.type != DS_MISSING || w->arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$expMovingAvg must have exactly one argument that is an object");
    }
    if (w->sort->count == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$expMovingAvg requires an explicit 'sortBy'");
    }
    bool known = true;
    ds__iter it;
    for (ds__iter_init(&it, w->arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "input") == 0) {
            input = it.value;
        } else if (strcmp(it.key, "N") == 0) {
            n = it.value;
        } else if (strcmp(it.key, "alpha") == 0) {
            alpha = it.value;
        } else {
            known = false;
        }
    }
    if (!known || input.type == DS_MISSING ||
        (n.type == DS_MISSING) == (alpha.type == DS_MISSING)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "$expMovingAvg sub object must have exactly two fields: An 'input' "
                             "field, and either an 'N' field or an 'alpha' field");
    }
    if (!compile(w, input, &f->input, err)) {
        return false;
    }
    if (n.type != DS_MISSING) {
        return parse_n(w, n, err);
    }
    if (!ds__is_number(alpha)) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "'alpha' must be a number");
    }
    if (ds__number_to_double(alpha) <= 0 || ds__number_to_double(alpha) >= 1) {
        char text[DS_MAX_QUOTED];
        return ds__error_set(err, DS_FAILED_TO_PARSE,
                             "'alpha' must be between 0 and 1 (exclusive), found alpha: %s",
                             ds__value_quote(alpha, text, sizeof text));
    }
    f->alpha = alpha;
    return true;
}

/* $derivative and $integral: {input, unit}. */
static bool parse_slope(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    bool derivative = strcmp(f->name, "$derivative") == 0;
    ds_value input = ds__missing(), unit = ds__missing();
    f->kind = derivative ? DS_WINDOW_DERIVATIVE : DS_WINDOW_INTEGRAL;
    if (w->arg.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s expects an object, but got a %s", f->name,
                             ds__type_name(w->arg.type));
    }
    ds__iter it;
    for (ds__iter_init(&it, w->arg); ds__iter_next(&it);) {
        if (strcmp(it.key, "input") == 0) {
            input = it.value;
        } else if (strcmp(it.key, "unit") == 0) {
            unit = it.value;
        } else {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "%s got unexpected argument: %s", f->name,
                                 it.key);
        }
    }
    if (w->sort->count == 0) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s requires a sortBy", f->name);
    }
    if (w->sort->count > 1) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s requires a non-compound sortBy", f->name);
    }
    if (input.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s requires an 'input' expression", f->name);
    }
    if (derivative && w->window.type == DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "%s requires explicit window bounds",
                             f->name);
    }
    if (unit.type != DS_MISSING) {
        f->unit_ms = ds__window_unit_ms(unit);
        if (f->unit_ms < 0) {
            return ds__error_set(err, DS_FAILED_TO_PARSE, "unknown time unit value");
        }
        if (f->unit_ms == 0) {
            return ds__error_set(err, 5490710, "unit must be 'week' or smaller");
        }
    }
    return compile(w, input, &f->input, err) && parse_window(w, err);
}

static bool parse_covariance(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    f->kind = DS_WINDOW_COVARIANCE;
    f->sample = strcmp(f->name, "$covarianceSamp") == 0;
    if (w->arg.type == DS_ARRAY && ds__doc_count(w->arg) == 2) {
        if (!compile(w, ds__array_at(w->arg, 0), &f->input, err) ||
            !compile(w, ds__array_at(w->arg, 1), &f->second, err)) {
            return false;
        }
    } else { /* never two numbers: null for every row */
        if (!compile(w, w->arg, &f->input, err) || !compile(w, ds__null(), &f->second, err)) {
            return false;
        }
    }
    return parse_window(w, err);
}

static bool parse_fill(window_parser *w, ds_error *err) {
    ds__window_function *f = w->f;
    f->kind = strcmp(f->name, "$locf") == 0 ? DS_WINDOW_LOCF : DS_WINDOW_LINEAR;
    if (w->window.type != DS_MISSING) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "'window' field is not allowed in %s",
                             f->name);
    }
    if (f->kind == DS_WINDOW_LINEAR && w->sort->count != 1) {
        return ds__error_set(
            err, 605001,
            "$linearFill must be specified with a top level sortBy expression with "
            "exactly one element");
    }
    return compile(w, w->arg, &f->input, err);
}

static const struct {
    const char *name;
    bool (*parse)(window_parser *w, ds_error *err);
} functions[] = {
    {"$rank", parse_rank},
    {"$denseRank", parse_rank},
    {"$documentNumber", parse_rank},
    {"$shift", parse_shift},
    {"$expMovingAvg", parse_exp_average},
    {"$derivative", parse_slope},
    {"$integral", parse_slope},
    {"$covariancePop", parse_covariance},
    {"$covarianceSamp", parse_covariance},
    {"$locf", parse_fill},
    {"$linearFill", parse_fill},
};

bool ds__window_parse(ds__stage_parser *p, const char *field, size_t field_size, ds_value spec,
                      const ds__sort_pattern *sort, ds__window_function *out, ds_error *err) {
    window_parser w = {.p = p, .sort = sort, .f = out, .window = ds__missing()};
    *out = (ds__window_function){0};
    if (!ds__stage_field_path(p->env->arena, field, field_size, &out->field, err)) {
        return false;
    }
    if (spec.type != DS_DOCUMENT) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "The field '%s' must be an object", field);
    }
    ds__iter it;
    for (ds__iter_init(&it, spec); ds__iter_next(&it);) {
        if (strcmp(it.key, "window") == 0) {
            w.window = it.value;
        } else if (it.key[0] != '$') {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Window function found an unknown argument: %s", it.key);
        } else if (out->name) {
            return ds__error_set(err, DS_FAILED_TO_PARSE,
                                 "Cannot specify two functions in window function spec");
        } else {
            out->name = it.key; /* of the pipeline's own copy */
            w.arg = it.value;
        }
    }
    if (!out->name) {
        return ds__error_set(err, DS_FAILED_TO_PARSE, "Expected a $-prefixed window function");
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(functions[i].name, out->name) == 0) {
            return functions[i].parse(&w, err);
        }
    }
    return parse_accumulate(&w, err);
}
