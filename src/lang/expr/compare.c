/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_compare[] = {
    {.name = NULL},
};
