/* SPDX-License-Identifier: Apache-2.0 */
/* $firstN, $lastN, $maxN, $minN. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_collect[] = {
    {.name = NULL},
};
