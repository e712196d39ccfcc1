/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of a query. */
#ifndef DS_ENGINE_PLAN_SHAPE_H
#define DS_ENGINE_PLAN_SHAPE_H

#include "engine/plan/plan.h"

/* Appends it: paths, operators and the order, without values. */
bool ds__plan_shape(const ds__query *query, ds_buf *out, ds_error *err);

#endif
