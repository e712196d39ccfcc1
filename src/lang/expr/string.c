/* SPDX-License-Identifier: Apache-2.0 */
/* Strings. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_string[] = {
    {.name = NULL},
};
