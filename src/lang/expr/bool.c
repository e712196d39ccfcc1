/* SPDX-License-Identifier: Apache-2.0 */
/* $and, $or, $not. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_bool[] = {
    {.name = NULL},
};
