/*
 * op_assets: which earlier versions an instance serves files of. SPDX-License-Identifier: Apache-2.0
 *
 * Into desired.assets.of of an instance: the artifacts that its service had before, the newest first, each once, as
 * many as `retain`: those that it was recorded with, which is when a set of it was proven. A plan does not hold
 * them, because what is recorded when the operation begins is what counts.
 *
 * Thread   STATE.
 * Fails    as db.h. What is not remembered, as after the database was lost, is left out.
 */
#pragma once

#include "reconciler/engine/op_task.h"

/* What the service was recorded with, the newest first. */
int op_assets_history(struct arena *a, struct db *db, struct str env, struct str service,
                      struct rec_resource **ret, size_t *ret_n, struct err *err);
int op_assets_fill(struct op_task *op, struct value *body, struct err *err);
