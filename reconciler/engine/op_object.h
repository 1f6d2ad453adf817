/*
 * op_object: what an operation of an object leaves in its row. SPDX-License-Identifier: Apache-2.0
 *
 * The row says what was verified last: the digest that was asked for, the fields that show as they were read, a
 * fingerprint and a version of each output, and what may become of its data.
 *
 * Thread   STATE; is_as_asked and is_missed the loop's.
 */
#pragma once

#include "reconciler/engine/op_task.h"
#include "state/tx.h"

/* Its last writer was this operation, or it shows what was asked for. */
int op_object_is_as_asked(struct op_task *op, const struct value *desired,
                          const struct value *observed);
/* It was ours, and is gone: its row stands. */
int op_object_is_missed(const struct op_task *op);
int op_object_verified(struct op_task *op, struct tx *tx, struct err *err);
/* It stays with the name that it had; one that a person named stays named, and no other is made for it. */
int op_object_not_adopted(struct op_task *op, struct tx *tx, struct err *err);

/* Those of a row after `outputs`, JSON as a driver answers it. */
int op_object_outputs(struct engine *e, struct arena *a, const struct rec_resource *row,
                      struct str outputs, struct str *ret, struct err *err);
