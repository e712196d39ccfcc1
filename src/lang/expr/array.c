/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_array[] = {
    {.name = NULL},
};
