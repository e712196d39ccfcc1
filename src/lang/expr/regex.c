/* SPDX-License-Identifier: Apache-2.0 */
/* $regexMatch, $regexFind, $regexFindAll. */
#include "lang/expr/internal.h"

const ds__expr_op ds__expr_ops_regex[] = {
    {.name = NULL},
};
