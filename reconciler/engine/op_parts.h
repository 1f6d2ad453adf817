/*
 * op_parts: the two sides of an operation that op_task.c walks between. SPDX-License-Identifier: Apache-2.0
 *
 * op_write.c writes its rows on STATE, op_call.c calls its driver on DRIVER or REVERT; the functions are
 * what waits run. Only the three files of op_task include this.
 */
#pragma once

#include "base/guard.h"
#include "reconciler/engine/op_task.h"

static inline struct op_task *op_of(struct task *t)
{
    return container_of(t, struct op_task, task);
}

/* Memory of the answer that counts now. */
static inline struct arena *op_round(struct op_task *op)
{
    return &op->rounds[op->round];
}

/* STATE: the operation's row, and what hangs on it, as one event each. */
int op_write_claim(struct task *t, struct err *err);
int op_write_taken(struct task *t, struct err *err);
int op_write_identified(void *ctx, struct err *err);
int op_write_settled(struct task *t, struct err *err);
int op_write_retry(struct task *t, struct err *err);
int op_write_end(struct task *t, struct err *err);
/* Into the row, which outlives the round. */
void op_write_keep(struct op_task *op, struct str *member, struct str text);
int64_t op_write_length_ms(const struct op_task *op);

/* DRIVER: apply or resume; by id and owner, what is there. */
int op_call_act(struct task *t, struct err *err);
int op_call_look(struct task *t, struct err *err);
