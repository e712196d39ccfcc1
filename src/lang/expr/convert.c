/* SPDX-License-Identifier: Apache-2.0 */
/* $convert and its short forms. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_convert[] = {
    {.name = NULL},
};
