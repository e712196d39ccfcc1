/* SPDX-License-Identifier: Apache-2.0 */
/* $round, $trunc. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_round[] = {
    {.name = NULL},
};
