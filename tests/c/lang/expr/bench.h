/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of expressions share: compiling and evaluating from JSON. */
#ifndef TESTS_LANG_EXPR_BENCH_H
#define TESTS_LANG_EXPR_BENCH_H

#include "../bench.h"
#include "lang/expr/internal.h"

/* Compiles the field e of `text`. NULL: b->err says why. */
static inline ds__expr *compile(bench *b, const char *text) {
    ds__expr *expr = NULL;
    b->err = (ds_error){0};
    (void)ds__expr_compile(&b->env, NULL, ds__doc_field(json(b, text), "e"), &expr, &b->err);
    return expr;
}

/* Evaluates on `doc`; DS_MISSING with b->err set when it fails. */
static inline ds_value run(bench *b, const ds__expr *expr, const char *doc) {
    ds_value out = ds__missing();
    b->err = (ds_error){0};
    assert_true(ds__eval_init(&b->eval, &b->env, &b->arena, &b->scratch, &b->err));
    b->eval.slots[DS_VAR_ROOT] = json(b, doc);
    if (!ds__expr_eval(expr, &b->eval, &out, &b->err)) {
        return ds__missing();
    }
    return out;
}

#endif
