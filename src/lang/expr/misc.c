/* SPDX-License-Identifier: Apache-2.0 */
/* $rand, $meta, sizes. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_misc[] = {
    {.name = NULL},
};
