/* SPDX-License-Identifier: Apache-2.0 */
/* Documents. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_object[] = {
    {.name = NULL},
};
