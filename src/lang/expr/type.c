/* SPDX-License-Identifier: Apache-2.0 */
/* $type and its kin. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_type[] = {
    {.name = NULL},
};
