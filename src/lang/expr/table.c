/* SPDX-License-Identifier: Apache-2.0 */
/* The operators of all families by name. */
#include "lang/expr/internal.h"

static const ds__expr_op *const families[] = {
    ds__expr_ops_compare,    ds__expr_ops_bool,       ds__expr_ops_arith,
    ds__expr_ops_control,    ds__expr_ops_variable,   ds__expr_ops_accumulate,
    ds__expr_ops_array,      ds__expr_ops_iterate,    ds__expr_ops_collect,
    ds__expr_ops_object,     ds__expr_ops_string,     ds__expr_ops_type,
    ds__expr_ops_convert,    ds__expr_ops_date_parts, ds__expr_ops_date_text,
    ds__expr_ops_date_arith, ds__expr_ops_date_build, ds__expr_ops_set,
    ds__expr_ops_regex,      ds__expr_ops_round,      ds__expr_ops_trig,
    ds__expr_ops_misc,       ds__expr_ops_sort,       ds__expr_ops_trim,
};

const ds__expr_op *ds__expr_find_op(const char *name, size_t size) {
    if (size < 2) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (const ds__expr_op *op = families[i]; op->name != NULL; op++) {
            if (op->name[1] == name[1] && strncmp(op->name, name, size) == 0 &&
                op->name[size] == '\0') {
                return op;
            }
        }
    }
    return NULL;
}
