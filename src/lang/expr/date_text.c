/* SPDX-License-Identifier: Apache-2.0 */
/* $dateToString, $dateFromString. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_date_text[] = {
    {.name = NULL},
};
