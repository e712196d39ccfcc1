/* SPDX-License-Identifier: Apache-2.0 */
/* $map, $filter, $reduce, $zip, $sortArray. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_iterate[] = {
    {.name = NULL},
};
