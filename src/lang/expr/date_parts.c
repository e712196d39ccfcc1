/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of dates. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_date_parts[] = {
    {.name = NULL},
};
