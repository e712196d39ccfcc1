/* SPDX-License-Identifier: Apache-2.0 */
/* $sum, $avg, $min, $max and the like over arguments or one array. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_accumulate[] = {
    {.name = NULL},
};
