/* SPDX-License-Identifier: Apache-2.0 */
/* $dateAdd, $dateSubtract, $dateDiff, $dateTrunc. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_date_arith[] = {
    {.name = NULL},
};
