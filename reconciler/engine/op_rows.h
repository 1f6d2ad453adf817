/*
 * op_rows: what an operation reads before it begins, and the rows it leaves behind. SPDX-License-Identifier: Apache-2.0
 *
 * Thread   STATE.
 */
#pragma once

#include "reconciler/engine/op_task.h"

/* Reads only: resource, incarnation and turn, name and body with every output filled in, key, owner.
 * ERR_BUSY: another operation of the resource is open, or another one has to come first. ERR_NOT_FOUND: an
 * output it needs is not there. ERR_CANCELLED: nothing to do (a generation to drop that does not exist, a
 * kept set that is live again). */
int op_prepare(struct op_task *op, struct err *err);

/* Inside the savepoint of INTENT and of VERIFIED. */
int op_rows_claim(struct op_task *op, struct tx *tx, struct err *err);
int op_rows_verified(struct op_task *op, struct tx *tx, struct err *err);
/* END without success: the resource's turn moves on. */
int op_rows_ended(struct op_task *op, struct tx *tx, struct err *err);
