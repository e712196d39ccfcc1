/* SPDX-License-Identifier: Apache-2.0 */
/* Sets. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_set[] = {
    {.name = NULL},
};
