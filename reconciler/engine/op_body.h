/*
 * op_body: the body a driver gets, made of the plan's item and what is known when it begins.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Outputs of other resources, backends of sets, the next route generation, references to secrets and
 * the owner's long label are filled in; none of them is part of the operation's digest.
 *
 * Thread   STATE.
 */
#pragma once

#include "reconciler/engine/op_task.h"

/* The body without its label; sets op->rec.name where only the moment decides it (routes).
 * ERR_CANCELLED: nothing to do. */
int op_body_make(struct op_task *op, struct value **ret, struct err *err);
/* With the label of op->resource: op->body. */
int op_body_seal(struct op_task *op, struct value *body, struct err *err);
