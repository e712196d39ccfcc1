/* SPDX-License-Identifier: Apache-2.0 */
/* $let, $literal. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_variable[] = {
    {.name = NULL},
};
