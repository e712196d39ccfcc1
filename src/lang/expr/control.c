/* SPDX-License-Identifier: Apache-2.0 */
/* $cond, $ifNull, $switch. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_control[] = {
    {.name = NULL},
};
